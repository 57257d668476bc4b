//! Drafts as text, for tests: a line a key that is not the default.

use std::fmt::Write as _;

use crate::kubernetes::Inventory;
use crate::kubernetes::draft::{AskDraft, ContainerDraft, Draft, PortDraft, ProbeDraft, SecretTo, WorkDraft};

/// Returns the services of an inventory, a line a key that is not the default.
pub(super) fn shown(inventory: &Inventory) -> String {
    let mut out = String::new();
    for (name, draft) in &inventory.host.services {
        writeln!(out, "[{name}]").unwrap();
        draft_lines(draft, &mut out);
    }
    out
}

fn draft_lines(draft: &Draft, out: &mut String) {
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            writeln!(out, "{key} = {value}").unwrap();
        }
    };
    line("enable", if draft.enable { String::new() } else { "false".to_owned() });
    line("after", draft.after.join(" "));
    line("requires", draft.requires.join(" "));
    line("ready", draft.ready.as_ref().map(probe).unwrap_or_default());
    line("health", draft.health.as_ref().map(probe).unwrap_or_default());
    line("memory", draft.memory.clone().unwrap_or_default());
    line("memory-low", draft.memory_low.clone().unwrap_or_default());
    line("cpu", draft.cpu.clone().unwrap_or_default());
    line("ports", draft.ports.iter().map(port).collect::<Vec<_>>().join(" "));
    for secret in &draft.secrets {
        let to = match &secret.to {
            SecretTo::Env(name) => name.clone(),
            other => format!("{other:?}"),
        };
        line(&format!("secret {}", secret.name), to);
    }
    if let WorkDraft::Container(work) = &draft.work {
        container_lines(work, &mut line);
    }
}

fn container_lines(work: &ContainerDraft, line: &mut impl FnMut(&str, String)) {
    let words = |words: &[String]| if words.is_empty() { String::new() } else { format!("{words:?}") };
    let on = |on: bool| if on { "true".to_owned() } else { String::new() };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    line("image", work.image.clone());
    line("command", words(&work.command));
    line("args", words(&work.args));
    for (name, value) in &work.environment {
        line(&format!("env {name}"), format!("{value:?}"));
    }
    line("user", text(&work.user));
    line("groups", work.groups.join(" "));
    line("network-of", text(&work.network_of));
    line("hostname", text(&work.hostname));
    line("aliases", work.aliases.join(" "));
    for (name, address) in &work.hosts {
        line(&format!("host {name}"), address.clone());
    }
    line("cap-add", work.cap_add.join(" "));
    line("cap-drop", work.cap_drop.join(" "));
    line("read-only-root", on(work.read_only_root));
    line("privileged", on(work.privileged));
    line("no-new-privileges", on(work.no_new_privileges));
    line("host-network", on(work.host_network));
    // What a cluster gives every container is left out.
    let stop = work.stop_timeout.filter(|seconds| *seconds != super::lifecycle::GRACE);
    line("stop-timeout", stop.map(|seconds| seconds.to_string()).unwrap_or_default());
    line("pull", work.pull.unwrap_or("").to_owned());
    line("registry-login", text(&work.registry_login));
    for (name, value) in &work.sysctls {
        line(&format!("sysctl {name}"), value.clone());
    }
    line("working-directory", text(&work.working_directory));
    line("oneshot", on(work.oneshot));
    line("restart", work.restart.unwrap_or("").to_owned());
    line("schedule", words(&work.schedule));
    line("persistent", work.persistent.map(|value| value.to_string()).unwrap_or_default());
    line("time-zone", text(&work.time_zone));
    line("run-at-most", work.run_at_most.map(|seconds| seconds.to_string()).unwrap_or_default());
    line("after-start", words(&work.after_start));
    line("before-stop", words(&work.before_stop));
}

fn port(port: &PortDraft) -> String {
    let to = port.to.map(|to| format!(">{to}")).unwrap_or_default();
    let public = if port.public { " public" } else { "" };
    let listen: String = port.listen.iter().map(|address| format!("@{address}")).collect();
    format!("{}{to}/{:?}{listen}{public}", port.port, port.protocol).to_lowercase()
}

fn probe(probe: &ProbeDraft) -> String {
    let ask = match &probe.ask {
        AskDraft::Http(url) => format!("http {url}"),
        AskDraft::Tcp(port) => format!("tcp {port}"),
        AskDraft::Command(words) => format!("command {words:?}"),
    };
    let retries = probe.retries.map(|retries| format!(" retries {retries}")).unwrap_or_default();
    format!("{ask}; timeout {} interval {}{retries}", probe.timeout, probe.interval)
}
