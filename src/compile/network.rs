//! network.nix: systemd-networkd's units, names, time, and the firewall.
//!
//! A card that is recognised by its address keeps the name that the kernel and udev give it, unless the firewall speaks of
//! it by name: then it is renamed, and only those rules depend on the renaming.

use super::HostCx;
use super::settings::Settings;
use crate::fleet::scalar::Ports;
use crate::fleet::schema::network::{Dhcp, Firewall, Gateway, Interface, Match, Network};
use crate::fleet::schema::services::Protocol;
use crate::nix::{Attrs, Value};
use crate::source::{Place, Spanned};

/// Seconds that the boot waits for the network, at most.
const WAIT_SECONDS: i64 = 60;

/// Returns what network.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let domain = &cx.fleet.fleet.file.fleet.domain;
    if let Some(domain) = domain {
        out.set("networking.domain", domain.as_str(), domain.place);
    }
    let Some(network) = &cx.host.def.network else { return out };
    out.set("networking.useNetworkd", true, network.place);
    out.set("networking.useDHCP", false, network.place);
    out.set("systemd.network.enable", true, network.place);
    for (name, interface) in network.interfaces.iter() {
        unit(cx, network, name, interface, interface.key, &mut out);
    }
    waiting(cx, network, &mut out);
    for server in &network.nameservers {
        out.list("networking.nameservers", [server.value.to_string()], server.place);
    }
    for domain in &network.search {
        out.list("networking.search", [domain.as_str()], domain.place);
    }
    for server in &network.ntp {
        out.list("networking.timeServers", [server.as_str()], server.place);
    }
    for (address, names) in network.hosts.iter() {
        let value: Vec<&str> = names.value.iter().map(|name| name.as_str()).collect();
        out.set_below("networking.hosts", &[address], value, names.key);
    }
    firewall(cx, network, &mut out);
    out
}

/// Returns the name that the firewall knows an interface by, and whether the card must be renamed for it.
fn name_of<'a>(name: &'a str, interface: &'a Interface) -> (&'a str, bool) {
    match &interface.matches.value {
        Match::Name(known) if !known.contains(['*', '?', '[']) => (known, false),
        // Names that the kernel gives itself cannot be given: the card may already have this one, or another will.
        _ => (name, !is_kernel_name(name) && name.len() <= 15),
    }
}

/// Tells whether a name is of the kernel's or udev's own making.
fn is_kernel_name(name: &str) -> bool {
    let numbered =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["eth", "wlan", "usb", "wwan", "eno", "ens", "enp", "enx", "enP", "wlp", "ib"].into_iter().any(numbered)
        || name == "lo"
}

fn matches(interface: &Interface) -> Attrs {
    match &interface.matches.value {
        // The permanent address: VLANs and bridges above the card carry its current one as well.
        Match::Mac(mac) => Attrs::from_iter([("PermanentMACAddress", mac.to_string())]),
        Match::Name(name) => Attrs::from_iter([("Name", name.as_str())]),
        Match::Path(path) => Attrs::from_iter([("Path", path.as_str())]),
    }
}

fn unit(cx: &HostCx<'_>, network: &Network, name: &str, interface: &Interface, key: Place, out: &mut Settings) {
    let unit = format!("10-{name}");
    let mut set = |path: &[&str], value: Value, place: Place| {
        let path: Vec<&str> = std::iter::once(unit.as_str()).chain(path.iter().copied()).collect();
        out.set_below("systemd.network.networks", &path, value, place);
    };
    set(&["matchConfig"], matches(interface).into(), interface.matches.place);
    if let Some(first) = interface.addresses.first() {
        let addresses: Vec<String> = interface.addresses.iter().map(|address| address.value.to_string()).collect();
        set(&["address"], addresses.into(), first.place);
    }
    let plain = |gateway: &&Spanned<Gateway>| !gateway.on_link && gateway.metric.is_none();
    let gateways: Vec<String> =
        interface.gateways.iter().filter(plain).map(|gateway| gateway.via.to_string()).collect();
    if let Some(first) = interface.gateways.iter().find(plain) {
        set(&["gateway"], gateways.into(), first.place);
    }
    let mut routes = Vec::new();
    for gateway in interface.gateways.iter().filter(|gateway| !plain(gateway)) {
        routes.push((route(None, Some(gateway.via.to_string()), gateway.on_link, gateway.metric), gateway.place));
    }
    for defined in &interface.routes {
        let via = defined.via.as_ref().map(|via| via.value.to_string());
        let metric = defined.metric.as_ref().map(|metric| metric.value);
        let to = Some(defined.to.value.to_string());
        routes.push((route(to, via, defined.on_link.value, metric), defined.place));
    }
    if let Some((_, first)) = routes.first() {
        let first = *first;
        let nested = |route: Attrs| -> Value {
            if cx.spelling.flat_routes() { route.into() } else { Attrs::from_iter([("routeConfig", route)]).into() }
        };
        let routes: Vec<Value> = routes.into_iter().map(|(route, _)| nested(route)).collect();
        set(&["routes"], routes.into(), first);
    }
    let dhcp = match interface.dhcp.value {
        Dhcp::Both(true) => "yes",
        Dhcp::Both(false) => "no",
        other if other.ipv4() => "ipv4",
        _ => "ipv6",
    };
    set(&["networkConfig", "DHCP"], dhcp.into(), interface.dhcp.place);
    let (accept, place) = accepts_ra(interface, key);
    set(&["networkConfig", "IPv6AcceptRA"], accept.into(), place);
    let waited = waits_for(network).iter().any(|waited| *waited == name);
    set(&["linkConfig", "RequiredForOnline"], if waited { "routable" } else { "no" }.into(), key);
    if let Some(mtu) = &interface.mtu {
        set(&["linkConfig", "MTUBytes"], mtu.value.to_string().into(), mtu.place);
    }
    if let Some(mac) = &interface.mac {
        set(&["linkConfig", "MACAddress"], mac.value.to_string().into(), mac.place);
    }
    let named = network.firewall.as_ref().is_some_and(|firewall| firewall.interfaces.contains_key(name));
    if named && let (new, true) = name_of(name, interface) {
        let link = Attrs::from_iter([
            ("matchConfig", Value::from(matches(interface))),
            ("linkConfig", Value::from(Attrs::from_iter([("Name", new)]))),
        ]);
        out.set_below("systemd.network.links", &[&unit], link, interface.matches.place);
    }
}

fn route(to: Option<String>, via: Option<String>, on_link: bool, metric: Option<u32>) -> Attrs {
    let mut attrs = Attrs::new();
    if let Some(to) = to {
        attrs.set(&["Destination"], to);
    }
    if let Some(via) = via {
        attrs.set(&["Gateway"], via);
    }
    if on_link {
        attrs.set(&["GatewayOnLink"], true);
    }
    if let Some(metric) = metric {
        attrs.set(&["Metric"], metric);
    }
    attrs
}

/// Tells whether router advertisements are accepted: as written, else not beside a static IPv6 gateway.
fn accepts_ra(interface: &Interface, key: Place) -> (bool, Place) {
    match &interface.accept_ra {
        Some(written) => (written.value, written.place),
        None => (!interface.gateways.iter().any(|gateway| gateway.via.is_ipv6()), key),
    }
}

/// Returns the interfaces that the boot waits for: as written, else those with a default route.
fn waits_for(network: &Network) -> Vec<&str> {
    if !network.wait_online.is_empty() {
        return network.wait_online.iter().map(|name| name.as_str()).collect();
    }
    let routed = |interface: &Interface| {
        let everywhere = |to: &crate::units::Cidr| to.prefix == 0;
        !interface.gateways.is_empty()
            || interface.dhcp.value != Dhcp::Both(false)
            || interface.routes.iter().any(|route| everywhere(&route.to.value))
    };
    network.interfaces.iter().filter(|(_, interface)| routed(interface)).map(|(name, _)| name.as_str()).collect()
}

fn waiting(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    if !cx.spelling.wait_online() {
        return;
    }
    let place = network.wait_online.first().map_or(network.place, |name| name.place);
    let waited = waits_for(network);
    if waited.is_empty() {
        out.derive("systemd.network.wait-online.enable", false, place);
        return;
    }
    out.derive("systemd.network.wait-online.timeout", WAIT_SECONDS, place);
    // Of several ways out that nobody chose among, one is enough.
    if network.wait_online.is_empty() && waited.len() > 1 {
        out.derive("systemd.network.wait-online.anyInterface", true, place);
    }
}

fn firewall(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    let place = network.firewall.as_ref().map_or(network.place, |firewall| firewall.place);
    let enabled = network.firewall.as_ref().is_none_or(|firewall| firewall.enable.value);
    match &network.firewall {
        Some(firewall) => out.keyed("networking.firewall.enable", &firewall.enable, enabled),
        None => out.derive("networking.firewall.enable", true, place),
    }
    if !enabled {
        return;
    }
    if cx.spelling.nftables_firewall() {
        out.set("networking.nftables.enable", true, place);
    }
    if let Some(firewall) = &network.firewall {
        out.keyed("networking.firewall.allowPing", &firewall.icmp, firewall.icmp.value);
        openings("networking.firewall", &[], &firewall.tcp, &firewall.udp, out);
        interfaces(network, firewall, out);
    }
    for service in cx.host.services.iter().filter(|service| service.def.enable.value) {
        for port in service.ports.iter().filter(|port| port.public) {
            let known = network.firewall.as_ref().is_some_and(|firewall| {
                let list = if port.protocol == Protocol::Tcp { &firewall.tcp } else { &firewall.udp };
                list.iter().any(|open| open.contains(port.port))
            });
            if !known {
                out.list(&format!("networking.firewall.allowed{}Ports", upper(port.protocol)), [port.port], port.place);
            }
        }
    }
}

fn interfaces(network: &Network, firewall: &Firewall, out: &mut Settings) {
    for (name, opening) in firewall.interfaces.iter() {
        let Some(interface) = network.interfaces.get(name) else { continue };
        let (known, _) = name_of(name, interface);
        if opening.trusted.value {
            out.list("networking.firewall.trustedInterfaces", [known], opening.trusted.place);
        }
        openings("networking.firewall.interfaces", &[known], &opening.tcp, &opening.udp, out);
    }
}

fn upper(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

fn openings(option: &str, below: &[&str], tcp: &[Spanned<Ports>], udp: &[Spanned<Ports>], out: &mut Settings) {
    for (protocol, ports) in [(Protocol::Tcp, tcp), (Protocol::Udp, udp)] {
        for port in ports {
            let (kind, value) = if port.first == port.last {
                ("Ports", Value::from(port.first))
            } else {
                ("PortRanges", Attrs::from_iter([("from", port.first), ("to", port.last)]).into())
            };
            let name = format!("allowed{}{kind}", upper(protocol));
            let path: Vec<&str> = below.iter().copied().chain([name.as_str()]).collect();
            out.set_below(option, &path, Value::List(vec![value]), port.place);
        }
    }
}
