//! What of a cluster was not read: a file beside what was, so that whoever reads those later knows what is missing.
//!
//! A plan deletes nothing of a cluster that it does not know whole.

use super::super::load::LOST;
use super::super::read::Refusal;
use super::super::tree::Node;
use crate::source::{FileId, Sources};

/// Something that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unread {
    /// The kind, as `deployments.apps`.
    pub resource: String,
    /// The object, as `namespace/name`, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Why, in words.
    pub reason: String,
}

impl Unread {
    /// Returns what is missing of a kind.
    pub fn of(resource: &str, reason: impl Into<String>) -> Self {
        Self { resource: resource.to_owned(), object: None, reason: reason.into() }
    }
}

/// What a live read says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    api_version: &'static str,
    kind: &'static str,
    /// The context of kubectl.
    pub context: String,
    /// The files that were written beside it.
    pub files: Vec<String>,
    /// What is missing.
    pub items: Vec<Unread>,
}

/// The name of the file.
pub const FILE: &str = "unread.json";

const API_VERSION: &str = "hostwright/v1";
const KIND: &str = "Unread";

impl Saved {
    /// Returns what a read of a context came to.
    pub fn new(context: &str, files: Vec<String>, items: Vec<Unread>) -> Self {
        Self { api_version: API_VERSION, kind: KIND, context: context.to_owned(), files, items }
    }

    /// Returns it as the text of its file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns the files that an earlier read wrote, as its text says; none where it is none. Only names are returned, never paths.
    pub fn files_of(text: &str) -> Option<Vec<String>> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
        let is_it = word("apiVersion") == Some(API_VERSION) && word("kind") == Some(KIND);
        let files = value.get("files").and_then(serde_json::Value::as_array).filter(|_| is_it)?;
        let is_name = |name: &&str| {
            name.strip_suffix(".json").is_some_and(|stem| !stem.is_empty()) && !name.contains(['/', '\\'])
        };
        Some(files.iter().filter_map(serde_json::Value::as_str).filter(is_name).map(str::to_owned).collect())
    }
}

/// Returns what a document says was not read; none where it is no such document.
pub(in crate::kubernetes) fn refusals(sources: &Sources, file: FileId, root: &Node<'_>) -> Option<Vec<Refusal>> {
    let is_it = root.str_at("apiVersion") == Some(API_VERSION) && root.str_at("kind") == Some(KIND);
    let of = |item: &Node<'_>| {
        let resource = item.str_at("resource").unwrap_or("something");
        let why = item.str_at("reason").unwrap_or("nobody says why");
        let what = match item.str_at("object") {
            Some(object) => format!("`{object}` of `{resource}`"),
            None => format!("`{resource}`"),
        };
        Refusal {
            place: sources.place(file, item.span.start as usize, item.span.end as usize),
            reason: format!("{LOST}{what}: {why}"),
            help: None,
            hides: true,
        }
    };
    is_it.then(|| root.list("items").iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::load;

    #[test]
    fn what_was_not_read_is_refused_where_it_is_read_again() {
        let mut item = Unread::of("secrets", "forbidden: no");
        item.object = Some("git/db".to_owned());
        let items = vec![Unread::of("pods", "the answer is cut off"), item];
        let text = Saved::new("home", vec!["nodes.json".to_owned()], items).to_text();
        let mut sources = Sources::default();
        let file = sources.add("k8s/unread.json", text.clone());
        let loaded = load::load(&sources, &[file]);
        assert!(loaded.world.objects().is_empty());
        let refused: Vec<String> =
            loaded.refused().into_iter().map(|entry| format!("{} {}", entry.line, entry.reason)).collect();
        assert_eq!(
            refused,
            [
                "9 not read from the cluster: `pods`: the answer is cut off",
                "13 not read from the cluster: `git/db` of `secrets`: forbidden: no"
            ]
        );
        assert_eq!(Saved::files_of(&text), Some(vec!["nodes.json".to_owned()]));
    }

    #[test]
    fn only_files_beside_it_are_its_own() {
        let text = Saved::new("a", vec!["../x.json".to_owned(), "b.toml".to_owned(), "c.json".to_owned()], Vec::new())
            .to_text();
        assert_eq!(Saved::files_of(&text), Some(vec!["c.json".to_owned()]));
        assert_eq!(Saved::files_of("{\"files\": [\"c.json\"]}"), None);
    }
}
