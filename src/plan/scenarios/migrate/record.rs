//! What the cluster said before anything was changed: files in the host's state on the deployer, written once.
//!
//! The way back restores these values and not those of the manifests, which may be older than the cluster.

use crate::plan::PlanCx;
use crate::text::ShellCommand;

/// Returns a file of the migration in the folder of the host's state on the deployer.
pub(super) fn file(cx: &PlanCx<'_>, name: &str) -> String {
    cx.reach.state(&format!("migrate/{name}"))
}

/// Returns a script of the plan with its arguments to come.
pub(super) fn script(cx: &PlanCx<'_>, name: &str) -> ShellCommand {
    ShellCommand::new("sh").arg(cx.reach.out(&format!("migrate/{name}.sh")))
}

/// Returns a command that writes what another prints into a file, unless that holds something already.
pub(super) fn once(file: &str, get: &ShellCommand) -> ShellCommand {
    let there = ShellCommand::new("test").args(["-s", file]);
    let keep = get.clone().then("|", &ShellCommand::new("tee").args(["--", file]));
    // `tee` succeeds with nothing as well.
    there.then("||", &keep.then("|", &ShellCommand::new("grep").arg(".")))
}

/// Returns a check that a command prints exactly one line.
pub(super) fn says(get: &ShellCommand, line: &str) -> ShellCommand {
    get.clone().then("|", &ShellCommand::new("grep").args(["-qxF", "-e", line]))
}

/// Returns a check that a command prints what a file holds.
pub(super) fn says_as(get: &ShellCommand, file: &str) -> ShellCommand {
    get.clone().then("|", &ShellCommand::new("grep").args(["-qxF", "-f", file]))
}

/// Returns a line of the way back that a person follows: a command that does nothing, with the words as its argument.
pub(super) fn by_hand(words: &str) -> ShellCommand {
    ShellCommand::new(":").arg(words)
}
