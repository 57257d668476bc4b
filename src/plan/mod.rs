//! Plans: which steps bring a host to what its definition says, in which order, and what cannot be skipped.
//!
//! Here belong: the type of a step and of a plan, their order, the gates, one file for each scenario, and reading a plan
//! back. Not here: how a plan is shown (`report::plan`), how it is run (`apply`), what the install scripts do (`compile`).
//!
//! Invariant: a [`Plan`] keeps every gate. Its parts are types of their own that a scenario has to bring before it can
//! assemble anything (`parts`), what moves data can only be attached behind the reboot test, and [`gates`] verifies the
//! result once more, as it does with every plan that is read. A plan is a pure function of the fleet's files.

mod document;
mod downtime;
pub mod gates;
mod graph;
mod installer_image;
mod line;
mod load;
mod memory;
mod parts;
mod places;
mod reach;
mod role;
mod scenario;
mod scenarios;
mod scripts;
mod seconds;
#[cfg(test)]
pub(crate) mod sketch;
mod step;
#[cfg(test)]
mod tests;

pub use document::{Plan, VERSION};
pub use downtime::Downtime;
pub use gates::Violation;
pub use graph::GraphError;
pub use installer_image::has_pinned_installer;
pub use line::{Line, Remote, System};
pub use load::{MAX_BYTES, Refusal, RefusedAt, load};
pub use role::{BootKind, Role};
pub use scenario::Scenario;
pub use scripts::{Script, files};
pub use step::{RunsOn, Step, StepKind};

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::fleet::cluster::ClusterFacts;
use crate::resolve::{Resolved, ResolvedHost};
use document::Head;
use parts::Proven;
use places::BootPlaces;
use reach::Reach;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The definition does not say how the host is reached.
    #[error("`{0}` has no `[deploy] target`: a plan needs to know how the host is reached")]
    NoTarget(String),
    /// This version makes no plans for the scenario.
    #[error("there is no plan for the scenario `{asked}` yet; this version plans {}", list(.available))]
    NotAvailable {
        /// What was asked for.
        asked: Scenario,
        /// What there is.
        available: Vec<Scenario>,
    },
    /// A cold boot is asked for, and nothing can cut the power.
    #[error(
        "a cold boot of `{0}` needs `[machine] hooks.power-cycle`: the command on the deployer that cuts its power and gives it back"
    )]
    NoPowerCycle(String),
    /// The configuration is elsewhere, and the scenario needs one of ours.
    #[error(
        "`{0}` has its NixOS configuration elsewhere (`[external]`): it can be updated and tested, and nothing else is planned for it"
    )]
    External(String),
    /// Nothing moves to the host.
    #[error("no service of `{0}` has `migrates-from`: nothing moves to it")]
    NothingMoves(String),
    /// The steps have no order: a fault of the program.
    #[error("internal error: {}", joined(.0))]
    Graph(Vec<GraphError>),
    /// A gate is not kept: a fault of the program.
    #[error("internal error: {}", joined(.0))]
    Gates(Vec<Violation>),
    /// An embedded template cannot be filled: a fault of the program.
    #[error("internal error: {0}")]
    Template(#[from] crate::text::TemplateError),
}

fn list(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(|scenario| format!("`{scenario}`")).collect::<Vec<_>>().join(", ")
}

fn joined(errors: &[impl std::fmt::Display]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a scenario makes its steps from.
struct PlanCx<'a> {
    fleet: &'a Resolved<'a>,
    host: &'a ResolvedHost<'a>,
    facts: &'a Facts,
    /// What manifests say of clusters that are left, by their names in fleet.toml; none of those without manifests.
    clusters: &'a BTreeMap<String, ClusterFacts>,
    reach: Reach,
    places: BootPlaces,
    scripts: Vec<Script>,
    /// The scenario that steps are made for.
    scenario: Scenario,
}

/// Makes the plan of a host.
///
/// `scenario`: none for the one that fits ([`Scenario::default_for`]). `inputs` are the files that the host depends on, as
/// (path below the fleet, text): fleet.toml, its own folder, the modules and templates of the fleet. `clusters` is what
/// manifests say of clusters that are left. The result depends on the arguments alone.
pub fn make(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    scenario: Option<Scenario>,
    inputs: &[(String, &str)],
    tool_version: &str,
    facts: &Facts,
    clusters: &BTreeMap<String, ClusterFacts>,
) -> Result<Plan, PlanError> {
    let chosen = scenario.unwrap_or_else(|| Scenario::default_for(host));
    let Some(steps_of) = scenarios::find(chosen) else {
        return Err(PlanError::NotAvailable { asked: chosen, available: Scenario::available().collect() });
    };
    if host.def.external.is_some() && chosen != Scenario::Update {
        return Err(PlanError::External(host.name.to_owned()));
    }
    if chosen == Scenario::Migrate && host.services.iter().all(|service| service.def.migrates_from.is_none()) {
        return Err(PlanError::NothingMoves(host.name.to_owned()));
    }
    let cx = PlanCx::new(fleet, host, facts, clusters, chosen)?;
    sealed(&cx, steps_of(&cx), inputs, tool_version)
}

/// What the reboot test alone is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tests {
    /// The baseline boots and no test: the way back is proven again.
    pub baseline_only: bool,
    /// One more boot with the power cut, through the hook.
    pub cold: bool,
}

/// Makes the plan of the reboot test alone: the system that boots by default is its own candidate.
///
/// Arguments are those of [`make`]. The error covers a cold boot without a hook that cuts the power.
pub fn reboot_test(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    tests: Tests,
    inputs: &[(String, &str)],
    tool_version: &str,
    facts: &Facts,
) -> Result<Plan, PlanError> {
    let has_hook = host.def.machine.hooks.as_ref().is_some_and(|hooks| hooks.power_cycle.is_some());
    if tests.cold && !has_hook {
        return Err(PlanError::NoPowerCycle(host.name.to_owned()));
    }
    let clusters = BTreeMap::new();
    let cx = PlanCx::new(fleet, host, facts, &clusters, Scenario::RebootTest)?;
    sealed(&cx, scenarios::reboot_test::steps(&cx, tests), inputs, tool_version)
}

/// Returns hosts in the order in which one update goes over them: those with `[deploy] canary` first, else as they are given.
pub fn canaries_first<'h, 'f>(hosts: &[&'h ResolvedHost<'f>]) -> Vec<&'h ResolvedHost<'f>> {
    let is_canary = |host: &&&ResolvedHost<'_>| host.def.deploy.as_ref().is_some_and(|deploy| deploy.canary.value);
    let (first, rest): (Vec<_>, Vec<_>) = hosts.iter().partition(is_canary);
    first.into_iter().chain(rest).copied().collect()
}

impl<'a> PlanCx<'a> {
    fn new(
        fleet: &'a Resolved<'a>,
        host: &'a ResolvedHost<'a>,
        facts: &'a Facts,
        clusters: &'a BTreeMap<String, ClusterFacts>,
        scenario: Scenario,
    ) -> Result<Self, PlanError> {
        let reach = Reach::of(host).ok_or_else(|| PlanError::NoTarget(host.name.to_owned()))?;
        let places = BootPlaces::of(host);
        Ok(Self { fleet, host, facts, clusters, reach, places, scripts: scripts::scripts(host)?, scenario })
    }
}

/// Orders the steps, verifies the gates once more and seals the plan.
fn sealed(cx: &PlanCx<'_>, proven: Proven, inputs: &[(String, &str)], tool_version: &str) -> Result<Plan, PlanError> {
    let (host, chosen) = (cx.host, cx.scenario);
    let (steps, spans) = proven.into_parts();
    let steps = graph::order(steps).map_err(PlanError::Graph)?;
    // Who is needed through others already is not named again, so that a person sees what a step really waits for.
    let has_branches = matches!(chosen, Scenario::Migrate | Scenario::Recover | Scenario::Decommission);
    let steps = if has_branches { graph::reduced(steps) } else { steps };
    let violations = gates::verify_steps(chosen, &steps);
    if !violations.is_empty() {
        return Err(PlanError::Gates(violations));
    }
    let head = Head {
        tool_version: tool_version.to_owned(),
        host: host.name.to_owned(),
        scenario: chosen,
        inputs_sha256: document::digest_of_inputs(inputs),
    };
    let downtime = downtime::of(&steps, spans);
    let sizes = host.disks.iter().filter_map(|disk| {
        let size = disk.def.size.as_ref()?.value.to_string();
        Some((format!("disk:{}", disk.def.id.as_str()), size))
    });
    Ok(Plan::seal(head, steps, downtime).reached_by(cx.reach.clone(), sizes.collect()))
}
