//! Something that is reached by IPv4 or IPv6 only, on a host without an address of that family.

use std::net::IpAddr;

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::words::ServerName;
use crate::resolve::ResolvedHost;
use crate::source::{Level, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "address-family-missing",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "something is reached only in a family without an address",
    doc: include_str!("address_family_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(network) = &host.def.network else { return };
    // Where nothing is said of addresses, nothing is known of them either.
    let said = host
        .interfaces()
        .any(|(_, interface)| !interface.addresses.is_empty() || interface.dhcp.ipv4() || interface.dhcp.ipv6());
    if !said || described_in_nix(cx, found) {
        return;
    }
    let servers: Vec<(IpAddr, Place)> = network.nameservers.iter().map(|server| (server.value, server.place)).collect();
    all_of(host, "name server", &servers, found);
    let mut times = Vec::new();
    let mut named = false;
    for server in &network.ntp {
        match &server.value {
            ServerName::Address(address) => times.push((*address, server.place)),
            ServerName::Name(name) => match name.as_str().parse() {
                Ok(address) => times.push((address, server.place)),
                Err(_) => named = true,
            },
        }
    }
    // A name may have addresses of both families.
    if !named {
        all_of(host, "time server", &times, found);
    }
    for (name, interface) in host.interfaces() {
        let gateways = interface.gateways.iter().map(|gateway| (gateway.via, gateway.place));
        for (via, place) in gateways.filter(|(via, _)| !interface.may_have(via.is_ipv6())) {
            let family = family(via);
            found.report(
                Finding::at(
                    place,
                    format!("the gateway {via} of `{name}` is {family}, in which the interface has no address"),
                )
                .label(format!("{family}, and nothing to send from"))
                .why("a packet needs an address of its family to come from: the route is there and leads nowhere")
                .help(format!("an {family} address in `addresses`"))
                .help("leave the gateway out"),
            );
        }
    }
}

/// Reports servers of which none is in a family of the host.
fn all_of(host: &ResolvedHost<'_>, what: &str, servers: &[(IpAddr, Place)], found: &mut Findings) {
    let reached = |address: IpAddr| {
        address.is_loopback() || host.interfaces().any(|(_, interface)| interface.may_have(address.is_ipv6()))
    };
    let Some((address, place)) = servers.first().copied() else { return };
    if servers.iter().any(|(address, _)| reached(*address)) {
        return;
    }
    let family = family(address);
    let which = if servers.len() == 1 {
        format!("the {what} {address} is {family}")
    } else {
        format!("every {what} is {family}")
    };
    found.report(
        Finding::at(place, format!("{which}, in which `{}` has no address", host.name))
            .label(format!("{family} only"))
            .why("a packet needs an address of its family to come from: not one question reaches the server")
            .help(format!("a {what} of the family that the host has"))
            .help(format!("an {family} address for an interface")),
    );
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

/// Tells whether addresses may be set by other means.
fn described_in_nix(cx: &HostCx<'_>, found: &mut Findings) -> bool {
    let routes = [
        &["networking", "interfaces"][..],
        &["networking", "networkmanager", "enable"],
        &["systemd", "network", "networks"],
        &["networking", "useDHCP"],
    ];
    if routes.iter().any(|route| nixos::is_set(cx.host, route)) {
        return true;
    }
    let Some(file) = nixos::file_with(cx, &["networking.interfaces", "systemd.network", "networkmanager", "useDHCP"])
    else {
        return false;
    };
    found.unchecked(format!("{} may bring addresses", quoted(file)));
    true
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn what_is_reached_in_a_family_needs_an_address_of_it() {
        let of = |interface: &str, more: &str| {
            let host =
                format!("network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, {interface} }}\n{more}");
            said("address-family-missing", &host)
        };
        let v4 = "accept-ra = false, addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1']";
        let v6 = "addresses = ['2001:db8::10/64'], gateways = ['fe80::1']";
        assert!(of(v4, "").is_empty() && of("dhcp = true", "network.nameservers = ['2001:db8::53']\n").is_empty());
        assert!(of(v4, "network.nameservers = ['2001:db8::53', '192.0.2.53']\n").is_empty());
        assert!(of(v4, "network.nameservers = ['::1']\n").is_empty());
        assert_eq!(of(v6, ""), ["error: the name server 192.0.2.53 is IPv4, in which `a` has no address"]);
        assert_eq!(
            of(v4, "network.nameservers = ['2001:db8::53', '2001:db8::54']\n"),
            ["error: every name server is IPv6, in which `a` has no address"]
        );
        assert_eq!(of(v4, "network.ntp = ['2001:db8::123']\n").len(), 1);
        assert!(of(v4, "network.ntp = ['2001:db8::123', 'ntp.example.org']\n").is_empty());
        assert_eq!(
            of("addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1', 'fe80::1']", ""),
            ["error: the gateway fe80::1 of `lan` is IPv6, in which the interface has no address"]
        );
    }
}
