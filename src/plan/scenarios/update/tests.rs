//! What the steps of an update are, on the hosts of the example.

use crate::plan::gates::id;
use crate::plan::tests::{RUNNING, made};
use crate::plan::{Plan, Scenario, StepKind};

fn plan(host: &str, facts: Option<&str>, from: &str, to: &str) -> Plan {
    made(host, Scenario::Update, facts, |text| text.replace(from, to))
}

fn lines<'p>(plan: &'p Plan, id: &str) -> Vec<&'p str> {
    plan.step(id).unwrap_or_else(|| panic!("{id}")).commands().iter().map(String::as_str).collect()
}

fn why<'p>(plan: &'p Plan, id: &str) -> &'p str {
    plan.step(id).unwrap_or_else(|| panic!("{id}")).reason()
}

#[test]
fn nothing_of_an_update_destroys_and_nothing_is_switched_live() {
    for plan in [plan("lufta", Some(RUNNING), "", ""), plan("attic", Some(RUNNING), "", "")] {
        assert!(plan.first_destroying().is_none());
        let all = plan.steps().iter().flat_map(crate::plan::Step::commands).map(String::as_str);
        assert!(
            !all.clone().any(|line| ["switch", "test"]
                .iter()
                .any(|how| line.contains(&format!("switch-to-configuration {how}"))))
        );
        // The profile of the system is touched by the script that promotes, and by nothing else.
        assert!(!all.clone().any(|line| line.contains("nix-env")));
        assert_eq!(plan.steps().iter().filter(|step| step.kind() == StepKind::RebootTest).count(), 1);
    }
}

#[test]
fn what_changes_is_named_from_facts_and_releases() {
    let plan = plan("lufta", Some(RUNNING), "", "");
    let why = why(&plan, id::SHOW_CHANGES);
    for line in
        ["- NixOS: from 25.11 to 26.05", "- kernel: from 6.12.60 to ", "- OpenZFS: from 2.3.5-1 to ", "- systemd: "]
    {
        assert!(why.contains(line), "{why}");
    }
    assert!(why.contains("- gitea: ") && why.contains("- postgresql: "), "{why}");
    assert!(lines(&plan, id::SHOW_CHANGES)[0].ends_with("changes.sh /nix/var/nix/gcroots/hostwright-candidate'"));
}

#[test]
fn without_facts_the_plan_says_what_it_cannot_know_and_takes_data_for_changed() {
    let plan = plan("lufta", None, "", "");
    assert!(why(&plan, id::SHOW_CHANGES).contains("hostwright probe lufta"));
    assert!(why(&plan, id::SNAPSHOT_STATE).contains("the versions are not known"));
    assert!(lines(&plan, id::REBOOT_TEST).iter().any(|line| line.contains("arm.sh bare ")));
}

#[test]
fn data_that_nobody_rewrites_is_tested_with_its_services_at_once() {
    let same = RUNNING.replace("25.11", "26.05");
    let plan = plan("lufta", Some(&same), "", "");
    assert!(plan.step(id::SNAPSHOT_STATE).is_none());
    let test = lines(&plan, id::REBOOT_TEST);
    assert!(!test.iter().any(|line| line.contains(" bare") || line.contains("snapshot.sh")), "{test:?}");
    assert_eq!(test.iter().filter(|line| line.contains("arm.sh trial ")).count(), 1);
}

#[test]
fn the_first_trial_holds_services_whose_data_another_version_takes_over() {
    let plan = plan("lufta", None, "", "");
    let test = lines(&plan, id::REBOOT_TEST);
    let at = |part: &str| test.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}"));
    let order = [
        "arm.sh bare ",
        "judge.sh bare",
        "confirm.sh",
        "snapshot.sh ",
        "arm.sh trial ",
        "judge.sh trial",
        "promote.sh",
        "judge.sh default",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{test:#?}");
    let snapshot = lines(&plan, id::SNAPSHOT_STATE)[0];
    assert!(
        snapshot.contains("snapshot.sh rpool/safe/") && plan.number(id::SNAPSHOT_STATE) < plan.number(id::REBOOT_TEST)
    );
}

#[test]
fn every_pool_is_held_against_the_candidate_and_every_generation() {
    let old =
        RUNNING.replace("\"zfs\": \"2.3.5\" }]", "\"zfs\": \"2.3.5\" }, { \"number\": 40, \"zfs\": \"2.1.11\" }]");
    let plan = plan("lufta", Some(&old), "", "");
    let line = lines(&plan, id::CHECK_POOL_CONTRACT)[0];
    let (candidate, others) = line.split_once("contract.sh ").unwrap().1.split_once(r"'\'' '\''").unwrap();
    // block_cloning came with 2.2, raidz_expansion with 2.3.
    assert!(candidate.contains("raidz_expansion") && candidate.contains("block_cloning"), "{candidate}");
    assert!(others.contains("log_spacemap") && !others.contains("block_cloning"), "{others}");
    assert!(why(&plan, id::CHECK_POOL_CONTRACT).contains("- generation 40, OpenZFS 2.1.11"));
}

#[test]
fn a_candidate_whose_zfs_nobody_knows_is_compared_by_a_person() {
    let plan = plan("lufta", Some(RUNNING), "[zfs]\n", "[zfs]\npackage = \"zfs_of_somebody\"\n");
    let step = plan.step(id::CHECK_POOL_CONTRACT).unwrap();
    assert!(step.kind() == StepKind::Instruction && step.commands().is_empty());
    assert!(plan.gate(step).is_some());
}

#[test]
fn baseline_boots_are_left_out_where_the_machine_says_that_they_passed() {
    let plan = plan("lufta", Some(RUNNING), "", "");
    let once = lines(&plan, id::BASELINE_ONCE);
    assert_eq!(once[0], "touch -- state/lufta/baseline-proven");
    assert!(
        once[1].contains("baseline.sh proven") && once[1].ends_with("|| rm -f -- state/lufta/baseline-proven"),
        "{}",
        once[1]
    );
    let default = lines(&plan, id::BASELINE_DEFAULT);
    for line in once[2..].iter().chain(&default) {
        assert!(line.starts_with("test -e state/lufta/baseline-proven || "), "{line}");
    }
    // The old system was made by another definition perhaps: it is held against what it was.
    assert!(once.iter().any(|line| line.contains("judge.sh baseline recorded")));
    assert!(default.last().unwrap().contains("baseline.sh keep"));
    let access = plan.step(id::PROVE_ACCESS).unwrap();
    assert!(
        access.kind() == StepKind::Verify && access.commands()[0].ends_with("|| test -e state/lufta/console-proven")
    );
}

#[test]
fn where_the_loader_has_no_way_back_a_person_takes_the_candidate_and_its_undo_is_the_last_good_one() {
    let plan = plan("lufta", Some(RUNNING), "loader = \"grub\"", "loader = \"other\"");
    assert!(plan.step(id::CHECK_READY).is_none() && plan.step(id::WATCH_CONSOLE).is_some());
    let test = plan.step(id::REBOOT_TEST).unwrap();
    assert!(lines(&plan, id::REBOOT_TEST)[0].contains("take.sh /nix/var/nix/gcroots/hostwright-candidate"));
    assert!(test.way_back()[0].contains("evidence.sh"));
    assert!(test.way_back()[1].contains("take.sh /nix/var/nix/gcroots/hostwright-last-good"));
}

#[test]
fn a_host_that_builds_itself_is_evaluated_for_on_the_deployer() {
    let plan = plan("lufta", Some(RUNNING), "[deploy]\n", "[deploy]\nbuild-on = \"target\"\n");
    let build = lines(&plan, id::BUILD_SYSTEM)[0];
    assert!(
        build.starts_with("env 'NIX_SSHOPTS=")
            && build.contains("--eval-store auto --store ssh-ng://root@135.181.162.99"),
        "{build}"
    );
    assert!(!plan.steps().iter().flat_map(crate::plan::Step::commands).any(|line| line.contains("nix-command copy")));
}

#[test]
fn host_keys_of_the_definition_are_what_the_connection_is_bound_to() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA";
    let plan = plan("lufta", Some(RUNNING), "[access]\n", &format!("[access]\nhost-keys = [\"{key}\"]\n"));
    let line = lines(&plan, id::RECORD_HOST_KEYS)[0];
    assert!(line.starts_with("ssh-keygen -F lufta ") && line.contains(&format!("|| printf '%s\\n' '{key}'")), "{line}");
}
