//! What would bring a workload back is stopped first, from the outside in.
//!
//! Each kind of restorer is stopped in its own way. Where the way to stop it is also what stops the workload (the object that an
//! operator reads, an autoscaler of KEDA), the step only looks, and the stop does it. Where only a person can do it, the step says what.

use std::collections::BTreeMap;

use super::ids::Ids;
use super::kubectl::{cluster_wide, within};
use super::record::{by_hand, file, once, says};
use super::volume::ClusterRef;
use super::writers::Writer;
use crate::fleet::cluster::{Restorer, RestorerKind};
use crate::plan::PlanCx;
use crate::plan::gates::{family, id};
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::source::printable;
use crate::text::ShellCommand;

/// How long Argo CD and its ApplicationSets may take until they look again, in seconds.
const LOOKS_AGAIN: u64 = 200;

/// The parts of a restorer's identity: namespace, kind, name.
pub(super) fn parts(restorer: &Restorer) -> (&str, &str, &str) {
    let mut parts = restorer.by.splitn(3, '/');
    (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""))
}

/// Returns how kubectl is told which object of a restorer is meant; none where nothing in the cluster stands for it.
pub(super) fn object(restorer: &Restorer) -> Option<String> {
    let (_, kind, name) = parts(restorer);
    let resource = match restorer.kind {
        RestorerKind::ArgoApplicationSet => "applicationsets.argoproj.io".to_owned(),
        RestorerKind::ArgoApplication => "applications.argoproj.io".to_owned(),
        RestorerKind::FluxKustomization => "kustomizations.kustomize.toolkit.fluxcd.io".to_owned(),
        RestorerKind::FluxHelmRelease => "helmreleases.helm.toolkit.fluxcd.io".to_owned(),
        RestorerKind::Fleet => "bundles.fleet.cattle.io".to_owned(),
        RestorerKind::HorizontalPodAutoscaler => "horizontalpodautoscalers.autoscaling".to_owned(),
        RestorerKind::Keda => "scaledobjects.keda.sh".to_owned(),
        RestorerKind::Operator => match restorer.group.as_deref().filter(|group| !group.is_empty()) {
            Some(group) => format!("{}.{group}", kind.to_lowercase()),
            None => kind.to_lowercase(),
        },
        RestorerKind::K3sAddon | RestorerKind::AddonManager | RestorerKind::Helm | RestorerKind::Outside => {
            return None;
        }
    };
    // Of some only the program is known that wrote an object, and what comes from an annotation may be no name at all.
    (!name.is_empty() && kind != "manager").then(|| format!("{resource}/{name}"))
}

/// Tells whether the plan changes the object of a restorer.
pub(super) fn is_patched(restorer: &Restorer) -> bool {
    match restorer.kind {
        RestorerKind::ArgoApplicationSet
        | RestorerKind::ArgoApplication
        | RestorerKind::FluxKustomization
        | RestorerKind::FluxHelmRelease
        | RestorerKind::Fleet
        | RestorerKind::Keda => true,
        RestorerKind::Operator => operator_stop(restorer).is_some(),
        _ => false,
    }
}

/// What an operator's object is told so that it runs nothing: a merge patch, and the field that says so with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct OperatorStop {
    pub(super) patch: &'static str,
    pub(super) path: &'static str,
    pub(super) value: &'static str,
    pub(super) back: Back,
}

/// How an operator's object is told to run what it ran.
#[derive(Debug, Clone, Copy)]
pub(super) enum Back {
    /// A merge patch.
    Patch(&'static str),
    /// The option of kubectl with a merge patch before and behind the file that holds what was recorded.
    Recorded(&'static str, &'static str),
}

/// Operators whose objects say how many run: CloudNativePG (declarative hibernation), the one of Zalando, that of Prometheus.
const OPERATORS: &[(&[&str], OperatorStop)] = &[
    (
        &["Cluster"],
        OperatorStop {
            patch: r#"{"metadata":{"annotations":{"cnpg.io/hibernation":"on"}}}"#,
            path: r"{.metadata.annotations.cnpg\.io/hibernation}",
            value: "on",
            back: Back::Patch(r#"{"metadata":{"annotations":{"cnpg.io/hibernation":"off"}}}"#),
        },
    ),
    (
        &["postgresql"],
        OperatorStop {
            patch: r#"{"spec":{"numberOfInstances":0}}"#,
            path: "{.spec.numberOfInstances}",
            value: "0",
            back: Back::Recorded(r#"--patch "{\"spec\":{\"numberOfInstances\":$(cat"#, r#")}}""#),
        },
    ),
    (
        &["Prometheus", "Alertmanager", "ThanosRuler"],
        OperatorStop {
            patch: r#"{"spec":{"replicas":0}}"#,
            path: "{.spec.replicas}",
            value: "0",
            back: Back::Recorded(r#"--patch "{\"spec\":{\"replicas\":$(cat"#, r#")}}""#),
        },
    ),
];

/// Returns how the object of an operator is told to run nothing; none where only its makers know.
pub(super) fn operator_stop(restorer: &Restorer) -> Option<&'static OperatorStop> {
    let (_, kind, _) = parts(restorer);
    let known = OPERATORS.iter().find(|(kinds, _)| kinds.contains(&kind)).map(|(_, stop)| stop);
    // Other APIs have a `Cluster` as well; only CloudNativePG's hibernates.
    let is_other = kind == "Cluster" && restorer.group.as_deref().is_some_and(|group| group != "postgresql.cnpg.io");
    known.filter(|_| restorer.kind == RestorerKind::Operator && !is_other)
}

/// Steps that stop what restores, and which step that is for which restorer.
#[derive(Debug, Default)]
pub(super) struct Suspensions {
    pub(super) steps: Vec<Step>,
    /// Ids by cluster and restorer.
    by: BTreeMap<(String, RestorerKind, String), String>,
}

impl Suspensions {
    /// Returns the checks that what restores a workload is suspended.
    pub(super) fn checks(&self, writer: &Writer<'_>) -> Vec<String> {
        let ids = writer
            .restorers()
            .into_iter()
            .filter_map(|restorer| self.by.get(&(writer.cluster.name.to_owned(), restorer.kind, restorer.by.clone())));
        let steps = ids.filter_map(|id| self.steps.iter().find(|step| step.id() == id));
        steps.filter(|step| step.kind() == StepKind::Command).flat_map(|step| step.checks_after().to_vec()).collect()
    }
}

/// Makes the steps for everything that would bring back one of the workloads.
pub(super) fn steps(cx: &PlanCx<'_>, writers: &[Writer<'_>], ids: &mut Ids) -> Suspensions {
    let mut all = Suspensions::default();
    for writer in writers {
        for restorer in writer.restorers() {
            let key = (writer.cluster.name.to_owned(), restorer.kind, restorer.by.clone());
            if all.by.contains_key(&key) {
                continue;
            }
            let (_, kind, name) = parts(restorer);
            let id = ids.name(&format!(
                "{}{}-{}",
                family::SUSPEND,
                kind.to_lowercase(),
                if name.is_empty() { "unnamed" } else { name }
            ));
            let step = step(cx, writer.cluster, restorer, &id);
            // Who stands above comes first, as far as it is known; a circle is cut where it closes.
            let above = restorer.under.iter().flat_map(|by| {
                all.by.iter().filter(move |((cluster, _, other), _)| cluster == writer.cluster.name && other == by)
            });
            let above: Vec<String> = above.map(|(_, id)| id.clone()).collect();
            let step = super::context::guarded(cx, writer.cluster, step);
            let step = above.into_iter().fold(step.needs(super::context::id(writer.cluster)), Step::needs);
            all.by.insert(key, id);
            all.steps.push(step);
        }
    }
    all
}

fn words(restorer: &Restorer) -> String {
    let (namespace, kind, name) = parts(restorer);
    match restorer.kind {
        RestorerKind::Outside => format!("{} {}", restorer.what, printable(name)),
        RestorerKind::Operator => {
            format!("{} {} {}/{}", restorer.what, printable(kind), printable(namespace), printable(name))
        }
        _ => format!("{} {}/{}", restorer.what, printable(namespace), printable(name)),
    }
}

/// Makes the step of one restorer.
fn step(cx: &PlanCx<'_>, cluster: ClusterRef<'_>, restorer: &Restorer, id: &str) -> Step {
    let restores: Vec<String> = restorer
        .restores
        .iter()
        .take(5)
        .map(|(what, shown_by)| format!("{} ({})", printable(what), printable(shown_by)))
        .collect();
    let more = restorer.restores.len().saturating_sub(restores.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let mut why = format!("It restores {}{more}: {}.", restores.join(", "), restorer.behaviour);
    if !restorer.under.is_empty() {
        let above: Vec<String> = restorer.under.iter().map(|by| printable(by)).collect();
        why.push_str(&format!(" It is itself brought back by {}, which is suspended before.", above.join(", ")));
    }
    let words = words(restorer);
    let Some(object) = object(restorer) else { return by_person(restorer, id, &words, &why) };
    let (namespace, ..) = parts(restorer);
    let kubectl = |verb: &str| within(cluster, namespace).args([verb, &object]);
    let get = |path: &str| kubectl("get").args(["-o", &format!("jsonpath={path}")]);
    let patch = |patch: &str| kubectl("patch").args(["--type=merge", &format!("--patch={patch}")]);
    let new = |kind: StepKind, title: String| Step::new(id, kind, RunsOn::Cluster, title).takes(seconds::LOOK);
    let record = file(cx, id);
    match restorer.kind {
        RestorerKind::FluxKustomization | RestorerKind::FluxHelmRelease => new(StepKind::Command, format!("Suspend {words}"))
            .why(format!("{why} Suspended it stays as it is, and deletes nothing. Whoever resumes it undoes this."))
            .run(&patch(r#"{"spec":{"suspend":true}}"#))
            .after(&says(&get("{.spec.suspend}"), "true"))
            .undo(&patch(r#"{"spec":{"suspend":false}}"#)),
        RestorerKind::Fleet => new(StepKind::Command, format!("Pause {words}"))
            .why(format!(
                "{why} Where a GitRepo makes the bundle, `spec.paused` belongs there as well, or it is set back."
            ))
            .run(&patch(r#"{"spec":{"paused":true}}"#))
            .after(&says(&get("{.spec.paused}"), "true"))
            .undo(&patch(r#"{"spec":{"paused":false}}"#)),
        RestorerKind::ArgoApplication => {
            // The way back is the whole of `automated`, as it was: written down once, as the patch that restores it.
            let path = r#"{"{\"spec\":{\"syncPolicy\":{\"automated\":"}{.spec.syncPolicy.automated}{"}}}"}"#;
            let null = ShellCommand::new("sed").arg("s/:}}}$/:null}}}/");
            new(StepKind::Command, format!("Suspend {words}"))
                .why(format!("{why} Without `syncPolicy.automated` it only looks. Nobody may press Sync until the move is done."))
                .run(&once(&record, &get(path).then("|", &null)))
                .run(&patch(r#"{"spec":{"syncPolicy":{"automated":null}}}"#))
                .after(&says(&get("{.spec.syncPolicy.automated}{\"none\\n\"}"), "none"))
                .undo(&kubectl("patch").arg("--type=merge").raw("--patch \"$(cat").arg(&record).raw(")\""))
        }
        RestorerKind::ArgoApplicationSet => {
            let path = r#"{"{\"spec\":{\"syncPolicy\":{\"applicationsSync\":\""}{.spec.syncPolicy.applicationsSync}{"\"}}}"}"#;
            let null = ShellCommand::new("sed").arg(r#"s/:""}}}$/:null}}}/"#);
            new(StepKind::Command, format!("Keep {words} from changing its Applications"))
                .why(format!(
                    "{why} With `applicationsSync: create-only` it leaves the Applications that exist alone (Argo CD 2.8 or later, \
                     where the controller does not set a policy of its own)."
                ))
                .run(&once(&record, &get(path).then("|", &null)))
                .run(&patch(r#"{"spec":{"syncPolicy":{"applicationsSync":"create-only"}}}"#))
                .after(&says(&get("{.spec.syncPolicy.applicationsSync}"), "create-only"))
                .undo(&kubectl("patch").arg("--type=merge").raw("--patch \"$(cat").arg(&record).raw(")\""))
        }
        RestorerKind::HorizontalPodAutoscaler => new(StepKind::Verify, format!("Look at {words}"))
            .why(format!(
                "{why} There is nothing to suspend: an autoscaler leaves alone what is scaled to 0 by hand, and goes on when \
                 the undo of the stop has scaled it up."
            ))
            .run(&get("{.spec.scaleTargetRef.kind}/{.spec.scaleTargetRef.name}")),
        RestorerKind::Keda => new(StepKind::Verify, format!("Look at {words}"))
            .why(format!(
                "{why} It is paused at 0 by the stop of what it scales: pausing it earlier would take the service down for \
                 nothing."
            ))
            .run(&kubectl("get")),
        RestorerKind::Operator if operator_stop(restorer).is_some() => new(StepKind::Verify, format!("Look at the object of {words}"))
            .why(format!(
                "{why} There is nothing to suspend: the stop tells this object to run none, and the operator does that."
            ))
            .run(&kubectl("get")),
        _ => by_person(restorer, id, &words, &why),
    }
}

/// Makes the step of what only a person can stop.
fn by_person(restorer: &Restorer, id: &str, words: &str, why: &str) -> Step {
    let title = match restorer.kind {
        RestorerKind::Helm => format!("Nobody upgrades {words}"),
        RestorerKind::Outside => format!("Stop {words}"),
        _ => format!("Suspend {words}"),
    };
    let back = format!("set {words} going again");
    Step::new(id, StepKind::Instruction, RunsOn::Person, title)
        .why(format!("{why} What to do: {}.", restorer.suspend))
        .undo(&by_hand(&back))
        .takes(seconds::PERSON)
}

/// Makes the step for a cluster of which nothing is known: a person looks for what would bring its workloads back.
pub(super) fn find(cluster: ClusterRef<'_>, writers: &[&Writer<'_>]) -> Step {
    let mut lines: Vec<String> = Vec::new();
    for writer in writers {
        let get =
            within(cluster, writer.namespace()).args(["get", &writer.object(), "-o", "yaml", "--show-managed-fields"]);
        lines.push(format!("- `{get}`"));
    }
    for kinds in [
        "kustomizations.kustomize.toolkit.fluxcd.io,helmreleases.helm.toolkit.fluxcd.io",
        "applications.argoproj.io,applicationsets.argoproj.io",
        "horizontalpodautoscalers",
        "scaledobjects.keda.sh",
    ] {
        lines.push(format!("- `{}`", cluster_wide(cluster).args(["get", kinds, "-A"])));
    }
    let names: Vec<String> = writers.iter().map(|writer| writer.identity()).collect();
    Step::new(
        format!("{}{}", family::FIND_RESTORERS, cluster.name),
        StepKind::Instruction,
        RunsOn::Person,
        format!("Find out what would bring the workloads of {} back", cluster.name),
    )
    .why(format!(
        "There are no manifests of {}, so the plan does not know who delivers them: a deployment that is scaled down comes back when \
         somebody does. Better than this step: export the objects, name them as `manifests` of `[clusters.{}]` in fleet.toml, and make \
         the plan again; it then has a step for each. Else look at owner references, labels, annotations and field managers, and at \
         what delivers to this cluster (kinds that it does not have are refused, which means nothing), and suspend what you \
         find from the outside in:\n{}",
        names.join(", "),
        cluster.name,
        lines.join("\n"),
    ))
    .needs(super::context::id(cluster))
    .undo(&by_hand("set going again what you have suspended"))
    .takes(1800)
}

/// Makes the barrier: everything is suspended still, after whoever could undo it has had the time to.
pub(super) fn barrier(suspensions: &Suspensions, more: impl Iterator<Item = String>) -> Step {
    let commands = suspensions.steps.iter().filter(|step| step.kind() == StepKind::Command);
    let checks: Vec<String> = commands.flat_map(|step| step.checks_after().iter().cloned()).collect();
    let waits = !checks.is_empty();
    let title = if waits { "See that all of it stays suspended" } else { "Nothing restores what is stopped" };
    let why = if waits {
        "What stands above something suspended may set it back, some minutes later. So the same checks are made once more after a wait. \
         Nothing is stopped before this passes."
    } else {
        "Volumes are kept, and what is known of who would bring workloads back has been looked at. Nothing is stopped before this \
         passes."
    };
    let mut step = Step::new(id::CHECK_SUSPENDED, StepKind::Verify, RunsOn::Cluster, title).why(why);
    if waits {
        step = step.run(&ShellCommand::new("sleep").arg(LOOKS_AGAIN.to_string()));
    }
    step = step.run_lines(checks).takes(if waits { LOOKS_AGAIN + seconds::LOOK } else { 0 });
    let ids: Vec<String> = suspensions.steps.iter().map(|step| step.id().to_owned()).collect();
    ids.into_iter().chain(more).fold(step, Step::needs)
}
