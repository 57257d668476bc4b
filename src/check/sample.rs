//! Fleets for the tests of this folder: a few files, the rest from the scaffold of the examples.

#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::collections::BTreeMap;

use super::{SCAFFOLD, check_files};
use crate::facts::Facts;
use crate::source::FleetFiles;

/// Returns what is reported for these files, a line a finding: `LEVEL PATH:LINE:COLUMN RULE: MESSAGE` with `allowed` before
/// what is allowed, then `unchecked RULE: WHY`; of some hosts only where they are named.
pub(crate) fn reported(files: &[(&str, &str)], wanted: &[&str]) -> Vec<String> {
    reported_on("2026-11-21", files, wanted)
}

/// The same on another day.
pub(super) fn reported_on(today: &str, files: &[(&str, &str)], wanted: &[&str]) -> Vec<String> {
    let mut all: BTreeMap<&str, &str> = SCAFFOLD.iter().copied().collect();
    all.extend(files.iter().copied());
    let mut files = FleetFiles::in_memory(all);
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let today = today.parse().unwrap();
    check_files(&mut files, &Facts::embedded(), &wanted, today, |_, outcome, sources| {
        let mut lines = Vec::new();
        for finding in &outcome.checked.findings {
            let place = finding.primary.place;
            let (position, path) = (sources.position(place), sources.file(place.file).path());
            let allowed = if finding.allowed.is_some() { "allowed " } else { "" };
            let (level, rule) = (finding.level.as_str(), finding.rule);
            let (line, column, message) = (position.line, position.column, &finding.message);
            lines.push(format!("{allowed}{level} {path}:{line}:{column} {rule}: {message}"));
        }
        for one in &outcome.checked.unchecked {
            lines.push(format!("unchecked {}: {}", one.rule, one.why));
        }
        lines
    })
}

/// Returns what one rule says of a host.toml: `LEVEL: MESSAGE`, or `unchecked: WHY`.
pub(super) fn said(rule: &str, host: &str) -> Vec<String> {
    said_of(rule, &[("hosts/a/host.toml", host)])
}

/// Returns what one rule says of these files.
pub(super) fn said_of<T: AsRef<str>>(rule: &str, files: &[(&str, T)]) -> Vec<String> {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_ref())).collect();
    let lines = reported(&files, &[]);
    // A definition that cannot be read is not checked: every rule would be silent about it.
    let unread = super::rules::all().filter(|rule| rule.group == super::Group::Input);
    let unread: Vec<String> = unread.map(|rule| format!(" {}: ", rule.id)).collect();
    assert!(!lines.iter().any(|line| unread.iter().any(|rule| line.contains(rule))), "{lines:#?}");
    let of_rule = |line: &String| {
        let (head, message) = line.split_once(&format!(" {rule}: "))?;
        // Before the message stand `LEVEL PATH:LINE:COLUMN`, or `unchecked` alone.
        Some(format!("{}: {message}", head.split(' ').next().unwrap_or(head)))
    };
    lines.iter().filter_map(of_rule).collect()
}
