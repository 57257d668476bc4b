//! Interfaces, addresses, routers, name servers.

use std::net::IpAddr;

use super::Cx;
use super::machine::Interface as Live;
use super::outcome::{Comparison, Difference, Group};
use crate::fleet::schema::network::{Dhcp, Interface, Match};
use crate::resolve::DeviceName;
use crate::units::Cidr;

const GROUP: Group = Group::Network;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    if cx.host.interfaces().next().is_some() {
        match &cx.machine.interfaces {
            Some(live) => interfaces(cx, live, out),
            None => out.unknown(GROUP, "interfaces", "/sys/class/net could not be read"),
        }
    }
    let servers = cx.host.def.network.iter().flat_map(|network| &network.nameservers);
    for server in servers {
        match &cx.machine.nameservers {
            Some(live) if !live.is_empty() => out.hold(live.iter().any(|one| is_address(one, server.value)), || {
                Difference::new(GROUP, "name servers", format!("{} is not asked", server.value))
                    .defined(server.value.to_string(), server.place)
                    .live(live.join(", "))
                    .why("names may not resolve, or be asked of a server that nobody chose")
                    .help("`resolvectl` on the machine; something else than the definition wrote resolv.conf")
            }),
            _ => out.unknown(GROUP, "name servers", "resolv.conf could not be read, or names none"),
        }
    }
}

fn is_address(text: &str, wanted: IpAddr) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| address == wanted)
}

/// Returns the card or link of an interface: by its hardware address or place, else by name.
fn found<'a>(name: &str, interface: &Interface, live: &'a [Live]) -> Option<&'a Live> {
    let by_name = || live.iter().find(|one| one.name == DeviceName::of(name, interface).as_str());
    match interface.matches().map(|matches| &matches.value) {
        Some(Match::Mac(mac)) => {
            let mac = mac.to_string();
            live.iter().find(|one| one.mac.as_ref().is_some_and(|own| own.replace('-', ":").eq_ignore_ascii_case(&mac)))
        }
        Some(Match::Path(path)) => live.iter().find(|one| one.path.as_deref() == Some(path.as_str())).or_else(by_name),
        Some(Match::Name(_)) | None => by_name(),
    }
}

fn interfaces(cx: &Cx<'_>, live: &[Live], out: &mut Comparison) {
    let all = cx.machine.live.as_ref().and_then(|live| live.addresses.as_ref());
    for (name, interface) in cx.host.interfaces() {
        let subject = format!("interface {name}");
        let there = found(name, interface, live);
        if let Some(matches) = interface.matches() {
            let wanted = match &matches.value {
                Match::Mac(mac) => format!("hardware address {mac}"),
                Match::Name(name) => format!("name {name}"),
                Match::Path(path) => format!("place {path}"),
            };
            let names = live.iter().map(|one| match &one.mac {
                Some(mac) => format!("{} ({mac})", one.name),
                None => one.name.clone(),
            });
            out.hold(there.is_some() || wanted.contains(['*', '?']), || {
                Difference::new(GROUP, subject.as_str(), "there is no such card")
                    .defined(wanted.as_str(), matches.place)
                    .live(names.collect::<Vec<_>>().join(", "))
                    .why("after the next boot nothing gives its address to a card: the machine stays without network")
                    .help("the address of the card that took its place, if it was changed")
            });
        }
        let device =
            there.map_or_else(|| DeviceName::of(name, interface).as_str().to_owned(), |live| live.name.clone());
        let of_device: Option<Vec<&str>> = match (all, there) {
            (Some(all), _) => Some(all.get(&device).into_iter().flatten().map(String::as_str).collect()),
            (None, Some(live)) => live.addresses.as_ref().map(|list| list.iter().map(String::as_str).collect()),
            (None, None) => None,
        };
        addresses(&subject, interface, of_device.as_deref(), there.and_then(|live| live.dhcp), out);
        routers(cx, &subject, &device, interface, there, out);
    }
}

fn addresses(subject: &str, interface: &Interface, live: Option<&[&str]>, dhcp: Option<bool>, out: &mut Comparison) {
    let defined = || interface.addresses.iter().filter(|address| !crate::units::is_link_local(address.address));
    let Some(live) = live else {
        if defined().next().is_some() {
            out.unknown(GROUP, format!("addresses of {subject}"), "the machine did not tell the addresses of it");
        }
        return;
    };
    let parsed: Vec<Cidr> = live.iter().filter_map(|text| text.parse().ok()).collect();
    for address in defined() {
        out.hold(parsed.contains(&address.value), || {
            Difference::new(GROUP, subject, format!("the address {} is not there", address.value))
                .defined(address.value.to_string(), address.place)
                .live(if live.is_empty() { "no address".to_owned() } else { live.join(", ") })
                .why("who looks for the machine there finds nobody")
                .help("`networkctl status` on the machine; an address that was taken away by hand comes back with the next boot")
        });
    }
    let automatic = interface.dhcp.value != Dhcp::Both(false) || interface.accepts_ra() || dhcp == Some(true);
    let strange: Vec<String> = parsed
        .iter()
        .filter(|live| !interface.addresses.iter().any(|address| address.value == **live))
        .map(ToString::to_string)
        .collect();
    if !strange.is_empty() && !automatic {
        out.note(
            Difference::new(GROUP, subject, "it has addresses that nothing defines")
                .live(strange.join(", "))
                .why("they are gone after the next boot"),
        );
    }
}

/// Returns the routers of an interface over one kind of IP. Facts that were written down do not tell none from not known.
fn routers_of<'a>(cx: &'a Cx<'_>, device: &str, ipv6: bool, there: Option<&'a Live>) -> Option<Vec<&'a str>> {
    if let Some(live) = &cx.machine.live {
        let all = if ipv6 { &live.routers6 } else { &live.routers };
        let pairs = all.as_ref()?.iter().filter_map(|line| line.split_once(' '));
        return Some(pairs.filter(|(_, interface)| *interface == device).map(|(via, _)| via).collect());
    }
    let routers: Vec<&str> = there?.gateways.iter().map(|gateway| gateway.via.as_str()).collect();
    let of_kind = routers.iter().any(|router| router.contains(':') == ipv6);
    of_kind.then_some(routers)
}

fn routers(
    cx: &Cx<'_>,
    subject: &str,
    device: &str,
    interface: &Interface,
    there: Option<&Live>,
    out: &mut Comparison,
) {
    for gateway in &interface.gateways {
        let Some(routers) = routers_of(cx, device, gateway.via.is_ipv6(), there) else {
            out.unknown(
                GROUP,
                format!("gateway {} of {subject}", gateway.via),
                "no `ip route` told the default routes",
            );
            continue;
        };
        out.hold(routers.iter().any(|router| is_address(router, gateway.via)), || {
            Difference::new(GROUP, subject, format!("no default route leads through {}", gateway.via))
                .defined(gateway.via.to_string(), gateway.place)
                .live(if routers.is_empty() { "no default route".to_owned() } else { routers.join(", ") })
                .why("the machine reaches nobody outside of its own networks that way, or reaches them through somebody else")
                .help("`ip route` and `ip -6 route` on the machine")
        });
    }
}
