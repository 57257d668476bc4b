//! From the text of a file to its documents.
//!
//! Here belong: encodings ([`decode`]), where documents begin and end (`split`), JSON (`json`), the YAML that people write (`block`),
//! all of YAML (`events`), files that something has to fill in first (`template`). Not here: what a document means.
//!
//! Invariant: of every file either its documents come back, or a refusal says where and why not; no mistake in one document takes
//! another along, unless the file is a template.

mod block;
mod decode;
mod events;
mod json;
mod keys;
mod reasons;
mod secret;
mod split;
mod template;
#[cfg(test)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;

pub use decode::decode;
pub use secret::may_hold as may_hold_secret;

use super::tree::{Node, Pair, Span, Value};
use crate::source::{Diagnostic, Diagnostics, FileId, Level, Place, Sources};
use keys::{Twice, settle};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<'s> {
    /// The file.
    pub file: FileId,
    /// Its value; the leaves are not numbered yet.
    pub root: Node<'s>,
}

/// A file or document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The first place that does not fit.
    pub place: Place,
    /// Why, without a letter of the file.
    pub reason: String,
    /// What to do.
    pub help: Option<String>,
    /// Whether what stands around the place must not be shown, because it may be a secret.
    pub hides: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read<'s> {
    /// Its documents, in order.
    pub documents: Vec<Document<'s>>,
    /// What could not be read of it.
    pub refused: Vec<Refusal>,
    /// What there is to say about what could be read.
    pub found: Diagnostics,
}

/// How deep lists and mappings nest at most: real manifests stay below fifty, and everything that follows may recurse.
const DEEPEST: usize = 200;

const TOO_DEEP: &str = "lists and mappings are nested more than 200 deep";

/// From this length on it pays to read parts of a text side by side.
const MANY_BYTES: usize = 128 * 1024;

/// The longest text that is tried as YAML after it failed as JSON, in bytes.
const LONGEST_RETRY: usize = 8 * 1024 * 1024;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken {
    at: Span,
    reason: String,
}

impl Broken {
    fn new(at: Span, reason: String) -> Self {
        Self { at, reason }
    }
}

/// What came of one document.
struct Outcome<'s> {
    range: Range<usize>,
    roots: Result<Vec<Node<'s>>, Broken>,
    twice: Vec<Twice>,
}

/// Reads the documents of a file, YAML or JSON.
pub fn read(sources: &Sources, file: FileId) -> Read<'_> {
    let text = sources.file(file).text();
    if u32::try_from(text.len()).is_err() {
        let reason = "the file is larger than 4 GiB".to_owned();
        let refusal = Refusal { place: sources.start(file), reason, help: None, hides: true };
        return Read { refused: vec![refusal], ..Read::default() };
    }
    let outcomes = outcomes(text);
    let fails = outcomes.iter().any(|outcome| outcome.roots.is_err());
    if template::may_be(text) {
        let mark = if fails { template::first(text) } else { template::first_of_helm(text) };
        if let Some(mark) = mark {
            let (reason, help) = template::words(sources.file(file).path(), mark);
            let place = sources.place(file, mark.at, mark.end);
            let refusal = Refusal { place, reason, help: Some(help), hides: secret::may_hold(text) };
            return Read { refused: vec![refusal], ..Read::default() };
        }
    }
    let mut read = Read::default();
    for Outcome { range, roots, twice } in outcomes {
        let part = text.get(range).unwrap_or("");
        let hides = (roots.is_err() || !twice.is_empty()) && secret::may_hold(part);
        match roots {
            Ok(roots) => {
                read.documents.extend(roots.into_iter().map(|root| Document { file, root }));
                read.found.extend(twice.iter().map(|twice| stands_twice(sources, file, twice, hides)));
            }
            Err(Broken { at, reason }) => {
                let place = sources.place(file, at.start as usize, at.end as usize);
                read.refused.push(Refusal { place, reason, help: None, hides });
            }
        }
    }
    read
}

/// Reads a text that stands within another one, such as a patch; none where it cannot be read.
pub fn inline(text: &str) -> Option<Vec<Node<'_>>> {
    let mut all = Vec::new();
    for outcome in outcomes(text) {
        all.extend(outcome.roots.ok()?);
    }
    Some(all)
}

fn stands_twice(sources: &Sources, file: FileId, twice: &Twice, hides: bool) -> Diagnostic {
    let place = |at: Span| sources.place(file, at.start as usize, at.end as usize);
    let message = match hides {
        true => "a key stands twice in one mapping".to_owned(),
        false => format!("`{}` stands twice in one mapping", crate::source::printable(&twice.key)),
    };
    let finding = Diagnostic::new("manifest-duplicate-key", Level::Warning, place(twice.second), message)
        .label("this one counts, as for Kubernetes")
        .related(place(twice.first), "this one is lost")
        .why("what it was meant to set is not set, and nothing says so")
        .help("remove one of the two");
    if hides { finding.hidden() } else { finding }
}

fn outcomes(text: &str) -> Vec<Outcome<'_>> {
    let from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let all = from..text.len();
    if begins_json(text, from) {
        let mut twice = Vec::new();
        match json::stream(text, all.clone(), &mut twice) {
            Ok(roots) => return vec![Outcome { range: all, roots: Ok(roots), twice }],
            Err(wrong) if text.len() > LONGEST_RETRY => {
                return vec![Outcome { range: all, roots: Err(not_json(wrong)), twice: Vec::new() }];
            }
            Err(_) => {}
        }
    }
    let documents = split::documents(text, from);
    if text.len() < MANY_BYTES || documents.len() < 2 {
        return documents.into_iter().map(|range| document(text, range)).collect();
    }
    documents.into_par_iter().map(|range| document(text, range)).collect()
}

fn not_json(wrong: json::Wrong) -> Broken {
    Broken::new(span(wrong.at, wrong.at), wrong.reason.to_owned())
}

fn begins_json(text: &str, from: usize) -> bool {
    text.get(from..).is_some_and(|text| text.trim_ascii_start().starts_with(['{', '[']))
}

/// Reads what stands between two marks.
fn document(text: &str, range: Range<usize>) -> Outcome<'_> {
    let part = text.get(range.clone()).unwrap_or("");
    if let Some(at) = memchr::memchr(0, part.as_bytes()) {
        let at = range.start + at;
        let roots = Err(Broken::new(span(at, at), "a NUL character is no text".to_owned()));
        return Outcome { range, roots, twice: Vec::new() };
    }
    if part.len() >= MANY_BYTES
        && let Some((root, twice)) = long_list(text, &range)
    {
        return Outcome { range, roots: Ok(vec![root]), twice };
    }
    let mut twice = Vec::new();
    let roots = match value(text, &range, &mut twice) {
        Ok(roots) => Ok(roots),
        Err(broken) => {
            twice.clear();
            Err(broken)
        }
    };
    Outcome { range, roots, twice }
}

/// Reads a document as JSON where it looks like it, as the YAML that people write, else as any YAML.
fn value<'s>(text: &'s str, range: &Range<usize>, twice: &mut Vec<Twice>) -> Result<Vec<Node<'s>>, Broken> {
    let mut as_json = None;
    let behind = range.start + if text.get(range.start..).is_some_and(|part| part.starts_with("---")) { 3 } else { 0 };
    if begins_json(text.get(..range.end).unwrap_or(""), behind) {
        match json::stream(text, behind..range.end, twice) {
            Ok(roots) => return Ok(roots),
            Err(wrong) => as_json = Some(not_json(wrong)),
        }
    } else if !text.get(range.clone()).unwrap_or("").contains('\u{feff}')
        && let Ok(root) = block::document(text, range, twice)
    {
        return Ok(root.into_iter().collect());
    }
    if let Some(broken) = &as_json
        && range.len() > LONGEST_RETRY
    {
        return Err(broken.clone());
    }
    events::documents(text, range, twice).map_err(|broken| match as_json {
        // It is JSON with a mistake, where the first key stands in double quotes.
        Some(json) if text.get(behind..).is_some_and(looks_like_json) => json,
        _ => broken,
    })
}

fn looks_like_json(text: &str) -> bool {
    let inside = text.trim_ascii_start().trim_start_matches(['{', '[']);
    inside.trim_ascii_start().starts_with(['"', '{', '['])
}

/// Reads a document that is one long list, as `kubectl get -o yaml` writes it, element by element; none where it is not of that form.
fn long_list<'s>(text: &'s str, range: &Range<usize>) -> Option<(Node<'s>, Vec<Twice>)> {
    if text.get(range.clone())?.contains('\u{feff}') {
        return None;
    }
    let parts = split::parts(text, range)?;
    let mut twice = Vec::new();
    let mapping = |range: &Range<usize>, twice: &mut Vec<Twice>| -> Option<Vec<Pair<'s>>> {
        match block::document(text, range, twice).ok()? {
            Some(Node { value: Value::Mapping(pairs), .. }) => Some(pairs),
            None => Some(Vec::new()),
            _ => None,
        }
    };
    let mut pairs = mapping(&parts.head, &mut twice)?;
    let mut behind = Vec::new();
    let tail = mapping(&parts.tail, &mut behind)?;
    let elements: Vec<_> = parts
        .items
        .into_par_iter()
        .map(|range| {
            let mut twice = Vec::new();
            let mut roots = value(text, &range, &mut twice).ok()?;
            match roots.pop()?.value {
                Value::Sequence(items) if roots.is_empty() => Some((items, twice)),
                _ => None,
            }
        })
        .collect();
    let mut items = Vec::with_capacity(elements.len());
    for element in elements {
        let (mut nodes, mut found) = element?;
        items.append(&mut nodes);
        twice.append(&mut found);
    }
    twice.append(&mut behind);
    let list = pairs.pop().filter(|pair| pair.key == "items")?;
    let at = span(items.first()?.span.start as usize, items.last()?.span.end as usize);
    // The list begins with its first dash.
    let start = list.at.end as usize;
    let dash = start + text.get(start..at.end as usize)?.find('-')?;
    let node = Node::new(Value::Sequence(items), span(dash, at.end as usize));
    pairs.push(Pair { node, ..list });
    pairs.extend(tail);
    let (start, end) = (pairs.first()?.at.start as usize, pairs.last()?.node.span.end as usize);
    let pairs = settle(&mut pairs, 0, &mut twice);
    Some((Node::new(Value::Mapping(pairs), span(start, end)), twice))
}

/// Returns a range of bytes; the file is not longer than 4 GiB.
fn span(start: usize, end: usize) -> Span {
    let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: short(start), end: short(end) }
}
