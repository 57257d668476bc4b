//! Before anything is touched: the cluster answers, everything that the plan does is allowed, and the objects are those of the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::kubectl::{cluster_wide, within};
use super::record::{file, once, says, says_as, script};
use super::volume::ClusterRef;
use super::writers::Writer;
use crate::plan::PlanCx;
use crate::plan::gates::{self, family};
use crate::plan::scenarios::install::private_folder;
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::text::ShellCommand;

/// Kinds of workloads with the resource that permissions are asked for.
const RESOURCES: &[(&str, &str)] = &[
    ("CronJob", "cronjobs.batch"),
    ("DaemonSet", "daemonsets.apps"),
    ("Deployment", "deployments.apps"),
    ("Job", "jobs.batch"),
    ("Pod", "pods"),
    ("ReplicaSet", "replicasets.apps"),
    ("ReplicationController", "replicationcontrollers"),
    ("StatefulSet", "statefulsets.apps"),
];

/// Returns the clusters that workloads come from, each once, in their order.
pub(super) fn clusters<'a>(writers: &[Writer<'a>]) -> Vec<ClusterRef<'a>> {
    let mut all: Vec<ClusterRef<'a>> = Vec::new();
    for writer in writers {
        if !all.contains(&writer.cluster) {
            all.push(writer.cluster);
        }
    }
    all
}

/// Returns the step's id.
pub(super) fn id(cluster: ClusterRef<'_>) -> String {
    format!("{}{}", family::CHECK_CONTEXT, cluster.name)
}

/// Makes the step that lists what is left in a cluster.
pub(super) fn list(cx: &PlanCx<'_>, cluster: ClusterRef<'_>) -> Step {
    let file = file(cx, &format!("left-{}.txt", cluster.name));
    let kinds = "deployments,statefulsets,daemonsets,jobs,cronjobs,persistentvolumeclaims,services,ingresses";
    let get = cluster_wide(cluster).args(["get", kinds, "-A", "-o", "wide"]);
    let volumes = cluster_wide(cluster).args(["get", "persistentvolumes", "-o", "wide"]);
    let keep = |get: &ShellCommand, words: &[&str]| {
        get.clone().then("|", &ShellCommand::new("tee").args(words).args(["--", &file]))
    };
    let id = format!("{}{}", gates::retire::LISTING, cluster.name);
    Step::new(id, StepKind::Verify, RunsOn::Cluster, format!("List what is left in {}", cluster.name))
        .why(format!(
            "Read it before anything is deleted: whatever is wanted of it has to be known now. It stays in {file}, as the last that is known \
             of what was there."
        ))
        .needs(self::id(cluster))
        .run(&keep(&get, &[]))
        .run(&keep(&volumes, &["-a"]))
        .after(&ShellCommand::new("test").args(["-s", &file]))
        .takes(seconds::LOOK)
}

/// Returns a look whether the context leads to the cluster that the plan began with.
fn same_cluster(cx: &PlanCx<'_>, cluster: ClusterRef<'_>) -> ShellCommand {
    script(cx, "same-cluster").args([cluster.context, &file(cx, &format!("cluster-{}", cluster.name))])
}

/// Has a step look first whether it is the cluster that is meant: between two runs a context may have come to lead elsewhere.
pub(super) fn guarded(cx: &PlanCx<'_>, cluster: ClusterRef<'_>, mut step: Step) -> Step {
    if step.runs_on() == RunsOn::Cluster {
        step.before.insert(0, same_cluster(cx, cluster).to_string());
    }
    step
}

/// Makes the step that looks at a cluster.
pub(super) fn check(cx: &PlanCx<'_>, cluster: ClusterRef<'_>, writers: &[Writer<'_>]) -> Step {
    let own: Vec<&Writer<'_>> = writers.iter().filter(|writer| writer.cluster == cluster).collect();
    let said = if cluster.is_said {
        String::new()
    } else {
        format!(
            " fleet.toml does not say which context of kubectl leads there, so the plan goes by the cluster's name; \
             `context = \"…\"` below `[clusters.{}]` says another.",
            cluster.name
        )
    };
    let manifests = if cx.clusters.contains_key(cluster.name) {
        " Images and claims are compared with the manifests that the plan was made from: where they differ, export the \
         manifests again and make the plan anew."
    } else {
        " There are no manifests of it, so the plan cannot tell what belongs to these workloads and what would bring \
         them back."
    };
    let mut step = Step::new(id(cluster), StepKind::Verify, RunsOn::Cluster, format!("Look at the cluster {}", cluster.name))
        .why(format!(
            "The context is there and answers, which cluster it leads to is written down and looked at before each step in it, every verb that the plan needs is allowed, no namespace is being deleted, \
             and the workloads are the ones that are meant: their ids are written down and compared when the plan is run \
             again. Nothing is changed.{manifests}{said}"
        ))
        .run(&private_folder(&cx.reach.state("migrate")))
        .run(&same_cluster(cx, cluster).arg("begin"))
        .run(&cluster_wide(cluster).arg("version"));
    let namespaces: BTreeSet<&str> = own.iter().map(|writer| writer.namespace()).collect();
    for namespace in &namespaces {
        let phase =
            cluster_wide(cluster).args(["get", &format!("namespace/{namespace}"), "-o", "jsonpath={.status.phase}"]);
        step = step.run(&says(&phase, "Active"));
    }
    for command in permissions(cx, cluster, &own) {
        step = step.run(&command);
    }
    for writer in &own {
        step = same_object(cx, writer, step);
    }
    step.takes(seconds::LOOK.saturating_mul(own.len() as u64 + 2))
}

/// Returns the questions whether the plan may do what it does, one for each namespace.
fn permissions(cx: &PlanCx<'_>, cluster: ClusterRef<'_>, own: &[&Writer<'_>]) -> Vec<ShellCommand> {
    let mut wanted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for writer in own {
        let words = wanted.entry(writer.namespace()).or_default();
        let resource = RESOURCES.iter().find(|(kind, _)| *kind == writer.kind()).map(|(_, resource)| *resource);
        if let Some(resource) = resource {
            words.extend(["get", "patch", "delete"].map(|verb| format!("{verb}:{resource}")));
        }
        words.insert("list:pods".to_owned());
        if !writer.from.volumes.is_empty() {
            words.extend(["get", "delete"].map(|verb| format!("{verb}:persistentvolumeclaims")));
            words.extend(["create:pods", "delete:pods", "create:pods/exec"].map(str::to_owned));
        }
        for restorer in writer.restorers().into_iter().filter(|restorer| super::suspend::is_patched(restorer)) {
            let (namespace, ..) = super::suspend::parts(restorer);
            if let Some(object) = super::suspend::object(restorer)
                && let Some((resource, _)) = object.split_once('/')
            {
                wanted.entry(namespace).or_default().insert(format!("patch:{resource}"));
            }
        }
    }
    let allowed =
        |namespace: &str, words: BTreeSet<String>| script(cx, "allowed").args([cluster.context, namespace]).args(words);
    let mut all: Vec<ShellCommand> = wanted.into_iter().map(|(namespace, words)| allowed(namespace, words)).collect();
    if own.iter().any(|writer| !writer.claims.is_empty()) {
        let words = ["get", "patch", "delete"].map(|verb| format!("{verb}:persistentvolumes"));
        all.push(script(cx, "allowed").args([cluster.context, ""]).args(words));
    }
    all
}

/// Adds the comparison of a workload with its manifest, and with what it was when the plan was run first.
fn same_object(cx: &PlanCx<'_>, writer: &Writer<'_>, step: Step) -> Step {
    let get = |path: &str| {
        within(writer.cluster, writer.namespace()).args(["get", &writer.object(), "-o", &format!("jsonpath={path}")])
    };
    let uid = file(cx, &format!("uid-{}", writer.name));
    let mut step = step.run(&once(&uid, &get("{.metadata.uid}"))).run(&says_as(&get("{.metadata.uid}"), &uid));
    let template = match writer.kind() {
        "CronJob" => "{.spec.jobTemplate.spec.template.spec",
        "Pod" => "{.spec",
        _ => "{.spec.template.spec",
    };
    let words = |path: &str| get(&format!("{template}{path}}}")).then("|", &ShellCommand::new("tr").args([" ", "\\n"]));
    let Some(facts) = writer.facts else { return step };
    if let Some(image) = &facts.image {
        step = step.run(&says(&words(".containers[*].image"), &image.value));
    }
    let named: BTreeSet<&str> =
        facts.claims.iter().filter(|claim| !claim.is_template).map(|claim| claim.name.as_str()).collect();
    for claim in named {
        step = step.run(&says(&words(".volumes[*].persistentVolumeClaim.claimName"), claim));
    }
    step
}
