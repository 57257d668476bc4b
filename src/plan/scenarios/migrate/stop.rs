//! Workloads are stopped without deleting anything, and stay stopped.

use super::kubectl::within;
use super::record::{by_hand, file, once, says, script};
use super::suspend::{Back, OperatorStop, object, operator_stop, parts};
use super::writers::Writer;
use crate::fleet::cluster::{Restorer, RestorerKind};
use crate::plan::PlanCx;
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::text::ShellCommand;

/// How long pods may take to end, in seconds, as far as nobody says otherwise (`terminationGracePeriodSeconds`).
const GRACE: u64 = 60;

/// How long a stopped workload is watched, in minutes, where nothing says how often its restorers look.
const WATCHED: u64 = 5;

/// The label that no node has: pods that want it run nowhere.
const NOWHERE: &str = r#"{"spec":{"template":{"spec":{"nodeSelector":{"hostwright/stopped":"true"}}}}}"#;
const ANYWHERE: &str = r#"{"spec":{"template":{"spec":{"nodeSelector":{"hostwright/stopped":null}}}}}"#;

/// Returns for how many minutes a workload is watched: longer than any of its restorers takes to look again.
pub(super) fn watched_minutes(writer: &Writer<'_>) -> u64 {
    let restorers = writer.restorers();
    let slowest = restorers.iter().filter_map(|restorer| restorer.interval).max().unwrap_or(0);
    (slowest.div_ceil(60) + 1).max(WATCHED)
}

/// Returns the script that watches a workload, up to its record; `what` is `begin`, `end` or `look`.
fn watch(cx: &PlanCx<'_>, writer: &Writer<'_>, what: &str) -> ShellCommand {
    let record = file(cx, &format!("stopped-{}", writer.name));
    script(cx, "stopped").args([
        what,
        writer.cluster.context,
        writer.namespace(),
        writer.kind(),
        &writer.from.workload.name,
        &record,
    ])
}

/// Returns the claims of a workload that nothing may have mounted while it is stopped: those that no workload which stays reads.
fn guarded<'a>(cx: &PlanCx<'a>, writer: &Writer<'a>) -> Vec<&'a str> {
    let moves = |identity: &str| {
        let mut services = cx.host.services.iter().filter_map(|service| service.def.migrates_from.as_ref());
        services.any(|from| from.cluster.as_str() == writer.cluster.name && from.workload.to_string() == identity)
    };
    let of_claim = |claim: &str| {
        let known = writer.known.and_then(|known| known.claims.get(&(writer.namespace().to_owned(), claim.to_owned())));
        known.is_none_or(|known| known.workloads.iter().all(|identity| moves(identity)))
    };
    let froms = writer.services.iter().filter_map(|service| service.def.migrates_from.as_ref());
    let mut own: Vec<&str> = froms.flat_map(|from| from.volumes.iter().map(|volume| volume.claim.as_str())).collect();
    own.sort_unstable();
    own.dedup();
    own.retain(|claim| of_claim(claim));
    own
}

/// Returns a look whether a workload is stopped still, for before and after its data is read.
pub(super) fn look(cx: &PlanCx<'_>, writer: &Writer<'_>) -> ShellCommand {
    watch(cx, writer, "look")
}

/// Makes the step that stops a workload.
pub(super) fn stop(cx: &PlanCx<'_>, writer: &Writer<'_>, id: &str) -> Step {
    let object_word = writer.object();
    let identity = writer.identity();
    let kubectl = |verb: &str| within(writer.cluster, writer.namespace()).args([verb, &object_word]);
    let get = |path: &str| kubectl("get").args(["-o", &format!("jsonpath={path}")]);
    let patch = |patch: &str| kubectl("patch").args(["--type=merge", &format!("--patch={patch}")]);
    let command = |title: String| Step::new(id, StepKind::Command, RunsOn::Cluster, title);
    let names: Vec<&str> = writer.services.iter().map(|service| service.name).collect();
    let down = format!("From here on {} is down, until it starts on {}.", names.join(", "), cx.host.name);
    let restorers = writer.restorers();
    let operator = restorers.iter().find_map(|restorer| Some((*restorer, operator_stop(restorer)?)));
    let replicas = file(cx, &format!("replicas-{}", writer.name));
    let step = match (operator, writer.kind()) {
        (Some((restorer, stop)), _) => by_operator(cx, writer, restorer, stop, id, &down),
        (None, "DaemonSet") => command(format!("Stop {identity}"))
            .why(format!("{down} A DaemonSet has no number of replicas: its pods are told to want a node that there is none of."))
            .run(&patch(NOWHERE))
            .undo(&patch(ANYWHERE)),
        (None, "CronJob") => command(format!("Suspend {identity}"))
            .why(format!("{down} It starts no more jobs; a job that runs is waited for."))
            .run(&patch(r#"{"spec":{"suspend":true}}"#))
            .after(&says(&get("{.spec.suspend}"), "true"))
            .undo(&patch(r#"{"spec":{"suspend":false}}"#)),
        (None, "Job") => command(format!("Suspend {identity}"))
            .why(format!("{down} A suspended job ends its pods and begins anew when it is resumed (Kubernetes 1.24 or later)."))
            .run(&patch(r#"{"spec":{"suspend":true}}"#))
            .after(&says(&get("{.spec.suspend}"), "true"))
            .undo(&patch(r#"{"spec":{"suspend":false}}"#)),
        (None, "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "DeploymentConfig") => {
            let back = kubectl("scale").raw("--replicas=\"$(cat").arg(&replicas).raw(")\"");
            let step = command(format!("Stop {identity}"))
                .why(format!(
                    "{down} It is scaled to 0 and not deleted, so that its claims stay and the undo is one command. How many ran \
                     is written down first."
                ))
                .run(&once(&replicas, &get("{.spec.replicas}")));
            let step = if writer.kind() == "StatefulSet" {
                // Claims that go when a StatefulSet is scaled down are the one way in which this could delete something.
                let policy = get("{.spec.persistentVolumeClaimRetentionPolicy.whenScaled}");
                let count = ShellCommand::new("grep").args(["-cxF", "-e", "Delete"]);
                let none = ShellCommand::new("grep").args(["-qx", "0"]);
                step.before(&policy.then("|", &count).then("|", &none))
            } else {
                step
            };
            step.run(&kubectl("scale").arg("--replicas=0")).undo(&back)
        }
        (None, "Pod") => {
            let manifest = file(cx, &format!("pod-{}.yaml", writer.name));
            Step::new(id, StepKind::Instruction, RunsOn::Person, format!("Stop the pod {identity}"))
                .why(format!(
                    "{down} Nothing scales a bare pod: it is deleted, and made again of what was written down. Save it with \
                     `{}`, take out `status`, `metadata.uid` and `metadata.resourceVersion`, then `{}`. Its claims stay.",
                    kubectl("get").args(["-o", "yaml"]).then("|", &ShellCommand::new("tee").args(["--", &manifest])),
                    kubectl("delete")
                ))
                .undo(&within(writer.cluster, writer.namespace()).args(["create", "-f", &manifest]))
        }
        (None, kind) => Step::new(id, StepKind::Instruction, RunsOn::Person, format!("Stop {identity}"))
            .why(format!(
                "{down} The plan does not know how a {kind} is stopped. Stop it without deleting it or its claims: look at `{}`.",
                ShellCommand::new("kubectl").args([&format!("--context={}", writer.cluster.context), "explain", &format!("{}.spec", kind.to_lowercase())])
            ))
            .undo(&by_hand(&format!("start {identity} again"))),
    };
    let mut step = step;
    for restorer in restorers.iter().filter(|restorer| restorer.kind == RestorerKind::Keda) {
        step = pause_keda(writer, restorer, step);
    }
    step.after(&watch(cx, writer, "begin").args(guarded(cx, writer))).takes(GRACE)
}

/// Pauses an autoscaler of KEDA at none.
fn pause_keda(writer: &Writer<'_>, restorer: &Restorer, mut step: Step) -> Step {
    let (namespace, ..) = parts(restorer);
    let Some(object) = object(restorer).filter(|_| step.kind() == StepKind::Command) else { return step };
    let annotate = |word: &str| within(writer.cluster, namespace).args(["annotate", "--overwrite", &object, word]);
    let get = within(writer.cluster, namespace).args([
        "get",
        &object,
        "-o",
        r"jsonpath={.metadata.annotations.autoscaling\.keda\.sh/paused-replicas}",
    ]);
    // Before the scaling, both ways: it would set the number again at once.
    let Step { run, undo, .. } = &mut step;
    run.insert(0, annotate("autoscaling.keda.sh/paused-replicas=0").to_string());
    undo.insert(0, annotate("autoscaling.keda.sh/paused-replicas-").to_string());
    step.after(&says(&get, "0"))
}

fn by_operator(
    cx: &PlanCx<'_>,
    writer: &Writer<'_>,
    restorer: &Restorer,
    stop: &OperatorStop,
    id: &str,
    down: &str,
) -> Step {
    let (namespace, ..) = parts(restorer);
    let identity = writer.identity();
    let Some(object) = object(restorer) else {
        return Step::new(id, StepKind::Instruction, RunsOn::Person, format!("Stop {identity}"))
            .why(format!("{down} {}.", restorer.suspend))
            .undo(&by_hand(&format!("start {identity} again")));
    };
    let kubectl = |verb: &str| within(writer.cluster, namespace).args([verb, &object]);
    let get = kubectl("get").args(["-o", &format!("jsonpath={}", stop.path)]);
    let record = file(cx, &format!("operator-{}", writer.name));
    let step = Step::new(id, StepKind::Command, RunsOn::Cluster, format!("Stop {identity} by its operator"))
        .why(format!("{down} Its operator would scale it up again, so its object is told to run none; claims stay."));
    let patch = || kubectl("patch").arg("--type=merge");
    let step = match stop.back {
        Back::Patch(text) => step.undo(&patch().arg(format!("--patch={text}"))),
        Back::Recorded(before, behind) => {
            step.run(&once(&record, &get)).undo(&patch().raw(before).arg(&record).raw(behind))
        }
    };
    step.run(&kubectl("patch").args(["--type=merge", &format!("--patch={}", stop.patch)]))
        .after(&says(&get, stop.value))
}

/// Makes the step that watches whether a workload stays stopped; `waits` is for how long beyond what was watched before, in seconds.
pub(super) fn stays(cx: &PlanCx<'_>, writer: &Writer<'_>, id: &str, stop: &str, waits: u64) -> Step {
    let minutes = watched_minutes(writer);
    let slowest = writer.restorers().into_iter().max_by_key(|restorer| restorer.interval);
    let why = match slowest.and_then(|restorer| Some((restorer, restorer.interval?))) {
        Some((restorer, interval)) => format!(
            "Of what restores it, {} {} looks every {}: {minutes} minutes since the stop are watched.",
            restorer.what,
            crate::source::printable(&restorer.by),
            crate::units::TimeSpan::human(interval)
        ),
        None => format!("Whoever brings it back does so within minutes: {minutes} since the stop are watched."),
    };
    Step::new(id, StepKind::Verify, RunsOn::Cluster, format!("See that {} stays stopped", writer.identity()))
        .why(format!(
            "{why} No pod of it is there, nothing has its claims mounted, and nobody has changed it since the stop. What came back \
             is named, and the plan ends there: go back to what restores it."
        ))
        .run(&watch(cx, writer, "end").arg(minutes.to_string()).args(guarded(cx, writer)))
        .needs(stop)
        .takes(waits.saturating_add(seconds::LOOK))
}
