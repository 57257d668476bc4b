//! Reported by `check --eval`.

use crate::check::rule::{Check, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "eval-assertion",
    group: Group::Evaluation,
    level: Level::Error,
    allowable: false,
    needs: &["an evaluation by Nix"],
    summary: "an assertion of a NixOS module fails",
    doc: include_str!("eval_assertion.md"),
    check: Check::Evaluating,
};
