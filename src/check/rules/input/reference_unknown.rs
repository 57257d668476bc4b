//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "reference-unknown",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a name refers to something that nothing defines",
    doc: include_str!("reference_unknown.md"),
    check: Check::Reading,
};
