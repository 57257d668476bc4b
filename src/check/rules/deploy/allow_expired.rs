//! Reported while `allow` entries are applied.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "allow-expired",
    group: Group::Deploy,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the last day of an `allow` entry is past",
    doc: include_str!("allow_expired.md"),
    check: Check::Allows,
};
