//! The command line: one file a command, each with its arguments (whose doc comments are the help), one call into the library,
//! rendering, and the exit status.
//!
//! This is the only folder that prints, reads the environment and the clock, and writes files. Not here: any logic that a
//! test would want to call without a process.

mod apply;
mod build;
mod carry;
mod check;
mod cluster;
mod completions;
mod context;
mod drift;
mod eval;
mod explain;
mod facts;
mod front;
mod git;
mod init;
mod lead_out;
mod lint_nix;
mod man;
mod migrate;
#[cfg(test)]
mod migrate_tests;
mod moved;
mod names;
mod new;
mod option_lists;
mod output;
mod pin;
mod place;
mod plan;
mod probe;
mod process;
mod reboot_test;
mod rehearse;
mod remarks;
mod render;
mod rules;
mod schema;
mod spots;
mod terminal;
mod timeline;
mod watch;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use terminal::Terminal;

/// Typed host definitions, compiled to NixOS machines that are known to come back after a reboot.
///
/// Definitions (fleet.toml and hosts/HOST/host.toml) are checked for what would break the machines, compiled to Nix, and turned
/// into a deploy plan with a reboot test that cannot be left out.
#[derive(Debug, Parser)]
#[command(
    name = "hostwright",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true
)]
#[command(after_help = "\
Examples:
  hostwright init my-fleet                 a new fleet that checks and builds as it is
  hostwright check                         every rule over every host of the fleet in or above this folder
  hostwright check --format github lufta   one host, as annotations for CI
  hostwright build                         check, compile to out/, plan
  hostwright plan lufta                    the deploy plan of one host
  hostwright explain port-conflict         why a rule exists and how to mend what it reports

Exit status: 0 nothing at error level; 1 findings at error level, or `build --check`, `drift` or `watch` found something;
2 wrong usage, unreadable or invalid input, an altered plan; 3 a step of `apply` failed, waits for somebody or was stopped, the reboot test did
not pass, or what `watch` found could not be sent.")]
struct Cli {
    /// The fleet's folder [default: the nearest one upwards with a fleet.toml]
    #[arg(long, global = true, value_name = "DIR")]
    fleet: Option<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
    /// Say less: errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: warnings, notes, what was allowed, what could not be checked
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorWhen {
    /// On a terminal that takes it
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    New(new::Args),
    Check(check::Args),
    Rules(rules::Args),
    Explain(explain::Args),
    Build(build::Args),
    Plan(plan::Args),
    Pin(pin::Args),
    Probe(probe::Args),
    Apply(apply::Args),
    RebootTest(reboot_test::Args),
    Drift(drift::Args),
    Watch(watch::Args),
    Migrate(migrate::Args),
    LintNix(lint_nix::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(subcommand)]
    Facts(facts::Command),
    LeadOut(lead_out::Args),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExitStatus {
    /// Nothing at error level.
    Success,
    /// Findings at error level, or a difference was found.
    Findings,
    /// Wrong usage, unreadable or invalid input, an altered plan.
    Invalid,
    /// Something was not carried to its end: a step of a plan failed, waits for somebody or was stopped; a report was not taken.
    Stopped,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Findings => 1,
            ExitStatus::Invalid => 2,
            ExitStatus::Stopped => 3,
        })
    }
}

/// Something that ends a run with a message: wrong usage, or what the system refused. Status 2.
#[derive(Debug)]
struct Failure {
    message: String,
    help: Vec<String>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: Vec::new() }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }
}

/// Runs the program with the process's arguments and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            terminal::usage(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let terminal = Terminal::new(cli.color, cli.quiet, cli.verbose);
    let run = || -> Result<ExitStatus, Failure> {
        let fleet = || context::fleet_folder(cli.fleet.as_deref());
        match &cli.command {
            Command::Init(args) => init::run(&terminal, args),
            Command::New(args) => new::run(&terminal, &fleet()?, args),
            Command::Check(args) => check::run(&terminal, &fleet()?, args),
            Command::Rules(args) => rules::run(&terminal, args),
            Command::Explain(args) => explain::run(&terminal, args),
            Command::Build(args) => build::run(&terminal, &fleet()?, args),
            Command::Plan(args) => plan::run(&terminal, &fleet()?, args),
            Command::Pin(args) => pin::run(&terminal, &fleet()?, args),
            Command::Probe(args) => probe::run(&terminal, &fleet, args),
            Command::Apply(args) => apply::run(&terminal, &fleet()?, args),
            Command::RebootTest(args) => reboot_test::run(&terminal, &fleet()?, args),
            Command::Drift(args) => drift::run(&terminal, &fleet, args),
            Command::Watch(args) => watch::run(&terminal, &fleet()?, args),
            Command::Migrate(args) => migrate::run(&terminal, &fleet, args),
            Command::LintNix(args) => lint_nix::run(&terminal, args),
            Command::Schema(args) => schema::run(&terminal, args),
            Command::Completions(args) => completions::run(&terminal, args),
            Command::Man(args) => man::run(&terminal, args),
            Command::Facts(command) => facts::run(&terminal, &fleet, command),
            Command::LeadOut(args) => lead_out::run(args),
        }
    };
    match run() {
        Ok(status) => status.into(),
        Err(failure) => {
            terminal.failure(&failure);
            ExitStatus::Invalid.into()
        }
    }
}
