//! ConfigMaps: what workloads read of them is translated with the workloads; here is the rest.

use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

pub(super) static CONFIG_MAP: Translator = Translator { kind: "ConfigMap", groups: &[""], stage: Stage::Storage, run };

/// Labels by which a sidecar finds ConfigMaps that no pod names.
const FOUND_BY_LABEL: &[(&str, &str)] = &[
    ("grafana_dashboard", "Grafana shows it as a dashboard"),
    ("grafana_datasource", "Grafana has it as a data source"),
    ("grafana_alert", "Grafana has it as an alert"),
    ("prometheus_rule", "Prometheus reads it as rules"),
];

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let tree = object.tree();
    if object.name() == "kube-root-ca.crt" {
        cx.books.dropped(tree, "the cluster puts the certificate of its API into every namespace");
        return;
    }
    let leader = "control-plane.alpha.kubernetes.io/leader";
    if object.annotation(leader).is_some() {
        cx.books.dropped(tree, "programs of the cluster agree here on which of them leads");
        return;
    }
    let label = FOUND_BY_LABEL.iter().find(|(label, _)| object.label(label).is_some());
    let is_used = cx.uses.contains_key(&object.id);
    for part in ["data", "binaryData"] {
        for pair in tree.map(part) {
            if cx.books.is_settled(&pair.node) {
                continue;
            }
            if let Some((label, what)) = label {
                let text =
                    format!("by its label {label} {what}: should it on the host? Then it has to be provisioned there");
                cx.ask(object, &pair.node, "found-by-label", text, false);
            } else if is_used {
                cx.books.dropped(&pair.node, "no workload of the input reads this key");
            } else {
                cx.books.dropped(&pair.node, "no workload of the input uses this ConfigMap");
            }
        }
        if let Some(node) = tree.get(part).filter(|node| node.is_leaf()) {
            cx.books.dropped(node, "it is empty");
        }
    }
    if let Some(immutable) = tree.get("immutable") {
        cx.books.dropped(immutable, "files of the host change with its definition only");
    }
}
