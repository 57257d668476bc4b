//! `hostwright facts diff`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::context;
use super::{ExitStatus, FactsFormat, Failure, Terminal, facts, print_json};
use crate::check::{check_files, options_set};
use crate::facts::{Facts, OptionChange, OptionIndex, compare, join_name};
use crate::source::{self, printable};
use crate::units::Release;

/// Tell which of the options that the hosts set change between two releases.
///
/// Looked at is what stands in the definitions: below `[nixos]`, in `options` of services, and what a service's module sets for it.
/// A change is a new default or type, a new name, or that the option is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright facts diff 25.11 26.11                   every host of the fleet
  hostwright facts diff 25.11 26.11 --host lufta      one host
  hostwright facts diff 20.09 26.11 --all             every option of the two releases
  hostwright facts diff 25.11 26.11 --format json")]
pub(in crate::cli) struct Args {
    /// The release that the hosts come from
    #[arg(value_name = "FROM")]
    from: Release,
    /// The release that they go to
    #[arg(value_name = "TO")]
    to: Release,
    /// Only this host's options
    #[arg(long, value_name = "HOST", conflicts_with = "all")]
    host: Option<String>,
    /// Every option, not only what the hosts set
    #[arg(long)]
    all: bool,
    /// How to print it
    #[arg(long, default_value = "human")]
    format: FactsFormat,
}

/// An option that changes, and the hosts that set it.
struct Line {
    option: String,
    change: OptionChange,
    hosts: BTreeSet<String>,
}

pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
) -> Result<ExitStatus, Failure> {
    let folder = fleet();
    let facts = facts(folder.as_deref().ok())?;
    let index = |release: Release| facts.options(release).ok_or_else(|| Failure::new("there is no option index"));
    let (from, to) = (index(args.from)?, index(args.to)?);
    if from.release == to.release {
        let failure = Failure::new(format!(
            "the facts have one list of options for {} and {}: that of {}",
            args.from, args.to, from.release
        ));
        return Err(
            failure.help("`hostwright facts import --release RELEASE options.json.br` brings a release's own list")
        );
    }
    let set = if args.all {
        every(from, to)
    } else {
        let folder = folder.map_err(|failure| failure.help("`--all` compares every option and needs no fleet"))?;
        of_hosts(&folder, &facts, args, &[from, to])?
    };
    let mut lines = Vec::new();
    for (name, hosts) in &set {
        let loc: Vec<&str> = name.iter().map(String::as_str).collect();
        for change in compare(from, to, &loc) {
            lines.push(Line { option: join_name(name), change, hosts: hosts.clone() });
        }
    }
    match args.format {
        FactsFormat::Human => terminal.print(&human(from, to, &lines, set.len(), args.all))?,
        FactsFormat::Json => print_json(terminal, &document(from, to, &lines, set.len()))?,
    }
    Ok(ExitStatus::Success)
}

/// Option -> the hosts that set it.
type Set = BTreeMap<Vec<String>, BTreeSet<String>>;

fn every(from: OptionIndex<'_>, to: OptionIndex<'_>) -> Set {
    let mut set = Set::new();
    for index in [from, to] {
        index.each(&mut |name, option| {
            if !option.hidden() && !option.internal() {
                set.entry(name.iter().map(|segment| (*segment).to_owned()).collect()).or_default();
            }
        });
    }
    set
}

fn of_hosts(folder: &Path, facts: &Facts, args: &Args, indexes: &[OptionIndex<'_>]) -> Result<Set, Failure> {
    let mut files = context::load(folder)?;
    let wanted: Vec<String> = args.host.iter().cloned().collect();
    context::known_hosts(&files, &wanted)?;
    check_files(&mut files, facts, &wanted, context::today(None)?, |fleet, _, _| {
        let fleet = fleet.ok_or_else(|| {
            Failure::new("fleet.toml cannot be read as it is").help("`hostwright check` tells what is wrong with it")
        })?;
        let mut set = Set::new();
        for host in fleet.hosts.iter().filter(|host| wanted.is_empty() || wanted.iter().any(|name| name == host.name)) {
            for option in options_set(host, indexes) {
                set.entry(option).or_default().insert(host.name.to_owned());
            }
        }
        match wanted.iter().find(|name| !fleet.hosts.iter().any(|host| host.name == name.as_str())) {
            None => Ok(set),
            Some(name) => Err(Failure::new(format!("the host {} could not be read", source::quoted(name)))
                .help("`hostwright check` tells what is wrong with it")),
        }
    })
}

fn human(from: OptionIndex<'_>, to: OptionIndex<'_>, lines: &[Line], set: usize, all: bool) -> String {
    let mut text = String::new();
    for index in [from, to] {
        if !index.exact {
            text.push_str(&format!(
                "note: the facts have no options of {}; those of {} answer ({})\n",
                index.asked, index.release, index.base
            ));
        }
    }
    let mut group = None;
    for line in lines {
        let word = line.change.word();
        if group != Some(&line.option) {
            let hosts: Vec<&str> = line.hosts.iter().map(String::as_str).collect();
            let hosts = if hosts.is_empty() { String::new() } else { format!("  ({})", hosts.join(", ")) };
            text.push_str(&format!("{}{hosts}\n", printable(&line.option)));
            group = Some(&line.option);
        }
        let told = match &line.change {
            OptionChange::Default { from, to } => {
                format!("{} -> {}", expression(from.as_ref()), expression(to.as_ref()))
            }
            OptionChange::Type { from, to } => format!("{from} -> {to}"),
            OptionChange::Renamed { to } => format!("to {to}"),
            OptionChange::Replaced { by } => format!("by {by}, which takes another value"),
            OptionChange::Removed { text } => text.split_whitespace().collect::<Vec<_>>().join(" "),
            OptionChange::Vanished => format!("{} does not know it", to.release),
            OptionChange::New => format!("{} does not know it", from.release),
        };
        text.push_str(&format!("  {word:8}  {}\n", printable(&told)));
    }
    let of = if all { format!("{set} options") } else { format!("the {set} options that are set") };
    text.push_str(&format!("{} changes between {} and {} in {of}\n", lines.len(), from.asked, to.asked));
    text
}

/// Returns a default on one line.
fn expression(text: Option<&String>) -> String {
    let Some(text) = text else { return "none".to_owned() };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(60).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

fn document(from: OptionIndex<'_>, to: OptionIndex<'_>, lines: &[Line], set: usize) -> Value {
    let side = |index: OptionIndex<'_>| {
        json!({
            "release": index.asked.to_string(),
            "answered_by": index.release.to_string(),
            "exact": index.exact,
            "base": index.base,
        })
    };
    let changes: Vec<Value> = lines
        .iter()
        .map(|line| {
            let (old, new, said) = match &line.change {
                OptionChange::Default { from, to } => (from.clone(), to.clone(), None),
                OptionChange::Type { from, to } => (Some(from.clone()), Some(to.clone()), None),
                OptionChange::Renamed { to } | OptionChange::Replaced { by: to } => (None, Some(to.clone()), None),
                OptionChange::Removed { text } => (None, None, Some(text.clone())),
                OptionChange::Vanished | OptionChange::New => (None, None, None),
            };
            json!({ "option": line.option, "change": line.change.word(), "from": old, "to": new, "text": said, "hosts": line.hosts })
        })
        .collect();
    json!({ "version": 1, "from": side(from), "to": side(to), "options": set, "changes": changes })
}
