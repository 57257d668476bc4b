//! Versions of Kubernetes' APIs that are gone: `facts/kubernetes/api-versions.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::source::{Diagnostics, Node, Sources, parse_toml};

const TEXT: &str = include_str!("../../facts/kubernetes/api-versions.toml");

/// By version and kind.
static REMOVED: LazyLock<BTreeMap<(String, String), RemovedApi>> = LazyLock::new(|| read(TEXT));

/// A version of an API that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedApi {
    /// The release of Kubernetes that removed it: `1.22`.
    pub release: String,
    /// The version that serves the kind since; empty where none does.
    pub instead: String,
}

/// Returns when a version of an API was removed for a kind; none where current Kubernetes has it, or never had.
pub fn removed_api(api_version: &str, kind: &str) -> Option<&'static RemovedApi> {
    REMOVED.get(&(api_version.to_owned(), kind.to_owned()))
}

fn read(text: &str) -> BTreeMap<(String, String), RemovedApi> {
    let mut sources = Sources::default();
    let file = sources.add("facts/kubernetes/api-versions.toml", text);
    let tree = parse_toml(&sources, file, &mut Diagnostics::new());
    let mut all = BTreeMap::new();
    for entry in tree.at(&["removed"]).and_then(Node::as_list).into_iter().flatten() {
        let word = |key: &str| entry.node.at(&[key]).and_then(Node::as_str).unwrap_or("").to_owned();
        let kinds = entry.node.at(&["kinds"]).and_then(Node::as_list).into_iter().flatten();
        for kind in kinds.filter_map(|kind| kind.node.as_str()) {
            let removed = RemovedApi { release: word("release"), instead: word("instead") };
            all.insert((word("api"), kind.to_owned()), removed);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_names_a_release() {
        let kinds: usize =
            TEXT.lines().filter(|line| line.starts_with("kinds")).map(|line| line.matches('"').count() / 2).sum();
        assert_eq!(REMOVED.len(), kinds, "a version and kind stands twice");
        for ((api, kind), removed) in REMOVED.iter() {
            let minor = removed.release.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
            assert!(minor.is_some_and(|minor| (16..=99).contains(&minor)), "{api} {kind}");
            assert!(removed_api(&removed.instead, kind).is_none(), "{api} {kind} leads to what is gone as well");
        }
    }

    #[test]
    fn what_current_kubernetes_has_is_not_removed() {
        assert_eq!(removed_api("extensions/v1beta1", "Ingress").map(|api| api.release.as_str()), Some("1.22"));
        assert_eq!(removed_api("networking.k8s.io/v1", "Ingress"), None);
        assert_eq!(removed_api("policy/v1beta1", "PodSecurityPolicy").map(|api| api.instead.as_str()), Some(""));
    }
}
