//! PersistentVolumeClaims: what workloads keep.

use super::{Stage, Translator};
use crate::kubernetes::claims::{Claim, Key, bytes, of_claim};
use crate::kubernetes::context::Cx;
use crate::kubernetes::ledger::Disposition;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;
use crate::units::Size;

pub(super) static PERSISTENT_VOLUME_CLAIM: Translator =
    Translator { kind: "PersistentVolumeClaim", groups: &[""], stage: Stage::Storage, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let key = (object.namespace().to_owned(), object.name().to_owned());
    let (is_used, left) = cx.claim(&key).map_or((false, None), |claim| (!claim.users.is_empty(), claim.left.clone()));
    let Some(spec) = object.tree().get("spec") else { return };
    if let Some(reason) = left {
        cx.books.dropped(spec, reason);
        return;
    }
    if !is_used {
        match cx.claims.set_of_replica(&key).and_then(|set| cx.world.object(set)) {
            Some(set) => {
                let text = format!(
                    "it belongs to a further replica of the StatefulSet {}: whether the data of the first is enough is a question of \
                     its own",
                    set.name()
                );
                cx.books.needs_you(spec, text);
            }
            None => {
                let text = "no workload of the input mounts this claim: does it hold data that has to come along, and for whom?";
                cx.ask(object, spec, "unused", text, false);
            }
        }
        return;
    }
    settle(cx, object, object.tree(), &key);
}

/// Settles a claim that somebody mounts: an object, or a template of a StatefulSet.
pub(in crate::kubernetes) fn settle<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    claim: &'w Node<'s>,
    key: &Key,
) {
    let Some(spec) = claim.get("spec") else { return };
    if spec.str_at("volumeMode") == Some("Block") {
        let text = "the claim is a device without a file system: which zvol or partition of the host takes its place?";
        cx.ask(object, spec, &format!("block-{}", key.1), text, true);
        return;
    }
    let to = cx.claim_goes_to(key);
    if let Some(request) = spec.at(&["resources", "requests", "storage"]) {
        size(cx, object, request, key, &to);
    }
    let bound = of_claim(cx, key);
    let lies = bound.lies.map_or_else(String::new, |lies| format!("its data lies {lies}"));
    for (name, value) in spec.pairs().iter().map(|pair| (pair.key.as_ref(), &pair.node)) {
        match name {
            "accessModes" if cx.claim(key).is_some_and(Claim::is_shared) => {
                cx.books.translated_as(value, to.clone(), "whoever mounts it on the host shares it");
            }
            "accessModes" => cx.books.translated(value, to.clone()),
            "storageClassName" if lies.is_empty() => cx.books.replaced(value, to.clone()),
            "storageClassName" => {
                let to = Some(to.clone().into());
                cx.books.settle(value, Disposition::Replaced, to, Some(lies.clone().into()));
            }
            "volumeMode" => cx.books.dropped(value, "it is a file system, as every claim that is mounted"),
            "volumeName" | "selector" => {
                let reason = match &bound.volume {
                    Some(volume) => format!("it binds the claim to the volume {volume}, where its data lies"),
                    None => "it says which volume the claim is bound to: the data is found by the claim".to_owned(),
                };
                cx.books.dropped(value, reason);
            }
            "dataSource" | "dataSourceRef" => {
                cx.books.dropped(
                    value,
                    "it says what the volume was filled with when it was made: its data moves as it is",
                );
            }
            "volumeAttributesClassName" => cx.books.dropped(value, "a class of speed of the cluster's storage"),
            "resources" => {
                if let Some(limits) = value.get("limits") {
                    cx.books.dropped(limits, "what the claim asks for is its quota");
                }
            }
            _ => {}
        }
    }
}

/// Settles how much a claim asks for.
fn size<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, request: &'w Node<'s>, key: &Key, to: &str) {
    let requested = bytes(request);
    if cx.target.answers.contains_key(&cx.size_question(key)) {
        cx.books.translated_as(request, format!("{to}.quota"), "as answered");
        return;
    }
    let Some(requested) = requested else {
        let text = "this is no quantity of Kubernetes: how much may the claim hold? (a size such as `20GiB`)";
        ask_size(cx, object, request, key, text.to_owned());
        return;
    };
    let used = cx.target.used.get(&format!("{}/{}", key.0, key.1)).map(Size::bytes);
    if let Some(used) = used.filter(|used| *used > requested) {
        let text = format!(
            "the claim asks for {} and holds {} already: how much may it hold on the host? (a size such as `20GiB`)",
            Size::human(requested),
            Size::human(used)
        );
        ask_size(cx, object, request, key, text);
        return;
    }
    let user = cx.claim(key).and_then(|claim| claim.users.first().copied());
    let export = of_claim(cx, key).export.is_some();
    if export {
        cx.books.dropped(request, "the server that holds the data decides on its size");
    } else if cx.datasets_of(user).is_some() {
        cx.books.translated(request, format!("{to}.quota"));
    } else {
        cx.books.dropped(request, "a directory has no quota: the host needs this much free space");
    }
}

/// Asks how much a claim may hold.
fn ask_size<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, request: &'w Node<'s>, key: &Key, text: String) {
    let question = if object.kind == "PersistentVolumeClaim" { "size".to_owned() } else { format!("size-{}", key.1) };
    cx.ask(object, request, &question, text, false);
}
