//! Wireguard's part of a netdev, and how its keys reach systemd-networkd.
//!
//! The keys are credentials of systemd-networkd.service. A key that is not there must cost its tunnel alone and never the
//! network of the host: systemd looks for a credential by its name in /etc/credstore and goes on without it, while an absolute
//! path that leads nowhere keeps the service from starting. So a key elsewhere gets a link in the store.

use super::super::HostCx;
use super::super::settings::Settings;
use crate::fleet::schema::network::Network;
use crate::nix::{Attrs, Value};
use crate::resolve::Tunnel;
use crate::source::Place;
use crate::units::Cidr;

/// Where the credentials of systemd-networkd are while it runs (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "/run/credentials/systemd-networkd.service";

/// Returns where systemd-networkd reads a secret from.
fn key_file(cx: &HostCx<'_>, name: &str) -> String {
    if cx.spelling.credentials() {
        return format!("{CREDENTIALS}/{name}");
    }
    cx.host.secret(name).map(|secret| secret.path.clone()).unwrap_or_default()
}

/// Returns the sections of a tunnel's netdev with their options.
pub(super) fn sections(cx: &HostCx<'_>, tunnel: &Tunnel<'_>) -> Vec<(&'static str, Value)> {
    let mut own = Attrs::from_iter([("PrivateKeyFile", key_file(cx, tunnel.wireguard.private_key.as_str()))]);
    if let Some(port) = &tunnel.wireguard.listen_port {
        own.set(&["ListenPort"], port.value);
    }
    let mut peers = Vec::new();
    for peer in &tunnel.peers {
        let mut attrs = Attrs::from_iter([("PublicKey", peer.public_key)]);
        let networks: Vec<String> = peer.allowed_ips.iter().map(|(network, _)| network.to_string()).collect();
        attrs.set(&["AllowedIPs"], networks);
        if let Some(endpoint) = &peer.endpoint {
            attrs.set(&["Endpoint"], endpoint.to_string());
        }
        if let Some(key) = peer.preshared_key {
            attrs.set(&["PresharedKeyFile"], key_file(cx, key.as_str()));
        }
        if let Some(seconds) = &peer.def.keepalive {
            attrs.set(&["PersistentKeepalive"], seconds.value);
        }
        peers.push(if cx.spelling.flat_peers() {
            Value::from(attrs)
        } else {
            Attrs::from_iter([("wireguardPeerConfig", attrs)]).into()
        });
    }
    vec![("wireguardConfig", own.into()), ("wireguardPeers", Value::List(peers))]
}

/// Returns the routes into a tunnel: to what its peers may send from and neither the interface's own networks nor the
/// written routes hold. A network of all addresses is not among them: the way to the peer itself would lead into the tunnel.
pub(super) fn routes(tunnel: &Tunnel<'_>) -> Vec<(Cidr, Place)> {
    let interface = tunnel.interface;
    let mut routes: Vec<(Cidr, Place)> = Vec::new();
    for (network, place) in tunnel.peers.iter().flat_map(|peer| &peer.allowed_ips) {
        let own = interface.addresses.iter().any(|address| address.covers(network));
        let written = interface.routes.iter().any(|route| route.to.covers(network));
        let known = routes.iter().any(|(route, _)| route == network);
        if !own && !written && !known && network.prefix > 0 {
            routes.push((*network, *place));
        }
    }
    routes
}

/// Hands the keys of all tunnels to systemd-networkd.
pub(super) fn keys(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    if !cx.spelling.credentials() {
        return;
    }
    let mut known: Vec<&str> = Vec::new();
    let tunnels = network.interfaces.iter().filter_map(|(_, interface)| interface.value.wireguard());
    let names = tunnels.flat_map(|wireguard| {
        let shared = wireguard.peers.iter().filter_map(|peer| peer.preshared_key.as_ref());
        std::iter::once(&wireguard.private_key).chain(shared)
    });
    for name in names {
        let Some(secret) = cx.host.secret(name.as_str()) else { continue };
        if known.contains(&secret.name) {
            continue;
        }
        known.push(secret.name);
        let option = "systemd.services.systemd-networkd.serviceConfig.LoadCredential";
        if !cx.spelling.credential_store() {
            out.list(option, [format!("{}:{}", secret.name, secret.path)], name.place);
            continue;
        }
        out.list(option, [secret.name], name.place);
        if !secret.is_in_credential_store() {
            let link = format!("credstore/{}", secret.name);
            out.set_below("environment.etc", &[&link, "source"], secret.path.as_str(), secret.place);
        }
    }
}
