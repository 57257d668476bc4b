//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "file-unreadable",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a file of the fleet cannot be read",
    doc: include_str!("file_unreadable.md"),
    check: Check::Reading,
};
