//! `hostwright explain`

use std::path::PathBuf;

use clap::ValueEnum;

use super::context::shown;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::check::{Rule, examples, page, rules};
use crate::source::{nearest, quoted};

/// Explain a rule: why it exists, how to mend what it reports, an example of each kind.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright explain zfs-pool-newer-than-channel
  hostwright explain port-conflict --example bad /tmp/bad   writes the bad example as a fleet
  hostwright --fleet /tmp/bad check")]
pub(super) struct Args {
    /// The rule
    rule: String,
    /// Write an example as a fleet that anyone can check, into a new or empty folder
    #[arg(long, num_args = 2, value_names = ["bad|good", "DIR"])]
    example: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Bad,
    Good,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let Some(rule) = rules::find(&args.rule) else {
        let failure = Failure::new(format!("there is no rule {}", quoted(&args.rule)));
        let near = nearest(&args.rule, rules::all().map(|rule| rule.id));
        return Err(match near.first() {
            Some(near) => failure.help(format!("nearest: `{near}`")),
            None => failure.help("`hostwright rules` lists them"),
        });
    };
    match args.example.as_deref() {
        Some([which, folder]) => write_example(terminal, rule, which, &PathBuf::from(folder)),
        _ => {
            let level = rule.level.as_str();
            let allow = if rule.allowable { "can be allowed with a reason" } else { "cannot be allowed" };
            terminal.print(&format!("{}\n\n{level}, group {}, {allow}\n\n", page(rule), rule.group.as_str()))?;
            terminal.print(&shown_examples(rule))?;
            Ok(ExitStatus::Success)
        }
    }
}

/// Returns the part of the page that shows the examples, as a terminal reads it.
fn shown_examples(rule: &Rule) -> String {
    let Some(at) = rule.doc.find("\n## Bad") else { return String::new() };
    let (_, tail) = rule.doc.split_at(at + 1);
    let mut text = String::new();
    for line in tail.lines() {
        let info = line.strip_prefix("```").map(|info| info.split_whitespace().collect::<Vec<_>>());
        match info.as_deref() {
            Some([_, "bad" | "good", path]) => text.push_str(&format!("--- {path}\n")),
            Some([_, "bad" | "good", path, times]) => {
                text.push_str(&format!("--- {path} ({} times)\n", times.trim_start_matches('x')));
            }
            Some(["text", "expect"]) => text.push_str("--- reports\n"),
            Some(_) => {}
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

fn write_example(
    terminal: &Terminal,
    rule: &Rule,
    which: &str,
    folder: &std::path::Path,
) -> Result<ExitStatus, Failure> {
    let which =
        Which::from_str(which, true).map_err(|_| Failure::new("`--example` takes `bad` or `good`, then a folder"))?;
    let (bad, good) = examples(rule);
    let example = match which {
        Which::Bad => bad,
        Which::Good => good,
    };
    output::write_new(folder, &example.files)?;
    terminal.print(&format!(
        "wrote    {} ({} files)\nnext     hostwright --fleet {} check -v\n",
        shown(folder),
        example.files.len(),
        crate::text::ShellWord::new(&folder.display().to_string()),
    ))?;
    Ok(ExitStatus::Success)
}
