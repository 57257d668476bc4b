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

use super::PlanCx;
use super::parts::Proven;
use super::reach::Who;
use super::scenario::Scenario;
use crate::text::ShellCommand;

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

/// Returns a command that fails unless the files of a folder have these sums, each a line as sha256sum(1) prints it.
fn have_sums(folder: &str, sums: impl IntoIterator<Item = String>) -> ShellCommand {
    let print = ShellCommand::new("printf").arg("%s\\n").args(sums);
    ShellCommand::new("cd").arg(folder).then("&&", &print).then("|", &sums_hold())
}

/// Returns a command that holds files against the sums that it reads.
fn sums_hold() -> ShellCommand {
    ShellCommand::new("sha256sum").args(["-c", "--quiet", "-"])
}

/// Returns a command that runs another as root on the host's own system.
fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::System, command)
}

/// Returns what makes the steps of a scenario; none where this version has nothing.
pub(super) fn find(scenario: Scenario) -> Option<StepsOf> {
    SCENARIOS.iter().find(|(known, _)| *known == scenario).map(|(_, steps)| *steps)
}
