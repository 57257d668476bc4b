//! The claims of the input: how much each asks for and holds, where its data lies, who mounts it, and where it goes.
//!
//! They are found before anything is translated ([`find`]), because the name of a claim's place depends on who else mounts it. A
//! place is given at the first request ([`Cx::claim_mount`]); datasets, owners and moves are written when all is translated
//! ([`finish`]). Not here: how a container mounts a claim (`translate/pod/volumes`).
//!
//! Invariant: a claim has one place, however many mount it.

mod bound;
mod capacity;
mod entry;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::context::Cx;
use super::object::{Object, ObjectId};
use super::tree::Node;
use crate::fleet::schema::migration::is_object_name;
use crate::units::Quantity;

pub(super) use bound::{Bound, Export, Via, class_of, of_claim, of_class, of_volume};
pub use capacity::CapacityEntry;
pub use entry::ClaimEntry;
pub(super) use entry::entries;
pub(super) use place::finish;

/// Namespace and name of a claim.
pub(super) type Key = (String, String);

/// All claims of a run.
#[derive(Debug, Default)]
pub struct Claims {
    all: IndexMap<Key, Claim>,
    /// Paths that modules keep the data of claims at, instead of the usual place.
    redirected: BTreeMap<Key, String>,
    /// Names of datasets and mount points that claims have.
    taken: BTreeSet<String>,
    /// How many claims each workload has as volumes.
    of_user: BTreeMap<ObjectId, usize>,
    /// Claims by the volume that they are bound to.
    by_volume: BTreeMap<String, Key>,
    /// The StatefulSet of each `template-name`, with its namespace.
    sets: BTreeMap<Key, ObjectId>,
    /// Directories with an owner that services have.
    kept: BTreeSet<String>,
}

/// A claim: an object, one that a StatefulSet makes, or one that is only mentioned.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// The object that says what it asks for; none where it is only mentioned.
    pub object: Option<ObjectId>,
    /// The name of the template that a StatefulSet makes it of.
    pub template: Option<String>,
    /// Bytes that it asks for.
    pub requested: Option<u64>,
    /// `accessModes`.
    pub access: Vec<String>,
    /// `storageClassName`.
    pub class: Option<String>,
    /// Whether it is a device without a file system.
    pub is_block: bool,
    /// Where its data lies.
    pub bound: Bound,
    /// The workloads whose pods have it as a volume.
    pub users: Vec<ObjectId>,
    /// The services whose containers mount it, in the order in which they were made.
    pub services: Vec<String>,
    /// Who owns its data on the host.
    pub rights: Rights,
    /// Where it goes, once somebody asked.
    pub place: Option<Place>,
    /// The reasons why it does not move, where it does not.
    pub left: Option<String>,
}

/// Where a claim goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// To a dataset, by name below the pool.
    Dataset {
        /// Its pool.
        pool: String,
        /// Its name below the pool.
        name: String,
        /// Where it is mounted.
        mount: String,
    },
    /// To a directory.
    Directory(String),
    /// Nowhere: it stays on a server, whose export is mounted here.
    Export(String),
    /// Nowhere that is known.
    Unknown,
}

impl Place {
    /// Returns the path on the host.
    pub(super) fn mount(&self) -> Option<&str> {
        match self {
            Self::Dataset { mount, .. } | Self::Directory(mount) | Self::Export(mount) => Some(mount),
            Self::Unknown => None,
        }
    }
}

/// Who owns files, as numbers of a pod, and their permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// The owner.
    pub owner: Option<String>,
    /// The group.
    pub group: Option<String>,
    /// Permissions in octal digits.
    pub mode: Option<String>,
}

impl Rights {
    /// Tells whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Kinds with pods, and where the pod stands in them.
pub(super) const PODS: &[(&str, &[&str])] = &[
    ("Deployment", &["spec", "template", "spec"]),
    ("StatefulSet", &["spec", "template", "spec"]),
    ("DaemonSet", &["spec", "template", "spec"]),
    ("ReplicaSet", &["spec", "template", "spec"]),
    ("ReplicationController", &["spec", "template", "spec"]),
    ("DeploymentConfig", &["spec", "template", "spec"]),
    ("Job", &["spec", "template", "spec"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
    ("Pod", &["spec"]),
];

/// Finds the claims of the input, who mounts them, and what they are bound to.
pub(super) fn find(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    let mut all: IndexMap<Key, Claim> = IndexMap::new();
    let mut sets = BTreeMap::new();
    for object in world.of_kind("PersistentVolumeClaim").filter(|object| !cx.is_attributed(object)) {
        if let Some(spec) = object.tree().get("spec") {
            all.insert(key(object.namespace(), object.name()), Claim::of(object, spec));
        }
    }
    for set in world.of_kind("StatefulSet").filter(|object| !cx.is_attributed(object)) {
        for (template, name) in templates(set) {
            let claim = all.entry(key(set.namespace(), &claim_of_template(set, name))).or_default();
            if let (None, Some(spec)) = (claim.object, template.get("spec")) {
                *claim = Claim::of(set, spec);
            }
            claim.template = Some(name.to_owned());
            claim.users.push(set.id);
            sets.insert(key(set.namespace(), &format!("{name}-{}", set.name())), set.id);
        }
    }
    for (kind, route) in PODS {
        for object in world.of_kind(kind).filter(|object| !cx.is_attributed(object)) {
            for name in object.tree().at(route).into_iter().flat_map(mentioned) {
                let claim = all.entry(key(object.namespace(), name)).or_default();
                if !claim.users.contains(&object.id) {
                    claim.users.push(object.id);
                }
            }
        }
    }
    let by_volume = bound::bind(world, &mut all);
    let mut of_user: BTreeMap<ObjectId, usize> = BTreeMap::new();
    for user in all.values().flat_map(|claim| &claim.users) {
        *of_user.entry(*user).or_default() += 1;
    }
    cx.claims = Claims { all, of_user, by_volume, sets, ..Claims::default() };
}

/// Returns the claims that the volumes of a pod mention.
fn mentioned<'a>(pod: &'a Node<'_>) -> impl Iterator<Item = &'a str> {
    let volumes = pod.list("volumes").iter();
    volumes.filter_map(|volume| claim_name(volume.at(&["persistentVolumeClaim", "claimName"])?))
}

/// Returns the name of a claim; none of what Kubernetes would refuse, and of what is still to be filled in.
pub(super) fn claim_name<'a>(node: &'a Node<'_>) -> Option<&'a str> {
    node.text().filter(|name| is_object_name(name))
}

/// Returns the templates of claims of a StatefulSet with their names.
pub(super) fn templates<'w, 's>(set: &'w Object<'s>) -> impl Iterator<Item = (&'w Node<'s>, &'w str)> {
    let all = set.tree().at(&["spec", "volumeClaimTemplates"]).map_or(&[][..], Node::items);
    all.iter().filter_map(|template| Some((template, claim_name(template.at(&["metadata", "name"])?)?)))
}

/// Returns the name of the claim that the first pod of a StatefulSet has of a template.
pub(super) fn claim_of_template(set: &Object<'_>, template: &str) -> String {
    format!("{template}-{}", set.first_pod())
}

/// Returns a claim's key.
pub(super) fn key(namespace: &str, name: &str) -> Key {
    (namespace.to_owned(), name.to_owned())
}

impl Claims {
    /// Returns all claims in the order in which they were read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Claim)> {
        self.all.iter()
    }

    /// Tells whether a directory gets an owner for the first time, and notes that it has one.
    pub(super) fn keep(&mut self, path: &str) -> bool {
        self.kept.insert(path.to_owned())
    }

    /// Returns the StatefulSet that makes a claim for one of its further replicas.
    pub(super) fn set_of_replica(&self, (namespace, name): &Key) -> Option<ObjectId> {
        let (start, ordinal) = name.rsplit_once('-')?;
        let is_further = ordinal.parse::<u32>().is_ok_and(|ordinal| ordinal > 0);
        self.sets.get(&key(namespace, start)).copied().filter(|_| is_further)
    }

    /// Returns the claim that is bound to a volume.
    pub(super) fn bound_to(&self, volume: &str) -> Option<Key> {
        self.by_volume.get(volume).cloned()
    }
}

impl Claim {
    fn of(object: &Object<'_>, spec: &Node<'_>) -> Self {
        let text = |key: &str| Some(spec.get(key)?.text()?.to_owned()).filter(|text| !text.is_empty());
        let requested = spec.at(&["resources", "requests", "storage"]).and_then(bytes);
        let access = spec.list("accessModes").iter().filter_map(Node::text).map(str::to_owned).collect();
        let is_block = spec.str_at("volumeMode") == Some("Block");
        let class = text("storageClassName")
            .or_else(|| object.annotation("volume.beta.kubernetes.io/storage-class").map(str::to_owned));
        Self { object: Some(object.id), requested, access, class, is_block, ..Self::default() }
    }

    /// Tells whether several nodes may write it.
    pub(super) fn is_shared(&self) -> bool {
        self.access.iter().any(|mode| mode == "ReadWriteMany" || mode == "RWX")
    }
}

/// Returns the bytes of a quantity; none where it is none.
pub(super) fn bytes(node: &Node<'_>) -> Option<u64> {
    node.text()?.parse::<Quantity>().ok()?.bytes()
}

impl Cx<'_, '_> {
    /// Returns where the data of a claim is on the host; none where nobody can say.
    ///
    /// The first request decides on the place: the dataset or directory of its only workload, or its own where several mount it.
    pub fn claim_mount(&mut self, namespace: &str, name: &str) -> Option<String> {
        let key = key(namespace, name);
        if let Some(path) = self.claims.redirected.get(&key) {
            return Some(path.clone());
        }
        self.claim_place(&key).mount().map(str::to_owned)
    }

    /// Puts the data of a claim at a path of a module's choice. Containers that have it at the usual place are told.
    pub fn redirect_claim(&mut self, namespace: &str, name: &str, path: &str) {
        let key = key(namespace, name);
        let before = self.claims.redirected.get(&key).cloned().or_else(|| {
            let place = self.claims.all.get(&key)?.place.as_ref()?;
            place.mount().map(str::to_owned)
        });
        self.claims.redirected.insert(key, path.to_owned());
        let Some(before) = before else { return };
        for draft in self.host.services.values_mut() {
            for state in &mut draft.state {
                move_path(&mut state.path, &before, path);
            }
            for volume in draft.as_container_mut().into_iter().flat_map(|container| &mut container.volumes) {
                move_path(&mut volume.source, &before, path);
            }
        }
    }

    /// Remembers that a container mounts a claim, and who owns what it writes; the main container of a pod knows best.
    pub(super) fn claim_used(&mut self, key: &Key, user: ObjectId, service: &str, is_main: bool, rights: Rights) {
        let claim = self.claims.all.entry(key.clone()).or_default();
        if !claim.users.contains(&user) {
            claim.users.push(user);
        }
        if !claim.services.iter().any(|known| known == service) {
            let at = if is_main { 0 } else { claim.services.len() };
            let first = claim.users.first() == Some(&user);
            claim.services.insert(if first { at } else { claim.services.len() }, service.to_owned());
        }
        if claim.rights.is_empty() || is_main && !rights.is_empty() && claim.users.first() == Some(&user) {
            claim.rights = rights;
        }
    }

    /// Remembers how much a claim asks for where no object of the input says so.
    pub(super) fn claim_asks(&mut self, key: &Key, bytes: Option<u64>) {
        let claim = self.claims.all.entry(key.clone()).or_default();
        claim.requested = claim.requested.or(bytes);
    }

    /// Returns a claim.
    pub(super) fn claim(&self, key: &Key) -> Option<&Claim> {
        self.claims.all.get(key)
    }

    /// Returns the id of the question how much a claim may hold: that of the claim, or of the StatefulSet that makes it.
    pub(super) fn size_question(&self, key: &Key) -> String {
        let object = self.claim(key).and_then(|claim| self.world.object(claim.object?));
        match object.filter(|object| object.kind != "PersistentVolumeClaim") {
            Some(object) => format!("{}#size-{}", object.identity(), key.1),
            None => format!("{}/PersistentVolumeClaim/{}#size", key.0, key.1),
        }
    }

    /// Notes why a claim stays behind.
    pub(super) fn leave_claim(&mut self, key: Key, user: ObjectId, service: &str, reason: String) {
        let claim = self.claims.all.entry(key).or_default();
        if !claim.users.contains(&user) {
            claim.users.push(user);
        }
        if claim.services.is_empty() {
            claim.services.push(service.to_owned());
        }
        claim.left = Some(reason);
    }
}

/// Moves a path that is `from`, or lies in it.
fn move_path(path: &mut String, from: &str, to: &str) {
    if crate::units::lies_in(path, from) {
        let rest = path.strip_prefix(from).unwrap_or("");
        *path = format!("{to}{rest}");
    }
}
