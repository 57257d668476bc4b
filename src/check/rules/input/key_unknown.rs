//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "key-unknown",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a key that nothing knows",
    doc: include_str!("key_unknown.md"),
    check: Check::Reading,
};
