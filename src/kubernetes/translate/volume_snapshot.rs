//! Snapshots of volumes, as the cluster makes them.

use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

const GROUPS: &[&str] = &["snapshot.storage.k8s.io"];

pub(super) static VOLUME_SNAPSHOT: Translator =
    Translator { kind: "VolumeSnapshot", groups: GROUPS, stage: Stage::Storage, run: snapshot };

pub(super) static VOLUME_SNAPSHOT_CONTENT: Translator =
    Translator { kind: "VolumeSnapshotContent", groups: GROUPS, stage: Stage::Storage, run: snapshot };

pub(super) static VOLUME_SNAPSHOT_CLASS: Translator =
    Translator { kind: "VolumeSnapshotClass", groups: GROUPS, stage: Stage::Storage, run: class };

fn snapshot<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if let Some(spec) = object.tree().get("spec") {
        cx.books.dropped(spec, "an old state of a volume, which stays in the cluster: the data moves as it is, and snapshots of its dataset begin anew");
    }
}

fn class<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    for key in ["driver", "deletionPolicy", "parameters"] {
        if let Some(node) = object.tree().get(key) {
            cx.books.replaced(node, "snapshots of datasets");
        }
    }
}
