//! Scenario migrate: services come off a Kubernetes cluster onto a host that is known to come back.
//!
//! In the cluster volumes are kept and restorers suspended; the machine gets its system and passes its reboot test as in every
//! first install. Then the services move, in groups of those that need each other: a first copy while the writers run, everything of
//! the group stopped and watched, a last copy, the comparison, the start, the traffic. A second reboot test, a backup drill and a soak
//! come before anything is deleted.
//!
//! Here belongs the order; one file has the commands of one thing, `data` those of how bytes move. A migration without manifests of
//! its cluster is planned from `migrates-from` alone: what cannot be known is a person's step that holds back what depends on it.
//!
//! Invariant: a step that stops, copies, starts or deletes can only be added to a [`Moving`], which there is none of without the steps
//! that keep and suspend, and without the reboot test.

mod context;
mod data;
mod decommission;
pub(super) mod hold;
mod ids;
mod kubectl;
mod prove;
mod record;
mod retain;
mod scripts;
mod stop;
mod suspend;
#[cfg(test)]
mod tests;
mod traffic;
mod volume;
mod writers;

use std::collections::{BTreeMap, BTreeSet};

use self::data::DataSteps;
use self::ids::Ids;
use self::retain::Kept as KeptClaim;
use self::suspend::Suspensions;
use self::volume::{ClusterRef, Volume};
use self::writers::{Group, Writer, step_id};
use super::install;
use crate::fleet::cluster::ClusterFacts;
use crate::plan::downtime::Span;
use crate::plan::gates::{self, family, id};
use crate::plan::parts::{End, Kept, Moving, Proven};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::plan::{PlanCx, PlanError, Script, seconds};
use crate::resolve::{Resolved, ResolvedHost, ResolvedService};
use crate::source::joined;

/// The headings under which the steps are read.
const BEFORE: &str = "Before anything is stopped";
const MACHINE: &str = "The machine";
const AGAIN: &str = "Prove it again, with the data";
const SOAKING: &str = "Live with it";
const DELETE: &str = "Delete what is left in the cluster";

/// Returns the files that the plan works with: scripts below `migrate/`. None of a host to which nothing moves.
pub(in crate::plan) fn files(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    clusters: &BTreeMap<String, ClusterFacts>,
) -> Result<Vec<Script>, PlanError> {
    if host.services.iter().all(|service| service.def.migrates_from.is_none()) {
        return Ok(Vec::new());
    }
    let mut files = scripts::scripts()?;
    files.extend(data::scripts(fleet, host, clusters)?);
    Ok(files)
}

/// What moves, and from where.
struct Survey<'a> {
    writers: Vec<Writer<'a>>,
    volumes: Vec<Volume<'a>>,
    clusters: Vec<ClusterRef<'a>>,
    claims: Vec<KeptClaim<'a>>,
}

impl<'a> Survey<'a> {
    /// Looks at what the definition and the manifests say. Volumes and claims get the same ids whatever plan is made of them.
    fn of(cx: &PlanCx<'a>) -> Self {
        let mut ids = Ids::default();
        let writers = writers::writers(cx);
        let volumes = volume::volumes(cx, &mut ids);
        let clusters = context::clusters(&writers);
        let claims = claims(cx, &writers, &volumes, &mut ids);
        Self { writers, volumes, clusters, claims }
    }
}

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>) -> Proven {
    let mut ids = Ids::of(gates::reserved_ids());
    let Survey { writers, volumes, clusters, claims } = Survey::of(cx);
    let services: Vec<&ResolvedService<'_>> =
        writers.iter().flat_map(|writer| writer.services.iter().copied()).collect();

    let suspensions = suspend::steps(cx, &writers, &mut ids);
    let unknown = clusters.iter().filter(|cluster| !cx.clusters.contains_key(cluster.name));
    let finds: Vec<Step> = unknown
        .map(|cluster| {
            let own: Vec<&Writer<'_>> = writers.iter().filter(|writer| writer.cluster == *cluster).collect();
            suspend::find(*cluster, &own)
        })
        .collect();
    let barrier = suspend::barrier(&suspensions, finds.iter().map(|step| step.id().to_owned()));
    let looks: Vec<Step> = clusters.iter().map(|cluster| context::check(cx, *cluster, &writers)).collect();
    let retain = claims
        .iter()
        .map(|claim| context::guarded(cx, claim.cluster, retain::step(cx, claim)).needs(context::id(claim.cluster)));
    let barrier = looks.iter().fold(barrier, |step, look| step.needs(look.id()));
    let known = clusters.iter().rev().filter(|cluster| cx.clusters.contains_key(cluster.name));
    let barrier = known.fold(barrier, |step, cluster| context::guarded(cx, *cluster, step));
    let lower = traffic::lower(cx, &services);
    let waits_for_names = !lower.is_empty();
    let headed = |steps: Vec<Step>| -> Vec<Step> { steps.into_iter().map(|step| step.phase(BEFORE)).collect() };
    let kept = Kept {
        first: headed(looks),
        retain: headed(retain.collect()),
        suspend: headed(suspensions.steps.iter().cloned().chain(finds).collect()),
        barrier: barrier.phase(BEFORE),
        beside: headed(lower),
    };

    let (machine, runs_already) = install::proven(cx);
    let mut moving = Moving::new(machine.under(MACHINE), kept);
    for service in cx.host.running().filter(|service| !services.iter().any(|moved| moved.name == service.name)) {
        let look = install::look(cx, service);
        // A service of this name may ask for an id that has a meaning of its own.
        if ids.is_free(look.id()) {
            ids.name(look.id());
            moving.then(look.phase(MACHINE));
        }
    }
    moving.then(install::learn(cx, runs_already).phase(MACHINE));

    for group in writers::groups(&writers, &volumes) {
        let steps = GroupCx {
            cx,
            writers: &writers,
            volumes: &volumes,
            suspensions: &suspensions,
            group: &group,
            waits_for_names,
        };
        steps.add(&mut moving, &mut ids);
    }

    let confirm = decommission::confirm(&writers, &volumes);
    let accounts = decommission::accounts(cx, &clusters, &writers, &claims);
    let destroy = decommission::steps(cx, &writers, &volumes, &claims, &suspensions, &mut ids);
    let headed =
        |steps: Vec<Step>, heading: &str| -> Vec<Step> { steps.into_iter().map(|step| step.phase(heading)).collect() };
    moving.end(End {
        accounts: headed(accounts, SOAKING),
        snapshots: prove::snapshots(cx, &volumes).map(|step| step.phase(AGAIN)),
        reboot_test: prove::reboot_test(cx, &services).phase(AGAIN),
        backup_drill: prove::backup_drill(cx, &volumes, &services).phase(AGAIN),
        soak: prove::soak(cx, &services).phase(SOAKING),
        confirm: confirm.phase(DELETE),
        destroy: headed(destroy, DELETE),
    })
}

/// What a migration leaves behind in its clusters, and the looks that come before it goes.
#[derive(Debug)]
pub(super) struct Left {
    /// Looks at each cluster.
    pub(super) looks: Vec<Step>,
    /// What is left in each, listed.
    pub(super) listings: Vec<Step>,
    pub(super) accounts: Vec<Step>,
    pub(super) confirm: Step,
    pub(super) destroy: Vec<Step>,
    /// The ids of the migration's steps that have verified the copies.
    pub(super) verified: Vec<String>,
}

/// Returns what is left behind; of a host to which nothing moves nothing.
pub(super) fn left_behind(cx: &PlanCx<'_>) -> Left {
    let mut ids = Ids::of(gates::reserved_ids());
    let Survey { writers, volumes, clusters, claims } = Survey::of(cx);
    // Ids are given out in the order of the migration, whose journal is asked for them.
    let suspensions = suspend::steps(cx, &writers, &mut ids);
    Left {
        looks: clusters.iter().map(|cluster| context::check(cx, *cluster, &writers)).collect(),
        listings: clusters.iter().map(|cluster| context::list(cx, *cluster)).collect(),
        accounts: decommission::accounts(cx, &clusters, &writers, &claims),
        confirm: decommission::confirm(&writers, &volumes),
        destroy: decommission::steps(cx, &writers, &volumes, &claims, &suspensions, &mut ids),
        verified: volumes.iter().map(|volume| format!("{}{}", family::VERIFY, volume.id)).collect(),
    }
}

/// Returns every claim of the workloads that move, whatever becomes of it, each once.
fn claims<'a>(cx: &PlanCx<'a>, writers: &[Writer<'a>], volumes: &[Volume<'a>], ids: &mut Ids) -> Vec<KeptClaim<'a>> {
    let mut all: Vec<KeptClaim<'a>> = Vec::new();
    for writer in writers {
        for claim in &writer.claims {
            let (cluster, namespace) = (writer.cluster, writer.namespace());
            if all.iter().any(|known| known.cluster == cluster && known.namespace == namespace && known.claim == *claim)
            {
                continue;
            }
            let moved = volumes
                .iter()
                .find(|volume| volume.cluster == cluster && volume.namespace == namespace && volume.claim() == *claim);
            let known = cx.clusters.get(cluster.name);
            all.push(KeptClaim {
                cluster,
                namespace,
                claim,
                facts: known.and_then(|known| known.claims.get(&(namespace.to_owned(), (*claim).to_owned()))),
                id: moved.map_or_else(|| ids.name(&format!("{namespace}-{claim}")), |volume| volume.id.clone()),
            });
        }
    }
    all
}

/// What the steps of a group are made from.
struct GroupCx<'p, 'a> {
    cx: &'p PlanCx<'a>,
    writers: &'p [Writer<'a>],
    volumes: &'p [Volume<'a>],
    suspensions: &'p Suspensions,
    group: &'p Group,
    waits_for_names: bool,
}

/// The steps of a volume, with whom it concerns.
struct Moved<'p, 'a> {
    volume: &'p Volume<'a>,
    steps: DataSteps,
    /// Workloads that use it, as places in the list of all.
    users: BTreeSet<usize>,
    /// The workload that a dump is read from while it runs.
    dumped_by: Option<usize>,
}

impl<'a> GroupCx<'_, 'a> {
    /// Adds the steps of the group.
    fn add(&self, moving: &mut Moving, ids: &mut Ids) {
        let cx = self.cx;
        let services = writers::start_order(self.writers, self.group);
        let names: Vec<&str> = services.iter().map(|service| service.name).collect();
        let heading = format!("Move {}", joined(&names, usize::MAX));
        let own = |at: &usize| self.group.stop.contains(at);
        let mut moved: Vec<Moved<'_, 'a>> = self
            .volumes
            .iter()
            .filter_map(|volume| {
                let users = self.writers.iter().enumerate().filter(|(_, writer)| writer.uses(volume)).map(|(at, _)| at);
                let users: BTreeSet<usize> = users.filter(own).collect();
                let steps = data::steps(cx, volume);
                let reader = self.writers.iter().position(|writer| writer.is_reader_of(volume));
                let dumped_by = reader.filter(|_| steps.reads_running);
                (!users.is_empty()).then_some(Moved { volume, steps, users, dumped_by })
            })
            .collect();

        // What has to be there before anything of the group stops.
        let mut ready: Vec<String> = Vec::new();
        let mut held: BTreeSet<&str> = BTreeSet::new();
        for service in services.iter().filter(|service| hold::can_be_held(service) && !takes_dumps(&moved, service)) {
            let id = step_id(ids, family::HOLD.trim_end_matches('-'), service.name);
            moving.then(hold::hold(cx, service, &id).phase(heading.as_str()));
            held.insert(service.name);
            ready.push(id);
        }
        let holds = ready.clone();
        for one in &mut moved {
            let mut before: Vec<String> = Vec::new();
            for step in std::mem::take(&mut one.steps.prepare) {
                let step = before.iter().fold(step, Step::needs);
                before = vec![step.id().to_owned()];
                moving.stop(holds.iter().fold(step, Step::needs).phase(heading.as_str()));
            }
            if let Some(mut step) = one.steps.first_copy.take() {
                step.id = format!("{}{}", family::FIRST_COPY, one.volume.id);
                let step = holds.iter().chain(&before).fold(step, Step::needs);
                before = vec![step.id().to_owned()];
                moving.stop(step.phase(heading.as_str()));
            }
            ready.extend(before);
        }
        if self.waits_for_names && services.iter().any(|service| traffic::has_name(cx, service)) {
            ready.push(id::WAIT_TTL.to_owned());
        }

        let stopped = self.stops(moving, ids, &mut moved, &ready, &heading);
        self.last_copies(moving, &mut moved, &stopped, &heading);

        let mut started: BTreeMap<&str, String> = BTreeMap::new();
        let mut probes: Vec<String> = Vec::new();
        for service in &services {
            let id = step_id(ids, family::START.trim_end_matches('-'), service.name);
            let mut step = hold::start(cx, service, &id, held.contains(service.name));
            let at = self.writers.iter().position(|writer| writer.services.iter().any(|own| own.name == service.name));
            // Nothing of the group starts while something of it may come back.
            for stopped in stopped.values() {
                step = step.needs(stopped.stays.clone());
            }
            for one in moved.iter().filter(|one| at.is_some_and(|at| one.users.contains(&at))) {
                step = step.needs(format!("{}{}", family::VERIFY, one.volume.id));
            }
            for other in started.values() {
                step = step.needs(other.clone());
            }
            if let Some(stop) = at.and_then(|at| stopped.get(&at)) {
                let own = moved.iter().filter(|one| at.is_some_and(|at| one.users.contains(&at)));
                let bytes = own.filter_map(|one| one.volume.used).fold(0, u64::saturating_add);
                moving.down(Span {
                    service: service.name.to_owned(),
                    from: stop.stop.clone(),
                    to: id.clone(),
                    bytes,
                    rate: seconds::copy_rate(cx.host),
                });
            }
            moving.then(step.phase(heading.as_str()));
            started.insert(service.name, id.clone());
            let questions = hold::questions(cx, service);
            let outside = traffic::from_outside(cx, service);
            if questions.is_empty() && outside.is_empty() {
                continue;
            }
            let probe = step_id(ids, family::PROBE.trim_end_matches('-'), service.name);
            let why = if outside.is_empty() {
                "It answers what its probes in the cluster asked."
            } else {
                "It answers what its probes in the cluster asked, and its virtual hosts answer at the new address while the names still lead \
                 to the cluster. The certificate is not looked at yet: it comes once the name leads here."
            };
            let step = Step::new(probe.clone(), StepKind::Verify, RunsOn::Deployer, format!("Ask {}", service.name))
                .why(why)
                .needs(id)
                .run_all(&questions)
                .run_all(&outside)
                .takes(seconds::LOOK);
            moving.then(step.phase(heading.as_str()));
            probes.push(probe);
        }
        probes.extend(started.into_values());
        let writers: Vec<&Writer<'_>> = self.group.stop.iter().filter_map(|at| self.writers.get(*at)).collect();
        for step in traffic::switch(cx, &writers, &services, &probes, ids) {
            moving.then(step.phase(heading.as_str()));
        }
        for one in moved {
            let mut before = format!("{}{}", family::VERIFY, one.volume.id);
            let stays: Vec<String> =
                one.users.iter().filter_map(|at| stopped.get(at)).map(|stopped| stopped.stays.clone()).collect();
            for step in one.steps.cleanup {
                let step = stays.iter().fold(step.needs(before.as_str()), Step::needs);
                step.id().clone_into(&mut before);
                moving.then(step.phase(heading.as_str()));
            }
        }
    }

    /// Adds the steps that stop the workloads of the group, and the dumps of databases between them.
    fn stops(
        &self,
        moving: &mut Moving,
        ids: &mut Ids,
        moved: &mut [Moved<'_, 'a>],
        ready: &[String],
        heading: &str,
    ) -> BTreeMap<usize, Stopped> {
        let cx = self.cx;
        let mut stopped: BTreeMap<usize, Stopped> = BTreeMap::new();
        // Those whose watch is still to come, and how long was watched meanwhile.
        let mut open: Vec<usize> = Vec::new();
        for at in &self.group.stop {
            let Some(writer) = self.writers.get(*at) else { continue };
            let dumped = moved.iter().any(|one| one.dumped_by == Some(*at));
            if dumped {
                self.watch(moving, &stopped, &mut open, heading);
                let clients: Vec<String> = self
                    .group
                    .dependents
                    .get(at)
                    .into_iter()
                    .flatten()
                    .filter_map(|client| stopped.get(client))
                    .map(|client| client.stays.clone())
                    .collect();
                for one in moved.iter_mut().filter(|one| one.dumped_by == Some(*at)) {
                    dump(moving, one, ready, &clients, heading);
                }
            }
            let id = step_id(ids, family::STOP.trim_end_matches('-'), writer.name);
            let stays = step_id(ids, family::STAYS_STOPPED.trim_end_matches('-'), writer.name);
            let mut step = ready.iter().fold(stop::stop(cx, writer, &id), Step::needs);
            step.before.extend(self.suspensions.checks(writer));
            let mut step = context::guarded(cx, writer.cluster, step);
            for client in self.group.dependents.get(at).into_iter().flatten().filter_map(|client| stopped.get(client)) {
                step = step.needs(client.stop.clone());
            }
            for one in moved.iter().filter(|one| one.dumped_by == Some(*at)) {
                step = step.needs(format!("{}{}", family::VERIFY, one.volume.id));
            }
            moving.stop(step.phase(heading));
            stopped.insert(*at, Stopped { stop: id, stays });
            open.push(*at);
        }
        self.watch(moving, &stopped, &mut open, heading);
        stopped
    }

    /// Adds the watches of workloads that were stopped one after the other; they run at the same time, since each counts from its stop.
    fn watch(&self, moving: &mut Moving, stopped: &BTreeMap<usize, Stopped>, open: &mut Vec<usize>, heading: &str) {
        let mut watched = 0;
        for at in open.drain(..) {
            let (Some(writer), Some(ids)) = (self.writers.get(at), stopped.get(&at)) else { continue };
            let wanted = stop::watched_minutes(writer).saturating_mul(60);
            let waits = wanted.saturating_sub(watched);
            watched = watched.max(wanted);
            let step = stop::stays(self.cx, writer, &ids.stays, &ids.stop, waits);
            moving.then(context::guarded(self.cx, writer.cluster, step).phase(heading));
        }
    }

    /// Adds the last copies of volumes whose writers have stopped, and the comparisons.
    fn last_copies(
        &self,
        moving: &mut Moving,
        moved: &mut [Moved<'_, 'a>],
        stopped: &BTreeMap<usize, Stopped>,
        heading: &str,
    ) {
        let looks = |one: &Moved<'_, 'a>| -> Vec<crate::text::ShellCommand> {
            one.users.iter().filter_map(|at| self.writers.get(*at)).map(|writer| stop::look(self.cx, writer)).collect()
        };
        for one in moved.iter_mut().filter(|one| one.dumped_by.is_none()) {
            let mut step = take(&mut one.steps.final_copy);
            step.id = format!("{}{}", family::FINAL_COPY, one.volume.id);
            for stays in one.users.iter().filter_map(|at| stopped.get(at)).map(|stopped| stopped.stays.clone()) {
                step = step.needs(stays);
            }
            step = looks(one).iter().fold(step, Step::before);
            let copy = step.id().to_owned();
            moving.stop(step.phase(heading));
            let mut verify = take(&mut one.steps.verify);
            verify.id = format!("{}{}", family::VERIFY, one.volume.id);
            // Whoever came back while the copy was made has made it worthless.
            let verify = looks(one).iter().fold(verify.needs(copy), Step::after);
            moving.then(verify.phase(heading));
        }
    }
}

/// Adds the last dump of a database whose clients have stopped while it runs, and the comparison.
fn dump(moving: &mut Moving, one: &mut Moved<'_, '_>, ready: &[String], clients: &[String], heading: &str) {
    let mut step = take(&mut one.steps.final_copy);
    step.id = format!("{}{}", family::FINAL_DUMP, one.volume.id);
    let step = ready.iter().chain(clients).fold(step, Step::needs);
    let dump = step.id().to_owned();
    moving.stop(step.phase(heading));
    let mut verify = take(&mut one.steps.verify);
    verify.id = format!("{}{}", family::VERIFY, one.volume.id);
    moving.then(verify.needs(dump).phase(heading));
}

/// The ids of the steps that stop a workload and watch it.
#[derive(Debug)]
struct Stopped {
    stop: String,
    stays: String,
}

/// Takes a step out of its place.
fn take(step: &mut Step) -> Step {
    std::mem::replace(step, Step::new("", StepKind::Verify, RunsOn::Person, ""))
}

/// Tells whether all data of a service comes by dumps: then it has to run to take them.
fn takes_dumps(moved: &[Moved<'_, '_>], service: &ResolvedService<'_>) -> bool {
    let mut own =
        moved.iter().filter(|one| one.volume.services.iter().any(|user| user.name == service.name)).peekable();
    own.peek().is_some() && own.all(|one| one.dumped_by.is_some())
}
