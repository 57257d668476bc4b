//! Volumes that lie elsewhere: on file servers, in storage systems, with drivers.

use super::mount::Mount;
use super::{Site, ask, bind};
use crate::kubernetes::claims::Export;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// Mounts a volume of a kind that names a place outside of the cluster.
pub(super) fn mount<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    (kind, source): (&str, &'w Node<'s>),
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let driver = source.get("driver").and_then(Node::text).unwrap_or("");
    let export = match kind {
        "nfs" => Some(Export::of(source.get("server"), source.get("path"), Vec::new())),
        "csi" if driver == "nfs.csi.k8s.io" => {
            let attribute = |name: &str| source.get("volumeAttributes").and_then(|attributes| attributes.get(name));
            let options = attribute("mountOptions").and_then(Node::text).unwrap_or("");
            let options = options.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned);
            Some(Export::of(attribute("server"), attribute("share"), options.collect()))
        }
        _ => None,
    };
    match export {
        Some(Some(export)) => {
            let read_only = mount.read_only || source.bool_at("readOnly") == Some(true);
            let name = format!("{}-{}", site.workload.service, mount.volume);
            let path = cx.export_mount(&export, &name);
            let mount = Mount {
                read_only,
                path: mount.path.clone(),
                volume: mount.volume.clone(),
                sub: mount.sub.clone(),
                ..*mount
            };
            bind(draft, &mount.below(&path), &mount);
            cx.books.translated(source, format!("filesystems.{path}"));
        }
        Some(None) => {
            let question = "the server or the path of the export is still to be filled in: which path of the host takes its place?";
            ask(cx, site, volume, mount, question, draft);
        }
        None => ask(cx, site, volume, mount, question(kind, driver), draft),
    }
}

/// Returns the question about a volume of a kind.
fn question(kind: &str, driver: &str) -> String {
    let what = match kind {
        "csi" if driver == "secrets-store.csi.k8s.io" => {
            "its files are secrets of another store, which have to be filled in on the host".to_owned()
        }
        "csi" => format!("its data lies where the driver {driver} keeps it"),
        "image" => "its files are those of an image".to_owned(),
        "gitRepo" => "its files are those of a git repository".to_owned(),
        "iscsi" => "its data lies on an iSCSI target".to_owned(),
        "rbd" => "its data lies in a Ceph block device".to_owned(),
        "cephfs" => "its data lies in CephFS".to_owned(),
        "glusterfs" => "its data lies in GlusterFS".to_owned(),
        _ => format!("its data lies in a volume of the kind `{kind}`"),
    };
    format!("{what}: which path of the host takes its place? `none` leaves it out")
}
