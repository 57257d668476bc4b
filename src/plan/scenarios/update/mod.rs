//! Scenario update: another generation of a machine that runs.
//!
//! The candidate is built and copied, what it changes is shown, and the pools are held against every system that may boot next. Then the
//! way back is proven where the machine has no record of that, and the candidate is tested: it becomes the default only after trial boots
//! that were confirmed from outside. Where another version takes over data, that data has snapshots and the first trial holds all services.
//!
//! No update is switched to live, not even one that changes neither kernel nor loader: what runs then was never booted, and the first to find
//! that out would be the next power cut (docs/decisions/0110).

mod candidate;
mod contract;
mod state;
mod versions;

use super::install::{self, Baseline, Tested};
use super::running;
use crate::plan::PlanCx;
use crate::plan::parts::{Candidate, Proven, SnapshotState, UpdateParts};
use crate::plan::scenarios::on;
use crate::plan::seconds;

/// The candidate on the host: a root of the garbage collector.
pub(super) const CANDIDATE: &str = "/nix/var/nix/gcroots/hostwright-candidate";

/// The headings under which the steps are read.
const HEADINGS: [&str; 3] = ["The candidate", "The way back", "The test"];
const AFTER: &str = "Afterwards";

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>) -> Proven {
    // What is not compiled here has no definition to be judged by, and nothing says what runs on it.
    let is_external = cx.host.def.external.is_some();
    let state = if is_external { state::TakenOver::default() } else { state::taken_over(cx) };
    let held = (!state.services.is_empty()).then(|| state.snapshot(cx).into_iter().collect());
    let why = "The candidate becomes the default only after it came up and was confirmed; until then nothing else boots by itself than the \
               system that runs now. The last boot goes through the menu that the candidate's own installer wrote, which no trial has \
               used: a loader that fails there is mended at the console.";
    let tested = Tested { candidate: CANDIDATE, is_new: true, held, by_record: is_external, cold: false, why };
    let mut proven = UpdateParts {
        definition: install::definition(cx),
        keys: running::host_keys(cx),
        reboot_scripts: install::copy_scripts(cx),
        candidate: Candidate {
            build: candidate::build(cx),
            copy: candidate::copy(cx),
            changes: candidate::changes(cx),
            contract: contract::step(cx),
        },
        access: running::access(cx),
        ready: running::ready(cx, CANDIDATE),
        baseline: install::baseline(cx, Baseline::UnlessProven),
        snapshot: snapshot(cx, &state),
        reboot_test: install::test(cx, &tested),
    }
    .assemble(HEADINGS);
    let looks = if is_external { Vec::new() } else { install::looks(cx) };
    for step in looks.into_iter().chain([install::learn(cx, true)]) {
        proven.then(step.phase(AFTER));
    }
    proven
}

/// Makes the snapshots of data that another version takes over; none where nothing does, or where none of it lies in a dataset.
fn snapshot(cx: &PlanCx<'_>, state: &state::TakenOver<'_>) -> Option<SnapshotState> {
    let take = state.snapshot(cx)?;
    Some(SnapshotState::new("Take snapshots of data that another version takes over", |step| {
        step.why(format!(
            "{} The fallback brings back the system and not the data, so the data has a way back of its own: these snapshots, and a second \
             set of the same datasets while the trial holds the services. Their names are printed, and kept in \
             /var/lib/hostwright/snapshots. Going back to one is never done by itself: stop the service, then `zfs rollback -r` to its \
             snapshot.",
            state.words()
        ))
        .run(&take)
        .takes(seconds::LOOK)
    }))
}

#[cfg(test)]
mod tests;
