//! The plan as a page that a person can follow at three in the morning: one terminal, from the top to the bottom.

use std::fmt::Write as _;

use super::{duration, needed_numbers, way_back};
use crate::plan::{Plan, RunsOn, Step};
use crate::text::Md;
use crate::units::TimeSpan;

pub(super) fn write(plan: &Plan) -> String {
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
    for (step, number) in plan.steps().iter().zip(1_usize..) {
        push(step_text(plan, step, number).trim_end().to_owned());
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

fn step_text(plan: &Plan, step: &Step, number: usize) -> String {
    let mut out = format!("## {number}. {}\n\n", Md::text(step.title()));
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
    if !step.reason().is_empty() {
        let _ = write!(out, "{}\n\n", Md::text(step.reason()));
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
