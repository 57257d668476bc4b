//! Reported while definitions are merged.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-conflict",
    group: Group::Options,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "two definitions of equal priority that do not merge",
    doc: include_str!("option_conflict.md"),
    check: Check::Reading,
};
