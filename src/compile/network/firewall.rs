//! The firewall and address translation, both by nftables.
//!
//! Neighbour discovery and path MTU messages pass whatever is written: NixOS lets them in before the rules of the definition
//! come.

use super::super::HostCx;
use super::super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::Ports;
use crate::fleet::schema::network::{Firewall, Nat, Network};
use crate::fleet::schema::service_parts::Protocol;
use crate::nix::{Attrs, Value};
use crate::resolve::DeviceName;
use crate::source::Spanned;

/// Drops echo requests of IPv6, which NixOS lets in with all other ICMPv6; its own switch is for IPv4.
const NO_ECHO: &str = "chain input {\n  type filter hook input priority filter - 1; policy accept;\n  iifname != \"lo\" \
                       icmpv6 type echo-request drop\n}\n";

/// Sets the firewall and what is translated.
pub(super) fn settings(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    let place = network.firewall.as_ref().map_or(network.place, |firewall| firewall.place);
    let enabled = network.firewall.as_ref().is_none_or(|firewall| firewall.enable.value);
    match &network.firewall {
        Some(firewall) => out.keyed("networking.firewall.enable", &firewall.enable, enabled),
        None => out.derive("networking.firewall.enable", true, place),
    }
    if cx.spelling.nftables_firewall() && (enabled || network.nat.is_some()) {
        out.set("networking.nftables.enable", true, place);
    }
    if let Some(nat) = &network.nat {
        translation(cx, network, nat, enabled, out);
    }
    if !enabled {
        return;
    }
    if let Some(firewall) = &network.firewall {
        out.keyed("networking.firewall.allowPing", &firewall.icmp, firewall.icmp.value);
        if !firewall.icmp.value && cx.spelling.nftables_tables() {
            let table = Attrs::from_iter([("family", "inet"), ("content", NO_ECHO)]);
            out.set("networking.nftables.tables.hostwright-no-echo", table, firewall.icmp.place);
        }
        openings("networking.firewall", &[], &firewall.tcp, &firewall.udp, out);
        interfaces(network, firewall, out);
        if let Some(rules) = firewall.rules.as_ref().filter(|_| cx.spelling.firewall_rules()) {
            out.set("networking.firewall.extraInputRules", rules.value.as_str(), rules.place);
        }
    }
    for service in cx.host.running() {
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

/// Returns the kernel's name of an interface.
fn device<'a>(network: &'a Network, name: &'a str) -> &'a str {
    network.interfaces.get(name).map_or(name, |interface| DeviceName::of(name, interface).as_str())
}

fn interfaces(network: &Network, firewall: &Firewall, out: &mut Settings) {
    for (name, opening) in firewall.interfaces.iter() {
        let known = device(network, name);
        if opening.trusted.value {
            out.list("networking.firewall.trustedInterfaces", [known], opening.trusted.place);
        }
        openings("networking.firewall.interfaces", &[known], &opening.tcp, &opening.udp, out);
    }
}

fn translation(cx: &HostCx<'_>, network: &Network, nat: &Nat, firewall: bool, out: &mut Settings) {
    out.set("networking.nat.enable", true, nat.place);
    out.set("networking.nat.externalInterface", device(network, nat.external.as_str()), nat.external.place);
    for name in &nat.internal {
        out.list("networking.nat.internalInterfaces", [device(network, name.as_str())], name.place);
    }
    let ipv6 = nat.forward.iter().find(|forward| forward.to.host.contains(':'));
    if let Some(forward) = ipv6 {
        out.set("networking.nat.enableIPv6", true, forward.to.place);
    }
    for forward in &nat.forward {
        let entry = Attrs::from_iter([
            ("proto", Value::from(forward.proto.value.word())),
            ("sourcePort", Value::from(forward.port.value)),
            ("destination", Value::from(forward.to.value.to_string())),
        ]);
        out.list("networking.nat.forwardPorts", [entry], forward.place);
    }
    // A router hands on what was asked for from inside and what is forwarded, not whatever is sent to it.
    if firewall && cx.spelling.firewall_rules() {
        out.derive("networking.firewall.filterForward", true, nat.place);
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
