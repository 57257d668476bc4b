//! StorageClasses, and what is made of snapshots: how the cluster keeps data, which says how it is read.

use super::{Stage, Translator};
use crate::kubernetes::claims::{Via, of_class};
use crate::kubernetes::context::Cx;
use crate::kubernetes::ledger::Disposition;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static STORAGE_CLASS: Translator =
    Translator { kind: "StorageClass", groups: &["storage.k8s.io"], stage: Stage::Storage, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let bound = of_class(cx.world, Some(object.name()));
    for pair in object.tree().pairs() {
        let value = &pair.node;
        match pair.key.as_ref() {
            "provisioner" => {
                let by = match bound.via {
                    Via::Node => "the copy of each claim's directory on its node",
                    Via::Nfs => "the copy of each claim's directory from the NFS server",
                    Via::Pod => "the copy of each claim by a pod that mounts it while its workload is stopped",
                };
                let lies = bound.lies.clone().map(|lies| format!("data of this class lies {lies}").into());
                let disposition = Disposition::Replaced;
                cx.books.settle(value, disposition, Some(by.into()), lies);
            }
            "reclaimPolicy" => match value.text() {
                Some("Retain") => cx.books.dropped(value, "volumes of this class outlive their claims"),
                _ => cx.books.replaced(value, "the step `retain` of the plan, before anything is stopped"),
            },
            "parameters" => {
                cx.books.dropped(value, "they say how the cluster makes volumes: a dataset has properties of its own");
            }
            "mountOptions" => {
                cx.books.dropped(value, "they say how the cluster mounts volumes: data moves to datasets of the host");
            }
            "volumeBindingMode" | "allowedTopologies" => {
                cx.books.dropped(value, "there is one place for volumes: the host");
            }
            "allowVolumeExpansion" => cx.books.dropped(value, "the quota of a dataset can be changed at any time"),
            _ => {}
        }
    }
    let default = object.tree().at(&["metadata", "annotations"]).map_or(&[][..], Node::pairs);
    for pair in default.iter().filter(|pair| pair.key.ends_with("storageclass.kubernetes.io/is-default-class")) {
        cx.books.dropped(&pair.node, "there is one place for volumes: the host");
    }
}
