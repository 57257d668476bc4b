//! From files to a world of objects: reading, lists, kustomizations.

use rayon::prelude::*;

use super::ledger::RefusedEntry;
use super::object::expand;
use super::read::{Read, Refusal, read};
use super::world::World;
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

/// Reads files that were added to `sources`.
pub fn load<'s>(sources: &'s Sources, files: &[FileId]) -> Loaded<'s> {
    let read: Vec<(FileId, Read<'s>)> = files.par_iter().map(|file| (*file, read(sources, *file))).collect();
    let mut loaded = Loaded { world: World::new(sources), refused: Vec::new(), found: Diagnostics::new() };
    for (file, mut read) in read {
        loaded.found.append(&mut read.found);
        loaded.refused.append(&mut read.refused);
        for document in read.documents {
            let (start, end) = (document.root.span.start as usize, document.root.span.end as usize);
            let objects = expand(document.root);
            if objects.is_empty() {
                let place = sources.place(file, start, end);
                loaded.refused.push(Refusal { place, reason: NO_OBJECT.to_owned(), help: None, hides: true });
            }
            for (version, kind, root) in objects {
                loaded.world.add(file, version, kind, root);
            }
        }
    }
    loaded.world.index();
    loaded
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
