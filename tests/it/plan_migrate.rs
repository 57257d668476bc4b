//! Plans of migrations through the real program: what they promise, that they load as they were made, and that a shell takes every line.
//!
//! tests/fleets/leaving has services of two clusters: one with manifests and all kinds of restorers, one without any.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use hostwright::facts::Facts;
use hostwright::fleet::cluster::ClusterFacts;
use hostwright::plan::{self, Plan, Scenario};
use hostwright::report::plan::{PlanFormat, write};
use hostwright::source::{self, FleetFiles};
use serde_json::Value;

use super::compile_shell::words;
use super::plan::{golden, is_installed};
use super::program::{Sandbox, repository};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];
const FLEET: &str = "tests/fleets/leaving";
const HOST: &str = "harbour";
const PLAN: &str = "out/hosts/harbour/plan.json";

/// A copy of the fleet.
pub(crate) fn leaving() -> Sandbox {
    let sandbox = Sandbox::empty();
    for path in ["fleet.toml", "hosts/harbour/host.toml", "k8s/home.yaml"] {
        sandbox.write(path, std::fs::read(repository().join(FLEET).join(path)).unwrap());
    }
    sandbox
}

/// The plan of the fleet with what the manifests say changed.
fn made(change: impl FnOnce(&mut BTreeMap<String, ClusterFacts>)) -> Plan {
    let mut files: FleetFiles = source::load(&repository().join(FLEET)).unwrap();
    let facts = Facts::embedded();
    let today = "2026-11-21".parse().unwrap();
    hostwright::check::check_files(&mut files, &facts, &[], today, |fleet, outcome, _| {
        let fleet = fleet.unwrap();
        let mut clusters = outcome.clusters.facts().clone();
        change(&mut clusters);
        let host = fleet.hosts.iter().find(|host| host.name == HOST).unwrap();
        let inputs = [("fleet.toml".to_owned(), "")];
        plan::make(fleet, host, Some(Scenario::Migrate), &inputs, "0.1.0", &facts, &clusters).unwrap()
    })
}

fn lines(plan: &Plan) -> Vec<&str> {
    let steps = plan.steps().iter();
    let lines = steps.flat_map(|step| [step.checks_before(), step.commands(), step.checks_after(), step.way_back()]);
    lines.flatten().map(String::as_str).collect()
}

#[test]
fn the_plan_of_a_migration_is_this() {
    let plan = made(|_| {});
    let goldens = repository().join("tests/golden/plan");
    for (format, ending) in [(PlanFormat::Markdown, "md"), (PlanFormat::Human, "txt")] {
        golden(&goldens.join(format!("{HOST}.migrate.{ending}")), &write(&plan, format, false).unwrap());
    }
    for format in PlanFormat::ALL {
        let text = write(&plan, format, false).unwrap();
        assert!(text.contains("Before anything is stopped") || format == PlanFormat::Json, "{}", format.as_str());
    }
}

#[test]
fn nothing_is_asked_of_a_name_before_it_leads_to_the_host() {
    let sandbox = Sandbox::example();
    let output = sandbox.run(&["plan", "lufta", "--scenario", "migrate", "--format", "json", TODAY[0], TODAY[1]]);
    let plan: Value = serde_json::from_str(&output.ends(0).out).unwrap();
    let asked = |id: &str| {
        let step = plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap();
        let lines = ["before", "run", "after"].into_iter().flat_map(|key| step[key].as_array().unwrap());
        let lines: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
        (lines.iter().any(|line| line.contains("ping")), lines.iter().any(|line| line.contains("https://tulpa.dev")))
    };
    assert_eq!(asked("reboot-test"), (true, false), "the cluster would answer");
    assert_eq!(asked("reboot-test-after-data"), (true, true));
}

/// Has a script read by a shell, and by shellcheck where that is installed.
pub(crate) fn is_clean(what: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.sh");
    std::fs::write(&path, text).unwrap();
    for shell in ["sh", "bash"] {
        let output = Command::new(shell).arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    if is_installed("shellcheck") {
        let output = Command::new("shellcheck").args(["-s", "sh"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The lines of a plan as one script, and what they run on other machines as another.
fn are_clean(plan: &Plan) {
    let lines = lines(plan);
    is_clean("the lines of the plan", &format!("#!/bin/sh\n{}\n", lines.join("\n")));
    let mut remote: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.starts_with("ssh ") && !line.contains(" | ")) {
        remote.extend(words(line).pop());
    }
    remote.sort();
    remote.dedup();
    assert!(!remote.is_empty());
    is_clean("what runs on the host", &format!("#!/bin/sh\n{}\n", remote.join("\n")));
}

#[test]
fn every_line_of_the_plan_is_clean_shell() {
    are_clean(&made(|_| {}));
}

#[test]
fn every_script_of_the_plan_is_clean_shell() {
    let sandbox = leaving();
    let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0).says("plan: migrate");
    let scripts = sandbox.tree("out/hosts/harbour/migrate");
    assert!(scripts.len() >= 4, "{:?}", scripts.keys());
    for (name, bytes) in scripts.iter().filter(|(name, _)| name.ends_with(".sh")) {
        is_clean(name, &String::from_utf8(bytes.clone()).unwrap());
    }
}

/// What a name in a manifest could be at worst.
const WORST: &str = "x'; touch pwned; $(touch pwned) `touch pwned` \"; touch pwned\n-f";

/// Puts the worst of names wherever manifests give one.
fn hostile(clusters: &mut BTreeMap<String, ClusterFacts>) {
    for facts in clusters.values_mut() {
        for restorer in &mut facts.restorers {
            restorer.by = format!("{WORST}/{}/{WORST}", restorer.by.split('/').nth(1).unwrap_or("Thing"));
            restorer.group = restorer.group.as_ref().map(|_| WORST.to_owned());
            restorer.under.clear();
            WORST.clone_into(&mut restorer.suspend);
        }
        for workload in facts.workloads.values_mut() {
            if let Some(image) = &mut workload.image {
                WORST.clone_into(&mut image.value);
            }
            for claim in &mut workload.claims {
                claim.name = format!("{}{WORST}", claim.name);
            }
        }
        for claim in facts.claims.values_mut() {
            claim.lies.volume = Some(WORST.to_owned());
            claim.lies.node = Some(WORST.to_owned());
            claim.lies.node_path = Some(WORST.to_owned());
            claim.lies.export = Some((WORST.to_owned(), WORST.to_owned()));
        }
        facts.unread.push(WORST.to_owned());
    }
}

#[test]
fn no_name_of_a_manifest_breaks_a_line() {
    let plan = made(hostile);
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    // Nothing is reached: every program that leads elsewhere only says that it was called.
    for program in [
        "kubectl",
        "ssh",
        "sh",
        "curl",
        "nc",
        "ping",
        "sleep",
        "hostwright",
        "nix",
        "tar",
        "readlink",
        "ssh-keygen",
        "env",
    ] {
        let path = bin.join(program);
        std::fs::write(&path, "#!/bin/bash\nprintf '%s\\n' \"$#\" >>called\n").unwrap();
        Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut ran = 0;
    for step in
        plan.steps().iter().filter(|step| step.runs_on().as_str() == "cluster" || step.id().starts_with("watch-"))
    {
        for line in [step.checks_before(), step.commands(), step.checks_after(), step.way_back()].into_iter().flatten()
        {
            assert!(!line.contains(WORST) || !line.is_empty());
            let mut bash = Command::new("/bin/bash");
            let _ = bash
                .args(["-c", line])
                .current_dir(folder.path())
                .env("PATH", &path)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            ran += 1;
        }
    }
    assert!(ran > 40, "{ran}");
    assert!(folder.path().join("called").exists(), "nothing was called");
    assert!(!folder.path().join("pwned").exists(), "a name was run");
    let _ = write(&plan, PlanFormat::Html, false).unwrap();
}

#[test]
fn a_plan_is_accepted_as_it_was_made_and_refused_without_one_of_its_gates() {
    let sandbox = leaving();
    let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
    let apply = || sandbox.run(&["apply", HOST, "--scenario", "migrate", "--dry-run", TODAY[0], TODAY[1]]);
    let _ = apply().ends(0).says("stays-stopped-gitea").says("down: gitea").says("verified");
    let made = sandbox.read(PLAN);
    let refused = |change: &dyn Fn(&mut Value), word: &str| {
        let mut plan: Value = serde_json::from_str(&made).unwrap();
        change(&mut plan);
        sandbox.write(PLAN, serde_json::to_string_pretty(&plan).unwrap());
        let run = apply().ends(2).complains("is refused").complains(word);
        assert!(!run.out.contains("verified"));
    };
    let without = |id: &'static str| {
        move |plan: &mut Value| {
            let steps = plan["steps"].as_array_mut().unwrap();
            steps.retain(|step| step["id"] != id);
            for step in steps {
                step["needs"].as_array_mut().unwrap().retain(|need| need != id);
            }
        }
    };
    refused(&without("retain-apps-gitea-data"), "digest is another");
    refused(&without("reboot-test-after-data"), "reboot-test-after-data");
    refused(&without("verify-apps-gitea-data"), "nothing is destroyed without a verified copy");
    refused(&without("soak"), "soak");
    refused(&without("check-suspended"), "what restores is suspended before anything is stopped");
    refused(&without("confirm-decommission"), "before anybody confirmed it");
    refused(
        &|plan| {
            let steps = plan["steps"].as_array_mut().unwrap();
            let step = steps.iter_mut().find(|step| step["id"] == "stop-gitea").unwrap();
            step["undo"] = Value::Array(Vec::new());
        },
        "every stop and every suspension has a way back",
    );
    refused(&|plan| plan["downtime"][0]["expected_seconds"] = 1.into(), "`downtime` differs");
    sandbox.write(PLAN, &made);
    let _ = apply().ends(0);
}

#[test]
fn a_plan_of_manifests_that_have_changed_is_refused() {
    let sandbox = leaving();
    let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
    sandbox.edit("k8s/home.yaml", "interval: 10m", "interval: 15m");
    let apply = |arguments: &[&str]| {
        let all: Vec<&str> =
            ["apply", HOST, "--dry-run", TODAY[0], TODAY[1]].iter().chain(arguments).copied().collect();
        sandbox.run(&all)
    };
    let _ =
        apply(&["--scenario", "migrate"]).ends(2).complains("the fleet's files have changed since the plan was made");
    // Without a word the plan is that of the move.
    let _ = apply(&[]).ends(2).complains("the fleet's files have changed since the plan was made");
}

/// Runs a script of the plan with a kubectl that answers as a function of the shell says.
fn stopped(folder: &Path, kubectl: &str, arguments: &[&str]) -> (bool, String) {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (name, text) in [("kubectl", kubectl), ("sleep", "exit 0")] {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    }
    let script = repository().join("templates/migrate/stopped.sh.tera");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").arg(script).args(arguments).current_dir(folder).env("PATH", path).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A Deployment with so many replicas wanted, as often changed, and with these pods.
fn deployment(replicas: u32, generation: u32, pods: &str) -> String {
    format!(
        "case \"$*\" in\n*'{{.spec.replicas}}') printf {replicas} ;;\n*'{{.metadata.generation}} '*) printf '{generation} uid' ;;\n\
         *'get pods'*) printf '%s\\n' '{pods}' ;;\nesac"
    )
}

#[test]
fn what_comes_back_is_named_and_ends_the_watch() {
    let folder = tempfile::tempdir().unwrap();
    let run = |kubectl: &str, what: &str, more: &[&str]| {
        let arguments: Vec<&str> =
            [what, "home", "apps", "Deployment", "web", "record"].iter().chain(more).copied().collect();
        stopped(folder.path(), kubectl, &arguments)
    };
    assert!(!run(&deployment(0, 3, ""), "end", &["0"]).0, "there is no record yet");
    let (quiet, said) = run(&deployment(2, 3, ""), "begin", &["data"]);
    assert!(!quiet && said.contains("deployment/web wants 2 replicas"), "{said}");
    let (quiet, said) = run(&deployment(0, 3, ""), "begin", &["data"]);
    assert!(quiet, "{said}");
    assert!(
        run(&deployment(0, 3, "hostile Succeeded data"), "end", &["0", "data"]).0,
        "a pod that is over mounts nothing"
    );
    assert!(run(&deployment(0, 3, ""), "look", &[]).0);
    let (quiet, said) = run(&deployment(1, 4, ""), "end", &["0", "data"]);
    assert!(!quiet && said.contains("it came back: deployment/web wants 1 replicas"), "{said}");
    let (quiet, said) = run(&deployment(0, 5, ""), "look", &[]);
    assert!(!quiet && said.contains("somebody has changed deployment/web"), "{said}");
    let (quiet, said) = run(&deployment(0, 3, "web-1 Running other data"), "end", &["0", "data"]);
    assert!(!quiet && said.contains("the pod web-1 has data mounted"), "{said}");
    let (quiet, said) = run("exit 1", "look", &[]);
    assert!(!quiet && said.contains("does not answer"), "{said}");
}

#[test]
fn the_time_of_a_stop_counts_and_not_that_of_the_watch() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("record"), "1 3 uid\n").unwrap();
    let arguments = ["end", "home", "apps", "Deployment", "web", "record", "100", "data"];
    let (quiet, said) = stopped(folder.path(), &deployment(0, 3, ""), &arguments);
    assert!(quiet, "{said}");
}
