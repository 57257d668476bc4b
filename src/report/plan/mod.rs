//! A plan as people and machines read it: one file for each format, each of which takes the plan and nothing else of ours.
//!
//! Not here: what the steps are (`plan`). A format is added as one file and one variant of [`PlanFormat`].

mod dot;
mod html;
mod human;
mod json;
mod markdown;

use crate::plan::Plan;
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
        PlanFormat::Markdown => markdown::write(plan),
        PlanFormat::Json => json::write(plan),
        PlanFormat::Html => html::write(plan)?,
        PlanFormat::Dot => dot::write(plan),
    })
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
    match plan.first_destroying().and_then(|step| Some((plan.number(step.id())?, step.id()))) {
        Some((number, id)) => {
            format!("until step {number} ({id}) nothing is lost; each step's undo is in plan.md")
        }
        None => "at every step: nothing is destroyed; each step's undo is in plan.md".to_owned(),
    }
}
