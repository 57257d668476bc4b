//! The commands of docs/ci.md, run by a shell as the forges run them.

use std::process::Command;

use crate::program::{Sandbox, repository};

/// Returns the commands that the page's workflows run.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/ci.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(str::trim);
    let run = lines.filter_map(|line| line.strip_prefix("- run: ").or_else(|| line.strip_prefix("- ")));
    run.filter(|line| line.starts_with("hostwright ")).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_workflows_runs_in_a_pull_request_and_outside_of_one() {
    let sandbox = Sandbox::small();
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        let status = Command::new("git").args(who).args(arguments).current_dir(sandbox.path()).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    };
    sandbox.run(&["build", "--today", "2026-11-21"]).ends(0);
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "--all"]);
    git(&["commit", "-q", "-m", "first"]);
    git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_hostwright")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    assert!(commands.iter().any(|command| command.contains("--changed-since")));
    for command in commands {
        for pull_request in [true, false] {
            // What GitHub puts in before the shell sees it.
            let mut line = command.clone();
            if let Some((head, rest)) = command.split_once("${{") {
                let (expression, tail) = rest.split_once("}}").unwrap();
                let value = expression.split('\'').find(|text| text.starts_with("--")).unwrap();
                line = format!("{head}{}{tail}", if pull_request { value } else { "" });
            }
            let mut shell = Command::new("sh");
            shell
                .args(["-ec", &line])
                .current_dir(sandbox.path())
                .env_clear()
                .env("PATH", &path)
                .env("HOME", sandbox.path());
            if pull_request {
                shell.env("CI_MERGE_REQUEST_DIFF_BASE_SHA", "HEAD^1");
            }
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let report = sandbox.read("hosts.xml");
    assert!(roxmltree::Document::parse(&report).is_ok(), "{report}");
}
