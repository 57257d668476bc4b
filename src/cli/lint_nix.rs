//! `hostwright lint-nix`

use std::path::PathBuf;

use super::check::{CheckFormat, FailOn};
use super::context::{self, Report};
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Outcome, lint_nix};
use crate::source::{self, printable};

/// Check NixOS modules that belong to no fleet.
///
/// Reads every .nix file at and below the paths and reports what does not parse, in the formats of `check`. This version checks
/// syntax; options are checked in a fleet, under `[nixos]`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright lint-nix .
  hostwright lint-nix --format github modules/ hosts/")]
pub(super) struct Args {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// How to print the findings
    #[arg(long, default_value = "human")]
    format: CheckFormat,
    /// The level from which on findings make the check fail
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let files = source::load_nix(&args.paths).map_err(|error| Failure::new(printable(&error.to_string())))?;
    let outcome = Outcome { checked: lint_nix(&files), fleet: None, hosts: 0 };
    let report = Report::new(&outcome, &files.sources);
    terminal.print(&report.write(terminal, args.format.into(), args.fail_on.level(), "", None))?;
    Ok(context::status(&outcome, args.fail_on.level()))
}
