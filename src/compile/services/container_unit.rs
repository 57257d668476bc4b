//! The unit of a container, where it differs from the one that `virtualisation.oci-containers` makes: when it starts and what follows
//! its end, what runs in it after its start and before its stop, and containers that share one network.
//!
//! NixOS starts a container detached (`Type = "notify"`): the unit runs as long as the container. One that runs to its end is not
//! detached; its unit is over when it is.

use super::container::sharing;
use super::{runs, units};
use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::service_parts::Words;
use crate::fleet::schema::workloads::{Container, Restart, StartType};
use crate::nix::Value;
use crate::resolve::ResolvedService;
use crate::source::{Place, Spanned};
use crate::text::{ShellCommand, exec_line};

/// Adds what the unit of a container sets.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, container: &Container, out: &mut Settings) {
    let unit = format!("podman-{}", service.name);
    starts(cx, service, container, &unit, out);
    let mut set = |key: &str, value: Value, place: Place| {
        out.set_below("systemd.services", &[&unit, "serviceConfig", key], value, place);
    };
    if let Some(stop) = &container.stop_timeout {
        // podman asks, waits and kills; systemd must not kill it before.
        let seconds = i64::try_from(stop.seconds().saturating_add(10)).unwrap_or(i64::MAX);
        set("TimeoutStopSec", Value::from(seconds).forced(), stop.place);
    }
    let run = &container.run;
    let to_its_end = run.start() == StartType::Oneshot;
    if to_its_end {
        set("Type", Value::from("oneshot").forced(), run.start.place);
        set("NotifyAccess", Value::from("none").forced(), run.start.place);
    }
    if run.restart.written || to_its_end {
        set("Restart", Value::from(run.restart.to_string()).forced(), run.restart.place);
        if run.restart.value != Restart::No {
            set("RestartSec", runs::PAUSE.into(), run.restart.place);
        }
        if to_its_end && run.restart.value != Restart::No {
            // What waits for its end goes on waiting when a try fails, and tries become rarer. systemd before 254 ignores these.
            set("RestartMode", "direct".into(), run.restart.place);
            set("RestartSteps", 6i64.into(), run.restart.place);
            set("RestartMaxDelaySec", 300i64.into(), run.restart.place);
        }
    }
    if let Some((key, seconds, place)) = runs::at_most(run) {
        set(key, seconds.forced(), place);
    }
    if let Some(words) = &container.after_start {
        set("ExecStartPost", Value::List(vec![inside("", service.name, words)]), words.place);
    }
    if let Some(words) = &container.before_stop {
        // One that fails keeps nothing from being stopped.
        let first = Value::List(vec![inside("-", service.name, words)]).with_order(units::BEFORE);
        set("ExecStop", first, words.place);
    }
    runs::timer(&unit, run, out);
    shared_network(cx, service, container, &unit, out);
}

/// Returns the line of a unit that runs a command in a container.
fn inside(prefix: &'static str, name: &str, words: &Spanned<Words>) -> Value {
    let line = exec_line(["exec", name].into_iter().chain(words.value.0.iter().map(String::as_str)));
    runs::line_of(prefix, "config.virtualisation.podman.package", "/bin/podman", &line)
}

/// When a container starts: by the calendar, with those that need its end, with the one whose network it shares; else at boot.
fn starts(cx: &HostCx<'_>, service: &ResolvedService<'_>, container: &Container, unit: &str, out: &mut Settings) {
    let run = &container.run;
    let to_its_end = run.start() == StartType::Oneshot;
    let needed = || {
        let mut others = cx.host.running();
        others.any(|other| other.def.requires.iter().any(|name| name.as_str() == service.name))
    };
    let mut set = |key: &str, value: Value, place: Place| {
        out.set_below("virtualisation.oci-containers.containers", &[service.name, key], value, place);
    };
    let place = run.schedule.first().map_or(run.start.place, |when| when.place);
    if to_its_end {
        // What it says comes through podman itself, which the unit waits for.
        set("log-driver", "none".into(), run.start.place);
    }
    if !run.schedule.is_empty() || container.network_of.is_some() || to_its_end && needed() {
        set("autoStart", false.into(), place);
    } else if to_its_end {
        // Otherwise each switch to a new configuration would start it again.
        out.set_below("systemd.services", &[unit, "serviceConfig", "RemainAfterExit"], true, run.start.place);
    }
}

/// Ties a container to the one whose network it shares, and that one to those that share it: podman removes no container before those
/// that have its network.
fn shared_network(
    cx: &HostCx<'_>,
    service: &ResolvedService<'_>,
    container: &Container,
    unit: &str,
    out: &mut Settings,
) {
    if let Some(other) = &container.network_of {
        let of = format!("podman-{}.service", other.as_str());
        let tied: &[&str] =
            if container.run.schedule.is_empty() { &["after", "bindsTo", "wantedBy"] } else { &["after", "bindsTo"] };
        for option in tied {
            out.set_below("systemd.services", &[unit, option], vec![of.as_str()], other.place);
        }
    }
    let others: Vec<&str> = sharing(cx, service.name).map(|other| other.name).collect();
    if others.is_empty() {
        return;
    }
    let place = service.def.key;
    let remove = ShellCommand::new("podman").args(["rm", "--force", "--ignore"]).args(&others);
    let script = format!("{}\n", remove.then("||", &ShellCommand::new("true")));
    units::first_step(unit, &format!("{}-network", service.name), &script, place, out);
    let after = Value::from(script).with_order(units::BEFORE);
    out.set_below("systemd.services", &[unit, "postStop"], after, place);
}
