//! What Services are looked up by: the namespaces that have one of a name, and what runs in a namespace.

use std::collections::{BTreeMap, BTreeSet};

use crate::kubernetes::context::Cx;
use crate::kubernetes::object::ObjectId;

/// Tells whether a Service of the name is in another namespace, too.
pub(in crate::kubernetes) fn is_elsewhere(cx: &mut Cx<'_, '_>, namespace: &str, name: &str) -> bool {
    let world = cx.world;
    let known = cx.reach.namespaces.get_or_insert_with(|| {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for service in world.of_kind("Service").filter(|service| service.group().is_empty()) {
            all.entry(service.name().to_owned()).or_default().insert(service.namespace().to_owned());
        }
        all
    });
    known.get(name).is_some_and(|known| known.iter().any(|other| other != namespace))
}

/// Remembers a Service that is no object of the input.
pub(in crate::kubernetes) fn is_offered(cx: &mut Cx<'_, '_>, namespace: &str, name: &str) {
    // The index is made of the objects first.
    is_elsewhere(cx, namespace, name);
    if let Some(known) = &mut cx.reach.namespaces {
        known.entry(name.to_owned()).or_default().insert(namespace.to_owned());
    }
}

/// Returns the objects of a namespace that became services, in the order in which they were read.
pub(in crate::kubernetes) fn workloads(cx: &mut Cx<'_, '_>, namespace: &str) -> Vec<ObjectId> {
    let (world, services) = (cx.world, &cx.services);
    let known = cx.reach.workloads.get_or_insert_with(|| {
        let mut all: BTreeMap<String, Vec<ObjectId>> = BTreeMap::new();
        for object in services.keys().filter_map(|id| world.object(*id)) {
            all.entry(object.namespace().to_owned()).or_default().push(object.id);
        }
        all
    });
    known.get(namespace).cloned().unwrap_or_default()
}
