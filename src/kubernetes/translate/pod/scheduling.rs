//! Where a pod runs, and what it shares with its node or with Kubernetes itself.

use super::Workload;
use crate::kubernetes::context::Cx;
use crate::kubernetes::tree::{Node, Pair};

const ONE_HOST: &str = "there is one host, on which everything runs";

const PLACED: &str = "the host that it was given, as the placement says";

/// Settles nodeSelector, affinity, tolerations, runtimeClassName, the namespaces of the node, and the account at Kubernetes' API.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let spec = workload.spec;
    for pair in spec.map("nodeSelector") {
        label(cx, workload, &pair.key, &pair.node, &pair.node);
    }
    if let Some(affinity) = spec.get("affinity") {
        let required = ["nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
        let terms = affinity.at(&required).map_or(&[][..], Node::items);
        for expression in
            terms.iter().flat_map(|term| term.list("matchExpressions").iter().chain(term.list("matchFields")))
        {
            let key = expression.str_at("key").unwrap_or("");
            let excludes = ["NotIn", "DoesNotExist"].contains(&expression.str_at("operator").unwrap_or(""));
            if excludes {
                cx.books.dropped(expression, one_host(cx));
            } else {
                let value = expression.list("values").first().unwrap_or(expression);
                label(cx, workload, key, value, expression);
            }
        }
        cx.books.dropped(affinity, one_host(cx));
    }
    for key in ["tolerations", "topologySpreadConstraints", "nodeName"] {
        if let Some(node) = spec.get(key) {
            cx.books.dropped(node, one_host(cx));
        }
    }
    if let Some(node) = spec.get("runtimeClassName").filter(|node| !node.is_null()) {
        let text = match node.text() {
            Some("nvidia") => {
                "it needs an Nvidia card: does the host have one, with `hardware.nvidia-container-toolkit`?".to_owned()
            }
            _ => "it runs under another runtime than usual: what does it need of that?".to_owned(),
        };
        cx.ask(workload.object, node, "runtimeClassName", text, true);
    }
    for (key, text) in [
        ("hostPID", "it sees the processes of its node: what does it watch there?"),
        ("hostIPC", "it shares memory with programs of its node: with which?"),
        ("shareProcessNamespace", "its containers see each other's processes: which one needs that, and what for?"),
    ] {
        let Some(node) = spec.get(key) else { continue };
        if node.bool() == Some(true) {
            cx.ask(workload.object, node, key, text, false);
        } else {
            cx.books.dropped(node, "this is the default");
        }
    }
    account(cx, workload);
}

/// Tells whether a label says where a node is, or what it is for, and nothing of its hardware.
pub(in crate::kubernetes) fn is_place_label(key: &str) -> bool {
    key.starts_with("node-role.kubernetes.io/")
        || key.starts_with("topology.kubernetes.io/")
        || key.starts_with("failure-domain.beta.kubernetes.io/")
        || ["kubernetes.io/hostname", "metadata.name", "kubernetes.io/os", "beta.kubernetes.io/os"].contains(&key)
}

/// Returns why nothing of where a pod may run is left.
fn one_host(cx: &Cx<'_, '_>) -> &'static str {
    if cx.target.spread.is_several() { PLACED } else { ONE_HOST }
}

/// Settles a label that a node has to have: what stands for a place is dropped, what stands for hardware is asked.
fn label<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, key: &str, value: &'w Node<'s>, node: &'w Node<'s>) {
    if is_place_label(key) {
        return cx.books.dropped(node, one_host(cx));
    }
    if cx.target.spread.is_several() {
        return cx.books.replaced(node, PLACED);
    }
    let text = match key {
        "kubernetes.io/arch" | "beta.kubernetes.io/arch" => {
            format!("it runs on machines of the kind `{}` alone: is the host one?", value.text().unwrap_or("?"))
        }
        _ => format!(
            "it wants a node with the label `{key}`: which hardware or property does that stand for, and does the host have it?"
        ),
    };
    cx.ask(workload.object, node, &format!("node.{key}"), text, false);
}

/// Settles the account at Kubernetes' API: a program that has rights there may need the API.
fn account<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    for key in ["serviceAccountName", "serviceAccount"] {
        let Some(node) = workload.spec.get(key).filter(|node| !node.is_null()) else { continue };
        let name = node.text().unwrap_or("");
        if has_rights(cx, workload.object.namespace(), name) {
            let text = format!(
                "its account {name} has rights at Kubernetes' API: what does it do there, and does it work without a cluster?"
            );
            cx.ask(workload.object, node, "serviceAccountName", text, false);
        } else {
            cx.books.dropped(node, "an account at Kubernetes' API, without rights there that the input shows");
        }
    }
    if let Some(node) = workload.spec.get("automountServiceAccountToken") {
        cx.books.dropped(node, "there is no API of Kubernetes to show a token to");
    }
}

/// Tells whether an object of the input gives an account rights.
fn has_rights(cx: &Cx<'_, '_>, namespace: &str, account: &str) -> bool {
    let subject = |pair: &Pair<'_>| pair.key == "subjects";
    let bindings = cx.world.of_kind("RoleBinding").chain(cx.world.of_kind("ClusterRoleBinding"));
    let mut subjects = bindings.flat_map(|binding| {
        let own = binding.own_namespace();
        let list = binding.tree().pairs().iter().filter(move |pair| subject(pair));
        list.flat_map(|pair| pair.node.items()).map(move |node| (own, node))
    });
    subjects.any(|(own, node)| {
        node.str_at("kind") == Some("ServiceAccount")
            && node.str_at("name") == Some(account)
            && node.str_at("namespace").or(own).unwrap_or("default") == namespace
    })
}
