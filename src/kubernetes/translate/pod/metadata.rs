//! Names, labels and selectors of a pod.

use super::Workload;
use crate::kubernetes::context::Cx;
use crate::kubernetes::tree::Node;

/// Settles the name of the workload, its selector, and what the pod's metadata means for the definition.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let tree = workload.object.tree();
    if let Some(name) = tree.at(&["metadata", "name"]) {
        cx.books.translated(name, format!("services.{}", workload.service));
    }
    let labels = workload.metadata.and_then(|metadata| metadata.get("labels"));
    if let Some(selector) = tree.at(&["spec", "selector"]).filter(|selector| !selector.is_null()) {
        self::selector(cx, workload, selector, labels);
    }
    // A bare pod's labels are those of the object itself.
    if let Some(labels) = labels {
        cx.books.replaced(labels, "what selects the pod by them leads to its service");
    }
    if workload.metadata.is_some_and(|metadata| !std::ptr::eq(metadata, tree.get("metadata").unwrap_or(tree))) {
        for key in ["name", "namespace", "generateName"] {
            if let Some(node) = workload.metadata.and_then(|metadata| metadata.get(key)) {
                cx.books.dropped(node, "pods get their names from the workload");
            }
        }
    }
    for pair in workload.metadata.map_or(&[][..], |metadata| metadata.map("annotations")) {
        let is_checksum = pair.key.starts_with("checksum/")
            || pair.key.starts_with("checksum.")
            || pair.key.ends_with("/restartedAt")
            || pair.key.contains("checksum");
        if is_checksum {
            cx.books
                .dropped(&pair.node, "it makes a cluster start new pods; a changed definition starts its service anew");
        }
    }
}

/// Settles the selector of a workload, which has to match the labels of its own pods.
fn selector<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    selector: &'w Node<'s>,
    labels: Option<&'w Node<'s>>,
) {
    // ReplicationControllers select by labels alone.
    let wanted = match (selector.get("matchLabels"), selector.get("matchExpressions")) {
        (Some(labels), _) => labels.pairs(),
        (None, None) => selector.pairs(),
        (None, Some(_)) => &[],
    };
    let of_pod = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Node::text);
    let fits = wanted.iter().all(|pair| pair.node.text().is_some() && of_pod(&pair.key) == pair.node.text());
    if fits {
        cx.books.replaced(selector, "the service is the workload's own");
    } else {
        let text = "it does not select its own pods, which a cluster refuses: are these the labels that ran?";
        cx.ask(workload.object, selector, "selector", text, false);
    }
}
