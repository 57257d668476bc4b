//! Containers that a NixOS module takes the place of.
//!
//! A module replaces a container where it is catalogued for the image, its data rule lets the data come along, and each variable,
//! argument and file has a counterpart. [`Plan`] finds that out without settling anything; `settle` carries it out. What keeps a
//! container one is told with it. A person's answer to the question `native` of a workload, the name of a module, makes it that
//! module without what has no counterpart; the answer `container` keeps it a container.
//!
//! Invariant: no value of a variable, argument or file stands in a reason or a question.

mod databases;
mod files;
mod helpers;
mod mosquitto;
mod mounts;
mod settle;
#[cfg(test)]
mod tests;
mod values;
mod variables;
mod version;
mod volumes;

pub(in crate::kubernetes) use databases::connect;
pub(super) use helpers::needless;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Container, Role, Running, Workload, image};
use crate::facts::OptionIndex;
use crate::fleet::scalar::ImageRef;
use crate::fleet::schema::module_file::{ModuleFile, ModuleKind, ReplacedImage};
use crate::kubernetes::context::Cx;
use crate::kubernetes::ledger::Said;
use crate::kubernetes::tree::Node;
use crate::units::Release;

/// Why a container stays one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// The reason.
    pub text: String,
    /// Whether a module is catalogued for its image.
    pub is_catalogued: bool,
}

/// What is known of a container as a module, before anything is settled.
struct Plan<'a, 'w, 's> {
    workload: &'a Workload<'w, 's>,
    container: &'a Container<'w, 's>,
    /// The module.
    name: &'w str,
    file: &'w ModuleFile,
    prefix: &'w str,
    index: Option<OptionIndex<'w>>,
    /// The package, where it is not the module's own.
    package: Option<String>,
    options: IndexMap<String, Value>,
    acts: Vec<Act<'w, 's>>,
    /// Lines `NAME=value` of secrets, by the key of the secret.
    lines: BTreeMap<String, Vec<String>>,
    claims: Vec<volumes::Moving<'w, 's>>,
    /// What of the host is bound to paths of the image.
    binds: Vec<mounts::Bind<'w, 's>>,
    /// Files with accounts of a broker.
    accounts: Vec<String>,
    /// What has no counterpart.
    lacks: Vec<String>,
    /// Whether a person wants the module all the same.
    is_wanted: bool,
}

/// Something to settle once it is sure that the module takes the container's place.
enum Act<'w, 's> {
    Translated(&'w Node<'s>, String, Option<String>),
    Dropped(&'w Node<'s>, Said),
    Ask {
        nodes: Vec<&'w Node<'s>>,
        key: String,
        text: String,
        blocks: bool,
    },
    Secret {
        nodes: Vec<&'w Node<'s>>,
        key: String,
        of: SecretOf,
    },
    /// A ConfigMap or Secret is used.
    Uses {
        kind: &'static str,
        name: String,
        key: &'static str,
    },
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SecretOf {
    /// A key of a Secret.
    Key { secret: String, key: String },
    /// What stands in the manifest itself, under this name.
    Manifest { name: String, is_reference: bool },
    /// What is put together of secrets, under this name.
    Composed { name: String },
}

/// Makes a container a native service where a module does all that it does; else says why not.
pub(super) fn native<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    all: &[Container<'w, 's>],
    container: &Container<'w, 's>,
) -> Result<(), Why> {
    let none = |text: &str| Why { text: text.to_owned(), is_catalogued: false };
    let image = container.node.str_at("image").and_then(|text| image::read(text.trim()));
    let Some(image) = image else { return Err(none("its image is not known")) };
    let answer = cx.target.answers.get(&format!("{}#native", workload.object.identity()));
    let answer = answer.map(|answer| answer.trim().trim_start_matches("module").trim_start_matches([' ', '=']).trim());
    if answer == Some("container") {
        return Err(none("a person decided so"));
    }
    let wanted = answer.and_then(|name| cx.target.modules.get_key_value(name));
    let (name, file, entry) = match wanted {
        Some((name, module)) => (name.as_str(), &module.file, None),
        None => match catalogued(cx, &image) {
            Some((name, file, entry)) => (name, file, Some(entry)),
            None => return Err(none("no module of this program replaces its image")),
        },
    };
    let why = |text: String| Why { text, is_catalogued: true };
    let Some(prefix) = file.prefix.as_ref() else { return Err(none("the module has no options")) };
    if let Some(text) = stays(cx, workload, all, name, file) {
        return Err(why(text));
    }
    let release = cx.release_of(&workload.service);
    let mut plan = Plan {
        workload,
        container,
        name,
        file,
        prefix: prefix.as_str(),
        index: release.and_then(|release| cx.target.facts.options(release)),
        package: None,
        options: IndexMap::new(),
        acts: Vec::new(),
        lines: BTreeMap::new(),
        claims: Vec::new(),
        binds: Vec::new(),
        accounts: Vec::new(),
        lacks: Vec::new(),
        is_wanted: wanted.is_some(),
    };
    plan.volumes(cx);
    plan.variables();
    plan.words();
    plan.databases();
    if !plan.lacks.is_empty() {
        return Err(why(plan.lacking()));
    }
    if let Err(text) = plan.data(cx, &image, entry, release) {
        return Err(why(text));
    }
    plan.permits();
    let ports = plan.free_ports(cx).map_err(why)?;
    plan.options.extend(ports);
    plan.carry_out(cx, answer.is_some());
    Ok(())
}

/// What modules replace, by the image's whole name: the module with its entry of the image.
pub(in crate::kubernetes) type Catalogue<'w> = BTreeMap<String, Vec<(&'w str, &'w ModuleFile, &'w ReplacedImage)>>;

/// Returns the module that replaces an image, with its entry of the image.
fn catalogued<'w>(cx: &mut Cx<'w, '_>, image: &ImageRef) -> Option<(&'w str, &'w ModuleFile, &'w ReplacedImage)> {
    let target = cx.target;
    let catalogue = cx.catalogue.get_or_insert_with(|| {
        let mut all: Catalogue<'w> = BTreeMap::new();
        for (name, module) in target.modules.iter().filter(|(_, module)| module.file.kind.value == ModuleKind::Service)
        {
            for entry in &module.file.images {
                if let Some(image) = image::read(&entry.name.value) {
                    all.entry(image.name).or_default().push((name, &module.file, entry));
                }
            }
        }
        all
    });
    let version = |entry: &ReplacedImage| version::of_image(image, entry.tag.as_ref().map(|tag| tag.value.as_str()));
    let fits = |entry: &ReplacedImage| match (&entry.versions, version(entry)) {
        (Some(range), Some((_, version))) => range.value.contains(version),
        _ => true,
    };
    let all = catalogue.get(&image.name)?;
    // Of a tag that says no version the last range is meant.
    all.iter().rfind(|(_, _, entry)| fits(entry)).copied()
}

/// Returns why a container stays one whatever the module takes.
fn stays(
    cx: &Cx<'_, '_>,
    workload: &Workload<'_, '_>,
    all: &[Container<'_, '_>],
    module: &str,
    file: &ModuleFile,
) -> Option<String> {
    if file.ports.iter().any(|port| matches!(port.port.value, 80 | 443)) {
        return Some("the host's own web server has its ports, and serves the virtual hosts of services".to_owned());
    }
    if workload.running != Running::Always {
        return Some("it runs to its end, and the module's service runs as long as the host".to_owned());
    }
    if let Some(other) = cx.native_of_other(&workload.service, module) {
        return Some(format!("a host has one {module}, which `{other}` is already"));
    }
    let hook = all.iter().find(|other| other.node.at(&["lifecycle", "postStart"]).is_some());
    if hook.is_some() {
        return Some("it runs a command of its own after its start".to_owned());
    }
    let mut all = all.iter().filter(|other| needless(other).is_none());
    if let Some(init) = all.clone().find(|other| other.role == Role::Init) {
        return Some(format!("its init container `{}` does something before it that no module does", init.name));
    }
    if let Some(beside) = all.find(|other| other.role == Role::Beside) {
        return Some(format!("the container `{}` runs beside it in the same pod", beside.name));
    }
    None
}

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Notes that something has no counterpart; where a person wants the module all the same it is dropped.
    fn lack(&mut self, what: impl Into<String>, nodes: &[&'w Node<'s>]) {
        if self.is_wanted {
            let reason = "the answer to `native` makes it a module without this";
            self.acts.extend(nodes.iter().map(|node| Act::Dropped(node, reason.into())));
            return;
        }
        let what = what.into();
        if !self.lacks.contains(&what) {
            self.lacks.push(what);
        }
    }

    /// Returns what has no counterpart, as a reason.
    fn lacking(&self) -> String {
        let shown: Vec<&str> = self.lacks.iter().take(3).map(String::as_str).collect();
        let more = self.lacks.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("the module {} has no counterpart for {}{more}", self.name, shown.join(", "))
    }

    /// Returns a key of the service's definition.
    fn key(&self, key: &str) -> String {
        self.container.key(key)
    }

    /// Returns the whole name of an option of the module.
    fn full(&self, option: &str) -> String {
        format!("{}.{option}", self.prefix)
    }

    /// Tells whether the workload has data that moves.
    fn has_data(&self) -> bool {
        let is_state = |bind: &mounts::Bind<'_, '_>| {
            self.file.volumes.iter().any(|volume| crate::units::lies_in(&bind.target, volume.to.value.as_str()))
        };
        !self.claims.is_empty() || self.binds.iter().any(is_state)
    }

    /// Asks for the permission that nixpkgs wants for some packages.
    fn permits(&mut self) {
        let nodes: Vec<&'w Node<'s>> = self.container.node.get("image").into_iter().collect();
        let named = |all: &[crate::source::Spanned<String>]| {
            all.iter().map(|name| format!("\"{}\"", name.value)).collect::<Vec<_>>().join(" ")
        };
        for (all, key, what) in [
            (&self.file.unfree, "allowUnfreePredicate", "is no free software"),
            (&self.file.insecure, "allowInsecurePredicate", "has holes that are known and that nobody mends"),
        ] {
            if all.is_empty() {
                continue;
            }
            let text = format!(
                "what the module {} builds {what}, and nixpkgs wants that permitted: `nixos.nixpkgs.config.{key} = {{ literalExpression = \
                 'package: builtins.elem (lib.getName package) [ {} ]' }}`, or the answer `container` to the question `native`?",
                self.name,
                named(all)
            );
            self.acts.push(Act::Ask { nodes: nodes.clone(), key: key.to_owned(), text, blocks: true });
        }
    }

    /// Chooses the package by the version that wrote the data; an error says why the data cannot come along.
    fn data(
        &mut self,
        cx: &Cx<'w, 's>,
        image: &ImageRef,
        entry: Option<&ReplacedImage>,
        release: Option<Release>,
    ) -> Result<(), String> {
        let question = format!("{}#version", self.workload.object.identity());
        let answered = cx.target.answers.get(&question).and_then(|answer| version::read(answer));
        let tag = entry.and_then(|entry| entry.tag.as_ref()).map(|tag| tag.value.as_str());
        let from = answered.or_else(|| version::of_image(image, tag));
        let rule = self.file.data.as_ref().map(|data| data.rule.value);
        let Some(release) = release else { return Ok(()) };
        let (attribute, named) =
            version::attribute(cx.target.facts, self.file, release, from.as_ref().map(|(_, version)| *version));
        let mut to =
            attribute.as_ref().and_then(|attribute| version::of_attribute(cx.target.facts, attribute, release));
        // An attribute of a major version has that version, whatever else is known of it.
        if let (None, Some(_), Some((_, from))) = (&to, &named, &from) {
            let major = from.major().to_string();
            to = version::read(&major);
        }
        self.package = named;
        // What the newest release has, an older one has at most.
        let newest = cx.target.facts.packages().releases().last().map(|(newest, _)| newest);
        let most_known = newest
            .filter(|newest| to.is_none() && *newest >= release)
            .and_then(|newest| version::of_attribute(cx.target.facts, attribute.as_deref()?, newest));
        if let (Some(rule), Some((_, from)), Some((_, most))) = (rule, &from, &most_known)
            && rule.goes_back(*from, *most)
        {
            to.clone_from(&most_known);
        }
        match version::judge(self.name, rule, from.as_ref(), to.as_ref(), self.has_data()) {
            version::Verdict::Fits => Ok(()),
            version::Verdict::Refused(text) if !self.is_wanted => Err(text),
            version::Verdict::Refused(text) => {
                let nodes = self.container.node.get("image").into_iter().collect();
                let text = format!("{text}: how does it come along?");
                self.acts.push(Act::Ask { nodes, key: "data".to_owned(), text, blocks: true });
                Ok(())
            }
            version::Verdict::Ask { key, text, blocks } => {
                let nodes = self.container.node.get("image").into_iter().collect();
                self.acts.push(Act::Ask { nodes, key: key.to_owned(), text, blocks });
                Ok(())
            }
        }
    }
}
