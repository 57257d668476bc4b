//! `hostwright man`

use clap::CommandFactory as _;

use super::terminal::Terminal;
use super::{Cli, ExitStatus, Failure};

/// Print a manual page (roff): of the program, or of one of its commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright man | man -l -
  hostwright man check > hostwright-check.1")]
pub(super) struct Args {
    /// The command [default: the program itself]
    command: Option<String>,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let program = Cli::command();
    let command = match &args.command {
        None => program,
        Some(name) => {
            let found = program.get_subcommands().find(|command| command.get_name() == name).cloned();
            let found =
                found.ok_or_else(|| Failure::new(format!("there is no command {}", crate::source::quoted(name))))?;
            let title: &'static str = String::leak(format!("hostwright-{name}"));
            found.name(title)
        }
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|error| Failure::new(format!("cannot write the page: {error}")))?;
    terminal.print(&String::from_utf8_lossy(&text))?;
    Ok(ExitStatus::Success)
}
