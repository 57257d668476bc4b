//! The plan as one page for a browser: no script, no other file, legible on a phone and on paper.

use std::sync::OnceLock;

use super::prose::{Block, Part, blocks};
use super::{duration, headings, needed_numbers, rounded, timeline, way_back};
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

pub(super) fn write(plan: &Plan) -> Result<String, TemplateError> {
    static EMBEDDED: OnceLock<Result<Templates, TemplateError>> = OnceLock::new();
    let templates = EMBEDDED.get_or_init(|| Templates::new::<&str, &str>([]));
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
    });
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
    };
    templates.as_ref().map_err(Clone::clone)?.render("plan.html.tera", &page)
}
