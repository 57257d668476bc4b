//! What deletes: of clusters, and of hosts that go.

use crate::plan::gates::{self, id, retire};
use crate::plan::step::{Step, StepKind};
use crate::plan::tests::{RUNNING, made};
use crate::plan::{Plan, Scenario};

fn plan(scenario: Scenario, host: &str) -> Plan {
    made(host, scenario, Some(RUNNING), str::to_owned)
}

fn without(plan: &Plan, gone: &Step) -> Vec<Step> {
    let mut steps: Vec<Step> = plan.steps().iter().filter(|step| step.id != gone.id).cloned().collect();
    for step in &mut steps {
        if step.needs.contains(&gone.id) {
            step.needs.retain(|need| *need != gone.id);
            step.needs.extend(gone.needs.iter().cloned());
        }
    }
    steps
}

#[test]
fn what_is_left_behind_goes_only_after_the_migration_is_over_and_a_last_listing() {
    let plan = plan(Scenario::Decommission, "lufta");
    assert_eq!(gates::verify(&plan), []);
    let number = |id: &str| plan.number(id).unwrap_or_else(|| panic!("{id}"));
    let soaked = plan.step(id::CHECK_SOAKED).unwrap();
    let line = soaked.commands().join("\n");
    for step in ["--done verify-", "--done reboot-test-after-data", "--done soak", "--done backup-drill-lufta"] {
        assert!(line.contains(step), "{line}");
    }
    let destroying: Vec<&Step> = plan.steps().iter().filter(|step| !step.destroyed().is_empty()).collect();
    assert!(destroying.len() > 4, "workloads and claims");
    for step in &destroying {
        for earlier in [id::CHECK_SOAKED, "last-listing-do", "check-context-do", id::CONFIRM_DECOMMISSION] {
            assert!(number(earlier) < number(step.id()), "{}", step.id());
        }
        assert!(!step.checks_before().is_empty(), "{} looks once more", step.id());
    }
    for gone in [id::CHECK_SOAKED, "last-listing-do", id::CONFIRM_DECOMMISSION, "check-context-do"] {
        let steps = without(&plan, plan.step(gone).unwrap());
        assert!(!gates::verify_steps(Scenario::Decommission, &steps).is_empty(), "{gone}");
    }
}

#[test]
fn where_nothing_is_left_nothing_is_deleted() {
    let plan = plan(Scenario::Decommission, "attic");
    assert_eq!(gates::verify(&plan), []);
    assert!(plan.steps().iter().all(|step| step.destroyed().is_empty() && step.kind() != StepKind::Destroy));
    assert!(plan.step(id::NOTHING_LEFT).unwrap().reason().contains("--retire"));
}

#[test]
fn a_host_goes_only_after_its_last_backup_a_listing_and_a_week() {
    for host in ["lufta", "attic"] {
        let plan = plan(Scenario::Retire, host);
        assert_eq!(gates::verify(&plan), [], "{host}");
        let wipes: Vec<&Step> = plan.steps().iter().filter(|step| step.id().starts_with(retire::WIPE)).collect();
        assert!(!wipes.is_empty());
        for step in &wipes {
            assert_eq!((step.kind(), step.destroyed().len()), (StepKind::Destroy, 1));
            assert!(
                step.destroyed()[0].starts_with("disk:") && step.commands()[0].contains("wipe.sh --yes "),
                "{step:?}"
            );
        }
        assert!(plan.step(id::SOAK).unwrap().expected_seconds() >= 7 * 86_400);
        let guards = [
            id::NOBODY_NEEDS_IT,
            id::STOP_SERVICES,
            id::LAST_BACKUP,
            id::LAST_LISTING,
            id::SOAK,
            id::COMPARE_FINGERPRINT,
            id::CHECK_DISKS,
            id::CONFIRM_DISKS,
        ];
        for gone in guards {
            let steps = without(&plan, plan.step(gone).unwrap());
            assert!(!gates::verify_steps(Scenario::Retire, &steps).is_empty(), "{host}: {gone}");
        }
    }
}

#[test]
fn a_database_runs_on_until_its_last_dump() {
    let plan = plan(Scenario::Retire, "lufta");
    let stop = plan.step(id::STOP_SERVICES).unwrap().commands().join("\n");
    assert!(stop.contains("gitea.service") && !stop.contains("postgresql.service"), "{stop}");
    assert!(plan.step(id::LAST_BACKUP).unwrap().commands()[0].contains("borgbackup-job-offsite.service"));
}
