//! What a pool survives, and whether it is there already.

use std::collections::BTreeMap;

use crate::fleet::schema::facts_file::FactsPool;
use crate::resolve::{ResolvedHost, ResolvedPool, ResolvedVdev, VdevClass};

/// Returns how many of its members a vdev can lose.
pub(super) fn losses(vdev: &ResolvedVdev<'_>) -> usize {
    vdev.def.kind.parity(vdev.members.len()).min(vdev.members.len().saturating_sub(1))
}

/// Tells whether a pool survives the loss of any one disk: two members on one disk are lost together. A log or a cache may
/// go; data, metadata and deduplication tables may not.
pub(super) fn survives_any_disk(pool: &ResolvedPool<'_>) -> bool {
    pool.vdevs.iter().filter(|vdev| vdev.class != VdevClass::Log).all(|vdev| {
        let mut on_disk: BTreeMap<&str, usize> = BTreeMap::new();
        for member in &vdev.members {
            *on_disk.entry(member.disk.as_str()).or_default() += 1;
        }
        on_disk.values().all(|lost| *lost <= losses(vdev))
    })
}

/// Returns what the facts say of a pool, by its name.
pub(super) fn probed<'a>(host: &ResolvedHost<'a>, pool: &str) -> Option<&'a FactsPool> {
    let pools = host.source.facts.as_ref()?.pools.as_ref()?;
    pools.iter().find(|probed| *probed.name.value == *pool)
}
