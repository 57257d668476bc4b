//! The installer's image: `out/hosts/HOST/install/installer.nix`, from the installer's own channel.
//!
//! Images that are downloaded carry whichever ZFS their makers like; a pool that it makes may be closed to the system
//! that is installed. This one has the channel's.

use super::PlanError;
use super::scripts::{Script, templates};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::machine::{Console, Method};
use crate::fleet::schema::network::Match;
use crate::resolve::ResolvedHost;

/// What the image is made from.
#[derive(serde::Serialize)]
struct Values<'a> {
    url: String,
    hash: &'a str,
    host: &'a str,
    host_id: &'a str,
    system: &'static str,
    nameservers: Vec<String>,
    interfaces: Vec<InterfaceValues>,
    keys: Vec<&'a str>,
    kernel_params: Vec<String>,
    ports: Vec<u16>,
}

#[derive(serde::Serialize)]
struct InterfaceValues {
    name: String,
    matches: serde_json::Value,
    addresses: Vec<String>,
    routes: serde_json::Value,
    dhcp: &'static str,
}

/// Tells whether the host's installer is an image that is built from its channel: kexec or ISO, and the channel pinned.
pub(super) fn is_built(host: &ResolvedHost<'_>) -> bool {
    let method = host.def.installer.as_ref().map(|installer| installer.method.value);
    matches!(method, Some(Method::Kexec | Method::Iso)) && pin(host).is_some()
}

/// Tells whether an image can be built for a host: the channel of its installer is pinned.
pub fn has_pinned_installer(host: &ResolvedHost<'_>) -> bool {
    pin(host).is_some()
}

/// Returns commit and hash of the installer's channel; the host's own where none is named.
fn pin<'a>(host: &'a ResolvedHost<'_>) -> Option<(&'a str, &'a str)> {
    let channel = host.installer.unwrap_or(host.channel).channel;
    Some((channel.rev.as_ref()?.value.as_str(), channel.hash.as_ref()?.value.as_str()))
}

/// Returns the file that the image is built from; none where the installer is no image of ours.
pub(super) fn file(host: &ResolvedHost<'_>) -> Result<Option<Script>, PlanError> {
    let Some((rev, hash)) = pin(host).filter(|_| is_built(host)) else { return Ok(None) };
    let network = host.def.network.as_ref();
    let serial = host.def.machine.console.value == Console::Serial;
    let console = host.def.machine.serial.as_ref().map_or("ttyS0,115200n8", |serial| serial.as_str());
    let values = Values {
        url: format!("https://github.com/NixOS/nixpkgs/archive/{rev}.tar.gz"),
        hash,
        host: host.name,
        host_id: &host.host_id.id,
        system: host.system().word(),
        nameservers: network.iter().flat_map(|net| net.nameservers.iter().map(|ip| ip.to_string())).collect(),
        interfaces: interfaces(host),
        keys: host.def.access.iter().flat_map(|access| access.root_keys.iter().map(|key| key.value.as_str())).collect(),
        ports: host.def.installer.iter().map(|installer| installer.port.value).collect(),
        kernel_params: if serial { vec!["console=tty0".to_owned(), format!("console={console}")] } else { Vec::new() },
    };
    let text = templates()?.render("installer.nix.tera", &values)?;
    Ok(Some(Script { path: "install/installer.nix".to_owned(), text }))
}

fn interfaces(host: &ResolvedHost<'_>) -> Vec<InterfaceValues> {
    host.interfaces()
        .filter_map(|(name, interface)| {
            let matches = match &interface.matches()?.value {
                Match::Mac(mac) => serde_json::json!({ "PermanentMACAddress": mac.to_string() }),
                Match::Name(name) => serde_json::json!({ "Name": name }),
                Match::Path(path) => serde_json::json!({ "Path": path }),
            };
            let routes = interface.gateways.iter().map(
                |gateway| serde_json::json!({ "Gateway": gateway.via.to_string(), "GatewayOnLink": gateway.on_link }),
            );
            Some(InterfaceValues {
                name: format!("10-{name}"),
                matches,
                addresses: interface.addresses.iter().map(|address| address.value.to_string()).collect(),
                routes: routes.collect(),
                dhcp: match (interface.dhcp.value.ipv4(), interface.dhcp.value.ipv6()) {
                    (true, true) => "yes",
                    (true, false) => "ipv4",
                    (false, true) => "ipv6",
                    (false, false) => "no",
                },
            })
        })
        .collect()
}
