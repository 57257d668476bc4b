//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "value-invalid",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a value has not the form that its key wants",
    doc: include_str!("value_invalid.md"),
    check: Check::Reading,
};
