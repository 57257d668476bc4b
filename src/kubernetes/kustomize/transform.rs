//! What a kustomization changes about all that it lists: namespace, names, labels, annotations, images, replicas.

use std::collections::BTreeMap;

use super::{Item, Run};
use crate::kubernetes::object::{Object, is_cluster_wide};
use crate::kubernetes::tree::{Node, Pair, Value};

const KEEPS_ITS_NAME: &[&str] = &["APIService", "CustomResourceDefinition", "Namespace"];

impl<'n, 's> Run<'n, 's> {
    /// Applies what a kustomization says about all that it lists.
    pub(super) fn transform(&mut self, folder: &str, object: &'n Object<'s>, items: &mut [Item<'s>]) {
        let tree = object.tree();
        if let Some(node) = tree.get("namespace") {
            self.notes.replaced(node, "the namespace of the objects that it lists");
            move_to(items, node.text().unwrap_or_default());
        }
        // Workloads are counted by the names that they have where they are written.
        for entry in tree.list("replicas") {
            self.replicas(folder, object, entry, items);
        }
        let word = |key: &str| tree.get(key).and_then(Node::text).unwrap_or_default();
        rename(items, word("namePrefix"), word("nameSuffix"));
        for key in ["namePrefix", "nameSuffix"] {
            if let Some(node) = tree.get(key) {
                self.notes.replaced(node, "the names of the objects that it lists");
            }
        }
        for pair in tree.map("commonLabels") {
            label(items, pair, true, true);
        }
        for labels in tree.list("labels") {
            let selectors = labels.bool_at("includeSelectors") == Some(true);
            let templates = selectors || labels.bool_at("includeTemplates") == Some(true);
            for pair in labels.map("pairs") {
                label(items, pair, selectors, templates);
            }
            for key in ["includeSelectors", "includeTemplates", "fields"] {
                if let Some(node) = labels.get(key) {
                    self.notes.replaced(node, "the labels of the objects that it lists");
                }
            }
        }
        for pair in tree.map("commonAnnotations") {
            for item in items.iter_mut() {
                set(&mut item.tree, &["metadata", "annotations"], pair);
                if has_template(item) {
                    set(&mut item.tree, &["spec", "template", "metadata", "annotations"], pair);
                }
            }
        }
        // What stands nowhere says nothing.
        let all = ["commonLabels", "commonAnnotations", "labels"];
        if items.is_empty() {
            for node in all.iter().filter_map(|key| tree.get(key)) {
                self.notes.dropped(node, "it lists no object that this would be written to");
            }
        }
        for entry in tree.list("images") {
            self.image(entry, items);
        }
    }

    fn replicas(&mut self, folder: &str, object: &'n Object<'s>, entry: &'n Node<'s>, items: &mut [Item<'s>]) {
        let (Some(name), Some(count)) = (entry.get("name"), entry.get("count")) else { return };
        let mut found = false;
        for item in items.iter_mut() {
            let counts =
                ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"].contains(&item.kind.as_ref());
            if !counts || name.text().is_none_or(|name| name != item.name()) {
                continue;
            }
            found = true;
            let by = format!("overridden by the kustomization at {}", self.world.at(count));
            if let Some(gone) = item.tree.at(&["spec", "replicas"]) {
                let gone = gone.clone();
                self.lose(&gone, &by);
            }
            let pair = Pair { key: "replicas".into(), at: count.span, node: count.clone() };
            set(&mut item.tree, &["spec"], &pair);
        }
        if found {
            self.notes.replaced(name, "the workload whose replicas are counted beside it");
        } else {
            self.ask(folder, object, entry, "it counts the replicas of a workload that is not among what it lists");
        }
    }

    fn image(&mut self, entry: &'n Node<'s>, items: &mut [Item<'s>]) {
        let Some(name) = entry.get("name") else { return };
        let text = |key: &str| entry.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let mut found: Option<Node<'s>> = None;
        for item in items.iter_mut() {
            each_image(&mut item.tree, &mut |image| {
                let Some(whole) = image.text() else { return };
                let (bare, tag, digest) = split(whole);
                if Some(bare) != name.text() {
                    return;
                }
                let mut changed = text("newName").unwrap_or(bare).to_owned();
                let (tag, digest) = match (text("newTag"), text("digest")) {
                    (None, None) => (tag, digest),
                    (tag, digest) => (tag, digest),
                };
                if let Some(tag) = tag {
                    changed.push(':');
                    changed.push_str(tag);
                }
                if let Some(digest) = digest {
                    changed.push('@');
                    changed.push_str(digest);
                }
                *image = image.with(Value::Text(changed.into()));
                found = Some(image.clone());
            });
        }
        match found {
            Some(image) => {
                self.notes.replaced(name, "the image that is changed by what stands beside it");
                for node in ["newName", "newTag", "digest"].iter().filter_map(|key| entry.get(key)) {
                    self.notes.follows(node, &image);
                }
            }
            None => self.notes.dropped(entry, "no container of what it lists has this image"),
        }
    }
}

/// Gives objects a namespace.
pub(super) fn move_to(items: &mut [Item<'_>], namespace: &str) {
    for item in items.iter_mut().filter(|item| !is_cluster_wide(&item.kind) && !namespace.is_empty()) {
        item.moved_to = Some(namespace.to_owned());
    }
}

/// Gives objects names, and changes what refers to them by name.
pub(super) fn rename(items: &mut [Item<'_>], prefix: &str, suffix: &str) {
    if prefix.is_empty() && suffix.is_empty() {
        return;
    }
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    for item in items.iter_mut() {
        if KEEPS_ITS_NAME.contains(&item.kind.as_ref()) || item.name().is_empty() {
            continue;
        }
        let changed = format!("{prefix}{}{suffix}", item.name());
        names.insert((item.kind.to_string(), item.name().to_owned()), changed.clone());
        if let Some(name) = at_mut(&mut item.tree, &["metadata", "name"]) {
            *name = name.with(Value::Text(changed.into()));
        }
    }
    for item in items.iter_mut() {
        refer(&mut item.tree, &names);
    }
}

/// Changes names by which objects refer to others.
fn refer(node: &mut Node<'_>, names: &BTreeMap<(String, String), String>) {
    match &mut node.value {
        Value::Sequence(items) => items.iter_mut().for_each(|item| refer(item, names)),
        Value::Mapping(pairs) => {
            for Pair { key, node, .. } in pairs {
                let direct = match key.as_ref() {
                    "secretName" => Some("Secret"),
                    "claimName" => Some("PersistentVolumeClaim"),
                    "serviceName" => Some("Service"),
                    "serviceAccountName" => Some("ServiceAccount"),
                    _ => None,
                };
                if let Some(kind) = direct {
                    change(node, kind, names);
                }
                let inner = match key.as_ref() {
                    "configMap" | "configMapRef" | "configMapKeyRef" => Some("ConfigMap"),
                    "secret" | "secretRef" | "secretKeyRef" => Some("Secret"),
                    "service" => Some("Service"),
                    _ => None,
                };
                let own = match key.as_ref() {
                    "scaleTargetRef" => node.str_at("kind").map(str::to_owned),
                    _ => inner.map(str::to_owned),
                };
                if let (Some(kind), Some(name)) = (own, at_mut(node, &["name"])) {
                    change(name, &kind, names);
                }
                refer(node, names);
            }
        }
        _ => {}
    }
}

fn change(node: &mut Node<'_>, kind: &str, names: &BTreeMap<(String, String), String>) {
    let known = node.text().and_then(|name| names.get(&(kind.to_owned(), name.to_owned())));
    if let Some(changed) = known {
        *node = node.with(Value::Text(changed.clone().into()));
    }
}

fn has_template(item: &Item<'_>) -> bool {
    item.tree.at(&["spec", "template"]).is_some()
        && ["DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"]
            .contains(&item.kind.as_ref())
}

/// Writes a label to objects, what selects them and their pods.
fn label<'s>(items: &mut [Item<'s>], pair: &Pair<'s>, selectors: bool, templates: bool) {
    for item in items {
        set(&mut item.tree, &["metadata", "labels"], pair);
        if templates && has_template(item) {
            set(&mut item.tree, &["spec", "template", "metadata", "labels"], pair);
        }
        if templates && item.kind == "CronJob" {
            set(&mut item.tree, &["spec", "jobTemplate", "spec", "template", "metadata", "labels"], pair);
        }
        if !selectors {
            continue;
        }
        match item.kind.as_ref() {
            "Service" if item.tree.at(&["spec", "selector"]).is_some() => {
                set(&mut item.tree, &["spec", "selector"], pair);
            }
            "ReplicationController" => set(&mut item.tree, &["spec", "selector"], pair),
            "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet" => {
                set(&mut item.tree, &["spec", "selector", "matchLabels"], pair);
            }
            _ => {}
        }
    }
}

/// Sets a key below a route; mappings that are missing are made.
fn set<'s>(node: &mut Node<'s>, route: &[&str], pair: &Pair<'s>) {
    let like = Node::made(Value::Plain("".into()), &pair.node);
    if !matches!(node.value, Value::Mapping(_)) {
        return;
    }
    let Value::Mapping(pairs) = &mut node.value else { return };
    match route.split_first() {
        None => match pairs.iter_mut().find(|known| known.key == pair.key) {
            Some(known) => known.node = pair.node.clone(),
            None => pairs.push(pair.clone()),
        },
        Some((first, rest)) => {
            if !pairs.iter().any(|known| known.key == *first && !known.node.is_null()) {
                pairs.retain(|known| known.key != *first);
                let empty = like.with(Value::Mapping(Vec::new()));
                pairs.push(Pair { key: (*first).to_owned().into(), at: pair.at, node: empty });
            }
            if let Some(known) = pairs.iter_mut().find(|known| known.key == *first) {
                set(&mut known.node, rest, pair);
            }
        }
    }
}

fn at_mut<'m, 's>(node: &'m mut Node<'s>, route: &[&str]) -> Option<&'m mut Node<'s>> {
    let Some((first, rest)) = route.split_first() else { return Some(node) };
    let Value::Mapping(pairs) = &mut node.value else { return None };
    at_mut(&mut pairs.iter_mut().find(|pair| pair.key == *first)?.node, rest)
}

/// Calls `change` with the image of every container.
fn each_image<'s>(node: &mut Node<'s>, change: &mut impl FnMut(&mut Node<'s>)) {
    match &mut node.value {
        Value::Sequence(items) => items.iter_mut().for_each(|item| each_image(item, change)),
        Value::Mapping(pairs) => {
            for Pair { key, node, .. } in pairs {
                if matches!(key.as_ref(), "containers" | "initContainers" | "ephemeralContainers")
                    && let Value::Sequence(items) = &mut node.value
                {
                    items.iter_mut().filter_map(|item| at_mut(item, &["image"])).for_each(&mut *change);
                }
                each_image(node, change);
            }
        }
        _ => {}
    }
}

/// Returns the name, tag and digest of an image.
fn split(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag), digest),
        _ => (rest, None, digest),
    }
}
