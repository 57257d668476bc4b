//! `hostwright rules`

use clap::ValueEnum;

use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Group, Rule, rules};
use crate::text::Md;

/// List the rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright rules                 the catalogue
  hostwright rules --format json   for tools")]
pub(super) struct Args {
    /// How to print them
    #[arg(long, default_value = "human")]
    format: RulesFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RulesFormat {
    /// For people
    Human,
    /// The page docs/rules.md
    Md,
    /// id, group, level, allowable, needs, summary
    Json,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let text = match args.format {
        RulesFormat::Human => human(),
        RulesFormat::Md => markdown(),
        RulesFormat::Json => json()?,
    };
    terminal.print(&text)?;
    Ok(ExitStatus::Success)
}

fn of_group(group: Group) -> impl Iterator<Item = &'static Rule> {
    rules::all().filter(move |rule| rule.group == group)
}

fn human() -> String {
    let width = rules::all().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for group in Group::ALL {
        text.push_str(&format!("{}: {}\n", group.as_str(), group.about()));
        for rule in of_group(group) {
            let level = rule.level.as_str();
            let firm = if rule.allowable { " " } else { "!" };
            text.push_str(&format!("  {:width$}  {level:7}{firm} {}\n", rule.id, rule.summary));
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "{} rules; `!` cannot be allowed. `hostwright explain RULE` tells more.\n",
        rules::all().count()
    ));
    text
}

fn markdown() -> String {
    let mut text = "# Rules\n\nPrinted by `hostwright rules --format md`; a test holds this page against the program. `!` marks rules \
                    that cannot be allowed.\nThe page of each rule is the file linked, and what `hostwright explain RULE` prints.\n"
        .to_owned();
    for group in Group::ALL {
        text.push_str(&format!(
            "\n## {}: {}\n\n| rule | level | reports when |\n| --- | --- | --- |\n",
            group.as_str(),
            group.about()
        ));
        for rule in of_group(group) {
            let firm = if rule.allowable { "" } else { " !" };
            let page = format!("../src/check/rules/{}/{}.md", group.as_str(), rule.id.replace('-', "_"));
            let summary = Md::text(rule.summary);
            text.push_str(&format!(
                "| [{}]({page}) | {}{firm} | {} |\n",
                rule.id,
                rule.level.as_str(),
                summary.as_str()
            ));
        }
    }
    text
}

fn json() -> Result<String, Failure> {
    let list: Vec<_> = rules::all()
        .map(|rule| {
            serde_json::json!({
                "id": rule.id,
                "group": rule.group.as_str(),
                "level": rule.level.as_str(),
                "allowable": rule.allowable,
                "needs": rule.needs,
                "summary": rule.summary,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&list).map_err(|error| Failure::new(error.to_string()))?;
    Ok(text + "\n")
}
