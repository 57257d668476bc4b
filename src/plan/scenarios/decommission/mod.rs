//! Scenario decommission: what a migration has left behind in its clusters, or, as `retire`, the host itself.
//!
//! What is deleted here has a verified copy, has been through its soak, and was listed once more. A plan that finds nothing to
//! delete says so and has no step that could.

mod retire;
#[cfg(test)]
mod tests;

pub(super) use retire::steps as retire;

use super::install;
use super::migrate;
use crate::plan::PlanCx;
use crate::plan::gates::{family, id};
use crate::plan::parts::{LeftBehind, Proven};
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::text::ShellCommand;

const BEFORE: &str = "Before anything is deleted";
const DELETE: &str = "Delete what is left in the cluster";

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>) -> Proven {
    let left = migrate::left_behind(cx);
    let definition = install::definition(cx);
    let headed =
        |steps: Vec<Step>, heading: &str| -> Vec<Step> { steps.into_iter().map(|step| step.phase(heading)).collect() };
    let is_empty = left.destroy.is_empty();
    let before = if is_empty { vec![nothing(cx)] } else { vec![soaked(cx, &left.verified)] };
    LeftBehind {
        definition,
        before: headed(
            before.into_iter().chain(left.looks).chain(left.listings).chain(left.accounts).collect(),
            BEFORE,
        ),
        confirm: (!is_empty).then(|| left.confirm.phase(DELETE)),
        destroy: headed(left.destroy, DELETE),
    }
    .assemble()
}

/// Makes the step that looks whether the migration came to where something may be deleted.
fn soaked(cx: &PlanCx<'_>, verified: &[String]) -> Step {
    let drill = format!("{}{}", family::BACKUP_DRILL, cx.host.name);
    let ended = [id::REBOOT_TEST_AFTER_DATA.to_owned(), drill, id::SOAK.to_owned()];
    let apply = ShellCommand::new("hostwright").args(["apply", cx.host.name, "--scenario", "migrate"]);
    let apply = verified.iter().chain(&ended).fold(apply, |line, step| line.args(["--done", step]));
    Step::new(id::CHECK_SOAKED, StepKind::Verify, RunsOn::Deployer, "Look whether the migration is over")
        .why(
            "Its journal says that every copy was verified, that the machine came back with the data, that a backup of it was \
             restored, and that the soak is over. Where one of these is open the migration goes on first: \
             `hostwright apply` with `--scenario migrate`.",
        )
        .run(&apply)
        .takes(seconds::LOOK)
}

/// Makes the step that says that nothing is known to be left behind.
fn nothing(cx: &PlanCx<'_>) -> Step {
    Step::new(id::NOTHING_LEFT, StepKind::Instruction, RunsOn::Person, "Nothing is known to be left behind")
        .why(format!(
            "No service of {0} has `migrates-from`, so that nothing is known to be left of them in another place. Where a cluster is to \
             be looked through all the same: `hostwright migrate --live --context CONTEXT` lists what is there. The host itself is \
             retired by `hostwright plan {0} --scenario decommission --retire`.",
            cx.host.name
        ))
        .takes(seconds::PERSON)
}
