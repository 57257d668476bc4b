//! A finding as plain lines, for formats that carry text and nothing else.

use super::{from_root, ways_out};
use crate::source::{Allowed, Diagnostic, Place, Sources, printable};

/// Returns `path:line:column` of a place, the path from the repository's root with the fleet in `folder`.
pub(super) fn at(place: Place, sources: &Sources, folder: &str) -> String {
    let position = sources.position(place);
    let path = from_root(folder, sources.file(place.file).path());
    format!("{}:{}:{}", printable(&path), position.line, position.column)
}

/// Returns what follows a finding's message: labels, why, ways out, and why it is allowed.
pub(super) fn details(finding: &Diagnostic, sources: &Sources, folder: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if !finding.primary.message.is_empty() {
        lines.push(format!("here: {}", printable(&finding.primary.message)));
    }
    for label in &finding.related {
        lines.push(format!("{}: {}", at(label.place, sources, folder), printable(&label.message)));
    }
    lines.extend(finding.why.as_ref().map(|why| format!("why: {}", printable(why))));
    lines.extend(ways_out(&finding.help).map(|help| format!("help: {}", printable(&help))));
    lines.extend(finding.allowed.as_ref().map(|allowed| format!("allowed: {}", printable(&excuse(allowed)))));
    lines
}

/// Returns why and until when a finding is allowed.
pub(super) fn excuse(allowed: &Allowed) -> String {
    match &allowed.until {
        Some(until) => format!("{} (until {until})", allowed.reason),
        None => allowed.reason.clone(),
    }
}
