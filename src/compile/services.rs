//! services.nix: native services with their options, their order, and the virtual hosts that lead to them.

use std::net::IpAddr;

use super::HostCx;
use super::convert;
use super::settings::Settings;
use crate::fleet::schema::services::{Protocol, Tls, Upstream, Vhost};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::{Listen, MountSource, ResolvedService};
use crate::source::{Diagnostic, Diagnostics, Kind};

/// Returns what services.nix sets; empty without services.
pub(super) fn settings(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let mut out = Settings::default();
    for service in &cx.host.services {
        native(cx, service, &mut out, found);
    }
    let running = || cx.host.services.iter().filter(|service| service.def.enable.value);
    for service in running() {
        order(cx, service, &mut out);
    }
    let vhosts: Vec<(&ResolvedService<'_>, &Vhost)> =
        running().flat_map(|service| service.def.vhost.0.iter().map(move |vhost| (service, vhost))).collect();
    if let Some((_, first)) = vhosts.first() {
        web_server(cx, first, &vhosts, &mut out);
    }
    for (service, vhost) in vhosts {
        virtual_host(service, vhost, &mut out, found);
    }
    out
}

/// Returns the option prefix of a service; resolving has seen to it that its module has one.
fn prefix<'a>(service: &'a ResolvedService<'_>) -> Option<&'a str> {
    service.module.file.prefix.as_ref().map(|prefix| prefix.as_str())
}

/// Returns the name of a service's unit: the last part of its module's prefix.
fn unit<'a>(service: &'a ResolvedService<'_>) -> Option<&'a str> {
    prefix(service)?.rsplit('.').next()
}

fn native(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let Some(prefix) = prefix(service) else { return };
    let def = service.def;
    let place = if def.enable.written { def.enable.place } else { def.key };
    out.set(&format!("{prefix}.enable"), def.enable.value, place);
    if let Some(package) = &def.package {
        out.set(&format!("{prefix}.package"), Expr::select("pkgs", package.as_str()), package.place);
    }
    let Some(options) = &def.options else { return };
    let index = cx.facts.options_of(cx.host.channel.name, cx.host.channel.channel.release.value);
    let loc: Vec<&str> = prefix.split('.').collect();
    match &options.kind {
        // One definition an option, so that each keeps its own place.
        Kind::Table(table) if options.priority == crate::source::NORMAL => {
            for (name, entry) in table {
                let mut loc = loc.clone();
                loc.push(name);
                let value = convert::value(index, &loc, &entry.node, found);
                out.set_below(prefix, &[name], value, entry.node.place);
            }
        }
        _ => out.set(prefix, convert::value(index, &loc, options, found), options.place),
    }
}

/// Puts a service behind those it needs, and behind the mounts of the datasets that hold its state: a mount that failed
/// must not let it start over an empty directory.
fn order(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    let Some(own) = unit(service) else { return };
    let unit_of = |name: &str| {
        let other = cx.host.services.iter().find(|other| other.name == name && other.def.enable.value)?;
        Some(format!("{}.service", unit(other)?))
    };
    let mut set = |option: &str, names: Vec<String>, place| {
        if !names.is_empty() {
            let path: Vec<&str> = std::iter::once(own).chain(option.split('.')).collect();
            out.set_below("systemd.services", &path, names, place);
        }
    };
    let requires: Vec<String> = service.def.requires.iter().filter_map(|name| unit_of(name.as_str())).collect();
    let after = service.def.after.iter().filter_map(|name| unit_of(name.as_str()));
    let mut after: Vec<String> = after.chain(requires.iter().cloned()).collect();
    let mut seen = Vec::new();
    after.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    let named = service.def.after.first().or(service.def.requires.first());
    set("after", after, named.map_or(service.def.key, |name| name.place));
    set("requires", requires, service.def.requires.first().map_or(service.def.key, |name| name.place));
    let mounts = state_paths(service).into_iter().filter(|path| {
        let on_dataset = |mount: &crate::resolve::Mount<'_>| {
            let below = mount.path != "/" && std::path::Path::new(path).starts_with(mount.path);
            below
                && matches!(&mount.source, MountSource::Dataset { pool, .. } if super::zfs::is_imported(cx.host, pool))
        };
        cx.host.mounts.iter().any(on_dataset)
    });
    set("unitConfig.RequiresMountsFor", mounts.collect(), service.def.key);
}

/// Returns where a service keeps its state: by its options, else as its module says.
fn state_paths(service: &ResolvedService<'_>) -> Vec<String> {
    let moved = |option: &str| {
        let route: Vec<&str> = option.split('.').collect();
        service.def.options.as_ref()?.at(&route)?.as_str().map(str::to_owned)
    };
    let path = |state: &crate::fleet::schema::module_file::ModuleState| {
        let option = state.option.as_ref().and_then(|option| moved(option.as_str()));
        option.unwrap_or_else(|| state.path.as_str().to_owned())
    };
    service.module.file.state.iter().map(path).filter(|path| path.starts_with('/')).collect()
}

fn web_server(cx: &HostCx<'_>, first: &Vhost, vhosts: &[(&ResolvedService<'_>, &Vhost)], out: &mut Settings) {
    out.set("services.nginx.enable", true, first.place);
    for option in
        ["recommendedGzipSettings", "recommendedOptimisation", "recommendedProxySettings", "recommendedTlsSettings"]
    {
        out.derive(&format!("services.nginx.{option}"), true, first.place);
    }
    let Some((_, acme)) = vhosts.iter().find(|(_, vhost)| vhost.tls.value == Tls::Acme) else { return };
    out.set("security.acme.acceptTerms", true, acme.tls.place);
    if let Some(email) = cx.host.def.web.as_ref().and_then(|web| web.acme_email.as_ref()) {
        let option = if cx.spelling.acme_defaults() { "security.acme.defaults.email" } else { "security.acme.email" };
        out.set(option, email.as_str(), email.place);
    }
}

/// Returns where a virtual host leads to, as `address:port`.
fn upstream(service: &ResolvedService<'_>, vhost: &Vhost) -> Option<String> {
    let local = |port: u16| format!("127.0.0.1:{port}");
    match vhost.to.as_ref().map(|to| &to.value) {
        Some(Upstream::Port(port)) => return Some(local(*port)),
        Some(Upstream::Address(address)) => return Some(address.to_string()),
        None => {}
    }
    let port = service.ports.iter().find(|port| port.protocol == Protocol::Tcp)?;
    let address = match &port.listen {
        Listen::All => None,
        Listen::Only(addresses) if addresses.contains(&IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)) => None,
        Listen::Only(addresses) => addresses.first(),
    };
    Some(address.map_or_else(|| local(port.port), |address| std::net::SocketAddr::new(*address, port.port).to_string()))
}

fn virtual_host(service: &ResolvedService<'_>, vhost: &Vhost, out: &mut Settings, found: &mut Diagnostics) {
    let Some(upstream) = upstream(service, vhost) else {
        let message =
            format!("the virtual host `{}` leads nowhere: `{}` has no TCP port", vhost.name.as_str(), service.name);
        let finding = Diagnostic::error("value-invalid", vhost.name.place, message);
        found.push(finding.help("say where it leads: `to = 8080`").help("give the service a port in `ports`"));
        return;
    };
    let option = "services.nginx.virtualHosts";
    let name = vhost.name.as_str();
    if let Some(first) = vhost.aliases.first() {
        let aliases: Vec<&str> = vhost.aliases.iter().map(|alias| alias.as_str()).collect();
        out.set_below(option, &[name, "serverAliases"], aliases, first.place);
    }
    if vhost.tls.value == Tls::Acme {
        out.set_below(option, &[name, "enableACME"], true, vhost.tls.place);
        let redirect = if vhost.redirect.value { "forceSSL" } else { "addSSL" };
        out.set_below(option, &[name, redirect], true, vhost.redirect.place);
    }
    let mut location = Attrs::from_iter([("proxyPass", Value::from(format!("http://{upstream}")))]);
    if vhost.websockets.value {
        location.set(&["proxyWebsockets"], true);
    }
    if let Some(size) = &vhost.max_body {
        location.set(&["extraConfig"], format!("client_max_body_size {};\n", size.bytes()));
    }
    out.set_below(option, &[name, "locations", vhost.path.as_str()], location, vhost.path.place);
}
