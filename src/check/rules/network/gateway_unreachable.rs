//! A router that the host has no way to.

use std::net::IpAddr;

use crate::check::addresses;
use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::network::Interface;
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "gateway-unreachable",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the gateway is in no network of its interface",
    doc: include_str!("gateway_unreachable.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (name, interface) in cx.host.interfaces() {
        for gateway in &interface.gateways {
            let router = Router { via: gateway.via, on_link: gateway.on_link, place: gateway.place, what: "gateway" };
            router.check(cx, name, interface, found);
        }
        for route in &interface.routes {
            let Some(via) = &route.via else { continue };
            let router = Router { via: via.value, on_link: route.on_link.value, place: via.place, what: "router" };
            router.check(cx, name, interface, found);
        }
    }
}

/// A router, with what a definition says of the way to it.
struct Router {
    via: IpAddr,
    on_link: bool,
    place: Place,
    what: &'static str,
}

impl Router {
    fn check(&self, cx: &HostCx<'_>, name: &str, interface: &Interface, found: &mut Findings) {
        let Self { via, what, .. } = self;
        if let Some((_, own)) = addresses::of(cx.host).find(|(_, address)| address.address == *via) {
            found.report(
                Finding::at(self.place, format!("the {what} {via} of `{name}` is the host itself"))
                    .label("its own address")
                    .related(own.place, "the same address")
                    .why("packets for elsewhere go to a router, and the host is none for itself")
                    .help("the router's address, often the first of the network"),
            );
            return;
        }
        if self.on_link || is_on_link(*via, interface) {
            return;
        }
        let automatic = match via {
            IpAddr::V4(_) => interface.dhcp.ipv4(),
            IpAddr::V6(_) => interface.dhcp.ipv6() || interface.accept_ra.as_ref().is_some_and(|accept| accept.value),
        };
        if automatic {
            found.unchecked(format!("which networks `{name}` gets is not known, so whether {via} is among them"));
            return;
        }
        let networks: Vec<String> = interface.addresses.iter().map(|address| address.value.to_string()).collect();
        let message = format!("the {what} {via} is in no network of `{name}`");
        let label = if networks.is_empty() {
            "no static address here".to_owned()
        } else {
            format!("outside of {}", joined(&networks))
        };
        let mut finding = Finding::at(self.place, message)
            .label(label)
            .why("the kernel refuses a route whose router is not on the link: the host stays without its way out");
        let home = cx.host.interfaces().find(|(other, of_other)| *other != name && is_on_link(*via, of_other));
        if let Some((other, of_other)) = home {
            finding = finding
                .related(of_other.place, "its network is here")
                .help(format!("move it to `{other}`, whose network holds it"));
        }
        found.report(finding.help("the right address or prefix length, if one of them is mistyped").help(format!(
            "`{{ via = \"{via}\", on-link = true }}`, where the provider says that it is on the link all the same"
        )));
    }
}

/// Tells whether an address is on an interface's link by the interface's own networks and routes.
fn is_on_link(via: IpAddr, interface: &Interface) -> bool {
    let link_local = via.is_ipv6() && addresses::is_link_local(via);
    let in_network = interface.addresses.iter().any(|address| address.contains(via));
    let by_route = interface.routes.iter().any(|route| route.via.is_none() && route.to.contains(via));
    link_local || in_network || by_route
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    fn of(interface: &str) -> Vec<String> {
        said(
            "gateway-unreachable",
            &format!("network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, {interface} }}\n"),
        )
    }

    #[test]
    fn a_router_is_reached_in_a_network_by_a_route_or_where_it_is_said_to_be() {
        for good in [
            "addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1']",
            "addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1', 'fe80::1']",
            "addresses = ['192.0.2.10/32'], gateways = [{ via = '198.51.100.1', on-link = true }]",
            "addresses = ['192.0.2.10/32'], gateways = ['198.51.100.1'], routes = [{ to = '198.51.100.1/32' }]",
            "addresses = ['192.0.2.10/24', '2001:db8::2/64'], gateways = ['192.0.2.1', '2001:db8::1']",
        ] {
            assert!(of(good).is_empty(), "{good}");
        }
        let far = "error: the gateway 198.51.100.1 is in no network of `lan`";
        assert_eq!(of("addresses = ['192.0.2.10/24'], gateways = ['198.51.100.1']"), [far]);
        assert_eq!(
            of("addresses = ['192.0.2.10/32'], gateways = ['192.0.2.10']"),
            ["error: the gateway 192.0.2.10 of `lan` is the host itself"]
        );
        assert_eq!(
            of(
                "addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1'], routes = [{ to = '10.0.0.0/8', via = '10.0.0.1' }]"
            ),
            ["error: the router 10.0.0.1 is in no network of `lan`"]
        );
        assert_eq!(
            of("dhcp = true, gateways = ['198.51.100.1']"),
            ["unchecked: which networks `lan` gets is not known, so whether 198.51.100.1 is among them"]
        );
        // DHCP for the other family brings nothing for this one.
        assert_eq!(of("dhcp = 'ipv6', addresses = ['192.0.2.10/24'], gateways = ['198.51.100.1']"), [far]);
    }
}
