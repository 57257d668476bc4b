//! `hostwright check`

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use super::context::{self, Report};
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::check_files;
use crate::report::Format;
use crate::source::Level;
use crate::units::Date;

/// Check hosts against every rule.
///
/// Reads the fleet's files and nothing else: no process is started, no connection opened. The same files and the same date give
/// the same findings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright check                                       the whole fleet
  hostwright check lufta -v                              one host, with warnings, notes and what was allowed
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
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
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
    let fail_on = args.fail_on.level();
    check_files(&mut files, &context::facts(folder)?, &args.hosts, today, |_, outcome, sources| {
        let report = Report::new(&outcome, sources);
        // A report that is compared between runs carries no time; on a terminal people like to see it.
        let elapsed = terminal.is_interactive().then(|| started.elapsed());
        let folder = relative(folder);
        terminal.print(&report.write(terminal, args.format.into(), fail_on, &folder, elapsed))?;
        Ok(context::status(&outcome, fail_on))
    })
}

/// Returns the fleet's folder as code scanning names it: a relative path as given, nothing for another one.
fn relative(folder: &Path) -> String {
    if folder.is_relative() { folder.to_string_lossy().replace('\\', "/") } else { String::new() }
}
