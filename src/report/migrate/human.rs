//! The inventory at a terminal: what was found, where every field went, then only what a person must decide.

use super::super::WIDTH;
use super::super::pen::{DIM, EMPHASIS, Pen, level_style};
use super::super::words::{count, width, wrap};
use super::{MigrateOptions, by_kind, grouped, room, state, sums};
use crate::kubernetes::ledger::{Ledger, QuestionEntry};
use crate::source::{Level, printable};

/// Questions that are shown unless all are asked for.
const QUESTIONS: usize = 12;

/// What a line begins with.
const MARGIN: usize = 9;

pub(super) fn write(ledger: &Ledger, options: &MigrateOptions<'_>) -> String {
    let pen = Pen { width: WIDTH, color: options.color };
    let mut out = Page { pen, text: String::new() };
    let totals = &ledger.totals;
    let objects = count(totals.objects, "object", "objects");
    let files = count(ledger.files, "file", "files");
    out.line("read", &format!("{files}: {objects}, {} fields", grouped(totals.leaves)));
    for refused in &ledger.refused {
        let help = refused.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let place = format!("{}:{}:{}", refused.file, refused.line, refused.column);
        out.line("refused", &format!("{place} {}{help}", refused.reason));
    }
    out.line("fields", &format!("{} (= {})", sums(totals), grouped(totals.leaves)));
    workloads(ledger, &mut out);
    if options.verbose {
        for (kind, totals) in by_kind(ledger) {
            out.line("kind", &format!("{kind} ({}): {}", totals.objects, sums(&totals)));
        }
    }
    if let Some(capacity) = ledger.capacity.as_ref().filter(|_| !ledger.claims.is_empty()) {
        out.line("capacity", &room(capacity));
    }
    questions(ledger, options, &mut out);
    if let Some(definitions) = &ledger.definitions
        && !options.written
    {
        out.text.push('\n');
        out.text.push_str(&definitions.toml.lines().map(|line| format!("{}\n", printable(line))).collect::<String>());
        out.text.push('\n');
    }
    next(ledger, options, &mut out);
    out.text
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
