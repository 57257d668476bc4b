//! A channel's own options.json -> an option table.
//!
//! Here belong: telling whether a file is one, and for which release. The file lists what the manual shows: no hidden or internal
//! options, no old names, and of types only their descriptions. A type that an embedded index describes with the same words is
//! taken from there, because words lose a part; the table says that it lists visible options only.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::described;
use super::options::{Parts, pack};
use crate::facts::name::join_name;
use crate::facts::options::{Found, OptionIndex};
use crate::units::Release;

/// The options of the smallest release that is known are five thousand; fewer than this are another file.
const FEWEST: usize = 1000;

/// The options that hold the release's own name, the newer spelling first.
const RELEASE_OPTIONS: [&str; 3] = ["system.nixos.release", "system.nixosRelease", "system.stateVersion"];

/// An imported table and what it holds.
#[derive(Debug)]
pub struct Imported {
    /// The packed table.
    pub table: Vec<u8>,
    /// How many options it has.
    pub options: usize,
    /// How many of their types are not understood, and accept every value.
    pub unchecked: usize,
}

/// Makes a table for a release from the text of an options.json. `known` is an index to take types from.
pub fn import(release: Release, text: &[u8], known: Option<OptionIndex<'_>>) -> Result<Imported, String> {
    let file: Map<String, Value> = serde_json::from_slice(text).map_err(|error| {
        if error.is_eof() {
            format!("it ends in the middle (line {}, column {}): the file is truncated", error.line(), error.column())
        } else {
            format!("it is no JSON object of options: {error}")
        }
    })?;
    let is_option = |value: &Value| {
        value.get("type").is_some_and(Value::is_string) && value.get("loc").is_some_and(Value::is_array)
    };
    let strange = file.iter().find(|(_, value)| !is_option(value));
    if let Some((name, _)) = strange {
        return Err(format!(
            "it is no options.json: `{}` has no `loc` and `type`",
            crate::source::printable(&name.chars().take(80).collect::<String>())
        ));
    }
    if file.len() < FEWEST {
        return Err(format!(
            "it has {} options, and a release has thousands: it is no release's options.json",
            file.len()
        ));
    }
    if let Some(own) = own_release(&file).filter(|own| own.base() != release.base()) {
        return Err(format!("it is the options.json of {own}, not of {release}"));
    }
    let (mut options, mut defaults) = (Map::new(), Map::new());
    let mut read: BTreeMap<&str, Value> = BTreeMap::new();
    let mut unchecked = 0;
    for option in file.values() {
        let loc: Vec<&str> = option["loc"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let name = join_name(&loc);
        let description = option["type"].as_str().unwrap_or_default();
        let ty = match known.and_then(|index| same_type(index, &loc, description)) {
            Some(ty) => ty,
            None => read.entry(description).or_insert_with(|| described::read(description)).clone(),
        };
        unchecked += usize::from(ty.get("t").is_some_and(|name| name == "other"));
        let mut entry = Map::from_iter([("type".to_owned(), ty)]);
        if option["readOnly"] == true {
            entry.insert("readOnly".to_owned(), Value::Bool(true));
        }
        match option.get("default") {
            None => drop(entry.insert("required".to_owned(), Value::Bool(true))),
            Some(default) => {
                if let Some(text) = default_text(default) {
                    defaults.insert(name.clone(), Value::String(text));
                }
            }
        }
        options.insert(name, Value::Object(entry));
    }
    let types = json!({ "release": release.to_string(), "base": "an imported options.json", "options": options });
    let defaults = json!({ "defaults": defaults });
    let parts = Parts {
        attributes: None,
        types: &types,
        aliases: None,
        defaults: Some(&defaults),
        sections: None,
        provided: None,
        index: Some(&json!({ "visible_only": true })),
    };
    Ok(Imported { table: pack(&parts)?, options: file.len(), unchecked })
}

/// Returns the release that a file is of, where it says so.
fn own_release(file: &Map<String, Value>) -> Option<Release> {
    RELEASE_OPTIONS.iter().find_map(|name| {
        let default = default_text(file.get(*name)?.get("default")?)?;
        default.trim().trim_matches('"').parse().ok()
    })
}

/// Returns a default as the manual prints it. Before 21.11 a default is the value itself.
fn default_text(default: &Value) -> Option<String> {
    let text = match default {
        Value::Object(_) => match default["_type"].as_str() {
            Some("literalMD" | "literalDocBook") => return None,
            _ => default["text"].as_str()?.to_owned(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => default.to_string(),
        Value::Array(items) if items.is_empty() => "[ ]".to_owned(),
        Value::Array(_) => return None,
    };
    Some(text.chars().take(600).collect())
}

/// Returns the type that an index has for an option, if it describes it with the same words.
fn same_type(index: OptionIndex<'_>, loc: &[&str], description: &str) -> Option<Value> {
    match index.lookup(loc) {
        Found::Option(option) if option.ty().describe() == description => Some(option.ty().to_json()),
        _ => None,
    }
}
