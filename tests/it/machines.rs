//! tests/fleets/machines: one host for each kind of machine, judged by the rules, by the shell and by real Nix.

use hostwright::check::check_files;
use hostwright::facts::Facts;
use hostwright::source::{Diagnostic, FleetFiles, Level, load};

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluates, nixpkgs, write};
use super::quoting::is_installed;

fn machines() -> FleetFiles {
    load(&root().join("tests/fleets/machines")).unwrap()
}

#[test]
fn every_machine_passes_the_checks() {
    passes_the_checks(machines(), "tests/fleets/machines");
}

/// Holds that the rules find no error and nothing to warn of, and that each host of the folder was read.
pub(crate) fn passes_the_checks(mut files: FleetFiles, folder: &str) {
    let (hosts, said) = check_files(&mut files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |_, outcome, _| {
        let open = |finding: &&Diagnostic| finding.level != Level::Note && finding.allowed.is_none();
        let said: Vec<String> = outcome
            .checked
            .findings
            .iter()
            .filter(open)
            .map(|finding| format!("{}: {}", finding.rule, finding.message))
            .collect();
        (outcome.hosts, said)
    });
    assert_eq!(said, Vec::<String>::new());
    if !folder.is_empty() {
        assert_eq!(hosts, std::fs::read_dir(root().join(folder).join("hosts")).unwrap().count());
    }
}

#[test]
fn every_machine_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("every_machine_evaluates_without_a_warning") else { return };
    evaluates(&compile_files(&mut machines(), &Facts::embedded()).unwrap(), &nix, &tree);
}

#[test]
fn what_is_compiled_for_every_machine_is_read_by_nix_and_by_shellcheck() {
    let test = "what_is_compiled_for_every_machine_is_read_by_nix_and_by_shellcheck";
    judged_by_nix_and_shellcheck(&mut machines(), test);
}

/// Holds that Nix reads what a fleet compiles to, and that shellcheck finds nothing in its scripts.
pub(crate) fn judged_by_nix_and_shellcheck(files: &mut FleetFiles, test: &str) {
    let compiled = compile_files(files, &Facts::embedded()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&compiled, folder.path());
    let judges: [(&str, &str, &[&str], &str); 2] =
        [("nix-instantiate", "nix", &["--parse"], ".nix"), ("shellcheck", "shellcheck", &[], ".sh")];
    for (judge, name, words, ending) in judges {
        if !is_installed(judge, name, test) {
            continue;
        }
        let files = compiled.files.iter().filter(|file| file.path.ends_with(ending));
        let output = std::process::Command::new(judge)
            .args(words)
            .args(files.map(|file| folder.path().join(&file.path)))
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{judge}: {said}");
    }
}
