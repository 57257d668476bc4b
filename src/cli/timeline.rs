//! The plans of moves, as the inventory shows them.

use super::context::{self, Inputs};
use crate::check::Outcome;
use crate::facts::Facts;
use crate::kubernetes::timeline::{DowntimeEntry, TimelineEntry, TimelineStep};
use crate::plan::{Plan, Scenario};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::Level;

/// Returns the moves of those hosts whose definitions have services of a cluster, as far as they can be planned.
pub(super) fn timelines(
    fleet: &Resolved<'_>,
    hosts: &[&ResolvedHost<'_>],
    outcome: &Outcome,
    inputs: &Inputs,
    facts: &Facts,
) -> Vec<TimelineEntry> {
    let is_error = |finding: &crate::source::Diagnostic| finding.level == Level::Error && finding.allowed.is_none();
    if outcome.checked.findings.iter().any(is_error) {
        return Vec::new();
    }
    let moves = |host: &&&ResolvedHost<'_>| host.services.iter().any(|service| service.def.migrates_from.is_some());
    let plan = |host: &&ResolvedHost<'_>| {
        context::plan_of(
            fleet,
            host,
            context::Wanted::Scenario(Some(Scenario::Migrate)),
            inputs,
            facts,
            &outcome.clusters,
        )
        .ok()
    };
    hosts.iter().filter(moves).filter_map(plan).map(|plan| timeline(&plan)).collect()
}

fn timeline(plan: &Plan) -> TimelineEntry {
    let mut begins = 0u64;
    let steps = plan.steps().iter().map(|step| {
        let (begins_seconds, expected_seconds) = (begins, step.expected_seconds());
        begins = begins.saturating_add(expected_seconds);
        TimelineStep {
            id: step.id().to_owned(),
            title: step.title().to_owned(),
            phase: step.heading().map(str::to_owned),
            begins_seconds,
            expected_seconds,
            is_gate: plan.gate(step).is_some(),
            destroys: !step.destroyed().is_empty(),
        }
    });
    let steps = steps.collect();
    let downtime = plan.downtime().iter().map(|one| DowntimeEntry {
        service: one.service().to_owned(),
        from: one.from().to_owned(),
        to: one.to().to_owned(),
        expected_seconds: one.expected_seconds(),
    });
    TimelineEntry {
        host: plan.host().to_owned(),
        working_seconds: plan.working_seconds(),
        soaking_seconds: plan.soaking_seconds(),
        steps,
        downtime: downtime.collect(),
    }
}
