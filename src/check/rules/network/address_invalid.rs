//! A static address that no host can have.

use std::net::{IpAddr, Ipv4Addr};

use crate::check::addresses;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;
use crate::units::Cidr;

pub(super) static RULE: Rule = Rule {
    id: "address-invalid",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "an address that a host cannot have",
    doc: include_str!("address_invalid.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (interface, address) in addresses::of(cx.host) {
        let Some(fault) = fault(&address.value) else { continue };
        let mut finding = Finding::at(address.place, format!("`{}` of `{interface}` is {}", address.value, fault.is))
            .label(fault.label)
            .why(fault.why);
        if let Some((first, last)) = hosts_of(&address.value) {
            finding = finding.help(format!("an address from {first} to {last}"));
        }
        found.report_as(fault.level, finding.help("the address and prefix length that the provider or router names"));
    }
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    level: Level,
    is: &'static str,
    label: &'static str,
    why: &'static str,
}

/// Returns what is wrong with an address, if anything.
fn fault(cidr: &Cidr) -> Option<Fault> {
    let error = |is, label, why| Some(Fault { level: Level::Error, is, label, why });
    let address = cidr.address;
    let everyone = IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address == everyone {
        error(
            "no address of a network card",
            "reserved",
            "the kernel takes no such address as the source of what it sends",
        )
    } else if cidr.prefix == 0 {
        error(
            "in a network of all addresses",
            "prefix length 0",
            "every address then counts as on the link, and no router is asked",
        )
    } else if address.is_ipv4() && cidr.is_network_address() {
        error(
            "the network itself",
            "every host bit is 0",
            "routers take it for the network, and old ones for a broadcast: answers get lost",
        )
    } else if cidr.is_broadcast_address() {
        error(
            "the broadcast address of its network",
            "every host bit is 1",
            "what is sent to it goes to every host of the network",
        )
    } else if address.is_ipv6() && cidr.is_network_address() {
        Some(Fault {
            level: Level::Warning,
            is: "the address of all routers of its network",
            label: "every host bit is 0",
            why: "routers of the network answer to it too (RFC 4291, section 2.6.1), so packets may go to one of them",
        })
    } else {
        None
    }
}

/// Returns the first and the last address that a host of an IPv4 network can have; none where that is no use.
fn hosts_of(cidr: &Cidr) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let IpAddr::V4(address) = cidr.address else { return None };
    if !(8..=30).contains(&cidr.prefix) || address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return None;
    }
    let hosts = u32::MAX >> cidr.prefix;
    let network = address.to_bits() & !hosts;
    Some((Ipv4Addr::from_bits(network + 1), Ipv4Addr::from_bits(network + hosts - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_network_are_no_hosts_but_in_networks_of_one_or_two() {
        let level = |text: &str| fault(&text.parse().unwrap()).map(|fault| fault.level);
        for text in [
            "192.0.2.0/24",
            "192.0.2.255/24",
            "192.0.2.4/30",
            "0.0.0.0/24",
            "127.0.0.1/8",
            "224.0.0.1/24",
            "192.0.2.1/0",
            "::1/128",
            "ff02::1/64",
        ] {
            assert_eq!(level(text), Some(Level::Error), "{text}");
        }
        assert_eq!(level("2001:db8::/64"), Some(Level::Warning));
        for text in [
            "192.0.2.10/24",
            "192.0.2.0/31",
            "192.0.2.255/32",
            "192.0.3.0/23",
            "2001:db8::1/64",
            "2001:db8::/127",
            "fe80::1/64",
        ] {
            assert_eq!(level(text), None, "{text}");
        }
    }

    #[test]
    fn the_range_that_is_proposed_leaves_the_ends_out() {
        let range = |text: &str| hosts_of(&text.parse().unwrap()).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(range("135.181.162.64/26").as_deref(), Some("135.181.162.65 135.181.162.126"));
        assert_eq!(range("192.0.2.4/30").as_deref(), Some("192.0.2.5 192.0.2.6"));
        assert_eq!(range("192.0.2.4/31"), None);
    }
}
