//! The gates of a recovery: steps of which there is one for each backup, service and dump, told apart by how their ids begin.

use super::migration::Family;
use super::{Reserved, Violation, gate, id, reserved};
use crate::plan::graph::Ancestors;
use crate::plan::step::{Step, StepKind};
use crate::source::quoted;

/// The beginnings of ids of steps that there is one of for each backup, service or dump.
pub mod restore {
    /// A backup is looked at.
    pub const LOOK: &str = "look-at-backup-";
    /// A backup or a service is kept from running.
    pub const HOLD: &str = "hold-";
    /// Files come back.
    pub const RESTORE: &str = "restore-";
    /// Both sides are the same.
    pub const VERIFY: &str = "verify-";
    /// A dump comes into its database.
    pub const LOAD: &str = "load-dump-";
    /// A service starts.
    pub const START: &str = "start-service-";
    /// It answers.
    pub const ASK: &str = "ask-service-";
}

/// Steps of a recovery of which there is one.
pub(super) static ONCE: &[Reserved] = &[
    gate(
        id::ACCOUNT_UNSAVED,
        &[StepKind::Instruction],
        "no disk is touched before somebody knows what does not come back",
    ),
    reserved(id::COPY_RECOVER_SCRIPTS, &[StepKind::Copy]),
    reserved(id::RELEASE_BACKUPS, &[StepKind::Command]),
];

/// Steps of a recovery of which there is one for each thing. Of two that fit the longer one counts.
pub(super) static FAMILIES: &[Family] = &[
    Family::new(
        restore::LOOK,
        &[StepKind::Verify],
        Some("no disk is touched before a backup is known to be whole"),
        true,
    ),
    Family::new(restore::HOLD, &[StepKind::Command], None, false),
    Family::new(restore::RESTORE, &[StepKind::Copy, StepKind::Instruction], None, false),
    Family::new(restore::VERIFY, &[StepKind::Verify], Some("no service starts on data that differs"), false),
    Family::new(restore::LOAD, &[StepKind::Command], None, false),
    Family::new(restore::START, &[StepKind::Command], None, false),
    Family::new(restore::ASK, &[StepKind::Verify], None, false),
];

const LOOKED: &str = "a backup is known to be whole before a disk is touched";
const HELD: &str = "nothing is restored under a service that runs";
const SAME: &str = "nothing starts on data that was not held against its backup";
const EMPTY: &str = "no backup is made of a machine whose data is not back";
const AGAIN: &str = "the second reboot test is one with all of the data and all of the services";

/// The gates of a recovery.
pub(super) fn verify(steps: &[Step], found: &mut Vec<Violation>) {
    let ancestors = Ancestors::of(steps);
    let of = |beginning: &'static str| {
        steps.iter().filter(move |step| {
            super::longest(FAMILIES, &step.id).is_some_and(|family| family.beginning() == beginning)
        })
    };
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    let mut lacks = |step: &str, needed: &str, why: &str| {
        let what = format!("the step {} does not need {}", quoted(step), quoted(needed));
        found.push(Violation::at(step, what, why));
    };
    for first in [id::START_INSTALLER, id::PARTITION_DISKS, id::RUNS_ALREADY].into_iter().filter(|id| has(id)) {
        let before = ancestors.before(first);
        let looks =
            of(restore::LOOK).map(|step| step.id.as_str()).chain(Some(id::ACCOUNT_UNSAVED).filter(|id| has(id)));
        for look in looks.filter(|look| !before.contains(look)) {
            lacks(first, look, LOOKED);
        }
    }
    let mut missing = Vec::new();
    for step in of(restore::RESTORE).filter(|step| step.kind == StepKind::Copy) {
        let Some(name) = step.id.strip_prefix(restore::RESTORE) else { continue };
        let before = ancestors.before(&step.id);
        if of(restore::LOOK).next().is_none() {
            missing.push((restore::LOOK.to_owned(), LOOKED));
        }
        let verify = format!("{}{name}", restore::VERIFY);
        if has(&verify) {
            if !ancestors.before(&verify).contains(step.id.as_str()) {
                lacks(&verify, &step.id, SAME);
            }
        } else {
            missing.push((verify, SAME));
        }
        let hold = format!("{}{name}", restore::HOLD);
        if name.starts_with("service-") && !before.contains(hold.as_str()) {
            lacks(&step.id, &hold, HELD);
        }
    }
    for step in of(restore::START) {
        let name = step.id.strip_prefix(restore::START).unwrap_or_default();
        let verify = format!("{}service-{name}", restore::VERIFY);
        if has(&verify) && !ancestors.before(&step.id).contains(verify.as_str()) {
            lacks(&step.id, &verify, SAME);
        }
    }
    for (later, why) in [(id::RELEASE_BACKUPS, EMPTY), (id::REBOOT_TEST_AFTER_DATA, AGAIN)] {
        if !has(later) {
            continue;
        }
        let before = ancestors.before(later);
        for earlier in of(restore::VERIFY).chain(of(restore::START)).filter(|step| !before.contains(step.id.as_str())) {
            lacks(later, &earlier.id, why);
        }
    }
    if !has(id::REBOOT_TEST_AFTER_DATA) {
        missing.push((id::REBOOT_TEST_AFTER_DATA.to_owned(), AGAIN));
    }
    missing.dedup();
    found.extend(missing.into_iter().map(|(id, why)| Violation::missing(&id, why)));
}
