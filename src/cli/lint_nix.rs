//! `hostwright lint-nix`

use std::path::PathBuf;

use super::check::{CheckFormat, FailOn};
use super::context::{self, Report};
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Clusters, Outcome, lint_nix};
use crate::facts::Facts;
use crate::source::{self, printable};
use crate::units::Release;

/// Check NixOS modules that belong to no fleet.
///
/// Reads every .nix file at and below the paths. Of those that are modules of NixOS, what they set with literals is held against the
/// options of a release: names that are unknown, removed or renamed, and values of a wrong type. What is computed is not judged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright lint-nix .
  hostwright lint-nix --release 25.11 /etc/nixos
  hostwright lint-nix --format github modules/ hosts/")]
pub(super) struct Args {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The release whose options count [default: the newest that is known]
    #[arg(long, value_name = "RELEASE")]
    release: Option<Release>,
    /// How to print the findings
    #[arg(long, default_value = "human")]
    format: CheckFormat,
    /// The level from which on findings make the check fail
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let files = source::load_nix(&args.paths).map_err(|error| Failure::new(printable(&error.to_string())))?;
    let mut outcome = Outcome {
        checked: lint_nix(&files, &Facts::embedded(), args.release),
        fleet: None,
        hosts: 0,
        clusters: Clusters::default(),
    };
    context::complete(&mut outcome, args.format.into(), &files.sources);
    let report = Report::new(&outcome, &files.sources);
    terminal.print(&report.write(terminal, args.format.into(), args.fail_on.level(), "", None))?;
    Ok(context::status(&outcome, args.fail_on.level()))
}
