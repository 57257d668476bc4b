//! The network of the throw-away machine: QEMU's own in user space, with the addresses of the host, closed but for the repositories.

use std::net::{IpAddr, Ipv4Addr};

use super::Refused;
use super::repository::{Place, place};
use crate::fleet::schema::network::{Interface, Link};
use crate::resolve::ResolvedHost;
use crate::source::quoted;
use crate::units::Cidr;

/// A network of IPv4 that the machine's first card is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// The network.
    pub network: Cidr,
    /// The machine's address; none where DHCP gives it one.
    pub own: Option<Ipv4Addr>,
    /// The gateway's.
    pub gateway: Ipv4Addr,
    /// That of a name server, which answers nothing.
    pub names: Ipv4Addr,
    /// The first that DHCP gives.
    pub dhcp: Ipv4Addr,
}

/// A port of the network behind which one of another machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The address in the machine's network.
    pub address: Ipv4Addr,
    /// The port there.
    pub port: u16,
    /// The machine it leads to, as the deployer knows it.
    pub host: String,
    /// Whether the machine is to know it by that name.
    pub by_name: bool,
}

/// QEMU's own network (qemu(1), `-netdev user`): where a host gets its address by DHCP, it has this one.
const USUAL: Net = Net {
    network: Cidr { address: IpAddr::V4(Ipv4Addr::new(10, 0, 2, 0)), prefix: 24 },
    own: None,
    gateway: Ipv4Addr::new(10, 0, 2, 2),
    names: Ipv4Addr::new(10, 0, 2, 3),
    dhcp: Ipv4Addr::new(10, 0, 2, 15),
};

/// Returns the interface by which the host is reached: that with a default gateway, else the first with an address. The interfaces that it
/// stands on follow.
pub(super) fn main_interface<'f>(host: &ResolvedHost<'f>) -> Option<(&'f str, &'f Interface)> {
    let real = || host.interfaces().filter(|(_, interface)| interface.wireguard().is_none());
    let has_v4 = |interface: &Interface| {
        interface.addresses.iter().any(|address| address.address.is_ipv4()) || interface.dhcp.value.ipv4()
    };
    real()
        .find(|(_, interface)| {
            has_v4(interface)
                && (interface.dhcp.value.ipv4() || interface.gateways.iter().any(|gateway| gateway.via.is_ipv4()))
        })
        .or_else(|| real().find(|(_, interface)| has_v4(interface)))
}

/// Returns the cards below an interface, or what they cannot carry here.
pub(super) fn cards_below<'f>(host: &ResolvedHost<'f>, name: &'f str) -> Result<Vec<&'f str>, Refused> {
    let mut cards = Vec::new();
    let mut open = vec![name];
    let mut seen = Vec::new();
    while let Some(name) = open.pop() {
        let Some((name, interface)) = host.interfaces().find(|(known, _)| *known == name) else { continue };
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        match &interface.link {
            Link::Ethernet(_) => cards.push(name),
            Link::Bond(bond) => open.extend(bond.members.iter().rev().map(|member| member.value.as_str())),
            Link::Bridge { members, .. } => open.extend(members.iter().rev().map(|member| member.value.as_str())),
            Link::Vlan { .. } => {
                return Err(Refused::new(
                    format!(
                        "the host is reached by {}, a tagged network, which QEMU's own network does not carry",
                        quoted(name)
                    ),
                    "rehearse it in a virtual machine of a hypervisor that does: docs/recover.md says how",
                ));
            }
            Link::Wireguard(_) => {}
        }
    }
    Ok(cards)
}

/// Returns the places of the repositories that the host restores from, each with the name of its backup.
fn places<'f>(host: &ResolvedHost<'f>) -> impl Iterator<Item = (&'f str, Option<Place>)> {
    let files = host.def.backup.iter().filter(|(_, backup)| backup.value.kind.value.copies_files());
    files.map(|(name, backup)| (name.as_str(), place(backup.value.kind.value, backup.value.repository.as_str())))
}

/// Returns the network of the interface by which a host is reached.
pub(super) fn net(host: &ResolvedHost<'_>, interface: &Interface, name: &str) -> Result<Net, Refused> {
    let own = interface.addresses.iter().find_map(|address| match address.address {
        IpAddr::V4(own) => Some((address.value, own)),
        IpAddr::V6(_) => None,
    });
    let Some((cidr, own)) = own else { return Ok(USUAL) };
    let network = cidr.network();
    if network.prefix > 27 {
        return Err(Refused::new(
            format!(
                "the network of {} has no room for a gateway and the repositories beside the host: /{}",
                quoted(name),
                network.prefix
            ),
            "rehearse it in a virtual machine of a hypervisor: docs/recover.md says how",
        ));
    }
    let gateway = interface.gateways.iter().find_map(|gateway| match gateway.via {
        IpAddr::V4(via) if network.contains(IpAddr::V4(via)) => Some(via),
        _ => None,
    });
    // A repository of the same network stays where it is.
    let repositories = places(host).filter_map(|(_, place)| match place? {
        Place::Port { host, .. } => host.parse().ok(),
        Place::Folder | Place::Many => None,
    });
    let mut free = Free { network, taken: repositories.chain([own]).chain(gateway).collect() };
    let mut next = || free.next().ok_or_else(|| Refused::new("the network is full", "give it a wider prefix"));
    let gateway = match gateway {
        Some(gateway) => gateway,
        None => next()?,
    };
    Ok(Net { network, own: Some(own), gateway, names: next()?, dhcp: next()? })
}

/// Addresses of a network that nobody has.
struct Free {
    network: Cidr,
    taken: Vec<Ipv4Addr>,
}

impl Iterator for Free {
    type Item = Ipv4Addr;

    fn next(&mut self) -> Option<Ipv4Addr> {
        let IpAddr::V4(first) = self.network.network().address else { return None };
        let hosts = 1_u32.checked_shl(32 - u32::from(self.network.prefix)).unwrap_or(u32::MAX);
        let fits = |number: &u32| {
            let address = Ipv4Addr::from_bits(first.to_bits().wrapping_add(*number));
            !self.taken.contains(&address)
        };
        let number = (1..hosts.saturating_sub(1)).find(fits)?;
        let address = Ipv4Addr::from_bits(first.to_bits().wrapping_add(number));
        self.taken.push(address);
        Some(address)
    }
}

/// Returns the ways to the repositories that the host restores from.
pub(super) fn ways(host: &ResolvedHost<'_>, net: &Net) -> Result<Vec<Way>, Vec<Refused>> {
    let mut ways: Vec<Way> = Vec::new();
    let mut refused = Vec::new();
    let taken = net.own.into_iter().chain([net.gateway, net.names, net.dhcp]);
    // What DHCP may give is not given twice.
    let leases = (0..16).map(|number| Ipv4Addr::from_bits(net.dhcp.to_bits().wrapping_add(number)));
    let mut free = Free { network: net.network, taken: taken.chain(leases).collect() };
    for (name, place) in places(host) {
        let (to, port) = match place {
            Some(Place::Folder) => continue,
            Some(Place::Port { host, port }) => (host, port),
            Some(Place::Many) => {
                refused.push(Refused::new(
                    format!("the repository of {} is a service of many machines, and the rehearsal's machine reaches only what is named", quoted(name)),
                    "rehearse from a copy of the repository that one machine has: change `repository` in a copy of the fleet",
                ));
                continue;
            }
            None => {
                refused.push(Refused::new(
                    format!("where the repository of {} is cannot be told", quoted(name)),
                    "write it as borg or restic do: `ssh://user@host/path`, `rest:https://host:port/name`, `sftp:user@host:path`",
                ));
                continue;
            }
        };
        if ways.iter().any(|way| way.host == to && way.port == port) {
            continue;
        }
        let known = ways.iter().find(|way| way.host == to).map(|way| way.address);
        let (address, by_name) = match (known, to.parse::<IpAddr>()) {
            (Some(address), parsed) => (Some(address), parsed.is_err()),
            (None, Ok(IpAddr::V4(address))) if net.network.contains(IpAddr::V4(address)) => (Some(address), false),
            (None, Ok(_)) => {
                refused.push(Refused::new(
                    format!(
                        "the repository of {} is at the address {}, outside of the host's own network",
                        quoted(name),
                        to
                    ),
                    "give it a name: the rehearsal's machine knows a name by an address of its own network",
                ));
                continue;
            }
            (None, Err(_)) => (free.next(), true),
        };
        match address {
            Some(address) => ways.push(Way { address, port, host: to, by_name }),
            None => refused.push(Refused::new("the network of the host is full", "give it a wider prefix")),
        }
    }
    if refused.is_empty() { Ok(ways) } else { Err(refused) }
}
