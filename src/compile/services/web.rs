//! Virtual hosts and static sites, whatever serves them.

use super::{caddy, nginx, probes};
use crate::compile::settings::Settings;
use crate::compile::{HostCx, copies};
use crate::fleet::schema::services::Work;
use crate::fleet::schema::web::{Tls, Upstream, Vhost, WebServer};
use crate::fleet::schema::workloads::{Site, SiteFiles};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::ResolvedService;
use crate::source::{Asset, Diagnostic, Diagnostics};

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
                    Work::Native(_) if makes_its_own(service) => Answer::Own(service.name),
                    _ => Answer::Service(service),
                };
                Place { vhost, answer }
            })
        })
        .collect();
    let Some(first) = places.first() else { return };
    twice(&places, found);
    own(&places, found);
    let server = cx.host.def.web.as_ref().map_or(WebServer::Nginx, |web| web.server.value);
    match server {
        WebServer::Nginx => nginx::settings(cx, first.vhost, &places, out, found),
        WebServer::Caddy => caddy::settings(cx, first.vhost, &places, out, found),
    }
}

/// Reports a path of a virtual host that two services want.
fn twice(places: &[Place<'_>], found: &mut Diagnostics) {
    for (at, place) in places.iter().enumerate() {
        let same = |other: &&Place<'_>| {
            other.vhost.name.value == place.vhost.name.value && other.vhost.path.value == place.vhost.path.value
        };
        let Some(first) = places.iter().take(at).find(same) else { continue };
        let (name, path) = (place.vhost.name.as_str(), place.vhost.path.as_str());
        let message = format!("two services answer at `{path}` of the virtual host `{name}`");
        found.push(
            Diagnostic::error("value-invalid", place.vhost.name.place, message)
                .related(first.vhost.name.place, "the other one")
                .help("give one of them another `name`")
                .help("give one of them a `path` of its own"),
        );
    }
}

/// Tells whether the NixOS module of a service makes its virtual host.
fn makes_its_own(service: &ResolvedService<'_>) -> bool {
    service.module.is_some_and(|module| module.file.vhost.is_some())
}

/// Reports what a virtual host cannot have that a NixOS module makes: a second one, a path, a place that it leads to.
fn own(places: &[Place<'_>], found: &mut Diagnostics) {
    let mut known: Vec<&str> = Vec::new();
    for place in places {
        let (Answer::Own(service), vhost) = (place.answer, place.vhost) else { continue };
        let mut refused = |at, what: &str, help: &str| {
            let message = format!("the NixOS module of `{service}` makes its virtual host, {what}");
            found.push(Diagnostic::error("value-invalid", at, message).help(help.to_owned()));
        };
        if known.contains(&service) {
            refused(vhost.name.place, "and makes one", "put further names into the `aliases` of the first");
        }
        known.push(service);
        if vhost.path.written {
            refused(vhost.path.place, "all of it", "leave `path` out");
        }
        if let Some(to) = &vhost.to {
            refused(to.place, "which leads to the service itself", "leave `to` out");
        }
        if let Some(timeout) = &vhost.timeout {
            refused(timeout.place, "whose timeouts are options of its own", "set them in `options`");
        }
    }
}

/// Returns where a virtual host leads to, as `address:port`; what leads nowhere is reported.
pub(super) fn upstream(service: &ResolvedService<'_>, vhost: &Vhost, found: &mut Diagnostics) -> Option<String> {
    match vhost.to.as_ref().map(|to| &to.value) {
        Some(Upstream::Port(port)) => return Some(format!("127.0.0.1:{port}")),
        Some(Upstream::Address(address)) => return Some(address.to_string()),
        None => {}
    }
    let first = probes::first_port(service);
    if first.is_none() {
        let message =
            format!("the virtual host `{}` leads nowhere: `{}` has no TCP port", vhost.name.as_str(), service.name);
        let finding = Diagnostic::error("value-invalid", vhost.name.place, message);
        found.push(finding.help("say where it leads: `to = 8080`").help("give the service a port in `ports`"));
    }
    first
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
