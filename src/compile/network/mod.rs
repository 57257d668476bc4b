//! network.nix: systemd-networkd's units, names, time, the firewall, and the network of the initrd.
//!
//! A card that is recognised by its address keeps the name that the kernel and udev give it, unless the firewall speaks of
//! it by name: then it is renamed, and only those rules depend on the renaming.

mod firewall;
mod initrd;
mod units;
mod wireguard;

use super::HostCx;
use super::settings::Settings;
use crate::fleet::schema::network::Network;

/// Seconds that the boot waits for the network, at most.
const WAIT_SECONDS: i64 = 60;

/// Returns what network.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let domain = &cx.fleet.fleet.file.fleet.domain;
    if let Some(domain) = domain {
        out.set("networking.domain", domain.as_str(), domain.place);
    }
    let Some(network) = &cx.host.def.network else { return out };
    out.set("networking.useNetworkd", true, network.place);
    out.set("networking.useDHCP", false, network.place);
    out.set("systemd.network.enable", true, network.place);
    units::interfaces(cx, network, &mut out);
    wireguard::keys(cx, network, &mut out);
    waiting(cx, network, &mut out);
    for server in &network.nameservers {
        out.list("networking.nameservers", [server.value.to_string()], server.place);
    }
    for domain in &network.search {
        out.list("networking.search", [domain.as_str()], domain.place);
    }
    // systemd-timesyncd, chrony and ntpd all take them from there.
    for server in &network.ntp {
        out.list("networking.timeServers", [server.value.to_string()], server.place);
    }
    for (address, names) in network.hosts.iter() {
        let value: Vec<&str> = names.value.iter().map(|name| name.as_str()).collect();
        out.set_below("networking.hosts", &[address], value, names.key);
    }
    firewall::settings(cx, network, &mut out);
    initrd::settings(cx, &mut out);
    out
}

/// Returns the interfaces that the boot waits for: as written, else those with a default route. A tunnel is up only after
/// the network is, and is not waited for unless it is named.
fn waits_for(network: &Network) -> Vec<&str> {
    if !network.wait_online.is_empty() {
        return network.wait_online.iter().map(|name| name.as_str()).collect();
    }
    let waited =
        network.interfaces.iter().filter(|(_, interface)| interface.wireguard().is_none() && interface.leads_out());
    waited.map(|(name, _)| name.as_str()).collect()
}

fn waiting(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    if !cx.spelling.wait_online() {
        return;
    }
    let place = network.wait_online.first().map_or(network.place, |name| name.place);
    let waited = waits_for(network);
    if waited.is_empty() {
        out.derive("systemd.network.wait-online.enable", false, place);
        return;
    }
    out.derive("systemd.network.wait-online.timeout", WAIT_SECONDS, place);
    // Of several ways out that nobody chose among, one is enough.
    if network.wait_online.is_empty() && waited.len() > 1 {
        out.derive("systemd.network.wait-online.anyInterface", true, place);
    }
}
