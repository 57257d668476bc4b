//! Pods: the part that Deployments, StatefulSets, DaemonSets, Jobs and CronJobs have in common.
//!
//! The first container of a pod is its service; init containers become services that run to their end before it, further
//! containers become services that share its network. A pod whose only container a module replaces becomes a native service.

mod volumes;

use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
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
}

impl<'w, 's> Workload<'w, 's> {
    /// Returns the workload of an object whose pod template stands below a route; none, with a question, where it has no pod.
    pub fn of_template(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, route: &[&str], running: Running) -> Option<Self> {
        let template = object.tree().at(route);
        let spec =
            template.and_then(|template| template.get("spec")).filter(|spec| !spec.list("containers").is_empty());
        let Some(spec) = spec else {
            cx.ask(object, object.tree(), "pod", "it has no containers: which program should run?", false);
            return None;
        };
        let metadata = template.and_then(|template| template.get("metadata"));
        Some(Self { object, service: cx.service_name(object), metadata, spec, running })
    }
}

/// Settles `spec.replicas`: one process takes the place of all.
pub fn replicas(cx: &mut Cx<'_, '_>, workload: &Workload<'_, '_>) {
    let Some(replicas) = workload.object.tree().at(&["spec", "replicas"]) else { return };
    match replicas.int() {
        Some(0) => cx.books.translated(replicas, format!("services.{}.enable", workload.service)),
        Some(1) => cx.books.translated(replicas, format!("services.{}", workload.service)),
        _ => cx.books.dropped(replicas, "one process takes the place of all replicas"),
    }
}

/// Translates the containers of a pod.
pub fn translate<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let spec = workload.spec;
    let main = spec.list("containers").first();
    for container in spec.list("initContainers").iter().chain(spec.list("containers")) {
        if volumes::is_ownership_only(container).is_some() {
            cx.books.replaced(container, "the owner of the state");
            continue;
        }
        let text = |key: &str| container.get(key).and_then(Node::text).unwrap_or("").to_owned();
        let is_main = main.is_some_and(|main| std::ptr::eq(main, container));
        let service = if is_main { workload.service.clone() } else { format!("{}-{}", workload.service, text("name")) };
        let mut draft = Draft::container(workload.object.id, workload.object.identity(), text("image"));
        volumes::volumes(cx, workload, container, &service, &mut draft);
        cx.add(&service, draft);
    }
}
