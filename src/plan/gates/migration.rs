//! The gates of a migration: steps of which there is one for each volume, workload, service and cluster, told apart by how their ids begin.
//!
//! They are looked for in every plan that is made or read, whoever put its steps in order.

use super::{Reserved, Violation, gate, id, reserved};
use crate::plan::graph::Ancestors;
use crate::plan::scenario::Scenario;
use crate::plan::step::{Step, StepKind};
use crate::source::quoted;

/// The beginnings of ids of steps that there is one of for each cluster, volume, workload or service.
pub mod family {
    /// A cluster answers, and its objects are those that are meant.
    pub const CHECK_CONTEXT: &str = "check-context-";
    /// A volume is kept when its claim goes.
    pub const RETAIN: &str = "retain-";
    /// What restores is suspended.
    pub const SUSPEND: &str = "suspend-";
    /// A person looks for what restores.
    pub const FIND_RESTORERS: &str = "find-restorers-";
    /// A service is kept from running before its data is there.
    pub const HOLD: &str = "hold-";
    /// The copy while writers run.
    pub const FIRST_COPY: &str = "first-copy-";
    /// A workload is stopped.
    pub const STOP: &str = "stop-";
    /// It is watched until it stays so.
    pub const STAYS_STOPPED: &str = "stays-stopped-";
    /// The copy after the writers have stopped.
    pub const FINAL_COPY: &str = "final-copy-";
    /// The dump of a database whose clients have stopped.
    pub const FINAL_DUMP: &str = "final-dump-";
    /// Both sides are the same.
    pub const VERIFY: &str = "verify-";
    /// A service starts on the host.
    pub const START: &str = "start-";
    /// It answers.
    pub const PROBE: &str = "probe-";
    /// A name leads to the host.
    pub const SWITCH: &str = "switch-traffic-";
    /// It answers there.
    pub const WATCH: &str = "watch-";
    /// A backup is made and restored.
    pub const BACKUP_DRILL: &str = "backup-drill-";
    /// A claim that nobody speaks of.
    pub const ACCOUNT: &str = "account-claim-";
    /// A cluster of which nothing is known.
    pub const ACCOUNT_CLUSTER: &str = "account-cluster-";
    /// What could not be read.
    pub const ACCOUNT_UNREAD: &str = "account-unread-";
    /// A workload is deleted.
    pub const DECOMMISSION: &str = "decommission-";
    /// A claim is deleted.
    pub const DECOMMISSION_CLAIM: &str = "decommission-claim-";
}

/// Steps of a migration of which there is one.
pub(super) static ONCE: &[Reserved] = &[
    gate(id::CHECK_SUSPENDED, &[StepKind::Verify], "nothing is stopped that would come back"),
    reserved(id::LOWER_TTL, &[StepKind::Instruction]),
    reserved(id::WAIT_TTL, &[StepKind::Soak]),
    reserved(id::SNAPSHOT_DATA, &[StepKind::Command]),
    gate(id::REBOOT_TEST_AFTER_DATA, &[StepKind::RebootTest], "nothing is deleted before it came back with its data"),
    gate(id::SOAK, &[StepKind::Soak], "no old volume goes before this is over"),
    gate(id::CONFIRM_DECOMMISSION, &[StepKind::Instruction], "nothing is deleted that somebody wants"),
    reserved(id::END_OF_MOVE, &[StepKind::Instruction]),
];

/// Steps of a migration of which there is one for each thing. Of two that fit the longer one counts.
pub(super) static FAMILIES: &[Family] = &[
    Family::new(
        family::CHECK_CONTEXT,
        &[StepKind::Verify],
        Some("no cluster is touched that is another than meant"),
        true,
    ),
    Family::new(family::RETAIN, &[StepKind::Command], Some("no volume goes with its claim"), true),
    Family::new(
        family::SUSPEND,
        &[StepKind::Command, StepKind::Verify, StepKind::Instruction],
        Some("nothing is stopped that this would bring back"),
        true,
    ),
    Family::new(
        family::FIND_RESTORERS,
        &[StepKind::Instruction],
        Some("nothing is stopped that would come back"),
        true,
    ),
    Family::new(family::HOLD, &[StepKind::Command], None, false),
    Family::new(family::FIRST_COPY, &[StepKind::Copy, StepKind::Command], None, false),
    Family::new(family::STOP, &[StepKind::Command, StepKind::Instruction], None, false),
    Family::new(family::STAYS_STOPPED, &[StepKind::Verify], Some("no copy counts while something may write"), false),
    Family::new(family::FINAL_COPY, &[StepKind::Copy, StepKind::Command, StepKind::Instruction], None, false),
    Family::new(family::FINAL_DUMP, &[StepKind::Copy, StepKind::Command], None, false),
    Family::new(family::VERIFY, &[StepKind::Verify], Some("no service starts on data that differs"), false),
    Family::new(family::START, &[StepKind::Command], None, false),
    Family::new(family::PROBE, &[StepKind::Verify], Some("no traffic to what does not answer"), false),
    Family::new(family::SWITCH, &[StepKind::Instruction], None, false),
    Family::new(family::WATCH, &[StepKind::Verify], None, false),
    Family::new(
        family::BACKUP_DRILL,
        &[StepKind::Verify, StepKind::Instruction],
        Some("nothing is deleted before a backup of it came back"),
        false,
    ),
    Family::new(family::ACCOUNT, &[StepKind::Instruction], Some("no claim is lost that nobody spoke of"), false),
    Family::new(
        family::ACCOUNT_CLUSTER,
        &[StepKind::Instruction],
        Some("no claim is lost that nobody spoke of"),
        false,
    ),
    Family::new(
        family::ACCOUNT_UNREAD,
        &[StepKind::Instruction],
        Some("no claim is lost that nobody could see"),
        false,
    ),
    Family::new(family::DECOMMISSION, &[StepKind::Destroy], None, false),
    Family::new(family::DECOMMISSION_CLAIM, &[StepKind::Destroy], None, false),
];

/// Steps whose ids begin alike.
#[derive(Debug)]
pub(super) struct Family {
    beginning: &'static str,
    pub(super) kinds: &'static [StepKind],
    pub(super) mark: Option<&'static str>,
    /// Whether they may come before the reboot test.
    pub(super) prepares: bool,
}

impl Family {
    pub(super) const fn new(
        beginning: &'static str,
        kinds: &'static [StepKind],
        mark: Option<&'static str>,
        prepares: bool,
    ) -> Self {
        Self { beginning, kinds, mark, prepares }
    }

    /// Returns how the ids begin.
    pub(super) fn beginning(&self) -> &'static str {
        self.beginning
    }
}

/// Returns the family of a step of a migration; none of what is reserved for one step.
fn family_of(id: &str) -> Option<&'static Family> {
    super::family_in(Scenario::Migrate, id)
}

const KEPT: &str = "volumes are kept before anything is scaled down";
const SUSPENDED: &str = "what restores is suspended before anything is stopped";
const BACK: &str = "every stop and every suspension has a way back";
const WRITERS: &str = "the last copy is made when nothing writes any more";
const COPIED: &str = "nothing is destroyed without a verified copy";
const LOOKED: &str = "nothing is deleted in a cluster before it was looked at once more: which cluster that is, who has come back, who has written";
const ENDED: &str = "nothing is destroyed before a second reboot test, a finished soak and a confirmation";

/// The gates of a migration.
pub(super) fn verify(steps: &[Step], found: &mut Vec<Violation>) {
    let ancestors = Ancestors::of(steps);
    let is = |step: &Step, wanted: &str| family_of(&step.id).is_some_and(|family| family.beginning == wanted);
    let of = |wanted: &str| -> Vec<&str> {
        steps.iter().filter(|step| is(step, wanted)).map(|step| step.id.as_str()).collect()
    };
    let lacks = |found: &mut Vec<Violation>, step: &Step, needed: &str, why: &str| {
        let what = format!("the step {} does not need {}", quoted(&step.id), quoted(needed));
        found.push(Violation::at(&step.id, what, why));
    };
    let retains = of(family::RETAIN);
    let restorers: Vec<&str> = of(family::SUSPEND).into_iter().chain(of(family::FIND_RESTORERS)).collect();
    let verified = of(family::VERIFY);
    let accounts: Vec<&str> =
        [family::ACCOUNT, family::ACCOUNT_CLUSTER, family::ACCOUNT_UNREAD].into_iter().flat_map(of).collect();
    for step in steps {
        let before = ancestors.before(&step.id);
        let moves = is(step, family::STOP)
            || is(step, family::FIRST_COPY)
            || is(step, family::FINAL_COPY)
            || is(step, family::FINAL_DUMP);
        if moves {
            for id in retains.iter().filter(|id| !before.contains(**id)) {
                lacks(found, step, id, KEPT);
            }
        }
        if is(step, family::STOP) {
            for id in restorers.iter().chain(&[id::CHECK_SUSPENDED]).filter(|id| !before.contains(**id)) {
                lacks(found, step, id, SUSPENDED);
            }
        }
        if is(step, family::STAYS_STOPPED) && !before.iter().any(|id| id.starts_with(family::STOP)) {
            lacks(found, step, family::STOP, WRITERS);
        }
        if is(step, family::FINAL_COPY) && !before.iter().any(|id| id.starts_with(family::STAYS_STOPPED)) {
            lacks(found, step, family::STAYS_STOPPED, WRITERS);
        }
        if let Some(name) = step.id.strip_prefix(family::VERIFY).filter(|_| is(step, family::VERIFY)) {
            let copies = [family::FINAL_COPY, family::FINAL_DUMP].map(|family| format!("{family}{name}"));
            if !copies.iter().any(|copy| before.contains(copy.as_str())) {
                lacks(found, step, &copies.join("` or `"), WRITERS);
            }
        }
        if step.id == id::REBOOT_TEST_AFTER_DATA {
            for id in verified.iter().chain(&of(family::START)).filter(|id| !before.contains(**id)) {
                lacks(found, step, id, "the second reboot test is one with all of the data and all of the services");
            }
        }
        if step.id == id::CONFIRM_DECOMMISSION {
            for id in accounts.iter().chain(&[id::SOAK]).filter(|id| !before.contains(**id)) {
                lacks(found, step, id, "nobody confirms what is not accounted for");
            }
        }
        let in_cluster = step.destroys.iter().any(|what| what.starts_with("claim:") || what.starts_with("workload:"));
        if in_cluster || step.id == id::SOAK {
            let ends = [id::REBOOT_TEST_AFTER_DATA, id::SOAK, id::CONFIRM_DECOMMISSION];
            for id in
                ends.into_iter().filter(|id| !before.contains(id) && (in_cluster || *id == id::REBOOT_TEST_AFTER_DATA))
            {
                lacks(found, step, id, ENDED);
            }
        }
        for claim in step.destroys.iter().filter_map(|what| what.strip_prefix("claim:")) {
            let verify = format!("{}{}", family::VERIFY, claim.replace('/', "-"));
            // The parts of a claim that go to several places are numbered.
            let is_part = |id: &str| {
                id.strip_prefix(verify.as_str()).is_some_and(|rest| {
                    rest.is_empty() || rest.strip_prefix('-').is_some_and(|number| number.parse::<u32>().is_ok())
                })
            };
            if !before.iter().any(|id| is_part(id)) {
                lacks(found, step, &verify, COPIED);
            }
        }
        if in_cluster && step.before.is_empty() {
            let what = format!("the step {} looks at nothing before it", quoted(&step.id));
            found.push(Violation::at(&step.id, what, LOOKED));
        }
        if in_cluster {
            for id in verified.iter().filter(|id| !before.contains(**id)) {
                lacks(found, step, id, COPIED);
            }
        }
    }
    for step in steps {
        let stops = [family::STOP, family::SUSPEND, family::RETAIN].into_iter().any(|family| is(step, family));
        if stops && step.kind != StepKind::Verify && step.undo.is_empty() {
            found.push(Violation::at(&step.id, format!("the step {} has no undo", quoted(&step.id)), BACK));
        }
    }
    let has = |id: &str| steps.iter().any(|step| step.id == id);
    for id in [id::CHECK_SUSPENDED, id::REBOOT_TEST_AFTER_DATA, id::SOAK] {
        if !has(id) {
            found.push(Violation::missing(id, ENDED));
        }
    }
    if !steps.iter().any(|step| is(step, family::CHECK_CONTEXT)) {
        found.push(Violation::missing(family::CHECK_CONTEXT, "no cluster is touched that is another than meant"));
    }
}
