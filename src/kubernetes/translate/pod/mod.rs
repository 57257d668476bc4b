//! Pods: the part that Deployments, StatefulSets, DaemonSets, Jobs and CronJobs have in common.
//!
//! The first container of a pod is its service; init containers become services that run to their end before it, further
//! containers become services that share its network. A pod whose only container a module replaces becomes a native service.
//! Here is the order in which the concerns of a pod are settled; each concern has a file. Not here: what is particular to a kind.

mod containers;
mod env;
mod expansion;
mod image;
mod lifecycle;
mod metadata;
mod native;
mod network;
#[cfg(test)]
mod podman_tests;
pub mod ports;
mod probes;
mod resources;
mod scheduling;
pub mod secrets;
mod security;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod tests;
mod volumes;
mod words;

pub use containers::{Container, Role};
pub use env::{Origin, Variable};
pub(in crate::kubernetes) use native::{Catalogue, connect};
pub(in crate::kubernetes) use scheduling::is_place_label;
pub use words::Word;

use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, MigrationDraft};
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

/// How long a workload runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// As long as the host.
    Always,
    /// Once, to its end.
    Once,
    /// To its end, at times.
    At {
        /// Calendar events of systemd.
        schedule: Vec<String>,
        /// Their time zone.
        time_zone: Option<String>,
    },
}

/// A pod, and the object that makes it.
#[derive(Debug)]
pub struct Workload<'w, 's> {
    /// The object that a person wrote.
    pub object: &'w Object<'s>,
    /// The service that its main container becomes.
    pub service: String,
    /// `metadata` of the pod, where it has any.
    pub metadata: Option<&'w Node<'s>>,
    /// `spec` of the pod.
    pub spec: &'w Node<'s>,
    /// How long it runs.
    pub running: Running,
    /// Whether it runs at all: not with `replicas: 0` or `suspend: true`.
    pub enabled: bool,
}

impl<'w, 's> Workload<'w, 's> {
    /// Returns the workload of an object whose pod template stands below a route; none, with a question, where it has no pod.
    pub fn of_template(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, route: &[&str], running: Running) -> Option<Self> {
        if !cx.is_named(object) {
            return None;
        }
        let template = object.tree().at(route);
        let spec =
            template.and_then(|template| template.get("spec")).filter(|spec| !spec.list("containers").is_empty());
        let Some(spec) = spec else {
            cx.ask(object, object.tree(), "pod", "it has no containers: which program should run?", false);
            return None;
        };
        let metadata = template.and_then(|template| template.get("metadata"));
        let own = object.tree().get("spec");
        let stopped = own.and_then(|own| own.int_at("replicas")) == Some(0)
            || own.and_then(|own| own.bool_at("suspend")) == Some(true);
        Some(Self { object, service: cx.service_name(object), metadata, spec, running, enabled: !stopped })
    }

    /// Returns the claim templates of a StatefulSet.
    pub fn claim_templates(&self) -> &'w [Node<'s>] {
        self.object.tree().at(&["spec", "volumeClaimTemplates"]).map_or(&[], Node::items)
    }

    /// Tells whether it keeps data of its own: it has claims.
    pub fn has_claims(&self) -> bool {
        let claim = |volume: &Node<'_>| volume.get("persistentVolumeClaim").is_some();
        !self.claim_templates().is_empty() || self.spec.list("volumes").iter().any(claim)
    }

    /// Returns the group that its volumes are given to (`securityContext.fsGroup`), with the value that says so.
    pub fn fs_group(&self) -> Option<(&'w Node<'s>, i64)> {
        let node = self.spec.at(&["securityContext", "fsGroup"])?;
        Some((node, node.int()?))
    }

    /// Tells whether it has the network of the host.
    pub fn has_host_network(&self) -> bool {
        self.spec.bool_at("hostNetwork") == Some(true)
    }
}

/// Settles `spec.replicas`: one process takes the place of all.
pub fn replicas<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let Some(replicas) = workload.object.tree().at(&["spec", "replicas"]) else { return };
    match replicas.int() {
        Some(0) => cx.books.translated(replicas, format!("services.{}.enable", workload.service)),
        Some(1) => cx.books.translated(replicas, format!("services.{}", workload.service)),
        // The pods of other kinds share the claims that they name.
        Some(count) if !workload.claim_templates().is_empty() => {
            let text = format!(
                "{count} replicas keep data, and one takes their place: do they hold the same, so that the first one's is enough?"
            );
            cx.ask(workload.object, replicas, "replicas", text, false);
        }
        _ => cx.books.dropped(replicas, "one process takes the place of all replicas"),
    }
}

/// Translates the containers of a pod.
pub fn translate<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    metadata::settle(cx, workload);
    if let Some(kind) = workload.object.tree().get("kind") {
        let how = match &workload.running {
            _ if !workload.enabled => "as a definition that does not run (`enable = false`)",
            Running::Always => "it runs as long as the host does",
            Running::Once => "it runs to its end",
            Running::At { .. } => "it runs to its end at times",
        };
        cx.books.translated_as(kind, format!("services.{}", workload.service), how);
    }
    let mut containers = containers::of(cx, workload);
    containers.retain(|container| {
        let only_owns = container.role == Role::Init && volumes::is_ownership_only(container.node).is_some();
        if only_owns {
            cx.books.replaced(container.node, "the owner of the state, which is set before the service starts");
        }
        let only_helps = container.role == Role::Beside && workload.running != Running::Always;
        if only_helps {
            let text = format!(
                "`{}` runs beside the container that does the work and ends with it, which no service of the host does: does \
                 the work need it, and could it be a step before or after it?",
                container.name
            );
            cx.ask(workload.object, container.node, &container.question("beside"), text, true);
        }
        !only_owns && !only_helps
    });
    let mut is_native = false;
    for container in &containers {
        let why = match container.role {
            Role::Main => match native::native(cx, workload, &containers, container) {
                Ok(()) => {
                    is_native = true;
                    continue;
                }
                Err(why) => Some(why),
            },
            _ => None,
        };
        if let Some(reason) = native::needless(container).filter(|_| is_native) {
            cx.books.replaced(container.node, reason);
            continue;
        }
        one(cx, workload, &containers, container, why);
    }
    network::settle(cx, workload);
    scheduling::settle(cx, workload);
    security::settle(cx, workload);
    lifecycle::settle(cx, workload);
}

/// Makes the service of one container.
fn one<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    all: &[Container<'w, 's>],
    container: &Container<'w, 's>,
    why: Option<native::Why>,
) {
    let mut draft = Draft::container(workload.object.id, workload.object.identity(), String::new());
    draft.enable = workload.enabled;
    if container.role == Role::Main {
        let image = container.node.str_at("image").map(str::to_owned);
        draft.migration = Some(MigrationDraft { image, ..MigrationDraft::default() });
    }
    if let Some(why) = why {
        if why.is_catalogued {
            draft.comments.push(format!("A container: {}.", why.text));
        }
        draft.why_container = Some(why.text);
    }
    containers::order(cx, workload, all, container, &mut draft);
    image::translate(cx, workload, container, &mut draft);
    env::translate(cx, workload, container, &mut draft);
    words::translate(cx, workload, container, &mut draft);
    volumes::volumes(cx, workload, container.node, &container.service, &mut draft);
    security::translate(cx, workload, container, &mut draft);
    resources::translate(cx, workload, container, &mut draft);
    network::translate(cx, workload, container, &mut draft);
    lifecycle::translate(cx, workload, container, &mut draft);
    cx.add(&container.service, draft);
    ports::translate(cx, workload, container);
    probes::translate(cx, workload, container);
}
