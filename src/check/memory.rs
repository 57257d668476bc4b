//! The memory that a host promises.

use crate::resolve::ResolvedHost;

/// Returns who was promised memory on a host, with the bytes: the ARC, and each service that runs by `memory-low`, else by its limit, else
/// by what its module is known to need.
pub fn promised_memory(host: &ResolvedHost<'_>) -> Vec<(String, u64)> {
    let mut needs: Vec<(String, u64)> = Vec::new();
    if let Some(memory) = host.def.machine.memory.as_ref().filter(|_| !host.pools.is_empty()) {
        let limit = host.def.zfs.as_ref().and_then(|zfs| zfs.arc_max.as_ref());
        // Without a limit the ARC gives way to programs: what it always keeps is a thirty-second of the memory (zfs(4), zfs_arc_min).
        let arc = limit.map_or(memory.bytes() / 32, |limit| limit.bytes());
        needs.push(("the ARC".to_owned(), arc));
    }
    for service in host.running() {
        let stated =
            service.def.limits.as_ref().and_then(|limits| limits.memory_low.as_ref().or(limits.memory.as_ref()));
        let known = || service.module?.file.sizing.as_ref()?.memory.as_ref();
        if let Some(size) = stated.or_else(known) {
            needs.push((format!("`{}`", service.name), size.bytes()));
        }
    }
    needs
}
