//! What is stopped in the cluster, and in which order: workloads with the services that take their place.
//!
//! A workload that several services come from is stopped once. Workloads that share a volume or speak with each other move together;
//! in such a group those stop first that need others, and start last.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::Ids;
use super::volume::{ClusterRef, Volume};
use crate::fleet::cluster::{ClusterFacts, Restorer, Workload};
use crate::fleet::schema::migration::MigratesFrom;
use crate::plan::PlanCx;
use crate::resolve::ResolvedService;

/// A workload that services of the host take the place of.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    /// What steps about it are named after: the first of its services.
    pub(super) name: &'a str,
    pub(super) cluster: ClusterRef<'a>,
    /// Where the first of its services says that it comes from.
    pub(super) from: &'a MigratesFrom,
    /// What the manifests say of it.
    pub(super) facts: Option<&'a Workload>,
    /// What the manifests say of its cluster.
    pub(super) known: Option<&'a ClusterFacts>,
    /// The services that take its place, in the order of the definition.
    pub(super) services: Vec<&'a ResolvedService<'a>>,
    /// The names of its claims that somebody knows: those that move, those that are left, those of the manifests.
    pub(super) claims: BTreeSet<&'a str>,
}

impl<'a> Writer<'a> {
    /// Returns its identity: `apps/Deployment/gitea`.
    pub(super) fn identity(&self) -> String {
        self.from.workload.to_string()
    }

    pub(super) fn namespace(&self) -> &'a str {
        &self.from.workload.namespace
    }

    pub(super) fn kind(&self) -> &'a str {
        &self.from.workload.kind
    }

    /// Returns how kubectl is told which object it is: `deployment/gitea`.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.kind().to_lowercase(), self.from.workload.name)
    }

    /// Returns what would bring it back, by what the manifests say, whoever stands above first; each once.
    pub(super) fn restorers(&self) -> Vec<&'a Restorer> {
        let Some(known) = self.known else { return Vec::new() };
        let identity = self.identity();
        let mut found: Vec<&Restorer> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for restorer in known.restorers.iter().filter(|restorer| restorer.restores.contains_key(&identity)) {
            above(known, restorer, &mut seen, &mut found);
        }
        found
    }

    /// Tells whether it is the workload of the service that says how a volume moves: a dump is read from it.
    pub(super) fn is_reader_of(&self, volume: &Volume<'_>) -> bool {
        self.services.iter().any(|service| service.name == volume.service.name)
    }

    /// Tells whether a volume is one of its.
    pub(super) fn uses(&self, volume: &Volume<'_>) -> bool {
        self.services.iter().any(|service| volume.services.iter().any(|user| user.name == service.name))
    }
}

/// Adds what stands above a restorer, then itself. A circle ends where it began.
fn above<'a>(
    known: &'a ClusterFacts,
    restorer: &'a Restorer,
    seen: &mut BTreeSet<&'a str>,
    found: &mut Vec<&'a Restorer>,
) {
    if !seen.insert(&restorer.by) {
        // Two kinds may go by one identity, as a manager and what it delivers.
        if !found.iter().any(|other| other.kind == restorer.kind && other.by == restorer.by) {
            found.push(restorer);
        }
        return;
    }
    for parent in &restorer.under {
        for other in known.restorers.iter().filter(|other| other.by == *parent) {
            if !seen.contains(other.by.as_str()) {
                above(known, other, seen, found);
            }
        }
    }
    found.push(restorer);
}

/// Returns the workloads that services of the host come from, in the order of the services.
pub(super) fn writers<'a>(cx: &PlanCx<'a>) -> Vec<Writer<'a>> {
    let mut all: Vec<Writer<'a>> = Vec::new();
    for service in &cx.host.services {
        let Some(from) = &service.def.migrates_from else { continue };
        let cluster = ClusterRef::of(cx, from.cluster.as_str());
        let claims = from.volumes.iter().map(|volume| volume.claim.as_str());
        let claims = claims.chain(from.leave.iter().map(|left| left.claim.as_str()));
        if let Some(writer) =
            all.iter_mut().find(|writer| writer.cluster == cluster && writer.from.workload.value == from.workload.value)
        {
            writer.services.push(service);
            writer.claims.extend(claims);
            continue;
        }
        let known = cx.clusters.get(cluster.name);
        let facts = known.and_then(|known| known.workloads.get(&from.workload.to_string()));
        let of_facts = facts.iter().flat_map(|facts| facts.claims.iter().map(|claim| claim.name.as_str()));
        let claims = claims.chain(of_facts).collect();
        all.push(Writer { name: service.name, cluster, from, facts, known, services: vec![service], claims });
    }
    all
}

/// Workloads that move together, as places in the list of [`writers`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// In the order in which they stop.
    pub(super) stop: Vec<usize>,
    /// Of each that stops, those that need it, directly or not.
    pub(super) dependents: BTreeMap<usize, BTreeSet<usize>>,
}

/// Puts workloads that share volumes or need each other into groups, in the order of the definition.
pub(super) fn groups(writers: &[Writer<'_>], volumes: &[Volume<'_>]) -> Vec<Group> {
    let mut needs: Vec<BTreeSet<usize>> = (0..writers.len()).map(|at| needed_by(writers, at)).collect();
    // Whoever else writes what is dumped stops before the dump.
    for volume in volumes.iter().filter(|volume| volume.def.dump.is_some()) {
        let Some(reader) = writers.iter().position(|writer| writer.is_reader_of(volume)) else { continue };
        for (at, needs) in needs.iter_mut().enumerate().filter(|(at, _)| *at != reader) {
            if writers.get(at).is_some_and(|writer| writer.uses(volume)) {
                needs.insert(reader);
            }
        }
    }
    let mut group_of: Vec<usize> = (0..writers.len()).collect();
    let mut join = |a: usize, b: usize| {
        let (from, to) = match (group_of.get(a), group_of.get(b)) {
            (Some(a), Some(b)) if a != b => (*a.max(b), *a.min(b)),
            _ => return,
        };
        for group in group_of.iter_mut().filter(|group| **group == from) {
            *group = to;
        }
    };
    for (at, needs) in needs.iter().enumerate() {
        for need in needs {
            join(at, *need);
        }
    }
    for volume in volumes {
        let users: Vec<usize> =
            writers.iter().enumerate().filter(|(_, writer)| writer.uses(volume)).map(|(at, _)| at).collect();
        for pair in users.windows(2) {
            if let [a, b] = pair {
                join(*a, *b);
            }
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, group) in group_of.iter().enumerate() {
        members.entry(*group).or_default().push(at);
    }
    members.into_values().map(|members| group(&members, &needs)).collect()
}

fn group(members: &[usize], needs: &[BTreeSet<usize>]) -> Group {
    let of = |at: usize| needs.get(at).into_iter().flatten().copied();
    // What nothing that is left needs to come after starts next; in a circle the first of the definition does.
    let mut left: Vec<usize> = members.to_vec();
    let mut start: Vec<usize> = Vec::with_capacity(left.len());
    while let Some(first) = left.first().copied() {
        let next = left.iter().copied().find(|at| of(*at).all(|need| need == *at || !left.contains(&need)));
        let next = next.unwrap_or(first);
        left.retain(|at| *at != next);
        start.push(next);
    }
    let place = |at: usize| start.iter().position(|known| *known == at);
    let mut dependents: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for at in members {
        let mut open = vec![*at];
        let mut found = BTreeSet::new();
        while let Some(one) = open.pop() {
            // An edge of a circle that the order does not keep is none.
            let above =
                members.iter().filter(|other| of(**other).any(|need| need == one) && place(**other) > place(one));
            for other in above {
                if found.insert(*other) {
                    open.push(*other);
                }
            }
        }
        dependents.insert(*at, found);
    }
    start.reverse();
    Group { stop: start, dependents }
}

/// Returns the workloads that one needs: by `after`, `requires` and a shared network of its services, and by whom it speaks with.
fn needed_by(writers: &[Writer<'_>], at: usize) -> BTreeSet<usize> {
    let Some(own) = writers.get(at) else { return BTreeSet::new() };
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for service in &own.services {
        names.extend(service.def.after.iter().chain(&service.def.requires).map(|name| name.as_str()));
        names.extend(
            service.def.container().and_then(|container| container.network_of.as_ref()).map(|name| name.as_str()),
        );
    }
    // What a module needs here it needed there as well, whatever secret keeps the address: the database that is made with it.
    let modules: BTreeSet<&str> = own
        .services
        .iter()
        .flat_map(|service| {
            service.module.iter().flat_map(|module| &module.file.requires).map(move |needed| (service, needed))
        })
        .filter(|(service, needed)| needed.when.as_ref().is_none_or(|when| service.holds(when)))
        .map(|(_, needed)| needed.module.as_str())
        .collect();
    let talks: BTreeSet<&str> =
        own.facts.iter().flat_map(|facts| facts.talks.iter().map(|talk| talk.to.as_str())).collect();
    let is_needed = |other: &Writer<'_>| {
        other.services.iter().any(|service| {
            names.contains(service.name) || service.module.is_some_and(|module| modules.contains(module.name))
        }) || other.cluster == own.cluster && talks.contains(other.identity().as_str())
    };
    let others = writers.iter().enumerate().filter(|(other, _)| *other != at);
    others.filter(|(_, other)| is_needed(other)).map(|(other, _)| other).collect()
}

/// Returns the services of a group in the order in which they start: what others need first.
pub(super) fn start_order<'a>(writers: &[Writer<'a>], group: &Group) -> Vec<&'a ResolvedService<'a>> {
    let mut left: Vec<&ResolvedService<'_>> = group
        .stop
        .iter()
        .rev()
        .filter_map(|at| writers.get(*at))
        .flat_map(|writer| writer.services.iter().copied())
        .collect();
    let mut order = Vec::with_capacity(left.len());
    while let Some(first) = left.first().copied() {
        let waits = |service: &ResolvedService<'_>| {
            let shared = service.def.container().and_then(|container| container.network_of.as_ref());
            let names = service.def.after.iter().chain(&service.def.requires).chain(shared);
            names
                .map(|name| name.as_str())
                .any(|name| left.iter().any(|other| other.name == name && other.name != service.name))
        };
        let next = left.iter().copied().find(|service| !waits(service)).unwrap_or(first);
        left.retain(|service| service.name != next.name);
        order.push(next);
    }
    order
}

/// Gives out the names of steps about services.
pub(super) fn step_id(ids: &mut Ids, what: &str, name: &str) -> String {
    ids.name(&format!("{what}-{name}"))
}
