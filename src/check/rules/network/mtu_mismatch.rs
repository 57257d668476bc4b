//! Packets that are larger than the link below carries.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::network::{Interface, InterfaceKind};
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "mtu-mismatch",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "packets larger than the link below carries",
    doc: include_str!("mtu_mismatch.md"),
    check: Check::Host(check),
};

/// What Ethernet carries unless it is told otherwise.
const ETHERNET: u32 = 1500;

/// The least that a link with IPv6 must carry (RFC 8200, section 5).
const IPV6_LEAST: u32 = 1280;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    for (name, interface) in host.interfaces() {
        ipv6_fits(name, interface, found);
        let Some(mtu) = &interface.mtu else { continue };
        match interface.kind.value {
            InterfaceKind::Vlan => {
                for below in interface.stands_on() {
                    let Some((link, lower)) = host.interface(below.as_str()) else { continue };
                    let (most, at) = of(lower, below.place);
                    if mtu.value.0 > most {
                        found.report(
                            Finding::at(mtu.place, format!("`{name}` sends packets of {} bytes over `{link}`, which carries {most}", mtu.value.0))
                                .label("too large for the link below")
                                .related(at, format!("{most} bytes"))
                                .why("the kernel refuses an MTU above that of the link: the interface keeps the smaller one, or does not come up")
                                .help(format!("`mtu = {}` for `{link}`, if its cables and switches carry that", mtu.value.0))
                                .help(format!("`mtu = {most}` here")),
                        );
                    }
                }
            }
            InterfaceKind::Bridge | InterfaceKind::Bond => {
                members(cx, name, interface, (mtu.value.0, mtu.place), found);
            }
            InterfaceKind::Ethernet | InterfaceKind::Wireguard => {}
        }
    }
    for (name, interface) in host
        .interfaces()
        .filter(|(_, interface)| interface.mtu.is_none() && interface.kind.value == InterfaceKind::Bridge)
    {
        unequal(cx, name, interface, found);
    }
}

/// Returns what an interface carries, and where that is written.
fn of(interface: &Interface, otherwise: Place) -> (u32, Place) {
    interface.mtu.as_ref().map_or((ETHERNET, otherwise), |mtu| (mtu.value.0, mtu.place))
}

/// Members of a bond take its MTU; those of a bridge keep their own, and the bridge cannot carry more than the least of them.
fn members(cx: &HostCx<'_>, name: &str, interface: &Interface, (mtu, place): (u32, Place), found: &mut Findings) {
    for member in interface.members() {
        let Some((below, lower)) = cx.host.interface(member.as_str()) else { continue };
        let written = lower.mtu.is_some();
        let (most, at) = of(lower, member.place);
        let bond = interface.kind.value == InterfaceKind::Bond;
        if bond && (!written || most == mtu) || most >= mtu && !bond {
            continue;
        }
        let what = if bond {
            "a bond gives its own MTU to its members"
        } else {
            "frames above the MTU of a member are dropped without a word"
        };
        let finding = Finding::at(place, format!("`{name}` has the MTU {mtu} and its member `{below}` {most}"))
            .label("another one than the member's")
            .related(at, format!("{most} bytes"))
            .why(what)
            .help(format!("`mtu = {mtu}` for `{below}`"));
        found.report_as(if bond { Level::Warning } else { Level::Error }, finding);
    }
}

/// A bridge without an MTU of its own takes the least of its members: larger frames of the others are dropped.
fn unequal(cx: &HostCx<'_>, name: &str, interface: &Interface, found: &mut Findings) {
    let members: Vec<(&str, u32, Place)> = interface
        .members()
        .iter()
        .filter_map(|member| {
            let (below, lower) = cx.host.interface(member.as_str())?;
            let (most, at) = of(lower, member.place);
            Some((below, most, at))
        })
        .collect();
    let Some((first, rest)) = members.split_first() else { return };
    if let Some((other, most, at)) = rest.iter().find(|(_, most, _)| *most != first.1) {
        found.report_as(
            Level::Warning,
            Finding::at(*at, format!("`{other}` and `{}` of the bridge `{name}` carry {most} and {} bytes", first.0, first.1))
                .label(format!("{most} bytes"))
                .related(first.2, format!("{} bytes", first.1))
                .why("a switch does not cut frames: those that are larger than the least of its ports carries are dropped without a word")
                .help("one MTU for all members of the bridge"),
        );
    }
}

fn ipv6_fits(name: &str, interface: &Interface, found: &mut Findings) {
    let Some(mtu) = interface.mtu.as_ref().filter(|mtu| mtu.value.0 < IPV6_LEAST) else { return };
    let Some(address) = interface.addresses.iter().find(|address| address.address.is_ipv6()) else { return };
    found.report(
        Finding::at(mtu.place, format!("`{name}` has an IPv6 address and an MTU of {}", mtu.value.0))
            .label(format!("less than {IPV6_LEAST}"))
            .related(address.place, "an IPv6 address")
            .why("the kernel switches IPv6 off on a link that carries less than 1280 bytes (RFC 8200, section 5)")
            .help(format!("`mtu = {IPV6_LEAST}` or more")),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn what_lies_above_carries_no_more_than_what_lies_below() {
        let of = |more: &str| {
            said(
                "mtu-mismatch",
                &format!(
                    "network.interfaces.a = {{ match = {{ mac = '02:00:00:00:00:02' }}, mtu = 9000 }}\nnetwork.interfaces.b = {{ match = {{ mac = '02:00:00:00:00:03' }} }}\n{more}"
                ),
            )
        };
        for good in [
            "network.interfaces.v = { kind = 'vlan', id = 1, link = 'a', mtu = 9000 }\n",
            "network.interfaces.v = { kind = 'vlan', id = 1, link = 'b', mtu = 1400 }\n",
            "network.interfaces.v = { kind = 'vlan', id = 1, link = 'b' }\n",
            "network.interfaces.bond0 = { kind = 'bond', members = ['b'], mtu = 9000 }\n",
        ] {
            assert!(of(good).is_empty(), "{good}");
        }
        let table = [
            (
                "network.interfaces.v = { kind = 'vlan', id = 1, link = 'b', mtu = 9000 }\n",
                "error: `v` sends packets of 9000 bytes over `b`, which carries 1500",
            ),
            (
                "network.interfaces.br0 = { kind = 'bridge', members = ['a', 'b'] }\n",
                "warning: `b` and `a` of the bridge `br0` carry 1500 and 9000 bytes",
            ),
            (
                "network.interfaces.br0 = { kind = 'bridge', members = ['b'], mtu = 9000 }\n",
                "error: `br0` has the MTU 9000 and its member `b` 1500",
            ),
            (
                "network.interfaces.bond0 = { kind = 'bond', members = ['a'], mtu = 1500 }\n",
                "warning: `bond0` has the MTU 1500 and its member `a` 9000",
            ),
            (
                "network.interfaces.v = { kind = 'vlan', id = 1, link = 'b', mtu = 1200, addresses = ['2001:db8::1/64'] }\n",
                "error: `v` has an IPv6 address and an MTU of 1200",
            ),
        ];
        for (host, message) in table {
            assert_eq!(of(host), [message], "{host}");
        }
    }
}
