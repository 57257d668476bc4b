//! Units of the services, ports on which something must listen, units that failed.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{Comparison, Difference, Group};
use super::{Cx, NOT_ASKED};
use crate::fleet::schema::module_file::Exposure;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::services::Work;
use crate::fleet::schema::web::{Tls, WebServer};
use crate::fleet::schema::workloads::StartType;
use crate::probe::{Socket, Unit};
use crate::resolve::ResolvedService;
use crate::source::Place;

const GROUP: Group = Group::Services;

type Units = BTreeMap<String, Unit>;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    let Some(live) = &cx.machine.live else {
        for what in ["services", "ports", "failed units"] {
            out.unknown(GROUP, what, NOT_ASKED);
        }
        return;
    };
    match &live.units {
        Some(units) => {
            if cx.is_compiled() {
                server(cx, units, out);
            }
            for service in cx.host.running() {
                one(service, units, out);
            }
            failed(units, out);
        }
        None => {
            for what in ["services", "failed units"] {
                out.unknown(GROUP, what, "systemctl did not tell the units");
            }
        }
    }
    if cx.is_compiled() {
        match &live.sockets {
            Some(sockets) => ports(cx, sockets, out),
            None => out.unknown(GROUP, "ports", "ss did not tell what listens"),
        }
    }
}

fn is_active(units: &Units, name: &str) -> bool {
    units.get(name).is_some_and(|unit| unit.active.as_deref() == Some("active"))
}

/// Compares the ssh server and the web server, which belong to no service.
fn server(cx: &Cx<'_>, units: &Units, out: &mut Comparison) {
    let access = cx.host.def.access.as_ref();
    let ssh = access.and_then(|access| access.ssh.as_ref());
    if ssh.is_none_or(|ssh| ssh.enable.value) {
        let place = ssh.map(|ssh| ssh.enable.place);
        let runs = ["sshd.service", "sshd.socket"].iter().any(|name| is_active(units, name));
        out.hold(runs, || {
            Difference::new(GROUP, "sshd", "the ssh server does not run")
                .defined("runs", place)
                .live(state(units.get("sshd.service")))
                .why("nobody can log in who is not in already")
                .help("`systemctl status sshd` on the machine, as long as a session is open")
        });
    }
    if let Some(vhost) = cx.host.running().flat_map(|service| &service.def.vhost.0).next() {
        let caddy = cx.host.def.web.as_ref().is_some_and(|web| web.server.value == WebServer::Caddy);
        let name = if caddy { "caddy.service" } else { "nginx.service" };
        let wanted = Wanted { service: name, place: Some(vhost.name.place), ends: false, is_main: true };
        unit(wanted, name, units, out);
    }
}

fn one(service: &ResolvedService<'_>, units: &Units, out: &mut Comparison) {
    let run = service.def.run();
    let scheduled = run.is_some_and(|run| !run.schedule.is_empty());
    let ends = run.is_some_and(|run| run.start() == StartType::Oneshot);
    let place = service.def.key;
    for (at, name) in service.units.iter().enumerate() {
        let has_kind = [".service", ".socket", ".timer", ".target", ".path"].iter().any(|end| name.ends_with(end));
        let whole = if has_kind { name.clone() } else { format!("{name}.service") };
        let wanted = Wanted { service: service.name, place: Some(place), ends, is_main: at == 0 };
        if scheduled {
            let timer = format!("{}.timer", whole.trim_end_matches(".service"));
            unit(Wanted { ends: false, ..wanted }, &timer, units, out);
            loaded(service.name, &whole, Some(place), units, out);
        } else {
            unit(wanted, &whole, units, out);
        }
    }
    if let (Work::Site(_), None) = (&service.def.work, service.def.vhost.0.first()) {
        out.unknown(GROUP, service.name, "a site without a virtual host has no unit of its own");
    }
}

fn state(unit: Option<&Unit>) -> String {
    let Some(unit) = unit else { return "no such unit".to_owned() };
    let parts = [&unit.load, &unit.active, &unit.file];
    let words: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if words.is_empty() { "not loaded".to_owned() } else { words.join(", ") }
}

/// Compares that a unit is there; tells whether it is.
fn loaded(service: &str, name: &str, place: Option<Place>, units: &Units, out: &mut Comparison) -> bool {
    let found = units.get(name);
    let is_there = found.is_some_and(|unit| {
        !matches!(unit.load.as_deref(), Some("not-found" | "error" | "bad-setting" | "masked"))
            && !matches!(unit.file.as_deref(), Some("masked" | "masked-runtime" | "bad"))
    });
    out.hold(is_there, || {
        Difference::new(GROUP, service, format!("there is no unit {name} that could run"))
            .defined(name, place)
            .live(state(found))
            .why("the system that runs was built from another definition, or somebody masked it")
            .help("`hostwright plan`: an update brings what is defined")
            .help(format!("`systemctl unmask {name}`, if it is masked"))
    });
    is_there
}

/// How a unit is compared.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    service: &'a str,
    place: Option<Place>,
    /// Whether it runs to its end.
    ends: bool,
    /// Whether it is the service itself, and not one of those that help it.
    is_main: bool,
}

fn unit(wanted: Wanted<'_>, name: &str, units: &Units, out: &mut Comparison) {
    let Wanted { service, place, ends, is_main } = wanted;
    if !loaded(service, name, place, units, out) {
        return;
    }
    let found = units.get(name);
    let stem = name.trim_end_matches(".service");
    // What a socket, a timer or a path starts need not run now.
    let waits = || ["socket", "timer", "path"].iter().any(|kind| is_active(units, &format!("{stem}.{kind}")));
    let active = found.and_then(|unit| unit.active.as_deref());
    let ends = ends || found.is_some_and(|unit| unit.kind.as_deref() == Some("oneshot"));
    let over = ends && matches!(active, Some("inactive") | None);
    // One that is not loaded, and is not the service's first, may have come to its end.
    let is_known = is_main || found.is_some_and(|unit| unit.kind.is_some());
    if active != Some("active") && !over && !waits() && !is_known {
        out.unknown(GROUP, name, "it is not loaded, and nothing says whether it keeps running");
        return;
    }
    out.hold(active == Some("active") || over || waits(), || {
        Difference::new(GROUP, service, format!("{name} does not run"))
            .defined("runs", place)
            .live(state(found))
            .why("what depends on it does not work")
            .help(format!("`systemctl status {name}` and `journalctl -u {name}` on the machine"))
    });
    // `static` and `linked` are started by others; NixOS enables by links that it makes itself.
    if let Some("disabled") = found.and_then(|unit| unit.file.as_deref())
        && !ends
        && !waits()
    {
        out.differ(
            Difference::new(GROUP, service, format!("{name} is not started at boot"))
                .defined("enabled", place)
                .live("disabled")
                .why("after the next boot it is not there")
                .help("the current generation starts what is defined: an update, and no `systemctl disable`"),
        );
    }
}

fn failed(units: &Units, out: &mut Comparison) {
    let failed: Vec<&str> = units
        .iter()
        .filter(|(_, unit)| unit.active.as_deref() == Some("failed"))
        .map(|(name, _)| name.as_str())
        .collect();
    out.hold(failed.is_empty(), || {
        let what = if failed.len() == 1 {
            "a unit has failed".to_owned()
        } else {
            format!("{} units have failed", failed.len())
        };
        Difference::new(GROUP, "failed units", what)
            .defined("none", None)
            .live(failed.join(", "))
            .why("what they do is not done; the reboot test would take them for damage")
            .help("`systemctl status UNIT` on the machine; `systemctl reset-failed` only when the cause is known")
    });
}

/// Compares that something listens where the definition says: for ssh, for each service, and for each port that the firewall lets in.
fn ports(cx: &Cx<'_>, sockets: &[Socket], out: &mut Comparison) {
    let mut wanted: BTreeMap<(&'static str, u16), (String, Option<Place>)> = BTreeMap::new();
    let word = |protocol: Protocol| if protocol == Protocol::Tcp { "tcp" } else { "udp" };
    let ssh = cx.host.def.access.as_ref().and_then(|access| access.ssh.as_ref());
    if ssh.is_none_or(|ssh| ssh.enable.value) {
        let (port, place) = ssh.map_or((22, None), |ssh| (ssh.port.value, Some(ssh.port.place)));
        wanted.insert(("tcp", port), ("sshd".to_owned(), place));
    }
    let mut admin = BTreeSet::new();
    for service in cx.host.running() {
        for port in &service.ports {
            let key = (word(port.protocol), port.port);
            // What only people who run the host use may be started by hand.
            if port.exposure == Exposure::Admin {
                admin.insert(key);
            } else {
                wanted.entry(key).or_insert_with(|| (service.name.to_owned(), Some(port.place)));
            }
        }
        for vhost in &service.def.vhost.0 {
            let place = Some(vhost.name.place);
            wanted.entry(("tcp", 80)).or_insert_with(|| ("the web server".to_owned(), place));
            if vhost.tls.value == Tls::Acme {
                wanted.entry(("tcp", 443)).or_insert_with(|| ("the web server".to_owned(), place));
            }
        }
    }
    let listens =
        |protocol: &str, port: u16| sockets.iter().any(|socket| socket.protocol == protocol && socket.port == port);
    for ((protocol, port), (who, place)) in &wanted {
        out.hold(listens(protocol, *port), || {
            Difference::new(GROUP, who.as_str(), format!("nothing listens on {protocol} {port}"))
                .defined(format!("{protocol} {port}"), *place)
                .live("no socket")
                .why("who connects is refused")
                .help("`systemctl status` of its unit, and `ss -ltnup` on the machine")
        });
    }
    let firewall = cx.host.def.network.iter().flat_map(|network| &network.firewall);
    for firewall in firewall.filter(|firewall| firewall.enable.value) {
        let of_interfaces = firewall.interfaces.values();
        let (mut tcp, mut udp) = (firewall.tcp.iter().collect::<Vec<_>>(), firewall.udp.iter().collect::<Vec<_>>());
        for interface in of_interfaces {
            tcp.extend(&interface.tcp);
            udp.extend(&interface.udp);
        }
        for (protocol, ports) in [("tcp", tcp), ("udp", udp)] {
            // Of a range it is not said which are used.
            for ports in ports.into_iter().filter(|ports| ports.first == ports.last) {
                let key = (protocol, ports.first);
                if wanted.contains_key(&key) || admin.contains(&key) {
                    continue;
                }
                wanted.insert(key, (String::new(), None));
                out.hold(listens(protocol, ports.first), || {
                    Difference::new(
                        GROUP,
                        "firewall",
                        format!("{protocol} {} is let in, and nothing listens there", ports.first),
                    )
                    .defined(format!("{protocol} {}", ports.first), ports.place)
                    .live("no socket")
                    .why("what should answer does not run; or a door stands open for whatever comes to listen there")
                    .help("take it out of the firewall, or see why its program does not run")
                });
            }
        }
    }
}
