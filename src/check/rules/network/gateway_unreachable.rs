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
