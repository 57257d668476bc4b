//! A claim that moves, with everything that is known of it: what the definition says, what the manifests say, where it goes.
//!
//! A claim that several services name is one volume when it goes to one place, so that it is copied once.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::Ids;
use crate::fleet::cluster::{Claim, ClusterFacts};
use crate::fleet::schema::migration::{MovedClaim, ReadVia};
use crate::plan::PlanCx;
use crate::resolve::{Resolved, ResolvedHost, ResolvedService};
use crate::source::printable;

/// The words that lead kubectl to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClusterRef<'a> {
    /// Its name in fleet.toml.
    pub(super) name: &'a str,
    /// The context of kubectl: what fleet.toml says, else the cluster's own name.
    pub(super) context: &'a str,
    /// Whether fleet.toml says the context.
    pub(super) is_said: bool,
}

impl<'a> ClusterRef<'a> {
    /// Returns the cluster of a name; one that fleet.toml lacks does not resolve and does not come here.
    pub(super) fn of(cx: &PlanCx<'a>, name: &'a str) -> Self {
        Self::named(cx.fleet, name)
    }

    fn named(fleet: &'a Resolved<'a>, name: &'a str) -> Self {
        let cluster = fleet.fleet.file.clusters.iter().find(|(known, _)| known.as_str() == name);
        let said = cluster.and_then(|(_, cluster)| cluster.value.context.as_ref()).map(|context| context.as_str());
        Self { name, context: said.unwrap_or(name), is_said: said.is_some() }
    }
}

/// A claim that moves to one place.
#[derive(Debug, Clone)]
pub(super) struct Volume<'a> {
    /// Its cluster.
    pub(super) cluster: ClusterRef<'a>,
    /// Its namespace.
    pub(super) namespace: &'a str,
    /// The entry of `volumes` that says how it moves; of several services the first one's.
    pub(super) def: &'a MovedClaim,
    /// The service whose entry that is.
    pub(super) service: &'a ResolvedService<'a>,
    /// What the manifests say of it.
    pub(super) facts: Option<&'a Claim>,
    /// The services whose workloads use it, in the order of the definition; the first is [`Self::service`].
    pub(super) services: Vec<&'a ResolvedService<'a>>,
    /// The dataset that holds its place, with its pool: `rpool/safe/gitea`.
    pub(super) dataset: Option<String>,
    /// Who owns the data here, where somebody says it: the entry, the state of the service, the account of a container.
    pub(super) owner: Option<&'a str>,
    /// The group of the data here.
    pub(super) group: Option<&'a str>,
    /// `NAMESPACE-CLAIM`, unique within the plan.
    pub(super) id: String,
    /// Bytes that it holds, where the definition says so; else what it asks for.
    pub(super) used: Option<u64>,
}

impl Volume<'_> {
    /// Returns the claim's name.
    pub(super) fn claim(&self) -> &str {
        self.def.claim.as_str()
    }

    /// Returns how the claim is named in the plan: `namespace/claim`.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.claim())
    }

    /// Returns what of the claim moves, for the titles of steps: `git of apps/gitea-data`.
    pub(super) fn titled(&self) -> String {
        match &self.def.sub_path {
            Some(part) => format!("{} of {}", printable(part.value.as_str()), self.shown()),
            None => self.shown(),
        }
    }
}

/// Returns the volumes that move to a host, in the order of its services.
///
/// `ids` has to be fresh: the scripts of a volume are called by its id, and are made apart from the plan.
pub(super) fn volumes<'a>(cx: &PlanCx<'a>, ids: &mut Ids) -> Vec<Volume<'a>> {
    volumes_of(cx.fleet, cx.host, cx.clusters, ids)
}

/// Returns the volumes that move to a host, without a plan.
pub(super) fn volumes_of<'a>(
    fleet: &'a Resolved<'a>,
    host: &'a ResolvedHost<'a>,
    clusters: &'a BTreeMap<String, ClusterFacts>,
    ids: &mut Ids,
) -> Vec<Volume<'a>> {
    let mut all: Vec<Volume<'a>> = Vec::new();
    for service in &host.services {
        let Some(from) = &service.def.migrates_from else { continue };
        let cluster = ClusterRef::named(fleet, from.cluster.as_str());
        let namespace = from.workload.namespace.as_str();
        let known = clusters.get(cluster.name);
        for def in &from.volumes {
            let same = |volume: &&mut Volume<'a>| {
                volume.cluster == cluster
                    && volume.namespace == namespace
                    && volume.claim() == def.claim.as_str()
                    && volume.def.to.value == def.to.value
            };
            if let Some(volume) = all.iter_mut().find(same) {
                volume.services.push(service);
                continue;
            }
            let facts =
                known.and_then(|known| known.claims.get(&(namespace.to_owned(), def.claim.as_str().to_owned())));
            let rights = rights(service, def);
            all.push(Volume {
                cluster,
                namespace,
                def,
                service,
                facts,
                services: vec![service],
                dataset: host.mount_of(def.to.as_str()).and_then(|mount| mount.source.dataset()),
                owner: rights.0,
                group: rights.1,
                id: ids.name(&format!("{namespace}-{}", def.claim.as_str())),
                used: def.used.as_ref().map(|used| used.bytes()).or_else(|| {
                    // What a claim asks for says nothing about a copy.
                    facts.filter(|_| def.via.value != ReadVia::Backup).and_then(|facts| facts.requested)
                }),
            });
        }
    }
    for volume in &mut all {
        // Who mounts the claim without naming it among its volumes writes it all the same.
        let users: BTreeSet<&str> =
            volume.facts.iter().flat_map(|claim| claim.workloads.iter().map(String::as_str)).collect();
        for service in &host.services {
            let Some(from) = &service.def.migrates_from else { continue };
            let uses =
                from.cluster.as_str() == volume.cluster.name && users.contains(from.workload.to_string().as_str());
            if uses && !volume.services.iter().any(|known| known.name == service.name) {
                volume.services.push(service);
            }
        }
    }
    all
}

/// Returns who owns the data of a volume on the host: user and group.
fn rights<'a>(service: &'a ResolvedService<'a>, def: &'a MovedClaim) -> (Option<&'a str>, Option<&'a str>) {
    let state = service.state.iter().filter(|state| crate::units::lies_in(def.to.as_str(), &state.path));
    let state = state.max_by_key(|state| state.path.len());
    let user = service.def.container().and_then(|container| container.user.as_ref()).map(|user| user.value.as_str());
    let (uid, gid) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
        Some((uid, gid)) => (Some(uid), Some(gid).filter(|gid| !gid.is_empty())),
        None => (None, None),
    };
    let own = def.owner.as_ref().map(|owner| owner.value.0.as_str());
    let group = state.and_then(|state| state.group).or(gid);
    (own.or_else(|| state.and_then(|state| state.owner)).or(uid), group)
}
