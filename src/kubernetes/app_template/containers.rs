//! Containers of a controller.

use super::make::{Map, instead, list_of, quoted};
use super::{Controller, Release};
use crate::kubernetes::tree::{Node, Pair};

/// What a container says in the words of Kubernetes.
const AS_IT_IS: &[&str] = &[
    "workingDir",
    "resources",
    "securityContext",
    "lifecycle",
    "stdin",
    "stdinOnce",
    "tty",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "restartPolicy",
    "volumeDevices",
    "ports",
];

impl<'n, 's> Release<'n, 's> {
    /// Returns the containers of a controller in the order in which they start, those before the others with `initial`.
    pub(super) fn containers(&mut self, controller: &Controller<'n, 's>, initial: bool) -> Vec<Node<'s>> {
        if self.version == 1 {
            return self.containers_of_1(controller, initial);
        }
        let (Some(node), key) = (controller.node, if initial { "initContainers" } else { "containers" }) else {
            return Vec::new();
        };
        let mut pairs = self.enabled_of(node.map(key), |_| true);
        self.order(&mut pairs);
        let defaults = node.get("defaultContainerOptions").or_else(|| self.values.get("defaultContainerOptions"));
        if let Some(strategy) = node.get("defaultContainerOptionsStrategy") {
            self.notes
                .replaced(strategy, "how the options of all containers and of one are put together, as they are here");
        }
        let applies = node.get("applyDefaultContainerOptionsToInitContainers");
        if let Some(applies) = applies {
            self.notes.replaced(applies, "which containers the options of all are put together with, as they are here");
        }
        let defaults = defaults.filter(|_| !initial || applies.and_then(Node::bool) != Some(false));
        pairs.into_iter().map(|pair| self.container(controller, &pair.key, &pair.node, defaults)).collect()
    }

    /// Puts containers behind those that they depend on.
    fn order(&mut self, pairs: &mut [&'n Pair<'s>]) {
        let depends = |node: &'n Node<'s>| -> Vec<&'n str> {
            let on = node.get("dependsOn");
            on.into_iter()
                .flat_map(|on| on.items().iter().chain(on.text().map(|_| on)))
                .filter_map(Node::text)
                .collect()
        };
        // Each pass puts one more in its place at least, unless they depend on each other in a circle.
        for _ in 0..pairs.len() {
            for at in 0..pairs.len() {
                let Some(wanted) = pairs.get(at).map(|pair| depends(&pair.node)) else { continue };
                let behind = pairs.iter().rposition(|other| wanted.contains(&other.key.as_ref()));
                if let Some(behind) = behind.filter(|behind| *behind > at)
                    && let Some(part) = pairs.get_mut(at..=behind)
                {
                    part.rotate_left(1);
                }
            }
        }
        for pair in pairs.iter() {
            for key in ["dependsOn", "order"] {
                if let Some(node) = pair.node.get(key) {
                    self.notes.replaced(node, "the order in which the containers start");
                }
            }
        }
    }

    /// Returns the containers of version 1: one of the values themselves, others beside it.
    fn containers_of_1(&mut self, controller: &Controller<'n, 's>, initial: bool) -> Vec<Node<'s>> {
        let mut all = Vec::new();
        if !initial {
            all.push(self.container(controller, "main", self.values, None));
        }
        let keys: &[&str] = if initial { &["initContainers"] } else { &["sidecars", "additionalContainers"] };
        for pair in keys.iter().flat_map(|key| self.values.map(key)) {
            // They are written as Kubernetes has them, without the name.
            let mut map = Map::new(&pair.node);
            for pair in pair.node.pairs() {
                match pair.key.as_ref() {
                    "env" => map = map.some("env", self.env(&pair.node)),
                    _ => map = map.node(pair.key.clone(), self.fill(&pair.node)),
                }
            }
            all.push(map.text("name", &pair.key).end());
        }
        all
    }

    fn container(
        &mut self,
        controller: &Controller<'n, 's>,
        key: &'n str,
        node: &'n Node<'s>,
        defaults: Option<&'n Node<'s>>,
    ) -> Node<'s> {
        let take = |key: &str| {
            let own = node.get(key).filter(|node| !node.is_null());
            own.or_else(|| defaults.and_then(|defaults| defaults.get(key)))
        };
        let mut map = Map::new(node);
        // The only container of a pod has the name of the controller before version 2.
        map = match node.get("nameOverride").filter(|_| self.version > 1) {
            Some(name) => map.node("name", self.fill(name)),
            None => map.text("name", if self.version == 1 { &controller.name } else { key }),
        };
        if let Some(image) = take("image") {
            map = self.image(map, image);
        }
        for key in ["command", "args"] {
            let words = take(key).filter(|node| !node.is_null()).map(|node| list_of(&self.fill(node)));
            map = map.some(key, words);
        }
        let env = node.get("env").and_then(|env| self.env(env));
        let of_all = defaults.and_then(|defaults| defaults.get("env")).and_then(|env| self.env(env));
        map = match (env, of_all) {
            (Some(env), Some(of_all)) => {
                let own =
                    |item: &&Node<'s>| !env.items().iter().any(|known| known.str_at("name") == item.str_at("name"));
                let all = env.items().iter().chain(of_all.items().iter().filter(own)).cloned().collect();
                map.list("env", all)
            }
            (env, of_all) => map.some("env", env.or(of_all)),
        };
        if let Some(sources) = take("envFrom") {
            let all = sources.items().iter().map(|source| self.env_from(source)).collect();
            map = map.list("envFrom", all);
        }
        for key in AS_IT_IS {
            if *key != "ports" || self.version > 1 {
                map = map.some(*key, take(key).map(|node| self.fill(node)));
            }
        }
        if let Some(probes) = take("probes") {
            for (key, name) in
                [("liveness", "livenessProbe"), ("readiness", "readinessProbe"), ("startup", "startupProbe")]
            {
                if let Some(probe) = probes.get(key) {
                    map = map.some(name, self.probe(controller, probe));
                }
            }
        }
        let mounts = self.mounts(controller, key);
        map.list("volumeMounts", mounts).end()
    }

    /// Adds the image of a container: repository, tag and digest are one word.
    fn image(&mut self, map: Map<'n, 's>, image: &'n Node<'s>) -> Map<'n, 's> {
        let Some(repository) = image.get("repository").filter(|node| node.text().is_some()) else {
            return if image.text().is_some() { map.node("image", self.fill(image)) } else { map };
        };
        let mut whole = self.filled(repository.text().unwrap_or_default());
        for (key, mark) in [("tag", ':'), ("digest", '@')] {
            let Some(part) = image.get(key).filter(|part| !part.is_null()) else { continue };
            let text = self.filled(part.text().unwrap_or_default());
            if !text.is_empty() {
                whole.push(mark);
                whole.push_str(&text);
            }
            self.notes.follows(part, repository);
        }
        let map = map.node("image", instead(repository, whole));
        map.some("imagePullPolicy", image.get("pullPolicy").cloned())
    }

    /// Returns variables as the list that Kubernetes knows.
    fn env(&mut self, env: &'n Node<'s>) -> Option<Node<'s>> {
        if !env.items().is_empty() {
            return Some(self.fill(env));
        }
        let mut pairs: Vec<&'n Pair<'s>> = env.pairs().iter().collect();
        // The chart sorts them by what they depend on, then by name.
        pairs.sort_by(|one, other| one.key.cmp(&other.key));
        self.order(&mut pairs);
        let mut all = Vec::new();
        for pair in pairs {
            let (key, node) = (&pair.key, &pair.node);
            if node.is_null() {
                self.notes.dropped(node, "it is empty, so that the chart leaves it out");
                continue;
            }
            let map = Map::new(node).text("name", key);
            let map = if node.text().is_some() {
                map.node("value", quoted(&self.fill(node)))
            } else if let Some(from) = node.get("valueFrom") {
                map.node("valueFrom", self.value_from(from))
            } else if let Some(value) = node.get("value") {
                map.node("value", quoted(&self.fill(value)))
            } else {
                map.node("valueFrom", self.value_from(node))
            };
            all.push(map.end());
        }
        (!all.is_empty()).then(|| Node::made(crate::kubernetes::tree::Value::Sequence(all), env))
    }

    /// Returns a source of a variable with the names that the chart makes of identifiers.
    fn value_from(&mut self, from: &'n Node<'s>) -> Node<'s> {
        let mut map = Map::new(from);
        for pair in from.pairs() {
            let kind = match pair.key.as_ref() {
                "configMapKeyRef" => "configMaps",
                "secretKeyRef" => "secrets",
                "dependsOn" => continue,
                _ => {
                    map = map.node(pair.key.clone(), self.fill(&pair.node));
                    continue;
                }
            };
            let mut reference = Map::new(&pair.node);
            for pair in pair.node.pairs() {
                reference = match (pair.key.as_ref(), pair.node.text()) {
                    ("identifier", Some(key)) => {
                        let name = self.text_name(kind, key);
                        reference.node("name", instead(&pair.node, name))
                    }
                    _ => reference.node(pair.key.clone(), self.fill(&pair.node)),
                };
            }
            map = map.node(pair.key.clone(), reference.end());
        }
        map.end()
    }

    /// Returns a source of variables as Kubernetes has it.
    fn env_from(&mut self, source: &'n Node<'s>) -> Node<'s> {
        let mut map = Map::new(source).some("prefix", source.get("prefix").cloned());
        let kind = source.get("type");
        if let Some(kind) = kind {
            self.notes.replaced(kind, "the kind of what is named beside it");
        }
        let typed = kind.and_then(Node::text);
        for (words, reference, list) in [
            (["configMapRef", "configMap"], "configMapRef", "configMaps"),
            (["secretRef", "secret"], "secretRef", "secrets"),
        ] {
            let found = words.iter().find_map(|word| source.get(word));
            let found = found.or_else(|| typed.filter(|kind| words.contains(kind)).map(|_| source));
            let Some(found) = found else { continue };
            let mut inner = Map::new(found);
            if found.text().is_some() {
                inner = inner.node("name", self.fill(found));
            }
            for pair in found.pairs() {
                inner = match (pair.key.as_ref(), pair.node.text()) {
                    ("identifier", Some(key)) => {
                        let name = self.text_name(list, key);
                        inner.node("name", instead(&pair.node, name))
                    }
                    ("name" | "optional", _) => inner.node(pair.key.clone(), self.fill(&pair.node)),
                    _ => inner,
                };
            }
            map = map.map(reference, inner);
        }
        map.end()
    }

    /// Returns a probe; none where it is switched off, or asks nothing.
    fn probe(&mut self, controller: &Controller<'n, 's>, probe: &'n Node<'s>) -> Option<Node<'s>> {
        let on = probe.get("enabled");
        if on.and_then(Node::bool) == Some(false) {
            self.notes.dropped(probe, "the probe is switched off in the release");
            return None;
        }
        let spec = probe.get("spec");
        let mut map = Map::new(probe);
        for pair in spec.map_or(&[][..], Node::pairs) {
            map = map.node(pair.key.clone(), self.fill(&pair.node));
        }
        let is_asked =
            ["httpGet", "tcpSocket", "exec", "grpc"].iter().any(|key| spec.is_some_and(|spec| spec.get(key).is_some()));
        let first = ["type", "enabled", "custom"].iter().find_map(|key| probe.get(key));
        if probe.bool_at("custom") == Some(true) || is_asked {
            for node in ["type", "enabled", "custom"].iter().filter_map(|key| probe.get(key)) {
                self.notes.follows(node, spec.map_or(node, first_leaf));
            }
            return (!map.is_empty()).then(|| map.end());
        }
        let kind = probe.get("type").and_then(Node::text).unwrap_or("TCP").to_ascii_uppercase();
        if kind == "EXEC" {
            let command = probe.get("command")?;
            self.notes_follow(probe, command);
            let command = list_of(&self.fill(command));
            return Some(map.node("exec", Map::new(probe).node("command", command).end()).end());
        }
        let carrier = probe.get("port").or(first)?;
        let port = match probe.get("port") {
            Some(port) => self.fill(port),
            None => match self.first_port(controller) {
                Some(port) => carrier.with(port.value),
                None => {
                    self.notes.dropped(
                        probe,
                        "no port of the release leads to this workload, so that the chart has nothing to probe",
                    );
                    return None;
                }
            },
        };
        self.notes_follow(probe, carrier);
        let mut ask = Map::new(probe).node("port", port);
        if matches!(kind.as_str(), "HTTP" | "HTTPS" | "AUTO") {
            ask = ask.some("path", probe.get("path").map(|path| self.fill(path)));
        }
        let key = match kind.as_str() {
            "HTTP" => "httpGet",
            "HTTPS" => {
                ask = ask.text("scheme", "HTTPS");
                "httpGet"
            }
            "GRPC" => "grpc",
            _ => "tcpSocket",
        };
        Some(map.node(key, ask.end()).end())
    }

    /// Notes that the words of a probe become what one of them does.
    fn notes_follow(&mut self, probe: &'n Node<'s>, carrier: &Node<'s>) {
        for node in ["type", "enabled", "custom"].iter().filter_map(|key| probe.get(key)) {
            if node.leaf() != carrier.leaf() {
                self.notes.follows(node, first_leaf(carrier));
            }
        }
    }
}

/// Returns the first leaf of a value.
fn first_leaf<'n, 's>(node: &'n Node<'s>) -> &'n Node<'s> {
    let below = node.items().first().or_else(|| node.pairs().first().map(|pair| &pair.node));
    below.map_or(node, first_leaf)
}
