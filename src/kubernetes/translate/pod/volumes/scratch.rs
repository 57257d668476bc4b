//! Volumes that begin empty and go with the pod.

use super::mount::Mount;
use super::{Site, ask, bind, keep, mounts_of, ownership};
use crate::kubernetes::claims::bytes;
use crate::kubernetes::context::{Cx, as_name};
use crate::kubernetes::draft::{Draft, StateDraft};
use crate::kubernetes::tree::Node;
use crate::units::{Size, lies_in};

/// What may lie in memory without a word of the manifest: the most bytes.
const SMALL: u64 = 256 << 20;

/// Mounts an emptyDir.
pub(super) fn mount<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    source: Option<&'w Node<'s>>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let medium = source.and_then(|source| source.get("medium")?.text()).unwrap_or("");
    if medium.starts_with("HugePages") {
        let question = "the volume lies in huge pages, which the host has to set aside: which path of the host takes its place, or `none`?";
        ask(cx, site, volume, mount, question, draft);
        return;
    }
    let limit_node = source.and_then(|source| source.get("sizeLimit")).filter(|limit| !limit.is_null());
    let limit = limit_node.and_then(bytes).filter(|bytes| *bytes > 0);
    if let Some(node) = limit_node.filter(|node| bytes(node).is_none()) {
        cx.ask(
            site.workload.object,
            node,
            &format!("size-{}", super::slug(&mount.volume)),
            "`sizeLimit` is no quantity of Kubernetes: how much may the volume hold?",
            false,
        );
    }
    let in_memory = medium == "Memory";
    let is_alone = mounts_of(site.workload, &mount.volume) == 1 && mount.sub.is_none();
    let size = limit.map(|bytes| Size::of_bytes(bytes).to_string());
    if is_alone && mount.path == "/dev/shm" {
        shared_memory(cx, site, volume, size, mount, draft);
        return;
    }
    let is_fleeting = ["/tmp", "/run", "/var/run"].iter().any(|folder| lies_in(&mount.path, folder));
    let fits = in_memory || limit.map_or(is_fleeting, |bytes| bytes <= SMALL);
    match draft.as_container_mut() {
        Some(container) if is_alone && fits => {
            if !container.tmpfs.iter().any(|(path, _)| *path == mount.path) {
                container.tmpfs.push((mount.path.clone(), size));
            }
            if let Some(limit) = limit_node {
                cx.books.translated(limit, site.key("tmpfs"));
            }
            cx.books.translated(volume, site.key("tmpfs"));
            cx.books.translated(mount.node, site.key("tmpfs"));
        }
        _ => directory(cx, site, volume, if in_memory { "/run" } else { "/var/cache" }, limit_node, mount, draft),
    }
}

/// Translates an emptyDir over /dev/shm, which podman makes itself.
fn shared_memory<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    size: Option<String>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    if let Some(container) = draft.as_container_mut() {
        let how = "without a limit of its own: the container's limit of memory counts";
        match size {
            Some(size) => container.shm_size = Some(size),
            None => {
                // podman-run(1): a size of 0 is no limit.
                container.shm_size = Some("0B".to_owned());
                cx.books.translated_as(volume, site.key("shm-size"), how);
            }
        }
    }
    cx.books.translated(volume, site.key("shm-size"));
    cx.books.translated(mount.node, site.key("shm-size"));
}

/// Mounts a directory of the host that may be emptied at any time.
fn directory<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    above: &str,
    limit: Option<&'w Node<'s>>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let path = format!("{above}/{}/{}", site.workload.service, as_name(&mount.volume));
    bind(draft, &mount.below(&path), mount);
    let state = |path: String, owner: Option<String>, group: Option<String>, mode: &str| StateDraft {
        path,
        owner,
        group,
        mode: Some(mode.to_owned()),
        rebuildable: true,
    };
    // Kubernetes makes such a directory writable for everybody, whoever the image runs as.
    keep(cx, draft, state(path.clone(), None, site.rights.mode.as_ref().and(site.rights.group.clone()), "0777"));
    for owned in ownership::made_by_init(site.workload, &mount.volume).iter().filter(|owned| !owned.below.is_empty()) {
        let mode = owned.rights.mode.as_deref().unwrap_or("0755");
        let state =
            state(format!("{path}/{}", owned.below), owned.rights.owner.clone(), owned.rights.group.clone(), mode);
        keep(cx, draft, state);
    }
    if let Some(sub) = &mount.sub {
        keep(cx, draft, state(format!("{path}/{sub}"), None, None, "0777"));
    }
    if let Some(limit) = limit {
        cx.books.dropped(limit, "a directory of the host has no limit of its own");
    }
    let how = format!("a directory of the host, {path}: what it holds outlives a restart of the service");
    cx.books.translated_as(volume, site.key("volumes"), how);
}

/// Mounts a volume that Kubernetes makes with the pod and deletes with it: a directory that may be emptied at any time.
pub(super) fn ephemeral<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    source: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let limit = source.at(&["volumeClaimTemplate", "spec", "resources", "requests", "storage"]);
    directory(cx, site, volume, "/var/cache", limit, mount, draft);
}
