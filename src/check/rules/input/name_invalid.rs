//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "name-invalid",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a name has not the form that names have",
    doc: include_str!("name_invalid.md"),
    check: Check::Reading,
};
