//! Pods: the part that Deployments, StatefulSets, DaemonSets, Jobs and CronJobs have in common.
//!
//! The first container of a pod is its service; init containers become services that run to their end before it, further
//! containers become services that share its network. A pod whose only container a module replaces becomes a native service.

use crate::kubernetes::context::Cx;
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
pub fn translate(_cx: &mut Cx<'_, '_>, _workload: &Workload<'_, '_>) {}
