//! Any text in any field: an error at its place, or Nix and scripts that say exactly that text. Never a panic.

use std::fs;

use hostwright::check::{check_files, rules};
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::nix::syntax_errors;
use hostwright::source::{FleetFiles, Kind, Level, Node, Place, Sources, parse_toml};
use hostwright::text::Templates;

use rayon::prelude::*;

use crate::program::repository;

/// Strings that end, open or climb out of something in one of the languages on the way.
const HOSTILE: &[&str] = &[
    "${builtins.abort \"out\"}",
    "''; abort \"out\"; x = ''",
    "\"; abort \"out\"; x = \"",
    "$(touch /tmp/out) `touch /tmp/out`",
    "a\nb",
    "../../etc/passwd",
    "-oProxyCommand=touch",
    "\u{1b}[31m\u{7}\u{0}",
    "*/ # -- '' \\",
    "]] > <script>alert(1)</script>",
    "",
    "\u{202e}\u{feff}é漢",
];

fn example() -> Vec<(String, String)> {
    [
        "fleet.toml",
        "hosts/lufta/host.toml",
        "hosts/attic/host.toml",
        "modules/base/module.toml",
        "modules/gitea/module.toml",
    ]
    .into_iter()
    .map(|path| (path.to_owned(), fs::read_to_string(repository().join(path)).unwrap()))
    .collect()
}

/// Returns the places of every string and every key of a file.
fn places(text: &str) -> Vec<Place> {
    fn collect(node: &Node, places: &mut Vec<Place>) {
        match &node.kind {
            Kind::Str(_) => places.push(node.place),
            Kind::List(items) => items.iter().for_each(|item| collect(&item.node, places)),
            Kind::Table(table) => table.values().for_each(|entry| {
                places.push(entry.key);
                collect(&entry.node, places);
            }),
            _ => {}
        }
    }
    let mut sources = Sources::default();
    let file = sources.add("x", text);
    let mut found = Vec::new();
    let mut places = Vec::new();
    collect(&parse_toml(&sources, file, &mut found), &mut places);
    places.sort();
    places.dedup();
    places
}

/// Reads, checks and compiles a fleet; what compiles must parse. Returns whether it was refused.
fn refused(files: Vec<(String, String)>, what: &str) -> bool {
    let mut files = FleetFiles::in_memory(files);
    let facts = Facts::embedded();
    check_files(&mut files, &facts, &[], "2026-11-21".parse().unwrap(), |fleet, outcome, sources| {
        let input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group.as_str() == "input");
        for finding in &outcome.checked.findings {
            assert!(!finding.message.contains("internal error"), "{what}: {}", finding.message);
            assert!(!finding.message.chars().any(char::is_control), "{what}: {:?}", finding.message);
        }
        let errors = outcome.checked.findings.iter().filter(|finding| finding.level == Level::Error);
        let stops = errors.filter(|finding| input(finding.rule)).count() > 0;
        let Some(fleet) = fleet.filter(|_| !stops) else { return true };
        let none: [(String, String); 0] = [];
        let templates = Templates::new(none).unwrap();
        match compile(fleet, &[], &facts, sources, &templates) {
            Err(found) => {
                assert!(!found.is_empty(), "{what}: refused without a word");
                true
            }
            Ok(compiled) => {
                for file in compiled.files.iter().filter(|file| file.path.ends_with(".nix")) {
                    let errors = syntax_errors(&file.text);
                    assert!(errors.is_empty(), "{what}: {} does not parse: {errors:?}\n{}", file.path, file.text);
                }
                false
            }
        }
    })
}

#[test]
fn hostile_text_in_every_string_and_every_key_is_refused_or_compiles_to_nix_that_parses() {
    let fleet = example();
    assert!(!refused(fleet.clone(), "the example itself"), "the example fleet must compile");
    let mut cases = Vec::new();
    for (number, (path, text)) in fleet.iter().enumerate() {
        for place in places(text) {
            let (start, end) = (place.start as usize, place.end as usize);
            for hostile in HOSTILE {
                // A JSON string is a TOML basic string.
                let quoted = serde_json::Value::from(*hostile).to_string();
                let changed = format!("{}{quoted}{}", &text[..start], &text[end..]);
                let what = format!("{path} at {start} ({:?}) as {hostile:?}", &text[start..end]);
                cases.push((number, changed, what));
            }
        }
    }
    let turned_away = cases
        .par_iter()
        .filter(|(number, changed, what)| {
            let mut files = fleet.clone();
            files[*number].1.clone_from(changed);
            refused(files, what)
        })
        .count();
    let taken = cases.len() - turned_away;
    // Both ways must have been seen, or this test tests nothing.
    assert!(taken > 100 && turned_away > 500, "{taken} compiled, {turned_away} refused");
}
