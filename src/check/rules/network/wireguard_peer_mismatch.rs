//! Two ends of a tunnel that do not fit each other.

use std::collections::BTreeMap;

use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::check::scope::Scope;
use crate::resolve::{FleetEnd, Resolved, ResolvedHost, Tunnel, TunnelPeer};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "wireguard-peer-mismatch",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the two ends of a tunnel do not fit each other",
    doc: include_str!("wireguard_peer_mismatch.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let known = Known::of(cx.fleet);
    for host in cx.subjects() {
        let cx = Cx { host, known: &known, scope: cx.scope };
        let mut of_host = Vec::new();
        for tunnel in &host.tunnels {
            among_peers(tunnel, &mut of_host);
            for peer in &tunnel.peers {
                match peer.fleet {
                    Some(end) => with_host(&cx, tunnel, peer, end, &mut of_host),
                    None => with_known_key(&cx, tunnel, peer, &mut of_host),
                }
            }
            same_key_elsewhere(&cx, tunnel, &mut of_host);
        }
        for finding in of_host {
            found.report(finding.of_host(host.name));
        }
    }
}

/// The ends of tunnels in a fleet: every host asks for those of its peers.
struct Known<'a> {
    hosts: BTreeMap<&'a str, &'a ResolvedHost<'a>>,
    /// By public key.
    ends: BTreeMap<&'a str, Vec<(&'a ResolvedHost<'a>, &'a Tunnel<'a>)>>,
}

impl<'a> Known<'a> {
    fn of(fleet: &'a Resolved<'a>) -> Self {
        let hosts = fleet.hosts.iter().map(|host| (host.name, host)).collect();
        let mut ends: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for host in &fleet.hosts {
            for tunnel in &host.tunnels {
                ends.entry(tunnel.wireguard.public_key.as_str()).or_default().push((host, tunnel));
            }
        }
        Self { hosts, ends }
    }

    /// Returns the ends that have a public key.
    fn with_key(&self, key: &str) -> impl Iterator<Item = (&'a ResolvedHost<'a>, &'a Tunnel<'a>)> {
        self.ends.get(key).into_iter().flatten().copied()
    }
}

/// A host among the others.
struct Cx<'a, 'k> {
    host: &'a ResolvedHost<'a>,
    known: &'k Known<'a>,
    scope: &'a Scope,
}

/// Of the peers of one interface: a key twice, or a network behind two of them.
fn among_peers(tunnel: &Tunnel<'_>, found: &mut Vec<Finding>) {
    for (at, peer) in tunnel.peers.iter().enumerate() {
        for earlier in tunnel.peers.iter().take(at) {
            if earlier.public_key == peer.public_key {
                found.push(
                    Finding::at(peer.def.place, format!("two peers of `{}` have the same public key", tunnel.name))
                        .label("a second time")
                        .related(earlier.def.place, "the same key")
                        .why("wireguard knows a peer by its key: of two with one key only the last is there")
                        .help("one peer with the networks of both"),
                );
                continue;
            }
            let shared = peer.allowed_ips.iter().find_map(|(network, place)| {
                let other = earlier.allowed_ips.iter().find(|(other, _)| other.network() == network.network())?;
                Some((network, *place, other.1))
            });
            if let Some((network, place, other)) = shared {
                found.push(
                    Finding::at(place, format!("{network} is behind two peers of `{}`", tunnel.name))
                        .label("behind this one")
                        .related(other, "and behind this one")
                        .why("a packet can go to one peer only: wireguard gives the network to the last, and the other end is never reached")
                        .help("a narrower network for one of them"),
                );
            }
        }
    }
}

/// A host of the fleet, by its name.
fn with_host(cx: &Cx<'_, '_>, tunnel: &Tunnel<'_>, peer: &TunnelPeer<'_>, end: FleetEnd<'_>, found: &mut Vec<Finding>) {
    let (this, other) = (cx.host.name, end.host);
    let there = cx.known.hosts.get(other).copied();
    let back = there.and_then(|host| host.tunnels.iter().find(|tunnel| tunnel.name == end.name));
    let Some(back) = back else { return };
    let own_key = tunnel.wireguard.public_key.as_str();
    let Some(mirror) = back.peers.iter().find(|mirror| mirror.public_key == own_key) else {
        found.push(
            Finding::at(
                peer.def.place,
                format!("`{end_name}` of `{other}` does not know `{}` of `{this}`", tunnel.name, end_name = end.name),
            )
            .label("no way back")
            .related(end.wireguard.public_key.place, format!("`{}` of `{other}`", end.name))
            .why("wireguard answers nobody whose key it does not have: no packet passes in either direction")
            .help(format!(
                "`peers = [{{ host = \"{this}\", interface = \"{}\" }}]` for `{}` of `{other}`",
                tunnel.name, end.name
            )),
        );
        return;
    };
    if peer.allowed_ips.is_empty() {
        found.push(
            Finding::at(peer.def.place, format!("nothing is behind `{}` of `{other}`: it has no address", end.name))
                .label("no network")
                .related(end.interface.place, "no `addresses` here")
                .why("wireguard sends to a peer, and takes from it, what its networks hold")
                .help(format!("`addresses = [\"…\"]` for `{}` of `{other}`", end.name)),
        );
    }
    if peer.endpoint.is_none() && mirror.endpoint.is_none() && cx.scope.speaks_for(this, other) {
        found.push(
            Finding::at(
                peer.def.place,
                format!("neither `{this}` nor `{other}` knows where the other end of `{}` is", tunnel.name),
            )
            .label("no endpoint")
            .related(mirror.def.place, "nor here")
            .why("one end must begin, and for that it must know an address and a port of the other")
            .help("`listen-port = 51820` for the end that has an address which the other reaches")
            .help("`endpoint = \"ADDRESS:PORT\"` for the peer, where the address does not follow from the definition"),
        );
    }
    let (own, others) = (peer.preshared_key.is_some(), mirror.preshared_key.is_some());
    if own && !others {
        found.push(
            Finding::at(peer.def.place, format!("`{this}` has a preshared key for `{other}`, which has none for it"))
                .label("a key more")
                .related(mirror.def.place, "no `preshared-key`")
                .why("the ends prove to each other that they have the same key, and one of them has none: no packet passes")
                .help(format!("`preshared-key` for the peer `{this}` on `{other}` as well")),
        );
    }
    let written = peer.def.endpoint.as_ref().zip(end.wireguard.listen_port.as_ref());
    if let Some((endpoint, port)) =
        written.filter(|(endpoint, port)| endpoint.port != port.value && is_own_address(there, &endpoint.host))
    {
        found.push(wrong_port(&endpoint.value.to_string(), other, port.value, endpoint.place, port.place));
    }
}

/// A peer by its key that is the key of a host of the fleet: what is written must be what that host is.
fn with_known_key(cx: &Cx<'_, '_>, tunnel: &Tunnel<'_>, peer: &TunnelPeer<'_>, found: &mut Vec<Finding>) {
    for (host, other) in cx.known.with_key(peer.public_key) {
        if host.name == cx.host.name {
            let same = other.name == tunnel.name;
            if same {
                found.push(
                    Finding::at(
                        peer.def.place,
                        format!("a peer of `{}` has the interface's own public key", tunnel.name),
                    )
                    .label("the key of this end")
                    .related(other.wireguard.public_key.place, "the same key")
                    .why("wireguard drops a peer that is itself")
                    .help("the public key of the other end"),
                );
            }
            continue;
        }
        let missing = other
            .interface
            .addresses
            .iter()
            .find(|address| !peer.allowed_ips.iter().any(|(network, _)| network.contains(address.address)));
        if let Some(address) = missing {
            found.push(
                Finding::at(
                    peer.def.place,
                    format!("the peer is `{}`, whose address {} is not behind it", host.name, address.address),
                )
                .label("not in `allowed-ips`")
                .related(address.place, "its address")
                .why("what comes from an address outside of a peer's networks is dropped")
                .help(format!(
                    "`{{ host = \"{}\", interface = \"{}\" }}`: key, endpoint and addresses then follow",
                    host.name, other.name
                )),
            );
        }
        let written = peer.def.endpoint.as_ref().zip(other.wireguard.listen_port.as_ref());
        if let Some((endpoint, port)) =
            written.filter(|(endpoint, port)| endpoint.port != port.value && is_own_address(Some(host), &endpoint.host))
        {
            found.push(wrong_port(&endpoint.value.to_string(), host.name, port.value, endpoint.place, port.place));
        }
    }
}

fn is_own_address(host: Option<&ResolvedHost<'_>>, text: &str) -> bool {
    host.is_some_and(|host| crate::check::addresses::of(host).any(|(_, address)| address.address.to_string() == text))
}

fn wrong_port(
    endpoint: &str,
    host: &str,
    port: u16,
    at: crate::source::Place,
    listen: crate::source::Place,
) -> Finding {
    Finding::at(at, format!("`{host}` does not listen on {endpoint}"))
        .label("another port")
        .related(listen, format!("it listens on {port}"))
        .why("the first packet goes to a port where nothing answers, so the tunnel never comes up")
        .help(format!("port {port} in the endpoint"))
}

/// One key on two hosts: whoever was heard last gets the packets.
fn same_key_elsewhere(cx: &Cx<'_, '_>, tunnel: &Tunnel<'_>, found: &mut Vec<Finding>) {
    let key = &tunnel.wireguard.public_key;
    let others = cx.known.with_key(key.as_str()).filter(|(host, _)| host.name != cx.host.name);
    for (host, other) in others.filter(|(host, _)| cx.scope.speaks_for(cx.host.name, host.name)) {
        found.push(
            Finding::at(key.place, format!("`{}` and `{}` have one key", cx.host.name, host.name))
                .label("the same public key")
                .related(other.wireguard.public_key.place, format!("and here, of `{}`", host.name))
                .why("wireguard knows a peer by its key alone: packets go to whichever of the two was heard last")
                .help("a key pair of its own for each host: `wg genkey`, `wg pubkey`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    const A: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    const B: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";

    fn host(number: u8, key: &str, peers: &str, more: &str) -> String {
        format!(
            "network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:0{number}' }}, addresses = ['192.0.2.{number}/24'], gateways = ['192.0.2.254'] }}\n\
             network.firewall = {{ tcp = [22], udp = [51820] }}\nsecrets.items = {{ k = {{}}, shared = {{}} }}\n\
             network.interfaces.wg0 = {{ kind = 'wireguard', addresses = ['10.0.0.{number}/24'], private-key = 'k', public-key = '{key}', {more} peers = [{peers}] }}\n"
        )
    }

    fn of(a: &str, b: &str) -> Vec<String> {
        said_of("wireguard-peer-mismatch", &[("hosts/a/host.toml", a), ("hosts/b/host.toml", b)])
    }

    #[test]
    fn two_ends_that_name_each_other_fit_and_every_other_pair_is_said() {
        let port = "listen-port = 51820,";
        let fits = host(2, B, "{ host = 'a' }", "");
        assert!(of(&host(1, A, "{ host = 'b' }", port), &fits).is_empty());
        assert_eq!(
            of(&host(1, A, "{ host = 'b' }", port), &host(2, B, "", "")),
            ["error: `wg0` of `b` does not know `wg0` of `a`"]
        );
        assert_eq!(
            of(&host(1, A, "{ host = 'b' }", ""), &fits),
            ["error: neither `a` nor `b` knows where the other end of `wg0` is"]
        );
        assert_eq!(
            of(&host(1, A, "{ host = 'b', preshared-key = 'shared' }", port), &fits),
            ["error: `a` has a preshared key for `b`, which has none for it"]
        );
        assert_eq!(of(&host(1, B, "", port), &host(2, B, "", "")), ["error: `a` and `b` have one key"]);
        let twice = format!("{{ host = 'b' }}, {{ public-key = '{B}', allowed-ips = ['10.9.0.0/24', '10.0.0.2/32'] }}");
        assert_eq!(of(&host(1, A, &twice, port), &fits), ["error: two peers of `wg0` have the same public key"]);
        let explicit = |more: &str| host(1, A, &format!("{{ public-key = '{B}', {more} }}"), port);
        assert_eq!(
            of(&explicit("allowed-ips = ['10.0.9.0/24']"), &fits),
            ["error: the peer is `b`, whose address 10.0.0.2 is not behind it"]
        );
        assert_eq!(
            of(
                &explicit("allowed-ips = ['10.0.0.2/32'], endpoint = '192.0.2.2:1'"),
                &host(2, B, "{ host = 'a' }", port)
            ),
            ["error: `b` does not listen on 192.0.2.2:1"]
        );
    }
}
