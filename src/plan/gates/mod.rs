//! The gates: what must have happened before what, whoever wrote the plan.
//!
//! Each gate is a sentence about two steps, told apart by their ids. The builder wires the steps by this table and
//! [`verify`] looks whether a plan still obeys it, so a gate cannot be in one and not in the other.
//!
//! Beside the table four things hold for every plan: steps have an order and stand in it; a step that destroys names
//! what it destroys and comes after somebody confirmed that it may; whatever is not known as a preparation comes after
//! the last reboot test; a step with a reserved id is of the kind that belongs to it.

pub(super) mod decommission;
pub mod id;
mod migration;
mod recovery;
pub(super) mod update;

use std::collections::BTreeSet;

pub use decommission::retire;
use migration::Family;
pub use migration::family;
pub use recovery::restore;

use super::document::Plan;
use super::graph::{self, Ancestors};
use super::scenario::Scenario;
use super::step::{RunsOn, Step, StepKind};
use crate::source::quoted;

/// A step that a plan must have, and what it must be.
#[derive(Debug)]
struct Reserved {
    id: &'static str,
    kinds: &'static [StepKind],
    /// What it holds back, in words; none when it is a preparation and no gate.
    mark: Option<&'static str>,
}

const fn reserved(id: &'static str, kinds: &'static [StepKind]) -> Reserved {
    Reserved { id, kinds, mark: None }
}

const fn gate(id: &'static str, kinds: &'static [StepKind], mark: &'static str) -> Reserved {
    Reserved { id, kinds, mark: Some(mark) }
}

/// Every step that may come before the reboot test of a machine, with its kinds.
static RESERVED: &[Reserved] = &[
    reserved(id::CHECK_DEFINITION, &[StepKind::Verify]),
    gate(id::PROVE_ACCESS, &[StepKind::Instruction, StepKind::Verify], "no boot without a way in from outside"),
    reserved(id::BUILD_INSTALLER, &[StepKind::Command]),
    reserved(id::START_INSTALLER, &[StepKind::Command, StepKind::Instruction]),
    reserved(id::SCAN_INSTALLER_KEY, &[StepKind::Command]),
    gate(id::COMPARE_FINGERPRINT, &[StepKind::Instruction], "no login before its key is compared"),
    gate(id::CHECK_DISKS, &[StepKind::Verify], "no other disk than defined is touched"),
    reserved(id::PLACE_KEYS, &[StepKind::Copy]),
    reserved(id::PLACE_SECRETS, &[StepKind::Copy]),
    gate(id::CONFIRM_DISKS, &[StepKind::Instruction], "nothing is lost that somebody wants"),
    reserved(id::COPY_SCRIPTS, &[StepKind::Copy]),
    reserved(id::BUILD_SYSTEM, &[StepKind::Command]),
    reserved(id::PARTITION_DISKS, &[StepKind::Destroy]),
    gate(id::SET_HOST_ID, &[StepKind::Command], "no pool under a foreign host id"),
    reserved(id::CREATE_POOLS, &[StepKind::Command]),
    reserved(id::MOUNT_TARGET, &[StepKind::Command]),
    reserved(id::PLACE_HOST_KEYS, &[StepKind::Command, StepKind::Copy]),
    gate(id::RECORD_HOST_KEYS, &[StepKind::Copy], "no system whose keys nobody knows"),
    reserved(id::COPY_SYSTEM, &[StepKind::Copy, StepKind::Command]),
    reserved(id::INSTALL_SYSTEM, &[StepKind::Command]),
    gate(id::EXPORT_POOLS, &[StepKind::Command], "no boot before every pool is exported"),
    gate(id::FIRST_BOOT, &[StepKind::BaselineBoot], "no trial before it came up from its disks"),
    reserved(id::RUNS_ALREADY, &[StepKind::Instruction]),
    reserved(id::COPY_REBOOT_SCRIPTS, &[StepKind::Copy]),
    gate(id::BASELINE_ONCE, &[StepKind::BaselineBoot], "no candidate before the way back works"),
    gate(id::WATCH_CONSOLE, &[StepKind::Instruction], "no reboot without somebody at the console"),
    gate(id::BASELINE_DEFAULT, &[StepKind::BaselineBoot], "no candidate before the default works"),
    reserved(id::SHOW_CHANGES, &[StepKind::Verify]),
    gate(
        id::CHECK_POOL_CONTRACT,
        &[StepKind::Verify, StepKind::Instruction],
        "no candidate that could close the way back",
    ),
    gate(id::CHECK_READY, &[StepKind::Verify], "no candidate where the loader does not lead back"),
    gate(id::SNAPSHOT_STATE, &[StepKind::Command], "no data is rewritten without a snapshot of it"),
    gate(id::REBOOT_TEST, &[StepKind::RebootTest], "no data comes before this passes"),
];

/// Returns the ids that have a meaning of their own, which no step about something else may get.
pub(super) fn reserved_ids() -> impl Iterator<Item = &'static str> {
    all_reserved().map(|reserved| reserved.id)
}

fn all_reserved() -> impl Iterator<Item = &'static Reserved> {
    RESERVED.iter().chain(migration::ONCE).chain(recovery::ONCE).chain(decommission::ONCE)
}

/// Returns the family of a step in plans of a scenario; none of what is reserved for one step.
fn family_in(scenario: Scenario, id: &str) -> Option<&'static Family> {
    let families = match scenario {
        Scenario::Migrate => migration::FAMILIES,
        Scenario::Recover => recovery::FAMILIES,
        Scenario::Decommission => decommission::FAMILIES,
        Scenario::Retire => decommission::RETIRE_FAMILIES,
        Scenario::Install | Scenario::Update | Scenario::RebootTest => return None,
    };
    if all_reserved().any(|reserved| reserved.id == id) { None } else { longest(families, id) }
}

/// Returns the family whose ids begin as this one does: of two the one with the longer beginning.
fn longest(families: &'static [Family], id: &str) -> Option<&'static Family> {
    let fitting =
        families.iter().filter(|family| id.len() > family.beginning().len() && id.starts_with(family.beginning()));
    fitting.max_by_key(|family| family.beginning().len())
}

/// What must come before what when both are there.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) earlier: &'static str,
    pub(super) later: &'static str,
    pub(super) why: &'static str,
}

const fn before(earlier: &'static str, later: &'static str, why: &'static str) -> Gate {
    Gate { earlier, later, why }
}

const ORDERLY: &str = "each of these works on what the one before has made";
const KNOWN: &str = "commands and files go only to a machine that is known by its key";
const DESTROY: &str = "nothing is destroyed that is another disk than defined, or that somebody wants to keep";
const ACCESS: &str = "out-of-band access or self-recovery is proven before the first reboot";
const KEYS: &str = "host keys, and what secrets need at boot, are in place before the system is installed";
const EXPORT: &str = "pools are exported before the first boot, so that their import is never forced";
const BASELINE: &str = "the way back is proven on the good system before anything else boots";

/// The gates of a first install, those between single steps.
pub(super) static INSTALL: &[Gate] = &[
    before(id::CHECK_DEFINITION, id::PROVE_ACCESS, "a definition with errors is not deployed"),
    before(id::CHECK_DEFINITION, id::BUILD_INSTALLER, "a definition with errors is not deployed"),
    before(id::CHECK_DEFINITION, id::BUILD_SYSTEM, "a definition with errors is not deployed"),
    before(id::CHECK_DEFINITION, id::START_INSTALLER, "a definition with errors is not deployed"),
    before(id::PROVE_ACCESS, id::START_INSTALLER, ACCESS),
    before(id::BUILD_INSTALLER, id::START_INSTALLER, ORDERLY),
    before(id::START_INSTALLER, id::SCAN_INSTALLER_KEY, ORDERLY),
    before(id::SCAN_INSTALLER_KEY, id::COMPARE_FINGERPRINT, KNOWN),
    before(id::COMPARE_FINGERPRINT, id::CHECK_DISKS, KNOWN),
    before(id::COMPARE_FINGERPRINT, id::COPY_SCRIPTS, KNOWN),
    before(id::COPY_SCRIPTS, id::BUILD_SYSTEM, ORDERLY),
    before(id::COPY_SCRIPTS, id::CHECK_DISKS, ORDERLY),
    before(id::COMPARE_FINGERPRINT, id::PLACE_KEYS, KNOWN),
    before(id::PLACE_KEYS, id::CHECK_DISKS, ORDERLY),
    before(id::COMPARE_FINGERPRINT, id::PLACE_SECRETS, KNOWN),
    before(id::PLACE_SECRETS, id::INSTALL_SYSTEM, KEYS),
    before(id::CHECK_DISKS, id::CONFIRM_DISKS, DESTROY),
    before(id::CONFIRM_DISKS, id::PARTITION_DISKS, DESTROY),
    before(id::COPY_SCRIPTS, id::PARTITION_DISKS, ORDERLY),
    before(id::BUILD_SYSTEM, id::PARTITION_DISKS, "a system that does not build is found out before a disk is wiped"),
    before(id::PARTITION_DISKS, id::CREATE_POOLS, ORDERLY),
    before(id::COMPARE_FINGERPRINT, id::SET_HOST_ID, KNOWN),
    before(id::SET_HOST_ID, id::CREATE_POOLS, "the host id is set before a pool is made, or the pool is a stranger's"),
    before(id::PARTITION_DISKS, id::MOUNT_TARGET, ORDERLY),
    before(id::CREATE_POOLS, id::MOUNT_TARGET, ORDERLY),
    before(id::MOUNT_TARGET, id::PLACE_HOST_KEYS, ORDERLY),
    before(id::PLACE_HOST_KEYS, id::RECORD_HOST_KEYS, ORDERLY),
    before(id::MOUNT_TARGET, id::COPY_SYSTEM, ORDERLY),
    before(id::BUILD_SYSTEM, id::COPY_SYSTEM, ORDERLY),
    before(id::RECORD_HOST_KEYS, id::INSTALL_SYSTEM, KEYS),
    before(id::COPY_SYSTEM, id::INSTALL_SYSTEM, ORDERLY),
    before(id::INSTALL_SYSTEM, id::EXPORT_POOLS, ORDERLY),
    before(id::EXPORT_POOLS, id::FIRST_BOOT, EXPORT),
    before(id::PROVE_ACCESS, id::FIRST_BOOT, ACCESS),
    before(id::FIRST_BOOT, id::COPY_REBOOT_SCRIPTS, ORDERLY),
    before(id::CHECK_DEFINITION, id::RUNS_ALREADY, "a definition with errors is not deployed"),
    before(id::PROVE_ACCESS, id::RUNS_ALREADY, ACCESS),
    before(id::RUNS_ALREADY, id::RECORD_HOST_KEYS, ORDERLY),
    before(id::RECORD_HOST_KEYS, id::COPY_REBOOT_SCRIPTS, KNOWN),
    before(id::COPY_REBOOT_SCRIPTS, id::WATCH_CONSOLE, ORDERLY),
    before(id::COPY_REBOOT_SCRIPTS, id::BASELINE_ONCE, ORDERLY),
    before(id::PROVE_ACCESS, id::BASELINE_ONCE, ACCESS),
    before(id::PROVE_ACCESS, id::BASELINE_DEFAULT, ACCESS),
    before(id::WATCH_CONSOLE, id::BASELINE_DEFAULT, BASELINE),
    before(id::BASELINE_ONCE, id::BASELINE_DEFAULT, BASELINE),
    before(id::BASELINE_DEFAULT, id::REBOOT_TEST, BASELINE),
];

/// Steps of which a plan must have one, for the form that installs and for the one that finds a machine running.
const ALWAYS: &[&[&str]] = &[
    &[id::CHECK_DEFINITION],
    &[id::PROVE_ACCESS],
    &[id::RECORD_HOST_KEYS],
    &[id::COPY_REBOOT_SCRIPTS],
    &[id::BASELINE_ONCE, id::WATCH_CONSOLE],
    &[id::BASELINE_DEFAULT],
    &[id::REBOOT_TEST],
];

/// Steps that a plan must have when it installs.
const INSTALLING: &[&str] = &[
    id::START_INSTALLER,
    id::SCAN_INSTALLER_KEY,
    id::COMPARE_FINGERPRINT,
    id::CHECK_DISKS,
    id::CONFIRM_DISKS,
    id::COPY_SCRIPTS,
    id::BUILD_SYSTEM,
    id::PARTITION_DISKS,
    id::MOUNT_TARGET,
    id::PLACE_HOST_KEYS,
    id::COPY_SYSTEM,
    id::INSTALL_SYSTEM,
    id::EXPORT_POOLS,
    id::FIRST_BOOT,
];

/// A gate that a plan does not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Violation {
    /// The step it shows at; none when a step is missing.
    pub step: Option<String>,
    /// What is wrong, as a phrase.
    pub what: String,
    /// Which gate that breaks.
    pub why: String,
}

impl Violation {
    fn at(step: &str, what: String, why: impl Into<String>) -> Self {
        Self { step: Some(step.to_owned()), what, why: why.into() }
    }

    fn missing(id: &str, why: &str) -> Self {
        Self { step: None, what: format!("there is no step {}", quoted(id)), why: why.to_owned() }
    }
}

/// Returns what a step holds back as long as it has not passed.
pub(super) fn mark(scenario: Scenario, step: &Step) -> Option<&'static str> {
    let known = all_reserved().find(|reserved| reserved.id == step.id);
    match known {
        Some(reserved) if reserved.id == id::REBOOT_TEST && scenario == Scenario::Update => {
            Some("nothing new is the default before this passes")
        }
        Some(reserved) if reserved.id == id::REBOOT_TEST && scenario == Scenario::RebootTest => {
            Some("what is known to come back is what passed this")
        }
        Some(reserved) if reserved.id == id::SOAK && scenario == Scenario::Retire => {
            Some("no disk is wiped before everybody had time to miss something")
        }
        Some(reserved) if reserved.id == id::REBOOT_TEST_AFTER_DATA && scenario == Scenario::Recover => {
            Some("it is back when it comes back with its data")
        }
        Some(reserved) => reserved.mark,
        None => family_in(scenario, &step.id).and_then(|family| family.mark),
    }
}

/// Returns every gate that a plan does not keep; none when all are in place.
pub fn verify(plan: &Plan) -> Vec<Violation> {
    verify_steps(plan.scenario(), plan.steps())
}

/// Returns every gate that steps do not keep, as they stand.
pub(super) fn verify_steps(scenario: Scenario, steps: &[Step]) -> Vec<Violation> {
    let mut found: Vec<Violation> = graph::faults(steps)
        .into_iter()
        .map(|error| Violation { step: None, what: error.to_string(), why: "steps have one order".to_owned() })
        .collect();
    if !found.is_empty() {
        return found;
    }
    in_order(steps, &mut found);
    kinds(scenario, steps, &mut found);
    match scenario {
        Scenario::Install => install(scenario, steps, &mut found),
        Scenario::Recover => {
            install(scenario, steps, &mut found);
            recovery::verify(steps, &mut found);
        }
        Scenario::Migrate => {
            install(scenario, steps, &mut found);
            migration::verify(steps, &mut found);
        }
        Scenario::Update => update::verify(steps, &mut found),
        Scenario::RebootTest => update::verify_alone(steps, &mut found),
        Scenario::Decommission => decommission::verify(steps, &mut found),
        Scenario::Retire => decommission::verify_retirement(steps, &mut found),
    }
    destroying(steps, &mut found);
    found
}

/// Steps stand in their order.
fn in_order(steps: &[Step], found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for step in steps {
        for need in step.needs.iter().filter(|need| !seen.contains(need.as_str())) {
            let what = format!("the step {} stands before {}, which it needs", quoted(&step.id), quoted(need));
            found.push(Violation::at(&step.id, what, "steps stand in the order in which they run"));
        }
        seen.insert(step.id.as_str());
    }
}

/// Steps with a reserved id are of their kind, and no other step is a boot or a test.
fn kinds(scenario: Scenario, steps: &[Step], found: &mut Vec<Violation>) {
    for step in steps {
        let reserved = all_reserved().find(|reserved| reserved.id == step.id);
        let kinds = match reserved {
            Some(reserved) => Some(reserved.kinds),
            None => family_in(scenario, &step.id).map(|family| family.kinds),
        };
        if let Some(kinds) = kinds.filter(|kinds| !kinds.contains(&step.kind)) {
            let wanted: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let what = format!("the step {} is of kind `{}`", quoted(&step.id), step.kind);
            found.push(Violation::at(&step.id, what, format!("it has to be `{}`", wanted.join("` or `"))));
        }
        let by_person = step.runs_on == RunsOn::Person;
        if by_person && !step.run.is_empty() {
            let what = format!("the step {} is for a person and has commands", quoted(&step.id));
            found.push(Violation::at(&step.id, what, "what a person does is not run"));
        }
    }
}

fn install(scenario: Scenario, steps: &[Step], found: &mut Vec<Violation>) {
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    for choice in ALWAYS {
        if !choice.iter().any(|id| has(id)) {
            let why = RESERVED.iter().find(|reserved| choice.contains(&reserved.id)).and_then(|reserved| reserved.mark);
            found.push(Violation::missing(&choice.join("` or `"), why.unwrap_or(ORDERLY)));
        }
    }
    if has(id::RUNS_ALREADY) {
        for step in steps.iter().filter(|step| INSTALLING.contains(&step.id.as_str())) {
            let what = format!("the step {} installs on a machine that runs already", quoted(&step.id));
            found.push(Violation::at(&step.id, what, DESTROY));
        }
    } else {
        for id in INSTALLING.iter().copied().filter(|id| !has(id)) {
            let gate = INSTALL.iter().find(|gate| gate.earlier == id);
            found.push(Violation::missing(id, gate.map_or(ORDERLY, |gate| gate.why)));
        }
        for (one, other) in [(id::CREATE_POOLS, id::SET_HOST_ID), (id::SET_HOST_ID, id::CREATE_POOLS)] {
            if has(one) && !has(other) {
                found.push(Violation::missing(other, "the host id is set before a pool is made"));
            }
        }
    }
    let ancestors = Ancestors::of(steps);
    between(INSTALL, steps, &ancestors, found);
    behind_the_test(scenario, steps, &ancestors, found);
}

/// Of two steps that are both there, the later needs the earlier.
fn between(gates: &[Gate], steps: &[Step], ancestors: &Ancestors<'_>, found: &mut Vec<Violation>) {
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    for gate in gates.iter().filter(|gate| has(gate.earlier) && has(gate.later)) {
        if !ancestors.before(gate.later).contains(gate.earlier) {
            let what = format!("the step {} does not need {}", quoted(gate.later), quoted(gate.earlier));
            found.push(Violation::at(gate.later, what, gate.why));
        }
    }
}

/// What is no preparation comes after the reboot test.
fn behind_the_test(scenario: Scenario, steps: &[Step], ancestors: &Ancestors<'_>, found: &mut Vec<Violation>) {
    let is_tested = steps.iter().any(|step| step.id == id::REBOOT_TEST);
    for step in steps {
        let early = [id::CHECK_SUSPENDED, id::LOWER_TTL, id::WAIT_TTL, id::ACCOUNT_UNSAVED].contains(&step.id.as_str());
        let prepares = RESERVED.iter().any(|reserved| reserved.id == step.id)
            || early
            || family_in(scenario, &step.id).is_some_and(|family| family.prepares);
        if !prepares && is_tested && !ancestors.before(&step.id).contains(id::REBOOT_TEST) {
            let what = format!("the step {} does not come after the reboot test", quoted(&step.id));
            found.push(Violation::at(&step.id, what, "the reboot test passes before any data moves"));
        }
    }
}

/// What destroys says so, and comes after somebody looked.
fn destroying(steps: &[Step], found: &mut Vec<Violation>) {
    let ancestors = Ancestors::of(steps);
    for step in steps {
        let id = quoted(&step.id);
        match (step.kind == StepKind::Destroy, step.destroys.is_empty()) {
            (true, true) => {
                found.push(Violation::at(&step.id, format!("the step {id} does not name what it destroys"), DESTROY));
            }
            (false, false) => {
                let what = format!("the step {id} destroys and is of kind `{}`", step.kind);
                found.push(Violation::at(&step.id, what, DESTROY));
            }
            _ => {}
        }
        let before = ancestors.before(&step.id);
        let confirmed =
            before.contains(id::CONFIRM_DISKS) && is_of_disks(step) || before.contains(id::CONFIRM_DECOMMISSION);
        if !step.destroys.is_empty() && !confirmed {
            let what = format!("the step {id} destroys before anybody confirmed it");
            found.push(Violation::at(&step.id, what, DESTROY));
        }
    }
}

/// Tells whether all that a step destroys is the machine's own, which a person confirms by its disks.
fn is_of_disks(step: &Step) -> bool {
    step.destroys.iter().all(|what| what.starts_with("disk:") || what.starts_with("pool:"))
}
