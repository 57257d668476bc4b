//! Reported by `check --eval`.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "eval-error",
    group: Group::Evaluation,
    level: Level::Error,
    allowable: false,
    needs: &["an evaluation by Nix"],
    summary: "Nix cannot evaluate the host",
    doc: include_str!("eval_error.md"),
    check: Check::Evaluating,
};
