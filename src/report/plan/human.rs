//! The plan as a table: who acts, how long, what is destroyed, what is a gate.

use super::super::WIDTH;
use super::super::pen::{DIM, EMPHASIS, Pen, level_style};
use super::super::words::{count, width, wrap};
use super::{duration, headings, needed_numbers, timeline, way_back};
use crate::plan::{Plan, RunsOn, Step};
use crate::source::{Level, printable};
use crate::units::TimeSpan;

/// A row before its columns are measured.
struct Row<'p> {
    cells: [String; 5],
    note: String,
    step: Option<&'p Step>,
}

pub(super) fn write(plan: &Plan, color: bool) -> String {
    let pen = Pen { width: WIDTH, color };
    let mut rows = vec![Row {
        cells: ["#", "step", "where", "takes", "needs"].map(str::to_owned),
        note: "destroys / note".to_owned(),
        step: None,
    }];
    rows.extend(plan.steps().iter().zip(1..).map(|(step, number)| row(plan, step, number)));
    let mut widths = [0; 5];
    for row in &rows {
        for (column, cell) in widths.iter_mut().zip(&row.cells) {
            *column = (*column).max(width(cell));
        }
    }
    let mut out = String::new();
    let head = format!(
        "{}: {} · {} · {}",
        plan.host(),
        plan.scenario(),
        count(plan.steps().len(), "step", "steps"),
        duration(plan)
    );
    out.push_str(&pen.paint(EMPHASIS, &printable(&head)));
    out.push('\n');
    let headings = headings(plan);
    for (row, number) in rows.iter().zip(0..) {
        if let Some((heading, ..)) = headings.iter().find(|(_, first, _)| *first == number) {
            out.push_str(&pen.paint(EMPHASIS, &printable(heading)));
            out.push('\n');
        }
        line(row, widths, pen, &mut out);
    }
    for down in timeline(plan) {
        let text = format!(
            "down: {} for {} (steps {} to {}): {}",
            down.service,
            down.takes,
            down.from,
            down.to,
            down.from_what.replace('`', "")
        );
        out.push_str(&printable(&text));
        out.push('\n');
    }
    for part in wrap(&printable(&format!("way back: {}", way_back(plan))), pen.width, pen.width - 9).iter().enumerate()
    {
        out.push_str(if part.0 == 0 { "" } else { "         " });
        out.push_str(part.1);
        out.push('\n');
    }
    out
}

fn row<'p>(plan: &'p Plan, step: &'p Step, number: usize) -> Row<'p> {
    let place = if step.runs_on() == RunsOn::Person { "person" } else { step.runs_on().as_str() };
    let needs = needed_numbers(plan, step.needed());
    let needs = if needs.is_empty() {
        "-".to_owned()
    } else {
        needs.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    };
    let note = match (step.destroyed(), plan.gate(step)) {
        ([], Some(gate)) => format!("gate: {gate}"),
        ([], None) => step.title().to_owned(),
        ([one], _) => format!("destroys {one}"),
        ([first, rest @ ..], _) => format!("destroys {first} (+ {})", rest.len()),
    };
    Row {
        cells: [
            number.to_string(),
            printable(step.id()),
            place.to_owned(),
            TimeSpan::human(super::rounded(step.expected_seconds())),
            needs,
        ],
        note: printable(&note),
        step: Some(step),
    }
}

fn line(row: &Row<'_>, widths: [usize; 5], pen: Pen, out: &mut String) {
    out.push(' ');
    let mut used = 1;
    for (at, (cell, column)) in row.cells.iter().zip(widths).enumerate() {
        let pad = " ".repeat(column.saturating_sub(width(cell)));
        // Numbers stand to the right, words to the left.
        let (before, after) = if at == 0 { (pad.as_str(), "") } else { ("", pad.as_str()) };
        out.extend([before, cell, after, "  "]);
        used += column + 2;
    }
    let room = pen.width.saturating_sub(used).max(20);
    let parts = wrap(&row.note, room, room);
    let style = match row.step {
        Some(step) if !step.destroyed().is_empty() => level_style(Level::Error),
        Some(_) if row.note.starts_with("gate: ") => EMPHASIS,
        _ => DIM,
    };
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(used));
        }
        out.push_str(&pen.paint(style, part));
    }
    out.push('\n');
}
