//! Packs the JSON facts of the folder `facts/` into the tables that are looked up in place.
//!
//! Here belong: reading the JSON (and its zstd wrapping) and laying out sections. Not here: looking anything up; every
//! layout is described beside its reader.
//!
//! Invariant: the same JSON gives the same bytes, and every reference points backwards to something already written, so
//! that no table can hold a cycle.

mod described;
mod hardware;
mod history;
mod import;
mod options;
mod packages;
mod releases;
mod types;
mod writer;
mod zfs;

use std::io::Read as _;

use serde_json::Value;

pub use import::{Imported, import};

/// Why facts cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A source is no JSON, or not the JSON that is wanted.
    #[error("{file}: {why}")]
    Source {
        /// The source's name.
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The kinds of table, each made from the JSON files named with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// `types-REL.json[.zst]`; beside it `aliases-REL.json`, `defaults-REL.json[.zst]` and `indexes.json`, as far as there are any.
    Options,
    /// `zfs.json`.
    Zfs,
    /// `releases.json`.
    Releases,
    /// `packages.json`.
    Packages,
    /// `history.json`.
    History,
    /// `hardware.json`.
    Hardware,
}

impl TableKind {
    /// Returns the number that stands in a table's header.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Options => 1,
            Self::Zfs => 2,
            Self::Releases => 3,
            Self::Packages => 4,
            Self::History => 5,
            Self::Hardware => 6,
        }
    }
}

/// A packed table and what it is made from.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The table's name below `facts/packed/`.
    pub table: &'static str,
    /// What it holds.
    pub kind: TableKind,
    /// The files below `facts/` that it is made from.
    pub sources: &'static [&'static str],
}

/// Returns the recipe of a release's options: of its types and defaults, and what of its old names, sections, provided members and
/// names of packages is known.
macro_rules! options {
    ($release:literal $(, $more:literal)* $(; $zipped:literal)*) => {
        Recipe {
            table: concat!("options-", $release, ".bin"),
            kind: TableKind::Options,
            sources: &[
                concat!("types-", $release, ".json.zst"),
                concat!("defaults-", $release, ".json.zst"),
                $(concat!($more, "-", $release, ".json"),)*
                $(concat!($zipped, "-", $release, ".json.zst"),)*
                "indexes.json",
            ],
        }
    };
}

/// Every embedded table.
pub const RECIPES: &[Recipe] = &[
    Recipe { table: "hardware.bin", kind: TableKind::Hardware, sources: &["hardware.json"] },
    Recipe { table: "history.bin", kind: TableKind::History, sources: &["history.json"] },
    options!("17.03", "aliases"),
    options!("17.09", "aliases"),
    options!("18.03", "aliases"),
    options!("18.09", "aliases"),
    options!("19.03", "aliases"),
    options!("19.09pre", "aliases"),
    options!("20.09", "aliases"),
    options!("25.05pre"),
    options!("25.11", "aliases"),
    options!("26.11", "aliases", "sections", "provided"; "attributes"),
    Recipe { table: "packages.bin", kind: TableKind::Packages, sources: &["packages.json"] },
    Recipe { table: "releases.bin", kind: TableKind::Releases, sources: &["releases.json"] },
    Recipe { table: "zfs.bin", kind: TableKind::Zfs, sources: &["zfs.json"] },
];

/// Packs one table from its sources, given as `(name, bytes)` in the order of [`Recipe::sources`]; a source whose bytes
/// are a zstd frame is unpacked first.
pub fn pack(kind: TableKind, sources: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, PackError> {
    let mut read = Vec::new();
    for (name, bytes) in sources {
        read.push((*name, json(name, bytes)?));
    }
    let empty = ("", Value::Null);
    let first = read.first().unwrap_or(&empty);
    let packed = match kind {
        TableKind::Options => {
            let beside = |kind: &str| read.iter().find(|(name, _)| name.starts_with(kind)).map(|(_, value)| value);
            let named = first.0.trim_start_matches("types-").split(".json").next().unwrap_or_default();
            options::pack(&options::Parts {
                types: &first.1,
                aliases: beside("aliases-"),
                defaults: beside("defaults-"),
                sections: beside("sections-"),
                provided: beside("provided-"),
                attributes: beside("attributes-"),
                index: beside("indexes").and_then(|indexes| indexes.get(named)),
            })
        }
        TableKind::History => history::pack(&first.1),
        TableKind::Hardware => hardware::pack(&first.1),
        TableKind::Zfs => zfs::pack(&first.1),
        TableKind::Releases => releases::pack(&first.1),
        TableKind::Packages => packages::pack(&first.1),
    };
    packed.map_err(|why| PackError::Source { file: first.0.to_owned(), why })
}

/// Packs every embedded table. `read` returns a file below `facts/`; the result is `(name below facts/packed/, bytes)`.
pub fn pack_all(read: impl Fn(&str) -> Vec<u8>) -> Result<Vec<(String, Vec<u8>)>, PackError> {
    RECIPES
        .iter()
        .map(|recipe| {
            let sources: Vec<_> = recipe.sources.iter().map(|name| (*name, read(name))).collect();
            Ok((recipe.table.to_owned(), pack(recipe.kind, &sources)?))
        })
        .collect()
}

fn json(name: &str, bytes: &[u8]) -> Result<Value, PackError> {
    let wrong = |why: String| PackError::Source { file: name.to_owned(), why };
    // The magic number of a zstd frame, RFC 8878 section 3.1.1.
    let unpacked = if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut out = Vec::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|why| wrong(why.to_string()))?;
        decoder.read_to_end(&mut out).map_err(|why| wrong(why.to_string()))?;
        out
    } else {
        bytes.to_vec()
    };
    serde_json::from_slice(&unpacked).map_err(|why| wrong(why.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "compares the committed tables with the data on the disk")]

    use std::path::Path;

    use super::*;

    #[test]
    fn the_embedded_tables_are_what_the_data_packs_to() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("facts");
        let packed = pack_all(|name| std::fs::read(folder.join(name)).unwrap()).unwrap();
        for (name, bytes) in packed {
            let path = folder.join("packed").join(&name);
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &bytes).unwrap();
            }
            assert!(
                std::fs::read(&path).is_ok_and(|old| old == bytes),
                "facts/packed/{name} is not what facts/ packs to: run `UPDATE=1 cargo test --lib facts::pack`"
            );
        }
    }

    #[test]
    fn a_source_that_is_not_what_is_wanted_is_refused_by_name() {
        for (kind, text) in [
            (TableKind::Zfs, "{"),
            (TableKind::Zfs, "{}"),
            (TableKind::Options, "[]"),
            (TableKind::Releases, "{\"order\": [1]}"),
            (TableKind::Packages, "null"),
            (TableKind::Hardware, "{\"devices\": {\"pci 1:2\": {\"name\": \"x\"}}}"),
        ] {
            let error = pack(kind, &[("mine.json", text.into())]).unwrap_err();
            assert!(error.to_string().starts_with("mine.json: "), "{error}");
        }
    }
}
