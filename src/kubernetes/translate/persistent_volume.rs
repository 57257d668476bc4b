//! PersistentVolumes: where the data of claims lies, and what becomes of it when the claim goes.

use super::{Stage, Translator};
use crate::kubernetes::claims::of_volume;
use crate::kubernetes::context::Cx;
use crate::kubernetes::ledger::Disposition;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static PERSISTENT_VOLUME: Translator =
    Translator { kind: "PersistentVolume", groups: &[""], stage: Stage::Storage, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let bound = of_volume(object);
    let Some(claim) = cx.claims.bound_to(object.name()) else {
        unclaimed(cx, object, spec);
        return;
    };
    let (is_used, left) = cx.claim(&claim).map_or((false, None), |claim| (!claim.users.is_empty(), claim.left.clone()));
    if let Some(reason) = left {
        cx.books.dropped(spec, reason);
        return;
    }
    if !is_used {
        cx.books.needs_you(spec, format!("what becomes of its claim {}/{} is a question of its own", claim.0, claim.1));
        return;
    }
    let to = cx.claim_goes_to(&claim);
    let is_only_size = cx.claim(&claim).is_some_and(|claim| claim.object.is_none() && claim.requested.is_some());
    for (name, value) in spec.pairs().iter().map(|pair| (pair.key.as_ref(), &pair.node)) {
        match name {
            "persistentVolumeReclaimPolicy" => reclaim(cx, value),
            "capacity" if is_only_size && to.starts_with("zfs.") => cx.books.translated(value, format!("{to}.quota")),
            "capacity" => cx.books.dropped(value, "what its claim asks for counts"),
            "claimRef" => cx.books.replaced(value, format!("the claim {}/{}", claim.0, claim.1)),
            "accessModes" | "storageClassName" | "volumeMode" => cx.books.replaced(value, to.clone()),
            "volumeAttributesClassName" => cx.books.dropped(value, "a class of speed of the cluster's storage"),
            "mountOptions" if bound.export.is_some() => cx.books.translated(value, format!("{to}.options")),
            "mountOptions" => cx.books.dropped(value, "its data moves to a file system of the host"),
            "nodeAffinity" => {
                let how = match &bound.node {
                    Some(node) => format!("the node {node} holds the data until it has moved"),
                    None => "it says which nodes hold the data until it has moved".to_owned(),
                };
                cx.books.dropped(value, how);
            }
            "nfs" | "csi" if bound.export.is_some() => cx.books.translated(value, to.clone()),
            "hostPath" | "local" => {
                let lies = bound.lies.clone().unwrap_or_default();
                replaced_as(cx, value, &to, format!("its data is copied from where it lies, {lies}"));
            }
            "nfs"
            | "csi"
            | "iscsi"
            | "rbd"
            | "cephfs"
            | "glusterfs"
            | "fc"
            | "awsElasticBlockStore"
            | "gcePersistentDisk"
            | "azureDisk"
            | "azureFile"
            | "cinder"
            | "vsphereVolume"
            | "flexVolume" => {
                source(cx, object, value, bound.lies.as_deref(), &to);
            }
            _ => {}
        }
    }
}

/// Settles a source that only a driver reads.
fn source<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, value: &'w Node<'s>, lies: Option<&str>, to: &str) {
    let lies = lies.unwrap_or("where only the cluster finds it");
    let driver = value.get("driver").and_then(Node::text).unwrap_or("");
    // Volumes that a driver made for a claim are read by a pod, as all that the cluster makes.
    if !driver.is_empty() && !lies.starts_with("where the driver") {
        replaced_as(cx, value, to, format!("its data is copied from where it lies, {lies}"));
        return;
    }
    let text = format!(
        "the data of this volume lies {lies}: may a pod of the cluster read it while its workload is stopped, or does the host \
         have a way to it? (`pod`, or the path of the host)"
    );
    cx.ask(object, value, "read", text, true);
}

fn replaced_as(cx: &mut Cx<'_, '_>, value: &Node<'_>, to: &str, how: String) {
    let disposition = Disposition::Replaced;
    cx.books.settle(value, disposition, Some(to.to_owned().into()), Some(how.into()));
}

/// Settles the reclaim policy: before anything is stopped, the plan sees to it that the data outlives its claim.
fn reclaim(cx: &mut Cx<'_, '_>, value: &Node<'_>) {
    match value.text() {
        Some("Retain") => cx.books.dropped(value, "the data outlives its claim"),
        _ => {
            let how = "the cluster would throw the data away with its claim".to_owned();
            replaced_as(cx, value, "the step `retain` of the plan, before anything is stopped", how);
        }
    }
}

/// Settles a volume that no claim of the input is bound to.
fn unclaimed<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>) {
    if let Some(claim) = spec.get("claimRef").filter(|claim| !claim.is_null()) {
        let name = claim.get("name").and_then(Node::text).unwrap_or("");
        let text = format!(
            "its claim `{name}` is not among the input: does it hold data that has to come along, and for whom?"
        );
        cx.ask(object, spec, "unclaimed", text, false);
        return;
    }
    let text = "no claim of the input is bound to this volume: does it hold data that has to come along, and for whom?";
    cx.ask(object, spec, "unclaimed", text, false);
}
