//! From objects to an inventory: attribution, translation, the table of fields, the sums.

use std::collections::BTreeMap;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::claims::{self, ClaimEntry};
use super::context::{Cx, Target};
use super::draft::{HostDraft, WorkDraft};
use super::graph::{self, Edge, Way};
use super::ledger::{
    FieldEntry, Ledger, ObjectEntry, Outcome, QuestionEntry, RefusedEntry, StateEntry, Totals, Unsettled, WorkloadEntry,
};
use super::lost::LostEntry;
use super::object::{Object, ObjectId};
use super::placement::{self, Demand};
use super::restorers::{self, Restorer};
use super::tree::Leaf;
use super::world::World;
use super::{attribution, ending, fields, lost, translate};
use crate::source::Diagnostics;

/// What became of a cluster's objects.
#[derive(Debug)]
pub struct Inventory {
    /// Every object with its leaves.
    pub objects: Vec<ObjectEntry>,
    /// What a person has to decide, in the order in which it blocks.
    pub questions: Vec<QuestionEntry>,
    /// What runs, and what it becomes.
    pub workloads: Vec<WorkloadEntry>,
    /// Every claim: what it asks for, where its data lies, and where it goes.
    pub claims: Vec<ClaimEntry>,
    /// What would bring back what, outermost first.
    pub restorers: Vec<Restorer>,
    /// The sums.
    pub totals: Totals,
    /// What is to be added to the host.
    pub host: HostDraft,
    /// Which service speaks with which.
    pub talks: Vec<Edge>,
    /// How each service is reached from outside of its containers' network.
    pub reached_by: BTreeMap<String, Vec<Way>>,
    /// What a cluster did that hosts do not.
    pub lost: Vec<LostEntry>,
    /// The host of each service, where there are several.
    pub hosts: BTreeMap<String, String>,
    /// Findings about the input.
    pub found: Diagnostics,
}

/// Translates all objects. With `fields` every leaf is listed. Fails only where a leaf has no disposition, which is a defect of the
/// program.
pub fn inventory(world: &World<'_>, target: &Target<'_>, fields: bool) -> Result<Inventory, Unsettled> {
    let mut cx = Cx::new(world, target);
    world.notes.settle(&mut cx);
    attribution::run(&mut cx);
    ending::run(&mut cx);
    cx.ask_places();
    translate::run(&mut cx);
    close(cx, fields)
}

/// Returns what the workloads of the input ask of hosts.
pub fn demand(world: &World<'_>, target: &Target<'_>) -> Demand {
    let mut cx = Cx::new(world, target);
    world.notes.settle(&mut cx);
    attribution::run(&mut cx);
    ending::run(&mut cx);
    translate::run(&mut cx);
    let (talks, _) = graph::run(&mut cx);
    placement::demand(&cx, &talks)
}

/// Finds out who talks to whom, settles what no translator settled, and adds up.
pub(super) fn close(mut cx: Cx<'_, '_>, fields: bool) -> Result<Inventory, Unsettled> {
    let world = cx.world;
    let (talks, reached_by) = graph::run(&mut cx);
    translate::pod::connect(&mut cx);
    world.notes.follow(&mut cx);
    fields::settle_rest(&mut cx);
    for migration in cx.host.services.values_mut().filter_map(|service| service.migration.as_mut()) {
        cx.target.cluster.clone_into(&mut migration.cluster);
    }
    let written: Vec<&Object<'_>> = world.objects().iter().filter(|object| object.made_from.is_none()).collect();
    let entry_of = |object: &&Object<'_>| Ok(entry(&cx, object, cx.books.close(object.id.0 as usize)?, fields));
    let (objects, (restorers, lost)) = rayon::join(
        || written.par_iter().map(entry_of).collect::<Result<Vec<ObjectEntry>, Unsettled>>(),
        || (restorers::find(world), lost::find(&cx)),
    );
    let objects = objects?;
    let mut totals = Totals::default();
    for object in &objects {
        totals += object.totals;
    }
    let questions = questions(&cx);
    let workloads = workloads(&cx);
    let claims = claims::entries(&cx);
    let hosts = cx.host.services.keys().filter_map(|name| Some((name.clone(), cx.host_of(name)?.to_owned())));
    let hosts = hosts.collect();
    let (host, found) = (cx.host, cx.found);
    Ok(Inventory {
        objects,
        questions,
        workloads,
        claims,
        restorers,
        totals,
        host,
        talks,
        reached_by,
        lost,
        hosts,
        found,
    })
}

impl Inventory {
    /// Returns it as it leaves the program.
    pub fn into_ledger(
        self,
        files: usize,
        refused: Vec<RefusedEntry>,
        Outcome { capacity, definitions, placement, timelines }: Outcome,
    ) -> Ledger {
        Ledger {
            version: 1,
            files,
            objects: self.objects,
            refused,
            questions: self.questions,
            workloads: self.workloads,
            claims: self.claims,
            talks: self.talks,
            reached_by: self.reached_by,
            restorers: self.restorers,
            lost: self.lost,
            capacity,
            definitions,
            reading: None,
            placement,
            timelines,
            totals: self.totals,
        }
    }
}

/// Returns what runs, in the order in which it was read.
fn workloads(cx: &Cx<'_, '_>) -> Vec<WorkloadEntry> {
    let mut made: BTreeMap<ObjectId, Vec<&String>> = BTreeMap::new();
    for (name, draft) in &cx.host.services {
        made.entry(draft.object).or_default().push(name);
    }
    let mut blocking: BTreeMap<&str, usize> = BTreeMap::new();
    for question in cx.questions.iter().filter(|question| question.blocks) {
        if let Some((object, _)) = question.id.split_once('#') {
            *blocking.entry(object).or_default() += 1;
        }
    }
    let of = |object: &Object<'_>| {
        let main = cx.services.get(&object.id)?;
        let mut services: Vec<String> = vec![main.clone()];
        let others = made.get(&object.id).into_iter().flatten().filter(|name| **name != main);
        services.extend(others.map(|name| (*name).clone()));
        let draft = cx.host.services.get(main);
        let becomes = draft.map_or_else(String::new, |draft| match &draft.work {
            WorkDraft::Container(container) => format!("container {}", container.image),
            WorkDraft::Native(native) => format!("native {}", native.module),
        });
        let volumes = draft.and_then(|draft| draft.migration.as_ref()).map_or(&[][..], |migration| &migration.volumes);
        let state = volumes.iter().map(|volume| StateEntry {
            claim: volume.claim.clone(),
            to: volume.to.clone(),
            used: volume.used.clone(),
        });
        let identity = object.identity();
        Some(WorkloadEntry {
            kind: object.kind.to_string(),
            name: format!("{}/{}", object.namespace(), object.shown_name()),
            services: if draft.is_some() { services } else { Vec::new() },
            becomes,
            why: draft.and_then(|draft| draft.why_container.clone()),
            state: state.collect(),
            blocking: blocking.get(identity.as_str()).copied().unwrap_or(0),
            host: cx.host_of(main).map(str::to_owned),
            object: identity,
        })
    };
    cx.world.objects().iter().filter_map(of).collect()
}

fn entry(cx: &Cx<'_, '_>, object: &Object<'_>, sums: Totals, with_fields: bool) -> ObjectEntry {
    let world = cx.world;
    let start = world.sources.place(object.file, object.root.span.start as usize, object.root.span.end as usize);
    let fields = with_fields.then(|| {
        let mut all = Vec::with_capacity(sums.leaves);
        object.root.each_leaf(&mut |path, leaf| {
            if let Some((disposition, to, reason)) = cx.books.of(leaf) {
                let (to, reason) = (to.map(str::to_owned), reason.map(str::to_owned));
                all.push(FieldEntry { path: path.to_owned(), disposition, to, reason });
            }
        });
        all
    });
    ObjectEntry {
        api_version: object.api_version.to_string(),
        kind: object.kind.to_string(),
        namespace: object.own_namespace().map(str::to_owned),
        name: object.shown_name(),
        file: world.sources.file(object.file).path().to_owned(),
        line: world.sources.position(start).line,
        leaves: sums.leaves,
        totals: sums,
        owner: object.controller().map(|(kind, name)| format!("{kind}/{name}")),
        fields,
    }
}

/// Returns the questions, those that block first, else in the order in which they were asked.
fn questions(cx: &Cx<'_, '_>) -> Vec<QuestionEntry> {
    let mut all: Vec<QuestionEntry> = Vec::with_capacity(cx.questions.len());
    for question in &cx.questions {
        let Some(place) = cx.world.place(question.node) else { continue };
        let position = cx.world.sources.position(place);
        let mut leaves = question.further;
        question.node.each_leaf(&mut |_, leaf| leaves += usize::from(leaf.leaf().number != Leaf::MADE));
        all.push(QuestionEntry {
            id: question.id.clone(),
            file: cx.world.sources.file(place.file).path().to_owned(),
            line: position.line,
            column: position.column,
            path: cx.world.path(question.node),
            question: question.text.clone(),
            blocks: question.blocks,
            leaves,
        });
    }
    all.sort_by_key(|question| !question.blocks);
    all
}
