//! The list of claims, for the inventory, the table of capacity and the rules.

use super::super::context::Cx;
use super::super::object::Object;
use super::bound::Via;
use super::{Claim, Place};

/// A claim: what it asks for and holds, where its data lies, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ClaimEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The file of the object that says what it asks for; none where it is only mentioned.
    pub file: Option<String>,
    /// The line that the object begins on, from 1.
    pub line: Option<u32>,
    /// Bytes that it asks for.
    pub requested: Option<u64>,
    /// Bytes that it holds, where they are known.
    pub used: Option<u64>,
    /// `accessModes`.
    pub access: Vec<String>,
    /// `storageClassName`.
    pub class: Option<String>,
    /// The volume of the input that it is bound to.
    pub volume: Option<String>,
    /// `Delete`, `Recycle` or `Retain`: what becomes of the data when the claim goes; none where nobody says.
    pub reclaim: Option<String>,
    /// Where the data lies, as words after "its data lies".
    pub lies: Option<String>,
    /// The node that holds the data, where it is one.
    pub node: Option<String>,
    /// How the data is read.
    pub via: Via,
    /// The dataset that it becomes, pool included.
    pub dataset: Option<String>,
    /// Where its data is on the host.
    pub mount: Option<String>,
    /// The workloads that have it as a volume, as `namespace/Kind/name`.
    pub workloads: Vec<String>,
    /// The services that mount it.
    pub services: Vec<String>,
    /// Why it does not move, where it does not.
    pub left: Option<String>,
}

/// Returns the claims in the order in which they were read.
pub(in crate::kubernetes) fn entries(cx: &Cx<'_, '_>) -> Vec<ClaimEntry> {
    cx.claims.all.iter().map(|(key, claim)| entry(cx, key, claim)).collect()
}

fn entry(cx: &Cx<'_, '_>, (namespace, name): &super::Key, claim: &Claim) -> ClaimEntry {
    let world = cx.world;
    let object = claim.object.and_then(|id| world.object(id));
    let place = object.and_then(|object| world.place(object.tree()));
    let usual = claim.place.as_ref();
    let redirected = cx.claims.redirected.get(&(namespace.clone(), name.clone()));
    let export = claim.bound.export.as_ref().filter(|_| matches!(usual, Some(Place::Export(_))));
    ClaimEntry {
        namespace: namespace.clone(),
        name: name.clone(),
        file: place.map(|place| world.sources.file(place.file).path().to_owned()),
        line: place.map(|place| world.sources.position(place).line),
        requested: claim.requested,
        used: cx.target.used.get(&format!("{namespace}/{name}")).map(crate::units::Size::bytes),
        access: claim.access.clone(),
        class: claim.class.clone(),
        volume: claim.bound.volume.clone(),
        reclaim: claim.bound.reclaim.clone(),
        lies: claim.bound.lies.clone(),
        node: claim.bound.node.clone(),
        via: claim.bound.via,
        dataset: match usual {
            Some(Place::Dataset { pool, name, .. }) => Some(format!("{pool}/{name}")),
            _ => None,
        },
        mount: redirected.cloned().or_else(|| usual.and_then(Place::mount).map(str::to_owned)),
        workloads: claim.users.iter().filter_map(|user| world.object(*user)).map(Object::identity).collect(),
        services: claim.services.clone(),
        left: match export {
            Some(export) => Some(format!("it stays on {}, which this host mounts", export.device())),
            None => claim.left.clone(),
        },
    }
}
