//! What the hosts of a fleet have, as `migrate` asks it: ports, names and pools that are taken, room that is left, and how hosts reach
//! each other.

use std::collections::{BTreeMap, BTreeSet};

use super::moved;
use crate::check::{planned_bytes, promised_memory, usable_bytes};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::service_parts::Protocol;
use crate::kubernetes::draft;
use crate::kubernetes::placement::{Gift, Room};
use crate::kubernetes::spread::{Spot, Spread, Way};
use crate::resolve::{Resolved, ResolvedHost};
use crate::units::{is_internal, is_link_local};

/// Returns what a host has.
pub(super) fn spot(host: &ResolvedHost<'_>) -> Spot {
    let mut spot = Spot {
        release: Some(host.channel.channel.release.value),
        datasets: host.pools.first().map(|pool| format!("{}/safe", pool.name)),
        addresses: moved::addresses(host),
        ..Spot::default()
    };
    for service in &host.services {
        for port in &service.ports {
            let protocol = match port.protocol {
                Protocol::Tcp => draft::Protocol::Tcp,
                Protocol::Udp => draft::Protocol::Udp,
            };
            spot.ports.insert((port.port, protocol), service.name.to_owned());
        }
        if let Some(module) = &service.module {
            spot.natives.insert(module.name.to_owned(), service.name.to_owned());
        }
        for vhost in &service.def.vhost.0 {
            for name in vhost.names() {
                let route = (name.to_ascii_lowercase(), vhost.path.as_str().to_owned());
                spot.vhosts.insert(route, service.name.to_owned());
            }
        }
    }
    spot
}

/// Returns what several hosts have, and which workloads are in the definitions of any host.
pub(super) fn spread(resolved: &Resolved<'_>, wanted: &[&ResolvedHost<'_>]) -> Spread {
    let mut spread = Spread::default();
    for host in wanted {
        let mut own = spot(host);
        let others = wanted.iter().filter(|other| other.name != host.name);
        own.ways = others.filter_map(|from| Some((from.name.to_owned(), way(from, host)?))).collect();
        spread.spots.insert(host.name.to_owned(), own);
    }
    let wanted: BTreeSet<&str> = wanted.iter().map(|host| host.name).collect();
    // Where several hosts have a workload, those that are asked about count first.
    let (ours, others): (Vec<_>, Vec<_>) = resolved.hosts.iter().partition(|host| wanted.contains(host.name));
    for host in ours.into_iter().chain(others) {
        for from in host.def.services.iter().filter_map(|(_, service)| service.value.migrates_from.as_ref()) {
            spread.stands.entry(from.workload.value.to_string()).or_insert_with(|| host.name.to_owned());
        }
    }
    spread
}

/// Returns how a host reaches another one where nobody else listens: through a tunnel, else in a network of private addresses.
fn way(from: &ResolvedHost<'_>, to: &ResolvedHost<'_>) -> Option<Way> {
    let mut tunnels = to
        .tunnels
        .iter()
        .filter(|tunnel| tunnel.peers.iter().any(|peer| peer.fleet.is_some_and(|end| end.host == from.name)));
    let through = tunnels.find_map(|tunnel| {
        let address = tunnel.interface.addresses.first()?.value.address;
        Some(Way { address, interface: tunnel.name.to_owned() })
    });
    let plain = |host: &ResolvedHost<'_>| -> Vec<(String, crate::units::Cidr)> {
        let own = host.interfaces().filter(|(_, interface)| interface.wireguard().is_none());
        own.flat_map(|(name, interface)| interface.addresses.iter().map(|one| (name.to_owned(), one.value))).collect()
    };
    through.or_else(|| {
        let own = plain(from);
        let mut theirs: Vec<_> = plain(to).into_iter().filter(|(_, cidr)| is_internal(cidr.address)).collect();
        theirs.retain(|(_, cidr)| !is_link_local(cidr.address) && !cidr.address.is_loopback());
        theirs.sort_by_key(|(_, cidr)| cidr.address.is_ipv6());
        let shared = theirs.into_iter().find(|(_, cidr)| own.iter().any(|(_, own)| own.contains(cidr.address)));
        shared.map(|(interface, cidr)| Way { address: cidr.address, interface })
    })
}

/// Returns what a host of several has left. `answers` say which nodes it takes the place of.
pub(super) fn room(host: &ResolvedHost<'_>, among: &[&ResolvedHost<'_>], answers: &BTreeMap<String, String>) -> Room {
    let memory = host.def.machine.memory.as_ref().map(|memory| {
        let promised = promised_memory(host).iter().fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        memory.bytes().saturating_sub(promised)
    });
    let storage =
        host.pools.first().and_then(|pool| Some(usable_bytes(pool)?.saturating_sub(planned_bytes(host, pool))));
    let takes = |(id, answer): (&String, &String)| {
        let node = id.strip_prefix("default/Node/")?.strip_suffix("#host")?;
        (answer.trim() == host.name).then(|| node.to_owned())
    };
    let mut nodes: BTreeSet<String> = answers.iter().filter_map(takes).collect();
    nodes.insert(host.name.to_owned());
    let machine = match host.system().word() {
        word if word.starts_with("x86_64") => "amd64",
        _ => "arm64",
    };
    let others = among.iter().filter(|other| other.name != host.name);
    let name = |other: &&ResolvedHost<'_>| other.name.to_owned();
    Room {
        name: host.name.to_owned(),
        memory,
        storage,
        machine: Some(machine.to_owned()),
        nodes,
        needs: needs(host),
        reaches: others.filter(|other| way(host, other).is_some() && way(other, host).is_some()).map(name).collect(),
    }
}

/// Returns what a host waits for when it starts: an address where it has none of its own, and names where all its name servers are in the
/// network, or come with the address.
fn needs(host: &ResolvedHost<'_>) -> BTreeSet<Gift> {
    let plain = || host.interfaces().filter(|(_, interface)| interface.wireguard().is_none());
    let has_own = plain().any(|(_, interface)| !interface.addresses.is_empty());
    let asks = plain().any(|(_, interface)| interface.dhcp.ipv4() || interface.dhcp.ipv6());
    let mut servers = host.def.network.iter().flat_map(|network| &network.nameservers).peekable();
    let names = match servers.peek() {
        None => asks,
        Some(_) => servers.all(|server| is_internal(server.value) && !server.value.is_loopback()),
    };
    let dhcp = (asks && !has_own).then_some(Gift::Dhcp);
    dhcp.into_iter().chain(names.then_some(Gift::Dns)).collect()
}
