//! The steps of a migration that act on a cluster, run against a stand-in for one that keeps state and restores what is not suspended.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::plan_migrate::leaving;
use super::program::{Sandbox, repository};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// The stand-in; none where it or what it runs on is not there.
fn stand_in() -> Option<PathBuf> {
    let kubectl = repository().join("tests/kubectl/kubectl");
    let python =
        Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|output| output.status.success());
    if !kubectl.exists() || !python {
        eprintln!("skipped: tests/kubectl, or python3 with PyYAML, is not there");
        return None;
    }
    Some(kubectl)
}

/// A fleet with its plan, and the cluster `home` as its manifests say it is.
struct Stage {
    fleet: Sandbox,
    steps: Vec<Value>,
}

impl Stage {
    fn new(kubectl: &PathBuf) -> Self {
        let fleet = leaving();
        let _ = fleet.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let plan: Value = serde_json::from_str(&fleet.read("out/hosts/harbour/plan.json")).unwrap();
        fleet.write("clusters/admin@home/.keep", "");
        // Nobody waits for what a test looks at.
        fleet.write("bin/sleep", "#!/bin/sh\nexit 0\n");
        // A host that takes everything: what is compared there is looked at elsewhere.
        fleet.write("bin/ssh", "#!/bin/sh\ncat > /dev/null\n");
        std::os::unix::fs::symlink(kubectl, fleet.path().join("bin/kubectl")).unwrap();
        for name in ["sleep", "ssh"] {
            let path = fleet.path().join("bin").join(name);
            assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
        }
        let stage = Self { fleet, steps: plan["steps"].as_array().unwrap().clone() };
        std::fs::remove_file(stage.fleet.path().join("clusters/admin@home/.keep")).unwrap();
        std::fs::create_dir_all(stage.fleet.path().join("state/harbour")).unwrap();
        stage.ends("kubectl stand-in load k8s");
        stage
    }

    fn sh(&self, line: &str) -> Output {
        let path = format!("{}:{}", self.fleet.path().join("bin").display(), std::env::var("PATH").unwrap());
        Command::new("sh")
            .args(["-c", line])
            .current_dir(self.fleet.path())
            .env("PATH", path)
            .env("HOSTWRIGHT_KUBECTL_STATE", self.fleet.path().join("clusters"))
            .env("PYTHONPYCACHEPREFIX", self.fleet.path().join("cache"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn ends(&self, line: &str) -> String {
        let output = self.sh(line);
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The steps about the cluster whose manifests are known, whose ids begin with one of these.
    fn of(&self, beginnings: &[&str]) -> Vec<&Value> {
        let id = |step: &Value| step["id"].as_str().unwrap().to_owned();
        let own = |step: &&Value| !id(step).contains("attic") && !id(step).contains("notes");
        let fits = |step: &&Value| beginnings.iter().any(|beginning| id(step).starts_with(beginning));
        let found: Vec<&Value> = self.steps.iter().filter(own).filter(fits).collect();
        assert!(!found.is_empty(), "{beginnings:?}");
        found
    }

    fn lines(step: &Value, key: &str) -> Vec<String> {
        step[key].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// Runs steps with their checks.
    fn run(&self, beginnings: &[&str]) {
        for step in self.of(beginnings) {
            for key in ["before", "run", "after"] {
                for line in Self::lines(step, key) {
                    self.ends(&line);
                }
            }
            if let Some(name) = step["id"].as_str().unwrap().strip_prefix("stop-") {
                // As if it had been stopped long ago.
                let record = format!("state/harbour/migrate/stopped-{name}");
                let text = self.fleet.read(&record);
                self.fleet.write(&record, format!("1 {}", text.split_once(' ').unwrap().1));
            }
        }
    }

    /// Goes the way back of steps, the last one first.
    fn undo(&self, beginnings: &[&str]) {
        for step in self.of(beginnings).into_iter().rev() {
            for line in Self::lines(step, "undo") {
                self.ends(&line);
            }
        }
    }

    /// What runs after a while.
    fn pods(&self) -> usize {
        self.ends("kubectl stand-in tick 20");
        self.ends("kubectl --context=admin@home get pods -A -o name").lines().count()
    }
}

#[test]
fn what_is_stopped_stays_so_and_what_is_undone_is_as_it_was() {
    let Some(kubectl) = stand_in() else { return };
    let stage = Stage::new(&kubectl);
    let before = stage.pods();
    assert_eq!(before, 4);
    stage.run(&["check-context-", "retain-"]);

    // Whoever leaves the suspension out is stopped by the checks, and sees it come back.
    let stop = stage.of(&["stop-gitea"])[0].clone();
    assert!(Stage::lines(&stop, "before").iter().any(|line| !stage.sh(line).status.success()));
    for line in Stage::lines(&stop, "run") {
        stage.ends(&line);
    }
    let after = Stage::lines(&stop, "after").iter().map(|line| stage.sh(line)).find(|output| !output.status.success());
    let said = String::from_utf8(after.expect("it came back").stderr).unwrap();
    assert!(said.contains("deployment/gitea"), "{said}");

    stage.run(&["suspend-", "check-suspended"]);
    stage.run(&["stop-", "stays-stopped-"]);
    assert_eq!(stage.pods(), 0);
    stage.run(&["stays-stopped-"]);

    stage.undo(&["retain-", "suspend-", "stop-"]);
    assert_eq!(stage.pods(), before);
    let policy = stage.ends(
        "kubectl --context=admin@home get -n argocd applications.argoproj.io/media -o 'jsonpath={.spec.syncPolicy}'",
    );
    assert!(policy.contains("selfHeal"), "{policy}");
}

#[test]
fn only_what_was_verified_is_deleted_and_nothing_comes_back() {
    let Some(kubectl) = stand_in() else { return };
    let stage = Stage::new(&kubectl);
    stage.run(&["check-context-", "retain-", "suspend-", "stop-", "stays-stopped-"]);
    let claim = stage.of(&["decommission-claim-apps-gitea-data"])[0].clone();
    assert!(
        Stage::lines(&claim, "before").iter().any(|line| !stage.sh(line).status.success()),
        "nothing is verified yet"
    );
    for id in ["apps-data-db-0", "apps-gitea-data", "apps-media"] {
        stage.fleet.write(&format!("state/harbour/migrate/verified-{id}.json"), "{}");
    }
    stage.run(&["decommission-"]);
    assert_eq!(stage.pods(), 0);
    let left = stage.ends("kubectl --context=admin@home get pvc,deployments,statefulsets,cronjobs -A -o name");
    assert_eq!(left.trim(), "persistentvolumeclaim/gitea-cache");
}
