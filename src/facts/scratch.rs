#![allow(clippy::all, clippy::pedantic, clippy::disallowed_methods, clippy::print_stdout, reason = "scratch")]
use super::*;
use crate::source::*;
#[test]
fn scratch_describe() {
    let facts = Facts::embedded();
    for rel in ["26.11", "20.09"] {
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(format!("/tmp/fx/options-{rel}.json")).unwrap()).unwrap();
        let index = facts.options(rel.parse().unwrap()).unwrap();
        let (mut same, mut diff) = (0, 0);
        let mut sources = Sources::default();
        let mut shown = std::collections::BTreeSet::new();
        let mut bad = 0;
        let mut checked = 0;
        for (name, o) in json.as_object().unwrap() {
            let loc: Vec<&str> = o["loc"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            let opt = match index.lookup(&loc) {
                Found::Option(o) => o,
                f => {
                    println!("{name} {f:?}");
                    continue;
                }
            };
            let d = opt.ty().describe();
            let want = o["type"].as_str().unwrap();
            if d == want {
                same += 1
            } else {
                diff += 1;
                if shown.insert((d.clone(), want.to_owned())) && shown.len() < 60 {
                    println!("{name}: {d} | {want}");
                }
            }
            // literal defaults
            if let Some(text) = o["default"]["text"].as_str() {
                let toml = text.trim();
                let kind = if toml == "null" {
                    Some(Kind::Null)
                } else if toml == "{ }" {
                    Some(Kind::Table(Table::default()))
                } else {
                    None
                };
                let file = sources.add("x", format!("a = {}", toml.replace("[ ]", "[]")));
                let mut found = vec![];
                let node = match kind {
                    Some(k) => Some(Node::new(k, sources.start(file))),
                    None if toml.contains("pkgs") || toml.contains("= ") => None,
                    None => {
                        let n = parse_toml(&sources, file, &mut found);
                        if found.is_empty() { n.at(&["a"]).cloned() } else { None }
                    }
                };
                if let Some(node) = node {
                    if opt.read_only() {
                        continue;
                    }
                    checked += 1;
                    let faults = check_value(index, &loc, &node);
                    if !faults.is_empty() {
                        bad += 1;
                        if bad < 60 {
                            println!("BAD {name} = {toml}: {} wanted {}", faults[0].message, faults[0].wanted);
                        }
                    }
                }
            }
        }
        println!("{rel} same {same} diff {diff}; checked {checked} bad {bad}");
    }
}
