//! Boots that pass and boots that do not: the verdict, the evidence, and the way back that runs by itself.

use std::path::Path;

use super::*;
use crate::plan::{BootKind, Role};

const RECORDED: &str = "hostwright-result: boot=1 system=/nix/store/old\n";
const ARMED: &str = "hostwright-result: kind=trial new=/nix/store/new old=/nix/store/old\n";
const BACK: &str = "back after 70 s\nhostwright-result: away=70 may=600 watched=900 blind=0 before=1 after=2\n";
const WELL: &str =
    "hostwright-result: mode=trial boot=2 system=/nix/store/new wanted=/nix/store/new damages=0 status=0\n";

/// A step as the plan makes it, with one trial and one boot by default.
fn test_of(line: fn(&'static str) -> &'static str) -> Plan {
    let wait = |kind| Role::Wait { kind, may: 600, watched: 900 };
    let sketch = Sketch::new("reboot-test", StepKind::RebootTest)
        .before(line("ready"))
        .run_as(Role::Record, line("record-1"))
        .run_as(Role::Arm, line("arm"))
        .run_as(Role::Reboot, line("reboot-1"))
        .run_as(wait(BootKind::Trial), "wait-1")
        .run_as(Role::Watch, "ping-1")
        .run_as(Role::Judge, line("judge-1"))
        .run_as(Role::Confirm, line("confirm"))
        .run_as(Role::Promote, line("promote"))
        .run_as(Role::Record, line("record-2"))
        .run_as(Role::Reboot, line("reboot-2"))
        .run_as(wait(BootKind::Default), "wait-2")
        .run_as(Role::Judge, line("judge-2"))
        .after_as(Role::Judge, line("judge-3"))
        .undo_as(Role::Evidence, line("evidence"))
        .undo_as(Role::Disarm, line("disarm"))
        .undo("power-cycle");
    plan(vec![sketch, command("move-data", "move").needs("reboot-test")])
}

fn machine() -> Scripted {
    let says = vec![
        ("record", RECORDED),
        ("arm", ARMED),
        ("wait", BACK),
        ("judge", WELL),
        ("evidence", "the journal of the boot\n"),
    ];
    Scripted { says, boots: vec!["2"], ..Scripted::default() }
}

struct Ran {
    ending: Ending,
    ran: Vec<String>,
    heard: Vec<String>,
    verdict: serde_json::Value,
    journal: String,
    folder: tempfile::TempDir,
}

fn carried_out(plan: &Plan, mut machine: Scripted) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut nobody = Somebody::default();
    let limits = Limits { way_back: 1, ..Limits::default() };
    let ending =
        run_with(plan, folder.path(), &Options::default(), &Stop::never(), &mut nobody, &mut machine, &limits).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("state/a").join(name)).unwrap();
    let verdict = serde_json::from_str(&read("reboot-test.json")).unwrap();
    let journal = read("journal-install.log");
    Ran { ending, ran: machine.ran, heard: nobody.heard, verdict, journal, folder }
}

fn same(line: &'static str) -> &'static str {
    line
}

/// Lets one line end so.
fn failing(part: &'static str, ran: super::super::transport::Ran) -> Scripted {
    Scripted { ends: vec![(part, ran)], ..machine() }
}

#[test]
fn a_test_that_passes_has_a_verdict_with_both_of_its_boots() {
    let ran = carried_out(&test_of(same), machine());
    assert_eq!(ran.ending, Ending::Complete);
    let verdict = &ran.verdict;
    assert_eq!((verdict["outcome"].as_str(), verdict["step"].as_str()), (Some("passed"), Some("reboot-test")));
    assert_eq!(verdict["boots"].as_array().unwrap().len(), 2);
    assert_eq!(verdict["boots"][0]["kind"], "trial");
    assert_eq!((&verdict["boots"][0]["confirmed"], &verdict["boots"][1]["seconds_away"]), (&true.into(), &70.into()));
    assert_eq!(
        (verdict["candidate"].as_str(), verdict["old"].as_str()),
        (Some("/nix/store/new"), Some("/nix/store/old"))
    );
    assert!(ran.heard.contains(&"judged passed".to_owned()) && ran.journal.contains("\"what\":\"judged\""));
    assert!(!ran.ran.iter().any(|line| line == "evidence" || line == "disarm"), "{:?}", ran.ran);
}

#[test]
fn each_way_to_fail_is_told_and_the_data_behind_it_stays_where_it_is() {
    use super::super::transport::Ran::{Exit, Late, Unknown};
    for (part, ends, outcome, disarms) in [
        ("ready", Exit(1), "refused", false),
        ("record-1", Exit(1), "refused", false),
        ("arm", Exit(1), "refused", true),
        ("wait-1", Exit(4), "did-not-come-back", false),
        ("wait-1", Late, "did-not-come-back", false),
        ("wait-1", Exit(3), "too-late", true),
        ("wait-1", Exit(5), "not-proven", false),
        ("ping-1", Exit(1), "came-back-with-damage", true),
        ("judge-1", Exit(1), "came-back-with-damage", true),
        ("judge-1", Exit(2), "came-back-on-old", true),
        ("judge-1", Exit(3), "wrong-generation", true),
        ("judge-1", Unknown(Trouble::new("lost")), "not-proven", true),
        ("promote", Exit(1), "not-proven", true),
        ("judge-2", Exit(1), "came-back-with-damage", false),
        ("judge-3", Exit(3), "wrong-generation", false),
    ] {
        let ran = carried_out(&test_of(same), failing(part, ends));
        assert_eq!(ran.verdict["outcome"], outcome, "{part}");
        let failed = failed(Ok(ran.ending));
        assert_eq!(failed.step, "reboot-test");
        assert_eq!(ran.ran.iter().any(|line| line == "disarm"), disarms, "{part}: {:?}", ran.ran);
        assert_eq!(failed.undo.contains(&"disarm".to_owned()), !disarms, "{part}: {:?}", failed.undo);
        assert!(failed.undo.contains(&"power-cycle".to_owned()) && !ran.ran.contains(&"power-cycle".to_owned()));
        assert!(!ran.ran.contains(&"move".to_owned()), "{part}");
        assert!(ran.heard.contains(&format!("judged {outcome}")));
    }
}

#[test]
fn a_look_from_outside_that_fails_is_judged_by_which_generation_runs() {
    use super::super::transport::Ran::Exit;
    for (status, outcome) in [(2, "came-back-on-old"), (3, "wrong-generation"), (0, "came-back-with-damage")] {
        let ends = vec![("ping-1", Exit(1)), ("judge-1", Exit(status))];
        let ran = carried_out(&test_of(same), Scripted { ends, ..machine() });
        assert_eq!(ran.verdict["outcome"], outcome);
        assert_eq!(ran.verdict["boots"][0]["judged"]["status"], status);
        assert_eq!(ran.verdict["boots"][0]["asked"][0]["passed"], false);
        assert!(
            ran.journal.contains("\"what\":\"aid-began\",\"step\":\"reboot-test\",\"aid\":\"judge\""),
            "{}",
            ran.journal
        );
    }
}

#[test]
fn what_the_host_knows_is_kept_without_secrets_and_the_journal_announces_what_runs_by_itself() {
    let folder = |ran: &Ran| ran.folder.path().to_owned();
    let ran = carried_out(&test_of(same), failing("judge-1", super::super::transport::Ran::Exit(2)));
    let file = ran.verdict["evidence"][0].as_str().unwrap().to_owned();
    assert!(file.starts_with("state/a/evidence/install-"), "{file}");
    assert_eq!(std::fs::read_to_string(folder(&ran).join(&file)).unwrap(), "\n$ evidence\nthe journal of the boot\n");
    let at = |text: &str| ran.journal.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.journal));
    assert!(
        at("\"aid\":\"evidence\"") < at("\"aid\":\"disarm\"") && at("\"aid\":\"disarm\"") < at("\"what\":\"failed\"")
    );
    assert_eq!(ran.journal.matches("\"aid-began\"").count(), ran.journal.matches("\"aid-done\"").count());
    let failed = failed(Ok(ran.ending));
    assert!(failed.why.starts_with("came back on the old generation: line 6 of 12"), "{}", failed.why);
    assert!(failed.did[0].contains(&file) && failed.did[1].contains("taken away from every disk"), "{:?}", failed.did);
    assert_eq!(ran.verdict["disarmed"], true);
}

#[test]
fn a_candidate_that_runs_unconfirmed_is_waited_for_until_the_last_good_system_is_back() {
    use super::super::transport::Ran::Exit;
    let ends = || vec![("judge-1", Exit(1)), ("disarm", Exit(1))];
    let far = |line: &'static str| -> &'static str { Box::leak(remote(line).into_boxed_str()) };
    // Each of its commands asks for the boot first, so that the other one comes in when the way back looks for it.
    let boots = [vec!["2"; 7], vec!["3"]].concat();
    let ran = carried_out(&test_of(far), Scripted { ends: ends(), boots, ..machine() });
    let disarms = |ran: &Ran| ran.ran.iter().filter(|line| line.contains("disarm")).count();
    assert_eq!((disarms(&ran), &ran.verdict["disarmed"]), (2, &true.into()));
    assert!(ran.heard.iter().any(|heard| heard.contains("it gives up by itself")), "{:?}", ran.heard);
    // It does not come: what is left to do is said.
    let ran = carried_out(&test_of(far), Scripted { ends: ends(), ..machine() });
    assert_eq!((disarms(&ran), &ran.verdict["disarmed"]), (1, &false.into()));
    let failed = failed(Ok(ran.ending));
    assert!(
        failed.did.iter().any(|did| did.contains("not taken away yet"))
            && failed.undo.iter().any(|line| line.contains("disarm"))
    );
}

#[test]
fn a_test_that_came_to_its_end_begins_anew_and_one_that_was_cut_off_goes_on() {
    let plan = plan(vec![
        Sketch::new("look", StepKind::Command).run("look"),
        Sketch::new("reboot-test", StepKind::RebootTest).needs("look").run_as(Role::Judge, "judge"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let anew = Options { anew: true, ..Options::default() };
    let run = |machine: Scripted| {
        let mut machine = machine;
        let _ = scripted(&plan, folder.path(), &anew, &mut Somebody::default(), &mut machine).unwrap();
        machine.ran
    };
    let lost = || super::super::transport::Ran::Stopped { goes_on: false };
    assert_eq!(run(Scripted { ends: vec![("judge", lost())], ..machine() }), ["look", "judge"]);
    assert_eq!(run(failing("judge", super::super::transport::Ran::Exit(1))), ["judge"]);
    // It had its verdict, so that it is over.
    assert_eq!(run(machine()), ["look", "judge"]);
    assert_eq!(run(machine()), ["look", "judge"]);
    assert!(journals(folder.path()) >= 3);
}

#[test]
fn a_trial_that_was_cut_off_is_taken_away_before_the_step_begins_anew() {
    let plan = test_of(same);
    let folder = tempfile::tempdir().unwrap();
    let stopped = super::super::transport::Ran::Stopped { goes_on: false };
    let mut cut = failing("reboot-1", stopped);
    let ending = scripted(&plan, folder.path(), &Options::default(), &mut Somebody::default(), &mut cut);
    assert!(matches!(ending, Ok(Ending::Interrupted { .. })) && !cut.ran.contains(&"disarm".to_owned()), "{ending:?}");
    let mut again = machine();
    let ending = scripted(&plan, folder.path(), &Options::default(), &mut Somebody::default(), &mut again);
    assert_eq!((ending, again.ran[..3].join(" ")), (Ok(Ending::Complete), "disarm ready record-1".to_owned()));
}

fn journals(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder.join("state/a")).unwrap();
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("journal-")).count()
}

#[test]
fn a_run_that_was_killed_behind_the_last_line_of_a_boot_gives_the_same_verdict() {
    let plan = test_of(same);
    let whole = carried_out(&plan, machine());
    let path = whole.folder.path().join("state/a/journal-install.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = text.lines().position(|line| line.contains("\"what\":\"judged\"")).unwrap();
    let kept: String = text.lines().take(cut).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, kept).unwrap();
    std::fs::remove_file(whole.folder.path().join("state/a/reboot-test.json")).unwrap();
    let mut again = machine();
    let ending = scripted(&plan, whole.folder.path(), &Options::default(), &mut Somebody::default(), &mut again);
    assert_eq!(ending, Ok(Ending::Complete));
    assert_eq!(again.ran, ["judge-3", "move"]);
    let verdict = std::fs::read_to_string(whole.folder.path().join("state/a/reboot-test.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    assert_eq!(verdict["boots"], whole.verdict["boots"]);
}
