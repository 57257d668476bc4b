//! The plan as one page for a browser: no script, no other file, legible on a phone and on paper.

use super::drawing::{self, Drawing};
use super::look::LastLook;
use super::prose::{Block, Part, blocks};
use super::run::{Outcome, RunState};
use super::{duration, headings, needed_numbers, reboots, rounded, timeline, way_back};
use crate::plan::Plan;
use crate::text::{TemplateError, Templates};
use crate::units::TimeSpan;

/// The values of the page; the template escapes every one of them.
#[derive(serde::Serialize)]
struct Page<'p> {
    host: &'p str,
    scenario: &'static str,
    duration: String,
    way_back: String,
    tool_version: &'p str,
    inputs_sha256: &'p str,
    plan_sha256: &'p str,
    headings: Vec<HeadingValues<'p>>,
    downtime: Vec<DownValues<'p>>,
    steps: Vec<StepValues<'p>>,
    destroyed: Vec<GoneValues<'p>>,
    boots: Vec<NeedValues<'p>>,
    boots_take: String,
    drawing: Drawing<'p>,
    /// What a run came to, in words; none where there was none.
    ran: Option<String>,
    /// The last look at the host; none where there was none.
    look: Option<&'p LastLook>,
}

/// Something that is gone afterwards.
#[derive(serde::Serialize)]
struct GoneValues<'p> {
    what: &'p str,
    number: usize,
    id: &'p str,
}

/// What a run came to in a step.
#[derive(serde::Serialize)]
struct RanValues<'p> {
    outcome: &'static str,
    is_bad: bool,
    took: Option<String>,
    ended: Option<&'p str>,
    note: Option<&'p str>,
}

#[derive(serde::Serialize)]
struct StepValues<'p> {
    number: usize,
    id: &'p str,
    kind: &'static str,
    title: &'p str,
    /// Where a heading begins.
    heading: Option<&'p str>,
    why: Vec<Block<'p>>,
    runs_on: &'static str,
    takes: String,
    needs: Vec<NeedValues<'p>>,
    gate: Option<&'static str>,
    destroys: &'p [String],
    before: &'p [String],
    run: &'p [String],
    after: &'p [String],
    undo: &'p [String],
    ran: Option<RanValues<'p>>,
}

#[derive(serde::Serialize)]
struct HeadingValues<'p> {
    text: &'p str,
    first: usize,
    last: usize,
    id: &'p str,
}

#[derive(serde::Serialize)]
struct DownValues<'p> {
    service: &'p str,
    takes: &'p str,
    from: usize,
    to: usize,
    from_what: Vec<Part<'p>>,
}

#[derive(serde::Serialize)]
struct NeedValues<'p> {
    number: usize,
    id: &'p str,
}

pub(super) fn write(plan: &Plan, run: Option<&RunState>, look: Option<&LastLook>) -> Result<String, TemplateError> {
    let headings = headings(plan);
    let downs = timeline(plan);
    let steps = plan.steps().iter().zip(1..).map(|(step, number)| StepValues {
        number,
        id: step.id(),
        kind: step.kind().as_str(),
        title: step.title(),
        heading: headings.iter().find(|(_, first, _)| *first == number).map(|(heading, ..)| *heading),
        why: blocks(step.reason()),
        runs_on: step.runs_on().as_str(),
        takes: TimeSpan::human(rounded(step.expected_seconds())),
        needs: needed_numbers(plan, step.needed())
            .into_iter()
            .filter_map(|number| Some(NeedValues { number, id: plan.steps().get(number - 1)?.id() }))
            .collect(),
        gate: plan.gate(step),
        destroys: step.destroyed(),
        before: step.checks_before(),
        run: step.commands(),
        after: step.checks_after(),
        undo: step.way_back(),
        ran: run.and_then(|run| run.of(step.id())).map(|ran| RanValues {
            outcome: ran.outcome.as_str(),
            is_bad: ran.outcome == Outcome::Failed,
            took: ran.seconds.map(TimeSpan::human),
            ended: ran.ended.as_deref(),
            note: ran.note.as_deref(),
        }),
    });
    let (boots, boots_take) = reboots(plan);
    let page = Page {
        host: plan.host(),
        scenario: plan.scenario().as_str(),
        duration: duration(plan),
        way_back: way_back(plan),
        tool_version: plan.tool_version(),
        inputs_sha256: plan.inputs_sha256(),
        plan_sha256: plan.plan_sha256(),
        headings: headings
            .iter()
            .filter_map(|(text, first, last)| {
                let id = plan.steps().get(first - 1)?.id();
                Some(HeadingValues { text, first: *first, last: *last, id })
            })
            .collect(),
        downtime: downs
            .iter()
            .map(|down| DownValues {
                service: down.service,
                takes: &down.takes,
                from: down.from,
                to: down.to,
                from_what: blocks(&down.from_what).into_iter().flat_map(|block| block.lines).flatten().collect(),
            })
            .collect(),
        steps: steps.collect(),
        destroyed: plan
            .steps()
            .iter()
            .zip(1..)
            .flat_map(|(step, number)| {
                step.destroyed().iter().map(move |what| GoneValues { what, number, id: step.id() })
            })
            .collect(),
        boots: boots
            .into_iter()
            .filter_map(|number| Some(NeedValues { number, id: plan.steps().get(number - 1)?.id() }))
            .collect(),
        boots_take: TimeSpan::human(rounded(boots_take)),
        drawing: drawing::draw(plan, run),
        ran: run.map(|run| summary(plan, run)),
        look,
    };
    Templates::embedded()?.render("plan.html.tera", &page)
}

/// Returns what a run came to, as a sentence without its end.
fn summary(plan: &Plan, run: &RunState) -> String {
    let count = |wanted: Outcome| {
        let of = |step: &&crate::plan::Step| run.of(step.id()).is_some_and(|ran| ran.outcome == wanted);
        plan.steps().iter().filter(of).count()
    };
    let done = count(Outcome::Done) + count(Outcome::LeftOut);
    let seconds = run.steps.iter().filter_map(|ran| ran.seconds).fold(0, u64::saturating_add);
    let mut words = format!("{done} of {} steps are done, in {}", plan.steps().len(), TimeSpan::human(seconds));
    let failed = plan.steps().iter().find(|step| run.of(step.id()).is_some_and(|ran| ran.outcome == Outcome::Failed));
    if let Some(step) = failed {
        words.push_str(&format!("; {} has failed", step.id()));
    }
    words
}
