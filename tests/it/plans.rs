//! Plans through the real program: accepted as they were made, refused when anything in them was changed.

use serde_json::Value;

use crate::program::Sandbox;

const TODAY: [&str; 2] = ["--today", "2026-11-21"];
const PLAN: &str = "out/hosts/lufta/plan.json";

fn built() -> Sandbox {
    let sandbox = Sandbox::example();
    let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
    sandbox
}

fn apply(sandbox: &Sandbox) -> crate::program::Run {
    sandbox.run(&["apply", "lufta", "--dry-run", TODAY[0], TODAY[1]])
}

/// Changes the plan as a JSON document and expects it to be refused with a word of the place.
fn refused(change: impl FnOnce(&mut Value), place: &str) {
    let sandbox = built();
    let mut plan: Value = serde_json::from_str(&sandbox.read(PLAN)).unwrap();
    let before = plan.clone();
    change(&mut plan);
    assert_ne!(plan, before, "the change changed nothing");
    sandbox.write(PLAN, serde_json::to_string_pretty(&plan).unwrap() + "\n");
    let run = apply(&sandbox).ends(2).complains("is refused").complains("plan.json:").complains(place);
    assert!(!run.out.contains("verified"));
}

fn steps(plan: &mut Value) -> &mut Vec<Value> {
    plan["steps"].as_array_mut().unwrap()
}

fn at(plan: &mut Value, id: &str) -> usize {
    steps(plan).iter().position(|step| step["id"] == id).unwrap()
}

#[test]
fn an_untouched_plan_is_accepted_and_nothing_is_run() {
    let sandbox = built();
    apply(&sandbox).ends(0).says("reboot-test").says("verified").says("nothing was run");
    assert!(!sandbox.path().join("state").exists());
    // Another formatting of the same document says the same.
    let plan: Value = serde_json::from_str(&sandbox.read(PLAN)).unwrap();
    sandbox.write("copy.json", plan.to_string());
    sandbox.run(&["apply", "lufta", "--plan", "copy.json", "--dry-run", TODAY[0], TODAY[1]]).ends(0);
}

#[test]
fn a_scenario_that_is_named_is_carried_out_whatever_plan_lies_in_out() {
    let sandbox = built();
    let install = ["apply", "lufta", "--scenario", "install", "--dry-run", TODAY[0], TODAY[1]];
    let run = sandbox.run(&install).ends(0).says("lufta: install").says("verified");
    let _ = run.complains(
        "out/hosts/lufta/plan.json is a plan for `migrate`: the one for install is made from the fleet's definitions",
    );
    assert!(!sandbox.tree("out/hosts/lufta").keys().any(|path| path.starts_with("plan-")), "a plan has one name");
    // One of the same scenario is compared as ever, and so is one that is named.
    sandbox.edit(PLAN, "\"expected_seconds\": 10", "\"expected_seconds\": 11");
    let _ = sandbox.run(&["apply", "lufta", "--scenario", "migrate", "--dry-run", TODAY[0], TODAY[1]]).ends(2);
    let named = [&install[..], &["--plan", PLAN]].concat();
    let _ = sandbox.run(&named).ends(2).complains("is refused");
}

#[test]
fn a_plan_without_its_reboot_test_is_refused() {
    refused(
        |plan| {
            let at = at(plan, "reboot-test");
            steps(plan).remove(at);
            for step in steps(plan) {
                step["needs"].as_array_mut().unwrap().retain(|need| need != "reboot-test");
            }
        },
        "reboot-test",
    );
}

#[test]
fn a_reboot_test_of_another_kind_is_refused() {
    refused(
        |plan| {
            let at = at(plan, "reboot-test");
            steps(plan)[at]["kind"] = "command".into();
        },
        "reboot-test",
    );
}

#[test]
fn one_word_of_one_step_is_enough() {
    refused(
        |plan| {
            let at = at(plan, "export-pools");
            let line = steps(plan)[at]["run"][0].as_str().unwrap().to_owned() + " ";
            steps(plan)[at]["run"][0] = line.into();
        },
        "export-pools",
    );
}

#[test]
fn a_dropped_edge_is_refused() {
    refused(
        |plan| {
            let at = at(plan, "first-boot");
            steps(plan)[at]["needs"] = Value::Array(Vec::new());
        },
        "first-boot",
    );
}

#[test]
fn two_swapped_steps_are_refused() {
    refused(
        |plan| {
            let (a, b) = (at(plan, "set-host-id"), at(plan, "create-pools"));
            steps(plan).swap(a, b);
        },
        "create-pools",
    );
}

#[test]
fn a_plan_of_a_fleet_that_has_changed_is_refused() {
    let sandbox = built();
    sandbox.edit("hosts/lufta/host.toml", "quota = \"200GiB\"", "quota = \"300GiB\"");
    apply(&sandbox).ends(2).complains("plan.json:");
    // What concerns another host is nothing to this plan.
    let sandbox = built();
    sandbox.edit("hosts/attic/host.toml", "tcp = [22]", "tcp = [22, 8443]");
    apply(&sandbox).ends(0);
}

#[test]
fn what_is_no_plan_is_refused_with_its_place() {
    let sandbox = built();
    let text = sandbox.read(PLAN);
    for (bad, place) in [
        (String::new(), "plan.json:1:1"),
        ("[]".to_owned(), "plan.json:1:1"),
        (text[..text.len() / 2].to_owned(), "plan.json:"),
        ("[".repeat(10_000), "plan.json:"),
        (" ".repeat(10_000_000), "plan.json:1:1"),
    ] {
        sandbox.write(PLAN, bad);
        apply(&sandbox).ends(2).complains(place);
    }
    sandbox.write(PLAN, [0xff, 0xfe]);
    apply(&sandbox).ends(2).complains("not UTF-8");
    std::fs::remove_file(sandbox.path().join(PLAN)).unwrap();
    apply(&sandbox).ends(2).complains("there is no plan").complains("hostwright build");
}

#[test]
fn every_format_is_printed_and_what_a_scenario_lacks_is_said() {
    let sandbox = Sandbox::example();
    for format in ["human", "md", "json", "html", "dot"] {
        let run = sandbox.run(&["plan", "attic", "--format", format, TODAY[0], TODAY[1]]).ends(0);
        assert!(run.out.contains("reboot-test") && run.out.ends_with('\n'), "{format}");
    }
    sandbox.run(&["plan", "attic", "--out", "p", TODAY[0], TODAY[1]]).ends(0);
    assert_eq!(sandbox.tree("p").len(), 3);
    let recover = sandbox.run(&["plan", "attic", "--scenario", "recover", TODAY[0], TODAY[1]]).ends(0);
    assert!(recover.out.contains("account-unsaved"), "it has no backup: {}", recover.out);
    sandbox
        .run(&["plan", "attic", "--scenario", "update", "--retire", TODAY[0], TODAY[1]])
        .ends(2)
        .complains("goes with `--scenario decommission`");
    sandbox
        .run(&["plan", "attic", "--scenario", "migrate", TODAY[0], TODAY[1]])
        .ends(2)
        .complains("nothing moves to it");
    sandbox.edit("hosts/attic/host.toml", "target = \"root@attic.example.net\"\n", "");
    sandbox.run(&["plan", "attic", TODAY[0], TODAY[1]]).ends(2).complains("target");
    sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0).says("no plan: `[deploy] target` is not stated");
}
