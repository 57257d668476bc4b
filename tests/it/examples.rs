//! Every rule through the program: listed, explained, its bad example reported as its page says, its good one not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::program::Sandbox;

/// What a run found at or above a level, as the lines of a page: `LEVEL PATH:LINE:COLUMN RULE`.
fn found(sandbox: &Sandbox, folder: &str, least: usize) -> Vec<String> {
    let run = sandbox.run(&["--fleet", folder, "check", "--today", "2026-11-21", "--format", "json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{why}: {}{}", run.out, run.err));
    let findings = document["findings"].as_array().unwrap().iter();
    let counted = findings.filter(|one| one["allowed"].is_null() && rank(one["level"].as_str().unwrap()) >= least);
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let mut lines: Vec<String> = counted
        .map(|one| {
            let (level, file, rule) = (text(one, "level"), text(one, "file"), text(one, "rule"));
            format!("{level} {file}:{}:{} {rule}", one["line"], one["column"])
        })
        .collect();
    lines.sort();
    lines
}

fn rank(level: &str) -> usize {
    ["note", "warning", "error"].iter().position(|known| *known == level).unwrap()
}

/// Returns what is wrong with a rule's examples.
fn faults(rule: &Value) -> Vec<String> {
    let id = rule["id"].as_str().unwrap();
    let sandbox = Sandbox::empty();
    let page = sandbox.run(&["explain", id]).ends(0).says(&format!("# {id}\n")).out;
    let mut stated: Vec<String> = page
        .lines()
        .skip_while(|line| *line != "--- reports")
        .skip(1)
        .take_while(|line| !line.is_empty() && !line.starts_with("---"))
        .map(str::to_owned)
        .collect();
    stated.sort();
    let mut faults = Vec::new();
    if stated.is_empty() || stated.iter().any(|line| !line.ends_with(&format!(" {id}"))) {
        faults.push(format!("{id}: its page states {stated:?}"));
    }
    sandbox.run(&["explain", id, "--example", "bad", "bad"]).ends(0).says("check -v");
    sandbox.run(&["explain", id, "--example", "good", "good"]).ends(0);
    // What only an evaluation shows is shown by the tests of `--eval`, what manifests hold by those of their reader.
    if rule["group"] == "evaluation" || id.starts_with("manifest-") {
        return faults;
    }
    // Each finding counts: a line that is there twice is one too many.
    let lowest = stated.iter().map(|line| rank(line.split(' ').next().unwrap())).min().unwrap_or(0);
    let reported = found(&sandbox, "bad", lowest);
    if reported != stated {
        faults.push(format!("{id}: the bad example reports {reported:#?}, its page states {stated:#?}"));
    }
    let of_good = found(&sandbox, "good", 0);
    if of_good.iter().any(|line| line.ends_with(&format!(" {id}")) || !line.starts_with("note ")) {
        faults.push(format!("{id}: the good example reports {of_good:#?}"));
    }
    faults
}

#[test]
fn every_rule_reports_its_bad_example_where_its_page_says_and_nothing_of_its_good_one() {
    let sandbox = Sandbox::empty();
    let rules: Value = serde_json::from_str(&sandbox.run(&["rules", "--format", "json"]).ends(0).out).unwrap();
    let rules = rules.as_array().unwrap();
    assert!(rules.len() > 100, "{} rules", rules.len());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(rule) = rules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    wrong.lock().unwrap().extend(faults(rule));
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
