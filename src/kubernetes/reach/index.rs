//! What Services are looked up by: the namespaces that have one of a name, and what runs with which labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::kubernetes::context::Cx;
use crate::kubernetes::object::ObjectId;
use crate::kubernetes::tree::{Node, Pair};

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

/// Returns the workloads of a namespace whose pods have all labels of a selector, in the order in which they were read.
pub(in crate::kubernetes) fn selected(cx: &mut Cx<'_, '_>, namespace: &str, selector: &[Pair<'_>]) -> Vec<ObjectId> {
    let (world, services) = (cx.world, &cx.services);
    let known = cx.reach.labelled.get_or_insert_with(|| {
        let mut all: BTreeMap<(String, String, String), Vec<ObjectId>> = BTreeMap::new();
        for object in services.keys().filter_map(|id| world.object(*id)) {
            for pair in object.pod_labels().map_or(&[][..], Node::pairs) {
                let Some(value) = pair.node.text() else { continue };
                let label = (object.namespace().to_owned(), pair.key.to_string(), value.to_owned());
                all.entry(label).or_default().push(object.id);
            }
        }
        all
    });
    let mut with = Vec::new();
    for pair in selector {
        let label = pair.node.text().map(|value| (namespace.to_owned(), pair.key.to_string(), value.to_owned()));
        let Some(ids) = label.and_then(|label| known.get(&label)) else { return Vec::new() };
        with.push(ids);
    }
    with.sort_by_key(|ids| ids.len());
    let Some((fewest, others)) = with.split_first() else { return Vec::new() };
    fewest.iter().filter(|id| others.iter().all(|ids| ids.binary_search(id).is_ok())).copied().collect()
}
