//! The inventory as a page that one can take to a colleague: what runs, every question, where every field went.

use std::fmt::Write as _;

use super::{
    about, answer, by_kind, bytes, definitions, grouped, host_room, lost_object, reading, room, short, state, sums,
    timeline_about,
};
use crate::kubernetes::ledger::{Disposition, Ledger, ObjectEntry};
use crate::text::Md;
use crate::units::TimeSpan;

pub(super) fn write(ledger: &Ledger) -> String {
    let mut out = String::from("# Off Kubernetes: the inventory\n\n");
    let totals = &ledger.totals;
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "{} files, {} objects, {} fields: {}.\n",
        grouped(ledger.files),
        grouped(totals.objects),
        grouped(totals.leaves),
        sums(totals)
    );
    if !ledger.refused.is_empty() {
        out.push_str("## Not read\n\n");
        for refused in &ledger.refused {
            let place = format!("{}:{}:{}", refused.file, refused.line, refused.column);
            let help = refused.help.as_ref().map(|help| format!(" {}.", Md::text(help))).unwrap_or_default();
            let _ = writeln!(out, "- {}: {}.{help}", Md::code(&place), Md::text(&refused.reason));
        }
        out.push('\n');
    }
    live(ledger, &mut out);
    questions(ledger, &mut out);
    if !ledger.workloads.is_empty() {
        out.push_str("## What runs\n\n| workload | kind | becomes | data |\n| --- | --- | --- | --- |\n");
        for workload in &ledger.workloads {
            let becomes = if workload.becomes.is_empty() { "nothing" } else { &workload.becomes };
            let cells = [workload.name.as_str(), &workload.kind, becomes, &state(workload)].map(Md::text);
            let _ = writeln!(out, "| {} | {} | {} | {} |", cells[0], cells[1], cells[2], cells[3]);
        }
        out.push('\n');
    }
    placement(ledger, &mut out);
    claims(ledger, &mut out);
    timelines(ledger, &mut out);
    lost(ledger, &mut out);
    connections(ledger, &mut out);
    out.push_str("## Where the fields went\n\n| kind | objects | translated | replaced | dropped | needs you |\n");
    out.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (kind, sums) in by_kind(ledger) {
        let numbers = [sums.objects, sums.translated, sums.replaced, sums.dropped, sums.needs_you].map(grouped);
        let _ = writeln!(out, "| {} | {} |", Md::text(kind), numbers.join(" | "));
    }
    for object in &ledger.objects {
        fields(object, &mut out);
    }
    for definitions in definitions(ledger) {
        let _ = write!(out, "\n## For {}\n\n{}", Md::text(&definitions.host), Md::block("toml", &definitions.toml));
    }
    out
}

/// Writes how the cluster itself was read.
fn live(ledger: &Ledger, out: &mut String) {
    let Some(reading) = &ledger.reading else { return };
    let _ = writeln!(out, "## How the cluster was read\n\n{}.\n", Md::text(&reading::about(reading)));
    for note in &reading.notes {
        let _ = writeln!(out, "- {}", Md::text(note));
    }
    for left in &reading.left_out {
        let _ = writeln!(out, "- left out: {}: {}", Md::code(&left.resource), Md::text(left.reason));
    }
    out.push('\n');
    if !reading.differences.is_empty() {
        out.push_str("| manifest and cluster disagree | how | place |\n| --- | --- | --- |\n");
        for one in &reading.differences {
            let (object, place) = (Md::text(&reading::differs(one)).to_string(), Md::code_cell(&reading::place(one)));
            let _ = writeln!(out, "| {object} | {} | {place} |", Md::text(&one.what));
        }
        out.push('\n');
    }
}

fn claims(ledger: &Ledger, out: &mut String) {
    if ledger.claims.is_empty() {
        return;
    }
    out.push_str("## What is kept\n\n| claim | asks for | uses | access | reclaim | goes to | mounted by |\n");
    out.push_str("| --- | ---: | ---: | --- | --- | --- | --- |\n");
    for claim in &ledger.claims {
        let place = claim.mount.as_deref().or(claim.left.as_deref()).unwrap_or("");
        let cells = [
            &format!("{}/{}", claim.namespace, claim.name),
            &bytes(claim.requested),
            &bytes(claim.used),
            &claim.access.join(", "),
            claim.reclaim.as_deref().unwrap_or("?"),
            place,
            &claim.workloads.join(", "),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| Md::text(cell).to_string()).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if let Some(capacity) = &ledger.capacity {
        let _ = writeln!(out, "\n{}.", Md::text(&room(capacity)));
    }
    out.push('\n');
}

/// Writes which of several hosts each workload goes to.
fn placement(ledger: &Ledger, out: &mut String) {
    let Some(placement) = &ledger.placement else { return };
    out.push_str("## Which host, and why\n\n");
    for host in &placement.hosts {
        let _ = writeln!(out, "- {}: {}", Md::text(&host.host), Md::text(&host_room(host)));
    }
    out.push_str("\n| workload | host | why |\n| --- | --- | --- |\n");
    for one in &placement.workloads {
        let host = one.host.as_deref().map_or_else(|| "**none yet**".to_owned(), |host| Md::text(host).to_string());
        let _ = writeln!(out, "| {} | {host} | {} |", Md::text(&short(&one.object)), Md::text(&one.reason));
    }
    out.push('\n');
}

/// Writes the moves that can be planned, step by step.
fn timelines(ledger: &Ledger, out: &mut String) {
    for timeline in &ledger.timelines {
        let (host, about) = (Md::text(&timeline.host), timeline_about(timeline));
        let _ = writeln!(out, "## The move to {host}, step by step\n\n{}.\n", Md::text(&about));
        if !timeline.downtime.is_empty() {
            out.push_str("| service | down for | from | to |\n| --- | ---: | --- | --- |\n");
            for one in &timeline.downtime {
                let (service, time) = (Md::text(&one.service), TimeSpan::human(one.expected_seconds));
                let _ =
                    writeln!(out, "| {service} | {time} | {} | {} |", Md::code_cell(&one.from), Md::code_cell(&one.to));
            }
            out.push('\n');
        }
        out.push_str("| # | step | begins after | takes |\n| ---: | --- | ---: | ---: |\n");
        for (step, number) in timeline.steps.iter().zip(1_usize..) {
            let gate = if step.is_gate { " (gate)" } else { "" };
            let destroys = if step.destroys { " **destroys**" } else { "" };
            let (begins, takes) = (TimeSpan::human(step.begins_seconds), TimeSpan::human(step.expected_seconds));
            let _ = writeln!(out, "| {number} | {}{gate}{destroys} | {begins} | {takes} |", Md::text(&step.title));
        }
        out.push('\n');
    }
}

/// Writes what a cluster did that hosts do not.
fn lost(ledger: &Ledger, out: &mut String) {
    if ledger.lost.is_empty() {
        return;
    }
    out.push_str("## What is lost\n\nOnly what the manifests show.\n\n| in the cluster | of which | in its place |\n| --- | --- | --- |\n");
    for entry in &ledger.lost {
        let objects: Vec<String> = entry.objects.iter().map(lost_object).collect();
        let of_which = format!("{}: {}", objects.len(), objects.join(", "));
        let _ = writeln!(out, "| {} | {} | {} |", Md::text(entry.what), Md::text(&of_which), Md::text(entry.instead));
    }
    out.push('\n');
}

/// Writes who talks to whom, and what would bring back what.
fn connections(ledger: &Ledger, out: &mut String) {
    if !ledger.talks.is_empty() {
        out.push_str("## Who talks to whom\n\n");
        for edge in &ledger.talks {
            let port = edge.port.map(|port| format!(" at {port}")).unwrap_or_default();
            let place = Md::code(&format!("{}:{}", edge.file, edge.line));
            let _ = writeln!(
                out,
                "- {} → {}{port}: {} {place}",
                Md::text(&edge.from),
                Md::text(&edge.to),
                Md::code(&edge.key)
            );
        }
        out.push('\n');
    }
    if !ledger.restorers.is_empty() {
        out.push_str("## What would bring back what is deleted\n\n");
        for restorer in &ledger.restorers {
            let _ = writeln!(
                out,
                "- {}: {}. {}. ({} objects)",
                Md::text(&restorer.by),
                Md::text(restorer.behaviour),
                Md::text(&restorer.suspend),
                restorer.restores.len()
            );
        }
        out.push('\n');
    }
}

fn questions(ledger: &Ledger, out: &mut String) {
    if ledger.questions.is_empty() {
        return;
    }
    out.push_str("## What only a person can decide\n\n");
    for (question, number) in ledger.questions.iter().zip(1_usize..) {
        let place = format!("{}:{}:{}", question.file, question.line, question.column);
        let blocks = if question.blocks { " **Blocks the plan.**" } else { "" };
        let (service, line) = answer(ledger, question);
        let service = service.map(|service| format!(" in {}", Md::code(&format!("services.{service}.migrates-from"))));
        let (text, service) = (Md::text(&question.question), service.unwrap_or_default());
        let _ = writeln!(
            out,
            "{number}. **{}**: {text}{blocks} {} · answer{service}: {}",
            Md::text(&about(question)),
            Md::code(&place),
            Md::code(&line)
        );
    }
    out.push('\n');
}

/// Writes what became of an object's fields: what a person has to look at, the rest as a table.
fn fields(object: &ObjectEntry, out: &mut String) {
    let Some(fields) = &object.fields else { return };
    let namespace = object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let name = format!("{} {namespace}{}", object.kind, object.name);
    let place = format!("{}:{}", object.file, object.line);
    let _ = writeln!(out, "\n### {}\n\n{}: {}.\n", Md::text(&name), Md::code(&place), sums(&object.totals));
    out.push_str("| field | | where, or why not |\n| --- | --- | --- |\n");
    for field in fields {
        let said = [field.to.as_deref(), field.reason.as_deref()];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        let word = match field.disposition {
            Disposition::NeedsYou => "**needs you**",
            other => other.as_str(),
        };
        let _ = writeln!(out, "| {} | {word} | {} |", Md::code_cell(&field.path), Md::text(&said.join("; ")));
    }
}
