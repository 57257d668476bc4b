//! tests/fleets: systems that left a cluster, each with its page in docs/migrations. The fleet shows how the move was prepared; `before/`
//! holds the files that were different on the first day, which `check` refuses.

use std::path::{Path, PathBuf};

use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};
use serde_json::Value;

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluates, nixpkgs};
use super::machines::{judged_by_nix_and_shellcheck, passes_the_checks};
use super::plan_migrate::is_clean;
use super::program::Sandbox;
use super::readme::prints_what_it_shows;

/// A system that left a cluster.
struct System {
    /// Its folder in tests/fleets, and its page in docs/migrations.
    name: &'static str,
    /// Its hosts.
    hosts: &'static [&'static str],
    /// Rules that refuse what was there on the first day, or what `migrate` makes of it as it is.
    refused: &'static [&'static str],
}

const SYSTEMS: &[System] = &[
    System {
        name: "ssb-pub",
        hosts: &["haven"],
        refused: &["capacity-exceeded", "image-tag-floating", "reclaim-policy-destroys-data"],
    },
    System {
        name: "loklak",
        hosts: &["search"],
        refused: &[
            "dependency-missing",
            "image-tag-floating",
            "reclaim-policy-destroys-data",
            "single-writer",
            "state-not-on-dataset",
        ],
    },
    System {
        name: "buildbot",
        hosts: &["forge"],
        refused: &[
            "claim-unaccounted",
            "dependency-missing",
            "host-path-owned-by-root",
            "image-tag-floating",
            "limit-lost",
            "reclaim-policy-destroys-data",
            "replicas-collapsed",
        ],
    },
    System {
        name: "home-cluster",
        hosts: &["larder"],
        refused: &[
            "bootstrap-cycle",
            "image-tag-floating",
            "port-not-open",
            "reclaim-policy-destroys-data",
            "state-unbacked",
        ],
    },
];

fn folder(system: &System) -> PathBuf {
    root().join("tests/fleets").join(system.name)
}

fn files(system: &System) -> FleetFiles {
    load(&folder(system)).unwrap()
}

/// Copies a folder with everything in it over another one.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Returns the fleet as it was on the first day.
fn first_day(system: &System) -> Sandbox {
    let sandbox = Sandbox::empty();
    copy(&folder(system), sandbox.path());
    copy(&folder(system).join("before"), sandbox.path());
    sandbox
}

/// Returns which rules find an error or something to warn of.
fn reported(sandbox: &Sandbox) -> Vec<String> {
    let run = sandbox.run(&["check", "--format", "json", "--today", TODAY]);
    let said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}\n{}", run.out, run.err));
    let findings = said["findings"].as_array().unwrap().iter();
    let open = findings.filter(|finding| finding["level"] != "note" && finding["allowed"].is_null());
    open.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_system_passes_the_checks() {
    for system in SYSTEMS {
        passes_the_checks(files(system), &format!("tests/fleets/{}", system.name));
    }
}

#[test]
fn what_was_wrong_on_the_first_day_is_refused() {
    for system in SYSTEMS {
        let sandbox = first_day(system);
        let mut said = reported(&sandbox);
        for host in system.hosts {
            let run = sandbox.run(&["migrate", "k8s", "--host", host, "--write", "--today", TODAY]);
            assert_eq!(run.status, 0, "{}: {}", system.name, run.err);
        }
        said.extend(reported(&sandbox));
        said.sort();
        said.dedup();
        assert_eq!(said, system.refused, "{}", system.name);
    }
}

#[test]
fn what_was_prepared_by_hand_survives_the_next_run() {
    for system in SYSTEMS {
        let sandbox = Sandbox::empty();
        copy(&folder(system), sandbox.path());
        for host in system.hosts {
            let path = format!("hosts/{host}/host.toml");
            let before = sandbox.read(&path);
            sandbox.run(&["migrate", "k8s", "--host", host, "--write", "--today", TODAY]).ends(0);
            let after = sandbox.read(&path);
            // Lists grow at their end; all other lines stay as they are.
            let is_there = |text: &str, line: &str| line.contains(" = [") || text.lines().any(|known| known == line);
            let lost: Vec<&str> = before.lines().filter(|line| !is_there(&after, line)).collect();
            assert_eq!(lost, Vec::<&str>::new(), "{}: {host}", system.name);
            // Where a claim goes is decided.
            let datasets: Vec<&str> =
                after.lines().filter(|line| line.contains("mount = ") && !is_there(&before, line)).collect();
            assert_eq!(datasets, Vec::<&str>::new(), "{}: {host}", system.name);
        }
    }
}

#[test]
fn a_worker_in_a_container_reaches_a_master_that_is_none() {
    let compiled =
        compile_files(&mut load(&root().join("tests/fleets/buildbot")).unwrap(), &Facts::embedded()).unwrap();
    let services = compiled.files.iter().find(|file| file.path.ends_with("services.nix")).unwrap();
    let text = String::from_utf8(services.bytes.clone()).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    // The firewall of the host is between the containers and the host's own services.
    assert!(
        text.contains("interfaces.\"podman*\" = { allowedUDPPorts = [ 53 ]; allowedTCPPorts = [ 53 9989 ]; }"),
        "{text}"
    );
    assert!(text.contains("--add-host=master:host-gateway"), "{text}");
    // The mount below it makes the directory, which the module believes to be its user's.
    for path in ["/home/buildbot", "/home/buildbot/master", "/home/buildbot/master/builds"] {
        let rule = format!("\"{path}\".z = {{ group = \"buildbot\"; user = \"buildbot\"; }}");
        assert!(text.contains(&rule), "{path}: {text}");
    }
}

#[test]
fn every_page_shows_what_is_printed() {
    for system in SYSTEMS {
        let sandbox = Sandbox::empty();
        copy(&folder(system), &sandbox.path().join("tests/fleets").join(system.name));
        let path = format!("docs/migrations/{}.md", system.name);
        let page = std::fs::read_to_string(root().join(&path)).unwrap();
        let blocks = prints_what_it_shows(&path, &page, sandbox.path());
        assert!(blocks >= 4, "{path}: only {blocks} blocks were found");
    }
}

#[test]
fn every_system_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("every_system_evaluates_without_a_warning") else { return };
    for system in SYSTEMS {
        evaluates(&compile_files(&mut files(system), &Facts::embedded()).unwrap(), &nix, &tree);
    }
}

#[test]
fn what_is_compiled_for_every_system_is_read_by_nix_and_by_shellcheck() {
    let test = "what_is_compiled_for_every_system_is_read_by_nix_and_by_shellcheck";
    for system in SYSTEMS {
        judged_by_nix_and_shellcheck(&mut files(system), test);
    }
}

/// lufta is a host of the repository's own fleet, whose other tests judge what is compiled for it.
#[test]
fn the_page_of_lufta_shows_what_is_printed() {
    let sandbox = Sandbox::empty();
    copy(&root().join("hosts"), &sandbox.path().join("hosts"));
    let path = "docs/migrations/lufta.md";
    let page = std::fs::read_to_string(root().join(path)).unwrap();
    let blocks = prints_what_it_shows(path, &page, sandbox.path());
    assert!(blocks >= 4, "{path}: only {blocks} blocks were found");
}

/// Returns the fleets with their hosts that something moves to: the systems, and lufta.
fn moves() -> Vec<(Sandbox, &'static str)> {
    let mut all = vec![(Sandbox::example(), "lufta")];
    for system in SYSTEMS {
        for host in system.hosts {
            let sandbox = Sandbox::empty();
            copy(&folder(system), sandbox.path());
            all.push((sandbox, *host));
        }
    }
    all
}

#[test]
fn the_plan_of_every_move_has_every_gate_and_leaves_no_claim_out() {
    for (sandbox, host) in moves() {
        let run = sandbox.run(&["plan", host, "--scenario", "migrate", "--format", "json", "--today", TODAY]);
        assert_eq!(run.status, 0, "{host}: {}", run.err);
        let plan: Value = serde_json::from_str(&run.out).unwrap();
        let steps = plan["steps"].as_array().unwrap();
        let id = |step: &Value| step["id"].as_str().unwrap().to_owned();
        let ids: Vec<String> = steps.iter().map(id).collect();
        let of = |beginning: &str| -> Vec<String> {
            ids.iter().filter_map(|id| id.strip_prefix(beginning)).map(str::to_owned).collect()
        };
        for gate in ["check-suspended", "reboot-test", "reboot-test-after-data", "soak", "confirm-decommission"] {
            assert!(ids.iter().any(|id| id == gate), "{host}: {gate} is missing");
        }
        assert!(!of("check-context-").is_empty() && !of("backup-drill-").is_empty(), "{host}: {ids:?}");
        assert_eq!(of("account-"), Vec::<String>::new(), "{host}: somebody has to speak of these");
        // What is copied is verified, and a claim goes after it was kept and all of it verified.
        let mut copied = of("final-copy-");
        copied.extend(of("final-dump-"));
        let mut verified = of("verify-");
        copied.sort();
        verified.sort();
        assert!(!copied.is_empty(), "{host}");
        assert_eq!(copied, verified, "{host}");
        let kept = of("retain-");
        for claim in of("decommission-claim-") {
            assert!(kept.contains(&claim) && verified.contains(&claim), "{host}: {claim}");
        }
        let mut lines: Vec<&str> = Vec::new();
        for step in steps {
            for key in ["before", "run", "after", "undo"] {
                lines.extend(step[key].as_array().unwrap().iter().map(|line| line.as_str().unwrap()));
            }
        }
        is_clean(host, &format!("#!/bin/sh\n{}\n", lines.join("\n")));
    }
}

#[test]
fn a_database_is_dumped_for_good_when_what_needs_it_here_has_stopped() {
    let run = Sandbox::example().run(&["plan", "lufta", "--scenario", "migrate", "--format", "json", "--today", TODAY]);
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    let dump = plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == "final-dump-apps-data-db-0").unwrap();
    // The manifest does not say so: miniflux has the address of its database from a secret.
    assert!(dump["needs"].as_array().unwrap().contains(&Value::from("stays-stopped-miniflux")), "{dump}");
}
