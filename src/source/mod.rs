//! Files, places in them, and what there is to say about a place.
//!
//! Here belong: reading a fleet's folder ([`load`]), the text of every file with its line table ([`Sources`]), trees of
//! values that know their place ([`Node`]), files that are copied as they are ([`Asset`]), the digests of texts, and the one type of finding that leaves the program ([`Diagnostic`]).
//! Not here: what the values mean (`fleet`), how findings are shown (`report`).
//!
//! Invariant: a [`Place`] always lies within the file it names and on character boundaries, because only this folder makes one from
//! bytes. No parser's own error type crosses this folder's border.

mod assets;
mod diagnostic;
mod digest;
mod files;
mod json;
mod load;
mod manifests;
mod node;
mod quote;
pub mod secret;
mod toml;

pub use assets::{Asset, AssetFile, MAX_ASSET_BYTES, MAX_FOLDER_BYTES, MAX_FOLDER_FILES, OWN_FOLDERS};
pub use diagnostic::{Allowed, Diagnostic, Diagnostics, Label, Level};
pub use digest::{hex, sha256};
pub use files::{FileId, Place, Position, SourceFile, Sources, Spanned};
pub use json::parse_json;
pub use load::{FleetFiles, LoadError, MAX_FILE_BYTES, load, load_nix};
pub use manifests::{ManifestFile, load_manifests, load_named};
pub use node::{Entry, Item, Kind, NORMAL, Node, ORDER, Table};
pub use quote::{joined, nearest, pretty_json, printable, printable_lines, quoted};
pub use toml::parse_toml;
