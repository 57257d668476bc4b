//! What a run may be told on the command line, held against the plan and its journal. Pure.

use std::collections::BTreeSet;

use super::outcome::Refused;
use super::state::State;
use crate::plan::{Plan, Step, StepKind};
use crate::source::{nearest, quoted};

/// The steps that a run is about, as places in the plan, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) from: usize,
    pub(super) until: usize,
}

/// Finds the steps of `--from` and `--until`; a gate that has not passed is never stepped over.
pub(super) fn bounds(plan: &Plan, state: &State, from: Option<&str>, until: Option<&str>) -> Result<Bounds, Refused> {
    let last = plan.steps().len().saturating_sub(1);
    let from = from.map_or(Ok(0), |id| place(plan, id))?;
    let until = until.map_or(Ok(last), |id| place(plan, id))?;
    if from > until {
        return Err(
            Refused::new("`--from` names a step behind the one of `--until`").help("`--status` shows their order")
        );
    }
    let open = plan.steps().iter().take(from).find(|step| plan.gate(step).is_some() && !state.is_done(step.id()));
    if let Some(step) = open {
        let why = plan.gate(step).unwrap_or_default();
        return Err(Refused::new(format!(
            "`--from` would step over the gate {}, which has not passed: {why}",
            quoted(step.id())
        ))
        .help(format!("`--from {}` begins with it; a gate cannot be left out", step.id())));
    }
    Ok(Bounds { from, until })
}

fn place(plan: &Plan, id: &str) -> Result<usize, Refused> {
    plan.number(id).map(|number| number - 1).ok_or_else(|| unknown(plan, id))
}

/// Says that there is no such step, and which is near.
pub(super) fn unknown(plan: &Plan, id: &str) -> Refused {
    let refused = Refused::new(format!("the plan has no step {}", quoted(id)));
    match nearest(id, plan.steps().iter().map(Step::id)).first() {
        Some(near) => refused.help(format!("nearest: `{near}`")),
        None => refused.help("`--status` lists the steps"),
    }
}

/// Tells whether a step destroys something.
pub(super) fn destroys(step: &Step) -> bool {
    step.kind() == StepKind::Destroy || !step.destroyed().is_empty()
}

/// Checks what was answered in advance: `--confirm` names steps that a person does or that destroy, `--yes-destroy` things that the
/// plan destroys. Returns those things by their full names.
pub(super) fn answers(plan: &Plan, confirm: &[String], yes_destroy: &[String]) -> Result<BTreeSet<String>, Refused> {
    for id in confirm {
        let step = plan.step(id).ok_or_else(|| unknown(plan, id))?;
        if step.kind() != StepKind::Instruction && !destroys(step) {
            return Err(Refused::new(format!("{} is nothing that a person confirms: it is run", quoted(id))).help(
                "`--confirm` is for steps that a person does, and for a destructive one that was finished by hand",
            ));
        }
    }
    let all: Vec<&str> = plan.steps().iter().flat_map(Step::destroyed).map(String::as_str).collect();
    let mut agreed = BTreeSet::new();
    for id in yes_destroy {
        let named: Vec<&&str> = all.iter().filter(|what| **what == id || bare(what) == id).collect();
        if named.is_empty() {
            let refused = Refused::new(format!("the plan destroys nothing that is called {}", quoted(id)));
            let near = nearest(id, all.iter().map(|what| bare(what)));
            return Err(match near.first() {
                Some(near) => refused.help(format!("nearest: `{near}`")),
                None if all.is_empty() => refused.help("it destroys nothing"),
                None => refused.help(format!("it destroys {}", all.join(", "))),
            });
        }
        agreed.extend(named.into_iter().map(|what| (*what).to_owned()));
    }
    Ok(agreed)
}

/// Returns the name of something that is destroyed, without its kind.
pub(super) fn bare(what: &str) -> &str {
    what.split_once(':').map_or(what, |(_, name)| name)
}

/// Returns what an instruction lets be destroyed: everything that is destroyed by steps which need it, first of all by it.
pub(super) fn agreed_by<'p>(plan: &'p Plan, step: &Step) -> Vec<&'p str> {
    let behind = plan.dependents(step.id());
    let is_confirmation = step.id().starts_with("confirm-");
    let mut all = Vec::new();
    for other in plan.steps().iter().filter(|other| is_confirmation && behind.contains(other.id())) {
        for what in other.destroyed() {
            if !all.contains(&what.as_str()) {
                all.push(what.as_str());
            }
        }
    }
    // A later confirmation asks for its own.
    let later = plan.steps().iter().filter(|other| {
        other.id() != step.id()
            && other.id().starts_with("confirm-")
            && other.kind() == StepKind::Instruction
            && behind.contains(other.id())
    });
    for other in later {
        let theirs = plan.dependents(other.id());
        let of_theirs: BTreeSet<&str> = plan
            .steps()
            .iter()
            .filter(|step| theirs.contains(step.id()))
            .flat_map(Step::destroyed)
            .map(String::as_str)
            .collect();
        all.retain(|what| !of_theirs.contains(what));
    }
    all
}
