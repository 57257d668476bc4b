//! An interface that is recognised by a name that changes.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::network::{Interface, InterfaceKind, Match};
use crate::resolve::{DeviceName, is_kernel_name, named_in_rules};
use crate::source::{Level, Place, printable, quoted};

pub(super) static RULE: Rule = Rule {
    id: "interface-name-unpredictable",
    group: Group::Network,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "an interface is recognised by a name that changes",
    doc: include_str!("interface_name_unpredictable.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let probed = cx.host.source.facts.as_ref().and_then(|facts| facts.interfaces.as_deref()).unwrap_or_default();
    for (name, interface) in cx.host.interfaces() {
        let Some(matches) = interface.matches() else {
            made(name, interface, cx, found);
            continue;
        };
        let Match::Name(device) = &matches.value else {
            renamed(name, interface, cx, found);
            continue;
        };
        let Some(kind) = kind(device) else { continue };
        let finding = Finding::at(matches.place, format!("`{name}` is recognised by the name {}", quoted(device)))
            .label(kind.label())
            .why(kind.why());
        let mac = probed.iter().find(|probed| *probed.name.value == **device).and_then(|probed| probed.mac.as_ref());
        found.report(match mac {
            Some(mac) => finding
                .related(mac.place, format!("{} when the facts were taken", quoted(device)))
                .help(format!("`match = {{ mac = \"{}\" }}`", printable(&mac.value))),
            None => finding.help("`match = { mac = \"…\" }` with the hardware address, which `ip link` shows"),
        });
    }
}

/// Looks at what is made under a name that a card may have.
fn made(name: &str, interface: &Interface, cx: &HostCx<'_>, found: &mut Findings) {
    if !is_kernel_name(name) {
        return;
    }
    found.report(
        Finding::at(
            key_of(cx, name).unwrap_or(interface.place),
            format!("`{name}` is made with a name that a card may have"),
        )
        .label(format!("a {}", interface.kind.value))
        .why("the kernel and udev give cards such names: where a card has it first, this interface cannot be made")
        .help(format!("a name that no card gets, such as `{}0`", short(interface.kind.value))),
    );
}

/// Looks at a card that rules call by a name which it cannot be given.
fn renamed(name: &str, interface: &Interface, cx: &HostCx<'_>, found: &mut Findings) {
    let Some(network) = &cx.host.def.network else { return };
    if !named_in_rules(network).contains(&name) || !matches!(DeviceName::of(name, interface), DeviceName::Unknown(_)) {
        return;
    }
    found.report(
        Finding::at(key_of(cx, name).unwrap_or(interface.place), format!("rules of the firewall call a card `{name}`, which it may not be"))
            .label("a name that the kernel gives")
            .why(
                "rules know cards by name, and a card cannot be given a name that the kernel gives to another: the rules are then \
                 about another card, or about none",
            )
            .help("a name of your own for the interface, such as `lan` or `uplink`: the card is then renamed to it"),
    );
}

fn key_of(cx: &HostCx<'_>, name: &str) -> Option<Place> {
    Some(cx.host.def.network.as_ref()?.interfaces.get(name)?.key)
}

/// Returns the usual beginning of the names of a kind.
fn short(kind: InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::Ethernet => "lan",
        InterfaceKind::Vlan => "vlan1",
        InterfaceKind::Bond => "bond",
        InterfaceKind::Bridge => "br",
        InterfaceKind::Wireguard => "wg",
    }
}

/// What a name follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The order of discovery.
    Discovery,
    /// The place on the PCI bus.
    Bus,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Discovery => "numbered by the kernel",
            Self::Bus => "the place on the PCI bus",
        }
    }

    fn why(self) -> &'static str {
        match self {
            Self::Discovery => {
                "interfaces are numbered as they are found: with a second card, or another kernel, the name is another card's, and \
                 under systemd's naming it does not exist at all"
            }
            Self::Bus => {
                "a card or disk in another slot, or a change of firmware, numbers the bus anew: the interface has another name then, \
                 and the host no network"
            }
        }
    }
}

/// Returns what a name follows from; none for names that stay, and for patterns.
fn kind(device: &str) -> Option<Kind> {
    let numbered = |prefix: &str| {
        let number = device.strip_prefix(prefix);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if ["eth", "wlan", "wwan", "usb"].into_iter().any(numbered) {
        return Some(Kind::Discovery);
    }
    let on_bus = |prefix: &str| {
        // `enp3s0`, `enP1p3s0f1np0`: bus and slot, perhaps after a domain and before a function.
        let rest = device.strip_prefix(prefix).unwrap_or("");
        let rest = rest.strip_prefix('P').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        let slot = rest.strip_prefix('p').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        slot.is_some_and(|rest| {
            rest.strip_prefix('s').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    let plain = device.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && ["en", "wl", "ww"].into_iter().any(on_bus)).then_some(Kind::Bus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_discovery_and_by_bus_are_told_from_names_that_stay() {
        for name in ["eth0", "eth12", "wlan0", "usb0"] {
            assert_eq!(kind(name), Some(Kind::Discovery), "{name}");
        }
        for name in ["enp3s0", "wlp2s0", "enp0s31f6", "enP1p3s0f1np0", "enp65s0f0np0"] {
            assert_eq!(kind(name), Some(Kind::Bus), "{name}");
        }
        for name in ["eno1", "ens18", "enx7c8334b15e02", "en*", "e*", "eth*", "enp*s0", "lan0", "ethernet", "eth"] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
