//! Kustomizations, of kustomize and of Flux: lists of objects and what is changed about them.
//!
//! Here belong: which objects a kustomization lists, in which order they are changed, and what becomes of its own leaves. What is
//! changed is one file each: patches (`merge`, `json_patch`), names, labels and images (`transform`), objects that are made of files
//! and words (`generate`), `${NAME}` (`flux`). Not here: loading files; what becomes of the changed objects.
//!
//! Invariant: a leaf stays with the object that wrote it. What no changed object says any more is noted with what took its place.
//!
//! Source: the reference of the kustomization file (kubectl.docs.kubernetes.io/references/kustomize), the documentation of Flux's
//! kustomize-controller.

mod flux;
mod generate;
mod json_patch;
pub mod listed;
mod merge;
mod patches;
#[cfg(test)]
mod tests;
mod transform;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use self::listed::{folder_of, is_kustomization_file, join};
use super::notes::Notes;
use super::object::{Object, ObjectId};
use super::tree::{Leaf, Node};
use super::world::World;
use crate::source::FileId;

/// How deep kustomizations list each other at most.
const DEEPEST: usize = 30;

/// How many objects come of all kustomizations at most: what lists itself over and over ends here.
const MOST: usize = 200_000;

/// An object on its way through kustomizations.
#[derive(Debug, Clone)]
struct Item<'s> {
    /// The object that it comes from; of what is made of files and words, the kustomization.
    from: ObjectId,
    version: Cow<'s, str>,
    kind: Cow<'s, str>,
    tree: Node<'s>,
    moved_to: Option<String>,
    is_made: bool,
}

impl<'s> Item<'s> {
    fn of(object: &Object<'s>) -> Self {
        Self {
            from: object.id,
            version: object.api_version.clone(),
            kind: object.kind.clone(),
            tree: object.tree().clone(),
            moved_to: object.moved_to.clone(),
            is_made: false,
        }
    }

    fn name(&self) -> &str {
        self.tree.at(&["metadata", "name"]).and_then(Node::text).unwrap_or("")
    }

    fn namespace(&self) -> Option<&str> {
        let own = || self.tree.at(&["metadata", "namespace"]).and_then(Node::text).filter(|name| !name.is_empty());
        self.moved_to.as_deref().or_else(own)
    }

    fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// A leaf that something else took the place of, and what did.
#[derive(Debug)]
struct Lost {
    leaf: Leaf,
    by: String,
}

/// Applies all kustomizations of the input.
pub(super) fn apply(world: &mut World<'_>, files: &[FileId]) {
    let is_one = |object: &Object<'_>| is_kustomization(object) || flux::is_one(object);
    if !world.objects().iter().any(is_one) {
        return;
    }
    let mut run = Run::new(world, files);
    let finished = run.roots();
    let Run { notes, lost, mut patches, removed, .. } = run;
    let kept: BTreeSet<ObjectId> = finished.iter().map(|item| item.from).collect();
    patches.extend(removed.difference(&kept));
    finish(world, finished, notes, lost, &patches);
}

/// Tells whether an object is a kustomization of kustomize, or a component.
fn is_kustomization(object: &Object<'_>) -> bool {
    object.group() == "kustomize.config.k8s.io" && (object.kind == "Kustomization" || object.kind == "Component")
}

/// One run over the kustomizations of the input.
struct Run<'n, 's> {
    world: &'n World<'s>,
    /// Kustomizations by folder.
    folders: BTreeMap<String, &'n Object<'s>>,
    /// What stands in a file.
    objects: BTreeMap<&'n str, Vec<&'n Object<'s>>>,
    /// Files by path.
    files: BTreeMap<&'n str, FileId>,
    /// Objects that only change others.
    patches: BTreeSet<ObjectId>,
    /// Objects that a patch takes away.
    removed: BTreeSet<ObjectId>,
    /// Kustomizations whose leaves are noted.
    noted: BTreeSet<ObjectId>,
    /// Kustomizations that are being read.
    open: Vec<ObjectId>,
    notes: Notes,
    lost: Vec<Lost>,
    count: usize,
}

impl<'n, 's> Run<'n, 's> {
    fn new(world: &'n World<'s>, files: &[FileId]) -> Self {
        let path = |id: FileId| world.sources.file(id).path();
        let mut run = Run {
            world,
            folders: BTreeMap::new(),
            objects: BTreeMap::new(),
            files: files.iter().map(|id| (path(*id), *id)).collect(),
            patches: BTreeSet::new(),
            removed: BTreeSet::new(),
            noted: BTreeSet::new(),
            open: Vec::new(),
            notes: Notes::default(),
            lost: Vec::new(),
            count: 0,
        };
        for object in world.objects() {
            let path = path(object.file);
            if is_kustomization(object) && is_kustomization_file(path) {
                run.folders.insert(folder_of(path).to_owned(), object);
            } else {
                run.objects.entry(path).or_default().push(object);
            }
        }
        let mut listed = listed::Listed::default();
        for (folder, object) in &run.folders {
            listed.add(folder, object.tree());
        }
        for object in world.objects() {
            // A kind of this program: a list of changes, which is no object.
            if listed.patches.contains(path(object.file))
                || object.kind == "Patch" && object.group() == "kustomize.config.k8s.io"
            {
                run.patches.insert(object.id);
            }
        }
        run
    }

    /// Returns what comes of the kustomizations that no other one lists, and of those of Flux.
    fn roots(&mut self) -> Vec<Item<'s>> {
        let below: BTreeSet<String> =
            self.folders.iter().flat_map(|(folder, object)| listed::folders(folder, object.tree())).collect();
        let roots: Vec<(String, &'n Object<'s>)> = self
            .folders
            .iter()
            .filter(|(folder, object)| !below.contains(*folder) && object.kind != "Component")
            .map(|(folder, object)| (folder.clone(), *object))
            .collect();
        let fluxes: Vec<&'n Object<'s>> = self.world.objects().iter().filter(|object| flux::is_one(object)).collect();
        let mut finished = Vec::new();
        let mut delivered: BTreeSet<String> = BTreeSet::new();
        for object in fluxes {
            if let Some((folder, items)) = self.flux(object) {
                finished.extend(items);
                delivered.insert(folder);
            }
        }
        for (folder, object) in roots {
            if !delivered.contains(&folder) {
                finished.extend(self.build(&folder, object));
            }
        }
        // What is listed by nobody that is read: a circle.
        let left: Vec<(String, &'n Object<'s>)> = self
            .folders
            .iter()
            .filter(|(_, object)| !self.noted.contains(&object.id))
            .map(|(folder, object)| (folder.clone(), *object))
            .collect();
        for (folder, object) in left {
            let items = self.build(&folder, object);
            if object.kind != "Component" {
                finished.extend(items);
            }
        }
        finished
    }

    /// Returns what a kustomization comes to.
    fn build(&mut self, folder: &str, object: &'n Object<'s>) -> Vec<Item<'s>> {
        let mut items = Vec::new();
        self.build_onto(folder, object, &mut items);
        items
    }

    /// Adds what a kustomization lists to what is there, and changes all of it.
    fn build_onto(&mut self, folder: &str, object: &'n Object<'s>, items: &mut Vec<Item<'s>>) {
        if self.open.contains(&object.id) || self.open.len() >= DEEPEST || self.count > MOST {
            self.ask(folder, object, object.tree(), "it lists itself, or too much");
            return;
        }
        self.open.push(object.id);
        self.noted.insert(object.id);
        let tree = object.tree();
        for entry in ["resources", "bases"].iter().flat_map(|key| tree.list(key)) {
            let listed = self.list(folder, object, entry);
            self.count += listed.len();
            items.extend(listed);
        }
        self.generate(folder, object, items);
        for entry in tree.list("components") {
            self.component(folder, object, entry, items);
        }
        self.patch(folder, object, tree, items);
        self.transform(folder, object, items);
        self.rest(folder, object);
        self.open.pop();
    }

    /// Adds what a component lists, and applies its changes to all.
    fn component(&mut self, folder: &str, object: &'n Object<'s>, entry: &'n Node<'s>, items: &mut Vec<Item<'s>>) {
        let Some(text) = entry.text() else { return };
        let there = join(folder, text);
        match self.folders.get(&there).copied() {
            Some(component) => {
                self.notes.replaced(entry, format!("the component in `{there}`, which is read and applied"));
                self.build_onto(&there, component, items);
            }
            None => self.missing(folder, object, entry),
        }
    }

    /// Returns what stands where an entry of a kustomization leads.
    fn list(&mut self, folder: &str, object: &'n Object<'s>, entry: &'n Node<'s>) -> Vec<Item<'s>> {
        let Some(text) = entry.text() else { return Vec::new() };
        let there = join(folder, text);
        if let Some(listed) = self.folders.get(&there).copied() {
            self.notes.replaced(entry, format!("the kustomization in `{there}`, which is read"));
            return self.build(&there, listed);
        }
        let objects = self.objects.get(there.as_str()).cloned().unwrap_or_default();
        if objects.is_empty() && !self.files.contains_key(there.as_str()) {
            self.missing(folder, object, entry);
            return Vec::new();
        }
        self.notes.replaced(entry, format!("the objects in `{there}`, which are read"));
        let own = objects.into_iter().filter(|object| !self.patches.contains(&object.id) && !is_kustomization(object));
        own.map(Item::of).collect()
    }

    fn missing(&mut self, folder: &str, object: &'n Object<'s>, entry: &'n Node<'s>) {
        self.ask(folder, object, entry, "part of it lies elsewhere and was not read");
    }

    /// Asks for the rendered objects.
    fn ask(&mut self, folder: &str, object: &Object<'s>, node: &Node<'s>, why: &str) {
        let shown = if folder.is_empty() { "." } else { folder };
        let command = crate::text::ShellCommand::new("kustomize").arg("build").arg("--").arg(shown);
        let text = format!(
            "{why}: run `{command}` and give its output to `migrate` in place of this folder, or carry over by hand what this does"
        );
        self.notes.ask(object.id, node, "kustomize", text, false);
    }

    /// Notes what is left of a kustomization.
    fn rest(&mut self, folder: &str, object: &'n Object<'s>) {
        for pair in object.tree().pairs() {
            match pair.key.as_ref() {
                "apiVersion" | "kind" => {
                    self.notes.replaced(&pair.node, "the objects that it lists, as it changes them");
                }
                "metadata" | "crds" | "buildMetadata" | "sortOptions" | "generatorOptions" => {
                    self.notes.dropped(
                        &pair.node,
                        "it says nothing about what runs: a service starts again when its files change",
                    );
                }
                key if listed::ONLY_KUSTOMIZE.contains(&key) => {
                    self.ask(folder, object, &pair.node, "it is more than a list of objects with plain changes");
                }
                _ => {}
            }
        }
    }

    /// Remembers that something took the place of what a value says.
    fn lose(&mut self, node: &Node<'s>, by: &str) {
        node.each_leaf(&mut |_, leaf| self.lost.push(Lost { leaf: leaf.leaf(), by: by.to_owned() }));
    }
}

/// Writes what came of the kustomizations into the world.
fn finish<'s>(
    world: &mut World<'s>,
    items: Vec<Item<'s>>,
    mut notes: Notes,
    lost: Vec<Lost>,
    patches: &BTreeSet<ObjectId>,
) {
    let mut kept: BTreeSet<(u32, u32)> = BTreeSet::new();
    if !lost.is_empty() {
        for item in &items {
            item.tree.each_leaf(&mut |_, leaf| {
                kept.insert((leaf.leaf().owner, leaf.leaf().number));
            });
        }
    }
    let mut seen: BTreeMap<ObjectId, (Option<String>, String)> = BTreeMap::new();
    for item in items {
        let identity = (item.namespace().map(str::to_owned), item.name().to_owned());
        let first = seen.get(&item.from);
        if item.is_made || first.is_some_and(|known| *known != identity) {
            // The same base under another name is another object.
            if let Some(id) = world.add_made(item.from, item.version, item.kind, item.tree) {
                if let Some(object) = world.objects_mut().get_mut(id.0 as usize) {
                    object.moved_to = item.moved_to;
                }
            }
            continue;
        }
        seen.insert(item.from, identity);
        if let Some(object) = world.objects_mut().get_mut(item.from.0 as usize) {
            object.moved_to = item.moved_to;
            object.patched = (item.tree != object.root).then_some(item.tree);
        }
    }
    for Lost { leaf, by } in lost {
        if !kept.contains(&(leaf.owner, leaf.number)) {
            notes.lost(leaf, by);
        }
    }
    for id in patches {
        if let Some(object) = world.objects_mut().get_mut(id.0 as usize) {
            object.is_patch = true;
        }
    }
    world.notes.append(notes);
}
