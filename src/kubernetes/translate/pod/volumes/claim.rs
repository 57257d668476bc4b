//! Claims in containers.

use super::mount::Mount;
use super::{Site, ask, bind, keep, ownership};
use crate::kubernetes::claims::{Key, Rights, claim_name};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, StateDraft};
use crate::kubernetes::translate::persistent_volume_claim;
use crate::kubernetes::tree::Node;

/// Mounts a claim that the pod names.
pub(super) fn mount<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    source: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let Some(name) = source.get("claimName").and_then(claim_name) else {
        let question =
            "no claim can have this name, or it is still to be filled in: which directory of the host takes its place?";
        ask(cx, site, volume, mount, question, draft);
        return;
    };
    let key = (site.workload.object.namespace().to_owned(), name.to_owned());
    let read_only = mount.read_only || source.bool_at("readOnly") == Some(true);
    let mount =
        Mount { read_only, path: mount.path.clone(), volume: mount.volume.clone(), sub: mount.sub.clone(), ..*mount };
    if !put(cx, site, &key, &mount, draft) {
        let question = format!(
            "the claim `{name}` is a device without a file system: which path of the host takes its place, or `none`?"
        );
        ask(cx, site, volume, &mount, question, draft);
        return;
    }
    let to = cx.claim_goes_to(&key);
    let (is_known, is_sized) =
        cx.claim(&key).map_or((false, false), |claim| (claim.object.is_some(), claim.requested.is_some()));
    if is_known {
        cx.books.translated(source, to);
    } else if is_sized {
        cx.books.translated_as(source, to, "the claim is not among the input: its volume says how much it may hold");
    } else {
        cx.books.translated_as(source, to, "the claim is not among the input: nothing says how much it may hold");
    }
}

/// Mounts a claim that a StatefulSet makes of a template.
pub(super) fn of_template<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    template: &'w Node<'s>,
    claim: &str,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let object = site.workload.object;
    let key = (object.namespace().to_owned(), claim.to_owned());
    further_replicas(cx, site, claim);
    if !put(cx, site, &key, mount, draft) {
        let question =
            "the claim is a device without a file system: which path of the host takes its place, or `none`?";
        ask(cx, site, template, mount, question, draft);
        return;
    }
    let to = cx.claim_goes_to(&key);
    persistent_volume_claim::settle(cx, object, template, &key);
    cx.books.translated(template, to);
    cx.books.translated(mount.node, site.key("volumes"));
}

/// Notes that the claims of further replicas stay behind, where that is answered: their data is that of the first.
///
/// The question is that of `spec.replicas`.
fn further_replicas(cx: &mut Cx<'_, '_>, site: &Site<'_, '_, '_>, claim: &str) {
    let object = site.workload.object;
    let replicas = object.tree().at(&["spec", "replicas"]).and_then(Node::int).unwrap_or(1);
    let answer = cx.target.answers.get(&format!("{}#replicas", object.identity()));
    let is_enough = answer.is_some_and(|answer| !matches!(answer.as_str(), "no" | "false"));
    let first = object.first_ordinal();
    let Some(start) = claim.strip_suffix(&first.to_string()).filter(|_| is_enough) else { return };
    // Nobody has more replicas with data on what becomes one host.
    for ordinal in (first..first + replicas.min(100)).skip(1) {
        let key = (object.namespace().to_owned(), format!("{start}{ordinal}"));
        let reason = "the claim of the first replica holds the same".to_owned();
        cx.leave_claim(key, object.id, site.service, reason);
    }
}

/// Mounts the place of a claim; tells whether it has one.
fn put<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    key: &Key,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) -> bool {
    let object = site.workload.object;
    let made = ownership::made_by_init(site.workload, &mount.volume);
    let root = made.iter().find(|owned| owned.below.is_empty());
    let rights = root.map_or_else(|| site.rights.clone(), |owned| owned.rights.over(&site.rights));
    cx.claim_used(key, object.id, site.service, site.is_main(), rights.clone());
    let Some(path) = cx.claim_mount(&key.0, &key.1) else { return false };
    bind(draft, &mount.below(&path), mount);
    for owned in made.iter().filter(|owned| !owned.below.is_empty()) {
        let rights = owned.rights.over(&rights);
        keep(cx, draft, directory(format!("{path}/{}", owned.below), rights));
    }
    // A directory whose owner is not known would be given to root at every boot: it comes with the claim's data.
    let is_known = rights.owner.is_some() || rights.group.is_some();
    if let Some(sub) = mount.sub.as_ref().filter(|sub| is_known && !is_file(sub, &mount.path)) {
        keep(cx, draft, directory(format!("{path}/{sub}"), rights));
    } else if let (false, Some(sub)) = (is_known, mount.node.get("subPath")) {
        let how = "the directory comes with the claim's data, and keeps the owner that it has there";
        cx.books.translated_as(sub, site.key("volumes"), how);
    }
    true
}

fn directory(path: String, rights: Rights) -> StateDraft {
    let mode = rights.mode.or_else(|| rights.owner.is_none().then(|| "0755".to_owned()));
    StateDraft { path, owner: rights.owner, group: rights.group, mode, rebuildable: false }
}

/// Tells whether a part of a volume is a file by its look: mounted under its own name, which has an ending.
pub(in crate::kubernetes::translate::pod) fn is_file(sub: &str, path: &str) -> bool {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let name = last(sub);
    name == last(path) && name.trim_start_matches('.').contains('.')
}
