//! Objects: what a document of a manifest is, and how it is called.

use std::borrow::Cow;

use super::tree::{Node, Value};
use crate::source::FileId;

/// The number of an object within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// An object of a file, before it has a number.
#[derive(Debug)]
pub struct Written<'s> {
    /// The file it stands in.
    pub file: FileId,
    /// `apiVersion`; of an element of a `*List` without one, the list's.
    pub api_version: Cow<'s, str>,
    /// `kind`; of an element of a `*List` without one, what the list's says.
    pub kind: Cow<'s, str>,
    /// What it says.
    pub root: Node<'s>,
}

/// An object as it stands in a file.
#[derive(Debug)]
pub struct Object<'s> {
    /// Its number: the one that owns its leaves.
    pub id: ObjectId,
    /// The file it stands in.
    pub file: FileId,
    /// What it says, as written.
    pub root: Node<'s>,
    /// How many leaves it has, as written.
    pub leaves: u32,
    /// `apiVersion`; of an element of a `*List` without one, the list's.
    pub api_version: Cow<'s, str>,
    /// `kind`; of an element of a `*List` without one, what the list's says.
    pub kind: Cow<'s, str>,
    /// What it says after patches of a kustomization, where there are any. Leaves still belong to the object that wrote them.
    pub patched: Option<Node<'s>>,
    /// The namespace that a kustomization or Flux gives it.
    pub moved_to: Option<String>,
    /// The object that it was made of, where no file holds it as it is: it has no leaves of its own, and says what it says in
    /// [`Self::tree`] alone.
    pub made_from: Option<ObjectId>,
    /// Whether it is none of the cluster's: it only changes other objects, as a patch does, or a patch takes it away.
    pub is_patch: bool,
}

impl<'s> Object<'s> {
    /// Returns what it says, patched.
    pub fn tree(&self) -> &Node<'s> {
        self.patched.as_ref().unwrap_or(&self.root)
    }

    /// Returns its API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns `metadata.name`; empty where it has none.
    pub fn name(&self) -> &str {
        self.metadata("name").unwrap_or("")
    }

    /// Returns how people call it: its name, `PREFIX*` where Kubernetes makes up the rest.
    pub fn shown_name(&self) -> String {
        match (self.metadata("name"), self.metadata("generateName")) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("{prefix}*"),
            (None, None) => String::new(),
        }
    }

    /// Returns its namespace, where it says one.
    pub fn own_namespace(&self) -> Option<&str> {
        self.moved_to.as_deref().or_else(|| self.metadata("namespace").filter(|name| !name.is_empty()))
    }

    /// Returns its namespace; `default` where it says none, as kubectl has it.
    pub fn namespace(&self) -> &str {
        self.own_namespace().unwrap_or("default")
    }

    /// Returns the name that definitions and questions use: `apps/Deployment/gitea`.
    pub fn identity(&self) -> String {
        format!("{}/{}/{}", self.namespace(), self.kind, self.shown_name())
    }

    /// Returns a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.tree().at(&["metadata", "labels", key])?.text()
    }

    /// Returns the number of the first pod of a StatefulSet.
    pub fn first_ordinal(&self) -> i64 {
        let start = self.tree().at(&["spec", "ordinals", "start"]).and_then(Node::int);
        start.filter(|start| (0..=i64::from(i32::MAX)).contains(start)).unwrap_or(0)
    }

    /// Returns the name of the first pod of a StatefulSet.
    pub fn first_pod(&self) -> String {
        format!("{}-{}", self.name(), self.first_ordinal())
    }

    /// Returns the labels that the pods of a workload have.
    pub fn pod_labels(&self) -> Option<&Node<'s>> {
        let route: &[&str] = match &*self.kind {
            "Pod" => &["metadata", "labels"],
            "CronJob" => &["spec", "jobTemplate", "spec", "template", "metadata", "labels"],
            _ => &["spec", "template", "metadata", "labels"],
        };
        self.tree().at(route)
    }

    /// Returns an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.tree().at(&["metadata", "annotations", key])?.text()
    }

    /// Returns the kind and name of the object that made it and would make it again.
    pub fn controller(&self) -> Option<(&str, &str)> {
        let owners = self.tree().at(&["metadata", "ownerReferences"])?.items();
        let owner = owners.iter().find(|owner| owner.bool_at("controller") == Some(true)).or_else(|| owners.first())?;
        Some((owner.str_at("kind")?, owner.str_at("name")?))
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        self.tree().at(&["metadata", key])?.text()
    }
}

/// Kinds without a namespace.
const CLUSTER_WIDE: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterSecretStore",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
    "VolumeSnapshotClass",
];

/// Tells whether objects of a kind have no namespace.
pub(super) fn is_cluster_wide(kind: &str) -> bool {
    CLUSTER_WIDE.contains(&kind)
}

/// Returns the objects of a document with their `apiVersion` and `kind`: itself, or the elements of a `*List`.
///
/// A list that is empty is an object. What has no `apiVersion` and `kind` is none; nothing is returned for it.
pub(super) fn expand<'s>(root: Node<'s>) -> Vec<(Cow<'s, str>, Cow<'s, str>, Node<'s>)> {
    let word = |node: &Node<'s>, key: &str| match node.get(key).map(|node| &node.value) {
        Some(Value::Plain(text) | Value::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let (Some(version), Some(kind)) = (word(&root, "apiVersion"), word(&root, "kind")) else { return Vec::new() };
    let is_list = kind.ends_with("List") && !root.list("items").is_empty();
    if !is_list {
        return vec![(version, kind, root)];
    }
    let of_items: Cow<'s, str> = kind.strip_suffix("List").unwrap_or("").to_owned().into();
    let Value::Mapping(pairs) = root.value else { return Vec::new() };
    let items = pairs.into_iter().find(|pair| pair.key == "items").map(|pair| pair.node.value);
    let Some(Value::Sequence(items)) = items else { return Vec::new() };
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        if word(&item, "kind").is_some_and(|kind| kind.ends_with("List")) && !item.list("items").is_empty() {
            all.extend(expand(item));
            continue;
        }
        let (own_version, own_kind) = (word(&item, "apiVersion"), word(&item, "kind"));
        let own_version = own_version.unwrap_or_else(|| version.clone());
        let own_kind = own_kind.unwrap_or_else(|| of_items.clone());
        all.push((own_version, own_kind, item));
    }
    all
}
