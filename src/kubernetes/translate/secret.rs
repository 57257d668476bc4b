//! Secrets: a list of what to fill in. No value is ever read.

use std::collections::BTreeSet;

use super::{Stage, Translator};
use crate::kubernetes::context::{Cx, Use};
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;
use crate::kubernetes::world::World;

pub(super) static SECRET: Translator = Translator { kind: "Secret", groups: &[""], stage: Stage::Storage, run };

/// Keys that are listed by name in a question.
const LISTED: usize = 12;

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let tree = object.tree();
    let kind = tree.get("type").and_then(Node::text).unwrap_or("Opaque");
    let reason = match kind {
        "helm.sh/release.v1" | "helm.sh/release.v2" => {
            Some("Helm keeps its releases here: generations of the host take their place")
        }
        "kubernetes.io/service-account-token" => Some("it opens the API of the cluster, which the host does not have"),
        "bootstrap.kubernetes.io/token" => Some("it lets nodes join the cluster, which the host is no part of"),
        _ if object.name().starts_with("sh.helm.release.v1.") => {
            Some("Helm keeps its releases here: generations of the host take their place")
        }
        _ => None,
    };
    if let Some(reason) = reason {
        for key in ["data", "stringData", "type", "immutable"] {
            if let Some(node) = tree.get(key) {
                cx.books.dropped(node, reason);
            }
        }
        return;
    }
    if let Some(kind_node) = tree.get("type") {
        cx.books.replaced(kind_node, "secrets.items");
    }
    if let Some(immutable) = tree.get("immutable") {
        cx.books.dropped(immutable, "a secret of the host changes when its file does");
    }
    let uses = cx.uses.get(&object.id).cloned().unwrap_or_default();
    let keys: Vec<&str> =
        ["data", "stringData"].iter().flat_map(|part| tree.map(part)).map(|pair| pair.key.as_ref()).collect();
    if keys.is_empty() {
        return;
    }
    let what = match kind {
        "kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg" => "the login of a registry".to_owned(),
        "kubernetes.io/tls" => "a certificate with its key".to_owned(),
        _ => listed(&keys),
    };
    let question = match services(&uses) {
        Some(services) => format!("fill in what {services} gets of the Secret `{}`, which holds {what}", object.name()),
        None => format!("no workload of the input uses the Secret `{}` ({what}): is it still needed?", object.name()),
    };
    for part in ["data", "stringData"] {
        if let Some(node) = tree.get(part).filter(|node| !cx.books.is_settled(node)) {
            cx.ask(object, node, "keys", question.clone(), !uses.is_empty());
        }
    }
}

/// Returns the services that use an object, as words.
fn services(uses: &BTreeSet<Use>) -> Option<String> {
    let names: BTreeSet<&str> = uses.iter().map(|used| used.service.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn listed(keys: &[&str]) -> String {
    let shown: Vec<String> = keys.iter().take(LISTED).map(|key| format!("`{key}`")).collect();
    match keys.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns the certificate that cert-manager keeps in a Secret.
pub(in crate::kubernetes) fn certificate<'w, 's>(
    world: &'w World<'s>,
    namespace: &str,
    secret: &str,
) -> Option<&'w Object<'s>> {
    world.of_kind("Certificate").find(|object| {
        object.namespace() == namespace
            && object.tree().at(&["spec", "secretName"]).and_then(Node::text) == Some(secret)
    })
}
