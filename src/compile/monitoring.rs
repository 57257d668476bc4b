//! monitoring.nix: figures of the machine, disks that test themselves, and who hears of it.

use super::HostCx;
use super::settings::Settings;
use crate::nix::Value;

/// The usual ports of the exporters.
const NODE: u16 = 9100;
const ZFS: u16 = 9134;

/// Returns what monitoring.nix sets; empty where nothing is watched.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let Some(monitoring) = &cx.host.def.monitoring else { return out };
    let exporters = [("node", &monitoring.node_exporter, NODE), ("zfs", &monitoring.zfs_exporter, ZFS)];
    for (name, exporter, usual) in exporters {
        let Some(port) = exporter.value.port(usual) else { continue };
        let mut set = |key: &str, value: Value, place| {
            out.set_below("services.prometheus.exporters", &[name, key], value, place);
        };
        set("enable", true.into(), exporter.place);
        if port != usual {
            set("port", i64::from(port).into(), exporter.place);
        }
        // An exporter takes one address.
        let listen = monitoring.listen.first();
        let address = listen.map_or_else(
            || "127.0.0.1".to_owned(),
            |address| match address.value {
                std::net::IpAddr::V4(address) => address.to_string(),
                std::net::IpAddr::V6(address) => format!("[{address}]"),
            },
        );
        set("listenAddress", address.into(), listen.map_or(exporter.place, |listen| listen.place));
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
