//! Two ends of a tunnel that do not fit each other.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{FleetEnd, Tunnel, TunnelPeer};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "wireguard-peer-mismatch",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the two ends of a tunnel do not fit each other",
    doc: include_str!("wireguard_peer_mismatch.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for tunnel in &cx.host.tunnels {
        among_peers(tunnel, found);
        for peer in &tunnel.peers {
            match peer.fleet {
                Some(end) => with_host(cx, tunnel, peer, end, found),
                None => with_known_key(cx, tunnel, peer, found),
            }
        }
        same_key_elsewhere(cx, tunnel, found);
    }
}

/// Of the peers of one interface: a key twice, or a network behind two of them.
fn among_peers(tunnel: &Tunnel<'_>, found: &mut Findings) {
    for (at, peer) in tunnel.peers.iter().enumerate() {
        for earlier in tunnel.peers.iter().take(at) {
            if earlier.public_key == peer.public_key {
                found.report(
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
                found.report(
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
fn with_host(cx: &HostCx<'_>, tunnel: &Tunnel<'_>, peer: &TunnelPeer<'_>, end: FleetEnd<'_>, found: &mut Findings) {
    let (this, other) = (cx.host.name, end.host);
    let there = cx.fleet.hosts.iter().find(|host| host.name == other);
    let back = there.and_then(|host| host.tunnels.iter().find(|tunnel| tunnel.name == end.name));
    let Some(back) = back else { return };
    let own_key = tunnel.wireguard.public_key.as_str();
    let Some(mirror) = back.peers.iter().find(|mirror| mirror.public_key == own_key) else {
        found.report(
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
        found.report(
            Finding::at(peer.def.place, format!("nothing is behind `{}` of `{other}`: it has no address", end.name))
                .label("no network")
                .related(end.interface.place, "no `addresses` here")
                .why("wireguard sends to a peer, and takes from it, what its networks hold")
                .help(format!("`addresses = [\"…\"]` for `{}` of `{other}`", end.name)),
        );
    }
    if peer.endpoint.is_none() && mirror.endpoint.is_none() && cx.scope.speaks_for(this, other) {
        found.report(
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
        found.report(
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
        found.report(wrong_port(&endpoint.value.to_string(), other, port.value, endpoint.place, port.place));
    }
}

/// A peer by its key that is the key of a host of the fleet: what is written must be what that host is.
fn with_known_key(cx: &HostCx<'_>, tunnel: &Tunnel<'_>, peer: &TunnelPeer<'_>, found: &mut Findings) {
    for host in &cx.fleet.hosts {
        for other in host.tunnels.iter().filter(|other| other.wireguard.public_key.as_str() == peer.public_key) {
            if host.name == cx.host.name {
                let same = other.name == tunnel.name;
                if same {
                    found.report(
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
                found.report(
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
            if let Some((endpoint, port)) = written
                .filter(|(endpoint, port)| endpoint.port != port.value && is_own_address(Some(host), &endpoint.host))
            {
                found.report(wrong_port(
                    &endpoint.value.to_string(),
                    host.name,
                    port.value,
                    endpoint.place,
                    port.place,
                ));
            }
        }
    }
}

fn is_own_address(host: Option<&crate::resolve::ResolvedHost<'_>>, text: &str) -> bool {
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
fn same_key_elsewhere(cx: &HostCx<'_>, tunnel: &Tunnel<'_>, found: &mut Findings) {
    let key = &tunnel.wireguard.public_key;
    let others = cx.fleet.hosts.iter().filter(|host| host.name != cx.host.name);
    for host in others.filter(|host| cx.scope.speaks_for(cx.host.name, host.name)) {
        for other in host.tunnels.iter().filter(|other| other.wireguard.public_key.value == key.value) {
            found.report(
                Finding::at(key.place, format!("`{}` and `{}` have one key", cx.host.name, host.name))
                    .label("the same public key")
                    .related(other.wireguard.public_key.place, format!("and here, of `{}`", host.name))
                    .why("wireguard knows a peer by its key alone: packets go to whichever of the two was heard last")
                    .help("a key pair of its own for each host: `wg genkey`, `wg pubkey`"),
            );
        }
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
