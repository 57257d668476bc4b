//! The answer to `kubectl get KIND -A -o json`: a list whose objects are looked at before anything else reads them.
//!
//! Values of Secrets are taken out, and objects that no cluster would hold are left out. All else stays letter by letter.

use super::super::read::read_text;
use super::super::tree::{Node, Span, Value};
use super::unread::Unread;
use crate::fleet::schema::migration::is_object_name;

/// What stands in place of a Secret's value.
pub const NOT_READ: &str = "<not read>";

/// The annotation in which kubectl keeps a copy of what was applied.
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The group whose names may hold more than others'; none of its objects becomes anything.
const LOOSE: &str = "rbac.authorization.k8s.io";

/// An answer that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The list.
    pub text: String,
    /// How many objects it holds.
    pub count: usize,
    /// The names of the objects, where they are nodes.
    pub nodes: Vec<String>,
    /// What was left out.
    pub unread: Vec<Unread>,
}

/// Reads the answer for a kind. The error is why nothing of it can be used.
pub fn answer(resource: &str, text: String) -> Result<Answer, String> {
    let mut unread = Vec::new();
    let (mut cuts, mut good, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    let range = {
        let root = read_text(&text).ok_or("the answer is cut off, or no JSON")?;
        let is_list = root.str_at("kind").is_some_and(|kind| kind.ends_with("List"));
        let items = root.get("items").filter(|items| is_list && matches!(items.value, Value::Sequence(_)));
        let items = items.ok_or("the answer is no list of objects")?;
        for item in items.items() {
            match strange(resource, item) {
                Some(what) => unread.push(Unread::of(resource, what)),
                None => {
                    good.push(item.span);
                    secrets(item, &mut cuts);
                    if resource == "nodes" {
                        nodes.extend(item.at(&["metadata", "name"]).and_then(Node::text).map(str::to_owned));
                    }
                }
            }
        }
        let all = items.items();
        all.first().zip(all.last()).map(|(first, last)| Span { start: first.span.start, end: last.span.end })
    };
    let count = good.len();
    let text = match range {
        Some(range) if !unread.is_empty() => only(&text, range, &good, &cuts),
        _ if cuts.is_empty() => text,
        _ => without(&text, Span { start: 0, end: u32::MAX }, &cuts),
    };
    Ok(Answer { text, count, nodes, unread })
}

/// Returns why an object is none that a cluster would hold. What it is called is not repeated.
fn strange(resource: &str, item: &Node<'_>) -> Option<&'static str> {
    let word = |route: &[&str]| item.at(route).map_or(Some(""), Node::str);
    let (kind, version) = (word(&["kind"])?, word(&["apiVersion"]).unwrap_or(""));
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !is_word(kind, "") || !is_word(version, "./-") {
        return Some("an object of the answer does not say what it is, and is left out");
    }
    let name = item.at(&["metadata", "name"]).and_then(Node::text).unwrap_or("");
    let loose = resource.split_once('.').is_some_and(|(_, group)| group == LOOSE);
    let is_name = match loose {
        true => !name.is_empty() && !name.contains(|c: char| c.is_control() || "/%".contains(c)),
        false => is_object_name(name),
    };
    let namespace = item.at(&["metadata", "namespace"]).and_then(Node::text).unwrap_or("");
    let is_namespace = namespace.is_empty() || is_object_name(namespace);
    (!is_name || !is_namespace).then_some("an object has a name that no cluster would take, and is left out")
}

/// Notes the values of a Secret.
fn secrets(item: &Node<'_>, cuts: &mut Vec<Span>) {
    if item.str_at("kind") != Some("Secret") {
        return;
    }
    for pair in ["data", "stringData"].iter().flat_map(|key| item.map(key)) {
        pair.node.each_leaf(&mut |_, leaf| cuts.push(leaf.span));
    }
    if let Some(copy) = item.at(&["metadata", "annotations", COPY]) {
        cuts.push(copy.span);
    }
}

/// Returns the text of a range with other words in place of some values.
fn without(text: &str, range: Span, cuts: &[Span]) -> String {
    let end = text.len().min(range.end as usize);
    let mut at = range.start as usize;
    let mut out = String::with_capacity(end.saturating_sub(at));
    for cut in cuts.iter().filter(|cut| cut.start >= range.start && cut.end as usize <= end) {
        out.push_str(text.get(at..cut.start as usize).unwrap_or(""));
        out.push_str(&format!("\"{NOT_READ}\""));
        at = cut.end as usize;
    }
    out.push_str(text.get(at..end).unwrap_or(""));
    out
}

/// Returns a list with some of its objects only.
fn only(text: &str, range: Span, good: &[Span], cuts: &[Span]) -> String {
    let objects: Vec<String> = good.iter().map(|span| without(text, *span, cuts)).collect();
    let (start, end) = (range.start as usize, range.end as usize);
    format!("{}{}{}", text.get(..start).unwrap_or(""), objects.join(",\n        "), text.get(end..).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &str) -> String {
        format!(
            "{{\"apiVersion\": \"v1\", \"items\": [{items}], \"kind\": \"List\", \"metadata\": {{\"resourceVersion\": \"\"}}}}"
        )
    }

    #[test]
    fn no_value_of_a_secret_stays_and_its_keys_do() {
        let text = list(
            r#"{"apiVersion": "v1", "data": {"password": "c2VjcmV0", "user": "Z2l0"}, "kind": "Secret", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"c2VjcmV0\"}}", "keep": "it"}, "name": "db", "namespace": "git"}, "type": "Opaque"}"#,
        );
        let answer = answer("secrets", text.clone()).unwrap();
        assert!(!answer.text.contains("c2VjcmV0") && !answer.text.contains("Z2l0"), "{}", answer.text);
        assert!(answer.text.contains(r#""data": {"password": "<not read>", "user": "<not read>"}"#), "{}", answer.text);
        assert!(answer.text.contains(r#""keep": "it""#), "{}", answer.text);
        assert_eq!((answer.count, answer.unread.len()), (1, 0));
    }

    #[test]
    fn what_is_no_secret_stays_letter_by_letter() {
        let text = list(
            r#"{"apiVersion": "v1", "data": {"a": "b"}, "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}"#,
        );
        assert_eq!(answer("configmaps", text.clone()).unwrap().text, text);
    }

    #[test]
    fn names_that_no_cluster_takes_are_left_out_and_not_repeated() {
        let good = r#"{"apiVersion": "v1", "kind": "Secret", "data": {"a": "b"}, "metadata": {"name": "good", "namespace": "x"}}"#;
        for bad in [
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a;reboot", "namespace": "x"}}"#,
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "$(id)"}}"#,
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "-rf", "namespace": "x"}}"#,
            r#"{"apiVersion": "v1", "kind": "Pod`id`", "metadata": {"name": "a", "namespace": "x"}}"#,
            r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7, "namespace": "x y"}}"#,
            "null",
        ] {
            for items in [format!("{good}, {bad}"), format!("{bad}, {good}"), format!("{good}, {bad}, {good}")] {
                let answer = answer("pods", list(&items)).unwrap();
                assert_eq!(answer.unread.len(), 1, "{bad}");
                let root = read_text(&answer.text).unwrap();
                assert_eq!(root.list("items").len(), answer.count, "{}", answer.text);
                assert!(answer.text.contains("<not read>") && !answer.text.contains("\"b\""), "{}", answer.text);
                assert!(!answer.text.contains("reboot") && !answer.unread[0].reason.contains("reboot"));
            }
        }
    }

    #[test]
    fn roles_may_have_the_names_that_only_they_may_have() {
        let role = r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:node"}}"#;
        assert_eq!(answer("clusterroles.rbac.authorization.k8s.io", list(role)).unwrap().count, 1);
        assert_eq!(answer("pods", list(role)).unwrap().count, 0);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let whole = list(r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}"#);
        assert_eq!(answer("nodes", whole.clone()).unwrap().nodes, ["n"]);
        for end in 0..whole.len() {
            let part = whole.get(..end).unwrap_or_default();
            assert!(answer("nodes", part.to_owned()).is_err(), "{part}");
        }
        assert!(answer("nodes", "{\"kind\": \"Status\", \"apiVersion\": \"v1\"}".to_owned()).is_err());
    }
}
