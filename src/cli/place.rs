//! The place that workloads move to: one host or several, with what they have and what was decided before.

use super::{moved, spots};
use crate::kubernetes::Inventory;
use crate::kubernetes::claims::{CapacityEntry, ClaimEntry};
use crate::kubernetes::context::{Target, answers_of};
use crate::kubernetes::placement::{Placed, Room};
use crate::kubernetes::spread::Spot;
use crate::kubernetes::timeline::TimelineEntry;
use crate::resolve::{Resolved, ResolvedHost};

/// The place that workloads move to.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) target: Target<'a>,
    /// Whether fleet.toml does not have the cluster yet.
    pub(super) is_new_cluster: bool,
    /// The hosts, by name.
    pub(super) stands: Vec<Stand>,
    /// The moves that can be planned from what is in the definitions.
    pub(super) timelines: Vec<TimelineEntry>,
}

/// A host that workloads move to.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) room: Room,
    pub(super) pool: Option<Pool>,
}

/// The pool that claims go to.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) usable: Option<u64>,
    pub(super) promised: u64,
}

impl<'a> Place<'a> {
    /// Returns what the hosts of a fleet have for a move.
    pub(super) fn of(
        resolved: &Resolved<'_>,
        hosts: &[&ResolvedHost<'a>],
        mut target: Target<'a>,
        is_new_cluster: bool,
    ) -> Self {
        for own in &resolved.hosts {
            for (_, service) in own.def.services.iter() {
                let Some(from) = &service.value.migrates_from else { continue };
                target.answers.extend(answers_of(from));
            }
        }
        for host in hosts {
            target.parts.extend(moved::parts(host));
            for (name, service) in host.def.services.iter() {
                let name = name.as_str().to_owned();
                if let Some(from) = &service.value.migrates_from {
                    moved::claims(host, from, &mut target);
                    target.moved.entry(from.workload.value.to_string()).or_insert(name);
                } else {
                    target.taken.insert(name);
                }
            }
        }
        target.release = hosts.iter().map(|host| host.channel.channel.release.value).min();
        if let [host] = hosts {
            let Spot { datasets, addresses, ports, vhosts, natives, .. } = spots::spot(host);
            target = Target { host: Some(host.name), datasets, addresses, ports, vhosts, natives, ..target };
        } else {
            target.spread = spots::spread(resolved, hosts);
        }
        let pool = |host: &ResolvedHost<'_>| {
            host.pools.first().map(|pool| Pool {
                name: pool.name.to_owned(),
                usable: crate::check::usable_bytes(pool),
                promised: crate::check::planned_bytes(host, pool),
            })
        };
        let stands =
            hosts.iter().map(|host| Stand { room: spots::room(host, hosts, &target.answers), pool: pool(host) });
        let stands = stands.collect();
        Self { target, is_new_cluster, stands, timelines: Vec::new() }
    }
}

impl Stand {
    /// Returns what its pool has room for.
    pub(super) fn capacity(&self, inventory: &Inventory, placed: &[Placed]) -> Option<CapacityEntry> {
        let pool = self.pool.as_ref()?;
        let is_here = |claim: &&ClaimEntry| {
            let at = claim.workloads.first().and_then(|first| placed.iter().find(|one| one.id == *first));
            placed.is_empty() || at.is_some_and(|one| one.host.as_deref() == Some(&*self.room.name))
        };
        Some(CapacityEntry::of(&pool.name, pool.usable, pool.promised, inventory.claims.iter().filter(is_here)))
    }
}
