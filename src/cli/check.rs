//! `hostwright check`

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use super::context::{self, Report};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, eval, git, output};
use crate::check::{Changes, Rename, Scope, check_scope};
use crate::facts::join_name;
use crate::fleet::Fleet;
use crate::report::Format;
use crate::source::{Diagnostic, FleetFiles, Level, Sources, printable};
use crate::units::Date;

/// Check hosts against every rule.
///
/// Reads the fleet's files, manifests of its clusters included, and nothing else: no process is started (but git, for `--changed-since`), no connection opened. The same
/// files and the same date give the same findings. Only `--eval` starts Nix, which fetches the pinned nixpkgs if it has to, and is otherwise kept from reading,
/// fetching or building anything but what the hosts are made of.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright check                                       the whole fleet
  hostwright check lufta -v                              one host, with warnings, notes and what was allowed
  hostwright check --changed-since origin/main           the hosts that differ from a revision, uncommitted changes included
  hostwright check --eval                                Nix's own verdict as well, at the lines it is about
  hostwright check --eval --nixpkgs ~/nixpkgs lufta      with a tree that is there
  hostwright check --fix                                 write the new names of renamed options, then check
  hostwright check --format sarif > findings.sarif       for code scanning
  hostwright check --fail-on warning --today 2026-11-21  strict and reproducible")]
pub(super) struct Args {
    /// The hosts to check [default: all]
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// How to print the findings
    #[arg(long, default_value = "human")]
    format: CheckFormat,
    /// The level from which on findings make the check fail
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
    /// Check only hosts that see a change since a git revision, uncommitted and untracked files included
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
    /// Write new names for renamed and misspelt options into the definitions, where one name is certain, and check again
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    eval: eval::EvalArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum CheckFormat {
    /// For people
    Human,
    /// The stable document that `hostwright schema check` describes
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// GitHub workflow commands
    Github,
    /// JUnit XML
    Junit,
}

impl From<CheckFormat> for Format {
    fn from(format: CheckFormat) -> Self {
        match format {
            CheckFormat::Human => Self::Human,
            CheckFormat::Json => Self::Json,
            CheckFormat::Sarif => Self::Sarif,
            CheckFormat::Github => Self::Github,
            CheckFormat::Junit => Self::Junit,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FailOn {
    /// Errors only
    Error,
    /// Warnings too
    Warning,
}

impl FailOn {
    /// Returns the level as findings have it.
    pub(super) fn level(self) -> Level {
        match self {
            Self::Error => Level::Error,
            Self::Warning => Level::Warning,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the summary tells how long the check took")]
pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let started = Instant::now();
    let mut files = context::load(folder)?;
    context::known_hosts(&files, &args.hosts)?;
    let today = context::today(args.today)?;
    let wanted = Wanted::new(folder, &files, args)?;
    if args.fix {
        fix(terminal, folder, &wanted, today)?;
        files = context::load(folder)?;
    }
    let fail_on = args.fail_on.level();
    let facts = context::facts(folder, &mut files)?;
    check_scope(
        &mut files,
        &facts,
        |fleet| wanted.scope(fleet),
        today,
        |fleet, mut outcome, sources| {
            if args.eval.is_wanted() {
                let scope = wanted.scope(fleet.map(|fleet| fleet.fleet));
                let check = eval::Check { terminal, args: &args.eval, scope: &scope, facts: &facts, sources, today };
                check.add(fleet, &mut outcome)?;
            }
            context::complete(&mut outcome, args.format.into(), sources);
            let report = Report::new(&outcome, sources);
            // A report that is compared between runs carries no time; on a terminal people like to see it.
            let elapsed = terminal.is_interactive().then(|| started.elapsed());
            let folder = relative(folder);
            terminal.print(&report.write(terminal, args.format.into(), fail_on, &folder, elapsed))?;
            Ok(context::status(&outcome, fail_on))
        },
    )
}

/// The hosts that were asked for.
struct Wanted<'a> {
    named: &'a [String],
    changes: Option<Changes>,
}

impl<'a> Wanted<'a> {
    fn new(folder: &Path, files: &FleetFiles, args: &'a Args) -> Result<Self, Failure> {
        let changes = match &args.changed_since {
            Some(revision) => Some(git::changes(folder, revision, &context::paths(folder, files)?)?),
            None => None,
        };
        Ok(Self { named: &args.hosts, changes })
    }

    fn scope(&self, fleet: Option<&Fleet>) -> Scope {
        let changed = self.changes.as_ref().map_or(Scope::All, |changes| changes.hosts(fleet));
        Scope::named(self.named).within(changed)
    }
}

/// How often names are changed and checked again: a new name may lie below another old one.
const ROUNDS: usize = 8;

/// Changes the names that findings give a certain answer for, and says which on standard error.
fn fix(terminal: &Terminal, folder: &Path, wanted: &Wanted<'_>, today: Date) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let mut files = context::load(folder)?;
        let facts = context::facts(folder, &mut files)?;
        let texts = check_scope(
            &mut files,
            &facts,
            |fleet| wanted.scope(fleet),
            today,
            |_, outcome, sources| renamed(&outcome.checked.findings, sources),
        );
        if texts.is_empty() {
            break;
        }
        for (path, (text, told)) in texts {
            output::replace(&output::real(&folder.join(&path)), text.as_bytes())?;
            terminal.warn(&told);
        }
    }
    Ok(())
}

/// Returns the texts of the files in which names change, and what changes in each.
fn renamed(findings: &[Diagnostic], sources: &Sources) -> BTreeMap<String, (String, String)> {
    let mut places: Vec<(Rename, usize, usize)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.allowed.is_none()) {
        if let Some((from, to)) = &finding.rename {
            let place = finding.primary.place;
            let rename = Rename { place, from: from.clone(), to: to.clone() };
            places.push((rename, place.start as usize, place.end as usize));
        }
    }
    // From the end of each file on, so that what comes before stays where it is.
    places.sort_by_key(|(_, start, _)| std::cmp::Reverse(*start));
    places.dedup_by(|a, b| a.0.place == b.0.place);
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (rename, start, end) in places {
        let file = sources.file(rename.place.file);
        let (text, _) = texts.get(file.path()).cloned().unwrap_or((file.text().to_owned(), String::new()));
        if let Some(new) = rename.apply(&text, start..end) {
            let line = sources.position(rename.place).line;
            let (from, to) = (printable(&join_name(&rename.from)), printable(&join_name(&rename.to)));
            let entry = texts.entry(file.path().to_owned()).or_default();
            entry.0 = new;
            entry.1.insert_str(0, &format!("fixed    {}:{line}: {from} -> {to}\n", printable(file.path())));
        }
    }
    texts
}

/// Returns the fleet's folder as code scanning names it: a relative path as given, nothing for another one.
fn relative(folder: &Path) -> String {
    if folder.is_relative() { folder.to_string_lossy().replace('\\', "/") } else { String::new() }
}
