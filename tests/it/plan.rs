//! Plans of the example fleet in every format, plans that somebody changed, and the scripts that plans work with.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostwright::facts::Facts;
use hostwright::plan::{self, Plan, Refusal, RefusedAt, Scenario, Script, StepKind};
use hostwright::report::plan::{PlanFormat, write};
use hostwright::resolve::{Resolved, ResolvedHost};
use hostwright::source::{self, FleetFiles};

const HOSTS: [&str; 2] = ["attic", "lufta"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example() -> FleetFiles {
    source::load(&root()).unwrap()
}

/// Hands a resolved host and its inputs to a function.
fn with_host<R>(
    files: &mut FleetFiles,
    host: &str,
    then: impl FnOnce(&Resolved<'_>, &ResolvedHost<'_>, &Facts) -> R,
) -> R {
    let facts = Facts::embedded();
    let today = "2026-11-21".parse().unwrap();
    hostwright::check::check_files(files, &facts, &[], today, |fleet, outcome, sources| {
        let fleet = fleet.expect("fleet.toml reads");
        let resolved = fleet.hosts.iter().find(|resolved| resolved.name == host).unwrap_or_else(|| {
            let said: Vec<String> = outcome
                .checked
                .findings
                .iter()
                .map(|finding| format!("{}: {}", sources.excerpt(finding.primary.place), finding.message))
                .collect();
            panic!("{host} does not resolve: {}", said.join("\n"))
        });
        then(fleet, resolved, &facts)
    })
}

/// The plan of a host, made from fixed inputs: what the goldens show is the plan and not the digest of the example.
fn make(files: &mut FleetFiles, host: &str, scenario: Option<Scenario>) -> Plan {
    let inputs = [("fleet.toml".to_owned(), "")];
    with_host(files, host, |fleet, host, facts| plan::make(fleet, host, scenario, &inputs, "0.1.0", facts).unwrap())
}

fn changed(host: &str, change: impl Fn(&str) -> String) -> FleetFiles {
    let files = example();
    let path = format!("hosts/{host}/host.toml");
    let texts = files.files.iter().map(|(name, id)| {
        let text = files.sources.text(*id).to_string();
        (name.clone(), if *name == path { change(&text) } else { text })
    });
    FleetFiles::in_memory(texts.collect::<Vec<_>>())
}

/// Compares a text with a file of tests/golden; `UPDATE=1` writes it.
fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == text, "{} is another: UPDATE=1 cargo test, and read the difference", path.display());
}

#[test]
fn the_plans_of_the_example_fleet_are_these_in_every_format() {
    for host in HOSTS {
        let plan = make(&mut example(), host, None);
        for format in PlanFormat::ALL {
            let ending = if format == PlanFormat::Human { "txt" } else { format.as_str() };
            let text = write(&plan, format, false).unwrap();
            assert!(text.ends_with('\n') && !text.contains('\u{1b}'));
            golden(&root().join(format!("tests/golden/plan/{host}.{ending}")), &text);
        }
    }
}

/// The files that the plans of the example work with.
pub(crate) fn files_of(host: &str) -> Vec<Script> {
    with_host(&mut example(), host, |_, host, _| plan::files(host).unwrap())
}

fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{program} is not installed: its part of the test is left out");
    }
    there
}

#[test]
fn the_scripts_of_the_reboot_test_are_clean_shell() {
    for host in HOSTS {
        let folder = tempfile::tempdir().unwrap();
        for file in files_of(host).iter().filter(|file| file.path.ends_with(".sh")) {
            let path = folder.path().join(file.path.replace('/', "-"));
            std::fs::write(&path, &file.text).unwrap();
            assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{}", file.path);
            if is_installed("shellcheck") {
                // SC2317, SC2329: functions that each_boot calls. SC2034: names that only some of them use. SC2043: lists of one.
                let output = Command::new("shellcheck")
                    .args(["-s", "sh", "-e", "SC2317,SC2329,SC2034,SC2043"])
                    .arg(&path)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}\n{}", file.path, String::from_utf8_lossy(&output.stdout));
            }
        }
    }
}
