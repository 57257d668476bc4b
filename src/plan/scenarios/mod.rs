//! One file for each scenario: it makes the parts of its plan from a host, and assembles them.
//!
//! A scenario is added as a file here with its line in [`SCENARIOS`], and its gates in `gates`.

mod install;
pub(super) mod migrate;
pub(super) mod reboot_test;
mod running;
mod update;

use super::PlanCx;
use super::parts::Proven;
use super::scenario::Scenario;

/// Makes the steps of a scenario.
pub(super) type StepsOf = fn(&PlanCx<'_>) -> Proven;

/// The scenarios that there are, in the order in which help names them.
static SCENARIOS: &[(Scenario, StepsOf)] =
    &[(Scenario::Install, install::steps), (Scenario::Migrate, migrate::steps), (Scenario::Update, update::steps)];

/// Returns what makes the steps of a scenario; none where this version has nothing.
pub(super) fn find(scenario: Scenario) -> Option<StepsOf> {
    SCENARIOS.iter().find(|(known, _)| *known == scenario).map(|(_, steps)| *steps)
}
