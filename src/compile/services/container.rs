//! Containers under podman, through `virtualisation.oci-containers`.
//!
//! What the module of every release has an option for is set by that; the rest are flags of podman-run(1), which all releases take.

use std::collections::BTreeSet;

use super::{container_unit, units};
use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::service_parts::{Port, Protocol, SecretAs, Words};
use crate::fleet::schema::workloads::{Container, Pull};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::{ResolvedService, volume_path};
use crate::source::Place;
use crate::text::ShellCommand;

/// The network of containers that name none.
const NETWORK: &str = "services";

const CONTAINERS: &str = "virtualisation.oci-containers.containers";

/// Adds what a container sets.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    let Some(container) = service.def.container() else { return };
    let (def, name) = (service.def, service.name);
    out.derive("virtualisation.oci-containers.backend", "podman", def.key);
    let mut set = |key: &str, value: Value, place: Place| out.set_below(CONTAINERS, &[name, key], value, place);
    set("image", container.image.to_string().into(), container.image.place);
    if let Some(command) = &container.command {
        entry_point(command, container, &mut set);
    } else if let Some(first) = container.args.first() {
        let args: Vec<&str> = container.args.iter().map(|arg| arg.as_str()).collect();
        set("cmd", args.into(), first.place);
    }
    if let Some(user) = &container.user {
        set("user", user.as_str().into(), user.place);
    }
    if let Some((_, first)) = def.environment.iter().next() {
        let all = def.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        set("environment", all.collect::<Attrs>().into(), first.place);
    }
    if !container.host_network.value && !def.ports.is_empty() {
        let ports: Vec<String> = def.ports.iter().flat_map(published).collect();
        set("ports", ports.into(), def.ports.first().map_or(def.key, |port| port.place));
    }
    let volumes = volumes(cx, service, container);
    if !volumes.is_empty() {
        let place = container.volumes.first().map_or(def.key, |volume| volume.place);
        set("volumes", Value::List(volumes), place);
    }
    if let Some(folder) = &container.working_directory {
        set("workdir", folder.as_str().into(), folder.place);
    }
    set("extraOptions", flags(cx, service, container).into(), def.key);
    container_unit::settings(cx, service, container, out);
}

/// The program that runs instead of the image's own, with its arguments.
fn entry_point(
    command: &crate::source::Spanned<Words>,
    container: &Container,
    set: &mut impl FnMut(&str, Value, Place),
) {
    let Some((program, first)) = command.value.0.split_first() else { return };
    set("entrypoint", program.as_str().into(), command.place);
    let args: Vec<&str> =
        first.iter().map(String::as_str).chain(container.args.iter().map(|arg| arg.as_str())).collect();
    if !args.is_empty() {
        set("cmd", args.into(), command.place);
    }
}

/// Returns how a port is published: `address:port:port/protocol`, an address each; on the loopback address unless it is public.
fn published(port: &Port) -> Vec<String> {
    let (outside, protocol) = (port.port.value, port.proto.value);
    let inside = port.to.as_ref().map_or(outside, |to| to.value);
    let line = |address: &str| format!("{address}{outside}:{inside}/{protocol}");
    if !port.listen.is_empty() {
        let shown = |address: &std::net::IpAddr| match address {
            std::net::IpAddr::V4(address) => format!("{address}:"),
            std::net::IpAddr::V6(address) => format!("[{address}]:"),
        };
        return port.listen.iter().map(|address| line(&shown(&address.value))).collect();
    }
    if port.public.value { vec![line("")] } else { vec![line("127.0.0.1:")] }
}

/// Returns the volumes: those of the definition, files of it, and secrets that are files.
fn volumes(cx: &HostCx<'_>, service: &ResolvedService<'_>, container: &Container) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for volume in &container.volumes {
        // What is not there was reported when the host was resolved.
        let Some(path) = volume_path(volume, &cx.host.mounts, &mut Vec::new()) else { continue };
        let end = if volume.read_only.value { ":ro" } else { "" };
        all.push(format!("{path}:{}{end}", volume.target.as_str()).into());
    }
    for file in &service.def.files {
        let stored =
            units::stored(file).and_then(|stored| stored.in_string("", &format!(":{}:ro", file.path.as_str())));
        all.extend(stored.map(Value::from));
    }
    for secret in service.def.secrets.iter().filter(|secret| secret.how.value != SecretAs::Env) {
        let Some(file) = cx.host.secret(secret.name.as_str()) else { continue };
        let target =
            secret.path.as_ref().map_or_else(|| format!("/run/secrets/{}", file.name), |path| path.to_string());
        let own = cx.host.secret_file(service, secret);
        let from = own.as_ref().map_or(file.path.as_str(), |own| own.at.as_str());
        all.push(format!("{from}:{target}:ro").into());
    }
    all
}

/// Returns the flags of podman-run(1) beyond what the module has options for.
fn flags(cx: &HostCx<'_>, service: &ResolvedService<'_>, container: &Container) -> Vec<String> {
    let mut flags: Vec<String> =
        units::environment_files(cx, service).iter().map(|file| format!("--env-file={file}")).collect();
    if let Some(other) = &container.network_of {
        // Its hosts, names and ports are those of the other.
        flags.push(format!("--network=container:{}", other.as_str()));
    } else if container.host_network.value {
        flags.push("--network=host".to_owned());
    } else {
        flags.extend(networks_of(container).map(|network| format!("--network={network}")));
        flags.extend(container.aliases.iter().map(|alias| format!("--network-alias={}", alias.as_str())));
        // What is no container is found at the host, by the names that containers have for each other.
        let names = on_host(cx, service).into_iter().map(|other| other.name);
        let names = names.filter(|name| !container.hosts.contains_key(*name));
        flags.extend(names.map(|name| format!("--add-host={name}:host-gateway")));
    }
    flags.extend(container.hosts.iter().map(|(name, address)| format!("--add-host={name}:{}", address.value.value)));
    if let Some(name) = &container.hostname {
        flags.push(format!("--hostname={}", name.as_str()));
    }
    flags.extend(container.groups.iter().map(|group| format!("--group-add={}", group.value.0)));
    flags.extend(container.tmpfs.iter().map(|tmpfs| {
        let size = tmpfs.size.as_ref().map_or_else(String::new, |size| format!(":size={}", size.bytes()));
        format!("--tmpfs={}{size}", tmpfs.path.as_str())
    }));
    flags.extend(container.devices.iter().map(|path| format!("--device={}", path.as_str())));
    if let Some(capabilities) = &container.capabilities {
        flags.extend(capabilities.add.iter().map(|name| format!("--cap-add={}", name.as_str())));
        flags.extend(capabilities.drop.iter().map(|name| format!("--cap-drop={}", name.as_str())));
    }
    let switches = [
        (container.read_only_root.value, "--read-only"),
        (container.privileged.value, "--privileged"),
        (container.init.value, "--init"),
        (container.no_new_privileges.value, "--security-opt=no-new-privileges"),
        // One that runs to its end is waited for, by podman and so by systemd; its unit gets no notice from within.
        (service.def.is_oneshot_container(), "--detach=false"),
        (service.def.is_oneshot_container(), "--sdnotify=ignore"),
    ];
    flags.extend(switches.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
    if let Some(stop) = &container.stop_timeout {
        flags.push(format!("--stop-timeout={}", stop.seconds()));
    }
    if container.pull.value != Pull::Missing {
        flags.push(format!("--pull={}", container.pull.value));
    }
    if let Some(file) = container.registry_login.as_ref().and_then(|login| cx.host.secret(login.as_str())) {
        flags.push(format!("--authfile={}", file.path));
    }
    if let Some(size) = &container.shm_size {
        flags.push(format!("--shm-size={}b", size.bytes()));
    }
    flags.extend(container.sysctls.iter().map(|(name, value)| format!("--sysctl={name}={}", value.value.value)));
    if let Some(limits) = &service.def.limits {
        flags.extend(limits.memory.iter().map(|memory| format!("--memory={}b", memory.bytes())));
        flags.extend(limits.memory_low.iter().map(|memory| format!("--memory-reservation={}b", memory.bytes())));
        flags.extend(limits.cpu.iter().map(|cpu| format!("--cpus={}", cpu.as_str())));
        flags.extend(limits.tasks.iter().map(|tasks| format!("--pids-limit={}", tasks.value)));
    }
    flags
}

/// Returns the running containers that share the network of a container.
pub(super) fn sharing<'a>(cx: &'a HostCx<'_>, name: &'a str) -> impl Iterator<Item = &'a ResolvedService<'a>> {
    cx.host.running().filter(move |other| {
        let shared = other.def.container().and_then(|container| container.network_of.as_ref());
        shared.is_some_and(|shared| shared.as_str() == name)
    })
}

/// Returns the services of the host itself that a container, or one that shares its network, comes after.
fn on_host<'a>(cx: &'a HostCx<'_>, service: &'a ResolvedService<'_>) -> Vec<&'a ResolvedService<'a>> {
    let mut all: Vec<&ResolvedService<'_>> = Vec::new();
    for member in std::iter::once(service).chain(sharing(cx, service.name)) {
        let beside = units::before(cx, member).into_iter().map(|(other, ..)| other);
        for other in beside.filter(|other| other.def.container().is_none() && !other.units.is_empty()) {
            if !all.iter().any(|known| known.name == other.name) {
                all.push(other);
            }
        }
    }
    all
}

/// Returns the ports of the host's own services that containers come after: where these listen on more than the loopback address.
fn ports_on_host<'a>(
    cx: &'a HostCx<'_>,
    containers: impl Iterator<Item = &'a ResolvedService<'a>>,
) -> BTreeSet<(Protocol, u16)> {
    let others = containers.flat_map(|service| on_host(cx, service));
    let ports = others.flat_map(|other| &other.ports).filter(|port| !port.listen.is_loopback());
    ports.map(|port| (port.protocol, port.port)).collect()
}

fn networks_of(container: &Container) -> impl Iterator<Item = &str> {
    let named = container.networks.iter().map(|network| network.as_str());
    named.chain(container.networks.is_empty().then_some(NETWORK))
}

/// Makes the networks of all containers, in which podman answers for their names.
pub(super) fn networks(cx: &HostCx<'_>, out: &mut Settings) {
    let containers = || {
        let running = cx.host.running();
        running
            .filter_map(|service| Some((service, service.def.container()?)))
            .filter(|(_, def)| !def.host_network.value && def.network_of.is_none())
    };
    let mut known: Vec<&str> = Vec::new();
    for (service, container) in containers() {
        for network in networks_of(container) {
            let unit = format!("podman-network-{network}");
            let of_container = format!("podman-{}", service.name);
            let place = service.def.key;
            for option in ["after", "requires"] {
                out.set_below("systemd.services", &[&of_container, option], vec![format!("{unit}.service")], place);
            }
            if known.contains(&network) {
                continue;
            }
            known.push(network);
            let exists = ShellCommand::new("podman").args(["network", "exists", network]);
            let create = ShellCommand::new("podman").args(["network", "create", network]);
            let script = exists.then("||", &create);
            let service = Attrs::from_iter([
                ("description", Value::from(format!("Network {network} of containers"))),
                ("path", Value::List(vec![Expr::select("config", "virtualisation.podman.package").into()])),
                ("script", Value::from(script.as_str())),
            ]);
            out.set_below("systemd.services", &[&unit], service, place);
            let oneshot = Attrs::from_iter([("Type", Value::from("oneshot")), ("RemainAfterExit", Value::from(true))]);
            out.set_below("systemd.services", &[&unit, "serviceConfig"], oneshot, place);
        }
    }
    if let Some((service, _)) = containers().next() {
        // The name server of a network listens on its bridge, which the firewall would close. nftables and iptables write
        // names that begin with something differently.
        let bridges = if cx.spelling.nftables_firewall() { "podman*" } else { "podman+" };
        // Containers reach the services of the host over the same bridges.
        let open = ports_on_host(cx, containers().map(|(service, _)| service));
        for (option, protocol) in [("allowedUDPPorts", Protocol::Udp), ("allowedTCPPorts", Protocol::Tcp)] {
            let own = open.iter().filter(|(of, port)| *of == protocol && *port != 53).map(|(_, port)| i64::from(*port));
            let all: Vec<i64> = std::iter::once(53).chain(own).collect();
            out.set_below("networking.firewall.interfaces", &[bridges, option], all, service.def.key);
        }
    }
}
