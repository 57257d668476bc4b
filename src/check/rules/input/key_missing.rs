//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "key-missing",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a required key is not there",
    doc: include_str!("key_missing.md"),
    check: Check::Reading,
};
