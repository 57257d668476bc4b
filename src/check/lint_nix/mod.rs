//! `lint-nix`: anybody's NixOS modules, without a fleet around them.

mod modules;

use rayon::prelude::*;

use super::assertions::System;
use super::engine::{self, Checked};
use super::foreign;
use super::rule::{Finding, Findings, Unchecked};
use super::rules::{self, OF_SETTINGS};
use crate::facts::Facts;
use crate::nix::{ModuleText, NixSyntaxError, read_module};
use crate::source::{FileId, FleetFiles, Sources};
use crate::units::Release;

/// What reading a file came to.
type Outcome = Result<ModuleText, Vec<NixSyntaxError>>;

/// Checks .nix files: their syntax, and what those that are modules of NixOS set, against the options of a release.
///
/// Without a release the newest is taken that the facts know options of.
pub fn lint_nix<'f>(files: &'f FleetFiles, facts: &Facts, release: Option<Release>) -> Checked {
    let mut checked = Checked { findings: files.found.clone(), unchecked: Vec::new(), rules: OF_SETTINGS.len() + 1 };
    let one = |(path, file): (&'f String, &FileId)| {
        (path.as_str(), *file, read_module(files.sources.file(*file).text(), *file))
    };
    let read: Vec<(&str, FileId, Outcome)> = files.files.par_iter().map(one).collect();
    if let Some(rule) = rules::find("nix-invalid") {
        let mut found = Findings::new(rule, None);
        for (_, file, outcome) in &read {
            if let Err(errors) = outcome {
                first_error(errors, *file, &files.sources, &mut found);
            }
        }
        checked.findings.append(&mut found.found);
    }
    let release =
        release.or_else(|| facts.option_indexes().map(|index| index.release).max_by_key(|release| release.base()));
    let index = release.and_then(|release| Some((release, facts.options(release)?)));
    let Some((release, index)) = index else {
        let why = "there is no option index".to_owned();
        checked.unchecked.push(Unchecked { rule: "option-unknown", host: None, why });
        engine::sort(&mut checked.findings, &files.sources);
        return checked;
    };
    let texts: Vec<(&str, &ModuleText)> =
        read.iter().filter_map(|(path, _, outcome)| Some((*path, outcome.as_ref().ok()?))).collect();
    let declared: Vec<&[String]> = texts.iter().flat_map(|(_, text)| &text.declares).map(Vec::as_slice).collect();
    let found: Vec<Findings> = modules::of_nixos(&texts, index, &declared)
        .into_par_iter()
        .flat_map_iter(|module| {
            let mut settings = foreign::settings(facts, Some(index), &[module], &declared);
            settings.broken =
                System { definitions: module.definitions.iter().collect(), is_whole: false, release }.broken();
            let said: Vec<Findings> = OF_SETTINGS
                .iter()
                .map(|(rule, report)| {
                    let mut found = Findings::new(rule, None);
                    report(&settings, index, &mut found);
                    found
                })
                .collect();
            said
        })
        .collect();
    checked.findings.extend(found.into_iter().flat_map(|found| found.found));
    engine::sort(&mut checked.findings, &files.sources);
    // What a name stands for is read wherever the name is used.
    checked.findings.dedup_by(|a, b| a.rule == b.rule && a.primary.place == b.primary.place && a.message == b.message);
    checked
}

/// Reports the first syntax error of a file.
pub(super) fn syntax(file: FileId, sources: &Sources, found: &mut Findings) {
    first_error(&crate::nix::syntax_errors(sources.file(file).text()), file, sources, found);
}

/// The parser goes on after an error; what it says then follows from the first.
fn first_error(errors: &[NixSyntaxError], file: FileId, sources: &Sources, found: &mut Findings) {
    let Some(error) = errors.first() else { return };
    let place = sources.place(file, error.start, error.end);
    found.report(
        Finding::at(place, format!("not valid Nix: {}", error.message))
            .why("whatever imports this file does not evaluate")
            .help("mend it here; `nix-instantiate --parse FILE` judges the same"),
    );
}
