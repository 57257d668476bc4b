//! monitoring.nix: figures of the machine, disks that test themselves, and who hears of it.

use std::net::IpAddr;

use super::HostCx;
use super::settings::Settings;
use crate::nix::Value;

/// Returns what monitoring.nix sets; empty where nothing is watched.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let Some(monitoring) = &cx.host.def.monitoring else { return out };
    let addresses = monitoring.addresses();
    for (name, port, place) in monitoring.exporters() {
        let mut set = |key: &str, value: Value, place| {
            out.set_below("services.prometheus.exporters", &[name, key], value, place);
        };
        set("enable", true.into(), place);
        set("port", i64::from(port).into(), place);
        let listen = monitoring.listen.first().map_or(place, |listen| listen.place);
        let Some((first, further)) = addresses.split_first() else { continue };
        set("listenAddress", bracketed(*first).into(), listen);
        // NixOS takes one address; the exporters take their flag as often as one likes.
        let flags: Vec<Value> = further
            .iter()
            .map(|address| format!("--web.listen-address={}:{port}", bracketed(*address)).into())
            .collect();
        if !flags.is_empty() {
            set("extraFlags", Value::List(flags), listen);
        }
    }
    if monitoring.smartd.value {
        out.set("services.smartd.enable", true, monitoring.smartd.place);
        if let Some(mail) = &monitoring.mail {
            out.set("services.smartd.notifications.mail.enable", true, mail.place);
            out.set("services.smartd.notifications.mail.recipient", mail.as_str(), mail.place);
        }
    }
    out
}

/// Returns an address as it stands before a port.
fn bracketed(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}
