//! Objects that another object of the input made: a dump holds a ReplicaSet and Pods for every Deployment. They are counted where
//! they come from, and say nothing of their own.

use super::context::Cx;
use super::object::Object;

/// Settles the objects whose owner is among the input.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    for object in world.objects().iter().filter(|object| !object.is_patch) {
        if let Some(counts) = world.superseded_by(object) {
            cx.attributed.insert(object.id);
            let reason =
                format!("the same object stands at {} again, which is what a cluster keeps", world.at(counts.tree()));
            cx.books.dropped(&object.root, reason);
        } else if let Some((kind, name)) = owner(cx, object) {
            cx.attributed.insert(object.id);
            cx.books.dropped(&object.root, format!("made by {kind}/{name}, which would make it again: counted there"));
        }
    }
}

/// Returns the kind and name of the object of the input that made this one.
fn owner<'w>(cx: &Cx<'w, '_>, object: &'w Object<'_>) -> Option<(&'w str, &'w str)> {
    let (kind, name) = object.controller()?;
    let owner = cx.world.find(kind, object.namespace(), name)?;
    (owner.id != object.id).then_some((kind, name))
}
