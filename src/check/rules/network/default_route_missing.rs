//! A host without a way to other networks.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{addresses, nixos};
use crate::fleet::schema::network::Interface;
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "default-route-missing",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "nothing brings a default route",
    doc: include_str!("default_route_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    if host.interfaces().any(|(_, interface)| brings_route(interface)) || described_in_nix(cx) {
        return;
    }
    let only_advertised = host.interfaces().any(|(_, interface)| interface.accept_ra.is_none());
    let place = match addresses::first_static(host) {
        Some((_, place)) => place,
        // Without static addresses all comes from router advertisements, which are accepted unless that is switched off.
        None if only_advertised => return,
        None => host.def.network.as_ref().map_or(host.place, |network| network.place),
    };
    if let Some(file) = nixos::file_with(cx, &["defaultGateway", "systemd.network", "networkmanager", "useDHCP"]) {
        found.unchecked(format!("{} may bring a default route", quoted(file)));
        return;
    }
    found.report(
        Finding::at(place, format!("`{}` has no default route", host.name))
            .label("no gateway here or on another interface")
            .why("without one the host answers its own networks only: names, time, packages and the deployer are out of reach")
            .help("`gateways = [\"…\"]` for the interface that leads out")
            .help("`dhcp = true`, or `accept-ra = true`, where the network brings one"),
    );
}

/// Tells whether an interface brings a default route. Router advertisements count where they are asked for: that they are
/// accepted by default does not mean that there are any.
fn brings_route(interface: &Interface) -> bool {
    !interface.gateways.is_empty()
        || interface.dhcp.ipv4()
        || interface.dhcp.ipv6()
        || interface.accept_ra.as_ref().is_some_and(|accept| accept.value)
        || interface.routes.iter().any(|route| route.to.prefix == 0)
}

fn described_in_nix(cx: &HostCx<'_>) -> bool {
    let routes = [
        &["networking", "defaultGateway"][..],
        &["networking", "defaultGateway6"],
        &["networking", "interfaces"],
        &["networking", "useDHCP"],
        &["networking", "networkmanager", "enable"],
        &["networking", "wireless", "enable"],
        &["systemd", "network", "networks"],
    ];
    routes.iter().any(|route| nixos::is_set(cx.host, route))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn everything_that_brings_a_route_counts_and_a_mere_default_does_not() {
        let of = |interface: &str, more: &str| {
            let host =
                format!("{more}network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, {interface} }}\n");
            said("default-route-missing", &host).len()
        };
        let fixed = "addresses = ['192.0.2.10/24']";
        assert_eq!(of(fixed, ""), 1);
        assert_eq!(of("accept-ra = false", ""), 1);
        assert_eq!(of("addresses = ['fe80::2/64'], accept-ra = false", ""), 1);
        for good in [
            "gateways = ['192.0.2.1']",
            "dhcp = true",
            "dhcp = 'ipv4'",
            "accept-ra = true",
            "routes = [{ to = '0.0.0.0/0', via = '192.0.2.1' }]",
        ] {
            assert_eq!(of(&format!("{fixed}, {good}"), ""), 0, "{good}");
        }
        assert_eq!(of("dhcp = true", ""), 0);
        assert_eq!(of("mtu = 1500", ""), 0);
        assert_eq!(of(fixed, "nixos.networking.defaultGateway = '192.0.2.1'\n"), 0);
    }
}
