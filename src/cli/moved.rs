//! What a host has of workloads that moved to it before, and of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::fleet::schema::migration::MigratesFrom;
use crate::fleet::schema::services::Work;
use crate::kubernetes::context::{Held, Placed, Target};
use crate::resolve::{MountSource, ResolvedHost};

/// Tells the target where a service's claims go and which of them stay: what a person has put elsewhere is not put back.
pub(super) fn claims(host: &ResolvedHost<'_>, from: &MigratesFrom, target: &mut Target<'_>) {
    if from.cluster.as_str() != target.cluster {
        return;
    }
    let workload = from.workload.value.to_string();
    let namespace = workload.split('/').next().unwrap_or_default();
    for moved in &from.volumes {
        let path = moved.to.value.as_str();
        let held = match host.mount_of(path) {
            Some(mount) => match &mount.source {
                MountSource::Dataset { pool, name, .. } if mount.path == path => {
                    Held::Own((*pool).to_owned(), (*name).to_owned())
                }
                MountSource::Dataset { .. } | MountSource::Persisted { .. } | MountSource::Foreign(_) => Held::Above,
                _ => Held::Nowhere,
            },
            None => Held::Nowhere,
        };
        let placed = Placed { path: path.to_owned(), held };
        target.placed.insert(format!("{namespace}/{}", moved.claim.as_str()), placed);
    }
    for left in &from.leave {
        target.left.insert(format!("{namespace}/{}", left.claim.as_str()), left.reason.value.clone());
    }
}

/// Returns the addresses of a host; none where an interface gets some from elsewhere.
pub(super) fn addresses(host: &ResolvedHost<'_>) -> Option<BTreeSet<IpAddr>> {
    let is_fixed = host.interfaces().all(|(_, own)| !own.dhcp.ipv4() && !own.dhcp.ipv6() && !own.accepts_ra());
    let all = host.interfaces().flat_map(|(_, own)| &own.addresses).map(|address| address.value.address);
    is_fixed.then(|| all.collect())
}

/// Returns the services that further containers of workloads became which moved before: those that a moved service's name begins the
/// name of, and that share its network (or both have the host's) or that it needs.
pub(super) fn parts(host: &ResolvedHost<'_>) -> BTreeSet<String> {
    let services: Vec<_> = host.def.services.iter().map(|(name, service)| (name.as_str(), &service.value)).collect();
    let mut parts = BTreeSet::new();
    for (main, moved) in services.iter().filter(|(_, service)| service.migrates_from.is_some()) {
        let mut needed: Vec<&str> = moved.requires.iter().map(|name| name.value.as_str()).collect();
        let prefix = format!("{main}-");
        let others =
            || services.iter().filter(|(name, other)| name.starts_with(&prefix) && other.migrates_from.is_none());
        let of_host = |work: &Work| matches!(work, Work::Container(container) if container.host_network.value);
        for (name, other) in others() {
            let Work::Container(container) = &other.work else { continue };
            let shares = container.network_of.as_ref().is_some_and(|name| name.value.as_str() == *main);
            if shares || of_host(&other.work) && of_host(&moved.work) {
                parts.insert((*name).to_owned());
            }
        }
        while let Some(name) = needed.pop() {
            let Some((name, other)) = others().find(|(other, _)| *other == name) else { continue };
            if parts.insert((*name).to_owned()) {
                needed.extend(other.requires.iter().map(|name| name.value.as_str()));
            }
        }
    }
    parts
}
