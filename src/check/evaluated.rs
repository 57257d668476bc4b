//! What Nix says of hosts, joined with what the rules say.
//!
//! A finding of a rule and one of Nix about one thing are one: the rule's stays, since it says more, at the graver of both levels.

use super::allow;
use super::engine::{Checked, sort};
use super::rule::{Check, Group, Unchecked};
use super::rules;
use super::scope::Scope;
use crate::facts::{join_name, split_name};
use crate::resolve::Resolved;
use crate::source::{Diagnostic, Place, Sources};
use crate::units::Date;

/// A finding of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The finding, of a rule that looks at evaluations.
    pub finding: Diagnostic,
    /// The option that it is about, by segments; empty where that is not known.
    pub option: Vec<String>,
}

/// Adds to a check what an evaluation of its hosts found, and what could not be evaluated.
pub fn add_evaluated(
    fleet: &Resolved<'_>,
    scope: &Scope,
    checked: &mut Checked,
    said: Vec<Evaluated>,
    not_evaluated: Vec<Unchecked>,
    sources: &Sources,
    today: Date,
) {
    checked.rules += rules::all().filter(|rule| matches!(rule.check, Check::Evaluating)).count();
    checked.unchecked.extend(not_evaluated);
    let known = checked.findings.len();
    for evaluated in said {
        let (ours, _) = checked.findings.split_at_mut(known);
        match ours.iter_mut().find(|finding| is_one(finding, &evaluated, sources)) {
            Some(finding) => {
                finding.level = finding.level.max(evaluated.finding.level);
                let said = "Nix says so too";
                if !finding.why.as_deref().is_some_and(|why| why.contains(said)) {
                    finding.why = Some(finding.why.take().map_or(said.to_owned(), |why| format!("{why} ({said})")));
                }
            }
            None => checked.findings.push(evaluated.finding),
        }
    }
    allow::apply_to_evaluated(fleet, scope, checked, today);
    sort(&mut checked.findings, sources);
    checked.unchecked.sort();
}

/// Tells whether a rule's finding is about what an evaluation found: at its place, or beside it about its option.
fn is_one(finding: &Diagnostic, evaluated: &Evaluated, sources: &Sources) -> bool {
    let about_options = rules::find(finding.rule).is_some_and(|rule| rule.group == Group::Options);
    let other = &evaluated.finding;
    let one_host = finding.host.is_none() || finding.host == other.host;
    if !about_options || !one_host || other.primary.place.start == other.primary.place.end {
        return false;
    }
    let line = |place: Place| (place.file, sources.position(place).line);
    std::iter::once(&finding.primary).chain(&finding.related).any(|label| {
        overlap(label.place, other.primary.place)
            || (line(label.place) == line(other.primary.place) && names(&finding.message, &evaluated.option))
    })
}

fn overlap(a: Place, b: Place) -> bool {
    a.file == b.file && a.start < b.end && b.start < a.end
}

/// Tells whether a message names an option, one above it or one below it.
fn names(message: &str, option: &[String]) -> bool {
    let name = |subject: &str| {
        let subject = split_name(subject);
        !option.is_empty() && (option.starts_with(&subject) || subject.starts_with(option))
    };
    message.contains(&format!("`{}`", join_name(option))) || message.split('`').skip(1).step_by(2).any(name)
}
