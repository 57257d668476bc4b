//! The table of assertions, held against settings that they reject: by our rule, and by a real nixpkgs.

use serde_json::Value;

use super::compile_nix::{evaluate, nixpkgs};
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
    let base = "{ fileSystems.\"/\" = { device = \"/dev/sda1\"; fsType = \"ext4\"; }; boot.loader.grub.device = lib.mkDefault \"nodev\"; \
                system.stateVersion = \"26.05\"; nixpkgs.hostPlatform = \"x86_64-linux\"; }";
    let of = |settings: &str| {
        let module: toml::Table = settings.parse().unwrap();
        format!("{{ pkgs, ... }}: {}", nix(&toml::Value::Table(module)))
    };
    let cases = cases();
    let modules: Vec<String> =
        std::iter::once("{ }".to_owned()).chain(cases.iter().map(|case| of(&case.settings))).collect();
    let mut said = Vec::new();
    // A process that has evaluated a dozen systems has a gigabyte.
    for some in modules.chunks(12) {
        let list: String = some.iter().map(|module| format!("({module}) ")).collect();
        let expression = format!(
            "let lib = import {tree}/lib; look = module: let c = (import {tree}/nixos/lib/eval-config.nix {{ system = null; \
             modules = [ ({base}) module ]; }}).config; in {{ failed = map (a: a.message) (lib.filter (a: !a.assertion) c.assertions); \
             warnings = c.warnings; }}; in map look [ {list}]"
        );
        said.extend(evaluate(&command, &expression).0.as_array().unwrap().clone());
    }
    let count = |said: &Value, key: &str| said[key].as_array().unwrap().len();
    assert_eq!(count(&said[0], "failed"), 0, "{}", said[0]);
    let mut wrong = Vec::new();
    for (case, result) in cases.iter().zip(&said[1..]) {
        let stops = count(result, "failed") > 0;
        if stops == case.warns || (case.warns && count(result, "warnings") <= count(&said[0], "warnings")) {
            wrong.push(format!("{}: {result}", case.message));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
