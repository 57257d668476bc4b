//! `types-REL.json` and what stands beside it -> `options-REL.bin`. The layout stands in [`crate::facts::options`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::TableKind;
use super::types::Types;
use super::writer::{Put as _, Writer, to_u32};
use super::zfs::table;
use crate::facts::attributes as attribute;
use crate::facts::bytes::NONE;
use crate::facts::name::{is_placeholder, join_name, split_name};
use crate::facts::options::{alias_kind, flag};
use crate::units::Release;

/// A name segment and what lies below it. Placeholders sort first, so that a look-up meets them without a search.
#[derive(Debug, Default)]
struct Tree {
    below: BTreeMap<(bool, String), Tree>,
    flags: u8,
    type_at: Option<u32>,
    default: Option<u32>,
    alias: Option<Alias>,
}

#[derive(Debug)]
struct Alias {
    kind: u32,
    to: Option<String>,
    last: Option<String>,
    text: Option<String>,
    file: Option<String>,
    since: Option<String>,
}

impl Tree {
    fn insert(&mut self, segments: &[String]) -> &mut Self {
        let mut tree = self;
        for segment in segments {
            tree = tree.below.entry((!is_placeholder(segment), segment.clone())).or_default();
        }
        tree
    }

    fn get(&self, segments: &[String]) -> Option<&Self> {
        segments.iter().try_fold(self, |tree, segment| tree.below.get(&(!is_placeholder(segment), segment.clone())))
    }
}

/// What an option table is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// `types-REL.json`.
    pub(super) types: &'a Value,
    /// `aliases-REL.json`.
    pub(super) aliases: Option<&'a Value>,
    /// `defaults-REL.json`.
    pub(super) defaults: Option<&'a Value>,
    /// `sections-REL.json`.
    pub(super) sections: Option<&'a Value>,
    /// `provided-REL.json`.
    pub(super) provided: Option<&'a Value>,
    /// `attributes-REL.json`.
    pub(super) attributes: Option<&'a Value>,
    /// What `indexes.json` says of it.
    pub(super) index: Option<&'a Value>,
}

pub(super) fn pack(parts: &Parts<'_>) -> Result<Vec<u8>, String> {
    let named = parts.index.and_then(|index| index["release"].as_str());
    let release = named.or(parts.types["release"].as_str()).ok_or("`release` is missing")?;
    release.parse::<Release>()?;
    let mut writer = Writer::default();
    let mut types = Types::default();
    let mut root = Tree::default();
    let section = |name: &str| parts.sections.and_then(|sections| sections["sections"].get(name));
    let provided: BTreeSet<&str> = parts
        .provided
        .map(|provided| texts(&provided["provided"]).chain(texts(&provided["conditional"])).collect())
        .unwrap_or_default();
    for (name, option) in table(parts.types, "options")? {
        let segments = split_name(name);
        let ty = &option["type"];
        let at = match (section(name), section(&format!("{name}.*"))) {
            (Some(section), _) => types.add_section(&mut writer, ty, section)?,
            (_, Some(section)) if ty["t"] == "listOf" => {
                let element = types.add_section(&mut writer, &ty["e"], section)?;
                root.insert(&[segments.as_slice(), &["*".to_owned()]].concat()).type_at = Some(element);
                types.add(&mut writer, ty)
            }
            _ => types.add(&mut writer, ty),
        };
        let tree = root.insert(&segments);
        tree.type_at = Some(at);
        tree.flags |= flag::OPTION;
        for (key, bit) in [
            ("hidden", flag::HIDDEN),
            ("internal", flag::INTERNAL),
            ("readOnly", flag::READ_ONLY),
            ("required", flag::REQUIRED),
        ] {
            if option[key] == true && !(key == "required" && provided.contains(name.as_str())) {
                tree.flags |= bit;
            }
        }
    }
    if let Some(aliases) = parts.aliases {
        add_aliases(&mut root, aliases)?;
    }
    if let Some(defaults) = parts.defaults {
        for (name, text) in table(defaults, "defaults")? {
            let text = text.as_str().ok_or_else(|| format!("the default of {name} is no text"))?;
            root.insert(&split_name(name)).default = Some(writer.text(text));
        }
    }

    let mut meta = Vec::new();
    meta.u32(writer.text(release)).u32(writer.maybe(parts.types["base"].as_str()));
    let taken = parts.index.and_then(|index| index["taken"].as_str());
    meta.u32(taken.map_or(Ok(NONE), months)?);
    let exact = parts.index.and_then(|index| index["exact"].as_array());
    let exact = exact.map(|exact| exact.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    meta.u32(writer.maybe(exact.as_deref()));
    meta.u32(u32::from(parts.index.is_some_and(|index| index["visible_only"] == true)));
    meta.u32(u32::from(parts.provided.is_some()));
    writer.section(meta);
    let (nodes, alias_rows) = lay_out(&root, &mut writer);
    writer.section(nodes);
    writer.section(types.finish());
    writer.section(alias_rows);
    if let Some(attributes) = parts.attributes {
        let names = names(attributes, &mut writer);
        writer.section(names);
    }
    Ok(writer.finish(TableKind::Options))
}

/// Lays out the names of packages, sorted.
fn names(attributes: &Value, writer: &mut Writer) -> Vec<u8> {
    let gone: BTreeSet<&str> = texts(&attributes["gone"]).collect();
    let mut rows = Vec::new();
    for name in texts(&attributes["present"]).collect::<BTreeSet<_>>() {
        rows.u32(writer.text(name)).u32(if gone.contains(name) { attribute::GONE } else { attribute::PRESENT });
    }
    rows
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Reads `YYYY-MM` as months since the year 0.
fn months(text: &str) -> Result<u32, String> {
    let read = || {
        let (year, month) = text.split_once('-')?;
        Some(year.parse::<u32>().ok()?.checked_mul(12)? + month.parse::<u32>().ok()?)
    };
    read().ok_or_else(|| format!("`{text}` is no month"))
}

fn add_aliases(root: &mut Tree, aliases: &Value) -> Result<(), String> {
    for group in ["renamed", "removed", "changed"] {
        for (name, entry) in table(aliases, group)? {
            let segments = split_name(name);
            let owned = |key: &str| entry[key].as_str().map(str::to_owned);
            let kind = match group {
                "removed" => alias_kind::REMOVED,
                "changed" => alias_kind::CHANGED,
                _ if entry["alias"] == true => alias_kind::PERMANENT,
                _ => alias_kind::RENAMED,
            };
            let to = entry["to"].as_str().map(|to| target(root, &segments, to, entry["target"] == "unresolved"));
            // A chain of renames that ends at a removal leads to nothing that can be set.
            let last = if entry["final_removed"] == true { Some(String::new()) } else { owned("final") };
            let tree = root.insert(&segments);
            tree.flags |= flag::ALIAS;
            tree.alias =
                Some(Alias { kind, to, last, text: owned("text"), file: owned("file"), since: owned("since") });
        }
    }
    Ok(())
}

/// Returns an alias's target from the root. One that the evaluation could not resolve is relative to the submodule that
/// declares it: to the nearest option above the alias below which something of that name can stand.
fn target(root: &Tree, alias: &[String], to: &str, unresolved: bool) -> String {
    let segments = split_name(to);
    if !unresolved || to.starts_with("_module") {
        return join_name(&segments);
    }
    let above = (1..alias.len()).rev().filter_map(|len| alias.get(..len));
    for prefix in above {
        let full: Vec<String> = prefix.iter().chain(&segments).cloned().collect();
        let is_option = root.get(prefix).is_some_and(|tree| tree.flags & flag::OPTION != 0);
        if is_option || root.get(&full).is_some() {
            return join_name(&full);
        }
    }
    join_name(&segments)
}

/// Lays the tree out breadth first, so that the children of a node stand side by side and behind it.
fn lay_out(root: &Tree, writer: &mut Writer) -> (Vec<u8>, Vec<u8>) {
    let (mut nodes, mut aliases) = (Vec::new(), Vec::new());
    let mut level = vec![("", root)];
    let mut next_child = 1;
    let mut number = 0;
    while !level.is_empty() {
        let mut below = Vec::new();
        for (segment, tree) in level {
            let count = to_u32(tree.below.len());
            let flags = u32::from(tree.flags | if is_placeholder(segment) { flag::PLACEHOLDER } else { 0 });
            nodes.u32(writer.text(segment)).u32(next_child).u32(count | flags << 24);
            nodes.u32(tree.type_at.unwrap_or(NONE)).u32(tree.default.unwrap_or(NONE));
            if let Some(alias) = &tree.alias {
                aliases.u32(number).u32(alias.kind);
                for text in [&alias.to, &alias.last, &alias.text, &alias.file, &alias.since] {
                    aliases.u32(writer.maybe(text.as_deref()));
                }
            }
            next_child += count;
            number += 1;
            below.extend(tree.below.iter().map(|((_, segment), tree)| (segment.as_str(), tree)));
        }
        level = below;
    }
    (nodes, aliases)
}
