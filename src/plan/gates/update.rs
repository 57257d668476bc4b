//! The gates of plans for a machine that runs: it gets another generation, or the one that it has is tested.
//!
//! The order of the boots is that of a first install. What differs is what comes before them: the candidate lies on the machine, what it
//! changes was shown, every system that may boot next can import the pools, and the loader leads back.

use super::{ACCESS, BASELINE, DESTROY, Gate, INSTALLING, KNOWN, ORDERLY, RESERVED, Violation, before, id};
use crate::plan::graph::Ancestors;
use crate::plan::scenario::Scenario;
use crate::plan::step::Step;
use crate::source::quoted;

const SHOWN: &str = "nothing boots before somebody could read what it changes";
const CONTRACT: &str = "no candidate boots that could close the way back to the pools";
const READY: &str = "nothing is armed on a machine whose loader does not lead back";
const SNAPSHOT: &str = "data that another version rewrites has a snapshot before";

/// The gates between single steps that only an update has; those of a first install hold beside them.
pub(in crate::plan) static BETWEEN: &[Gate] = &[
    before(id::CHECK_DEFINITION, id::RECORD_HOST_KEYS, "a definition with errors is not deployed"),
    before(id::RECORD_HOST_KEYS, id::BUILD_SYSTEM, KNOWN),
    before(id::COPY_SYSTEM, id::SHOW_CHANGES, ORDERLY),
    before(id::COPY_REBOOT_SCRIPTS, id::SHOW_CHANGES, ORDERLY),
    before(id::COPY_REBOOT_SCRIPTS, id::CHECK_POOL_CONTRACT, ORDERLY),
    before(id::COPY_REBOOT_SCRIPTS, id::PROVE_ACCESS, ORDERLY),
    before(id::COPY_SYSTEM, id::CHECK_READY, ORDERLY),
    before(id::COPY_REBOOT_SCRIPTS, id::CHECK_READY, ORDERLY),
    before(id::PROVE_ACCESS, id::WATCH_CONSOLE, ACCESS),
    before(id::SHOW_CHANGES, id::BASELINE_ONCE, SHOWN),
    before(id::SHOW_CHANGES, id::WATCH_CONSOLE, SHOWN),
    before(id::CHECK_POOL_CONTRACT, id::BASELINE_ONCE, CONTRACT),
    before(id::CHECK_POOL_CONTRACT, id::WATCH_CONSOLE, CONTRACT),
    before(id::CHECK_READY, id::BASELINE_ONCE, READY),
    before(id::BASELINE_DEFAULT, id::SNAPSHOT_STATE, BASELINE),
    before(id::SNAPSHOT_STATE, id::REBOOT_TEST, SNAPSHOT),
];

/// Steps of which an update must have one.
const ALWAYS: &[&[&str]] = &[
    &[id::CHECK_DEFINITION],
    &[id::RECORD_HOST_KEYS],
    &[id::BUILD_SYSTEM],
    &[id::COPY_SYSTEM],
    &[id::COPY_REBOOT_SCRIPTS],
    &[id::SHOW_CHANGES],
    &[id::CHECK_POOL_CONTRACT],
    &[id::PROVE_ACCESS],
    &[id::CHECK_READY, id::WATCH_CONSOLE],
    &[id::BASELINE_ONCE, id::WATCH_CONSOLE],
    &[id::BASELINE_DEFAULT],
    &[id::REBOOT_TEST],
];

/// Steps of which the reboot test alone must have one. The test itself is left out where only the baseline boots are wanted.
const ALONE: &[&[&str]] = &[
    &[id::CHECK_DEFINITION],
    &[id::RECORD_HOST_KEYS],
    &[id::COPY_REBOOT_SCRIPTS],
    &[id::PROVE_ACCESS],
    &[id::CHECK_READY, id::WATCH_CONSOLE],
    &[id::BASELINE_ONCE, id::WATCH_CONSOLE],
    &[id::BASELINE_DEFAULT],
];

/// Steps of an installation that an update has as well.
const SHARED: &[&str] = &[id::BUILD_SYSTEM, id::COPY_SYSTEM];

/// The gates of an update.
pub(super) fn verify(steps: &[Step], found: &mut Vec<Violation>) {
    running(ALWAYS, SHARED, steps, found);
}

/// The gates of the reboot test alone: nothing but what it is made of may be there.
pub(super) fn verify_alone(steps: &[Step], found: &mut Vec<Violation>) {
    running(ALONE, &[], steps, found);
    for step in steps.iter().filter(|step| step.id != id::REBOOT_TEST) {
        if !ALONE.iter().any(|choice| choice.contains(&step.id.as_str())) {
            let what = format!("the step {} is no part of a reboot test", quoted(&step.id));
            found.push(Violation::at(&step.id, what, "the test of a system changes nothing of it"));
        }
    }
}

fn running(always: &[&[&str]], shared: &[&str], steps: &[Step], found: &mut Vec<Violation>) {
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    for choice in always.iter().filter(|choice| !choice.iter().any(|id| has(id))) {
        let why = RESERVED.iter().find(|reserved| choice.contains(&reserved.id)).and_then(|reserved| reserved.mark);
        found.push(Violation::missing(&choice.join("` or `"), why.unwrap_or(ORDERLY)));
    }
    let installs = |id: &str| {
        INSTALLING.contains(&id) && !shared.contains(&id) || [id::CREATE_POOLS, id::SET_HOST_ID].contains(&id)
    };
    for step in steps.iter().filter(|step| installs(&step.id)) {
        let what = format!("the step {} installs on a machine that runs already", quoted(&step.id));
        found.push(Violation::at(&step.id, what, DESTROY));
    }
    let ancestors = Ancestors::of(steps);
    super::between(BETWEEN, steps, &ancestors, found);
    super::between(super::INSTALL, steps, &ancestors, found);
    super::behind_the_test(Scenario::Update, steps, &ancestors, found);
}
