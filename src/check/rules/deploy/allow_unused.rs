//! Reported while `allow` entries are applied.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "allow-unused",
    group: Group::Deploy,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "an `allow` entry covers nothing, or cannot cover anything",
    doc: include_str!("allow_unused.md"),
    check: Check::Allows,
};
