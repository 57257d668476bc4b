//! What programs read: each format judged by its own rules, and all of them saying the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::json_schema::faults;
use crate::program::{Run, Sandbox, repository};

/// Where the official schema of SARIF lies, for those who have it: `sarif-schema-2.1.0.json` of OASIS.
const OFFICIAL: &str = "HOSTWRIGHT_SARIF_SCHEMA";

const TODAY: &str = "2026-11-21";

/// Folders to check, each with its findings: names and texts that are hard to quote, what is allowed, input errors, nothing.
fn fleets() -> Vec<(&'static str, Sandbox, Vec<&'static str>)> {
    let check = vec!["check", "--today", TODAY];
    let nasty = Sandbox::small();
    nasty.write("modules/a,b: 100%25/module.toml", "kind = \"profile\"\nsumary = 'x'\n");
    nasty.write("modules/ü\n::error file=x::y,\u{202e}/module.toml", "kind = 1\n");
    nasty.write(
        "hosts/a/host.toml",
        "\"k%0A::\\n,<&]]>\\u001b\\\"'\" = 1\nrole = '''\nx\ny'''\n[machine]\nmemory = '5 %\u{1f980}'\n",
    );
    nasty.write("hosts/b/host.toml", "a = = 1\n");
    let allowed = Sandbox::small();
    let host = "allow = [{ rule = 'watch-missing', reason = 'a <test> & \"more\" — 100 %', until = 2027-01-01 }]\n[deploy]\nwatch = { mkForce = [] }\n";
    allowed.write("hosts/a/host.toml", host);
    allowed.write("hosts/b/host.toml", "[deploy]\nwatch = { mkForce = [] }\n[network.firewall]\nenable = false\n");
    let broken = Sandbox::empty();
    broken.write("fleet.toml", "[fleet\n");
    let incident = Sandbox::empty();
    for entry in walkdir::WalkDir::new(repository().join("tests/fleets/lufta-2020")).into_iter().filter_map(Result::ok)
    {
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(repository().join("tests/fleets/lufta-2020")).unwrap();
            incident.write(path.to_str().unwrap(), fs::read(entry.path()).unwrap());
        }
    }
    let modules = Sandbox::empty();
    modules.write(
        "a b/x.nix",
        "{\n  services.openssh.enabel = true;\n  networking.firewall.allowedTCPPorts = \"80\";\n}\n",
    );
    modules.write("y.nix", "{ a = 1 }\n");
    vec![
        ("texts that are hard to quote", nasty, check.clone()),
        ("allowed findings", allowed, check.clone()),
        ("nothing to say", Sandbox::small(), check.clone()),
        ("no fleet.toml that can be read", broken, check.clone()),
        ("the incident", incident, check),
        ("modules", modules, vec!["lint-nix", "."]),
    ]
}

/// Runs the program in a format.
fn write(sandbox: &Sandbox, command: &[&str], format: &str) -> Run {
    sandbox.run(&[command, &["--format", format]].concat())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// Returns the findings of the JSON form, each as (file, line, column, rule, whether it is allowed).
fn findings(document: &Value) -> Vec<(String, u64, u64, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_u64().unwrap();
    let of = |one: &Value| {
        (
            text(&one["file"]),
            number(&one["line"]),
            number(&one["column"]),
            text(&one["rule"]),
            !one["allowed"].is_null(),
        )
    };
    document["findings"].as_array().unwrap().iter().map(of).collect()
}

fn schema(path: &str) -> Value {
    json(&fs::read_to_string(repository().join(path)).unwrap())
}

#[test]
fn json_is_what_its_schema_says_and_no_two_findings_share_a_fingerprint() {
    let schema = schema("docs/schemas/check.json");
    for (name, sandbox, command) in fleets() {
        let run = write(&sandbox, &command, "json");
        let document = json(&run.out);
        assert_eq!(faults(&schema, &document), Vec::<String>::new(), "{name}");
        assert_eq!(run.err, "", "{name}");
        let found = document["findings"].as_array().unwrap();
        let prints: BTreeSet<&str> = found.iter().map(|one| one["fingerprint"].as_str().unwrap()).collect();
        assert_eq!(prints.len(), found.len(), "{name}");
        assert_eq!(found.is_empty(), name == "nothing to say");
    }
}

#[test]
fn sarif_is_what_the_standard_says() {
    let mut schemas =
        vec![("tests/schemas/sarif-as-written.json".to_owned(), schema("tests/schemas/sarif-as-written.json"))];
    match std::env::var(OFFICIAL) {
        Ok(path) => schemas.push((path.clone(), json(&fs::read_to_string(&path).expect("the schema that is named")))),
        Err(_) => eprintln!("{OFFICIAL} is not set: judged by the part of the standard that is written down here"),
    }
    for (name, sandbox, command) in fleets() {
        let log = json(&write(&sandbox, &command, "sarif").out);
        for (path, schema) in &schemas {
            assert_eq!(faults(schema, &log), Vec::<String>::new(), "{name}, {path}");
        }
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let results = run["results"].as_array().unwrap();
        let expected = findings(&json(&write(&sandbox, &command, "json").out));
        assert_eq!(results.len(), expected.len(), "{name}");
        for (result, (file, line, column, rule, allowed)) in results.iter().zip(expected) {
            let at = &result["locations"][0]["physicalLocation"];
            let region = &at["region"];
            assert_eq!(unescaped(at["artifactLocation"]["uri"].as_str().unwrap()), file, "{name}");
            assert_eq!((&region["startLine"], &region["startColumn"]), (&line.into(), &column.into()), "{name}");
            // §3.30: a region ends where it begins, or later.
            let end = (region["endLine"].as_u64().unwrap(), region["endColumn"].as_u64().unwrap());
            assert!(end >= (line, column), "{name}: {region}");
            // §3.27.5 and §3.27.6: the index is that of the rule.
            assert_eq!(result["ruleId"], rule);
            assert_eq!(rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"], rule);
            assert_eq!(result["suppressions"].as_array().unwrap().len(), usize::from(allowed), "{name}: {rule}");
        }
        for one in run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap() {
            let rule = &one["associatedRule"];
            assert_eq!(rules[usize::try_from(rule["index"].as_u64().unwrap()).unwrap()]["id"], rule["id"]);
        }
    }
}

/// Returns a relative reference as the path that it stands for.
fn unescaped(uri: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = uri.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The attributes of each element in the schemas that Jenkins and the readers of GitLab and GitHub go by.
const JUNIT: &[(&str, &[&str], &[&str])] = &[
    ("testsuites", &[], &["name", "time", "tests", "failures", "disabled", "errors"]),
    (
        "testsuite",
        &["name", "tests"],
        &["failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"],
    ),
    ("testcase", &["name", "classname"], &["assertions", "time", "status"]),
    ("failure", &[], &["message", "type"]),
    ("skipped", &[], &["message"]),
    ("system-out", &[], &[]),
];

#[test]
fn junit_is_well_formed_and_has_what_readers_look_for() {
    for (name, sandbox, command) in fleets() {
        let text = write(&sandbox, &command, "junit").out;
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|why| panic!("{name}: {why}\n{text}"));
        assert_eq!(document.root_element().tag_name().name(), "testsuites");
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            let tag = element.tag_name().name();
            let (_, required, others) = JUNIT.iter().find(|(known, ..)| *known == tag).expect("a known element");
            for attribute in *required {
                assert!(element.attribute(*attribute).is_some_and(|text| !text.is_empty()), "{tag} lacks {attribute}");
            }
            for attribute in element.attributes() {
                assert!(required.iter().chain(*others).any(|known| *known == attribute.name()), "{tag} {attribute:?}");
            }
        }
        let all = |tag: &'static str| document.descendants().filter(move |element| element.has_tag_name(tag));
        let suite = all("testsuite").next().unwrap();
        let count = |attribute: &str| suite.attribute(attribute).unwrap().parse::<usize>().unwrap();
        assert_eq!(count("tests"), all("testcase").count());
        assert_eq!(count("failures"), all("failure").count());
        assert_eq!(count("skipped"), all("skipped").count());
        assert_eq!(count("errors"), 0);
        let cases: Vec<(&str, &str)> = all("testcase")
            .map(|case| (case.attribute("classname").unwrap(), case.attribute("name").unwrap()))
            .collect();
        assert!(!cases.is_empty());
        assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), cases.len(), "a case is there twice: {name}");
        for case in all("testcase") {
            let outcomes =
                case.children().filter(|child| child.has_tag_name("failure") || child.has_tag_name("skipped"));
            assert!(outcomes.count() <= 1);
        }
        let document = json(&write(&sandbox, &command, "json").out);
        let failed: BTreeSet<(&str, &str)> = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["level"] == "error" && one["allowed"].is_null())
            .map(|one| (one["host"].as_str().unwrap_or_default(), one["rule"].as_str().unwrap()))
            .collect();
        assert_eq!(count("failures"), failed.len(), "{name}");
        for one in document["findings"].as_array().unwrap().iter().filter(|one| !one["allowed"].is_null()) {
            let of_rule = |case: &roxmltree::Node<'_, '_>| {
                case.attribute("name") == one["rule"].as_str() && case.attribute("classname") == one["host"].as_str()
            };
            let case = all("testcase").find(of_rule).unwrap();
            assert!(
                case.children().any(|child| child.has_tag_name("skipped")),
                "{name}: an allowed finding is skipped"
            );
        }
    }
}

#[test]
fn github_reads_each_command_as_it_was_meant() {
    for (name, sandbox, command) in fleets() {
        let text = write(&sandbox, &command, "github").out;
        let document = json(&write(&sandbox, &command, "json").out);
        let expected = findings(&document).into_iter().filter(|(.., allowed)| !allowed);
        let expected: Vec<_> = expected.map(|(file, line, column, rule, _)| (file, line, column, rule)).collect();
        let commands: Vec<_> = text.lines().map(command_of).collect();
        assert_eq!(commands.len(), expected.len(), "{name}:\n{text}");
        for ((level, properties, message), (file, line, column, rule)) in commands.iter().zip(expected) {
            assert!(["error", "warning", "notice"].contains(&level.as_str()));
            let file: String = file.chars().flat_map(shown).collect();
            assert_eq!(properties["file"], file);
            assert_eq!((&properties["line"], &properties["col"]), (&line.to_string(), &column.to_string()));
            assert_eq!(properties["title"], format!("hostwright: {rule}"));
            assert!(message.starts_with(&format!("{file}:{line}:{column}: ")), "{message}");
            let known = ["file", "line", "col", "endLine", "endColumn", "title"];
            assert!(properties.keys().all(|key| known.contains(&key.as_str())), "{properties:?}");
        }
    }
}

/// Returns a character as people are shown it: what could steer a terminal or a log is escaped.
fn shown(c: char) -> Vec<char> {
    if c.is_control() || c == '\u{202e}' { c.escape_unicode().collect() } else { vec![c] }
}

/// Reads a line as the runner does: `::NAME KEY=VALUE,KEY=VALUE::TEXT`, with its escapes.
fn command_of(line: &str) -> (String, BTreeMap<String, String>, String) {
    let rest = line.strip_prefix("::").unwrap_or_else(|| panic!("no command: {line}"));
    let (head, message) = rest.split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let escapes = [("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
    let decoded = |text: &str| escapes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let pairs = properties.split(',').map(|pair| pair.split_once('=').unwrap());
    let properties = pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect();
    (name.to_owned(), properties, decoded(message))
}

#[test]
fn the_exit_status_is_the_same_in_every_format() {
    for (name, sandbox, command) in fleets() {
        let statuses: BTreeSet<i32> = ["human", "json", "sarif", "github", "junit"]
            .iter()
            .map(|format| write(&sandbox, &command, format).status)
            .collect();
        assert_eq!(statuses.len(), 1, "{name}: {statuses:?}");
    }
}
