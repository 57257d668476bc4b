//! Public names that lead to another machine. A virtual host of a definition belongs to a service of this host, so that these are written
//! in the words of NixOS.

use super::{Manners, Route, Taken, claim, is_private_name};
use crate::kubernetes::context::Cx;

/// Lets a public name lead to an address elsewhere, and returns the key of the definition that says so; an error is a question.
pub(super) fn elsewhere(cx: &mut Cx<'_, '_>, route: &Route, name: &str, address: &str) -> Result<String, String> {
    let Manners { tls, redirect, max_body, timeout, auth, allow, headers } = &route.manners;
    if max_body.is_some() || auth.is_some() || !allow.is_empty() || !headers.is_empty() {
        return Err("it leads to another machine, and who may enter or how large requests may be is not carried over for those: which of \
                    it is still wanted (`nixos.services.nginx.virtualHosts`)?"
            .to_owned());
    }
    if *tls && is_private_name(name) {
        return Err(
            "it leads to another machine, and no ACME provider proves this name: which certificate should it have \
                    (`nixos.services.nginx.virtualHosts`)?"
                .to_owned(),
        );
    }
    let taken = Taken { by: route.by.clone(), to: Some(address.to_owned()), service: String::new() };
    let host = format!("services.nginx.virtualHosts.\"{name}\"");
    if !claim(cx, name, &route.path, taken)? {
        return Ok(format!("nixos.{host}"));
    }
    let mut set = |path: String, value: serde_json::Value| {
        cx.host.nixos.entry(path).or_insert(value);
    };
    set("services.nginx.enable".to_owned(), true.into());
    // The program gets the name that was asked for, as from a virtual host of a definition.
    set("services.nginx.recommendedProxySettings".to_owned(), true.into());
    let locations = match route.path.as_str() {
        "/" => vec!["/".to_owned()],
        path => vec![format!("= {path}"), format!("{path}/")],
    };
    for location in locations {
        let location = format!("{host}.locations.{}", quoted(&location));
        set(format!("{location}.proxyPass"), format!("http://{address}").into());
        set(format!("{location}.proxyWebsockets"), true.into());
        if let Some(seconds) = timeout {
            let lines = format!("proxy_read_timeout {seconds}s;\nproxy_send_timeout {seconds}s;\n");
            set(format!("{location}.extraConfig"), lines.into());
        }
    }
    if *tls {
        set(format!("{host}.enableACME"), true.into());
        let to_tls = if *redirect == Some(false) { "addSSL" } else { "forceSSL" };
        set(format!("{host}.{to_tls}"), true.into());
        set("security.acme.acceptTerms".to_owned(), true.into());
        cx.reach.proved.insert(name.to_owned());
    }
    Ok(format!("nixos.{host}"))
}

/// Returns a key of TOML in quotes.
fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}
