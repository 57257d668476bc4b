//! What starts after what: who speaks with a service starts after it, and a cycle is broken in the order of names.

use std::collections::BTreeSet;

use super::Edge;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::WorkDraft;

/// Images of what others wait for: databases, caches, queues.
const STORES: &[&str] = &[
    "postgres",
    "mysql",
    "mariadb",
    "mongo",
    "redis",
    "valkey",
    "keydb",
    "dragonfly",
    "memcached",
    "rabbitmq",
    "nats",
    "kafka",
    "mosquitto",
    "elasticsearch",
    "opensearch",
    "influxdb",
    "clickhouse",
    "minio",
    "etcd",
    "couchdb",
    "cassandra",
    "meilisearch",
    "typesense",
    "pgbouncer",
    "emqx",
];

/// Tells whether a service keeps data for others.
pub(in crate::kubernetes) fn is_store(cx: &Cx<'_, '_>, service: &str) -> bool {
    let Some(draft) = cx.host.services.get(service) else { return false };
    let what = match &draft.work {
        WorkDraft::Container(container) => {
            let image = container.image.split(['@']).next().unwrap_or_default();
            image.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned()
        }
        WorkDraft::Native(native) => native.module.clone(),
    };
    STORES.iter().any(|store| what.contains(store))
}

/// Lets those that speak start after those they speak with, stores first, without a cycle.
pub(super) fn order(cx: &mut Cx<'_, '_>, edges: &[Edge]) {
    let mut wanted: Vec<(bool, &str, &str)> =
        edges.iter().map(|edge| (!is_store(cx, &edge.to), &*edge.from, &*edge.to)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for (_, from, to) in wanted {
        if !cx.is_beside(from, to) {
            continue;
        }
        if leads_to(cx, to, from) {
            let note = format!(
                "speaks with {to}, which speaks with it too: {to} starts after it, so the first words may fail"
            );
            if let Some(draft) = cx.host.services.get_mut(from)
                && !draft.comments.contains(&note)
            {
                draft.comments.push(note);
            }
            continue;
        }
        if let Some(draft) = cx.host.services.get_mut(from)
            && !draft.after.iter().chain(&draft.requires).any(|known| known == to)
        {
            draft.after.push(to.to_owned());
        }
    }
}

/// Tells whether a service starts, perhaps by way of others, after another one.
fn leads_to(cx: &Cx<'_, '_>, from: &str, to: &str) -> bool {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if !known.insert(next) {
            continue;
        }
        let Some(draft) = cx.host.services.get(next) else { continue };
        let shared = draft.as_container().and_then(|container| container.network_of.as_ref());
        open.extend(draft.after.iter().chain(&draft.requires).chain(shared).map(String::as_str));
    }
    false
}
