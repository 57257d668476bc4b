//! `check --eval`: mistakes that only Nix sees come back at their lines; what Nix may do; how it fails.
//!
//! tests/eval has a host a file, with a comment `#! RULE` at each line that must come back. `NAME.nix` stands beside the host NAME.

use std::collections::BTreeSet;
use std::fs;

use hostwright::check::{Check, SCAFFOLD, examples, rules};
use serde_json::Value;

use super::compile_nix::nixpkgs;
use crate::program::{Run, Sandbox, repository};

/// What a trimmed tree lacks is replaced, as by scripts/evaluate.
fn slim() -> String {
    let overlay = fs::read_to_string(repository().join("scripts/evaluate-overlay.nix")).unwrap();
    format!("{{\n  nixpkgs.overlays =\n{overlay};\n}}\n")
}

/// A fleet of the release that the tree is of, with an input.
fn fleet(sandbox: &Sandbox) {
    for (path, text) in SCAFFOLD {
        sandbox.write(path, text.replace("release = \"26.05\"", "release = \"26.11pre\""));
    }
}

fn evaluate(sandbox: &Sandbox, nix: &str, arguments: &[&str]) -> Run {
    let path = std::env::var("PATH").unwrap_or_default();
    let all = [&["check", "--today", "2026-11-21", "--eval"], arguments].concat();
    sandbox.run_with(&[("HOSTWRIGHT_NIX", nix), ("PATH", &path)], &all)
}

/// A place and what stands there, as `PATH:LINE RULE`.
type Lines = BTreeSet<String>;

/// Returns what must come back from a file.
fn planted(path: &str, text: &str) -> Lines {
    let marked = |(index, line): (usize, &str)| {
        let (_, rule) = line.split_once("#! ")?;
        Some(format!("{path}:{} {}", index + 1, rule.trim()))
    };
    text.lines().enumerate().filter_map(marked).collect()
}

/// Returns the findings of a JSON report as `PATH:LINE RULE`, and their messages.
fn found(run: &Run) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] != "note");
    findings
        .map(|finding| {
            let place = format!("{}:{}", finding["file"].as_str().unwrap(), finding["line"]);
            let rule = finding["rule"].as_str().unwrap();
            (format!("{place} {rule}"), finding["message"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn mistakes_that_only_nix_sees_come_back_at_their_lines() {
    let Some((nix, tree)) = nixpkgs("mistakes_that_only_nix_sees_come_back_at_their_lines") else { return };
    let sandbox = Sandbox::empty();
    fleet(&sandbox);
    let mut wanted = Lines::new();
    for entry in fs::read_dir(repository().join("tests/eval")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let to = match path.extension().unwrap().to_str().unwrap() {
            "toml" => format!("hosts/{stem}/host.toml"),
            _ if stem.ends_with(".flake") => "tides/flake.nix".to_owned(),
            _ => format!("hosts/{stem}/{stem}.nix"),
        };
        if to.ends_with("host.toml") {
            sandbox.write(&format!("hosts/{stem}/slim.nix"), slim());
        }
        wanted.extend(planted(&to, &text));
        sandbox.write(&to, text);
    }
    // The pages of the rules show an example each.
    for rule in rules::all().filter(|rule| matches!(rule.check, Check::Evaluating)) {
        let (bad, _) = examples(rule);
        let host = rule.id;
        sandbox.write(&format!("hosts/{host}/host.toml"), &bad.files["hosts/a/host.toml"]);
        sandbox.write(&format!("hosts/{host}/slim.nix"), slim());
        for line in &bad.expected {
            let place = line.place.replace("hosts/a/", &format!("hosts/{host}/"));
            let (line_of, _) = place.rsplit_once(':').unwrap();
            wanted.insert(format!("{line_of} {}", line.rule));
        }
    }
    let pin = "[inputs.tides]\nurl = \"https://example.org/tides.tar.gz\"\n\
               hash = \"sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=\"\nmodule = \"nixosModules.tides\"\n";
    let fleet = format!("{}\n{pin}", sandbox.read("fleet.toml"));
    sandbox.write("fleet.toml", fleet);

    let without = found(&sandbox.run(&["check", "--today", "2026-11-21", "--format", "json"]));
    let seen: Vec<&String> = without
        .iter()
        .filter(|(line, _)| {
            let place = line.split(' ').next().unwrap();
            wanted.iter().any(|wanted| wanted.starts_with(&format!("{place} ")))
        })
        .map(|(line, _)| line)
        .collect();
    let run = evaluate(
        &sandbox,
        &nix.join(" "),
        &[
            "--nixpkgs",
            &tree,
            "--input",
            &format!("tides={}", sandbox.path().join("tides").display()),
            "--format",
            "json",
        ],
    );
    let all = found(&run);
    let lines: Lines = all.iter().map(|(line, _)| line.clone()).filter(|line| line.contains(" eval-")).collect();
    let missed: Vec<&String> = wanted.difference(&lines).collect();
    let strange: Vec<&(String, String)> =
        all.iter().filter(|(line, _)| line.contains(" eval-") && !wanted.contains(line)).collect();
    let exact = wanted.len() - missed.len();
    println!("{exact} of {} mistakes at their lines; {} seen without Nix", wanted.len(), seen.len());
    let planted_only = wanted.len() - 3 - seen.len();
    assert!(planted_only >= 40, "only {planted_only} mistakes are Nix's alone: {seen:#?}");
    assert!(missed.is_empty() && strange.is_empty(), "missed {missed:#?}\nstrange {strange:#?}");
    assert_eq!(run.status, 1);
}

/// What Nix answers about a host that is well.
const WELL: &str = r#"echo '{"assertions":[],"warnings":[],"system":"/nix/store/x.drv"}'"#;

/// A small fleet, something that looks like a nixpkgs of its release, and a script in the place of Nix.
fn staged(body: &str) -> Sandbox {
    let sandbox = Sandbox::small();
    sandbox.write("tree/nixos/lib/eval-config.nix", "");
    sandbox.write("tree/.version", "26.05\n");
    sandbox.write("tmp/.keep", "");
    stage(&sandbox, body);
    sandbox
}

/// Has the script say something else. `$out` is the folder of the compiled files.
fn stage(sandbox: &Sandbox, body: &str) {
    let head = "case \"$*\" in *--version*) echo 'nix-instantiate (Nix) 2.26.3'; exit;; esac\n\
                for word in \"$@\"; do case $word in out=*) out=${word#out=};; esac; done\n";
    sandbox.write("nix.sh", format!("{head}{body}\n"));
}

/// Checks with the script and the tree; what is temporary goes below the sandbox.
fn check(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let nix = format!("sh {}", sandbox.path().join("nix.sh").display());
    let (path, tmp) = (std::env::var("PATH").unwrap_or_default(), sandbox.path().join("tmp"));
    let variables = [("HOSTWRIGHT_NIX", nix.as_str()), ("PATH", &path), ("TMPDIR", tmp.to_str().unwrap())];
    let run = sandbox.run_with(&variables, &[&["check", "--today", "2026-11-21", "--eval"], arguments].concat());
    let left: Vec<_> = sandbox.tree("tmp").into_keys().collect();
    assert_eq!(left, [".keep"], "a run leaves nothing behind");
    assert!(!sandbox.path().join("out").exists(), "out/ is not touched");
    run
}

const TREE: &[&str] = &["--nixpkgs", "tree"];

#[test]
fn a_nix_that_is_not_there_or_too_old_is_said_and_nothing_is_reported() {
    let sandbox = staged(WELL);
    evaluate(&sandbox, "/nowhere/nix-instantiate", TREE).ends(2).complains("cannot start `/nowhere/nix-instantiate`");
    sandbox.write("nix.sh", "echo 'nix-instantiate (Nix) 2.3.16'\n");
    check(&sandbox, TREE).ends(2).complains("`nix-instantiate (Nix) 2.3.16` is too old").complains("HOSTWRIGHT_NIX");
    sandbox.write("nix.sh", "echo broken >&2; exit 1\n");
    check(&sandbox, TREE).ends(2).complains(": broken");
    sandbox.run(&["check", "--nixpkgs", "tree"]).ends(2).complains("--eval");
    for seconds in ["0", "18446744073709551615", "-1", "x"] {
        check(&sandbox, &["--eval-deadline", seconds]).ends(2);
    }
}

#[test]
fn a_tree_that_is_none_or_of_another_release_and_an_input_that_is_none_are_said() {
    let sandbox = staged(WELL);
    check(&sandbox, TREE).ends(0);
    check(&sandbox, &["--nixpkgs", "nowhere"]).ends(2).complains("no nixpkgs: there is no such folder");
    check(&sandbox, &["--nixpkgs", "hosts"]).ends(2).complains("no nixos/lib/eval-config.nix");
    check(&sandbox, &["--nixpkgs", "tree", "--input", "sops=tree"]).ends(2).complains("the fleet has no input `sops`");
    check(&sandbox, &["--nixpkgs", "tree", "--input", "sops"]).ends(2).complains("NAME=PATH");
    sandbox.write("tree/.version", "24.05\n");
    check(&sandbox, &["--nixpkgs", "tree", "-v"])
        .ends(0)
        .says("warning[eval-warning]: `--nixpkgs` is of NixOS 24.05, and the channel `stable` of 26.05")
        .says("fleet.toml:5:");
}

#[test]
fn a_nix_that_hangs_or_dies_is_a_finding_and_not_the_end() {
    let sandbox = staged("sleep 600");
    let started = std::time::Instant::now();
    check(&sandbox, &["--nixpkgs", "tree", "--eval-deadline", "1"])
        .ends(1)
        .says("error[eval-error]: Nix did not come to an end within 1 s")
        .says("hosts/a/host.toml:1:1")
        .says("--eval-deadline SECONDS");
    // The option that hangs by itself is why.
    stage(
        &sandbox,
        "case \"$*\" in *value\\ =\\ host.config.time.timeZone*|*toplevel*) sleep 600;; *) echo null;; esac",
    );
    let expressions =
        "[nixos]\nnetworking.domain = { literalExpression = '1' }\ntime.timeZone = { literalExpression = '2' }\n";
    sandbox.write("hosts/a/host.toml", expressions);
    check(&sandbox, &["--nixpkgs", "tree", "--eval-deadline", "1"])
        .ends(1)
        .says("within 1 s")
        .says("hosts/a/host.toml:3:39");
    sandbox.write("hosts/a/host.toml", "");
    assert!(started.elapsed().as_secs() < 60);
    for (body, message) in [
        (
            "echo 'GC Warning: Out of Memory!' >&2; echo 'error: out of memory' >&2; exit 1",
            "Nix ran out of memory: it may use 8 GiB",
        ),
        ("kill -SEGV $$", "Nix was ended by signal 11, most probably by a recursion without end"),
        ("exit 1", "Nix failed and did not say why"),
        ("echo nonsense", "Nix failed and did not say why"),
        ("printf 'error: \\033]0;evil\\007 \\377 x' >&2; exit 1", "\\u{7}"),
        ("yes 'trace: x' | head -n 300000 >&2; echo 'error: at the end' >&2; exit 1", "at the end"),
    ] {
        stage(&sandbox, body);
        check(&sandbox, TREE).ends(1).says("error[eval-error]: ").says(message);
    }
}

#[test]
fn what_a_rule_and_nix_say_of_one_setting_is_one_finding() {
    let sandbox = staged(&format!(
        "grep -q enabel $out/hosts/a/nixos.nix || {{ {WELL}; exit; }}\n\
         printf 'error: The option `services.fail2ban.enabel'\"'\"' does not exist. Definition values:\\n- In `%s'\"'\"': true\\n' \
         $out/hosts/a/nixos.nix >&2; exit 1"
    ));
    let release = |text: &str| text.replace("release = \"26.05\"", "release = \"26.11pre\"");
    sandbox.write("fleet.toml", release(&sandbox.read("fleet.toml")));
    sandbox.write("tree/.version", "26.11\n");
    sandbox.write("hosts/a/host.toml", "[nixos]\nservices.fail2ban.enabel = true\n");
    let run = check(&sandbox, TREE).ends(1).says("error[option-unknown]").says("Nix says so too").says("1 error,");
    assert!(!run.out.contains("eval-error"), "{}", run.out);
    sandbox.write("hosts/a/host.toml", "[nixos]\nservices.fail2ban = { literalExpression = '{ enabel = true; }' }\n");
    check(&sandbox, TREE)
        .ends(1)
        .says("error[eval-error]: the option `services.fail2ban.enabel` does not exist")
        .says("host.toml:2:");
}

#[test]
fn an_evaluation_reads_and_fetches_nothing_unless_it_is_trusted() {
    let sandbox = staged("");
    let log = sandbox.path().join("log");
    stage(&sandbox, &format!("echo \"path:$NIX_PATH: $*\" >> {}; {WELL}", log.display()));
    check(&sandbox, TREE).ends(0);
    let said = fs::read_to_string(&log).unwrap();
    for words in [
        "--readonly-mode",
        "--option restrict-eval true",
        "--option allowed-uris  ",
        "--option allow-import-from-derivation false",
        "--option substitute false",
        "path::",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    fs::remove_file(&log).unwrap();
    check(&sandbox, &["--nixpkgs", "tree", "--trust"]).ends(0);
    let said = fs::read_to_string(&log).unwrap();
    assert!(!said.contains("restrict-eval") && !said.contains("--readonly-mode"), "{said}");
}

#[test]
fn the_pinned_tree_is_what_nix_fetches() {
    let sandbox = staged("");
    let tree = sandbox.path().join("tree");
    stage(
        &sandbox,
        &format!(
            "case \"$*\" in *fetchTarball*archive/a5cc6f2*) echo '\"{}\"';; *nixpkgs={}*) {WELL};; esac",
            tree.display(),
            tree.display()
        ),
    );
    check(&sandbox, &[]).ends(0);
    stage(
        &sandbox,
        "case \"$*\" in *fetchTarball*) echo 'error: unable to download: Could not resolve host' >&2; exit 1;; esac",
    );
    check(&sandbox, &["-v"])
        .ends(1)
        .says("the nixpkgs of `stable` cannot be fetched: unable to download")
        .says("`--nixpkgs PATH`")
        .says("unchecked[eval-error] a: there is no nixpkgs for it");
    let fleet = sandbox.read("fleet.toml");
    let unpinned: String =
        fleet.lines().filter(|line| !line.starts_with("hash")).map(|line| format!("{line}\n")).collect();
    sandbox.write("fleet.toml", unpinned);
    check(&sandbox, &[]).ends(1).says("the nixpkgs of `stable` is not pinned");
}

#[test]
fn a_warning_can_be_allowed_and_an_allowance_waits_for_an_evaluation() {
    let warns = r#"echo '{"assertions":[],"warnings":[{"message":"look at `services.fail2ban.enable`"}],"system":"/nix/store/x.drv"}'"#;
    let sandbox = staged(warns);
    let host = "[nixos]\nservices.fail2ban.enable = true\n";
    sandbox.write("hosts/a/host.toml", host);
    check(&sandbox, &["--nixpkgs", "tree", "--fail-on", "warning"]).ends(1).says("host.toml:2:28");
    sandbox.write("hosts/a/host.toml", format!("allow = [{{ rule = \"eval-warning\", reason = \"x\" }}]\n{host}"));
    check(&sandbox, &["--nixpkgs", "tree", "--fail-on", "warning"]).ends(0).says("1 allowed");
    sandbox.run(&["check", "--today", "2026-11-21", "--fail-on", "warning"]).ends(0);
    stage(&sandbox, WELL);
    check(&sandbox, &["--nixpkgs", "tree", "--fail-on", "warning"]).ends(1).says("allow-unused");
}

#[test]
fn a_definition_that_cannot_be_compiled_or_read_is_not_evaluated_and_that_is_said() {
    let sandbox = staged(WELL);
    sandbox.write("hosts/b/host.toml", "nonsense = 1\n");
    check(&sandbox, &["--nixpkgs", "tree", "-v"]).ends(2).says("unchecked[eval-error]: 1 of 2 hosts cannot be read");
    sandbox.write("hosts/b/host.toml", "[nixos]\ntime.timeZone = { literalExpression = \"1 +\" }\n");
    check(&sandbox, &["--nixpkgs", "tree", "b"]).ends(2).says("this is no expression of Nix");
}
