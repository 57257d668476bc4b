//! Settings whose verdict is that of a real evaluation (tests/options), held against what `check` says of them.

use std::collections::{BTreeMap, BTreeSet};

use hostwright::check::{SCAFFOLD, check_files};
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, Level};
use serde_json::Value;

/// How many of the settings that fail must be reported.
const FOUND: f64 = 0.95;

/// Writes a value as TOML; null is an expression there.
fn toml(value: &Value) -> String {
    match value {
        Value::Null => "{ literalExpression = \"null\" }".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entries = table.iter().map(|(key, entry)| format!("{} = {}", Value::from(key.as_str()), toml(entry)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[test]
fn what_fails_to_evaluate_is_found_and_what_evaluates_is_no_error() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../options/cases.json")).unwrap();
    let mut files = FleetFiles::in_memory(SCAFFOLD.iter().map(|(path, text)| {
        // The verdicts are of 26.11.
        (*path, text.replace("26.05", "26.11"))
    }));
    for (number, case) in cases.iter().enumerate() {
        let route: Vec<String> = case["route"].as_array().unwrap().iter().map(ToString::to_string).collect();
        files.add(
            format!("hosts/c{number}/host.toml"),
            format!("[nixos]\n{} = {}\n", route.join("."), toml(&case["value"])),
        );
    }
    let today = "2026-11-21".parse().unwrap();
    let facts = Facts::embedded();
    let findings = check_files(&mut files, &facts, &[], today, |_, outcome, _| outcome.checked.findings);
    let mut said: BTreeMap<usize, BTreeSet<(Level, String)>> = BTreeMap::new();
    for finding in findings {
        let Some(host) = finding.host.as_deref().and_then(|host| host.strip_prefix('c')?.parse().ok()) else {
            continue;
        };
        // All hosts have one address and one disk here, which other rules report.
        if finding.rule.starts_with("option-") {
            said.entry(host).or_default().insert((finding.level, format!("{}: {}", finding.rule, finding.message)));
        }
    }
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut false_errors = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let said = said.get(&number).cloned().unwrap_or_default();
        let kind = case["kind"].as_str().unwrap();
        let evaluates = case["evaluates"] == true;
        let of_options = !said.is_empty();
        let shown = format!("{kind} {} = {}", case["route"], case["value"]);
        // An old name evaluates with a warning, which is the thing to find.
        let to_find = !evaluates || kind == "renamed";
        let counted = kinds.entry(format!("{}{kind}", if to_find { "" } else { "evaluates, " })).or_default();
        counted.0 += 1;
        if to_find {
            counted.1 += usize::from(of_options);
            if !of_options {
                missed.push(shown.clone());
            }
        }
        if evaluates && said.iter().any(|(level, _)| *level == Level::Error) {
            false_errors.push(format!("{shown}: {said:?}"));
        } else if !to_find {
            counted.1 += 1;
        }
    }
    let (all, found) = kinds
        .iter()
        .filter(|(kind, _)| !kind.starts_with("evaluates"))
        .fold((0, 0), |sum, (_, count)| (sum.0 + count.0, sum.1 + count.1));
    let figures: String = kinds.iter().map(|(kind, (all, right))| format!("{kind}: {right} of {all}\n")).collect();
    let (misses, errors) = (missed.join("\n"), false_errors.join("\n"));
    println!("{figures}found: {found} of {all}\nmissed:\n{misses}\nfalse errors:\n{errors}");
    assert!(false_errors.is_empty(), "errors on what evaluates:\n{errors}");
    assert!(all >= 400 && (cases.len() - all) * 2 >= all);
    #[expect(clippy::cast_precision_loss, reason = "a share of some hundreds")]
    let share = found as f64 / all as f64;
    assert!(share >= FOUND, "{found} of {all}\n{figures}missed:\n{misses}");
}
