//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "too-large",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a file is larger than any definition",
    doc: include_str!("too_large.md"),
    check: Check::Reading,
};
