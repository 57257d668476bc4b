//! What a claim is bound to: the volume of the input, or what its storage class says of where data lies and how it is read.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::super::object::Object;
use super::super::tree::Node;
use super::super::world::World;
use super::{Claim, Key, bytes};

/// How the data of a claim is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// By a pod that mounts it.
    #[default]
    Pod,
    /// On the node that holds it.
    Node,
    /// From the NFS server that holds it.
    Nfs,
}

/// An export of an NFS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kubernetes) struct Export {
    /// The server.
    pub server: String,
    /// The path that it exports.
    pub path: String,
    /// Mount options.
    pub options: Vec<String>,
}

impl Export {
    /// Returns what is mounted: `server:/path`.
    pub(in crate::kubernetes) fn device(&self) -> String {
        match self.server.contains(':') && !self.server.starts_with('[') {
            true => format!("[{}]:{}", self.server, self.path),
            false => format!("{}:{}", self.server, self.path),
        }
    }

    /// Returns an export where both parts are what they seem: names that were not filled in are none.
    pub(in crate::kubernetes) fn of(
        server: Option<&Node<'_>>,
        path: Option<&Node<'_>>,
        options: Vec<String>,
    ) -> Option<Self> {
        let plain = |node: Option<&Node<'_>>| Some(node?.text()?.to_owned()).filter(|text| is_plain(text));
        let path = plain(path).filter(|path| path.starts_with('/'))?;
        Some(Self { server: plain(server)?, path, options })
    }
}

/// Tells whether a word holds nothing that is filled in later or that mount(8) would misread.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains("${") && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_graphic())
}

/// Where the data of a claim lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::kubernetes) struct Bound {
    /// The volume, by name.
    pub volume: Option<String>,
    /// `Delete`, `Recycle` or `Retain`, where somebody says it.
    pub reclaim: Option<String>,
    /// What holds the data, as words after "its data lies".
    pub lies: Option<String>,
    /// The node that holds it.
    pub node: Option<String>,
    /// How it is read.
    pub via: Via,
    /// The export that it is, of an NFS server.
    pub export: Option<Export>,
}

/// Finds the volumes of claims, as Kubernetes does: by the claim's `volumeName`, the volume's `claimRef`, or as the only one of the
/// claim's class and labels. Returns claims by their volumes.
pub(super) fn bind(world: &World<'_>, all: &mut IndexMap<Key, Claim>) -> BTreeMap<String, Key> {
    let mut by_volume: BTreeMap<String, Key> = BTreeMap::new();
    let mut by_ref: BTreeMap<Key, &str> = BTreeMap::new();
    let mut free: Vec<&Object<'_>> = Vec::new();
    for volume in world.of_kind("PersistentVolume") {
        match volume.tree().at(&["spec", "claimRef"]).filter(|claim| !claim.is_null()) {
            Some(claim) => {
                let text = |key: &str| claim.get(key).and_then(Node::text);
                let key = (text("namespace").unwrap_or("default").to_owned(), text("name").unwrap_or("").to_owned());
                by_ref.insert(key, volume.name());
            }
            None => free.push(volume),
        }
    }
    for (key, claim) in all.iter_mut() {
        let named =
            claim_spec(world, claim).and_then(|spec| spec.get("volumeName")?.text()).filter(|name| !name.is_empty());
        let name = named.or_else(|| by_ref.get(key).copied());
        if let Some(volume) = name.and_then(|name| world.find("PersistentVolume", "", name)) {
            claim.bound = of_volume(volume);
            if claim.object.is_none() {
                // Nothing else says how large a claim is that is only mentioned.
                claim.requested = volume.tree().at(&["spec", "capacity", "storage"]).and_then(bytes);
            }
            by_volume.insert(volume.name().to_owned(), key.clone());
        }
    }
    for (key, claim) in all.iter_mut().filter(|(_, claim)| claim.bound.volume.is_none()) {
        let fitting = free.iter().filter(|volume| !by_volume.contains_key(volume.name()) && fits(world, claim, volume));
        claim.bound = match fitting.collect::<Vec<_>>().as_slice() {
            [only] => {
                by_volume.insert(only.name().to_owned(), key.clone());
                of_volume(only)
            }
            _ => of_class(world, claim.class.as_deref()),
        };
    }
    by_volume
}

/// Returns `spec` of a claim that is an object.
fn claim_spec<'w, 's>(world: &'w World<'s>, claim: &Claim) -> Option<&'w Node<'s>> {
    let object = world.object(claim.object?)?;
    if object.kind == "PersistentVolumeClaim" { object.tree().get("spec") } else { None }
}

/// Tells whether Kubernetes might bind a claim to a volume that neither names the other.
fn fits(world: &World<'_>, claim: &Claim, volume: &Object<'_>) -> bool {
    let Some(spec) = volume.tree().get("spec") else { return false };
    if claim.object.is_none() {
        return false;
    }
    let class = spec.get("storageClassName").and_then(Node::text).unwrap_or("");
    if claim.class.as_deref().unwrap_or("") != class {
        return false;
    }
    let own = claim_spec(world, claim);
    let labels = own.and_then(|spec| spec.at(&["selector", "matchLabels"])).map_or(&[][..], Node::pairs);
    if labels.iter().any(|pair| volume.label(&pair.key) != pair.node.text()) {
        return false;
    }
    // Without a name, labels or a class of its own anything could be meant.
    if labels.is_empty() && (class.is_empty() || world.find("StorageClass", "", class).is_some_and(makes_volumes)) {
        return false;
    }
    let capacity = spec.at(&["capacity", "storage"]).and_then(bytes);
    capacity.is_none_or(|capacity| claim.requested.is_none_or(|requested| requested <= capacity))
}

fn makes_volumes(class: &Object<'_>) -> bool {
    class.tree().get("provisioner").and_then(Node::text) != Some("kubernetes.io/no-provisioner")
}

/// Returns what a claim of an object is bound to.
pub(in crate::kubernetes) fn of_claim(cx: &super::Cx<'_, '_>, key: &Key) -> Bound {
    cx.claim(key).map(|claim| claim.bound.clone()).unwrap_or_default()
}

/// Returns where the data of a volume lies.
pub(in crate::kubernetes) fn of_volume(volume: &Object<'_>) -> Bound {
    let spec = volume.tree().get("spec");
    let text = |route: &[&str]| Some(spec?.at(route)?.text()?.to_owned());
    let options = || -> Vec<String> {
        let all = spec.map_or(&[][..], |spec| spec.list("mountOptions"));
        let words = all.iter().filter_map(Node::text).flat_map(|text| text.split(','));
        words.map(str::trim).filter(|word| is_plain(word)).map(str::to_owned).collect()
    };
    let at = |route: &[&str]| spec.and_then(|spec| spec.at(route));
    let mut bound = Bound {
        volume: Some(volume.name().to_owned()),
        reclaim: text(&["persistentVolumeReclaimPolicy"]),
        node: spec.and_then(node_of),
        ..Bound::default()
    };
    let on_node = bound.node.as_ref().map_or_else(|| "on a node".to_owned(), |node| format!("on the node {node}"));
    if let Some(nfs) = at(&["nfs"]) {
        bound.export = Export::of(nfs.get("server"), nfs.get("path"), options());
        bound.via = Via::Nfs;
        bound.lies = Some(shown(bound.export.as_ref(), "on an NFS server"));
    } else if let Some(path) = text(&["hostPath", "path"]).or_else(|| text(&["local", "path"])) {
        bound.via = Via::Node;
        bound.lies = Some(format!("{on_node} in {path}"));
    } else if let Some(driver) = text(&["csi", "driver"]) {
        let attributes = at(&["csi", "volumeAttributes"]);
        let attribute = |name: &str| attributes.and_then(|attributes| attributes.get(name));
        if driver == "nfs.csi.k8s.io" {
            bound.export = Export::of(attribute("server"), attribute("share"), options());
        }
        let kind = Provisioner::of(&driver);
        bound.via = kind.map_or(Via::Pod, |kind| kind.via);
        let lies = kind.map_or_else(|| format!("where the driver {driver} keeps it"), |kind| kind.lies.to_owned());
        bound.lies = Some(match &bound.export {
            Some(_) => shown(bound.export.as_ref(), ""),
            None => lies,
        });
    } else if let Some((_, lies)) = SOURCES.iter().find(|(key, _)| at(&[key]).is_some()) {
        bound.lies = Some((*lies).to_owned());
    }
    bound
}

fn shown(export: Option<&Export>, unknown: &str) -> String {
    export.map_or_else(|| unknown.to_owned(), |export| format!("on the NFS export {}", export.device()))
}

/// Volumes of a network that nothing but their driver reads.
const SOURCES: &[(&str, &str)] = &[
    ("iscsi", "on an iSCSI target"),
    ("rbd", "in a Ceph block device"),
    ("cephfs", "in CephFS"),
    ("glusterfs", "in GlusterFS"),
    ("fc", "on a Fibre Channel disk"),
    ("awsElasticBlockStore", "on a block device of AWS"),
    ("gcePersistentDisk", "on a block device of Google"),
    ("azureDisk", "on a block device of Azure"),
    ("azureFile", "in a file share of Azure"),
    ("cinder", "on a block device of OpenStack"),
    ("vsphereVolume", "on a disk of vSphere"),
    ("flexVolume", "where a FlexVolume driver keeps it"),
];

/// Returns the node that a volume is tied to, where it is one.
fn node_of(spec: &Node<'_>) -> Option<String> {
    let terms = spec.at(&["nodeAffinity", "required", "nodeSelectorTerms"])?.items();
    let matches = terms.iter().flat_map(|term| term.list("matchExpressions"));
    let mut hosts = matches.filter(|term| term.get("key").and_then(Node::text) == Some("kubernetes.io/hostname"));
    let names: Vec<&str> = hosts.next()?.list("values").iter().filter_map(Node::text).collect();
    if let [only] = names.as_slice() { Some((*only).to_owned()) } else { None }
}

/// Returns the object of a storage class; that of the default one where a claim names none.
pub(in crate::kubernetes) fn class_of<'w, 's>(world: &'w World<'s>, class: Option<&str>) -> Option<&'w Object<'s>> {
    class.and_then(|class| world.find("StorageClass", "", class)).or_else(|| {
        let default = "storageclass.kubernetes.io/is-default-class";
        world.of_kind("StorageClass").find(|object| class.is_none() && object.annotation(default) == Some("true"))
    })
}

/// Returns what a storage class says of where data lies: by its object, else by its name where that is a well-known one.
pub(in crate::kubernetes) fn of_class(world: &World<'_>, class: Option<&str>) -> Bound {
    let object = class_of(world, class);
    let provisioner = object.and_then(|object| object.tree().get("provisioner")?.text());
    let kind = match provisioner {
        Some(provisioner) => Provisioner::of(provisioner),
        None => class.and_then(Provisioner::of_class),
    };
    let reclaim = object.map(|object| {
        // What a class makes is deleted with its claim, unless it says otherwise.
        object.tree().get("reclaimPolicy").and_then(Node::text).unwrap_or("Delete").to_owned()
    });
    let unknown = provisioner.map(|provisioner| format!("where {provisioner} keeps it"));
    Bound {
        reclaim,
        lies: kind.map(|kind| kind.lies.to_owned()).or(unknown),
        via: kind.map_or(Via::Pod, |kind| kind.via),
        ..Bound::default()
    }
}

/// What makes volumes.
#[derive(Debug, Clone, Copy)]
struct Provisioner {
    /// Its names as a provisioner or driver; with `*` at the end the beginning of them.
    names: &'static [&'static str],
    /// Names that its storage class usually has.
    classes: &'static [&'static str],
    via: Via,
    lies: &'static str,
}

impl Provisioner {
    fn of(name: &str) -> Option<&'static Self> {
        let is = |known: &&str| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            // Rook and others put their namespace before the driver's own name.
            None => name == *known || name.strip_suffix(*known).is_some_and(|before| before.ends_with('.')),
        };
        PROVISIONERS.iter().find(|kind| kind.names.iter().any(is))
    }

    fn of_class(class: &str) -> Option<&'static Self> {
        PROVISIONERS.iter().find(|kind| kind.classes.contains(&class))
    }
}

const PROVISIONERS: &[Provisioner] = &[
    Provisioner {
        names: &["rancher.io/local-path"],
        classes: &["local-path"],
        via: Via::Node,
        lies: "in a directory of one node, below /var/lib/rancher/k3s/storage or /opt/local-path-provisioner",
    },
    Provisioner {
        names: &["k8s.io/minikube-hostpath", "docker.io/hostpath", "microk8s.io/hostpath", "openebs.io/local"],
        classes: &["hostpath", "microk8s-hostpath", "openebs-hostpath"],
        via: Via::Node,
        lies: "in a directory of one node",
    },
    Provisioner {
        names: &["kubernetes.io/no-provisioner"],
        classes: &["local-storage"],
        via: Via::Node,
        lies: "where its volume was made by hand",
    },
    Provisioner {
        names: &["zfs.csi.openebs.io", "local.csi.openebs.io", "topolvm.io", "topolvm.cybozu.com"],
        classes: &["openebs-zfspv", "openebs-lvmpv"],
        via: Via::Node,
        lies: "in a dataset or logical volume of one node",
    },
    Provisioner {
        names: &["driver.longhorn.io", "rancher.io/longhorn"],
        classes: &["longhorn", "longhorn-static"],
        via: Via::Pod,
        lies: "in Longhorn, whose replicas only Longhorn reads",
    },
    Provisioner {
        names: &[
            "nfs.csi.k8s.io",
            "cluster.local/nfs*",
            "k8s-sigs.io/nfs*",
            "fuseim.pri/ifs",
            "org.democratic-csi.nfs*",
        ],
        classes: &["nfs", "nfs-client", "nfs-csi"],
        via: Via::Nfs,
        lies: "in a directory of an NFS export",
    },
    Provisioner {
        names: &[
            "cstor.csi.openebs.io",
            "jiva.csi.openebs.io",
            "io.openebs.csi-mayastor",
            "openebs.io/provisioner-iscsi",
        ],
        classes: &["openebs-cstor", "openebs-jiva-csi-default"],
        via: Via::Pod,
        lies: "in OpenEBS, whose replicas only OpenEBS reads",
    },
    Provisioner {
        names: &["rbd.csi.ceph.com", "cephfs.csi.ceph.com", "kubernetes.io/rbd", "ceph.rook.io/block"],
        classes: &["ceph-block", "ceph-filesystem", "rook-ceph-block", "rook-cephfs"],
        via: Via::Pod,
        lies: "in Ceph",
    },
    Provisioner {
        names: &["org.democratic-csi*", "csi.san.synology.com"],
        classes: &[],
        via: Via::Pod,
        lies: "on a storage server",
    },
    Provisioner {
        names: &["smb.csi.k8s.io"],
        classes: &["smb"],
        via: Via::Pod,
        lies: "in a share of a Windows file server",
    },
    Provisioner {
        names: &[
            "dobs.csi.digitalocean.com",
            "ebs.csi.aws.com",
            "kubernetes.io/aws-ebs",
            "pd.csi.storage.gke.io",
            "kubernetes.io/gce-pd",
            "disk.csi.azure.com",
            "kubernetes.io/azure-disk",
            "csi.hetzner.cloud",
            "linodebs.csi.linode.com",
            "block.csi.vultr.com",
            "csi.scaleway.com",
            "cinder.csi.openstack.org",
        ],
        classes: &["do-block-storage", "gp2", "gp3", "hcloud-volumes", "linode-block-storage"],
        via: Via::Pod,
        lies: "on a block device of the cloud, which one node at a time reads",
    },
];
