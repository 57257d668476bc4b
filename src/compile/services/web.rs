//! Virtual hosts and static sites, whatever serves them.

use super::{caddy, nginx, probes};
use crate::compile::settings::Settings;
use crate::compile::{HostCx, copies};
use crate::fleet::schema::services::Work;
use crate::fleet::schema::web::{Tls, Upstream, Vhost, WebServer};
use crate::fleet::schema::workloads::{Site, SiteFiles};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::ResolvedService;
use crate::source::{Asset, Diagnostics};

/// A virtual host, or one path of it, and what answers there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) vhost: &'a Vhost,
    pub(super) answer: Answer<'a>,
}

/// What answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer<'a> {
    /// A service.
    Service(&'a ResolvedService<'a>),
    /// Files.
    Site(&'a Site),
    /// What the service's NixOS module makes of the virtual host.
    Own(&'a str),
}

/// Adds what virtual hosts set.
pub(super) fn settings(cx: &HostCx<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let running = cx.host.running();
    let places: Vec<Place<'_>> = running
        .flat_map(|service| {
            service.def.vhost.0.iter().map(move |vhost| {
                let answer = match &service.def.work {
                    Work::Site(site) => Answer::Site(site),
                    Work::Native(_) if service.makes_vhost() => Answer::Own(service.name),
                    _ => Answer::Service(service),
                };
                Place { vhost, answer }
            })
        })
        .collect();
    let Some(first) = places.first() else { return };
    let server = cx.host.def.web.as_ref().map_or(WebServer::Nginx, |web| web.server.value);
    match server {
        WebServer::Nginx => nginx::settings(cx, first.vhost, &places, out, found),
        WebServer::Caddy => caddy::settings(cx, first.vhost, &places, out, found),
    }
}

/// Returns where a virtual host leads to, as `address:port`.
pub(super) fn upstream(service: &ResolvedService<'_>, vhost: &Vhost) -> Option<String> {
    match vhost.to.as_ref().map(|to| &to.value) {
        Some(Upstream::Port(port)) => Some(format!("127.0.0.1:{port}")),
        Some(Upstream::Address(address)) => Some(address.to_string()),
        None => probes::first_port(service),
    }
}

/// Returns where the certificate of a virtual host lies that the host makes itself.
pub(super) fn own_certificate(vhost: &Vhost) -> (String, String) {
    let folder = format!("/var/lib/hostwright-tls/{}", vhost.name.as_str());
    (format!("{folder}/certificate.pem"), format!("{folder}/key.pem"))
}

/// Tells whether a virtual host speaks TLS.
pub(super) fn has_tls(vhost: &Vhost) -> bool {
    vhost.tls.value != Tls::None
}

/// Returns the folder of a site: on the host, or in the store.
pub(super) fn root(cx: &HostCx<'_>, site: &Site) -> Root {
    match &site.files {
        SiteFiles::Root(path) => Root::Path(path.to_string()),
        SiteFiles::Source(path) => Root::Stored(stored(cx, site, path.as_str())),
    }
}

/// The folder of a site.
pub(super) enum Root {
    /// On the host.
    Path(String),
    /// In the store.
    Stored(Option<Expr>),
}

/// Returns the folder in the store of a site that the fleet has. One page becomes the first that a folder's address shows.
fn stored(cx: &HostCx<'_>, site: &Site, path: &str) -> Option<Expr> {
    let is_page = cx.host.copies.iter().any(|copy| copy.path == path && matches!(copy.asset, Asset::File(_)));
    if !is_page {
        return copies::expr(path);
    }
    let name = index(site).first().copied().unwrap_or("index.html");
    let page = Attrs::from_iter([("name", Value::from(name)), ("path", copies::path(path))]);
    Some(Expr::select("pkgs", "linkFarm").apply([Value::from("site"), Value::List(vec![page.into()])]))
}

/// Returns what the index of a site is.
pub(super) fn index(site: &Site) -> Vec<&str> {
    if site.index.is_empty() { vec!["index.html"] } else { site.index.iter().map(|name| name.value.as_str()).collect() }
}
