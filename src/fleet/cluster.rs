//! What the manifests of a cluster say, as plain values: its workloads and claims, and what would bring them back.
//!
//! `kubernetes` fills these from objects, so that rules stand on values with places and never on manifests. Here belong facts
//! alone; whether they fit a definition is a question for the rules. An identity is `namespace/Kind/name`, as `migrates-from` has it.
//!
//! Invariant: no value of a variable, an argument, a Secret or a ConfigMap is among them.

use std::collections::BTreeMap;

use crate::source::{Place, Spanned};

/// A cluster as its manifests show it.
#[derive(Debug, Clone, Default)]
pub struct ClusterFacts {
    /// What runs, by identity.
    pub workloads: BTreeMap<String, Workload>,
    /// Claims, by namespace and name.
    pub claims: BTreeMap<(String, String), Claim>,
    /// What would bring workloads back, the outermost kinds first.
    pub restorers: Vec<Restorer>,
    /// Every object with the version of its API, in the order of the files.
    pub objects: Vec<ObjectVersion>,
    /// Files that something has to fill in first.
    pub templates: Vec<Template>,
    /// Documents that cannot be read, as `FILE:LINE: REASON`.
    pub unread: Vec<String>,
}

/// Something that runs.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Where its name stands.
    pub place: Place,
    /// How many run at once, where that is said.
    pub replicas: Option<Spanned<i64>>,
    /// What changes how many run.
    pub scaler: Option<Scaler>,
    /// Its claims, those of every replica.
    pub claims: Vec<ClaimUse>,
    /// Paths of the node that it mounts.
    pub host_paths: Vec<HostPath>,
    /// The image of its main container.
    pub image: Option<Spanned<String>>,
    /// The service module that takes the place of that image.
    pub module: Option<String>,
    /// The probes of its containers.
    pub probes: Vec<Fate>,
    /// The limits of its containers.
    pub limits: Vec<Fate>,
    /// Fields of it that are still to be filled in.
    pub unfilled: Vec<Unfilled>,
    /// Whom it speaks with.
    pub talks: Vec<Talk>,
}

/// An autoscaler.
#[derive(Debug, Clone)]
pub struct Scaler {
    /// Its identity.
    pub by: String,
    /// Up to how many it lets run.
    pub most: i64,
    /// Where it says so; else where its name stands.
    pub place: Place,
}

/// A claim of a workload.
#[derive(Debug, Clone)]
pub struct ClaimUse {
    /// The claim.
    pub name: String,
    /// Where it is named: the volume, or the template.
    pub place: Place,
    /// Whether nothing of the workload can write it.
    pub read_only: bool,
    /// Whether a StatefulSet makes it of a template, so that its pod's template does not name it.
    pub is_template: bool,
}

/// A path of the node that a workload mounts.
#[derive(Debug, Clone)]
pub struct HostPath {
    /// The path.
    pub path: String,
    /// Where it stands.
    pub place: Place,
    /// Where containers that can write it have it.
    pub targets: Vec<String>,
    /// The account that writes it, where it is said and is not root.
    pub uid: Option<u32>,
}

/// What became of a probe or a limit.
#[derive(Debug, Clone)]
pub struct Fate {
    /// The container.
    pub container: String,
    /// The field: `livenessProbe`, `limits.memory`.
    pub field: String,
    /// Where it stands.
    pub place: Place,
    /// The key of a definition that it went to (`services.gitea.health.http`), or what else does the same.
    pub to: Option<String>,
    /// Why it went nowhere.
    pub why: String,
}

/// A field with a name in braces that something fills in before the cluster sees it.
#[derive(Debug, Clone)]
pub struct Unfilled {
    /// Where it stands.
    pub place: Place,
    /// Its path within the object.
    pub path: String,
}

/// That one workload speaks with another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Talk {
    /// The identity of the other.
    pub to: String,
    /// The key of the definition that shows it: `environment.DATABASE_URL`.
    pub key: String,
    /// Where the manifest says so, as `FILE:LINE`.
    pub at: String,
}

/// A claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Where it is described, or mentioned first.
    pub place: Place,
    /// `accessModes`.
    pub access: Vec<String>,
    /// Bytes that it asks for.
    pub requested: Option<u64>,
    /// The account that writes it, as a number, where the manifests say it.
    pub owner: Option<String>,
    /// What becomes of the data when the claim goes; none where nobody says.
    pub reclaim: Option<Reclaim>,
    /// Where the data lies.
    pub lies: Lies,
    /// The identities of the workloads that have it as a volume, in the order in which they were read.
    pub workloads: Vec<String>,
}

impl Claim {
    /// Tells whether several nodes may write it.
    pub fn is_shared(&self) -> bool {
        self.access.iter().any(|mode| mode == "ReadWriteMany" || mode == "RWX")
    }
}

/// Where the data of a claim lies, as far as its volume or its storage class says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lies {
    /// The volume, by name.
    pub volume: Option<String>,
    /// What holds the data, as words after "its data lies".
    pub words: Option<String>,
    /// The node that the volume is tied to.
    pub node: Option<String>,
    /// The directory on the node.
    pub node_path: Option<String>,
    /// The driver of the volume, or what makes volumes of the class.
    pub driver: Option<String>,
    /// The export of an NFS server: its name or address, and the path there.
    pub export: Option<(String, String)>,
}

/// What becomes of the data of a claim when the claim goes.
#[derive(Debug, Clone)]
pub struct Reclaim {
    /// `Delete`, `Recycle` or `Retain`.
    pub policy: String,
    /// Where that is said; of a default where the object's name stands.
    pub place: Place,
    /// The volume that says so; else it is a storage class, and the volume is not among the manifests.
    pub volume: Option<String>,
}

/// The kinds of what brings objects back, the outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestorerKind {
    /// An ApplicationSet of Argo CD.
    ArgoApplicationSet,
    /// An Application of Argo CD.
    ArgoApplication,
    /// A Kustomization of Flux.
    FluxKustomization,
    /// A HelmRelease of Flux.
    FluxHelmRelease,
    /// A Bundle of Rancher Fleet.
    Fleet,
    /// The folder of manifests, or a HelmChart, of k3s and RKE2.
    K3sAddon,
    /// The addon manager of kubeadm, minikube and their like.
    AddonManager,
    /// A release of helm.
    Helm,
    /// An operator, by the object that it reads.
    Operator,
    /// A HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
    /// A ScaledObject of KEDA.
    Keda,
    /// Something outside of the cluster that writes to it: Terraform, Pulumi, a pipeline.
    Outside,
}

/// Something that brings objects back.
#[derive(Debug, Clone)]
pub struct Restorer {
    /// Its kind.
    pub kind: RestorerKind,
    /// What it is, as words: `the Kustomization of Flux`.
    pub what: &'static str,
    /// The API group of its object, where that is among the manifests.
    pub group: Option<String>,
    /// How often it looks, in seconds, where it says so.
    pub interval: Option<u64>,
    /// Its identity, as far as it is known.
    pub by: String,
    /// Where its name stands, where it is among the manifests.
    pub place: Option<Place>,
    /// Whether it does so by itself, rather than when somebody delivers again.
    pub by_itself: bool,
    /// What it does when an object is deleted or scaled down.
    pub behaviour: &'static str,
    /// How it is stopped.
    pub suspend: String,
    /// What would bring it back or start it again.
    pub under: Vec<String>,
    /// What it restores, by identity, with what shows it.
    pub restores: BTreeMap<String, String>,
}

/// An object and the version of its API.
#[derive(Debug, Clone)]
pub struct ObjectVersion {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// How people call it.
    pub name: String,
    /// Where `apiVersion` stands.
    pub place: Place,
}

/// A file that is no manifest yet.
#[derive(Debug, Clone)]
pub struct Template {
    /// The first thing to be filled in.
    pub place: Place,
    /// What it is.
    pub reason: String,
    /// The command that fills it in.
    pub help: String,
}
