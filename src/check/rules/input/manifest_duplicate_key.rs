//! Reported while manifests are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "manifest-duplicate-key",
    group: Group::Input,
    level: Level::Warning,
    allowable: false,
    needs: &[],
    summary: "a key stands twice in one mapping of a manifest",
    doc: include_str!("manifest_duplicate_key.md"),
    check: Check::Migrating,
};
