//! `hostwright facts`: what hostwright knows of the world outside a fleet.

mod diff;
mod import;
mod list;
mod pack;
mod show;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::terminal::Terminal;
use super::{ExitStatus, Failure, context};

/// Show, compare and renew what is known of NixOS releases, their options, packages and OpenZFS.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  hostwright facts list                                            every table, what it is from, what it answers for
  hostwright facts show services.nginx.virtualHosts                an option: type, default, and what other releases make of it
  hostwright facts show 26.05                                      a release: kernel, ZFS, end of life
  hostwright facts diff 25.11 26.11                                which of the options that the hosts set change
  hostwright facts import --release 26.05 options.json.br          a channel's own list of options")]
pub(super) enum Command {
    List(list::Args),
    Show(show::Args),
    Diff(diff::Args),
    Import(import::Args),
    #[command(hide = true)]
    Pack(pack::Args),
}

/// How facts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FactsFormat {
    /// For people
    Human,
    /// For programs
    Json,
}

/// Runs a command; `fleet` is the fleet's folder, which only some need.
pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    command: &Command,
) -> Result<ExitStatus, Failure> {
    match command {
        Command::List(args) => list::run(terminal, fleet().ok().as_deref(), args),
        Command::Show(args) => show::run(terminal, fleet().ok().as_deref(), args),
        Command::Diff(args) => diff::run(terminal, fleet, args),
        Command::Import(args) => import::run(terminal, &fleet()?, args),
        Command::Pack(args) => pack::run(terminal, args),
    }
}

/// Returns the facts as the fleet has them, or the embedded ones where there is no fleet.
fn facts(folder: Option<&Path>) -> Result<crate::facts::Facts, Failure> {
    folder.map_or_else(|| Ok(crate::facts::Facts::embedded()), context::imported)
}

/// Prints a document for programs.
fn print_json(terminal: &Terminal, value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))?;
    terminal.print(&(text + "\n"))
}
