//! `hostwright completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::terminal::Terminal;
use super::{Cli, ExitStatus, Failure};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright completions bash > ~/.local/share/bash-completion/completions/hostwright
  hostwright completions fish > ~/.config/fish/completions/hostwright.fish")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hostwright", &mut text);
    terminal.print(&String::from_utf8_lossy(&text))?;
    Ok(ExitStatus::Success)
}
