//! The plan as a page that a person can follow at three in the morning: one terminal, from the top to the bottom.

use std::fmt::Write as _;

use super::look::LastLook;
use super::prose::{Part, blocks};
use super::{duration, headings, needed_numbers, timeline, way_back};
use crate::plan::{Plan, RunsOn, Step, StepKind};
use crate::text::Md;
use crate::units::TimeSpan;

pub(super) fn write(plan: &Plan, look: Option<&LastLook>) -> String {
    let mut out = String::new();
    let mut push = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    push(format!("# {}: {}", Md::text(plan.host()), plan.scenario()));
    push(String::new());
    push(format!("{} steps, {}. Way back: {}.", plan.steps().len(), duration(plan), Md::text(&way_back(plan))));
    push(String::new());
    push("Type every command on the deployer, in the fleet's folder, in `sh`: those for the host go over ssh by themselves.".to_owned());
    push(
        "Tick a box when the checks after it have succeeded, and go on only then. When a check fails: stop, read the"
            .to_owned(),
    );
    push("step's *undo*, and do not skip a **gate**.".to_owned());
    push(String::new());
    if let Some(look) = look {
        push(look.markdown());
    }
    let headings = headings(plan);
    for line in overview(plan, &headings) {
        push(line);
    }
    for (step, number) in plan.steps().iter().zip(1_usize..) {
        if let Some((heading, ..)) = headings.iter().find(|(_, first, _)| *first == number) {
            push(format!("## {}\n", Md::text(heading)));
        }
        let level = if headings.is_empty() { "##" } else { "###" };
        push(step_text(plan, step, number, level).trim_end().to_owned());
        push(String::new());
    }
    push("---".to_owned());
    push(String::new());
    push(format!(
        "Made by hostwright {} from files with sha256 {}; plan sha256 {}.",
        Md::text(plan.tool_version()),
        Md::code(plan.inputs_sha256()),
        Md::code(plan.plan_sha256())
    ));
    out
}

/// Returns the lines of the timeline: what is done under which heading and for how long, and when which service is down.
fn overview(plan: &Plan, headings: &[(&str, usize, usize)]) -> Vec<String> {
    if headings.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec!["## Timeline\n".to_owned(), "| steps | what | takes |".to_owned(), "| --- | --- | --- |".to_owned()];
    for (heading, first, last) in headings {
        let steps = plan.steps().iter().skip(first - 1).take(last + 1 - first);
        let (mut works, mut waits) = (0_u64, 0_u64);
        for step in steps {
            let sum = if step.kind() == StepKind::Soak { &mut waits } else { &mut works };
            *sum = sum.saturating_add(step.expected_seconds());
        }
        let works = TimeSpan::human(super::rounded(works));
        let takes = if waits == 0 { works } else { format!("{works}, and {} of waiting", TimeSpan::human(waits)) };
        let steps = if first == last { first.to_string() } else { format!("{first} to {last}") };
        lines.push(format!("| {steps} | {} | {takes} |", Md::text(heading)));
    }
    lines.push(String::new());
    let downs = timeline(plan);
    if !downs.is_empty() {
        lines.extend([
            "| service | is down | from step | to step | reckoned from |".to_owned(),
            "| --- | --- | --- | --- | --- |".to_owned(),
        ]);
        for down in &downs {
            let what: String =
                blocks(&down.from_what).iter().flat_map(|block| &block.lines).map(|line| line_text(line)).collect();
            lines.push(format!(
                "| {} | {} | {} | {} | {what} |",
                Md::text(down.service),
                down.takes,
                down.from,
                down.to
            ));
        }
        lines.push(String::new());
    }
    lines
}

/// Returns a line of prose.
fn line_text(parts: &[Part<'_>]) -> String {
    let text = |part: &Part<'_>| {
        if part.is_code {
            return Md::code(part.text).to_string();
        }
        // A space at the end of a text is nothing that has to be kept from Markdown here: code follows it.
        let inner = part.text.trim_matches(' ');
        let before = if part.text.starts_with(' ') && !inner.is_empty() { " " } else { "" };
        let behind = if part.text.ends_with(' ') { " " } else { "" };
        format!("{before}{}{behind}", Md::text(inner))
    };
    parts.iter().map(text).collect::<String>().trim().to_owned()
}

fn step_text(plan: &Plan, step: &Step, number: usize, level: &str) -> String {
    let mut out = format!("{level} {number}. {}\n\n", Md::text(step.title()));
    let actor = match step.runs_on() {
        RunsOn::Person => "a person",
        other => other.as_str(),
    };
    let needs = needed_numbers(plan, step.needed());
    let needs = if needs.is_empty() {
        String::new()
    } else {
        let listed: Vec<String> = needs.iter().map(usize::to_string).collect();
        format!(" · after {}", listed.join(", "))
    };
    let time = TimeSpan::human(super::rounded(step.expected_seconds()));
    let _ = write!(out, "- [ ] {} · {actor} · about {time}{needs}\n\n", Md::code(step.id()));
    if let Some(gate) = plan.gate(step) {
        let _ = write!(out, "**Gate: {}.**\n\n", Md::text(gate));
    }
    if !step.destroyed().is_empty() {
        let listed: Vec<String> = step.destroyed().iter().map(|what| Md::code(what).to_string()).collect();
        let _ = write!(out, "**Destroys everything on {}.**\n\n", listed.join(", "));
    }
    for block in blocks(step.reason()) {
        for line in &block.lines {
            let _ = writeln!(out, "{}{}", if block.is_list { "- " } else { "" }, line_text(line));
        }
        out.push('\n');
    }
    block(&mut out, "Check before:", step.checks_before());
    block(&mut out, if step.checks_before().is_empty() { "" } else { "Do:" }, step.commands());
    block(&mut out, "Check after:", step.checks_after());
    block(&mut out, "Undo:", step.way_back());
    out
}

/// Adds command lines as a fenced block; nothing where there are none.
fn block(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = write!(out, "{title}\n\n");
    }
    out.push_str(Md::block("sh", &lines.join("\n")).as_str());
    out.push('\n');
}
