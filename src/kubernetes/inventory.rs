//! From objects to an inventory: attribution, translation, the table of fields, the sums.

use super::context::{Cx, Target};
use super::draft::HostDraft;
use super::ledger::{FieldEntry, ObjectEntry, QuestionEntry, Totals, Unsettled};
use super::object::Object;
use super::restorers::{self, Restorer};
use super::world::World;
use super::{attribution, fields, translate};
use crate::source::Diagnostics;

/// What became of a cluster's objects.
#[derive(Debug)]
pub struct Inventory {
    /// Every object with its leaves.
    pub objects: Vec<ObjectEntry>,
    /// What a person has to decide, in the order in which it blocks.
    pub questions: Vec<QuestionEntry>,
    /// What would bring back what, outermost first.
    pub restorers: Vec<Restorer>,
    /// The sums.
    pub totals: Totals,
    /// What is to be added to the host.
    pub host: HostDraft,
    /// Findings about the input.
    pub found: Diagnostics,
}

/// Translates all objects. With `fields` every leaf is listed. Fails only where a leaf has no disposition, which is a defect of the
/// program.
pub fn inventory(world: &World<'_>, target: &Target<'_>, fields: bool) -> Result<Inventory, Unsettled> {
    let mut cx = Cx::new(world, target);
    attribution::run(&mut cx);
    translate::run(&mut cx);
    fields::settle_rest(&mut cx);
    let mut totals = Totals::default();
    let mut objects = Vec::with_capacity(world.objects().len());
    for object in world.objects() {
        let sums = cx.books.close(object.id.0 as usize)?;
        totals += sums;
        objects.push(entry(&cx, object, sums, fields));
    }
    let questions = questions(&cx);
    let restorers = restorers::find(world);
    Ok(Inventory { objects, questions, restorers, totals, host: cx.host, found: cx.found })
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
        question.node.each_leaf(&mut |_, _| leaves += 1);
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
