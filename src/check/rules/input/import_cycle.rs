//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "import-cycle",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "modules import each other",
    doc: include_str!("import_cycle.md"),
    check: Check::Reading,
};
