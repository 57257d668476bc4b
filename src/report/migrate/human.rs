//! The inventory at a terminal: what was found, where every field went, then only what a person must decide.

use std::collections::BTreeSet;

use super::super::WIDTH;
use super::super::pen::{DIM, EMPHASIS, Pen, level_style};
use super::super::words::{count, width, wrap};
use super::{MigrateOptions, by_kind, grouped, host_room, lost_object, reading, room, short, state, sums};
use crate::kubernetes::ledger::{Definitions, Ledger, QuestionEntry};
use crate::kubernetes::live::Reading;
use crate::source::{Level, printable};

/// Questions that are shown unless all are asked for.
const QUESTIONS: usize = 12;

/// Differences between manifests and cluster that are shown unless all are asked for.
const DIFFERENCES: usize = 12;
/// Objects of a loss that are shown unless all are asked for.
const LOST: usize = 3;

/// What a line begins with.
const MARGIN: usize = 9;

pub(super) fn write(ledger: &Ledger, options: &MigrateOptions<'_>) -> String {
    let pen = Pen { width: WIDTH, color: options.color };
    let mut out = Page { pen, text: String::new() };
    let totals = &ledger.totals;
    let objects = count(totals.objects, "object", "objects");
    let files = count(ledger.files, "file", "files");
    out.line("read", &format!("{files}: {objects}, {} fields", grouped(totals.leaves)));
    if let Some(reading) = &ledger.reading {
        live(reading, options, &mut out);
    }
    for refused in &ledger.refused {
        let help = refused.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let place = format!("{}:{}:{}", refused.file, refused.line, refused.column);
        out.line("refused", &format!("{place} {}{help}", refused.reason));
    }
    out.line("fields", &format!("{} (= {})", sums(totals), grouped(totals.leaves)));
    workloads(ledger, &mut out);
    placement(ledger, &mut out);
    if options.verbose {
        for (kind, totals) in by_kind(ledger) {
            out.line("kind", &format!("{kind} ({}): {}", totals.objects, sums(&totals)));
        }
    }
    if let Some(capacity) = ledger.capacity.as_ref().filter(|_| !ledger.claims.is_empty()) {
        out.line("capacity", &room(capacity));
    }
    lost(ledger, options, &mut out);
    questions(ledger, options, &mut out);
    if let Some(definitions) = &ledger.definitions
        && !options.written
    {
        shown(definitions, &mut out);
    }
    if let Some(placement) = ledger.placement.as_ref().filter(|_| !options.written) {
        for host in &placement.hosts {
            out.text.push('\n');
            out.text.push_str(&out.pen.paint(EMPHASIS, &format!("for {}", printable(&host.host))));
            shown(&host.definitions, &mut out);
        }
    }
    next(ledger, options, &mut out);
    out.text
}

/// How the cluster itself was read.
fn live(reading: &Reading, options: &MigrateOptions<'_>, out: &mut Page) {
    let rest = if options.verbose || reading.left_out.is_empty() { "" } else { "; which: -v" };
    out.line("cluster", &format!("{}{rest}", reading::about(reading)));
    for left in reading.left_out.iter().filter(|_| options.verbose) {
        out.line("left out", &format!("{}: {}", left.resource, left.reason));
    }
    for note in &reading.notes {
        out.line("note", note);
    }
    let shown = if options.verbose { reading.differences.len() } else { DIFFERENCES.min(reading.differences.len()) };
    for one in reading.differences.iter().take(shown) {
        out.line("differs", &format!("{}: {} ({})", reading::differs(one), one.what, reading::place(one)));
    }
    if shown < reading.differences.len() {
        out.line("", &format!("{} more; all: -v or --format json", reading.differences.len() - shown));
    }
}

/// Text with its words in columns.
struct Page {
    pen: Pen,
    text: String,
}

impl Page {
    fn line(&mut self, word: &str, text: &str) {
        let lines = wrap(&printable(text), self.pen.width - MARGIN, self.pen.width - MARGIN);
        for (index, line) in lines.iter().enumerate() {
            let word = if index == 0 { word } else { "" };
            self.text.push_str(&format!("{word:<MARGIN$}{line}\n"));
        }
    }
}

fn workloads(ledger: &Ledger, out: &mut Page) {
    let name = |workload: &crate::kubernetes::ledger::WorkloadEntry| printable(&workload.name);
    let names = ledger.workloads.iter().map(|workload| width(&name(workload))).max().unwrap_or(0).min(40);
    let kinds = ledger.workloads.iter().map(|workload| width(&workload.kind)).max().unwrap_or(0);
    for workload in &ledger.workloads {
        let becomes = if workload.becomes.is_empty() { "nothing runs: see the questions" } else { &workload.becomes };
        let more = workload.services.len().saturating_sub(1);
        let more = if more > 0 { format!(" + {more}") } else { String::new() };
        let state = state(workload);
        let state = if state.is_empty() { state } else { format!("  {state}") };
        let (name, kind) = (name(workload), &workload.kind);
        let line = format!("{name:<names$} {kind:<kinds$} -> {}", printable(&format!("{becomes}{more}{state}")));
        out.text.push_str(&line);
        out.text.push('\n');
    }
}

/// Writes which of several hosts each workload goes to, by host.
fn placement(ledger: &Ledger, out: &mut Page) {
    let Some(placement) = &ledger.placement else { return };
    let mut hosts: Vec<(Option<&str>, String)> = placement
        .hosts
        .iter()
        .map(|host| (Some(host.host.as_str()), format!("{}: {}", host.host, host_room(host))))
        .collect();
    let others: BTreeSet<&str> = placement.workloads.iter().filter_map(|one| one.host.as_deref()).collect();
    let is_asked = |name: &&str| placement.hosts.iter().any(|host| host.host == *name);
    hosts
        .extend(others.into_iter().filter(|name| !is_asked(name)).map(|name| (Some(name), format!("{name}, besides"))));
    hosts.push((None, "no host yet".to_owned()));
    for (host, head) in hosts {
        let mut own = placement.workloads.iter().filter(|one| one.host.as_deref() == host).peekable();
        if host.is_none() && own.peek().is_none() {
            continue;
        }
        out.line("host", &head);
        for one in own {
            out.line("", &format!("{}: {}", short(&one.object), one.reason));
        }
    }
}

/// Writes what a cluster did that hosts do not: a line each, with the objects where all is asked for.
fn lost(ledger: &Ledger, options: &MigrateOptions<'_>, out: &mut Page) {
    for entry in &ledger.lost {
        let objects: Vec<String> = entry.objects.iter().map(lost_object).collect();
        let shown = if options.verbose { objects.len() } else { LOST.min(objects.len()) };
        let rest = objects.len().saturating_sub(shown);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let first: Vec<&str> = objects.iter().take(shown).map(String::as_str).collect();
        out.line("lost", &format!("{}: {}{more}; in its place {}", entry.what, first.join(", "), entry.instead));
    }
}

/// Writes definitions.
fn shown(definitions: &Definitions, out: &mut Page) {
    out.text.push('\n');
    out.text.push_str(&definitions.toml.lines().map(|line| format!("{}\n", printable(line))).collect::<String>());
    out.text.push('\n');
}

fn questions(ledger: &Ledger, options: &MigrateOptions<'_>, out: &mut Page) {
    let all = &ledger.questions;
    if all.is_empty() {
        return;
    }
    let blocking = all.iter().filter(|question| question.blocks).count();
    let shown = if options.verbose { all.len() } else { QUESTIONS.min(all.len()) };
    let rest = if shown < all.len() { "; all: -v or --format md" } else { "" };
    let head = format!("questions ({blocking} of {} block the plan{rest})", all.len());
    out.text.push_str(&out.pen.paint(EMPHASIS, &head));
    out.text.push('\n');
    for (question, number) in all.iter().take(shown).zip(1_usize..) {
        one(question, number, out);
    }
}

fn one(question: &QuestionEntry, number: usize, out: &mut Page) {
    let pen = out.pen;
    let lines = wrap(&printable(&question.question), pen.width - 5, pen.width - 5);
    for (index, line) in lines.iter().enumerate() {
        if index == 0 {
            let number = format!("{number:>3}");
            let style = if question.blocks { level_style(Level::Warning) } else { DIM };
            out.text.push_str(&format!("{}  {line}\n", pen.paint(style, &number)));
        } else {
            out.text.push_str(&format!("     {line}\n"));
        }
    }
    let place = format!("{}:{}:{}  {}", question.file, question.line, question.column, question.id);
    out.text.push_str(&format!("     {}\n", pen.paint(DIM, &printable(&place))));
}

fn next(ledger: &Ledger, options: &MigrateOptions<'_>, out: &mut Page) {
    let words = options.words;
    if let Some(placement) = ledger.placement.as_ref().filter(|_| !ledger.workloads.is_empty()) {
        let names: Vec<&str> = placement.hosts.iter().map(|host| host.host.as_str()).collect();
        let names = printable(&names.join(" "));
        let text = if options.written {
            format!("read the definitions of {names}, then hostwright check {names}")
        } else {
            format!("hostwright migrate {words} --write: these into the fleet")
        };
        return out.line("next", &text);
    }
    match &ledger.definitions {
        _ if ledger.workloads.is_empty() => {}
        None => out.line("next", &format!("hostwright migrate {words} --host HOST: the definitions of the services")),
        Some(_) if !options.written => {
            out.line("next", &format!("hostwright migrate {words} --write: these into the fleet"));
        }
        Some(definitions) => {
            let host = &definitions.host;
            let answers = if ledger.questions.is_empty() { "" } else { "answer in it (docs/migrate.md), " };
            out.line("next", &format!("read hosts/{host}/host.toml, {answers}then hostwright check {host}"));
        }
    }
}
