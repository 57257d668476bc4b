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

fn make(files: &mut FleetFiles, host: &str, scenario: Option<Scenario>) -> Plan {
    let inputs: Vec<(String, String)> = files
        .files
        .iter()
        .filter(|(path, _)| {
            path.as_str() == "fleet.toml" || path.starts_with(&format!("hosts/{host}/")) || path.starts_with("modules/")
        })
        .map(|(path, id)| (path.clone(), files.sources.text(*id).to_string()))
        .collect();
    let inputs: Vec<(String, &str)> = inputs.iter().map(|(path, text)| (path.clone(), text.as_str())).collect();
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
