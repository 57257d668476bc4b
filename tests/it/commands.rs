//! The small commands, and that what they print can be used.

use serde_json::Value;

use crate::program::Sandbox;

#[test]
fn a_new_fleet_checks_and_builds_untouched() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "my fleet"]).ends(0).says("cd 'my fleet'").says("EDIT");
    let fleet = sandbox.path().join("my fleet");
    let fleet = fleet.to_str().unwrap();
    sandbox.run(&["--fleet", fleet, "check", "--fail-on", "warning", "--today", "2026-11-21"]).ends(0);
    sandbox.run(&["--fleet", fleet, "build", "--today", "2026-11-21"]).ends(0);
    sandbox.run(&["init", "my fleet"]).ends(2).complains("already has").complains("fleet.toml");
    sandbox.run(&["init", "--example", "tour"]).ends(0);
    sandbox.run(&["--fleet", "tour", "build", "--today", "2026-11-21"]).ends(0).says("lufta");
}

#[test]
fn a_new_fleet_takes_the_pin_of_a_flake_lock() {
    let sandbox = Sandbox::empty();
    let rev = "a0374025a863d007d98e3297f6aa46cc3141c2f0";
    let lock = format!(
        r#"{{"nodes": {{"root": {{"inputs": {{"nixpkgs": "np"}}}}, "np": {{"locked": {{"type": "github",
        "owner": "NixOS", "repo": "nixpkgs", "rev": "{rev}", "narHash":
        "sha256-9mUW6gNwoN2SWc/l0fW4svPNOulXLl8ijqKyeSOGgJE=", "lastModified": 1781216227}},
        "original": {{"ref": "nixos-26.05"}}}}}}, "root": "root", "version": 7}}"#
    );
    sandbox.write("flake.lock", lock);
    sandbox.run(&["init"]).ends(0).says(rev);
    assert!(sandbox.read("fleet.toml").contains(rev));
    sandbox.run(&["check", "--today", "2026-11-21"]).ends(0);
    sandbox.write("broken/flake.lock", "{");
    sandbox.run(&["init", "broken"]).ends(2).complains("not valid JSON");
}

#[test]
fn an_example_goes_into_an_empty_folder_only() {
    let sandbox = Sandbox::empty();
    sandbox.write("taken/x", "x");
    sandbox.run(&["explain", "port-conflict", "--example", "bad", "taken"]).ends(2).complains("not empty");
    sandbox.run(&["explain", "port-conflict", "--example", "worse", "x"]).ends(2).complains("`bad` or `good`");
}

#[test]
fn schemas_are_json_and_name_every_required_key() {
    let sandbox = Sandbox::empty();
    for name in ["fleet", "host", "facts", "module", "check", "plan", "watch", "rules", "reboot-test"] {
        let schema: Value = serde_json::from_str(&sandbox.run(&["schema", name]).ends(0).out).unwrap();
        assert!(schema["$schema"].is_string(), "{name}");
    }
    sandbox.run(&["schema"]).ends(2);
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let sandbox = Sandbox::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        sandbox.run(&["completions", shell]).ends(0).says("hostwright");
    }
    sandbox.run(&["man"]).ends(0).says(".TH hostwright");
    sandbox.run(&["man", "check"]).ends(0).says("hostwright\\-check");
    sandbox.run(&["man", "chekc"]).ends(2);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let sandbox = Sandbox::example();
    let program = env!("CARGO_BIN_EXE_hostwright");
    let line = format!("'{program}' rules | head -n 1; test ${{PIPESTATUS[0]}} -eq 0");
    let status = std::process::Command::new("bash").args(["-c", &line]).current_dir(sandbox.path()).status().unwrap();
    assert!(status.success());
}

#[test]
fn lint_nix_finds_what_does_not_parse_in_any_folder() {
    let sandbox = Sandbox::empty();
    sandbox.write("good.nix", "{ }\n");
    sandbox.write("below/bad.nix", "{ a = 1 }\n");
    sandbox.write("below/ignored.txt", "{ a = 1 }\n");
    let run = sandbox.run(&["lint-nix", "."]).ends(2).says("nix-invalid").says("below/bad.nix:1:9");
    assert_eq!(run.out.matches("error[").count(), 1);
    sandbox.run(&["lint-nix", "good.nix"]).ends(0);
    sandbox.run(&["lint-nix", "nowhere"]).ends(2).complains("nowhere");
    let json = sandbox.run(&["lint-nix", "--format", "json", "below"]).ends(2);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&document["fleet"], &document["findings"][0]["host"]), (&Value::Null, &Value::Null));
}

#[test]
fn colour_and_volume_are_as_asked_for() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", "[deploy]\nwatch = { mkForce = [] }\n");
    let plain = sandbox.run(&["check", "--today", "2026-11-21"]).ends(0).says("warning[watch-missing]");
    assert!(!plain.out.contains('\u{1b}'));
    let coloured = sandbox.run(&["--color", "always", "check", "--today", "2026-11-21"]).ends(0);
    assert!(coloured.out.contains('\u{1b}'));
    let quiet = sandbox.run(&["-q", "check", "--today", "2026-11-21"]).ends(0);
    assert_eq!(quiet.out, "");
    sandbox.run(&["check", "--fail-on", "warning", "--today", "2026-11-21"]).ends(1);
    sandbox.run(&["-q", "-v", "check"]).ends(2);
}
