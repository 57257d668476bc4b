//! Readiness and health: units that ask whether a service answers.
//!
//! A service with `ready` has a second unit, `NAME-ready`, which is started when the service answers; those that come after the
//! service come after that unit. With `health` a timer asks while it runs, and a service that answers no more is started anew.

use serde::Serialize;

use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::probes::{HttpProbe, Probe, ProbeKind, TcpProbe};
use crate::fleet::schema::services::Work;
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::{Listen, ResolvedService};
use crate::source::Diagnostics;
use crate::text::ShellCommand;

/// Seconds that one question may take.
const PATIENCE: &str = "5";

#[derive(Serialize)]
struct Ask<'a> {
    service: &'a str,
    unit: String,
    /// The unit without which a service is not asked how it is: the one that says that it was ready, else its own.
    answered: String,
    ask: ShellCommand,
    timeout: u64,
    interval: u64,
    retries: u32,
}

/// Returns when a service is ready: as its definition says, else as its module.
fn ready<'a>(service: &'a ResolvedService<'_>) -> Option<&'a Probe> {
    service.def.ready.as_ref().or_else(|| service.module.and_then(|module| module.file.ready.as_ref()))
}

/// Returns how it is known that a service works: as its definition says, else as its module.
pub(super) fn health<'a>(service: &'a ResolvedService<'_>) -> Option<&'a Probe> {
    service.def.health.as_ref().or_else(|| service.module.and_then(|module| module.file.health.as_ref()))
}

/// Returns the unit that is started when a service answers; none where nothing says how to ask.
pub(super) fn ready_unit(service: &ResolvedService<'_>) -> Option<String> {
    service.units.first()?;
    ask(service, ready(service)?).map(|_| format!("{}-ready", service.name))
}

/// Adds the units that ask.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let Some(unit) = service.units.first() else { return };
    let unit = format!("{unit}.service");
    if let Some(probe) = ready(service)
        && let Some(name) = ready_unit(service)
    {
        let Some(mut attrs) = asking(cx, service, &unit, probe, "services/ready.sh.tera", found) else { return };
        attrs.set(&["description"], format!("{} answers", service.name));
        attrs.set(&["after"], vec![unit.as_str()]);
        // It goes and comes with the service.
        attrs.set(&["bindsTo"], vec![unit.as_str()]);
        attrs.set(&["wantedBy"], vec![unit.as_str()]);
        attrs.set(
            &["serviceConfig"],
            Attrs::from_iter([
                ("Type", Value::from("oneshot")),
                ("RemainAfterExit", Value::from(true)),
                ("TimeoutStartSec", seconds(probe.timeout.value.seconds().saturating_add(30))),
            ]),
        );
        out.set_below("systemd.services", &[&name], attrs, probe.place);
    }
    if let Some(probe) = health(service) {
        let name = format!("{}-health", service.name);
        let Some(mut attrs) = asking(cx, service, &unit, probe, "services/health.sh.tera", found) else { return };
        attrs.set(&["description"], format!("{} still answers", service.name));
        attrs.set(&["after"], vec![unit.as_str()]);
        attrs.set(&["serviceConfig"], Attrs::from_iter([("Type", Value::from("oneshot"))]));
        out.set_below("systemd.services", &[&name], attrs, probe.place);
        let first = probe.timeout.value.seconds();
        let timer = Attrs::from_iter([
            ("OnActiveSec", seconds(first)),
            ("OnUnitInactiveSec", seconds(probe.interval.value.seconds())),
        ]);
        out.set_below("systemd.timers", &[&name, "timerConfig"], timer, probe.place);
        out.set_below("systemd.timers", &[&name, "wantedBy"], vec!["timers.target"], probe.place);
    }
}

fn seconds(seconds: u64) -> Value {
    i64::try_from(seconds).unwrap_or(i64::MAX).into()
}

/// Returns a unit that runs a script which asks.
fn asking(
    cx: &HostCx<'_>,
    service: &ResolvedService<'_>,
    unit: &str,
    probe: &Probe,
    template: &str,
    found: &mut Diagnostics,
) -> Option<Attrs> {
    let values = Ask {
        service: service.name,
        unit: unit.to_owned(),
        answered: ready_unit(service).map_or_else(|| unit.to_owned(), |ready| format!("{ready}.service")),
        ask: ask(service, probe)?,
        timeout: probe.timeout.value.seconds(),
        interval: probe.interval.value.seconds(),
        retries: probe.retries.value.max(1),
    };
    let script = cx.render(template, &values, found)?;
    let mut attrs = Attrs::new();
    attrs.set(&["path"], Value::List(programs(service, probe)));
    attrs.set(&["script"], script);
    Some(attrs)
}

/// Returns where the programs come from that a question needs beyond those that every unit finds.
fn programs(service: &ResolvedService<'_>, probe: &Probe) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    match &probe.kind {
        ProbeKind::Http(_) => all.push(Expr::select("pkgs", "curl").into()),
        ProbeKind::Tcp(_) => all.push(Expr::select("pkgs", "bash").into()),
        ProbeKind::Command(_) => {
            match &service.def.work {
                Work::Container(_) => all.push(Expr::select("config", "virtualisation.podman.package").into()),
                Work::Command(command) => {
                    all.extend(command.packages.iter().map(|name| Expr::select("pkgs", name.as_str()).into()));
                }
                Work::Native(_) | Work::Site(_) => {}
            }
            // The clients of databases and the like are among the programs of the system.
            all.push("/run/current-system/sw".into());
        }
    }
    all
}

/// Returns the command that asks once; none for a path where the service has no port.
fn ask(service: &ResolvedService<'_>, probe: &Probe) -> Option<ShellCommand> {
    let get = |url: &str| {
        let flags = ["--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", PATIENCE, "--", url];
        ShellCommand::new("curl").args(flags)
    };
    let connect = |address: &str, port: u16| {
        // bash connects by itself; the address is known to be one.
        let line = format!("exec 3<>/dev/tcp/{address}/{port}");
        ShellCommand::new("timeout").args([PATIENCE, "bash", "-c", &line])
    };
    Some(match &probe.kind {
        ProbeKind::Http(HttpProbe::Url(url)) => get(url.as_str()),
        ProbeKind::Http(HttpProbe::Path(path)) => get(&format!("http://{}{path}", first_port(service)?)),
        ProbeKind::Tcp(TcpProbe::Port(port)) => connect("127.0.0.1", moved(service, *port)?),
        ProbeKind::Tcp(TcpProbe::Address(address)) => connect(&address.host, address.port),
        ProbeKind::Command(words) => ShellCommand::of_words(&words.0)?,
    })
}

/// Returns where a port that a module names is, whose options may have moved it; none where they have switched it off.
fn moved(service: &ResolvedService<'_>, port: u16) -> Option<u16> {
    let Some(known) =
        service.module.iter().flat_map(|module| &module.file.ports).find(|known| known.port.value == port)
    else {
        return Some(port);
    };
    service.ports.iter().find(|own| own.name == known.name.as_str()).map(|own| own.port)
}

/// Returns the first TCP port of a service as `address:port`, from this machine.
pub(super) fn first_port(service: &ResolvedService<'_>) -> Option<String> {
    use crate::fleet::schema::service_parts::Protocol;
    let port = service.ports.iter().find(|port| port.protocol == Protocol::Tcp)?;
    let local = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let address = match &port.listen {
        Listen::All => local,
        Listen::Only(addresses) if addresses.contains(&local) => local,
        Listen::Only(addresses) => *addresses.first().unwrap_or(&local),
    };
    Some(std::net::SocketAddr::new(address, port.port).to_string())
}
