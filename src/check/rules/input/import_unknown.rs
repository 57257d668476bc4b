//! Reported while files are read.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "import-unknown",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "an import names a module that is not there",
    doc: include_str!("import_unknown.md"),
    check: Check::Reading,
};
