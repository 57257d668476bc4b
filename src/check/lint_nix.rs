//! `lint-nix`: anybody's NixOS modules, without a fleet around them.

use super::engine::{self, Checked};
use super::rule::{Finding, Findings};
use super::rules;
use crate::nix::syntax_errors;
use crate::source::{FileId, FleetFiles, Sources};

/// Checks .nix files for what needs no fleet: their syntax.
pub fn lint_nix(files: &FleetFiles) -> Checked {
    let mut checked = Checked { findings: files.found.clone(), unchecked: Vec::new(), rules: 1 };
    if let Some(rule) = rules::find("nix-invalid") {
        let mut found = Findings::new(rule, None);
        for file in files.files.values() {
            syntax(*file, &files.sources, &mut found);
        }
        checked.findings.append(&mut found.found);
    }
    engine::sort(&mut checked.findings, &files.sources);
    checked
}

/// Reports the first syntax error of a file.
pub(super) fn syntax(file: FileId, sources: &Sources, found: &mut Findings) {
    // The parser goes on after an error; what it says then follows from the first.
    if let Some(error) = syntax_errors(sources.file(file).text()).into_iter().next() {
        let place = sources.place(file, error.start, error.end);
        found.report(
            Finding::at(place, format!("not valid Nix: {}", error.message))
                .why("whatever imports this file does not evaluate")
                .help("mend it here; `nix-instantiate --parse FILE` judges the same"),
        );
    }
}
