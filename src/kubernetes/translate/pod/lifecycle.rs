//! How containers start, end and start again: restartPolicy, the grace period, hooks.

use super::{Container, Role, Running, Workload};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// Seconds that Kubernetes gives a container to stop where nothing says how many; podman gives 10.
pub(super) const GRACE: u64 = 30;

/// Settles hooks of a container, and adds when it runs to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let policy = workload.spec.str_at("restartPolicy").unwrap_or("Always");
    let grace = workload.spec.int_at("terminationGracePeriodSeconds").and_then(|seconds| u64::try_from(seconds).ok());
    let most = workload.spec.int_at("activeDeadlineSeconds").and_then(|seconds| u64::try_from(seconds).ok());
    let hooks = container.node.get("lifecycle");
    let after_start = hook(cx, workload, container, hooks, "postStart", "after-start");
    let before_stop = hook(cx, workload, container, hooks, "preStop", "before-stop");
    if let Some(node) = hooks.filter(|node| node.is_leaf()) {
        cx.books.dropped(node, "it says nothing");
    }
    let Some(work) = draft.as_container_mut() else { return };
    if let Some(signal) = hooks.and_then(|hooks| hooks.get("stopSignal")) {
        let text = "it is stopped with a signal of its own: does the image stop with it, too?";
        cx.ask(workload.object, signal, &container.question("stopSignal"), text, false);
    }
    work.after_start = after_start;
    work.before_stop = before_stop;
    let is_always = container.role != Role::Init && workload.running == Running::Always;
    // A server fills the default in; what ends by itself keeps that of systemd, whoever wrote it.
    work.stop_timeout = grace.filter(|seconds| is_always || *seconds != GRACE).or_else(|| is_always.then_some(GRACE));
    if container.role == Role::Main {
        work.run_at_most = most.filter(|seconds| *seconds > 0);
    }
    match (container.role, &workload.running) {
        (Role::Init, _) => {
            work.oneshot = true;
            work.restart = (policy == "Never").then_some("no");
        }
        (Role::Beside | Role::Main, Running::Always) => {
            work.restart = match policy {
                "Never" => Some("no"),
                "OnFailure" => None,
                _ => Some("always"),
            };
        }
        (Role::Beside, _) => {}
        (Role::Main, Running::Once) => work.oneshot = true,
        (Role::Main, Running::At { schedule, time_zone }) => {
            work.oneshot = true;
            work.schedule.clone_from(schedule);
            work.time_zone.clone_from(time_zone);
        }
    }
}

/// Returns the command of a hook, and settles it ("Container Lifecycle Hooks").
fn hook<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    hooks: Option<&'w Node<'s>>,
    name: &str,
    key: &str,
) -> Vec<String> {
    let Some(hook) = hooks.and_then(|hooks| hooks.get(name)) else { return Vec::new() };
    let words: Vec<String> = hook
        .at(&["exec", "command"])
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(Node::text)
        .map(str::to_owned)
        .collect();
    if hook.get("sleep").is_some() || is_sleep(&words) {
        let reason =
            "it waits until no request of the cluster comes any more; here nothing is sent to a service that stops";
        cx.books.dropped(hook, reason);
        return Vec::new();
    }
    if words.first().is_some_and(|first| !first.is_empty()) {
        cx.books.translated(hook, container.key(key));
        return words;
    }
    if hook.get("httpGet").is_some() {
        let text = format!("{name} asks an address: which command in the container does the same?");
        cx.ask(workload.object, hook, &container.question(name), text, false);
        return Vec::new();
    }
    cx.books.dropped(hook, "it does nothing");
    Vec::new()
}

/// Tells whether a command only waits.
fn is_sleep(words: &[String]) -> bool {
    let program = |word: &str| word.rsplit('/').next() == Some("sleep");
    match words {
        [first, _] if program(first) => true,
        [shell, option, script] => {
            let mut inner = script.split_whitespace();
            let is_shell = shell.ends_with("sh") && option.starts_with('-') && option.ends_with('c');
            is_shell && inner.next().is_some_and(program) && inner.next().is_some() && inner.next().is_none()
        }
        _ => false,
    }
}

/// Settles what concerns all containers of a pod.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let key = |key: &str| format!("services.{}.{key}", workload.service);
    if let Some(node) = workload.spec.get("restartPolicy") {
        cx.books.translated(node, key("restart"));
    }
    if let Some(node) = workload.spec.get("terminationGracePeriodSeconds").filter(|node| !node.is_null()) {
        let is_default = node.int().and_then(|seconds| u64::try_from(seconds).ok()) == Some(GRACE);
        match node.int().filter(|seconds| *seconds >= 0) {
            Some(_) if is_default && workload.running != Running::Always => {
                cx.books.dropped(node, "the default of Kubernetes: what ends by itself is stopped as systemd stops it");
            }
            Some(_) => cx.books.translated(node, key("stop-timeout")),
            None => {
                let text = "this is no number of seconds: how long may it take to stop?";
                cx.ask(workload.object, node, "terminationGracePeriodSeconds", text, false);
            }
        }
    }
    if let Some(node) = workload.spec.get("activeDeadlineSeconds").filter(|node| !node.is_null()) {
        cx.books.translated(node, key("run-at-most"));
    }
}
