//! The graph of a plan as a drawing for the page: a column of steps in their order, and a bow from each to those that need it.
//!
//! A bow reaches out the further the more steps lie between, so that none hides another; who follows directly is joined by a line.

use super::run::RunState;
use crate::plan::{Plan, Step, StepKind};

/// The height of a row and the width of what stands beside the bows, in pixels.
const ROW: usize = 24;
const TEXT: usize = 640;
const RADIUS: usize = 6;

/// The drawing, measured in pixels.
#[derive(Debug, serde::Serialize)]
pub(super) struct Drawing<'p> {
    width: usize,
    height: usize,
    /// Where the column of steps stands.
    x: usize,
    text_x: usize,
    radius: usize,
    outer: usize,
    nodes: Vec<Node<'p>>,
    bows: Vec<Bow>,
}

#[derive(Debug, serde::Serialize)]
struct Node<'p> {
    id: &'p str,
    number: usize,
    title: &'p str,
    y: usize,
    text_y: usize,
    class: &'static str,
    is_gate: bool,
    outcome: Option<&'static str>,
}

#[derive(Debug, serde::Serialize)]
struct Bow {
    path: String,
}

/// Draws a plan.
pub(super) fn draw<'p>(plan: &'p Plan, run: Option<&RunState>) -> Drawing<'p> {
    let y = |number: usize| number.saturating_mul(ROW).saturating_sub(ROW / 2);
    let pairs = plan
        .steps()
        .iter()
        .zip(1..)
        .flat_map(|(step, number)| step.needed().iter().filter_map(move |need| Some((plan.number(need)?, number))));
    let pairs: Vec<(usize, usize)> = pairs.collect();
    let reach = |from: usize, to: usize| to.saturating_sub(from).saturating_sub(1).min(24).saturating_mul(6);
    let x = pairs.iter().map(|(from, to)| reach(*from, *to)).max().unwrap_or(0).saturating_mul(3) / 4 + 2 * RADIUS + 4;
    let bow = |(from, to): &(usize, usize)| {
        let (top, bottom) = (y(*from), y(*to));
        let path = match reach(*from, *to) {
            0 => format!("M{x},{} L{x},{}", top + RADIUS, bottom.saturating_sub(RADIUS)),
            // Relative to where it begins, since what pulls the bow out may lie outside of the drawing.
            out => format!("M{0},{top} c-{out},0 -{out},{1} 0,{1}", x - RADIUS, bottom.saturating_sub(top)),
        };
        Bow { path }
    };
    let bows = pairs.iter().map(bow).collect();
    let nodes = plan.steps().iter().zip(1..).map(|(step, number)| Node {
        id: step.id(),
        number,
        title: step.title(),
        y: y(number),
        text_y: y(number) + 4,
        class: class(step),
        is_gate: plan.gate(step).is_some(),
        outcome: run.and_then(|run| run.of(step.id())).map(|ran| ran.outcome.as_str()),
    });
    let text_x = x + 2 * RADIUS + 6;
    Drawing {
        width: text_x + TEXT,
        height: plan.steps().len() * ROW,
        x,
        text_x,
        radius: RADIUS,
        outer: RADIUS + 3,
        nodes: nodes.collect(),
        bows,
    }
}

fn class(step: &Step) -> &'static str {
    match step.kind() {
        StepKind::Destroy => "destroy",
        StepKind::BaselineBoot | StepKind::RebootTest => "boot",
        StepKind::Instruction => "person",
        _ => "work",
    }
}
