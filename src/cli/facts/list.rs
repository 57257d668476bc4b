//! `hostwright facts list`

use std::path::Path;

use serde_json::json;

use super::{ExitStatus, FactsFormat, Failure, Terminal, facts, print_json};
use crate::facts::{Facts, OptionIndex};

/// List the tables: what each is from, and what it answers for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright facts list
  hostwright facts list --format json")]
pub(in crate::cli) struct Args {
    /// How to print them
    #[arg(long, default_value = "human")]
    format: FactsFormat,
}

pub(super) fn run(terminal: &Terminal, folder: Option<&Path>, args: &Args) -> Result<ExitStatus, Failure> {
    let facts = facts(folder)?;
    let own = facts.option_indexes().count() - Facts::embedded().option_indexes().count();
    match args.format {
        FactsFormat::Human => terminal.print(&human(&facts, own))?,
        FactsFormat::Json => {
            let options = facts.option_indexes().enumerate().map(|(number, index)| {
                let (options, old) = index.counts();
                json!({
                    "release": index.release.to_string(),
                    "base": index.base,
                    "options": options,
                    "old_names": old,
                    "visible_only": index.visible_only,
                    "exact_for": index.exact_for(),
                    "imported": number < own,
                })
            });
            let releases: Vec<String> = facts.releases().all().map(|facts| facts.release.to_string()).collect();
            print_json(
                terminal,
                &json!({
                    "version": 1,
                    "options": options.collect::<Vec<_>>(),
                    "releases": releases,
                    "packages": facts.packages().attributes().count(),
                    "package_releases": facts.packages().releases().map(|(release, _)| release.to_string()).collect::<Vec<_>>(),
                    "zfs_features": facts.zfs().all_features().map(|feature| feature.name).collect::<Vec<_>>(),
                    "zfs_lines": facts.zfs().lines().map(|line| line.name).collect::<Vec<_>>(),
                    "named_by_release_notes": facts.history().len(),
                    "hardware": facts.hardware().all().map(|(key, _)| key).collect::<Vec<_>>(),
                }),
            )?;
        }
    }
    Ok(ExitStatus::Success)
}

fn human(facts: &Facts, own: usize) -> String {
    let mut text = "options\n  release   options  old names  answers for  from\n".to_owned();
    for (number, index) in facts.option_indexes().enumerate() {
        let (options, old) = index.counts();
        let exact = match index.exact_for() {
            names if names.is_empty() => "neighbours".to_owned(),
            names => names.join(", "),
        };
        let notes = notes(index, number < own);
        text.push_str(&format!(
            "  {:8}  {options:7}  {old:9}  {exact:11}  {}{notes}\n",
            index.release.to_string(),
            index.base
        ));
    }
    let releases: Vec<String> = facts.releases().all().map(|facts| facts.release.to_string()).collect();
    let (first, last) = (releases.first().cloned().unwrap_or_default(), releases.last().cloned().unwrap_or_default());
    text.push_str(&format!(
        "\nreleases  {}, {first} to {last}\npackages  {} attributes in {} releases\nzfs       {} features, {} release lines\n\
         notes     {} options that release notes name\nhardware  {} devices and the first Linux that drives each\n",
        releases.len(),
        facts.packages().attributes().count(),
        facts.packages().releases().count(),
        facts.zfs().all_features().count(),
        facts.zfs().lines().count(),
        facts.history().len(),
        facts.hardware().all().count()
    ));
    text
}

fn notes(index: OptionIndex<'_>, imported: bool) -> String {
    let mut notes = Vec::new();
    if imported {
        notes.push("imported into the fleet");
    }
    if index.visible_only {
        notes.push("no hidden options, no old names");
    }
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}
