//! Paths of the node.

use super::mount::Mount;
use super::{Site, ask, bind, is_path, keep, ownership};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, StateDraft};
use crate::kubernetes::tree::Node;
use crate::units::lies_in;

/// What a path of the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A device that the container is given.
    Device,
    /// What every host has at the same place.
    OfTheHost,
    /// Nothing that a host needs, with the reason.
    Needless(&'static str),
    /// What belongs to the cluster or to the system of the node, with the question.
    OfTheNode(&'static str),
    /// Files of somebody.
    Data,
}

const SOCKET: &str = "the program drives the containers of the node through this socket: what does it do there, and does it have \
                      to on the host? Whoever has the socket has the host";
const CLUSTER: &str = "this directory belongs to the cluster: what does the program look for there?";
const LOGS: &str = "these are the logs of the cluster's containers, and on the host they are in the journal: does the program have \
                    to read them?";
const SYSTEM: &str = "the program gets a part of the system of the node: does it need that of the host?";
const WHOLE: &str = "the program gets the whole node: does it need the whole host? What for?";
const DEVICES: &str = "the program gets devices of the node: which ones of the host does it need?";

/// Paths with a meaning of their own, the longest first among those that lie in each other.
const KNOWN: &[(&str, What)] = &[
    ("/dev/shm", What::OfTheHost),
    ("/dev/net/tun", What::Device),
    ("/dev/bus/usb", What::Device),
    ("/dev/serial", What::Device),
    ("/dev/dri", What::Device),
    ("/dev/kfd", What::Device),
    ("/dev/kvm", What::Device),
    ("/dev/fuse", What::Device),
    ("/dev/snd", What::Device),
    ("/etc/localtime", What::OfTheHost),
    ("/etc/timezone", What::Needless("no such file is on the host: the variable TZ tells a container its time zone")),
    ("/etc/machine-id", What::OfTheHost),
    ("/run/dbus", What::OfTheHost),
    ("/var/run/dbus", What::OfTheHost),
    ("/run/udev", What::OfTheHost),
    ("/var/run/docker.sock", What::OfTheNode(SOCKET)),
    ("/run/docker.sock", What::OfTheNode(SOCKET)),
    ("/run/containerd", What::OfTheNode(SOCKET)),
    ("/var/run/containerd", What::OfTheNode(SOCKET)),
    ("/run/k3s", What::OfTheNode(SOCKET)),
    ("/run/crio", What::OfTheNode(SOCKET)),
    ("/var/run/crio", What::OfTheNode(SOCKET)),
    ("/var/lib/kubelet", What::OfTheNode(CLUSTER)),
    ("/var/lib/rancher", What::OfTheNode(CLUSTER)),
    ("/var/lib/docker", What::OfTheNode(CLUSTER)),
    ("/var/lib/containerd", What::OfTheNode(CLUSTER)),
    ("/var/lib/etcd", What::OfTheNode(CLUSTER)),
    ("/var/lib/cni", What::OfTheNode(CLUSTER)),
    ("/etc/kubernetes", What::OfTheNode(CLUSTER)),
    ("/etc/cni", What::OfTheNode(CLUSTER)),
    ("/opt/cni", What::OfTheNode(CLUSTER)),
    ("/var/log", What::OfTheNode(LOGS)),
    ("/proc", What::OfTheNode(SYSTEM)),
    ("/sys", What::OfTheNode(SYSTEM)),
    ("/run", What::OfTheNode(SYSTEM)),
    ("/var/run", What::OfTheNode(SYSTEM)),
    ("/boot", What::OfTheNode(SYSTEM)),
    ("/lib", What::OfTheNode(SYSTEM)),
    ("/lib64", What::OfTheNode(SYSTEM)),
    ("/usr", What::OfTheNode(SYSTEM)),
    ("/bin", What::OfTheNode(SYSTEM)),
    ("/sbin", What::OfTheNode(SYSTEM)),
    ("/etc", What::OfTheNode(SYSTEM)),
    ("/root", What::OfTheNode(SYSTEM)),
];

/// Names of devices with a number behind them.
const NUMBERED: &[&str] = &[
    "/dev/ttyUSB",
    "/dev/ttyACM",
    "/dev/ttyAMA",
    "/dev/ttyS",
    "/dev/video",
    "/dev/hidraw",
    "/dev/i2c-",
    "/dev/nvidia",
];

fn what(path: &str, kind: &str) -> What {
    if matches!(path, "/" | "/var" | "/var/lib" | "/home" | "/mnt" | "/opt" | "/srv" | "/tmp") {
        return if matches!(path, "/" | "/var" | "/var/lib" | "/home") { What::OfTheNode(WHOLE) } else { What::Data };
    }
    if let Some((_, what)) = KNOWN.iter().find(|(known, _)| lies_in(path, known)) {
        return *what;
    }
    if lies_in(path, "/dev") {
        let is_device = kind == "CharDevice" || NUMBERED.iter().any(|name| path.starts_with(name));
        return if is_device { What::Device } else { What::OfTheNode(DEVICES) };
    }
    match kind {
        "CharDevice" => What::Device,
        "BlockDevice" => What::OfTheNode(DEVICES),
        _ if path.ends_with("docker.sock") => What::OfTheNode(SOCKET),
        _ => What::Data,
    }
}

/// What a path of the node is to a program that sees the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kubernetes::translate::pod) enum OfNode {
    /// A device.
    Device,
    /// Files of somebody.
    Data,
    /// Part of the node, or not known.
    Else,
}

/// Returns what a path of the node is, whose volume has this type.
pub(in crate::kubernetes::translate::pod) fn of_node(path: &str, kind: &str) -> OfNode {
    match what(path, kind) {
        What::Device => OfNode::Device,
        // A file is mounted by itself.
        What::Data if is_path(path) && !is_one_file(path, kind) => OfNode::Data,
        _ => OfNode::Else,
    }
}

/// Tells whether a path is that of a file, by its type or its look.
fn is_one_file(path: &str, kind: &str) -> bool {
    matches!(kind, "File" | "FileOrCreate" | "Socket") || kind.is_empty() && looks_like_file(path)
}

/// Mounts a path of the node.
pub(super) fn mount<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    source: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let written = source.get("path").and_then(Node::text).unwrap_or("");
    let path = if written == "/" { written } else { written.trim_end_matches('/') };
    let kind = source.get("type").and_then(Node::text).unwrap_or("");
    if !is_path(path) {
        ask(
            cx,
            site,
            volume,
            mount,
            "the path of the node is still to be filled in: which one is it on the host?",
            draft,
        );
        return;
    }
    match what(path, kind) {
        What::Needless(reason) => {
            cx.books.dropped(volume, reason);
            cx.books.dropped(mount.node, reason);
        }
        What::OfTheNode(question) => ask(cx, site, volume, mount, format!("`{path}` of the node: {question}"), draft),
        What::Device if mount.path == path && mount.sub.is_none() => {
            if let Some(container) = draft.as_container_mut()
                && !container.devices.iter().any(|known| known == path)
            {
                container.devices.push(path.to_owned());
            }
            let how = "the device has to be plugged into the host, and may have another name there";
            cx.books.translated_as(volume, site.key("devices"), how);
            cx.books.translated(mount.node, site.key("devices"));
        }
        What::Device => {
            let question = format!(
                "`{path}` of the node is a device that the container finds under another name, which is not carried over: can the \
                 program be told the device's own name?"
            );
            ask(cx, site, volume, mount, question, draft);
        }
        What::OfTheHost => {
            bind(draft, &mount.below(path), mount);
            cx.books.translated(volume, site.key("volumes"));
        }
        What::Data => data(cx, site, volume, path, kind, mount, draft),
    }
}

/// Mounts files of somebody: at the same path, where they have to be brought.
fn data<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    path: &str,
    kind: &str,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    bind(draft, &mount.below(path), mount);
    let is_file = is_one_file(path, kind);
    let is_shared = matches!(path, "/mnt" | "/opt" | "/srv" | "/tmp");
    let made = ownership::made_by_init(site.workload, &mount.volume);
    let root = made.iter().find(|owned| owned.below.is_empty()).map(|owned| owned.rights.clone());
    let rights = root.unwrap_or_default().over(&site.rights);
    // A directory whose owner is not known would be given to root at every boot; one that Kubernetes makes is root's.
    if !is_file && !is_shared && (rights.owner.is_some() || kind == "DirectoryOrCreate") {
        // fsGroup does not touch paths of the node.
        let group = rights.group.filter(|_| site.rights.mode.is_none());
        let mode = Some("0755".to_owned());
        keep(cx, draft, StateDraft { path: path.to_owned(), owner: rights.owner, group, mode, rebuildable: false });
    }
    let comment = format!("{path} lay on a node of the cluster: what it holds has to come along");
    if !draft.comments.contains(&comment) {
        draft.comments.push(comment);
    }
    let how = format!("the same path of the host; what {path} holds on the node has to come along");
    cx.books.translated_as(volume, site.key("volumes"), how);
}

/// Tells whether a path without a type is a file by its look: an ending that directories do not have.
fn looks_like_file(path: &str) -> bool {
    const ENDINGS: &[&str] =
        &[".conf", ".json", ".yaml", ".yml", ".toml", ".sock", ".sh", ".pem", ".crt", ".key", ".ini", ".xml"];
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}
