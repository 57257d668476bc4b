//! HelmReleases of the chart app-template of bjw-s: their values say the same as plain objects do, in fewer words. They are read as the
//! objects that the chart makes of them.
//!
//! Here belong: which releases are of this chart, and how the chart makes objects (versions 1 to 4). Not here: what becomes of these
//! objects, which is the same as for objects in files. Every node that comes from the values carries its leaf along, so that what is
//! understood of an object is settled in the release that it comes from.
//!
//! Source of what the chart does: the documentation and templates of the charts `common` and `app-template`.

mod containers;
mod controllers;
mod make;
mod network;
mod storage;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::make::{Map, fill};
use super::notes::Notes;
use super::object::{Object, ObjectId};
use super::tree::{Node, Pair, Value};
use super::world::World;

/// Adds the objects that releases of the chart make to the world.
pub(super) fn expand(world: &mut World<'_>) {
    let mut all = Vec::new();
    for object in world.objects() {
        let is_release = object.kind == "HelmRelease" && object.group() == "helm.toolkit.fluxcd.io" && !object.is_patch;
        if is_release && let Some(release) = Release::of(world, object) {
            all.push((object.id, release.read()));
        }
    }
    for (from, (made, notes)) in all {
        for Made { version, kind, tree } in made {
            world.add_made(from, version.into(), kind.into(), tree);
        }
        world.notes.append(notes);
    }
}

/// An object that a release makes.
struct Made<'s> {
    version: &'static str,
    kind: &'static str,
    tree: Node<'s>,
}

/// A release of the chart.
struct Release<'n, 's> {
    id: ObjectId,
    spec: &'n Node<'s>,
    values: &'n Node<'s>,
    /// What the objects of the release are called.
    name: String,
    namespace: Option<String>,
    /// The value that stands for the names above.
    named: &'n Node<'s>,
    /// The major version of the chart.
    version: u32,
    made: Vec<Made<'s>>,
    notes: Notes,
}

/// A workload among the values.
struct Controller<'n, 's> {
    key: &'n str,
    node: Option<&'n Node<'s>>,
    name: String,
}

impl<'n, 's> Release<'n, 's> {
    /// Returns a release; none where it is of another chart, or has no values.
    fn of(world: &'n World<'s>, object: &'n Object<'s>) -> Option<Self> {
        let spec = object.tree().get("spec")?;
        let values = spec.get("values").filter(|values| !values.pairs().is_empty())?;
        let source = spec.get("chartRef").and_then(|chart| source(world, object, chart));
        let chart = spec.at(&["chart", "spec"]);
        let is_named = chart.is_some_and(|chart| chart.str_at("chart") == Some("app-template"))
            || spec.at(&["chartRef", "name"]).and_then(Node::text) == Some("app-template");
        let url = source.and_then(|source| source.at(&["spec", "url"])).and_then(Node::text);
        let is_found = url.is_some_and(|url| url.trim_end_matches('/').ends_with("/app-template"));
        // Where the source is not among the input, its values tell: no other chart has controllers with containers.
        let looks_like = chart.is_none() && url.is_none() && is_shaped(values);
        if !(is_named || is_found || looks_like) {
            return None;
        }
        let given = chart.and_then(|chart| chart.get("version")).or_else(|| {
            let reference = source?.at(&["spec", "ref"])?;
            reference.get("tag").or_else(|| reference.get("semver"))
        });
        let version = given.and_then(Node::text).and_then(major);
        let old = values.get("controllers").is_none();
        let target = spec.str_at("targetNamespace");
        let release = match (spec.str_at("releaseName"), target) {
            (Some(name), _) => name.to_owned(),
            (None, Some(namespace)) => format!("{namespace}-{}", object.name()),
            (None, None) => object.name().to_owned(),
        };
        let word = |route: &[&str]| values.at(route).and_then(Node::str).filter(|word| !word.is_empty());
        let whole = word(&["global", "fullnameOverride"]).or_else(|| word(&["fullnameOverride"]));
        let part = word(&["global", "nameOverride"]).or_else(|| word(&["nameOverride"]));
        let name = match (whole, part) {
            (Some(name), _) => name.to_owned(),
            (None, Some(part)) if !release.contains(part) => format!("{release}-{part}"),
            _ => release,
        };
        Some(Self {
            id: object.id,
            spec,
            values,
            name,
            namespace: target.or_else(|| object.own_namespace()).map(str::to_owned),
            named: object.tree().at(&["metadata", "name"])?,
            version: if old { 1 } else { version.unwrap_or(4).max(2) },
            made: Vec::new(),
            notes: Notes::default(),
        })
    }

    /// Returns the objects, and what is known of the leaves that are in none.
    fn read(mut self) -> (Vec<Made<'s>>, Notes) {
        for key in ["chart", "chartRef"] {
            if let Some(node) = self.spec.get(key) {
                self.notes.replaced(
                    node,
                    "the definitions: the chart's values are read as the objects that it makes of them",
                );
            }
        }
        if let Some(node) = self.spec.get("valuesFrom").filter(|node| !node.items().is_empty()) {
            let text = "these values stand elsewhere and are not merged into those of the release: which of them change what is read here? Write those below `spec.values`";
            self.notes.ask(self.id, node, "values-from", text, false);
        }
        if let Some(node) = self.spec.get("postRenderers") {
            let text = "it changes what the chart makes after it was made: carry these changes over to the definitions by hand";
            self.notes.ask(self.id, node, "post-renderers", text, false);
        }
        self.overrides();
        let controllers = self.controllers();
        self.workloads(&controllers);
        self.services(&controllers);
        self.routes(&controllers);
        self.claims();
        self.texts();
        (self.made, self.notes)
    }

    /// Notes what says how objects are called, and what only the cluster's API is told.
    fn overrides(&mut self) {
        for pair in self.values.pairs() {
            match pair.key.as_ref() {
                "global" => {
                    for pair in pair.node.pairs() {
                        match pair.key.as_ref() {
                            "nameOverride" | "fullnameOverride" => {
                                self.notes.replaced(&pair.node, "the names of the services");
                            }
                            "labels" | "annotations" | "propagateGlobalMetadataToPods" => {
                                self.notes
                                    .dropped(&pair.node, "it is on every object, and says nothing about what runs");
                            }
                            _ => {}
                        }
                    }
                }
                "nameOverride" | "fullnameOverride" => self.notes.replaced(&pair.node, "the names of the services"),
                "serviceAccount" | "rbac" => {
                    self.notes.dropped(&pair.node, "an account for the cluster's API, which a host does not have");
                }
                "podDisruptionBudget" => {
                    self.notes.dropped(&pair.node, "how many pods may go at a time: there is one process");
                }
                _ => {}
            }
        }
    }

    /// Returns the workloads.
    fn controllers(&mut self) -> Vec<Controller<'n, 's>> {
        if self.version == 1 {
            let node = self.values.get("controller");
            let is_on = node.is_none_or(|node| node.bool_at("enabled") != Some(false));
            return if is_on { vec![Controller { key: "main", node, name: self.name.clone() }] } else { Vec::new() };
        }
        let pairs = self.enabled("controllers", |_| true);
        let count = pairs.len();
        let each = pairs.into_iter().map(|pair| Controller {
            key: &pair.key,
            node: Some(&pair.node),
            name: self.called(&pair.key, &pair.node, count, true),
        });
        each.collect()
    }

    /// Returns the entries below a key that are not switched off, sorted as the chart sorts them; what is off is noted.
    fn enabled(&mut self, key: &str, counts: impl Fn(&Node<'s>) -> bool) -> Vec<&'n Pair<'s>> {
        self.enabled_of(self.values.map(key), counts)
    }

    fn enabled_of(&mut self, pairs: &'n [Pair<'s>], counts: impl Fn(&Node<'s>) -> bool) -> Vec<&'n Pair<'s>> {
        let mut found: Vec<&'n Pair<'s>> = Vec::new();
        for pair in pairs.iter().filter(|pair| counts(&pair.node)) {
            match pair.node.get("enabled") {
                Some(off) if off.bool() == Some(false) => {
                    self.notes.dropped(&pair.node, "it is switched off in the release");
                }
                on => {
                    if let Some(on) = on {
                        self.notes.replaced(on, "what is made of the values beside it");
                    }
                    found.push(pair);
                }
            }
        }
        found.sort_by(|one, other| one.key.cmp(&other.key));
        found
    }

    /// Returns what the chart calls one of `count` objects of a kind. `main_alone` says that versions before 4 leave the key out where
    /// it is `main` or there is but one; else they always add it.
    fn called(&mut self, key: &str, node: &'n Node<'s>, count: usize, main_alone: bool) -> String {
        for word in ["nameOverride", "forceRename", "prefix", "suffix"] {
            if let Some(node) = node.get(word) {
                self.notes.replaced(node, "the name of what is made of it");
            }
        }
        let word = |key: &str| {
            node.get(key).and_then(Node::text).filter(|word| !word.is_empty()).map(|word| self.filled(word))
        };
        if let Some(name) = word("forceRename") {
            return name;
        }
        let base = match word("prefix") {
            Some(prefix) => format!("{prefix}-{}", self.name),
            None => self.name.clone(),
        };
        let suffix = word("suffix").or_else(|| word("nameOverride")).or_else(|| {
            let adds = match self.version {
                4.. => count > 1,
                _ if main_alone => count > 1 && key != "main",
                _ => true,
            };
            adds.then(|| key.to_owned())
        });
        match suffix {
            Some(suffix) if suffix != base && suffix != "-" => format!("{base}-{suffix}"),
            _ => base,
        }
    }

    /// Returns a text with what helm fills in.
    fn filled(&self, text: &str) -> String {
        fill(text, &|expression| self.expression(expression)).into_owned()
    }

    /// Returns a value with what helm fills in; its leaves stay what they are.
    fn fill(&self, node: &Node<'s>) -> Node<'s> {
        match &node.value {
            Value::Plain(text) | Value::Text(text) => match fill(text, &|expression| self.expression(expression)) {
                Cow::Borrowed(_) => node.clone(),
                Cow::Owned(text) => node.with(Value::Text(text.into())),
            },
            Value::Sequence(items) => node.with(Value::Sequence(items.iter().map(|item| self.fill(item)).collect())),
            Value::Mapping(pairs) => node.with(Value::Mapping(
                pairs.iter().map(|pair| Pair { node: self.fill(&pair.node), ..pair.clone() }).collect(),
            )),
        }
    }

    /// Returns the value of an expression of helm's: the names of the release, and scalars among its values.
    fn expression(&self, expression: &str) -> Option<String> {
        match expression {
            ".Release.Namespace" | "$.Release.Namespace" => self.namespace.clone(),
            ".Release.Name"
            | "$.Release.Name"
            | "include \"bjw-s.common.lib.chart.names.fullname\" ."
            | "include \"bjw-s.common.lib.chart.names.fullname\" $" => Some(self.name.clone()),
            _ => {
                let route = expression.trim_start_matches('$').strip_prefix(".Values.")?;
                let node = route.split('.').try_fold(self.values, |node, key| node.get(key))?;
                node.text().filter(|text| !text.contains("{{")).map(str::to_owned)
            }
        }
    }

    /// Returns `metadata` of an object that is made, with the labels and annotations of the values that it is made of.
    fn metadata(&self, name: &str, from: Option<&Node<'s>>) -> Node<'s> {
        let mut map = Map::new(self.named).text("name", name);
        if let Some(namespace) = &self.namespace {
            map = map.text("namespace", namespace);
        }
        for key in ["labels", "annotations"] {
            map = map.some(key, from.and_then(|from| from.get(key)).map(|node| self.fill(node)));
        }
        map.end()
    }

    /// Adds an object.
    fn add(
        &mut self,
        version: &'static str,
        kind: &'static str,
        metadata: Node<'s>,
        rest: Vec<(&'static str, Node<'s>)>,
    ) {
        let mut map = Map::new(self.named).text("apiVersion", version).text("kind", kind).node("metadata", metadata);
        for (key, node) in rest {
            map = map.node(key, node);
        }
        self.made.push(Made { version, kind, tree: map.end() });
    }
}

/// Returns the source that a release names.
fn source<'n, 's>(world: &'n World<'s>, object: &Object<'s>, chart: &Node<'s>) -> Option<&'n Node<'s>> {
    let (kind, name) = (chart.str_at("kind")?, chart.get("name")?.text()?);
    let namespace = chart.str_at("namespace").or_else(|| object.own_namespace());
    let fits = |known: &&Object<'s>| known.kind == kind && known.name() == name;
    let mut all = world.objects().iter().filter(fits);
    let near = all.clone().find(|known| known.own_namespace() == namespace);
    near.or_else(|| all.next()).map(Object::tree)
}

/// Tells whether values are those of the chart.
fn is_shaped(values: &Node<'_>) -> bool {
    let containers =
        |controller: &Pair<'_>| controller.node.map("containers").iter().any(|pair| pair.node.get("image").is_some());
    values.map("controllers").iter().any(containers)
}

/// Returns the major version of `4.1.2`, `v4`, `^4.0.0` or `>=4.0.0`.
fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
