//! Quoting, judged by the languages themselves: Nix evaluates what was printed, `sh` splits what was quoted.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hostwright::nix::{Attrs, Module, NixFloat, NixString, Value};
use hostwright::text::{ShellCommand, ShellWord, Templates};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many strings one process judges.
const BATCH: usize = 600;

/// Strings made of what is special in Nix, shells and templates; the same ones in every run.
fn strings() -> Vec<String> {
    let special = [
        "${",
        "$",
        "$$",
        "''",
        "'",
        "'''",
        "\"",
        "\\",
        "\n",
        "\n  ",
        "\n\t",
        "\r",
        "\r\n",
        "\t",
        "{",
        "}",
        " ",
        "  ",
        "#",
        "/*",
        "*/",
        "a",
        "echo",
        "~",
        "*",
        "`",
        "!",
        "-",
        "=",
        ";",
        "&",
        "|",
        "<",
        ">",
        "(",
        ")",
        "ä",
        "\u{1f600}",
        "\u{1}",
        "\u{7f}",
        "\u{2028}",
        "\u{feff}",
        "\\n",
        "''\\",
        "''$",
        "${{",
        "%",
        "{{",
        "}}",
        "{%",
    ];
    let piece = prop_oneof![8 => prop::sample::select(special.to_vec()).prop_map(str::to_owned), 1 => "[^\\x00]", 1 => "[a-z]{1,50}"];
    let strategy = prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut strings: Vec<String> = special.iter().map(|text| (*text).to_owned()).collect();
    strings.push(String::new());
    strings.push("#!/bin/sh\nset -eu\nif [ \"$x\" = '' ]; then\n  echo ''${y}\nfi\n".to_owned());
    while strings.len() < BATCH {
        strings.push(strategy.new_tree(&mut runner).unwrap().current());
    }
    strings
}

/// Tells whether a program is there; if not, says that the test is skipped, or fails where HOSTWRIGHT_REQUIRE names it.
fn is_installed(program: &str, required_as: &str, test: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        let required = std::env::var("HOSTWRIGHT_REQUIRE").unwrap_or_default();
        assert!(
            !required.split([',', ' ']).any(|name| name == required_as),
            "{program} is required, and not installed"
        );
        eprintln!("skipped: {test}: {program} is not installed");
    }
    there
}

/// Evaluates Nix and returns the result as JSON.
fn evaluate(nix: &str) -> serde_json::Value {
    // No store and no state: the sandbox of a build has neither.
    let state = tempfile::tempdir().unwrap();
    let mut child = Command::new("nix-instantiate")
        .args(["--eval", "--strict", "--json", "--readonly-mode", "-"])
        .env("NIX_STORE_DIR", state.path().join("store"))
        .env("NIX_STATE_DIR", state.path().join("state"))
        .env("NIX_LOG_DIR", state.path().join("log"))
        .env("NIX_REMOTE", "")
        .env("HOME", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(nix.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{nix}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asserts that two lists are the same, naming the first element that differs.
fn assert_same(read: &[serde_json::Value], given: &[String]) {
    assert_eq!(read.len(), given.len());
    for (read, given) in read.iter().zip(given) {
        assert_eq!(read.as_str(), Some(given.as_str()));
    }
}

#[test]
fn nix_reads_every_printed_string_as_it_was() {
    if !is_installed("nix-instantiate", "nix", "nix_reads_every_printed_string_as_it_was") {
        return;
    }
    let strings = strings();
    let one_line: Vec<String> = strings.iter().map(|text| NixString::new(text.as_str()).unwrap().one_line()).collect();
    let read = evaluate(&format!("[\n{}\n]", one_line.join("\n")));
    assert_same(read.as_array().unwrap(), &strings);

    // As a module's settings: formatted, indented, as values and as names, in sets and in lists.
    let mut module = Module::new(["strings"]);
    for (at, text) in strings.iter().enumerate() {
        module.settings.set(&["deeply", "nested", &format!("s{at}")], text.as_str());
        module.settings.push(&["list"], text.as_str());
    }
    let names: Attrs = strings.iter().map(|text| (text.as_str(), text.as_str())).collect();
    module.settings.set(&["names"], names);
    let file = module.to_file();
    assert!(file.matches(" = ''\n").count() > 50, "both forms of strings are judged");
    let read = evaluate(&format!("({file}) {{ }}"));
    assert_same(read["list"].as_array().unwrap(), &strings);
    for (at, text) in strings.iter().enumerate() {
        assert_eq!(read["deeply"]["nested"][format!("s{at}")].as_str(), Some(text.as_str()));
        assert_eq!(read["names"][text].as_str(), Some(text.as_str()));
    }
}

#[test]
fn nix_reads_what_a_template_wrote_as_the_values_it_was_given() {
    if !is_installed("nix-instantiate", "nix", "nix_reads_what_a_template_wrote_as_the_values_it_was_given") {
        return;
    }
    let values = serde_json::json!({ "x": [strings(), -1, 1.5e-9, i64::MIN, true, null, {}, { "a.b": { "if": [] } }] });
    let templates = Templates::new([("x.nix.tera", "[ {% for i in x %}{{ i }} {% endfor %}{{ x }} ]")]).unwrap();
    let read = evaluate(&templates.render("x.nix.tera", &values).unwrap());
    let mut expected = values["x"].as_array().unwrap().clone();
    expected.push(values["x"].clone());
    assert_eq!(read, serde_json::Value::Array(expected));
}

#[test]
fn nix_reads_every_printed_number_as_it_was() {
    if !is_installed("nix-instantiate", "nix", "nix_reads_every_printed_number_as_it_was") {
        return;
    }
    let ints = [0, 1, -1, i64::MAX, i64::MIN, i64::MIN + 1];
    let floats = [0.5, -0.5, 1e300, -1e-300, 0.1, 1e16, 123_456.789, f64::MIN_POSITIVE, f64::MAX, 100.0];
    let mut attrs = Attrs::new();
    attrs.set(&["ints"], ints.to_vec());
    attrs.set(&["bound", "int"], i64::MIN);
    attrs.set(&["bound", "float"], NixFloat::new(-0.5).unwrap());
    let module = Module { settings: attrs, ..Module::default() };
    let read = evaluate(&format!("({}) {{ }}", module.to_file()));
    assert_eq!(read["ints"], serde_json::json!(ints));
    assert_eq!(read["bound"], serde_json::json!({ "int": i64::MIN, "float": -0.5 }));
    // Nix prints fewer digits than it keeps: it compares with what its own JSON reader makes of Rust's digits.
    for float in floats {
        let printed = NixFloat::new(float).unwrap().literal();
        let same = evaluate(&format!("({printed}) == builtins.fromJSON \"{float:e}\""));
        assert_eq!(same, true, "{printed}");
    }
}

#[test]
fn a_value_that_nix_cannot_hold_stops_the_evaluation() {
    if !is_installed("nix-instantiate", "nix", "a_value_that_nix_cannot_hold_stops_the_evaluation") {
        return;
    }
    let mut module = Module::default();
    module.settings.set(&["s"], "a\0b");
    module.settings.set(&["n", "a\0b"], 1);
    let file = module.to_file();
    for attribute in ["s", "n"] {
        let read = evaluate(&format!("builtins.tryEval (builtins.deepSeq (({file}) {{ }}).{attribute} true)"));
        assert_eq!(read["success"], false, "{file}");
    }
}

#[test]
fn nix_reads_an_order_and_a_priority_as_arguments() {
    if !is_installed("nix-instantiate", "nix", "nix_reads_an_order_and_a_priority_as_arguments") {
        return;
    }
    let mut module = Module::default();
    module.settings.set(&["a"], Value::from(-1).with_priority(7));
    module.settings.set(&["b"], Value::Merge(vec![Value::from(vec!["x"]).with_order(500), Value::from(true).forced()]));
    let lib = "{ mkOverride = p: v: [ p v ]; mkForce = v: [ 50 v ]; mkBefore = v: [ 500 v ]; mkMerge = v: v; }";
    let read = evaluate(&format!("({}) {{ lib = {lib}; }}", module.to_file()));
    assert_eq!(read, serde_json::json!({ "a": [7, -1], "b": [[500, ["x"]], [50, true]] }));
}

/// Runs a script and returns what it wrote; `shell` is sh, or any other that is there.
fn run(shell: &str, script: &str) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let output = Command::new(shell).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn shells_read_every_word_as_it_was() {
    let strings = strings();
    let mut script = String::from("f() { printf '%s\\0' \"$@\"; }\n");
    for text in &strings {
        let (word, command) = (ShellWord::new(text), ShellCommand::new("f").arg("=").arg(text));
        script.extend([format!("f {word} x\n{command}\n"), format!("v={word}; f \"$v\"\n")]);
    }
    let mut expected = Vec::new();
    for text in &strings {
        for part in [text, "x", "=", text, text] {
            expected.extend_from_slice(part.as_bytes());
            expected.push(0);
        }
    }
    for shell in ["sh", "bash", "zsh"] {
        let there =
            Command::new(shell).arg("-c").arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if there || shell == "sh" {
            assert!(run(shell, &script) == expected, "{shell} reads a word differently");
        }
    }
}

#[test]
fn a_word_at_the_start_of_a_line_is_the_name_of_a_command() {
    // Whatever the word is, the shell looks for a command of that name and finds none.
    for word in ["if", "A=b", "{", "!", "a b", "~", "case", "-x", "[[", "time"] {
        let script = format!("PATH=/nonexistent\n{} 2>/dev/null\nprintf %s \"$?\"", ShellWord::new(word));
        assert_eq!(run("sh", &script), b"127", "{word}");
    }
}

#[test]
fn a_word_that_no_shell_can_hold_stops_the_script() {
    let script = format!("printf before; printf %s {}; printf after", ShellWord::new("a\0b"));
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"before");
}
