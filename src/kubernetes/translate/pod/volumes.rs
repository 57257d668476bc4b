//! What the containers of a pod keep and read: volumes and where they are mounted.
//!
//! One file a family of sources. A volume that no translation is known for is a question whose answer is a path of the host that
//! takes its place, or `none`.

mod claim;
mod files;
mod host_path;
mod mount;
mod outside;
mod ownership;
mod scratch;
mod sources;
#[cfg(test)]
mod tests;

use super::Workload;
use crate::kubernetes::claims::{Rights, claim_name, claim_of_template, templates};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, StateDraft, VolumeDraft};
use crate::kubernetes::ledger::Said;
use crate::kubernetes::tree::Node;

pub(super) use claim::is_file;
pub(super) use host_path::{OfNode, of_node};
use mount::Mount;
pub(super) use ownership::is_ownership_only;

/// The container whose volumes are translated.
#[derive(Debug)]
struct Site<'a, 'w, 's> {
    workload: &'a Workload<'w, 's>,
    service: &'a str,
    rights: Rights,
}

impl Site<'_, '_, '_> {
    /// Returns a key of the service's definition.
    fn key(&self, key: &str) -> String {
        format!("services.{}.{key}", self.service)
    }

    /// Tells whether it is the first container of its pod.
    fn is_main(&self) -> bool {
        self.service == self.workload.service
    }
}

/// Translates what a container mounts. Volumes of the pod that no container mounts are settled as well.
pub(super) fn volumes<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &'w Node<'s>,
    service: &str,
    draft: &mut Draft,
) {
    let rights = ownership::of_container(workload, container);
    let site = Site { workload, service, rights };
    unmounted(cx, workload);
    for device in container.list("volumeDevices") {
        let name = device.get("name").and_then(Node::text).unwrap_or("");
        let text = format!(
            "the volume `{name}` is a device without a file system: which disk, partition or zvol of the host takes its place?"
        );
        let nodes: Vec<&'w Node<'s>> = std::iter::once(device).chain(volume(workload, name)).collect();
        cx.ask_once(workload.object, &nodes, &format!("volume-{}", slug(name)), text, true);
    }
    for node in container.list("volumeMounts") {
        if let Some(mount) = mount::read(cx, &site, node) {
            one(cx, &site, &mount, draft);
        }
    }
}

/// Translates one mount.
fn one<'w, 's>(cx: &mut Cx<'w, 's>, site: &Site<'_, 'w, 's>, mount: &Mount<'w, 's>, draft: &mut Draft) {
    let workload = site.workload;
    let template = templates(workload.object).find(|(_, name)| *name == mount.volume).filter(|_| is_set(workload));
    if let Some((template, name)) = template {
        let claim = claim_of_template(workload.object, name);
        claim::of_template(cx, site, template, &claim, mount, draft);
        return;
    }
    let Some(volume) = volume(workload, &mount.volume) else {
        cx.books
            .needs_you(mount.node, format!("the pod has no volume `{}`: what should be mounted here?", mount.volume));
        return;
    };
    let source = volume.pairs().iter().find(|pair| pair.key != "name" && !pair.node.is_null());
    match source.map(|pair| (pair.key.as_ref(), &pair.node)) {
        None => scratch::mount(cx, site, volume, None, mount, draft),
        Some(("emptyDir", source)) => scratch::mount(cx, site, volume, Some(source), mount, draft),
        Some(("ephemeral", source)) => scratch::ephemeral(cx, site, volume, source, mount, draft),
        Some(("persistentVolumeClaim", source)) => claim::mount(cx, site, volume, source, mount, draft),
        Some(("hostPath", source)) => host_path::mount(cx, site, volume, source, mount, draft),
        Some(("configMap" | "secret" | "projected" | "downwardAPI", _)) => {
            sources::mount(cx, site, volume, mount, draft);
        }
        Some((kind, source)) => outside::mount(cx, site, volume, (kind, source), mount, draft),
    }
    // What is left are the names of the volume and of the mount, and words without a meaning of their own.
    let settled = match source.map(|pair| pair.key.as_ref()) {
        Some("secret") => site.key("secrets"),
        Some("projected") if draft.files.is_empty() => site.key("secrets"),
        Some("configMap" | "downwardAPI" | "projected") => site.key("files"),
        _ => site.key("volumes"),
    };
    cx.books.translated(mount.node, settled.clone());
    cx.books.translated(volume, settled);
}

/// Tells whether the workload makes claims of its own.
fn is_set(workload: &Workload<'_, '_>) -> bool {
    workload.object.kind == "StatefulSet"
}

/// Returns a volume of a pod.
fn volume<'w, 's>(workload: &Workload<'w, 's>, name: &str) -> Option<&'w Node<'s>> {
    workload.spec.list("volumes").iter().find(|volume| volume.get("name").and_then(Node::text) == Some(name))
}

/// Returns all containers of a pod, in the order in which they start.
fn containers<'w, 's>(workload: &Workload<'w, 's>) -> impl Iterator<Item = &'w Node<'s>> {
    let spec = workload.spec;
    spec.list("initContainers").iter().chain(spec.list("containers")).chain(spec.list("ephemeralContainers"))
}

/// Returns how often the containers of a pod mount a volume.
fn mounts_of(workload: &Workload<'_, '_>, volume: &str) -> usize {
    let mounts = containers(workload).flat_map(|container| container.list("volumeMounts"));
    mounts.filter(|mount| mount.get("name").and_then(Node::text) == Some(volume)).count()
}

/// Settles volumes that no container mounts.
pub(super) fn unmounted<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let is_used = |name: &str| {
        let devices = containers(workload).flat_map(|container| container.list("volumeDevices"));
        mounts_of(workload, name) > 0
            || devices.filter_map(|device| device.get("name")?.text()).any(|device| device == name)
    };
    for volume in workload.spec.list("volumes") {
        let name = volume.get("name").and_then(Node::text).unwrap_or("");
        if is_used(name) {
            continue;
        }
        match volume.at(&["persistentVolumeClaim", "claimName"]).map(claim_name) {
            Some(None) => cx.books.needs_you(volume, "no claim can have this name: which one is meant?"),
            Some(Some(claim)) => {
                let to = cx.claim_goes_to(&(workload.object.namespace().to_owned(), claim.to_owned()));
                cx.books.translated_as(volume, to, "no container mounts it, and its data moves all the same");
            }
            None => cx.books.dropped(volume, "no container mounts it"),
        }
    }
}

/// Asks what takes the place of a volume. An answer that is a path of the host is mounted; with any other it is left out.
fn ask<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    question: impl Into<Said>,
    draft: &mut Draft,
) {
    let key = format!("volume-{}", slug(&mount.volume));
    let before = cx.books.of(volume).is_some();
    match cx.ask(site.workload.object, volume, &key, question, !before) {
        Some(path) if is_path(path) => bind(draft, &mount.below(path), mount),
        Some(_) => cx.books.dropped(mount.node, "the answer leaves it out"),
        None => {
            let text = format!("it mounts the volume `{}`, which is a question of its own", mount.volume);
            cx.books.needs_you(mount.node, text);
        }
    }
}

/// Mounts a path of the host.
fn bind(draft: &mut Draft, source: &str, mount: &Mount<'_, '_>) {
    let Some(container) = draft.as_container_mut() else { return };
    let volume = VolumeDraft { source: source.to_owned(), target: mount.path.clone(), read_only: mount.read_only };
    if !container.volumes.iter().any(|known| known.target == volume.target) {
        container.volumes.push(volume);
    }
}

/// Adds a directory with an owner, unless another service of the host has it.
fn keep(cx: &mut Cx<'_, '_>, draft: &mut Draft, state: StateDraft) {
    if cx.claims.keep(&state.path) {
        draft.state.push(state);
    }
}

/// Tells whether a text is an absolute path that a container can be given: without a colon, which would end it.
pub(super) fn is_path(text: &str) -> bool {
    text.parse::<crate::fleet::scalar::AbsPath>().is_ok() && !text.contains(':') && !text.contains("${")
}

/// Returns a word as part of the id of a question.
fn slug(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
}
