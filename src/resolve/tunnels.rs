//! Wireguard with its other ends: of a host of the fleet, key, endpoint and addresses are read from its definition.

use std::net::IpAddr;

use super::reference;
use crate::fleet::scalar::Target;
use crate::fleet::schema::host::HostFile;
use crate::fleet::schema::network::{Interface, Peer, PeerEnd, Wireguard};
use crate::fleet::words::SecretName;
use crate::fleet::{Fleet, Host};
use crate::source::{Diagnostic, Diagnostics, Place, Spanned, quoted};
use crate::units::{Cidr, SocketAddress};

/// A wireguard interface with its other ends.
#[derive(Debug)]
pub struct Tunnel<'f> {
    /// The interface's name.
    pub name: &'f str,
    /// The interface.
    pub interface: &'f Interface,
    /// What is particular to wireguard.
    pub wireguard: &'f Wireguard,
    /// The other ends, in the order of the file.
    pub peers: Vec<TunnelPeer<'f>>,
}

/// The other end of a wireguard interface.
#[derive(Debug)]
pub struct TunnelPeer<'f> {
    /// Its definition.
    pub def: &'f Peer,
    /// The host of the fleet that it is.
    pub fleet: Option<FleetEnd<'f>>,
    /// Its public key.
    pub public_key: &'f str,
    /// Where it is reached; none where it must begin.
    pub endpoint: Option<SocketAddress>,
    /// The networks behind it, with the place that each follows from.
    pub allowed_ips: Vec<(Cidr, Place)>,
    /// A further key that both ends share.
    pub preshared_key: Option<&'f Spanned<SecretName>>,
}

/// The end of a tunnel on a host of the fleet.
#[derive(Debug, Clone, Copy)]
pub struct FleetEnd<'f> {
    /// The host.
    pub host: &'f str,
    /// The interface there.
    pub name: &'f str,
    /// The interface.
    pub interface: &'f Interface,
    /// What is particular to wireguard.
    pub wireguard: &'f Wireguard,
}

/// Returns the wireguard interfaces of a host; an end that nothing defines is reported.
pub(super) fn tunnels<'f>(fleet: &'f Fleet, host: &'f Host, found: &mut Diagnostics) -> Vec<Tunnel<'f>> {
    let interfaces = host.def.network.iter().flat_map(|network| network.interfaces.iter());
    let mut tunnels = Vec::new();
    for (name, interface) in interfaces {
        let interface = &interface.value;
        let Some(wireguard) = interface.wireguard() else { continue };
        let peers = wireguard.peers.iter().filter_map(|peer| resolve_peer(fleet, host, name, peer, found)).collect();
        tunnels.push(Tunnel { name, interface, wireguard, peers });
    }
    tunnels
}

fn resolve_peer<'f>(
    fleet: &'f Fleet,
    host: &'f Host,
    own: &'f str,
    peer: &'f Peer,
    found: &mut Diagnostics,
) -> Option<TunnelPeer<'f>> {
    let written = peer.allowed_ips.iter().map(|cidr| (cidr.value.network(), cidr.place));
    let endpoint = peer.endpoint.as_ref().map(|endpoint| endpoint.value.clone());
    let preshared_key = peer.preshared_key.as_ref();
    let (other, named) = match &peer.end {
        PeerEnd::Key(key) => {
            let (public_key, allowed_ips) = (key.as_str(), written.collect());
            return Some(TunnelPeer { def: peer, fleet: None, public_key, endpoint, allowed_ips, preshared_key });
        }
        PeerEnd::Host { host, interface } => (host, interface.as_ref()),
    };
    // Why a host cannot be read is told there.
    if fleet.unread.contains(other.as_str()) {
        return None;
    }
    reference("host", other.as_str(), other.place, fleet.hosts.keys().map(String::as_str), found);
    let there = fleet.hosts.get(other.as_str())?;
    if there.name == host.name {
        let message = format!("the other end of `{own}` is {} itself", quoted(&host.name));
        found.push(
            Diagnostic::error("reference-unknown", other.place, message).help("the name of the host at the other end"),
        );
        return None;
    }
    let (name, place) = named.map_or((own, other.place), |name| (name.as_str(), name.place));
    let tunnels = || {
        let interfaces = there.def.network.iter().flat_map(|network| network.interfaces.iter());
        interfaces.filter_map(|(name, interface)| Some((name.as_str(), &interface.value, interface.value.wireguard()?)))
    };
    let Some((name, interface, wireguard)) = tunnels().find(|(known, ..)| *known == name) else {
        let message = format!("{} has no wireguard interface {}", quoted(&there.name), quoted(name));
        let known = tunnels().map(|(name, ..)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let finding = Diagnostic::error("reference-unknown", place, message);
        found.push(if known.is_empty() {
            finding.help(format!("define one in hosts/{}/host.toml, with `kind = \"wireguard\"`", there.name))
        } else {
            finding.help(format!("`interface = \"…\"` with one of those that are there: {known}"))
        });
        return None;
    };
    let addresses = interface.addresses.iter().map(|address| (Cidr::host(address.address), address.place));
    let endpoint = endpoint.or_else(|| {
        let port = wireguard.listen_port.as_ref()?.value;
        Some(SocketAddress { host: reached_at(&host.def, &there.def)?, port })
    });
    let fleet = Some(FleetEnd { host: &there.name, name, interface, wireguard });
    let allowed_ips = addresses.chain(written).collect();
    Some(TunnelPeer {
        def: peer,
        fleet,
        public_key: wireguard.public_key.as_str(),
        endpoint,
        allowed_ips,
        preshared_key,
    })
}

/// Returns the address or name at which one host reaches another outside of tunnels: an address in a network that they
/// share, else a public one of a family that the first has, IPv4 first, else the target of the deployment by its DNS name.
pub fn reached_at(from: &HostFile, to: &HostFile) -> Option<String> {
    let outside = |def: &'_ HostFile| -> Vec<Cidr> {
        let interfaces = def.network.iter().flat_map(|network| network.interfaces.values());
        let plain = interfaces.filter(|interface| interface.wireguard().is_none());
        let mut all: Vec<Cidr> =
            plain.flat_map(|interface| interface.addresses.iter().map(|address| address.value)).collect();
        all.sort_by_key(|cidr| cidr.address.is_ipv6());
        all
    };
    let own = outside(from);
    let theirs: Vec<Cidr> = outside(to).into_iter().filter(|cidr| !crate::units::is_link_local(cidr.address)).collect();
    let shared = theirs.iter().find(|cidr| own.iter().any(|own| own.prefix > 0 && own.contains(cidr.address)));
    let has = |ipv6: bool| {
        let mut interfaces = from.network.iter().flat_map(|network| network.interfaces.values());
        interfaces.any(|interface| interface.wireguard().is_none() && interface.may_have(ipv6))
    };
    let (v4, v6) = (has(false), has(true));
    // What is not known to have any family may have both.
    let usable = |address: IpAddr| (!v4 && !v6) || if address.is_ipv6() { v6 } else { v4 };
    let public = || theirs.iter().find(|cidr| !crate::units::is_internal(cidr.address) && usable(cidr.address));
    if let Some(cidr) = shared.or_else(public) {
        return Some(cidr.address.to_string());
    }
    match to.deploy.as_ref()?.target.as_ref().map(|target| &target.value)? {
        Target::Ssh { host, .. } => match host.parse::<IpAddr>() {
            // A private address that they do not share leads nowhere, or to somebody else.
            Ok(address) if crate::units::is_internal(address) || !usable(address) => None,
            _ => Some(host.clone()),
        },
        Target::Local => None,
    }
}
