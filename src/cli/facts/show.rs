//! `hostwright facts show`

use std::path::Path;

use serde_json::{Value, json};

use super::{ExitStatus, FactsFormat, Failure, Terminal, facts, print_json};
use crate::facts::{Device, Facts, Feature, Found, OptionIndex, PackageFact, ReleaseFacts, join_name, split_name};
use crate::source::{self, nearest, printable};
use crate::units::Release;

/// How many names below an option are listed.
const LISTED: usize = 80;

/// Show what is known of an option, a release, a package, a ZFS pool feature or a device.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright facts show services.openssh.settings.PermitRootLogin
  hostwright facts show services.openssh.permitRootLogin --release 20.09
  hostwright facts show 26.05
  hostwright facts show postgresql_17
  hostwright facts show head_errlog --format json
  hostwright facts show 8086:125c")]
pub(in crate::cli) struct Args {
    /// An option, a release, a nixpkgs attribute, a ZFS feature, or a device as lspci -n prints it or by its driver
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose options to show [default: the newest]
    #[arg(long, value_name = "RELEASE")]
    release: Option<Release>,
    /// How to print it
    #[arg(long, default_value = "human")]
    format: FactsFormat,
}

/// What is shown of one thing: for people as rows, for programs as a value.
struct Shown {
    title: String,
    rows: Vec<(String, String)>,
    value: Value,
}

pub(super) fn run(terminal: &Terminal, folder: Option<&Path>, args: &Args) -> Result<ExitStatus, Failure> {
    let facts = facts(folder)?;
    let newest = facts.releases().newest();
    let index = args.release.or(newest).and_then(|release| facts.options(release));
    let index = index.ok_or_else(|| Failure::new("there is no option index"))?;
    let name = args.name.as_str();
    let loc = split_name(name);
    let mut shown: Vec<Shown> = Vec::new();
    if let Some(known) = name.parse().ok().and_then(|release| facts.releases().find(release)) {
        shown.push(release(&facts, &known));
    }
    shown.extend(option(&facts, index, &loc));
    if facts.packages().attributes().any(|attribute| attribute == name) {
        shown.push(package(&facts, name));
    }
    shown.extend(facts.zfs().feature(name).map(|known| feature(&facts, &known)));
    let devices = facts.hardware().pci(name).or_else(|| facts.hardware().driver(name));
    shown.extend(devices.map(|known| device(&known)));
    if shown.is_empty() {
        return Err(unknown(&facts, index, name, &loc));
    }
    match args.format {
        FactsFormat::Human => {
            let texts: Vec<String> = shown.iter().map(human).collect();
            terminal.print(&texts.join("\n"))?;
        }
        FactsFormat::Json => {
            let found: Vec<&Value> = shown.iter().map(|shown| &shown.value).collect();
            print_json(terminal, &json!({ "version": 1, "name": name, "found": found }))?;
        }
    }
    Ok(ExitStatus::Success)
}

fn human(shown: &Shown) -> String {
    let mut text = format!("{}\n", printable(&shown.title));
    let width = shown.rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    for (label, told) in &shown.rows {
        let mut lines = told.lines();
        text.push_str(&format!("  {label:width$}  {}\n", printable(lines.next().unwrap_or_default())));
        for line in lines {
            text.push_str(&format!("  {:width$}  {}\n", "", printable(line)));
        }
    }
    text
}

fn unknown(facts: &Facts, index: OptionIndex<'_>, name: &str, loc: &[String]) -> Failure {
    let failure = Failure::new(format!(
        "the facts know nothing of {}: it is no option of {}, no release, no package, no ZFS feature and no device",
        source::quoted(name),
        index.release
    ));
    let segments: Vec<&str> = loc.iter().map(String::as_str).collect();
    let mut near = index.nearest(&segments);
    if loc.len() == 1 {
        near.extend(nearest(name, facts.packages().attributes()).into_iter().map(str::to_owned));
        near.extend(
            nearest(name, facts.zfs().all_features().map(|feature| feature.name)).into_iter().map(str::to_owned),
        );
        near.extend(facts.releases().nearest_names(name));
    }
    near.truncate(3);
    if near.is_empty() {
        failure.help("`hostwright facts list` tells what there is")
    } else {
        let near: Vec<String> = near.iter().map(|name| source::quoted(name)).collect();
        failure.help(format!("nearest: {}", near.join(", ")))
    }
}

/// Returns in one word and its target what an index makes of a name.
fn state(index: OptionIndex<'_>, loc: &[&str]) -> (&'static str, Option<String>) {
    match index.lookup(loc) {
        Found::Option(option) if option.read_only() => ("read-only", None),
        Found::Option(option) if option.hidden() => ("hidden", None),
        Found::Option(option) if option.internal() => ("internal", None),
        Found::Option(_) => ("option", None),
        Found::Prefix => ("options below it", None),
        Found::Free(_) => ("allowed", None),
        Found::Unknown { .. } => ("unknown", None),
        Found::Alias(alias) => {
            let word = match alias.kind {
                crate::facts::AliasKind::Renamed => "renamed to",
                crate::facts::AliasKind::Permanent => "second name of",
                crate::facts::AliasKind::Removed => "removed",
                crate::facts::AliasKind::Changed => "replaced by",
            };
            (word, alias.last.as_deref().or(alias.to.as_deref()).map(join_name))
        }
    }
}

fn option(facts: &Facts, index: OptionIndex<'_>, loc: &[String]) -> Option<Shown> {
    let segments: Vec<&str> = loc.iter().map(String::as_str).collect();
    let found = index.lookup(&segments);
    let somewhere = facts.option_indexes().any(|other| !matches!(other.lookup(&segments), Found::Unknown { .. }));
    if !somewhere {
        return None;
    }
    let name = join_name(loc);
    let mut rows = Vec::new();
    let mut row = |label: &str, told: String| rows.push((label.to_owned(), told));
    let (word, target) = state(index, &segments);
    row("is", target.as_ref().map_or_else(|| word.to_owned(), |target| format!("{word} {target}")));
    let ty = index.type_of(&segments).filter(|_| !matches!(found, Found::Alias(_))).map(crate::facts::Type::describe);
    if let Some(ty) = &ty {
        row("type", ty.clone());
    }
    let default = if let Found::Option(option) = &found { option.default() } else { None };
    if let Some(default) = default {
        row("default", default.to_owned());
    }
    let said = if let Found::Alias(alias) = &found { alias.text.trim() } else { "" };
    if !said.is_empty() {
        row("said", said.to_owned());
    }
    let below: Vec<&str> = index.members(&segments);
    if !below.is_empty() {
        let mut listed: Vec<String> = below.iter().take(LISTED).map(|member| join_name(&[member])).collect();
        if below.len() > LISTED {
            listed.push(format!("and {} more", below.len() - LISTED));
        }
        row("below", listed.join(", "));
    }
    let mut states: Vec<(Release, Release, String)> = Vec::new();
    let mut indexes: Vec<_> = facts.option_indexes().collect();
    indexes.sort_by_key(|index| index.release);
    for other in &indexes {
        let (word, target) = state(*other, &segments);
        let told = target.map_or_else(|| word.to_owned(), |target| format!("{word} {target}"));
        match states.last_mut() {
            Some((_, last, same)) if *same == told => *last = other.release,
            _ => states.push((other.release, other.release, told)),
        }
    }
    let told = states.iter().map(|(first, last, told)| {
        if first == last { format!("{first}: {told}") } else { format!("{first} to {last}: {told}") }
    });
    row("releases", told.collect::<Vec<_>>().join("\n"));
    let notes = facts.history().of(&name);
    if !notes.is_empty() {
        let named = notes.iter().map(|(release, change)| format!("{release} ({})", change.word().replace('_', " ")));
        row("release notes", named.collect::<Vec<_>>().join(", "));
    }
    let value = json!({
        "kind": "option",
        "option": name,
        "release": index.asked.to_string(),
        "answered_by": index.release.to_string(),
        "state": word,
        "to": target,
        "type": ty,
        "default": default,
        "text": Some(said).filter(|said| !said.is_empty()),
        "below": below,
        "releases": indexes.iter().map(|other| {
            let (word, target) = state(*other, &segments);
            json!({ "release": other.release.to_string(), "state": word, "to": target })
        }).collect::<Vec<_>>(),
        "release_notes": notes.iter().map(|(release, change)| json!({ "release": release.to_string(), "change": change.word() })).collect::<Vec<_>>(),
    });
    let answered =
        if index.exact { index.asked.to_string() } else { format!("{}, answered by {}", index.asked, index.release) };
    Some(Shown { title: format!("{name}, an option ({answered})"), rows, value })
}

fn release(facts: &Facts, known: &ReleaseFacts<'_>) -> Shown {
    let mut rows = Vec::new();
    let mut figures = serde_json::Map::new();
    let mut figure = |label: &str, value: Option<(String, &str)>| {
        if let Some((value, source)) = value {
            figures.insert(label.replace(' ', "_"), json!({ "value": value, "source": source }));
            rows.push((label.to_owned(), format!("{value}  ({source})")));
        }
    };
    for (label, date) in [("released", known.released), ("end of life", known.end_of_life)] {
        figure(label, date.map(|date| (date.value.to_string(), date.source)));
    }
    for (label, version) in [
        ("kernel", known.kernel_default),
        ("zfs", known.zfs_default),
        ("systemd", known.systemd),
        ("postgresql", known.postgresql_default),
        ("nix", known.nix),
        ("python3", known.python3),
        ("php", known.php),
        ("mariadb", known.mariadb),
        ("openssl", known.openssl),
        ("glibc", known.glibc),
    ] {
        figure(label, version.map(|version| (version.value.to_string(), version.source)));
    }
    let index = facts.options(known.asked);
    if let Some(index) = index {
        let told = if index.exact { "its own" } else { "a neighbour's" };
        rows.push(("options".to_owned(), format!("{told}: {} ({})", index.release, index.base)));
    }
    let value = json!({
        "kind": "release",
        "release": known.asked.to_string(),
        "answered_by": known.release.to_string(),
        "code_name": known.code_name,
        "figures": figures,
        "options": index.map(|index| json!({ "answered_by": index.release.to_string(), "exact": index.exact })),
    });
    let name = known.code_name.map(|name| format!(" “{name}”")).unwrap_or_default();
    Shown { title: format!("NixOS {}{name}, a release", known.release), rows, value }
}

fn package(facts: &Facts, name: &str) -> Shown {
    let mut rows = Vec::new();
    let mut versions = Vec::new();
    for known in facts.releases().all() {
        let (state, version, source) = match facts.packages().find(name, known.release) {
            PackageFact::Version(version) => ("version", Some(version), None),
            PackageFact::FromNotes { version, source } => ("release-notes", Some(version), Some(source)),
            PackageFact::Removed => ("removed", None, None),
            PackageFact::Absent => ("absent", None, None),
            PackageFact::Unknown => continue,
        };
        let told = match (version, source) {
            (Some(version), Some(source)) => format!("{version}  ({source})"),
            (Some(version), None) => version.to_owned(),
            _ => state.to_owned(),
        };
        rows.push((known.release.to_string(), told));
        versions.push(
            json!({ "release": known.release.to_string(), "state": state, "version": version, "source": source }),
        );
    }
    let value = json!({ "kind": "package", "attribute": name, "releases": versions });
    Shown { title: format!("{name}, a package"), rows, value }
}

fn feature(facts: &Facts, known: &Feature<'_>) -> Shown {
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let lines: Vec<&str> = facts.zfs().lines().filter(|line| line.supports(known.name)).map(|line| line.name).collect();
    let depends: Vec<&str> = known.depends_on.names().collect();
    let first = known.first_release.map(|version| version.to_string());
    let rows = vec![
        ("first release".to_owned(), first.clone().unwrap_or_else(|| "none yet".to_owned())),
        ("release lines".to_owned(), lines.join(", ")),
        ("read-only without it".to_owned(), yes(known.read_only_compatible)),
        ("active at creation".to_owned(), yes(known.active_at_creation())),
        ("becomes active".to_owned(), known.becomes_active.to_owned()),
        ("depends on".to_owned(), if depends.is_empty() { "nothing".to_owned() } else { depends.join(", ") }),
    ];
    let value = json!({
        "kind": "zfs-feature",
        "feature": known.name,
        "guid": known.guid,
        "first_release": first,
        "release_lines": lines,
        "read_only_compatible": known.read_only_compatible,
        "active_at_creation": known.active_at_creation(),
        "becomes_active": known.becomes_active,
        "depends_on": depends,
    });
    Shown { title: format!("{}, a ZFS pool feature ({})", known.name, known.guid), rows, value }
}

fn device(known: &Device<'_>) -> Shown {
    let first = known.first.to_string();
    let rows = vec![
        ("first Linux".to_owned(), first.clone()),
        ("driver".to_owned(), known.driver.to_owned()),
        ("source".to_owned(), known.source.to_owned()),
    ];
    let value = json!({
        "kind": "device",
        "name": known.name,
        "driver": known.driver,
        "first_linux": first,
        "source": known.source,
    });
    Shown { title: format!("{}, a device", known.name), rows, value }
}
