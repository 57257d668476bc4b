//! One file for each scenario: it makes the parts of its plan from a host, and assembles them.
//!
//! A scenario is added as a file here with its line in [`SCENARIOS`], and its gates in `gates`.

mod decommission;
mod install;
pub(super) mod migrate;
pub(super) mod reboot_test;
pub(super) mod recover;
mod running;
mod update;

use std::collections::BTreeSet;

use super::PlanCx;
use super::parts::Proven;
use super::reach::Who;
use super::scenario::Scenario;
use crate::text::ShellCommand;
use crate::units::lies_in;

/// Makes the steps of a scenario.
pub(super) type StepsOf = fn(&PlanCx<'_>) -> Proven;

/// The scenarios that there are, in the order in which help names them.
static SCENARIOS: &[(Scenario, StepsOf)] = &[
    (Scenario::Install, install::steps),
    (Scenario::Migrate, migrate::steps),
    (Scenario::Update, update::steps),
    (Scenario::Recover, recover::steps),
    (Scenario::Decommission, decommission::steps),
    (Scenario::Retire, decommission::retire),
];

/// Returns a command that runs another as root on the host's own system.
fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::System, command)
}

/// Returns the datasets that lie in no other of them: with a dataset come those below it.
fn topmost<'d>(datasets: &BTreeSet<&'d str>) -> Vec<&'d str> {
    let lies_below = |one: &str| datasets.iter().any(|other| *other != one && lies_in(one, other));
    datasets.iter().copied().filter(|one| !lies_below(one)).collect()
}

/// Returns what makes the steps of a scenario; none where this version has nothing.
pub(super) fn find(scenario: Scenario) -> Option<StepsOf> {
    SCENARIOS.iter().find(|(known, _)| *known == scenario).map(|(_, steps)| *steps)
}
