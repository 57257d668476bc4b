//! From files to a world of objects: reading, lists, kustomizations.

use rayon::prelude::*;

use super::kustomize::listed::Listed;
use super::ledger::RefusedEntry;
use super::object::{Written, expand};
use super::read::{Read, Refusal, read};
use super::tree::Node;
use super::world::World;
use super::{app_template, kustomize, live};
use crate::source::{Diagnostics, FileId, Sources};

/// What was read.
#[derive(Debug)]
pub struct Loaded<'s> {
    /// The objects.
    pub world: World<'s>,
    /// Files and documents that are no objects, or cannot be read.
    pub refused: Vec<Refusal>,
    /// What is odd about the files.
    pub found: Diagnostics,
}

/// Why a document without `apiVersion` or `kind` is refused.
pub(super) const NO_OBJECT: &str = "no object of Kubernetes: it lacks `apiVersion` or `kind`";

/// What the reason begins with of something that a cluster has and that was not read.
pub(super) const LOST: &str = "not read from the cluster: ";

/// Reads files that were added to `sources`.
pub fn load<'s>(sources: &'s Sources, files: &[FileId]) -> Loaded<'s> {
    let read: Vec<(FileId, Read<'s>)> = files.par_iter().map(|file| (*file, read(sources, *file))).collect();
    let mut loaded = Loaded { world: World::new(sources), refused: Vec::new(), found: Diagnostics::new() };
    let listed = listed(sources, &read);
    let mut written = Vec::new();
    for (file, mut read) in read {
        let path = sources.file(file).path();
        if listed.data.contains(path) && !listed.objects.contains(path) {
            // It is a value of an object, whatever it says itself.
            continue;
        }
        loaded.found.append(&mut read.found);
        loaded.refused.append(&mut read.refused);
        for document in read.documents {
            if let Some(mut lost) = live::unread::refusals(sources, file, &document.root) {
                loaded.refused.append(&mut lost);
                continue;
            }
            let (start, end) = (document.root.span.start as usize, document.root.span.end as usize);
            let by_name = by_name(path, listed.patches.contains(path), &document.root);
            let objects = match by_name {
                Some((version, kind)) => vec![(version.into(), kind.into(), document.root)],
                None => expand(document.root),
            };
            if objects.is_empty() {
                let place = sources.place(file, start, end);
                loaded.refused.push(Refusal { place, reason: NO_OBJECT.to_owned(), help: None, hides: true });
            }
            let of_file = |(api_version, kind, root)| Written { file, api_version, kind, root };
            written.extend(objects.into_iter().map(of_file));
        }
    }
    loaded.world.add_all(written);
    arrange(&mut loaded.world, files);
    loaded
}

/// Returns what the kustomizations among some files name.
fn listed(sources: &Sources, read: &[(FileId, Read<'_>)]) -> Listed {
    let mut all = Listed::default();
    for (file, read) in read {
        let path = sources.file(*file).path();
        if kustomize::listed::is_kustomization_file(path) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            read.documents.iter().for_each(|document| all.add(folder, &document.root));
        }
    }
    all
}

/// Returns what a document is by its file alone: a kustomization need not say what it is, and a list of changes cannot.
fn by_name(path: &str, is_patch: bool, root: &Node<'_>) -> Option<(&'static str, &'static str)> {
    let lacks = |key: &str| root.get(key).and_then(Node::text).is_none();
    if kustomize::listed::is_kustomization_file(path)
        && !root.pairs().is_empty()
        && (lacks("apiVersion") || lacks("kind"))
    {
        return Some(("kustomize.config.k8s.io/v1beta1", "Kustomization"));
    }
    let is_object = !lacks("apiVersion") && !lacks("kind");
    (is_patch && !is_object && !root.is_leaf()).then_some(("kustomize.config.k8s.io/v1beta1", "Patch"))
}

/// Puts objects together that stand in several places, and makes all of them findable.
pub(super) fn arrange(world: &mut World<'_>, files: &[FileId]) {
    kustomize::apply(world, files);
    app_template::expand(world);
    world.index();
}

impl Loaded<'_> {
    /// Returns what was not read, as it leaves the program.
    pub fn refused(&self) -> Vec<RefusedEntry> {
        let sources = self.world.sources;
        let entry = |refusal: &Refusal| {
            let position = sources.position(refusal.place);
            RefusedEntry {
                file: sources.file(refusal.place.file).path().to_owned(),
                line: position.line,
                column: position.column,
                reason: refusal.reason.clone(),
                help: refusal.help.clone(),
            }
        };
        self.refused.iter().map(entry).collect()
    }
}
