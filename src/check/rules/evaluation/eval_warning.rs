//! Reported by `check --eval`.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "eval-warning",
    group: Group::Evaluation,
    level: Level::Warning,
    allowable: true,
    needs: &["an evaluation by Nix"],
    summary: "the evaluation warns",
    doc: include_str!("eval_warning.md"),
    check: Check::Evaluating,
};
