//! What machines and programs answer, what files are called, and what stands on the command line: all of it is shown, none of it acts.

use std::fs;

use super::judges::{self, CANARY};
use super::{corpus, is_whole};
use crate::program::{Run, Sandbox};
use crate::quoting::is_installed;

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// Asserts that what a run printed is text for a terminal.
#[track_caller]
fn is_text(run: &Run, what: &str) {
    for (name, text) in [("standard output", &run.out), ("standard error", &run.err)] {
        assert_eq!(judges::steers_a_terminal(text), None, "{what}: {name}");
    }
}

/// Asserts that nothing made the canary, here or at the root.
#[track_caller]
fn nothing_ran(sandbox: &Sandbox) {
    assert!(!fs::exists(format!("/{CANARY}")).unwrap(), "a text was run as a command of the shell");
    let made: Vec<String> = sandbox.tree("").into_keys().filter(|path| path.ends_with(CANARY)).collect();
    assert_eq!(made, Vec::<String>::new(), "a text was run as a command of the shell");
}

/// Returns some texts of the corpus: all, or every `step`th from one on.
fn texts(from: usize, step: usize) -> Vec<String> {
    let all: Vec<String> = corpus().into_iter().filter(|text| text.len() < 1000).collect();
    if is_whole() { all } else { all.into_iter().skip(from).step_by(step).collect() }
}

#[test]
fn what_machines_print_while_a_plan_is_carried_out_is_text_on_the_terminal_in_the_journal_and_on_its_page() {
    let test = "what_machines_print_while_a_plan_is_carried_out_is_text_on_the_terminal_in_the_journal_and_on_its_page";
    let deployer = crate::apply::Deployer::new();
    let sandbox = &deployer.sandbox;
    sandbox.write("said", corpus().join("\n"));
    sandbox.write("machine/boot-id", corpus().join("\n"));
    let folder = sandbox.path().display().to_string();
    let says = format!("cat {folder}/said; cat {folder}/said >&2");
    let ssh = sandbox.read("bin/ssh").replace("echo 'Last login: yesterday'", &says);
    deployer.stand_in("ssh", &ssh);
    let build = "while [ $# -gt 1 ]; do shift; done\nmkdir -p \"$1/bin\"\n: > \"$1/bin/switch-to-configuration\"; chmod +x \"$1/bin/switch-to-configuration\"\n";
    deployer.stand_in("nix", &format!("#!/bin/sh\n{says}\n{build}"));
    deployer.stand_in("ssh-keyscan", &format!("#!/bin/sh\n{says}\necho 'attic.example.net ssh-ed25519 AAAAC3Nz'\n"));
    deployer.stand_in("ssh-keygen", &format!("#!/bin/sh\n{says}\necho '256 SHA256:abc attic-installer (ED25519)'\n"));
    let mut shown = 0;
    let mut goes = |options: &[&str]| {
        let run = deployer.apply(options);
        is_text(&run, &format!("apply {options:?}"));
        shown += (run.out + &run.err).matches(CANARY).count();
    };
    for options in [
        &["--non-interactive"][..],
        &["--non-interactive", "--confirm", "prove-access"],
        &["--confirm", "start-installer"],
        &["--confirm", "compare-fingerprint"],
        &["--status"],
        &["--log", "build-installer"],
        &["--log", "connect-installer"],
    ] {
        goes(options);
    }
    // What fails shows the last of what it printed.
    deployer.stand_in("nix", &format!("#!/bin/sh\n{says}; exit 1\n"));
    goes(&["--restart", "--confirm", "prove-access"]);
    goes(&["--status"]);
    assert!(shown > 20, "what was printed is seen {shown} times");
    let status = deployer.apply(&["--status", "--format", "json"]);
    serde_json::from_str::<serde_json::Value>(&status.out).unwrap();
    let tree = sandbox.tree("state");
    let journals: Vec<&Vec<u8>> =
        tree.iter().filter(|(path, _)| path.contains("journal-")).map(|(_, text)| text).collect();
    assert!(journals.len() >= 2, "{:?}", tree.keys());
    for journal in journals {
        assert_eq!(judges::steers_a_terminal(&String::from_utf8_lossy(journal)), None);
    }
    let page = sandbox.read("state/attic/plan.html");
    assert_eq!(judges::is_more_than_text(&page), None);
    if is_installed("chromium", "chromium", test) {
        assert_eq!(judges::browser_runs(&[page]), None);
    }
    nothing_ran(sandbox);
    println!("apply: {} texts printed by every program, seen {shown} times", corpus().len());
}

#[test]
fn what_a_look_at_a_machine_brings_is_text_in_every_report() {
    let look = fs::read_to_string(crate::program::repository().join("tests/probe/lufta-live.probe")).unwrap();
    let sandbox = Sandbox::example();
    let (mut cases, mut taken) = (0, 0);
    for (turn, text) in texts(0, 6).into_iter().enumerate() {
        let line_of = text.replace(['\n', '\0'], " ");
        for part in (0..5).filter(|part| is_whole() || part % 2 == turn % 2) {
            // The last word of every fifth line of an answer.
            let changed: Vec<String> = look
                .lines()
                .enumerate()
                .map(|(at, line)| match line.rsplit_once(' ').filter(|_| line.starts_with('|') && at % 5 == part) {
                    Some((front, _)) => format!("{front} {line_of}"),
                    None => line.to_owned(),
                })
                .collect();
            sandbox.write("a.look", changed.join("\n") + "\n");
            cases += 1;
            for format in ["human", "json"] {
                let run = sandbox.run(&["drift", "lufta", "--facts", "a.look", "--format", format, TODAY[0], TODAY[1]]);
                is_text(&run, &format!("drift with {text:?}"));
                assert!(
                    format != "json"
                        || run.out.is_empty()
                        || serde_json::from_str::<serde_json::Value>(&run.out).is_ok()
                );
            }
            let facts = sandbox.run(&["probe", "--from", "a.look", "--now", "2026-11-21T10:00:00Z"]);
            is_text(&facts, &format!("probe with {text:?}"));
            if facts.status == 0 {
                taken += 1;
                serde_json::from_str::<serde_json::Value>(&facts.out).unwrap();
            }
        }
    }
    nothing_ran(&sandbox);
    assert!(taken > 5, "{taken} of {cases} looks became facts");
    println!("looks: {cases}, of which {taken} became facts");
}

#[test]
fn what_kubectl_answers_is_text_in_every_report() {
    let sandbox = Sandbox::example();
    let folder = sandbox.path().display().to_string();
    let mut cases = 0;
    for (status, stream) in [(0, ">&1"), (1, ">&2"), (0, ">&2")] {
        sandbox.write("bin/kubectl", format!("#!/bin/sh\ncat {folder}/said {stream}\nexit {status}\n"));
        let program = sandbox.path().join("bin/kubectl");
        fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for text in texts(cases % 9, 9) {
            sandbox.write("said", &text);
            for format in ["human", "json", "md", "html"] {
                let path = format!("{folder}/bin:/usr/bin:/bin");
                let words = ["migrate", "--cluster", "do", "--format", format, TODAY[0], TODAY[1]];
                let run = sandbox.run_with(&[("PATH", &path)], &words);
                assert_ne!(run.status, 0, "{text:?}");
                cases += 1;
                is_text(&Run { status: 0, out: String::new(), err: run.err }, &format!("migrate with {text:?}"));
                let bad = match format {
                    "human" => judges::steers_a_terminal(&run.out),
                    "md" => judges::is_more_than_words(&run.out),
                    "html" => judges::is_more_than_text(&run.out),
                    _ => None,
                };
                assert_eq!(bad, None, "{format} with {text:?}");
            }
        }
    }
    nothing_ran(&sandbox);
    println!("kubectl: {cases} runs");
}

#[test]
fn what_files_are_called_and_what_stands_on_the_command_line_is_text_in_every_report() {
    let sandbox = Sandbox::small();
    let mut cases = 0;
    for text in texts(0, 1) {
        let name: String = text.replace(['/', '\0'], "").chars().take(60).collect();
        sandbox.write(&format!("hosts/{name}/host.toml"), "role = 1\n");
        sandbox.write(&format!("modules/{name}/module.toml"), "kind = 1\n");
        sandbox.write(&format!("nix/{name}.nix"), "{ a = }\n");
        sandbox.write(&format!("k8s/{name}.yaml"), "kind: [\n");
        let argument = text.replace('\0', "");
        for words in [
            ["explain", "--", &argument].as_slice(),
            &["plan", "--", &argument],
            &["apply", "--", &argument],
            &["migrate", "--", &argument],
        ] {
            let run = sandbox.run(words);
            assert_ne!(run.status, 0, "{words:?}");
            is_text(&run, &format!("{words:?}"));
            cases += 1;
        }
        let run = sandbox.run(&["check", "--today", &argument]);
        assert_eq!(run.status, 2, "{argument:?}");
        is_text(&run, "an argument");
    }
    for format in ["human", "json", "sarif", "github", "junit"] {
        let runs = [
            sandbox.run(&["check", "-v", "--format", format, TODAY[0], TODAY[1]]),
            sandbox.run(&["lint-nix", "--format", format, "nix"]),
        ];
        for run in runs {
            assert!(run.status != 0 && run.out.contains(CANARY), "{}{}", run.out, run.err);
            match format {
                "human" | "junit" => is_text(&run, format),
                "github" => assert_eq!(judges::is_no_annotation(&run.out), None),
                _ => drop(serde_json::from_str::<serde_json::Value>(&run.out).unwrap()),
            }
            if format == "junit" {
                roxmltree::Document::parse(&run.out).unwrap();
            }
        }
    }
    for format in ["human", "json", "md", "html"] {
        let run = sandbox.run(&["migrate", "k8s", "--format", format]);
        assert!(run.out.contains(CANARY), "{}{}", run.out, run.err);
        let bad = match format {
            "human" => judges::steers_a_terminal(&run.out),
            "md" => judges::is_more_than_words(&run.out),
            "html" => judges::is_more_than_text(&run.out),
            _ => None,
        };
        assert_eq!(bad, None, "{format}");
    }
    nothing_ran(&sandbox);
    println!("names and arguments: {cases} runs");
}
