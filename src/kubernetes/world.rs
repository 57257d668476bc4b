//! All objects of a run, and how one finds another.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use rayon::iter::{IntoParallelRefMutIterator as _, ParallelIterator as _};

use super::notes::Notes;
use super::object::{Object, ObjectId, Written, is_cluster_wide};
use super::tree::{Node, Pair, Value};
use crate::source::{FileId, Place, Sources};

/// All objects of a run.
#[derive(Debug)]
pub struct World<'s> {
    /// The files they stand in.
    pub sources: &'s Sources,
    /// What was settled while objects were put together.
    pub(super) notes: Notes,
    objects: Vec<Object<'s>>,
    /// By kind, namespace and name: the last of those that share them, which is the one that counts in a cluster.
    by_name: HashMap<String, ObjectId, RandomState>,
    by_kind: BTreeMap<String, Vec<ObjectId>>,
}

impl<'s> World<'s> {
    /// Returns an empty world over the files of a run.
    pub fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            notes: Notes::default(),
            objects: Vec::new(),
            by_name: HashMap::default(),
            by_kind: BTreeMap::new(),
        }
    }

    /// Adds an object; its leaves are numbered as its own.
    pub fn add(&mut self, file: FileId, api_version: Cow<'s, str>, kind: Cow<'s, str>, root: Node<'s>) -> ObjectId {
        let id = self.next();
        self.add_all(vec![Written { file, api_version, kind, root }]);
        id
    }

    /// Adds objects; the leaves of each are numbered as its own.
    pub fn add_all(&mut self, written: Vec<Written<'s>>) {
        let first = self.objects.len();
        for Written { file, api_version, kind, root } in written {
            self.objects.push(Object {
                id: self.next(),
                file,
                root,
                leaves: 0,
                api_version,
                kind,
                patched: None,
                moved_to: None,
                made_from: None,
                is_patch: false,
            });
        }
        let added = self.objects.get_mut(first..).unwrap_or_default();
        added.par_iter_mut().for_each(|object| object.leaves = object.root.number(object.id.0));
    }

    fn next(&self) -> ObjectId {
        ObjectId(u32::try_from(self.objects.len()).unwrap_or(u32::MAX))
    }

    /// Adds an object that no file holds as it is, made of another one, whose leaves its tree carries.
    pub fn add_made(
        &mut self,
        from: ObjectId,
        api_version: Cow<'s, str>,
        kind: Cow<'s, str>,
        tree: Node<'s>,
    ) -> Option<ObjectId> {
        let file = self.object(from)?.file;
        let root = Node::made(Value::Mapping(Vec::new()), &tree);
        let id = self.add(file, api_version, kind, root);
        let object = self.objects.last_mut()?;
        object.root = Node::made(Value::Mapping(Vec::new()), &tree);
        object.leaves = 0;
        object.patched = Some(tree);
        object.made_from = Some(from);
        Some(id)
    }

    /// Tells whether other objects are made of an object: what it says is translated with those.
    pub fn is_source(&self, object: &Object<'_>) -> bool {
        self.objects
            .iter()
            .rev()
            .take_while(|made| made.made_from.is_some())
            .any(|made| made.made_from == Some(object.id))
    }

    /// Makes objects findable, after all were added and patched.
    pub fn index(&mut self) {
        self.by_name.clear();
        self.by_kind.clear();
        for object in self.objects.iter().filter(|object| !object.is_patch) {
            self.by_kind.entry(object.kind.to_string()).or_default().push(object.id);
            if !object.name().is_empty() {
                self.by_name.insert(key(&object.kind, object.namespace(), object.name()), object.id);
            }
        }
    }

    /// Returns all objects, in the order in which they were read.
    pub fn objects(&self) -> &[Object<'s>] {
        &self.objects
    }

    /// Returns all objects to be changed by patches.
    pub fn objects_mut(&mut self) -> &mut [Object<'s>] {
        &mut self.objects
    }

    /// Returns an object of this world.
    pub fn object(&self, id: ObjectId) -> Option<&Object<'s>> {
        self.objects.get(id.0 as usize)
    }

    /// Returns all objects of a kind, of every API group, in the order in which they were read.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object<'s>> {
        self.by_kind.get(kind).into_iter().flatten().filter_map(|id| self.object(*id))
    }

    /// Returns the object of a kind by namespace and name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object<'s>> {
        self.object(*self.by_name.get(&key(kind, namespace, name))?)
    }

    /// Returns the object that counts where another one of the same kind, namespace and name was read later.
    pub fn superseded_by(&self, object: &Object<'_>) -> Option<&Object<'s>> {
        let counts = self.find(&object.kind, object.namespace(), object.name())?;
        (counts.id != object.id && counts.group() == object.group()).then_some(counts)
    }

    /// Returns the kinds that were read, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.by_kind.keys().map(String::as_str)
    }

    /// Returns where a value stands, in the file of the object that wrote it.
    pub fn place(&self, node: &Node<'_>) -> Option<Place> {
        let owner = self.object(ObjectId(node.leaf().owner))?;
        Some(self.sources.place(owner.file, node.span.start as usize, node.span.end as usize))
    }

    /// Returns where the value of a key stands, its key included.
    pub fn place_of_pair(&self, pair: &Pair<'_>) -> Option<Place> {
        let owner = self.object(ObjectId(pair.node.leaf().owner))?;
        Some(self.sources.place(owner.file, pair.at.start as usize, pair.node.span.end as usize))
    }

    /// Returns the path of a value within the object that wrote it; empty where it was made up.
    pub fn path(&self, node: &Node<'_>) -> String {
        let owner = self.object(ObjectId(node.leaf().owner));
        let in_tree = |object: &Object<'s>| object.root.path_to(node).or_else(|| object.tree().path_to(node));
        owner.and_then(in_tree).unwrap_or_default()
    }

    /// Returns `file:line` of a value, for comments and reasons.
    pub fn at(&self, node: &Node<'_>) -> String {
        let Some(place) = self.place(node) else { return String::new() };
        format!("{}:{}", self.sources.file(place.file).path(), self.sources.position(place).line)
    }
}

/// Kinds without a namespace are found under every one.
fn key(kind: &str, namespace: &str, name: &str) -> String {
    let namespace = if is_cluster_wide(kind) { "" } else { namespace };
    // No name that Kubernetes takes holds a NUL.
    [kind, namespace, name].join("\0")
}
