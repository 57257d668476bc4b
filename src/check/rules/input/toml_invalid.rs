//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "toml-invalid",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a file is not valid TOML",
    doc: include_str!("toml_invalid.md"),
    check: Check::Reading,
};
