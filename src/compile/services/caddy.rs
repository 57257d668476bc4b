//! Virtual hosts served by Caddy.

use super::web::{Answer, Place, Root, index, root, upstream};
use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::web::{Tls, Vhost};
use crate::fleet::schema::workloads::Site;
use crate::nix::{Expr, Value};
use crate::source::{Diagnostic, Diagnostics};

const HOSTS: &str = "services.caddy.virtualHosts";

/// Adds what Caddy sets. Caddy gets certificates by itself, and sends plain HTTP on to HTTPS.
pub(super) fn settings(
    cx: &HostCx<'_>,
    first: &Vhost,
    places: &[Place<'_>],
    out: &mut Settings,
    found: &mut Diagnostics,
) {
    out.set("services.caddy.enable", true, first.place);
    let web = cx.host.def.web.as_ref();
    if places.iter().any(|place| place.vhost.tls.value == Tls::Acme)
        && let Some(email) = web.and_then(|web| web.acme_email.as_ref())
    {
        out.set("services.caddy.email", email.as_str(), email.place);
    }
    if let Some(dns) = web.and_then(|web| web.acme_dns.as_ref()) {
        found.push(
            Diagnostic::error("value-invalid", dns.place, "Caddy proves no names through DNS as nixpkgs builds it")
                .help("leave `acme-dns` out, or serve the virtual hosts with `web.server = \"nginx\"`"),
        );
    }
    let mut known: Vec<String> = Vec::new();
    for place in places {
        let vhost = place.vhost;
        // The scheme decides whether there is TLS, and what is redirected.
        let name = match vhost.tls.value {
            Tls::None => format!("http://{}", vhost.name.as_str()),
            _ => vhost.name.to_string(),
        };
        if !known.contains(&name) {
            known.push(name.clone());
            host(cx, vhost, &name, out);
        }
        if let Some(text) = handler(cx, place, found) {
            out.set_below(HOSTS, &[&name, "extraConfig"], text, vhost.path.place);
        }
    }
}

/// What a virtual host sets as a whole.
fn host(cx: &HostCx<'_>, vhost: &Vhost, name: &str, out: &mut Settings) {
    if let Some(first) = vhost.aliases.first() {
        let scheme = if vhost.tls.value == Tls::None { "http://" } else { "" };
        let aliases: Vec<String> = vhost.aliases.iter().map(|alias| format!("{scheme}{}", alias.as_str())).collect();
        out.set_below(HOSTS, &[name, "serverAliases"], aliases, first.place);
    }
    let tls = match &vhost.tls.value {
        Tls::Acme | Tls::None => return,
        Tls::SelfSigned => "tls internal\n".to_owned(),
        Tls::Files(files) => {
            let Some(key) = cx.host.secret(files.key.as_str()) else { return };
            format!("tls {} {}\n", token(files.certificate.as_str()), token(&key.path))
        }
    };
    out.set_below(HOSTS, &[name, "extraConfig"], tls, vhost.tls.place);
}

/// What one path of a virtual host sets, in the language of Caddyfiles.
fn handler(cx: &HostCx<'_>, place: &Place<'_>, found: &mut Diagnostics) -> Option<Value> {
    let vhost = place.vhost;
    if let Some(auth) = &vhost.auth {
        found.push(
            Diagnostic::error("value-invalid", auth.place, "Caddy does not read files of passwords")
                .help("leave `auth` out, or serve the virtual hosts with `web.server = \"nginx\"`"),
        );
    }
    let mut inner = String::new();
    // A folder in the store, and where in the text it belongs.
    let mut stored: Option<(usize, Expr)> = None;
    if !vhost.allow.is_empty() {
        let networks: Vec<String> = vhost.allow.iter().map(|network| network.value.to_string()).collect();
        inner.push_str(&format!("@outside not remote_ip {}\nrespond @outside 403\n", networks.join(" ")));
    }
    for (name, value) in vhost.headers.iter() {
        inner.push_str(&format!("header {name} {}\n", token(&value.value.value)));
    }
    if let Some(size) = &vhost.max_body {
        inner.push_str(&format!("request_body {{\n  max_size {}\n}}\n", size.bytes()));
    }
    match place.answer {
        Answer::Service(service) => {
            let upstream = upstream(service, vhost)?;
            match &vhost.timeout {
                Some(timeout) => inner.push_str(&format!(
                    "reverse_proxy {upstream} {{\n  transport http {{\n    read_timeout {0}s\n    write_timeout {0}s\n  }}\n}}\n",
                    timeout.seconds()
                )),
                None => inner.push_str(&format!("reverse_proxy {upstream}\n")),
            }
        }
        Answer::Site(site) => stored = files(cx, site, &mut inner),
        Answer::Own(service) => {
            let message = format!("the NixOS module of `{service}` makes its virtual host for nginx");
            let finding = Diagnostic::error("value-invalid", vhost.name.place, message);
            found.push(finding.help("serve the virtual hosts of this machine with `web.server = \"nginx\"`"));
            return None;
        }
    }
    let (path, site) = (vhost.path.as_str(), matches!(place.answer, Answer::Site(_)));
    let head = match (path, site) {
        ("/", _) => "handle {\n".to_owned(),
        // A folder stands for the path; a service sees the path as it is.
        (path, true) => format!("handle_path {}/* {{\n", token_path(path)),
        (path, false) => {
            // Two of them, because only a matcher of one path is sorted by its length among the others.
            let path = token_path(path);
            return Some(format!("handle {path} {{\n{inner}}}\nhandle {path}/* {{\n{inner}}}\n").into());
        }
    };
    let text = format!("{head}{inner}}}\n");
    match stored {
        None => Some(text.into()),
        Some((at, folder)) => {
            let (before, after) = text.split_at_checked(head.len() + at)?;
            folder.in_string(before, after).map(Value::from)
        }
    }
}

/// Writes what hands files out; returns a folder in the store with where it belongs in the text.
fn files(cx: &HostCx<'_>, site: &Site, inner: &mut String) -> Option<(usize, Expr)> {
    let stored = match root(cx, site) {
        Root::Path(path) => {
            inner.push_str(&format!("root * {}\n", token(&path)));
            None
        }
        Root::Stored(folder) => {
            inner.push_str("root * ");
            let at = inner.len();
            inner.push('\n');
            folder.map(|folder| (at, folder))
        }
    };
    let index = index(site);
    if site.spa.value {
        let page = index.first().copied().unwrap_or("index.html");
        inner.push_str(&format!("try_files {{path}} {{path}}/ {}\n", token(&format!("/{page}"))));
    }
    if let Some(cache) = &site.cache {
        inner.push_str(&format!("header Cache-Control \"max-age={}\"\n", cache.seconds()));
    }
    let names: Vec<String> = index.iter().map(|name| token(name)).collect();
    inner.push_str(&format!("file_server {{\n  index {}\n}}\n", names.join(" ")));
    stored
}

/// Returns text as one token of a Caddyfile: in double quotes, with `{` escaped, which would begin a placeholder.
fn token(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('{', "\\{"))
}

/// Returns a path within a matcher, whose characters need no quotes or are quoted by `?`, which matches any one of them.
fn token_path(path: &str) -> String {
    path.chars().map(|c| if c.is_ascii_alphanumeric() || "/-._~".contains(c) { c } else { '?' }).collect()
}
