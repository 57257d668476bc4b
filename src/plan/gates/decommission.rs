//! The gates of plans that delete: of what a migration has left behind, and of a host itself.

use super::migration::{Family, family};
use super::{DESTROY, Gate, KNOWN, ORDERLY, Reserved, Violation, before, gate, id, reserved};
use crate::plan::graph::Ancestors;
use crate::plan::step::{Step, StepKind};
use crate::source::quoted;

/// The beginnings of ids of steps that there is one of for each cluster or disk.
pub mod retire {
    /// What is left in a cluster is listed.
    pub const LISTING: &str = "last-listing-";
    /// A disk is wiped.
    pub const WIPE: &str = "wipe-disk-";
}

/// Steps of which there is one.
pub(super) static ONCE: &[Reserved] = &[
    gate(id::CHECK_SOAKED, &[StepKind::Verify], "nothing is deleted before the migration is over"),
    reserved(id::NOTHING_LEFT, &[StepKind::Instruction]),
    gate(id::NOBODY_NEEDS_IT, &[StepKind::Instruction], "nothing is switched off that somebody needs"),
    gate(id::STOP_SERVICES, &[StepKind::Command], "no backup is the last one while something is written"),
    gate(
        id::LAST_BACKUP,
        &[StepKind::Verify, StepKind::Instruction],
        "no disk is wiped before its data was read back elsewhere",
    ),
    gate(id::LAST_LISTING, &[StepKind::Verify], "no disk is wiped before somebody could read what is on it"),
    reserved(id::END_OF_HOST, &[StepKind::Instruction]),
];

/// Steps of a decommission of which there is one for each thing.
pub(super) static FAMILIES: &[Family] = &[
    Family::new(
        family::CHECK_CONTEXT,
        &[StepKind::Verify],
        Some("no cluster is touched that is another than meant"),
        true,
    ),
    Family::new(retire::LISTING, &[StepKind::Verify], Some("nothing is deleted before it was listed once more"), true),
    Family::new(family::ACCOUNT, &[StepKind::Instruction], Some("no claim is lost that nobody spoke of"), true),
    Family::new(family::ACCOUNT_CLUSTER, &[StepKind::Instruction], Some("no claim is lost that nobody spoke of"), true),
    Family::new(family::ACCOUNT_UNREAD, &[StepKind::Instruction], Some("no claim is lost that nobody could see"), true),
    Family::new(family::DECOMMISSION, &[StepKind::Destroy], None, false),
    Family::new(family::DECOMMISSION_CLAIM, &[StepKind::Destroy], None, false),
];

/// Steps of a retirement of which there is one for each disk.
pub(super) static RETIRE_FAMILIES: &[Family] = &[Family::new(retire::WIPE, &[StepKind::Destroy], None, false)];

const READ_BACK: &str = "no disk is wiped before its data was read back elsewhere, listed, and missed by nobody";

/// The gates between single steps of a retirement.
pub(in crate::plan) static RETIRE: &[Gate] = &[
    before(id::CHECK_DEFINITION, id::RECORD_HOST_KEYS, "a definition with errors is not deployed"),
    before(id::RECORD_HOST_KEYS, id::NOBODY_NEEDS_IT, KNOWN),
    before(id::NOBODY_NEEDS_IT, id::STOP_SERVICES, "nothing is switched off that somebody needs"),
    before(id::STOP_SERVICES, id::LAST_BACKUP, "the last backup is one of data that nobody changes any more"),
    before(id::LAST_BACKUP, id::LAST_LISTING, ORDERLY),
    before(id::LAST_LISTING, id::SOAK, ORDERLY),
    before(id::SOAK, id::START_INSTALLER, READ_BACK),
    before(id::LAST_BACKUP, id::CONFIRM_DISKS, READ_BACK),
    before(id::LAST_LISTING, id::CONFIRM_DISKS, READ_BACK),
];

/// Steps that a retirement must have.
const RETIRING: &[&str] = &[
    id::CHECK_DEFINITION,
    id::NOBODY_NEEDS_IT,
    id::STOP_SERVICES,
    id::LAST_BACKUP,
    id::LAST_LISTING,
    id::SOAK,
    id::START_INSTALLER,
    id::SCAN_INSTALLER_KEY,
    id::COMPARE_FINGERPRINT,
    id::COPY_SCRIPTS,
    id::CHECK_DISKS,
    id::CONFIRM_DISKS,
];

/// The gates of a retirement.
pub(super) fn verify_retirement(steps: &[Step], found: &mut Vec<Violation>) {
    for id in RETIRING.iter().filter(|id| !steps.iter().any(|step| step.id == **id)) {
        found.push(Violation::missing(id, READ_BACK));
    }
    let ancestors = Ancestors::of(steps);
    super::between(RETIRE, steps, &ancestors, found);
    super::between(super::INSTALL, steps, &ancestors, found);
    for step in steps.iter().filter(|step| !step.destroys.is_empty()) {
        let before = ancestors.before(&step.id);
        for id in [id::SOAK, id::LAST_BACKUP, id::LAST_LISTING].into_iter().filter(|id| !before.contains(id)) {
            let what = format!("the step {} does not need {}", quoted(&step.id), quoted(id));
            found.push(Violation::at(&step.id, what, READ_BACK));
        }
        if step.before.is_empty() {
            let what = format!("the step {} looks at nothing before it destroys", quoted(&step.id));
            found.push(Violation::at(&step.id, what, DESTROY));
        }
    }
}

/// The gates of what a migration has left behind.
pub(super) fn verify(steps: &[Step], found: &mut Vec<Violation>) {
    let ancestors = Ancestors::of(steps);
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    if !has(id::CHECK_DEFINITION) {
        found.push(Violation::missing(id::CHECK_DEFINITION, "a definition with errors is not deployed"));
    }
    let is = |step: &&Step, beginning: &str| {
        super::longest(FAMILIES, &step.id).is_some_and(|family| family.beginning() == beginning)
    };
    let of =
        |beginning: &'static str| steps.iter().filter(move |step| is(step, beginning)).map(|step| step.id.as_str());
    let accounts = [family::ACCOUNT, family::ACCOUNT_CLUSTER, family::ACCOUNT_UNREAD].into_iter().flat_map(of);
    let looks: Vec<&str> = of(family::CHECK_CONTEXT).chain(of(retire::LISTING)).chain(accounts).collect();
    for step in steps.iter().filter(|step| !step.destroys.is_empty()) {
        let before = ancestors.before(&step.id);
        let needed = [id::CHECK_SOAKED, id::CONFIRM_DECOMMISSION].into_iter().chain(looks.iter().copied());
        for id in needed.filter(|id| !before.contains(id)) {
            let what = format!("the step {} does not need {}", quoted(&step.id), quoted(id));
            found.push(Violation::at(
                &step.id,
                what,
                "nothing is deleted before the migration is over and was looked at once more",
            ));
        }
        if step.destroys.iter().any(|what| what.starts_with("claim:")) && step.before.is_empty() {
            let what = format!("the step {} does not look whether its copy is verified", quoted(&step.id));
            found.push(Violation::at(&step.id, what, "nothing is destroyed without a verified copy"));
        }
    }
    let deletes = steps.iter().any(|step| !step.destroys.is_empty());
    for beginning in [family::CHECK_CONTEXT, retire::LISTING].into_iter().filter(|_| deletes) {
        if of(beginning).next().is_none() {
            found.push(Violation::missing(
                beginning,
                "no cluster is touched that is another than meant, or that nobody looked at",
            ));
        }
    }
}
