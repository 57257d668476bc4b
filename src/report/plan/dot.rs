//! The plan as a graph for Graphviz: boxes for steps, arrows for what needs what.

use std::fmt::Write as _;

use crate::plan::{Plan, StepKind};
use crate::source::printable;

pub(super) fn write(plan: &Plan) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&format!("{} {}", plan.host(), plan.scenario())));
    out.push_str("  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (step, number) in plan.steps().iter().zip(1_usize..) {
        let style = match step.kind() {
            StepKind::Destroy => ", color=red, penwidth=2",
            StepKind::BaselineBoot | StepKind::RebootTest => ", style=filled, fillcolor=lightblue",
            StepKind::Instruction => ", style=rounded",
            _ => "",
        };
        let gate = if plan.gate(step).is_some() { ", peripheries=2" } else { "" };
        let label = quoted(&format!("{number}. {}", step.title()));
        let _ = writeln!(out, "  {} [label={label}{style}{gate}];", quoted(step.id()));
    }
    for (heading, first, last) in super::headings(plan) {
        let steps = plan.steps().iter().skip(first - 1).take(last + 1 - first);
        let ids: Vec<String> = steps.map(|step| quoted(step.id())).collect();
        let (name, label) = (quoted(&format!("cluster_{first}")), quoted(heading));
        let _ = writeln!(out, "  subgraph {name} {{ label={label}; {}; }}", ids.join("; "));
    }
    for step in plan.steps() {
        for need in step.needed() {
            let _ = writeln!(out, "  {} -> {};", quoted(need), quoted(step.id()));
        }
    }
    out.push_str("}\n");
    out
}

/// Returns a quoted string of the DOT language: `\"` is its one escape; a backslash would begin one of labels.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_string() {
        assert_eq!(quoted("a\"b\\"), "\"a\\\"b\\\\\"");
        assert_eq!(quoted("a\nb"), "\"a\\\\u{a}b\"");
    }
}
