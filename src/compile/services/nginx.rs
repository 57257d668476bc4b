//! Virtual hosts served by nginx.

use super::web::{Answer, Place, Root, has_tls, index, own_certificate, root, upstream};
use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::web::{Tls, Vhost};
use crate::fleet::schema::workloads::Site;
use crate::nix::{Attrs, Expr, Value};
use crate::source::{Diagnostic, Diagnostics};
use crate::text::{ShellCommand, ShellWord};

const HOSTS: &str = "services.nginx.virtualHosts";

/// Adds what nginx sets.
pub(super) fn settings(
    cx: &HostCx<'_>,
    first: &Vhost,
    places: &[Place<'_>],
    out: &mut Settings,
    found: &mut Diagnostics,
) {
    out.set("services.nginx.enable", true, first.place);
    for option in
        ["recommendedGzipSettings", "recommendedOptimisation", "recommendedProxySettings", "recommendedTlsSettings"]
    {
        out.derive(&format!("services.nginx.{option}"), true, first.place);
    }
    acme(cx, places, out);
    let mut known: Vec<&str> = Vec::new();
    for place in places {
        if !known.contains(&place.vhost.name.as_str()) {
            known.push(place.vhost.name.as_str());
            host(cx, place.vhost, out);
        }
        let vhost = place.vhost;
        if let Answer::Own(_) = place.answer {
            let mut set = |key: &str, value: Value| {
                out.set_below(HOSTS, &[vhost.name.as_str(), key], value, vhost.name.place);
            };
            if let Some(file) = vhost.auth.as_ref().and_then(|auth| cx.host.secret(auth.as_str())) {
                set("basicAuthFile", file.path.as_str().into());
            }
            let lines = lines(vhost, found);
            if !lines.is_empty() {
                set("extraConfig", lines.into());
            }
            continue;
        }
        if let Some(value) = location(cx, place, found) {
            for path in paths(place) {
                let at = [vhost.name.as_str(), "locations", path.as_str()];
                out.set_below(HOSTS, &at, value.clone(), vhost.path.place);
            }
        }
    }
}

/// The account with the provider of certificates, and how names are proved.
fn acme(cx: &HostCx<'_>, places: &[Place<'_>], out: &mut Settings) {
    let Some(acme) = places.iter().find(|place| place.vhost.tls.value == Tls::Acme) else { return };
    out.set("security.acme.acceptTerms", true, acme.vhost.tls.place);
    let web = cx.host.def.web.as_ref();
    if let Some(email) = web.and_then(|web| web.acme_email.as_ref()) {
        let option = if cx.spelling.acme_defaults() { "security.acme.defaults.email" } else { "security.acme.email" };
        out.set(option, email.as_str(), email.place);
    }
    let Some(dns) = web.and_then(|web| web.acme_dns.as_ref()) else { return };
    let mut known: Vec<&str> = Vec::new();
    for place in places.iter().filter(|place| place.vhost.tls.value == Tls::Acme) {
        let name = place.vhost.name.as_str();
        if known.contains(&name) {
            continue;
        }
        known.push(name);
        let mut cert =
            Attrs::from_iter([("dnsProvider", Value::from(dns.provider.as_str())), ("webroot", Value::Null)]);
        if let Some(secret) = cx.host.secret(dns.credentials.as_str()) {
            let option = if cx.spelling.acme_environment_file() { "environmentFile" } else { "credentialsFile" };
            cert.set(&[option], secret.path.as_str());
        }
        out.set_below("security.acme.certs", &[name], cert, dns.place);
    }
}

/// What a virtual host sets as a whole.
fn host(cx: &HostCx<'_>, vhost: &Vhost, out: &mut Settings) {
    let name = vhost.name.as_str();
    if let Some(first) = vhost.aliases.first() {
        let aliases: Vec<&str> = vhost.aliases.iter().map(|alias| alias.as_str()).collect();
        out.set_below(HOSTS, &[name, "serverAliases"], aliases, first.place);
    }
    if !has_tls(vhost) {
        return;
    }
    let mut set = |key: &str, value: Value| out.set_below(HOSTS, &[name, key], value, vhost.tls.place);
    match &vhost.tls.value {
        Tls::Acme => set("enableACME", true.into()),
        Tls::None => {}
        Tls::SelfSigned => {
            let (certificate, key) = own_certificate(vhost);
            set("sslCertificate", certificate.into());
            set("sslCertificateKey", key.into());
        }
        Tls::Files(files) => {
            set("sslCertificate", files.certificate.as_str().into());
            if let Some(key) = cx.host.secret(files.key.as_str()) {
                set("sslCertificateKey", key.path.as_str().into());
            }
        }
    }
    let redirect = if vhost.redirect.value { "forceSSL" } else { "addSSL" };
    out.set_below(HOSTS, &[name, redirect], true, vhost.redirect.place);
    if vhost.tls.value == Tls::SelfSigned {
        self_signed(vhost, out);
    }
}

/// A unit that makes a key and a certificate before nginx first starts.
fn self_signed(vhost: &Vhost, out: &mut Settings) {
    let name = vhost.name.as_str();
    let (certificate, key) = own_certificate(vhost);
    let names: Vec<String> = std::iter::once(name)
        .chain(vhost.aliases.iter().map(|alias| alias.as_str()))
        .map(|name| format!("DNS:{name}"))
        .collect();
    let make = ShellCommand::new("openssl").args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        &format!("/CN={name}"),
        "-addext",
        &format!("subjectAltName={}", names.join(",")),
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    let folder = certificate.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let folder = ShellCommand::new("mkdir").args(["-p", "--", folder]);
    let script = format!(
        "umask 027\n{folder}\nif ! [ -s {} ]; then\n  {make}\nfi\nchgrp -R nginx /var/lib/hostwright-tls\n",
        ShellWord::new(&certificate)
    );
    let unit = format!("hostwright-tls-{name}");
    let service = Attrs::from_iter([
        ("description", Value::from(format!("Certificate of {name}"))),
        ("before", vec!["nginx.service"].into()),
        ("requiredBy", vec!["nginx.service"].into()),
        ("path", Value::List(vec![Expr::select("pkgs", "openssl").into()])),
        ("script", script.into()),
        (
            "serviceConfig",
            Attrs::from_iter([("Type", Value::from("oneshot")), ("RemainAfterExit", true.into())]).into(),
        ),
    ]);
    out.set_below("systemd.services", &[&unit], service, vhost.tls.place);
}

/// Returns the locations that stand for a path and what is below it. nginx compares the beginnings of texts, by which `/git` would be
/// about `/github` too.
fn paths(place: &Place<'_>) -> Vec<String> {
    let path = place.vhost.path.as_str();
    match place.answer {
        Answer::Service(_) if path != "/" => vec![format!("= {path}"), format!("{path}/")],
        _ => vec![path.to_owned()],
    }
}

/// What one path of a virtual host sets.
fn location(cx: &HostCx<'_>, place: &Place<'_>, found: &mut Diagnostics) -> Option<Attrs> {
    let vhost = place.vhost;
    let mut extra = String::new();
    let mut location = match place.answer {
        Answer::Service(service) => {
            let upstream = upstream(service, vhost)?;
            let mut location = Attrs::from_iter([("proxyPass", Value::from(format!("http://{upstream}")))]);
            if vhost.websockets.value {
                location.set(&["proxyWebsockets"], true);
            }
            if let Some(timeout) = &vhost.timeout {
                let seconds = timeout.seconds();
                extra.push_str(&format!("proxy_read_timeout {seconds}s;\nproxy_send_timeout {seconds}s;\n"));
            }
            location
        }
        Answer::Site(site) => files(cx, site, vhost, &mut extra),
        Answer::Own(_) => return None,
    };
    extra.push_str(&lines(vhost, found));
    if let Some(file) = vhost.auth.as_ref().and_then(|auth| cx.host.secret(auth.as_str())) {
        location.set(&["basicAuthFile"], file.path.as_str());
    }
    if !extra.is_empty() {
        location.set(&["extraConfig"], extra);
    }
    Some(location)
}

/// Returns the lines of a virtual host or of one path of it: how large requests may be, who may enter, headers of answers.
fn lines(vhost: &Vhost, found: &mut Diagnostics) -> String {
    let mut extra = String::new();
    if let Some(size) = &vhost.max_body {
        extra.push_str(&format!("client_max_body_size {};\n", size.bytes()));
    }
    for network in &vhost.allow {
        extra.push_str(&format!("allow {};\n", network.value));
    }
    if !vhost.allow.is_empty() {
        extra.push_str("deny all;\n");
    }
    for (name, value) in vhost.headers.iter() {
        match quoted(&value.value.value) {
            Some(value) => extra.push_str(&format!("add_header {name} {value} always;\n")),
            None => found.push(
                Diagnostic::error("value-invalid", value.value.place, format!("the header `{name}` holds a `$`"))
                    .why("nginx takes it for the beginning of a variable, and has no way to write it otherwise")
                    .help("leave it out, or serve the virtual hosts with `web.server = \"caddy\"`"),
            ),
        }
    }
    extra
}

/// What hands files out.
fn files(cx: &HostCx<'_>, site: &Site, vhost: &Vhost, extra: &mut String) -> Attrs {
    let mut location = Attrs::new();
    // Below a path of its own the folder stands for that path.
    let option = if vhost.path.as_str() == "/" { "root" } else { "alias" };
    let root: Value = match root(cx, site) {
        Root::Path(path) => path.into(),
        Root::Stored(folder) => folder.and_then(|folder| folder.in_string("", "")).map_or(Value::Null, Value::from),
    };
    location.set(&[option], root);
    let index = index(site);
    location.set(&["index"], index.join(" "));
    if site.spa.value {
        let base = vhost.path.as_str().trim_end_matches('/');
        let page = index.first().copied().unwrap_or("index.html");
        location.set(&["tryFiles"], format!("$uri $uri/ {base}/{page}"));
    }
    if let Some(cache) = &site.cache {
        extra.push_str(&format!("expires {}s;\n", cache.seconds()));
    }
    location
}

/// Returns text as a string of nginx's configuration; none with a `$`, which cannot be written.
fn quoted(text: &str) -> Option<String> {
    (!text.contains('$')).then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
