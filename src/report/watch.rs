//! What looks at hosts came to: for a terminal and a mail, for a webhook, for programs.

use serde::Serialize;
use serde_json::json;

use super::WIDTH;
use super::words::wrap;
use crate::source::pretty_json;
use crate::text::{chat_code, mail_header};
use crate::watch::{Drill, Finding, HostNews, Look, News};

/// How many lines of findings a chat gets.
const CHAT_LINES: usize = 15;

/// How many findings of each kind a webhook gets.
const MOST: usize = 100;

/// A look at several hosts, and what of it is news.
#[derive(Debug, Clone, Copy)]
pub struct WatchReport<'a> {
    /// What is news, host by host.
    pub news: &'a News,
    /// The looks, in the same order.
    pub looks: &'a [Look],
    /// Hosts that were not looked at, with the reason.
    pub left_out: &'a [(String, String)],
}

/// Returns the one line that says it all: the subject of a mail.
pub fn subject(news: &News) -> String {
    let (found, new, resolved) = news.counts();
    let number = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut parts = Vec::new();
    match (found, new) {
        (0, _) => parts.push("nothing found".to_owned()),
        (found, new) => parts.push(format!("{}, {new} new", number(found, "finding", "findings"))),
    }
    if resolved > 0 {
        parts.push(format!("{resolved} resolved"));
    }
    let concerned: Vec<&str> =
        news.hosts.iter().filter(|host| host.is_news()).map(|host| host.host.as_str()).take(5).collect();
    let hosts = if concerned.is_empty() { String::new() } else { format!(" ({})", concerned.join(", ")) };
    format!("{}: {}{hosts}", news.fleet, parts.join(", "))
}

/// Returns the report for people, in lines that a mail can hold.
pub fn human(report: &WatchReport<'_>) -> String {
    let mut text = format!("{}\nlooked {}\n", subject(report.news), report.news.looked);
    for (news, look) in report.news.hosts.iter().zip(report.looks) {
        text.push_str(&format!("\n{}: {}\n", news.host, sum(news)));
        for (heading, findings) in [("new", &news.new), ("known", &news.known), ("resolved", &news.resolved)] {
            if !findings.is_empty() {
                text.push_str(&format!("  {heading}\n"));
            }
            for finding in findings {
                paragraph(&mut text, "    ", &finding.what);
                if heading != "resolved" && !finding.more.is_empty() {
                    paragraph(&mut text, "      ", &finding.more);
                }
            }
        }
        if let Some(drift) = &look.drift {
            paragraph(
                &mut text,
                "  ",
                &format!("drift: {} compared, {} not compared", drift.compared, drift.not_compared),
            );
        }
        if look.error.is_none() {
            paragraph(&mut text, "  ", &format!("drills: {}", drills(&look.drills)));
        }
    }
    for (host, why) in report.left_out {
        text.push_str(&format!("\n{host}: not looked at, {why}\n"));
    }
    text
}

fn sum(news: &HostNews) -> String {
    let parts = [("new", &news.new), ("known", &news.known), ("resolved", &news.resolved)];
    let parts: Vec<String> =
        (parts.iter().filter(|(_, all)| !all.is_empty())).map(|(word, all)| format!("{} {word}", all.len())).collect();
    if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") }
}

/// Returns how drills stand, in a line.
pub(super) fn drills(drills: &[Drill]) -> String {
    if drills.is_empty() {
        return "none are defined".to_owned();
    }
    drills.iter().map(Drill::words).collect::<Vec<_>>().join(", ")
}

fn paragraph(text: &mut String, indent: &str, words: &str) {
    for (at, line) in wrap(words, WIDTH - indent.len(), WIDTH - indent.len() - 2).into_iter().enumerate() {
        text.push_str(&format!("{indent}{}{line}\n", if at == 0 { "" } else { "  " }));
    }
}

/// Returns a mail as `sendmail -t` takes it, headers and body.
pub fn mail(to: &str, subject: &str, body: &str) -> String {
    let mut text = mail_header("To", to);
    text.push_str(&mail_header("Subject", subject));
    for (name, value) in [
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
        // Nobody's holiday notice answers it (RFC 3834).
        ("Auto-Submitted", "auto-generated"),
    ] {
        text.push_str(&mail_header(name, value));
    }
    text.push('\n');
    text.push_str(body);
    text
}

/// Returns the JSON that is posted to a webhook: `text`, which chats show, and beside it the findings as fields.
pub fn payload(news: &News) -> String {
    let lines = |sign: char, all: fn(&HostNews) -> &Vec<Finding>| {
        let of = move |host: &HostNews| -> Vec<String> {
            all(host).iter().map(|finding| format!("{sign} {}: {}", host.host, chat_code(&finding.what))).collect()
        };
        news.hosts.iter().flat_map(of).collect::<Vec<String>>()
    };
    let all = [lines('+', |host| &host.new), lines('-', |host| &host.resolved)].concat();
    let mut text = subject(news);
    for line in all.iter().take(CHAT_LINES) {
        text.push_str(&format!("\n{line}"));
    }
    if all.len() > CHAT_LINES {
        text.push_str(&format!("\n… and {} more", all.len() - CHAT_LINES));
    }
    let rows = |all: fn(&HostNews) -> &Vec<Finding>| {
        let of = move |host: &HostNews| -> Vec<serde_json::Value> {
            let row = |finding: &Finding| json!({ "host": host.host, "what": finding.what, "more": finding.more });
            all(host).iter().map(row).collect()
        };
        news.hosts.iter().flat_map(of).take(MOST).collect::<Vec<_>>()
    };
    let (found, new, resolved) = news.counts();
    json!({
        "text": text,
        "fleet": news.fleet,
        "looked": news.looked,
        "findings": found,
        "new": new,
        "resolved": resolved,
        "new_findings": rows(|host| &host.new),
        "resolved_findings": rows(|host| &host.resolved),
    })
    .to_string()
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    fleet: &'a str,
    looked: &'a str,
    hosts: Vec<HostDocument<'a>>,
    left_out: Vec<serde_json::Value>,
    summary: serde_json::Value,
}

#[derive(Serialize)]
struct HostDocument<'a> {
    host: &'a str,
    error: &'a Option<String>,
    drift: &'a Option<crate::watch::Drifted>,
    drills: &'a [Drill],
    new: &'a [Finding],
    known: &'a [Finding],
    resolved: &'a [Finding],
}

/// Returns the document that docs/schemas/watch.json describes. `unsent` is how many reports wait to be taken.
pub fn json(report: &WatchReport<'_>, unsent: usize) -> String {
    let (found, new, resolved) = report.news.counts();
    let hosts = report.news.hosts.iter().zip(report.looks).map(|(news, look)| HostDocument {
        host: &news.host,
        error: &look.error,
        drift: &look.drift,
        drills: &look.drills,
        new: &news.new,
        known: &news.known,
        resolved: &news.resolved,
    });
    let document = Document {
        version: 1,
        fleet: &report.news.fleet,
        looked: &report.news.looked,
        hosts: hosts.collect(),
        left_out: report.left_out.iter().map(|(host, why)| json!({ "host": host, "why": why })).collect(),
        summary: json!({ "findings": found, "new": new, "resolved": resolved, "unsent": unsent }),
    };
    pretty_json(&document)
}
