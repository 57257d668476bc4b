//! A plan as people and machines read it: one file for each format, each of which takes the plan and nothing else of ours.
//!
//! Not here: what the steps are (`plan`). A format is added as one file and one variant of [`PlanFormat`].

mod dot;
mod drawing;
mod html;
mod human;
mod json;
mod look;
mod markdown;
mod prose;
mod run;

pub use look::LastLook;
pub use run::{Outcome, RanStep, RunState};

use crate::plan::{Plan, StepKind};
use crate::text::TemplateError;

/// The formats a plan is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlanFormat {
    /// A table, for a terminal.
    #[default]
    Human,
    /// A page to follow by hand.
    Markdown,
    /// The stable document, which `apply` reads.
    Json,
    /// A page for a browser, printed or on a phone.
    Html,
    /// The graph, for Graphviz.
    Dot,
}

impl PlanFormat {
    /// Every format, in the order in which help names them.
    pub const ALL: [Self; 5] = [Self::Human, Self::Markdown, Self::Json, Self::Html, Self::Dot];

    /// Returns the word that chooses the format on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Html => "html",
            Self::Dot => "dot",
        }
    }
}

/// Returns a plan in a format; it ends with a line break. `color`: whether human output carries ANSI colours.
///
/// The error is a fault of an embedded template.
pub fn write(plan: &Plan, format: PlanFormat, color: bool) -> Result<String, TemplateError> {
    Ok(match format {
        PlanFormat::Human => human::write(plan, color),
        PlanFormat::Markdown => markdown::write(plan, None),
        PlanFormat::Json => json::write(plan),
        PlanFormat::Html => html::write(plan, None, None)?,
        PlanFormat::Dot => dot::write(plan),
    })
}

/// Returns a plan as [`write`] does, and in the forms that are pages the last look at the host beside it.
///
/// The error is a fault of an embedded template.
pub fn write_with(
    plan: &Plan,
    format: PlanFormat,
    color: bool,
    look: Option<&LastLook>,
) -> Result<String, TemplateError> {
    match format {
        PlanFormat::Markdown => Ok(markdown::write(plan, look)),
        PlanFormat::Html => html::write(plan, None, look),
        PlanFormat::Human | PlanFormat::Json | PlanFormat::Dot => write(plan, format, color),
    }
}

/// Returns a plan as a page for a browser, with what a run of it came to where there was one, and the last look at the host; it ends with
/// a line break.
///
/// The error is a fault of an embedded template.
pub fn page(plan: &Plan, run: Option<&RunState>, look: Option<&LastLook>) -> Result<String, TemplateError> {
    html::write(plan, run, look)
}

/// Returns the numbers of the steps in which the host reboots, and how long those take in all, in seconds.
fn reboots(plan: &Plan) -> (Vec<usize>, u64) {
    let is_boot =
        |step: &&(&crate::plan::Step, usize)| matches!(step.0.kind(), StepKind::BaselineBoot | StepKind::RebootTest);
    let steps: Vec<_> = plan.steps().iter().zip(1..).collect();
    let boots = steps.iter().filter(is_boot);
    let seconds = boots.clone().map(|(step, _)| step.expected_seconds()).fold(0, u64::saturating_add);
    (boots.map(|(_, number)| *number).collect(), seconds)
}

/// Returns how long the plan takes, in words: what is worked, and what is waited.
fn duration(plan: &Plan) -> String {
    use crate::units::TimeSpan;
    let working = format!("about {}", TimeSpan::human(rounded(plan.working_seconds())));
    match plan.soaking_seconds() {
        0 => working,
        soaking => format!("{working} + {} soak", TimeSpan::human(soaking)),
    }
}

/// Returns seconds rounded up to five minutes once they are more than an hour: estimates are not better than that.
fn rounded(seconds: u64) -> u64 {
    let unit = if seconds > 3600 { 300 } else { 60 };
    if seconds < 60 { seconds } else { seconds.div_ceil(unit).saturating_mul(unit) }
}

/// Returns the numbers of the steps that a step needs.
fn needed_numbers(plan: &Plan, needs: &[String]) -> Vec<usize> {
    let mut numbers: Vec<usize> = needs.iter().filter_map(|need| plan.number(need)).collect();
    numbers.sort_unstable();
    numbers
}

/// Returns until where there is a way back, as a sentence.
fn way_back(plan: &Plan) -> String {
    let page = "plan.md";
    let first = |wanted: fn(&str) -> bool| {
        let step = plan.steps().iter().find(|step| step.destroyed().iter().any(|what| wanted(what)))?;
        Some(format!("step {} ({})", plan.number(step.id())?, step.id()))
    };
    let of_machine = first(|what| what.starts_with("disk:") || what.starts_with("pool:"));
    let of_cluster = first(|what| what.starts_with("claim:") || what.starts_with("workload:"));
    match (of_machine, of_cluster) {
        (None, None) => format!("at every step: nothing is destroyed; each step's undo is in {page}"),
        (Some(machine), None) => format!("until {machine} nothing is lost; each step's undo is in {page}"),
        (None, Some(cluster)) => {
            format!("until {cluster} everything is still in the cluster; each step's undo is in {page}")
        }
        (Some(machine), Some(cluster)) => format!(
            "until {cluster} everything is still in the cluster; what is on the host's own disks goes in {machine}; each step's undo is in {page}"
        ),
    }
}

/// A line of the timeline: a service and when it is down.
struct Down<'p> {
    service: &'p str,
    /// The number of the step that stops it.
    from: usize,
    /// The number of the step that starts it.
    to: usize,
    /// For how long, in words.
    takes: String,
    /// What that is reckoned from, in words.
    from_what: String,
}

/// Returns when which service is down.
fn timeline(plan: &Plan) -> Vec<Down<'_>> {
    use crate::units::{Size, TimeSpan};
    let line = |down: &'_ crate::plan::Downtime| {
        let rate =
            if down.rate_is_stated() { "`deploy.copy-rate`" } else { "an assumption; `deploy.copy-rate` says better" };
        let from_what = match down.bytes() {
            0 => "nothing to copy".to_owned(),
            bytes => format!("{} at {}/s ({rate})", Size::human(bytes), Size::human(down.bytes_per_second())),
        };
        let (from, to) = (plan.number(down.from())?, plan.number(down.to())?);
        Some((from, to, TimeSpan::human(rounded(down.expected_seconds())), from_what))
    };
    plan.downtime()
        .iter()
        .filter_map(|down| {
            let (from, to, takes, from_what) = line(down)?;
            Some(Down { service: down.service(), from, to, takes, from_what })
        })
        .collect()
}

/// Returns the headings with the numbers of the steps that each begins and ends at; nothing of a plan without headings.
fn headings(plan: &Plan) -> Vec<(&str, usize, usize)> {
    let mut all: Vec<(&str, usize, usize)> = Vec::new();
    for (step, number) in plan.steps().iter().zip(1..) {
        let Some(heading) = step.heading() else { continue };
        match all.last_mut().filter(|(known, _, last)| *known == heading && *last + 1 == number) {
            Some((_, _, last)) => *last = number,
            None => all.push((heading, number, number)),
        }
    }
    all
}
