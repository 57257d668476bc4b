//! A member of a bond or bridge that is something else as well.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::network::{Dhcp, Interface, Link};
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "link-conflict",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "an interface is used in two ways at once",
    doc: include_str!("link_conflict.md"),
    check: Check::Host(check),
};

const WHY: &str = "what comes in on a member goes to the bond or bridge above it: addresses and tagged networks of the member itself get \
                   no packet, and two masters cannot have one card";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    for (name, interface) in host.interfaces() {
        let mut masters: Vec<(&str, Place)> = Vec::new();
        for (other, above) in host.interfaces() {
            masters.extend(
                above.members().iter().filter(|member| member.as_str() == name).map(|member| (other, member.place)),
            );
        }
        let Some((master, at)) = masters.first().copied() else { continue };
        if let Some((second, again)) = masters.get(1).copied() {
            let message = if second == master {
                format!("`{name}` is a member of `{master}` twice")
            } else {
                format!("`{name}` is a member of `{master}` and of `{second}`")
            };
            found.report(
                Finding::at(again, message)
                    .label("a second time")
                    .related(at, "a member here")
                    .why(WHY)
                    .help("leave it in one of them"),
            );
        }
        if let Some((what, place)) = own_network(interface) {
            found.report(
                Finding::at(place, format!("`{name}` is a member of `{master}` and has {what} of its own"))
                    .label("never reached")
                    .related(at, "a member here")
                    .why(WHY)
                    .help(format!("move it to `{master}`"))
                    .help(format!("take `{name}` out of the members of `{master}`")),
            );
        }
        for (vlan, above) in host.vlans_on(name) {
            let Link::Vlan { link, .. } = &above.link else { continue };
            found.report(
                Finding::at(link.place, format!("the VLAN `{vlan}` is on `{name}`, which is a member of `{master}`"))
                    .label("gets no packet")
                    .related(at, "a member here")
                    .why(WHY)
                    .help(format!("`link = \"{master}\"`")),
            );
        }
        if interface.wireguard().is_some() {
            found.report(
                Finding::at(at, format!("`{name}` is wireguard and cannot be a member of `{master}`"))
                    .label("no Ethernet")
                    .why("wireguard carries IP packets and no Ethernet frames, so the kernel refuses it as a member")
                    .help("route into the tunnel instead: `routes` and `allowed-ips`"),
            );
        }
    }
    same_number(cx, found);
}

/// Returns the first thing that gives an interface a network of its own.
fn own_network(interface: &Interface) -> Option<(&'static str, Place)> {
    let address = interface.addresses.first().map(|address| ("addresses", address.place));
    let gateway = interface.gateways.first().map(|gateway| ("a gateway", gateway.place));
    let dhcp = (interface.dhcp.value != Dhcp::Both(false)).then_some(("DHCP", interface.dhcp.place));
    address.or(gateway).or(dhcp)
}

/// Two VLANs with one number on one link: the kernel makes the first alone.
fn same_number(cx: &HostCx<'_>, found: &mut Findings) {
    let mut seen: Vec<(&str, u16, &str, Place)> = Vec::new();
    for (name, interface) in cx.host.interfaces() {
        let Link::Vlan { id, link } = &interface.link else { continue };
        match seen.iter().find(|(below, number, ..)| *below == link.as_str() && *number == id.value.0) {
            Some((below, number, other, place)) => found.report(
                Finding::at(id.place, format!("`{name}` and `{other}` are both VLAN {number} on `{below}`"))
                    .label("the same number")
                    .related(*place, "and here")
                    .why("the kernel makes one interface for a number on a link; the second is never there")
                    .help("another number, or another link"),
            ),
            None => seen.push((link.as_str(), id.value.0, name, id.place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    const CARDS: &str = "network.interfaces.lan = { match = { mac = '02:00:00:00:00:01' }, addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1'] }\n\
                         network.interfaces.a = { match = { mac = '02:00:00:00:00:02' } }\n\
                         network.interfaces.b = { match = { mac = '02:00:00:00:00:03' } }\n";

    #[test]
    fn a_member_is_a_member_and_nothing_else() {
        let of = |more: &str| said("link-conflict", &format!("{CARDS}{more}"));
        assert!(of("network.interfaces.bond0 = { kind = 'bond', members = ['a', 'b'] }\n").is_empty());
        assert!(of("network.interfaces.v10 = { kind = 'vlan', id = 10, link = 'a' }\nnetwork.interfaces.v11 = { kind = 'vlan', id = 11, link = 'a' }\n").is_empty());
        let table = [
            (
                "network.interfaces.bond0 = { kind = 'bond', members = ['a', 'lan'] }\n",
                "error: `lan` is a member of `bond0` and has addresses of its own",
            ),
            (
                "network.interfaces.bond0 = { kind = 'bond', members = ['a', 'a'] }\n",
                "error: `a` is a member of `bond0` twice",
            ),
            (
                "network.interfaces.br0 = { kind = 'bridge', members = ['a'] }\nnetwork.interfaces.br1 = { kind = 'bridge', members = ['a'] }\n",
                "error: `a` is a member of `br0` and of `br1`",
            ),
            (
                "network.interfaces.br0 = { kind = 'bridge', members = ['a'] }\nnetwork.interfaces.v = { kind = 'vlan', id = 1, link = 'a' }\n",
                "error: the VLAN `v` is on `a`, which is a member of `br0`",
            ),
            (
                "network.interfaces.v = { kind = 'vlan', id = 1, link = 'a' }\nnetwork.interfaces.w = { kind = 'vlan', id = 1, link = 'a' }\n",
                "error: `w` and `v` are both VLAN 1 on `a`",
            ),
        ];
        for (host, message) in table {
            assert_eq!(of(host), [message], "{host}");
        }
    }
}
