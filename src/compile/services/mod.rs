//! services.nix: what runs on the host, in which order, and the virtual hosts that lead to it.
//!
//! One file a kind of service, one for what all kinds have (`units`), one for readiness (`probes`), one a web server. Not here:
//! backups and monitoring, which have files of their own.

mod caddy;
mod command;
mod container;
mod container_unit;
mod directories;
mod native;
mod nginx;
mod probes;
mod runs;
mod units;
mod web;

use super::HostCx;
use super::settings::Settings;
use crate::source::Diagnostics;

/// Returns what services.nix sets; empty without services.
pub(super) fn settings(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let mut out = Settings::default();
    for service in &cx.host.services {
        native::settings(cx, service, &mut out, found);
    }
    for service in cx.host.running() {
        container::settings(cx, service, &mut out);
        command::settings(service, &mut out);
        units::settings(cx, service, &mut out);
        probes::settings(cx, service, &mut out, found);
    }
    container::networks(cx, &mut out);
    web::settings(cx, &mut out, found);
    out
}
