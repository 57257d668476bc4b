//! A plan that is carried out, in words: each step as it goes, how the run ended, where the plan stands.

use jiff::Timestamp;

use super::words::{width, wrap};
use crate::apply::{Ask, Awaited, Ending, Failed, Row, Standing, Status};
use crate::plan::gates::restore;
use crate::plan::{Plan, Scenario, Step};
use crate::source::{pretty_json, printable};
use crate::text::ShellCommand;
use crate::units::TimeSpan;

/// How wide questions and reasons are written, in columns.
const WIDTH: usize = 100;

/// Returns how long something took, in words.
fn span(seconds: u64) -> String {
    if seconds == 0 { "under 1 s".to_owned() } else { TimeSpan::human(seconds) }
}

/// Returns the line of a step that begins, without its line break.
pub fn began(number: usize, of: usize, id: &str, title: &str) -> String {
    let digits = of.to_string().len();
    format!("[{number:>digits$}/{of}] {}: {}", printable(id), printable(title))
}

/// Returns the line of a step that goes on, for a terminal.
pub fn going(line: &str, seconds: u64, expected: u64) -> String {
    let mut text = format!("{line} · {} of about {}", span(seconds), span(expected));
    if width(&text) > WIDTH {
        text = format!("{}…", text.chars().take(WIDTH - 1).collect::<String>());
    }
    text
}

/// Returns the line of a step that is done.
pub fn ended(line: &str, seconds: u64, how: Option<&str>) -> String {
    let how = how.map_or_else(String::new, |how| format!(", {}", printable(how)));
    format!("{line} · done in {}{how}\n", span(seconds))
}

/// Returns a remark.
pub fn remark(text: &str) -> String {
    format!("note: {}\n", printable(text))
}

fn paragraph(text: &str) -> String {
    wrap(&printable(text), WIDTH - 4, WIDTH - 4).into_iter().map(|line| format!("    {line}\n")).collect()
}

/// Returns a question, up to where the answer is typed.
pub fn question(ask: &Ask) -> String {
    format!("{}\n{}{}", printable(&ask.title), paragraph(&ask.why), printable(&ask.prompt))
}

/// Returns what a person does once the plan is over.
pub fn left(why: &str) -> String {
    paragraph(why)
}

/// Returns how a run ended. `again` are the words that the command was called with, without options for single steps.
pub fn ending(ending: &Ending, again: &[String], total: usize) -> String {
    let command = |more: &[String]| {
        ShellCommand::of_words(again).map_or_else(String::new, |line| line.args(more).as_str().to_owned())
    };
    match ending {
        Ending::Complete => format!("complete: all {total} steps are done\n"),
        Ending::Until(step) => format!("stopped  after {}, as asked; go on with: {}\n", printable(step), command(&[])),
        Ending::Awaiting(Awaited { step, title, what, then }) => {
            format!("waiting  {}: {}\n{}then: {}\n", printable(step), printable(title), paragraph(what), command(then))
        }
        Ending::Interrupted { step, goes_on } => {
            let at = step.as_ref().map_or_else(String::new, |step| format!(" in {}", printable(step)));
            let goes_on =
                if *goes_on { "; its command goes on on the machine, and the next run hears it on" } else { "" };
            format!("stopped {at}{goes_on}\ngo on with: {}\n", command(&[]))
        }
        Ending::Failed(failed) => failure(failed, &command(&[])),
    }
}

/// Returns how long a plan that is complete took, beside what was expected of it; of a recovery also when the services were back.
pub fn took(plan: &Plan, status: &Status) -> String {
    let seconds = status.steps.iter().filter_map(|row| row.seconds).sum();
    let expected = plan.steps().iter().map(Step::expected_seconds).sum();
    let mut text = format!("took     {} in its steps; {} were expected\n", span(seconds), span(expected));
    if plan.scenario() == Scenario::Recover {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let starts = status
            .steps
            .iter()
            .filter(|row| [restore::START, restore::ASK].iter().any(|beginning| row.id.starts_with(beginning)));
        let back = starts.filter_map(|row| at(row.ended.as_deref()?)).max();
        let began = status.began.as_deref().and_then(at);
        if let Some(after) = back.zip(began).and_then(|(back, began)| u64::try_from((back - began).get_seconds()).ok())
        {
            text.push_str(&format!("back     the services answered {} after the recovery began\n", span(after)));
        }
    }
    text
}

fn failure(failed: &Failed, again: &str) -> String {
    let Failed { step, title, why, help, line, tail, did, undo, log } = failed;
    let mut text = format!("error: step {} failed: {}\n", printable(step), printable(why));
    text.push_str(&format!("  step: {}\n", printable(title)));
    if let Some(line) = line {
        text.push_str(&format!("  line: {}\n", printable(line)));
    }
    if !tail.trim().is_empty() {
        text.push_str("  output ends with:\n");
        for line in tail.lines() {
            text.push_str(&format!("    | {}\n", printable(line)));
        }
    }
    for help in help {
        text.push_str(&format!("  = help: {}\n", printable(help)));
    }
    for did in did {
        text.push_str(&format!("  done: {}\n", printable(did)));
    }
    if !undo.is_empty() {
        text.push_str("  the way back, if you want it:\n");
        for line in undo {
            text.push_str(&format!("    {}\n", printable(line)));
        }
    }
    if let Some(log) = log {
        text.push_str(&format!("  all of its output: {}\n", printable(log)));
    }
    text.push_str(&format!("  when that is mended: {again}\n"));
    text
}

/// Returns where a plan stands, as JSON.
pub fn status_json(status: &Status) -> String {
    pretty_json(status)
}

/// Returns where several plans stand, as an array in JSON.
pub fn statuses_json(all: &[Status]) -> String {
    pretty_json(&all)
}

/// Returns where a plan stands, as a table.
pub fn status(status: &Status) -> String {
    let began = status.began.as_ref().map_or_else(|| "not begun".to_owned(), |at| format!("begun {}", printable(at)));
    let mut text = format!(
        "{}: {} · {} of {} steps done · {began}\n",
        printable(&status.host),
        printable(&status.scenario),
        status.done,
        status.steps.len()
    );
    if !status.same_plan {
        text.push_str("note: the plan has changed since; `apply` says in what\n");
    }
    let widest = status.steps.iter().map(|row| width(&row.id)).max().unwrap_or(0);
    for row in &status.steps {
        text.push_str(row_line(row, widest).trim_end());
        text.push('\n');
    }
    match &status.next {
        Some(next) if status.interrupted => {
            text.push_str(&format!("next: {} (the last run was stopped)\n", printable(next)));
        }
        Some(next) => text.push_str(&format!("next: {}\n", printable(next))),
        None => text.push_str("complete\n"),
    }
    text
}

fn row_line(row: &Row, widest: usize) -> String {
    let gate = if row.gate { "gate" } else { "" };
    let judged = || row.verdict.as_ref().map(super::reboot_test::summary);
    let how = match row.state {
        Standing::Done | Standing::Failed if row.verdict.is_some() => judged().unwrap_or_default(),
        Standing::Done => row.seconds.map_or_else(String::new, span),
        Standing::Failed => row.why.as_deref().map(printable).unwrap_or_default(),
        Standing::Begun if matches!(row.kind, "instruction" | "soak") => "waits".to_owned(),
        Standing::Begun => "how it ended is not known yet: `apply` finds out".to_owned(),
        Standing::Open => String::new(),
    };
    format!("{:>3}  {:<6} {:<widest$}  {gate:<4}  {how}", row.number, row.state.as_str(), printable(&row.id))
}
