//! The containers of a pod, and the services that they become.
//!
//! Kubernetes starts init containers one after the other, each to its end, at every start of the pod, then all others together in
//! one network ("Init Containers", "Sidecar Containers", "Pods" of its documentation). podman gives a container the network of one
//! that runs already; so the main container owns the network, further containers share it, and init containers, which are over
//! before it exists, have networks of their own. What runs to its end is over before another one could share its network, so what runs
//! beside a job is a question.

use super::Workload;
use super::env::{self, Variable};
use super::words::{self, Word};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// What a container is to its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one whose network the others share.
    Main,
    /// One that runs to its end before the others start.
    Init,
    /// One that runs beside the main one.
    Beside,
}

/// A container, with what is known of it before anything is settled.
#[derive(Debug)]
pub struct Container<'w, 's> {
    /// The container.
    pub node: &'w Node<'s>,
    /// What it is called in its pod.
    pub name: String,
    /// The service that it becomes.
    pub service: String,
    /// What it is to its pod.
    pub role: Role,
    /// Its variables, those of `envFrom` first; each name once.
    pub environment: Vec<Variable<'w, 's>>,
    /// What it runs instead of the image's entry point, variables expanded; empty for the image's own.
    pub command: Vec<Word<'w, 's>>,
    /// Its arguments, variables expanded; empty for the image's own unless it has a command.
    pub args: Vec<Word<'w, 's>>,
}

impl<'w, 's> Container<'w, 's> {
    /// Returns a key of its service: `services.gitea.image`.
    pub fn key(&self, key: &str) -> String {
        format!("services.{}.{key}", self.service)
    }

    /// Returns the key of a question about it, unlike those about other containers of the pod.
    pub fn question(&self, key: &str) -> String {
        if self.role == Role::Main { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Tells whether its command or arguments name a variable.
    pub fn words_name(&self, variable: &str) -> bool {
        let name = format!("$({variable})");
        self.command.iter().chain(&self.args).any(|word| word.node.text().is_some_and(|text| text.contains(&name)))
    }

    /// Returns its `volumeMounts`.
    pub fn mounts(&self) -> &'w [Node<'s>] {
        self.node.list("volumeMounts")
    }
}

/// Returns the containers of a pod: the main one, then init containers in their order, then those beside it.
pub(super) fn of<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) -> Vec<Container<'w, 's>> {
    let plain = workload.spec.list("containers");
    let wanted = workload
        .metadata
        .and_then(|metadata| metadata.get("annotations"))
        .and_then(|annotations| annotations.get("kubectl.kubernetes.io/default-container").and_then(Node::text));
    let chosen = wanted.and_then(|wanted| plain.iter().position(|node| node.str_at("name") == Some(wanted)));
    let main = chosen.unwrap_or(0);
    let mut nodes: Vec<(&'w Node<'s>, Role)> = Vec::new();
    nodes.extend(plain.get(main).map(|node| (node, Role::Main)));
    nodes.extend(workload.spec.list("initContainers").iter().map(|node| (node, role_of_init(node))));
    nodes.extend(plain.iter().enumerate().filter(|(at, _)| *at != main).map(|(_, node)| (node, Role::Beside)));
    let mut taken: Vec<String> = Vec::new();
    let mut all = Vec::with_capacity(nodes.len());
    for (index, (node, role)) in nodes.into_iter().enumerate() {
        let name = node.str_at("name").map_or_else(|| format!("container-{index}"), str::to_owned);
        let service = match role {
            Role::Main => workload.service.clone(),
            _ => free_name(cx, &format!("{}-{name}", workload.service), &taken),
        };
        taken.push(service.clone());
        let prefix = if role == Role::Main { String::new() } else { format!("{name}.") };
        let environment = env::resolve(cx, workload, node, &prefix);
        let (command, args) = words::resolve(node, &environment);
        all.push(Container { node, name, service, role, environment, command, args });
    }
    all
}

/// An init container that is restarted always is a sidecar ("Sidecar Containers").
fn role_of_init(node: &Node<'_>) -> Role {
    if node.str_at("restartPolicy") == Some("Always") { Role::Beside } else { Role::Init }
}

fn free_name(cx: &Cx<'_, '_>, wanted: &str, taken: &[String]) -> String {
    let mut name = cx.part_name(wanted);
    let mut number = 2u32;
    while taken.contains(&name) {
        name = cx.part_name(&format!("{wanted}-{number}"));
        number += 1;
    }
    name
}

/// Puts a service before and behind the others of its pod, and into their network.
pub(super) fn order(
    cx: &mut Cx<'_, '_>,
    workload: &Workload<'_, '_>,
    all: &[Container<'_, '_>],
    container: &Container<'_, '_>,
    draft: &mut Draft,
) {
    if let Some(name) = container.node.get("name") {
        cx.books.translated(name, format!("services.{}", container.service));
    }
    let inits: Vec<&str> =
        all.iter().filter(|other| other.role == Role::Init).map(|other| other.service.as_str()).collect();
    match container.role {
        Role::Main => {
            draft.requires.extend(inits.last().map(|last| (*last).to_owned()));
            let annotation = "kubectl.kubernetes.io/default-container";
            let node = workload.metadata.and_then(|metadata| metadata.at(&["annotations", annotation]));
            if let Some(node) = node {
                cx.books.translated(node, format!("services.{}", container.service));
            }
        }
        Role::Init => {
            let at = inits.iter().position(|service| *service == container.service).unwrap_or(0);
            let before = at.checked_sub(1).and_then(|before| inits.get(before));
            draft.requires.extend(before.map(|before| (*before).to_owned()));
            draft.comments.push(format!(
                "Runs to its end before each start of {}, in the same networks but not at its address.",
                workload.service
            ));
        }
        Role::Beside => {
            draft
                .comments
                .push(format!("Shares the network of {}: both find each other at localhost.", workload.service));
            if let Some(work) = draft.as_container_mut().filter(|_| !workload.has_host_network()) {
                work.network_of = Some(workload.service.clone());
            }
            if let Some(policy) = container.node.get("restartPolicy") {
                let how = "it starts right after the service whose network it shares, not before";
                cx.books.translated_as(policy, container.key("network-of"), how);
            }
        }
    }
}
