//! The page of a rule, and the examples in it.
//!
//! A page is Markdown: `# slug`, then the sections Why and Cure, then `## Bad` and `## Good` with the files of a fleet as fenced
//! blocks whose info string is `LANGUAGE bad|good PATH`. What a bad example must report stands in a block `text expect`, a finding a
//! line: `LEVEL PATH:LINE:COLUMN RULE`. `xN` behind a path writes the text N times. An example need not be a whole fleet: files of [`SCAFFOLD`] fill what it leaves out.

use std::collections::BTreeMap;

use super::rule::Rule;

/// A small sound fleet with one host `a` that examples change: every value in it is a default that an example may override.
pub const SCAFFOLD: &[(&str, &str)] = &[
    ("fleet.toml", include_str!("scaffold/fleet.toml")),
    ("modules/scaffold/module.toml", include_str!("scaffold/module.toml")),
];

/// An example: the files of a fleet, and what it must report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// Path -> text, scaffold included.
    pub files: BTreeMap<String, String>,
    /// What it must report; nothing for a good one.
    pub expected: Vec<Expected>,
}

/// A finding that an example must bring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// The level's word.
    pub level: String,
    /// `PATH:LINE:COLUMN`.
    pub place: String,
    /// The rule.
    pub rule: String,
}

/// Returns the page's text above its examples, for a terminal.
pub fn page(rule: &Rule) -> &str {
    rule.doc.split("\n## Bad").next().unwrap_or(rule.doc).trim_end()
}

/// Returns the bad and the good example of a rule.
pub fn examples(rule: &Rule) -> (Example, Example) {
    let mut bad = Example::default();
    let mut good = Example::default();
    let mut lines = rule.doc.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        let mut words = info.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(_), Some(which @ ("bad" | "good")), Some(path)) => {
                let times = words.next().and_then(|word| word.strip_prefix('x')?.parse().ok()).unwrap_or(1);
                let example = if which == "bad" { &mut bad } else { &mut good };
                example.files.insert(path.to_owned(), text(&body).repeat(times));
            }
            (Some("text"), Some("expect"), None) => bad.expected.extend(body.iter().filter_map(|line| expected(line))),
            _ => {}
        }
    }
    for example in [&mut bad, &mut good] {
        for (path, text) in SCAFFOLD {
            example.files.entry((*path).to_owned()).or_insert_with(|| (*text).to_owned());
        }
        if !example.files.keys().any(|path| path.starts_with("hosts/")) {
            example.files.insert("hosts/a/host.toml".to_owned(), String::new());
        }
    }
    (bad, good)
}

fn text(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

fn expected(line: &str) -> Option<Expected> {
    let mut words = line.split_whitespace();
    Some(Expected { level: words.next()?.to_owned(), place: words.next()?.to_owned(), rule: words.next()?.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the catalogue is compared with the files on disk")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::check::{Check, check_files, rules};
    use crate::facts::Facts;
    use crate::source::{FleetFiles, Level};

    /// Returns what an example reports, a line a finding, in the form of its `expect` block.
    fn reported(example: &Example) -> Vec<String> {
        let mut files = FleetFiles::in_memory(example.files.clone());
        let today = "2026-11-21".parse().unwrap();
        check_files(&mut files, &Facts::embedded(), &[], today, |_, outcome, sources| {
            let shown = outcome.checked.findings.iter().filter(|finding| finding.allowed.is_none());
            shown
                .map(|finding| {
                    let place = finding.primary.place;
                    let position = sources.position(place);
                    let path = sources.file(place.file).path();
                    let (level, rule) = (finding.level.as_str(), finding.rule);
                    format!("{level} {path}:{}:{} {rule}  -- {}", position.line, position.column, finding.message)
                })
                .collect()
        })
    }

    /// What a disk is needed for: a folder in the place of a file, a size. These are run by the tests of the program.
    const ON_DISK: [&str; 2] = ["file-unreadable", "too-large"];

    #[test]
    fn every_bad_example_reports_what_its_page_says_and_nothing_else_and_every_good_one_nothing() {
        let mut wrong = Vec::new();
        for rule in rules::all().filter(|rule| !ON_DISK.contains(&rule.id)) {
            let (bad, good) = examples(rule);
            // What an upgrade changes without a word belongs to every example of one.
            let of_upgrade =
                |line: &String| rule.level != Level::Note && line.contains(" default-changed-by-release  -- ");
            let reported = |example: &Example| -> Vec<String> {
                reported(example).into_iter().filter(|line| !of_upgrade(line)).collect()
            };
            let expected: BTreeSet<String> =
                bad.expected.iter().map(|line| format!("{} {} {}", line.level, line.place, line.rule)).collect();
            let found = reported(&bad);
            if matches!(rule.check, Check::Evaluating | Check::Migrating) {
                // That Nix reports it is shown where there is a Nix, and what manifests hold where these are read; else nobody may.
                if !found.is_empty() {
                    wrong.push(format!("{}: its bad example reports without Nix {found:#?}", rule.id));
                }
                continue;
            }
            let lines: BTreeSet<String> =
                found.iter().map(|line| line.split("  -- ").next().unwrap_or(line).to_owned()).collect();
            if lines != expected {
                wrong.push(format!("{}: bad example\n  expected {expected:#?}\n  reported {found:#?}", rule.id));
            }
            if expected.iter().any(|line| !line.ends_with(&format!(" {}", rule.id))) {
                wrong.push(format!("{}: its bad example expects findings of another rule", rule.id));
            }
            let found = reported(&good);
            if !found.is_empty() {
                wrong.push(format!("{}: good example reports {found:#?}", rule.id));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    #[test]
    fn every_page_has_its_sections_in_order_and_an_example_that_can_fail() {
        for rule in rules::all() {
            assert!(rule.doc.starts_with(&format!("# {}\n\n", rule.id)), "{}.md begins with `# {}`", rule.id, rule.id);
            let headings: Vec<&str> = rule.doc.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(headings, ["## Why", "## Cure", "## Bad", "## Good"], "the sections of {}.md", rule.id);
            assert!(!examples(rule).0.expected.is_empty(), "{}.md expects nothing of its bad example", rule.id);
            assert!(rule.doc.matches(" good ").count() > 0, "{}.md has no good example", rule.id);
        }
    }

    #[test]
    fn every_rule_file_is_in_its_groups_list_and_every_list_is_sorted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/rules");
        let mut missing = Vec::new();
        for group in crate::check::Group::ALL {
            let of_group: Vec<&str> = rules::all().filter(|rule| rule.group == group).map(|rule| rule.id).collect();
            assert!(of_group.is_sorted(), "the rules of `{}` are not sorted: {of_group:?}", group.as_str());
            for entry in std::fs::read_dir(root.join(group.as_str())).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let id = stem.replace('_', "-");
                if stem == "mod" {
                    continue;
                }
                if !of_group.contains(&id.as_str()) {
                    missing.push(format!(
                        "src/check/rules/{}/mod.rs lacks `mod {stem};` and `&{stem}::RULE,`",
                        group.as_str()
                    ));
                }
                for ending in ["rs", "md"] {
                    if !path.with_extension(ending).exists() {
                        missing.push(format!("{stem}.{ending} is missing beside {}", path.display()));
                    }
                }
            }
        }
        missing.sort();
        missing.dedup();
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    #[test]
    fn only_rules_of_the_group_input_are_made_while_reading_but_for_conflicts() {
        for rule in rules::all() {
            let reading = matches!(rule.check, Check::Reading | Check::Migrating);
            let input = rule.group == crate::check::Group::Input;
            let wanted = (input && rule.id != "nix-invalid") || rule.id == "option-conflict";
            assert_eq!(reading, wanted, "{}", rule.id);
        }
    }
}
