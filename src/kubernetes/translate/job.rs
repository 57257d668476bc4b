//! Job: a workload that runs to its end once.
//!
//! A unit that runs to its end is started at each boot, where a cluster runs a Job once in its life; so a person is asked.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static JOB: Translator = Translator { kind: "Job", groups: &["batch"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if hooks(object).any(|(_, value)| value.split(',').all(|hook| hook.trim().starts_with("test"))) {
        return cx.books.dropped(object.tree(), "a test of the chart, which is no part of what runs");
    }
    let Some(mut workload) = Workload::of_template(cx, object, &["spec", "template"], Running::Once) else { return };
    let status = |key: &str| object.tree().at(&["status", key]);
    let is_over =
        status("completionTime").is_some() || status("succeeded").and_then(Node::int).is_some_and(|count| count > 0);
    workload.enabled &= !is_over;
    pod::translate(cx, &workload);
    if let Some(node) = object.tree().at(&["spec", "suspend"]) {
        suspend(cx, &workload, node);
    }
    if let Some(spec) = object.tree().get("spec") {
        settle(cx, &workload, spec);
    }
    if is_over {
        return over(cx, &workload);
    }
    let hook = hooks(object).next().map(|(node, _)| node);
    let when =
        if hook.is_some() { "it runs when the chart is installed or upgraded" } else { "a cluster runs it once" };
    if let Some(node) = hook.or_else(|| object.tree().get("kind")) {
        again(cx, object, node, when);
    }
}

/// Notes that a workload does not have to run again.
pub(super) fn over(cx: &mut Cx<'_, '_>, workload: &Workload<'_, '_>) {
    if let Some(draft) = cx.host.services.get_mut(&workload.service) {
        draft.comments.push("It has run to its end in the cluster.".to_owned());
    }
}

/// Asks about what runs more often here than in a cluster.
pub(super) fn again<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, node: &'w Node<'s>, when: &str) {
    let text = format!("{when}, here at each boot: does it do harm to run it again?");
    cx.ask(object, node, "again", text, false);
}

/// Returns the annotations that make a Job part of an installation.
fn hooks<'w, 's>(object: &'w Object<'s>) -> impl Iterator<Item = (&'w Node<'s>, &'w str)> {
    let annotations = object.tree().at(&["metadata", "annotations"]);
    ["helm.sh/hook", "argocd.argoproj.io/hook"].into_iter().filter_map(move |key| {
        let node = annotations?.get(key)?;
        Some((node, node.text()?))
    })
}

/// Settles `suspend`.
pub(super) fn suspend<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, node: &'w Node<'s>) {
    match node.bool() {
        Some(true) => cx.books.translated(node, format!("services.{}.enable", workload.service)),
        _ => cx.books.dropped(node, "this is the default"),
    }
}

/// Settles what a Job says of its tries and pods, and adds it to the service.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, spec: &'w Node<'s>) {
    let key = |key: &str| format!("services.{}.{key}", workload.service);
    if let Some(node) = spec.get("backoffLimit").filter(|node| !node.is_null()) {
        if node.int() == Some(0) {
            cx.books.translated(node, key("restart"));
        } else {
            cx.books.dropped(node, "a run that failed is tried again, ever more rarely, until it succeeds");
        }
    }
    let once = spec.int_at("backoffLimit") == Some(0);
    let most = spec.get("activeDeadlineSeconds").filter(|node| !node.is_null());
    let seconds =
        most.and_then(Node::int).and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    if let Some(work) = cx.host.services.get_mut(&workload.service).and_then(|draft| draft.as_container_mut()) {
        // "Pod backoff failure policy": with no tries left, the first failure ends the Job.
        if once && work.restart.is_none() {
            work.restart = Some("no");
        }
        work.run_at_most = seconds.or(work.run_at_most);
    }
    if let Some(node) = most {
        cx.books.translated(node, key("run-at-most"));
    }
    for field in ["completions", "parallelism"] {
        let Some(node) = spec.get(field).filter(|node| !node.is_null()) else { continue };
        match node.int() {
            Some(1) => cx.books.dropped(node, "this is the default"),
            _ => {
                let text = format!("{field} is not 1: what do the pods of this Job share out among themselves?");
                cx.ask(workload.object, node, field, text, false);
            }
        }
    }
    if let Some(node) = spec.get("completionMode") {
        match node.str() {
            Some("Indexed") => {
                let text = "its pods are numbered: what does the number 0 alone do?";
                cx.ask(workload.object, node, "completionMode", text, false);
            }
            _ => cx.books.dropped(node, "this is the default"),
        }
    }
    for (field, reason) in [
        ("ttlSecondsAfterFinished", "nothing is left of a run but its lines in the journal"),
        ("manualSelector", "the service is the Job's own: nothing has to find its pods"),
        ("podReplacementPolicy", "the next try begins when the one before it is over"),
    ] {
        if let Some(node) = spec.get(field) {
            cx.books.dropped(node, reason);
        }
    }
}
