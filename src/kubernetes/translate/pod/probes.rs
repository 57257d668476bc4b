//! Probes of a container: liveness becomes `health`, readiness (or else startup) becomes `ready`.
//!
//! The kubelet asks the pod's address ("Configure Liveness, Readiness and Startup Probes"); this machine asks a port of the service.
//! `health` counts as the kubelet does: `retries` failures in a row, `interval` apart, and the service is started anew. `ready` is
//! asked every `interval` until it answers, `timeout` at most. Fields that are absent have Kubernetes' defaults.

use super::{Container, Role, Workload, ports};
use crate::fleet::scalar::HttpUrl;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{AskDraft, ProbeDraft};
use crate::kubernetes::ports::port_number;
use crate::kubernetes::tree::Node;

/// Seconds that a service has at least to become ready, since the kubelet never gives up on readiness.
const READY_AT_LEAST: u64 = 60;

/// Settles the probes of a container, and adds them to its service, which is among the services already.
pub(super) fn translate<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>) {
    let probe = |key: &str| container.node.get(key).filter(|probe| !probe.pairs().is_empty());
    let (liveness, readiness, startup) = (probe("livenessProbe"), probe("readinessProbe"), probe("startupProbe"));
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(node) = container.node.get(key).filter(|node| node.is_leaf()) {
            cx.books.dropped(node, "it asks nothing");
        }
    }
    if container.role == Role::Init {
        for node in [liveness, readiness, startup].into_iter().flatten() {
            cx.books.dropped(node, "what runs to its end is ready when it is over");
        }
        return;
    }
    // "Startup probes": the other probes begin when it has succeeded.
    let starts = startup.map(Times::of).map_or(0, |times| times.first + times.period * times.failures);
    if let Some(node) = readiness.or(startup) {
        let times = Times::of(node);
        let key = container.key("ready");
        let timeout = match (readiness, startup) {
            (Some(_), Some(_)) => starts + times.first + times.period,
            (None, _) => starts,
            (Some(_), None) => (times.first + times.period * times.failures).max(READY_AT_LEAST),
        };
        if let Some(ask) = ask(cx, workload, container, node, "ready") {
            let ready = ProbeDraft { ask, timeout: timeout.max(1), interval: times.period, retries: None };
            if let Some(draft) = cx.host.services.get_mut(&container.service) {
                draft.ready = Some(ready);
            }
            settle_times(cx, node, &key, false);
        }
    }
    if let Some(node) = startup {
        let key = container.key("ready");
        if readiness.is_some() {
            for field in ["initialDelaySeconds", "periodSeconds", "failureThreshold"] {
                if let Some(node) = node.get(field) {
                    cx.books.translated(node, format!("{key}.timeout"));
                }
            }
            cx.books.replaced(node, format!("{key}, which is asked until it answers"));
        }
    }
    if let Some(node) = liveness {
        let times = Times::of(node);
        let key = container.key("health");
        if let Some(ask) = ask(cx, workload, container, node, "health") {
            let health = ProbeDraft {
                ask,
                timeout: times.first.max(starts),
                interval: times.period,
                retries: Some(times.failures),
            };
            if let Some(draft) = cx.host.services.get_mut(&container.service) {
                draft.health = Some(health);
            }
            settle_times(cx, node, &key, true);
        }
    }
}

/// When a probe asks.
struct Times {
    /// Seconds before the first question.
    first: u64,
    /// Seconds between two.
    period: u64,
    /// Failures in a row that count.
    failures: u64,
}

impl Times {
    fn of(probe: &Node<'_>) -> Self {
        let at_least = |key: &str, least: u64, default: u64| {
            let written = probe.int_at(key).and_then(|value| u64::try_from(value).ok());
            // Nothing stands for the default.
            written.filter(|value| *value >= least).unwrap_or(default).min(86_400)
        };
        Self {
            first: at_least("initialDelaySeconds", 0, 0),
            period: at_least("periodSeconds", 1, 10),
            failures: at_least("failureThreshold", 1, 3),
        }
    }
}

/// Settles the fields that say when a probe asks.
fn settle_times(cx: &mut Cx<'_, '_>, probe: &Node<'_>, key: &str, is_health: bool) {
    let failures = if is_health { "retries" } else { "timeout" };
    let fields = [("initialDelaySeconds", "timeout"), ("periodSeconds", "interval"), ("failureThreshold", failures)];
    for (field, to) in fields {
        if let Some(node) = probe.get(field) {
            cx.books.translated(node, format!("{key}.{to}"));
        }
    }
    for (field, reason) in [
        ("timeoutSeconds", "one question over HTTP or TCP may take five seconds, a command as long as it needs"),
        ("successThreshold", "one answer is enough"),
        ("terminationGracePeriodSeconds", "a service that does not answer gets as long to stop as in every other case"),
    ] {
        if let Some(node) = probe.get(field) {
            cx.books.dropped(node, reason);
        }
    }
}

/// Settles what a probe asks, and returns it; none where a person has to decide, whom the whole probe waits for.
fn ask<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    probe: &'w Node<'s>,
    to: &str,
) -> Option<AskDraft> {
    let key = container.key(to);
    let question = container.question(to);
    let owner = if workload.has_host_network() { &container.service } else { &workload.service };
    if let Some(exec) = probe.get("exec") {
        let words: Vec<String> = exec.list("command").iter().filter_map(Node::text).map(str::to_owned).collect();
        if words.first().is_none_or(String::is_empty) {
            cx.books.dropped(probe, "it asks nothing");
            return None;
        }
        cx.books.translated(exec, format!("{key}.command"));
        return Some(AskDraft::Command(words));
    }
    if let Some(http) = probe.get("httpGet") {
        let Some(port) = http.get("port").and_then(|port| resolved(container, port)) else {
            cx.ask(workload.object, probe, &question, "its port is not known: where does the program answer?", false);
            return None;
        };
        return self::http(cx, workload, container, http, port, to);
    }
    let (node, is_grpc) = match (probe.get("tcpSocket"), probe.get("grpc")) {
        (Some(node), _) => (node, false),
        (None, Some(node)) => (node, true),
        (None, None) => {
            cx.books.dropped(probe, "it asks nothing");
            return None;
        }
    };
    let Some(port) = node.get("port").and_then(|port| resolved(container, port)) else {
        cx.ask(workload.object, probe, &question, "its port is not known: where does the program answer?", false);
        return None;
    };
    if is_grpc {
        let text = "it says over gRPC how it is, which is not asked here: is it enough that the port is open?";
        cx.ask(workload.object, node, &question, text, false);
    }
    if let Some(host) = node.get("host").filter(|host| !host.is_null() && host.text() != Some("")) {
        let text = "it asks another address than its own: which one answers for it?";
        cx.ask(workload.object, host, &question, text, false);
    }
    let (_, port) = ports::reach(cx, owner, port)?;
    cx.books.translated(node, format!("{key}.tcp"));
    Some(AskDraft::Tcp(port))
}

/// Settles a question over HTTP. The kubelet follows no certificate, so over HTTPS only the port is asked.
fn http<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    http: &'w Node<'s>,
    port: u16,
    to: &str,
) -> Option<AskDraft> {
    let key = container.key(to);
    let question = container.question(to);
    let owner = if workload.has_host_network() { &container.service } else { &workload.service };
    let path = http.get("path").and_then(Node::text).filter(|path| !path.is_empty()).unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let headers = http.list("httpHeaders");
    if !headers.is_empty()
        && let Some(node) = http.get("httpHeaders")
    {
        let names: Vec<&str> = headers.iter().filter_map(|header| header.str_at("name")).collect();
        let needless = |name: &&str| ["accept", "user-agent"].contains(&name.to_ascii_lowercase().as_str());
        if names.iter().all(needless) {
            cx.books.dropped(node, "the question has headers of its own");
        } else {
            let text =
                format!("the probe sends the headers {}: does the program answer without them?", names.join(", "));
            cx.ask(workload.object, node, &format!("{question}.headers"), text, false);
        }
    }
    if http.str_at("scheme").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
        let (_, port) = ports::reach(cx, owner, port)?;
        let how = "it is asked whether the port is open: the kubelet takes every certificate, which is not done here";
        cx.books.translated_as(http, format!("{key}.tcp"), how);
        return Some(AskDraft::Tcp(port));
    }
    let other = http.get("host").and_then(Node::text).filter(|host| !host.is_empty());
    let (address, outside) = match other {
        Some(host) => (host.to_owned(), port),
        None => ports::reach(cx, owner, port)?,
    };
    let fits = path.chars().all(|c| c.is_ascii_graphic() && !"\"\\'`$".contains(c));
    let by_path = other.is_none()
        && container.role == Role::Main
        && cx.host.services.get(&container.service).is_some_and(|draft| ports::is_first(draft, port));
    let shown = if address.contains(':') { format!("[{address}]") } else { address };
    let url = if by_path { path } else { format!("http://{shown}:{outside}{path}") };
    if !fits || !by_path && url.parse::<HttpUrl>().is_err() {
        cx.ask(workload.object, http, &question, "its path is not one that can be asked: which one is it?", false);
        return Some(AskDraft::Tcp(outside)).filter(|_| other.is_none());
    }
    cx.books.translated(http, format!("{key}.http"));
    Some(AskDraft::Http(url))
}

/// Returns a port by its number, or by its name among the ports of the same container.
fn resolved(container: &Container<'_, '_>, port: &Node<'_>) -> Option<u16> {
    port_number(port).or_else(|| {
        let name = port.text()?;
        let named = container.node.list("ports").iter().find(|node| node.str_at("name") == Some(name))?;
        port_number(named.get("containerPort")?)
    })
}
