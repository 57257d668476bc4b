//! Files and folders of the fleet that definitions name, byte for byte: encrypted secrets, files of services, sites.
//!
//! Here belongs what is there under a path, or why it is not taken. Not here: which key names it and what it has to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Kind, Node};

/// The largest file that is copied into out/, in bytes: what is larger belongs onto the host by other means.
pub const MAX_ASSET_BYTES: u64 = 16 << 20;

/// The most that a folder may hold in all, in bytes: every evaluation copies it into the store.
pub const MAX_FOLDER_BYTES: u64 = 64 << 20;

/// The most files that a folder may hold.
pub const MAX_FOLDER_FILES: usize = 4096;

/// Folders of a fleet that nothing is copied from: what the program writes, and what is private to the deployer.
pub const OWN_FOLDERS: [&str; 2] = ["out", "state"];

/// What lies in the fleet under a path that a definition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asset {
    /// A file.
    File(AssetFile),
    /// A folder: path below it (with `/`) -> file.
    Folder(BTreeMap<String, AssetFile>),
    /// Something that is not taken.
    Refused {
        /// The rule that says so.
        rule: &'static str,
        /// What is wrong, as what follows the path: `is larger than 16 MiB`.
        message: String,
        /// What to do.
        help: &'static str,
    },
}

/// A file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetFile {
    /// What it holds.
    pub bytes: Arc<[u8]>,
    /// Whether it is a program.
    pub executable: bool,
}

impl Asset {
    /// Returns the files of it, as (path below the fleet, file); `path` is its own.
    pub fn files(&self, path: &str) -> Vec<(String, &AssetFile)> {
        match self {
            Self::File(file) => vec![(path.to_owned(), file)],
            Self::Folder(files) => files.iter().map(|(below, file)| (format!("{path}/{below}"), file)).collect(),
            Self::Refused { .. } => Vec::new(),
        }
    }
}

/// The keys that name files of the fleet. Others of these names may stand in a definition: what they say is read and not used.
const KEYS: [&str; 2] = ["source", "file"];

/// Returns the texts below a key that names files, whatever wraps them (`{ mkForce = "site" }`). What of them is no path of the fleet is told
/// when the definition is decoded.
pub(super) fn named_in(tree: &Node) -> Vec<String> {
    let mut paths = Vec::new();
    collect(tree, false, &mut paths);
    paths
}

fn collect(node: &Node, is_named: bool, paths: &mut Vec<String>) {
    match &node.kind {
        Kind::Table(table) => {
            let below =
                |key: &str| KEYS.contains(&key) || is_named && key.starts_with("mk") || is_named && key == "value";
            table.iter().for_each(|(key, entry)| collect(&entry.node, below(key), paths));
        }
        Kind::List(items) => items.iter().for_each(|item| collect(&item.node, false, paths)),
        Kind::Str(text) if is_named => paths.push(text.clone()),
        _ => {}
    }
}

/// Tells whether a text has one of the keys that name files, so that most definitions are not read twice.
pub(super) fn may_name(text: &str) -> bool {
    let is_key = |at: usize, key: &str| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + key.len()..).unwrap_or_default().trim_start_matches(['"', '\'']).trim_start();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_') && after.starts_with('=')
    };
    KEYS.iter().any(|key| text.match_indices(key).any(|(at, _)| is_key(at, key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Sources, parse_toml};

    fn named(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", text);
        named_in(&parse_toml(&sources, file, &mut Vec::new()))
    }

    #[test]
    fn every_key_that_names_a_file_is_found_wherever_it_stands_and_whatever_wraps_it() {
        let host = "services.a.source = 'site'\nservices.b.files = [{ path = '/x', source = 'b/x' }, { path = '/y', content = 'y' }]\n\
                    secrets = { file = 's.yaml', items = { k = { file = { mkForce = 'k.age' } }, l = { file = { mkOverride = { priority = 9, value = 'l' } } } } }\n\
                    nixos.x = 'no'\n";
        let wanted = ["site", "b/x", "s.yaml", "k.age", "l"];
        assert_eq!(named(host), wanted);
        for root in ["host", "defaults"] {
            let below = host
                .replace("services.", &format!("{root}.services."))
                .replace("secrets =", &format!("{root}.secrets ="));
            assert_eq!(named(&below), wanted, "{root}");
        }
    }

    #[test]
    fn a_definition_without_such_a_key_is_not_read_twice() {
        for with in ["source = 'x'", "{path='/x',source='x'}", "\"file\" = 'x'", "secrets.file='x'"] {
            assert!(may_name(with), "{with}");
        }
        for without in
            ["filesystems = {}", "role = 'filesystem'", "profile = 1", "key-file = '/x'", "a source of light"]
        {
            assert!(!may_name(without), "{without}");
        }
    }
}
