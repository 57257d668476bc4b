//! Services that take the place of workloads, with what the manifests say of these.

use super::clusters::Clusters;
use super::rule::{FleetCx, HostCx};
use crate::fleet::cluster::{Claim, ClaimUse, ClusterFacts, Workload};
use crate::fleet::schema::migration::{MigratesFrom, MovedClaim};
use crate::resolve::{ResolvedHost, ResolvedService};
use crate::source::{Place, printable};

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

    /// Returns how the workload uses a claim.
    pub(super) fn uses(&self, name: &str) -> Option<&'a ClaimUse> {
        self.workload.claims.iter().find(|one| one.name == name)
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

/// Writes a name from a manifest as messages have it.
pub(super) fn shown(name: &str) -> String {
    format!("`{}`", printable(name))
}
