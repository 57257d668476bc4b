//! Objects that another object of the input made: a dump holds a ReplicaSet and Pods for every Deployment. They are counted where
//! they come from, and say nothing of their own.

use rayon::prelude::*;

use super::context::Cx;
use super::ledger::Disposition;
use super::object::Object;
use super::world::World;

/// Settles the objects whose owner is among the input. A dump is mostly such objects, and none depends on another one here.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    let settled = world.objects().par_iter().zip(cx.books.accounts_mut()).filter_map(|(object, account)| {
        let reason = counted_elsewhere(world, object)?;
        let entry = account.entry(Disposition::Dropped, None, Some(reason.into()));
        account.settle_rest(entry);
        Some(object.id)
    });
    cx.attributed.par_extend(settled);
}

/// Returns why an object says nothing of its own; none where it does.
fn counted_elsewhere(world: &World<'_>, object: &Object<'_>) -> Option<String> {
    if object.is_patch {
        return None;
    }
    if let Some(counts) = world.superseded_by(object) {
        let at = world.at(counts.tree());
        return Some(format!("the same object stands at {at} again, which is what a cluster keeps"));
    }
    let (kind, name) = object.controller()?;
    let owner = world.find(kind, object.namespace(), name)?;
    (owner.id != object.id).then(|| format!("made by {kind}/{name}, which would make it again: counted there"))
}
