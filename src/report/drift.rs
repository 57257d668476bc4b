//! Definitions held against machines, for people and for programs.

use serde::Serialize;

use super::Verbosity;
use super::pen::{DIM, EMPHASIS, Pen, level_style};
use super::words::wrap;
use crate::drift::{Comparison, Defined, Difference, Group, NotCompared};
use crate::source::{Level, Sources, pretty_json, printable};

const WIDTH: usize = super::WIDTH;

/// Where the words of a difference begin, in columns.
const INDENT: usize = 13;

/// One host: when its facts were taken and what they came to, or why they could not be had, with the ways out.
#[derive(Debug)]
pub struct HostDrift<'a> {
    /// The host.
    pub host: &'a str,
    /// Where it is reached.
    pub target: Option<String>,
    /// What it came to.
    pub result: Result<(Option<String>, Comparison), Vec<String>>,
}

impl HostDrift<'_> {
    /// Tells whether something differs.
    pub fn differs(&self) -> bool {
        self.result.as_ref().is_ok_and(|(_, comparison)| !comparison.differences.is_empty())
    }
}

/// Several hosts.
#[derive(Debug)]
pub struct DriftReport<'a> {
    /// The fleet's name.
    pub fleet: Option<&'a str>,
    /// The hosts, in the order in which they were named.
    pub hosts: &'a [HostDrift<'a>],
    /// The files that places lie in.
    pub sources: &'a Sources,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    fleet: Option<&'a str>,
    hosts: Vec<HostDocument<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct HostDocument<'a> {
    host: &'a str,
    target: Option<&'a str>,
    taken: Option<&'a str>,
    error: Option<String>,
    compared: usize,
    differences: Vec<Row<'a>>,
    notes: Vec<Row<'a>>,
    not_compared: &'a [NotCompared],
}

#[derive(Serialize)]
struct Row<'a> {
    group: Group,
    subject: &'a str,
    message: &'a str,
    defined: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    live: &'a str,
    why: &'a str,
    help: &'a [String],
}

#[derive(Default, Serialize)]
struct Summary {
    hosts: usize,
    unreachable: usize,
    compared: usize,
    differences: usize,
    notes: usize,
    not_compared: usize,
}

fn rows<'a>(sources: &'a Sources, all: &'a [Difference]) -> Vec<Row<'a>> {
    let one = |difference: &'a Difference| {
        let place = difference.defined.as_ref().and_then(|defined| defined.place);
        let position = place.map(|place| sources.position(place));
        Row {
            group: difference.group,
            subject: &difference.subject,
            message: &difference.message,
            defined: difference.defined.as_ref().map(|defined| defined.text.as_str()),
            file: place.map(|place| sources.file(place.file).path()),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            live: &difference.live,
            why: &difference.why,
            help: &difference.help,
        }
    };
    all.iter().map(one).collect()
}

/// Returns the document that docs/schemas/drift.json describes.
pub fn json(report: &DriftReport<'_>) -> String {
    let mut summary = Summary { hosts: report.hosts.len(), ..Summary::default() };
    let mut hosts = Vec::new();
    for host in report.hosts {
        let mut document = HostDocument {
            host: host.host,
            target: host.target.as_deref(),
            taken: None,
            error: None,
            compared: 0,
            differences: Vec::new(),
            notes: Vec::new(),
            not_compared: &[],
        };
        match &host.result {
            Ok((taken, comparison)) => {
                document.taken = taken.as_deref().filter(|taken| !taken.is_empty());
                document.compared = comparison.compared;
                document.differences = rows(report.sources, &comparison.differences);
                document.notes = rows(report.sources, &comparison.notes);
                document.not_compared = &comparison.not_compared;
                summary.compared += comparison.compared;
                summary.differences += comparison.differences.len();
                summary.notes += comparison.notes.len();
                summary.not_compared += comparison.not_compared.len();
            }
            Err(words) => {
                document.error = words.first().cloned();
                summary.unreachable += 1;
            }
        }
        hosts.push(document);
    }
    let document = Document { version: 1, fleet: report.fleet, hosts, summary };
    pretty_json(&document)
}

/// Returns the comparison in words; notes only for those who want to hear more.
pub fn human(report: &DriftReport<'_>, color: bool, verbosity: Verbosity) -> String {
    let pen = Pen { width: WIDTH, color };
    let mut text = String::new();
    for host in report.hosts {
        match &host.result {
            Ok((_, comparison)) => one(host, comparison, report.sources, pen, verbosity, &mut text),
            Err(words) => {
                let message = words.first().map(String::as_str).unwrap_or_default();
                let level = pen.paint(level_style(Level::Error), "error");
                text.push_str(&format!("{level}: {}: {message}\n", printable(host.host)));
                for help in words.iter().skip(1) {
                    text.push_str(&format!("  = help: {help}\n"));
                }
            }
        }
    }
    text
}

fn one(
    host: &HostDrift<'_>,
    comparison: &Comparison,
    sources: &Sources,
    pen: Pen,
    verbosity: Verbosity,
    text: &mut String,
) {
    let mut group = None;
    let mut heading = |next: &str, text: &mut String| {
        if group.as_deref() != Some(next) {
            text.push_str(&format!("{}\n", pen.paint(EMPHASIS, next)));
            group = Some(next.to_owned());
        }
    };
    for difference in &comparison.differences {
        heading(difference.group.as_str(), text);
        write(difference, sources, pen, text);
    }
    let quiet = verbosity == Verbosity::Quiet;
    if !comparison.notes.is_empty() && verbosity == Verbosity::Verbose {
        heading("notes", text);
        for note in &comparison.notes {
            write(note, sources, pen, text);
        }
    }
    if !comparison.not_compared.is_empty() && !quiet {
        heading("not compared", text);
        for unknown in &comparison.not_compared {
            let line = format!("{}: {}", printable(&unknown.what), printable(&unknown.why));
            paragraph(text, "  ", 4, &line);
        }
    }
    let number = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let notes = match comparison.notes.len() {
        0 => String::new(),
        count if verbosity == Verbosity::Verbose => format!(", {}", number(count, "note", "notes")),
        count => format!(", {} (-v shows them)", number(count, "note", "notes")),
    };
    text.push_str(&format!(
        "{}: {} ({} compared, {} not compared){notes}\n",
        printable(host.host),
        number(comparison.differences.len(), "difference", "differences"),
        comparison.compared,
        comparison.not_compared.len(),
    ));
}

fn write(difference: &Difference, sources: &Sources, pen: Pen, text: &mut String) {
    let Difference { subject, message, defined, live, why, help, .. } = difference;
    paragraph(text, "  ", 4, &format!("{}: {}", printable(subject), printable(message)));
    if let Some(Defined { text: words, place }) = defined {
        let place = place.map_or_else(String::new, |place| {
            let line = sources.position(place).line;
            format!(" ({}:{line})", printable(sources.file(place.file).path()))
        });
        labelled(text, pen, "defined", &format!("{}{place}", printable(words)));
    }
    if !live.is_empty() {
        labelled(text, pen, "live", &printable(live));
    }
    if !why.is_empty() {
        labelled(text, pen, "why", &printable(why));
    }
    for help in help {
        labelled(text, pen, "do", &printable(help));
    }
}

fn labelled(text: &mut String, pen: Pen, label: &str, words: &str) {
    let mut lines = wrap(words, WIDTH - INDENT, WIDTH - INDENT).into_iter();
    let first = lines.next().unwrap_or_default();
    text.push_str(&format!("    {}{first}\n", pen.paint(DIM, &format!("{label:<9}"))));
    for line in lines {
        text.push_str(&format!("{:INDENT$}{line}\n", ""));
    }
}

fn paragraph(text: &mut String, first: &str, rest: usize, words: &str) {
    for (at, line) in wrap(words, WIDTH - first.len(), WIDTH - rest).into_iter().enumerate() {
        let indent = if at == 0 { first.to_owned() } else { " ".repeat(rest) };
        text.push_str(&format!("{indent}{line}\n"));
    }
}
