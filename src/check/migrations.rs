//! Services that take the place of workloads, with what the manifests say of these.

use super::clusters::Clusters;
use super::rule::{FleetCx, HostCx};
use crate::fleet::cluster::{Claim, ClusterFacts, Fate, Workload};
use crate::fleet::schema::migration::{MigratesFrom, MovedClaim};
use crate::resolve::{ResolvedHost, ResolvedService};
use crate::source::{Place, printable};

/// What a rule needs that sees clusters, in words.
pub(super) const MANIFESTS: &str = "manifests of the cluster";

/// A service that takes the place of a workload whose manifest is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) host: &'a ResolvedHost<'a>,
    pub(super) service: &'a ResolvedService<'a>,
    pub(super) from: &'a MigratesFrom,
    pub(super) cluster: &'a ClusterFacts,
    pub(super) workload: &'a Workload,
}

impl<'a> Move<'a> {
    /// Returns the workload's identity: `apps/Deployment/gitea`.
    pub(super) fn identity(&self) -> String {
        self.from.workload.to_string()
    }

    /// Returns where host.toml names the workload.
    pub(super) fn place(&self) -> Place {
        self.from.workload.place
    }

    /// Returns a claim of the workload's namespace.
    pub(super) fn claim(&self, name: &str) -> Option<&'a Claim> {
        self.cluster.claims.get(&(self.workload.namespace.clone(), name.to_owned()))
    }

    /// Returns the claims that move, with what the manifests say of each.
    pub(super) fn moved(&self) -> impl Iterator<Item = (&'a MovedClaim, Option<&'a Claim>)> {
        let own = *self;
        self.from.volumes.iter().map(move |moved| (moved, own.claim(moved.claim.as_str())))
    }
}

/// Returns the services of a host that take the place of workloads whose manifests are known.
pub(super) fn of_host<'a>(host: &'a ResolvedHost<'a>, clusters: &'a Clusters) -> Vec<Move<'a>> {
    let mut all = Vec::new();
    for service in &host.services {
        let Some(from) = &service.def.migrates_from else { continue };
        let Some(cluster) = clusters.get(from.cluster.as_str()) else { continue };
        if let Some(workload) = cluster.workloads.get(&from.workload.to_string()) {
            all.push(Move { host, service, from, cluster, workload });
        }
    }
    all
}

/// The same of the host that a rule looks at.
pub(super) fn of<'a>(cx: &HostCx<'a>) -> Vec<Move<'a>> {
    of_host(cx.host, cx.clusters)
}

/// The same of every host of the fleet, whether it is looked at or not.
pub(super) fn of_fleet<'a>(cx: &FleetCx<'a>) -> Vec<Move<'a>> {
    cx.fleet.hosts.iter().flat_map(|host| of_host(host, cx.clusters)).collect()
}

/// Tells whether a service of the fleet takes the place of another workload of the same cluster.
pub(super) fn takes_over(moves: &[Move<'_>], one: &Move<'_>, other: &str) -> bool {
    let same = |known: &Move<'_>| known.from.cluster.as_str() == one.from.cluster.as_str();
    moves.iter().any(|known| same(known) && known.identity() == other)
}

/// Returns the service of a host that a field of a manifest went to, and the key there.
pub(super) fn gone_to<'a>(host: &'a ResolvedHost<'a>, fate: &'a Fate) -> Option<(&'a ResolvedService<'a>, &'a str)> {
    let (name, key) = fate.to.as_deref()?.strip_prefix("services.")?.split_once('.')?;
    host.services.iter().find(|service| service.name == name).map(|service| (service, key))
}

/// Writes a name from a manifest as messages have it.
pub(super) fn shown(name: &str) -> String {
    format!("`{}`", printable(name))
}
