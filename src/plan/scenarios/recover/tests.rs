//! Recoveries: what comes before what, whoever changes the plan.

use crate::plan::gates::{self, id, restore};
use crate::plan::step::{Step, StepKind};
use crate::plan::tests::made;
use crate::plan::{Plan, Scenario};

fn lufta(from: &str, to: &str) -> Plan {
    made("lufta", Scenario::Recover, None, |text| text.replace(from, to))
}

/// Recoveries of every form: with backups, without one, of a machine that runs already, with no pool's size known.
fn forms() -> Vec<Plan> {
    let without = |text: &str| {
        let (before, rest) = text.split_once("[backup.offsite]").unwrap();
        let behind = rest.split_once("\n[").map_or_else(String::new, |(_, behind)| format!("\n[{behind}"));
        format!("{before}{behind}")
    };
    vec![
        lufta("", ""),
        made("lufta", Scenario::Recover, None, without),
        made("attic", Scenario::Recover, None, str::to_owned),
        lufta("method = \"kexec\"", "method = \"existing\""),
        lufta("loader = \"grub\"", "loader = \"other\""),
        lufta("size = \"2TB\"\n", ""),
    ]
}

fn ids<'p>(plan: &'p Plan, beginning: &str) -> Vec<&'p str> {
    plan.steps().iter().map(Step::id).filter(|id| id.starts_with(beginning)).collect()
}

#[test]
fn every_form_keeps_every_gate() {
    for plan in forms() {
        assert_eq!(gates::verify(&plan), [], "{:?}", plan.steps().iter().map(Step::id).collect::<Vec<_>>());
    }
}

#[test]
fn nothing_of_the_machine_is_touched_before_its_backups_were_looked_at() {
    let plan = lufta("", "");
    let looks = ids(&plan, restore::LOOK);
    assert_eq!(looks, ["look-at-backup-offsite"]);
    let number = |id: &str| plan.number(id).unwrap();
    for first in [id::START_INSTALLER, id::PARTITION_DISKS, id::CREATE_POOLS] {
        assert!(number(looks[0]) < number(first), "{first}");
    }
    // And nothing of it is changed by the look.
    let look = plan.step(looks[0]).unwrap();
    assert_eq!((look.kind(), look.destroyed().len()), (StepKind::Verify, 0));
}

#[test]
fn a_service_is_held_restored_compared_and_started_in_this_order() {
    let plan = lufta("", "");
    let number = |id: &str| plan.number(id).unwrap_or_else(|| panic!("{id}: {:?}", ids(&plan, "")));
    let order = [
        id::REBOOT_TEST,
        "hold-service-gitea",
        id::COPY_RECOVER_SCRIPTS,
        "restore-service-gitea",
        "verify-service-gitea",
        "start-service-gitea",
        id::RELEASE_BACKUPS,
        id::REBOOT_TEST_AFTER_DATA,
    ];
    let numbers: Vec<usize> = order.iter().map(|id| number(id)).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(number("hold-backup-offsite") < number("restore-service-gitea"));
    let restore = plan.step("restore-service-gitea").unwrap();
    assert!(restore.checks_before().iter().any(|line| line.contains("! systemctl is-active")), "{restore:?}");
    // What gitea's start needs beside its data: the database that was loaded.
    for rest in ids(&plan, "restore-rest-") {
        assert!(number("start-service-gitea") < number(rest), "homes come once the services are back");
    }
}

#[test]
fn a_host_without_a_backup_says_so_before_it_touches_anything() {
    let plan = &forms()[1];
    let account = plan.step(id::ACCOUNT_UNSAVED).unwrap();
    assert!(account.reason().contains("no `[backup]`"), "{}", account.reason());
    assert!(plan.number(id::ACCOUNT_UNSAVED) < plan.number(id::START_INSTALLER));
    assert_eq!(ids(plan, restore::RESTORE), Vec::<&str>::new());
    assert!(lufta("", "").step(id::ACCOUNT_UNSAVED).is_none(), "all that lufta has is in its backup");
}

#[test]
fn taking_out_a_look_a_hold_or_a_comparison_is_found() {
    for plan in forms() {
        let guards: Vec<&Step> = plan
            .steps()
            .iter()
            .filter(|step| {
                let id = step.id();
                let restored = plan.step(&id.replacen(restore::HOLD, restore::RESTORE, 1)).is_some();
                // One of several looks may be missing: it is of a backup of its own.
                id.starts_with(restore::LOOK) && ids(&plan, restore::LOOK).len() == 1
                    || id.starts_with("hold-service-") && restored
                    || id.starts_with(restore::VERIFY) && !id.starts_with("verify-drill-")
                    || id == id::REBOOT_TEST_AFTER_DATA
                    || id == id::REBOOT_TEST
            })
            .collect();
        assert!(guards.len() >= 2, "{:?}", ids(&plan, ""));
        for gone in guards {
            let mut steps: Vec<Step> = plan.steps().iter().filter(|step| step.id != gone.id).cloned().collect();
            for step in &mut steps {
                if step.needs.contains(&gone.id) {
                    step.needs.retain(|need| *need != gone.id);
                    step.needs.extend(gone.needs.iter().cloned());
                }
            }
            assert!(!gates::verify_steps(Scenario::Recover, &steps).is_empty(), "{}", gone.id);
        }
    }
}

#[test]
fn a_start_or_a_backup_that_does_not_wait_for_the_comparison_is_found() {
    let plan = lufta("", "");
    let mut steps = plan.steps().to_vec();
    let index = steps.iter().position(|step| step.id == "start-service-gitea").unwrap();
    steps[index].needs = vec![id::REBOOT_TEST.to_owned(), "hold-service-gitea".to_owned()];
    let found = gates::verify_steps(Scenario::Recover, &steps);
    assert!(
        found.iter().any(|found| found.what.contains("`start-service-gitea` does not need `verify-service-gitea`")),
        "{found:?}"
    );
    let mut steps = plan.steps().to_vec();
    let index = steps.iter().position(|step| step.id == id::RELEASE_BACKUPS).unwrap();
    steps[index].needs = vec![id::REBOOT_TEST.to_owned()];
    let found = gates::verify_steps(Scenario::Recover, &steps);
    assert!(found.iter().any(|found| found.why.contains("no backup is made of a machine")), "{found:?}");
}
