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

/// Returns the paths that a file of definitions may name: fleet.toml, a host's, a module's. What is no path of the fleet is told when it
/// is decoded.
pub(super) fn named_in(tree: &Node) -> Vec<String> {
    let mut paths = Vec::new();
    for root in [Some(tree), tree.at(&["defaults"]), tree.at(&["host"])].into_iter().flatten() {
        let mut add = |node: Option<&Node>| paths.extend(node.and_then(Node::as_str).map(str::to_owned));
        let entries = |route: &[&str]| root.at(route).and_then(Node::as_table).into_iter().flatten();
        for (_, service) in entries(&["services"]) {
            add(service.node.at(&["source"]));
            let Some(Kind::List(files)) = service.node.at(&["files"]).map(|node| &node.kind) else { continue };
            files.iter().for_each(|file| add(file.node.at(&["source"])));
        }
        add(root.at(&["secrets", "file"]));
        for (_, item) in entries(&["secrets", "items"]) {
            add(item.node.at(&["file"]));
        }
    }
    paths
}

/// Tells whether a text has one of the keys that name files, so that most definitions are not read twice.
pub(super) fn may_name(text: &str) -> bool {
    let is_key = |at: usize, key: &str| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + key.len()..).unwrap_or_default().trim_start_matches(['"', '\'']).trim_start();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_') && after.starts_with('=')
    };
    ["source", "file"].iter().any(|key| text.match_indices(key).any(|(at, _)| is_key(at, key)))
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
    fn every_key_that_names_a_file_is_found_in_hosts_defaults_and_modules() {
        let host = "services.a.source = 'site'\nservices.b.files = [{ path = '/x', source = 'b/x' }, { path = '/y', content = 'y' }]\n\
                    secrets = { file = 's.yaml', items = { k = { file = { mkForce = 'k.age' } }, l = {} } }\n";
        let wanted = ["site", "b/x", "s.yaml", "k.age"];
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
