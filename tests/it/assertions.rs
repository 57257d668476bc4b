//! The table of assertions, held against settings that they reject: by our rule, and by a real nixpkgs.

use serde_json::Value;

use super::compile_nix::{OVERLAYS, nixpkgs, try_evaluate};
use super::program::{Sandbox, repository};

/// Settings that an assertion rejects.
struct Case {
    /// What is said of them.
    message: String,
    warns: bool,
    settings: String,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository().join("tests/options/assertions.toml")).unwrap();
    let document: toml::Table = text.parse().unwrap();
    let case = |case: &toml::Value| Case {
        message: case["message"].as_str().unwrap().to_owned(),
        warns: case.get("warns").is_some(),
        settings: case["settings"].as_str().unwrap().to_owned(),
    };
    document["case"].as_array().unwrap().iter().map(case).collect()
}

/// Returns the level and message of what `assertion-known` says of settings.
fn said(settings: &str) -> Vec<(String, String)> {
    let sandbox = Sandbox::small();
    sandbox.edit("fleet.toml", "release = \"26.05\"", "release = \"26.11pre\"");
    // Each line is one setting below `[nixos]`.
    sandbox.write("hosts/a/host.toml", format!("[nixos]\n{settings}"));
    let run = sandbox.run(&["check", "--format", "json", "--today", "2026-11-21"]);
    let read: Value = serde_json::from_str(&run.out).unwrap();
    let all = read["findings"].as_array().unwrap().iter();
    let wrong: Vec<&Value> =
        all.clone().filter(|finding| finding["rule"] == "key-unknown" || finding["rule"] == "toml-invalid").collect();
    assert!(wrong.is_empty(), "{settings}: {wrong:?}");
    all.filter(|finding| finding["rule"] == "assertion-known")
        .map(|finding| (finding["level"].as_str().unwrap().to_owned(), finding["message"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn what_each_known_assertion_rejects_is_reported_at_its_level() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (before, after) = case.message.split_once("NAME").unwrap_or((&case.message, ""));
        let level = if case.warns { "warning" } else { "error" };
        let said = said(&case.settings);
        let found =
            said.iter().any(|(is, message)| is == level && message.starts_with(before) && message.ends_with(after));
        if !found {
            wrong.push(format!("{}: {said:?}", case.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes a value as Nix.
fn nix(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => match table.iter().next() {
            Some((name, inner)) if table.len() == 1 && name == "literalExpression" => {
                format!("({})", inner.as_str().unwrap())
            }
            Some((name, inner)) if table.len() == 1 && name == "mkForce" => format!("(lib.mkForce {})", nix(inner)),
            _ => {
                let entries = table.iter().map(|(name, value)| format!("{} = {};", quoted(name), nix(value)));
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(" "))
            }
        },
        toml::Value::Array(items) => {
            format!("[ {} ]", items.iter().map(|item| format!("({})", nix(item))).collect::<Vec<_>>().join(" "))
        }
        toml::Value::String(text) => quoted(text),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(on) => on.to_string(),
        other => panic!("{other:?} is in no case"),
    }
}

fn quoted(text: &str) -> String {
    hostwright::nix::NixString::new(text).unwrap().literal()
}

#[test]
fn nixos_rejects_the_settings_of_every_known_assertion() {
    let Some((command, tree)) = nixpkgs("nixos_rejects_the_settings_of_every_known_assertion") else { return };
    let base = format!(
        "{{ fileSystems.\"/\" = {{ device = \"/dev/sda1\"; fsType = \"ext4\"; }}; boot.loader.grub.device = lib.mkDefault \"nodev\"; \
         system.stateVersion = \"26.05\"; nixpkgs.hostPlatform = \"x86_64-linux\"; nixpkgs.overlays = {OVERLAYS}; }}"
    );
    let of = |settings: &str, warns: bool| {
        let module: toml::Table = settings.parse().unwrap();
        format!("{{ warns = {warns}; module = {{ pkgs, ... }}: {}; }}", nix(&toml::Value::Table(module)))
    };
    let cases = cases();
    let look = |settings: &str, warns: bool| {
        let expression = format!(
            "let lib = import {tree}/lib; case = {}; c = (import {tree}/nixos/lib/eval-config.nix {{ system = null; \
             modules = [ ({base}) case.module ]; }}).config; in {{ failed = map (a: a.message) (lib.filter (a: !a.assertion) c.assertions); \
             warnings = if case.warns then c.warnings else [ ]; }}",
            of(settings, warns)
        );
        let read = try_evaluate(&command, &expression)?.0;
        let count = |key: &str| read[key].as_array().unwrap().len();
        Ok((count("failed"), count("warnings")))
    };
    let (failed, warned): (usize, usize) = look("", true).unwrap_or_else(|said: String| panic!("{said}"));
    assert_eq!(failed, 0, "the system around the settings is not sound");
    let (one, other) = cases.split_at(cases.len() / 2);
    let judge = |cases: &[Case]| -> Vec<String> {
        let verdict = |case: &Case| match look(&case.settings, case.warns) {
            Ok((0, warnings)) if case.warns && warnings > warned => None,
            Ok((failed, _)) if failed > 0 && !case.warns => None,
            other => Some(format!("{}: {other:?}", case.message)),
        };
        cases.iter().filter_map(verdict).collect()
    };
    let wrong = std::thread::scope(|scope| {
        let beside = scope.spawn(|| judge(one));
        [judge(other), beside.join().unwrap()].concat()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
