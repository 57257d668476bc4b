//! secrets.nix: what sops-nix or agenix decrypt, where it lies, and the key that opens it.
//!
//! Both decrypt into memory while the system is activated, before file systems of systemd are mounted. So a secret stays in their own
//! folder, and a further path is a link that tmpfiles makes once everything is mounted. Not here: secrets that are placed by hand.

use super::HostCx;
use super::copies;
use super::settings::Settings;
use super::tmpfiles::{self, Argument, Rule};
use crate::fleet::schema::secrets::Provider;
use crate::nix::{Attrs, Value};
use crate::resolve::{Sealed, persistent_path};
use crate::source::Place;

/// The key that opens what is encrypted for a host: that of its ssh server.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// An encrypted secret as one file on the host.
struct Entry<'a> {
    name: &'a str,
    sealed: &'a Sealed<'a>,
    owner: &'a str,
    mode: &'a str,
    place: Place,
}

/// Returns what secrets.nix sets; empty where secrets are placed by hand.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let own = cx.host.secret_files();
    let secrets = cx.host.secrets.iter().filter_map(|secret| {
        let (name, owner, mode, place) = (secret.name, secret.owner, secret.mode, secret.place);
        Some(Entry { name, sealed: secret.sealed.as_ref()?, owner, mode, place })
    });
    let copies = own.iter().filter_map(|file| {
        let (name, owner, mode, place) = (file.name.as_str(), file.owner, file.mode, file.place);
        Some(Entry { name, sealed: file.secret.sealed.as_ref()?, owner, mode, place })
    });
    let entries: Vec<Entry<'_>> = secrets.chain(copies).collect();
    let Some(first) = entries.first() else { return out };
    // Where the root forgets, the key is read where it is kept: a link to it would not be there yet.
    let key = vec![persistent_path(cx.host, HOST_KEY)];
    match cx.host.secret_provider() {
        Provider::Credentials => return out,
        Provider::SopsNix => {
            out.derive("sops.age.sshKeyPaths", key, first.place);
            // The server's RSA key would be taken for one of GnuPG, and all would fail where it is not there.
            out.derive("sops.gnupg.sshKeyPaths", Value::List(Vec::new()), first.place);
            for entry in &entries {
                sops(entry, &mut out);
            }
        }
        Provider::Agenix => {
            out.derive("age.identityPaths", key, first.place);
            for entry in &entries {
                age(entry, &mut out);
            }
        }
    }
    for secret in &cx.host.secrets {
        if let Some(link) = secret.link {
            let rule = Rule { argument: Some(Argument::Text(&secret.path)), ..Rule::new("L+", link) };
            tmpfiles::add(cx, "secrets", rule, secret.place, &mut out);
        }
    }
    out
}

fn sops(entry: &Entry<'_>, out: &mut Settings) {
    let Some((form, key)) = entry.sealed.sops else { return };
    let mut secret = Attrs::from_iter([
        ("sopsFile", copies::path(entry.sealed.file)),
        ("format", form.as_str().into()),
        ("mode", entry.mode.into()),
    ]);
    if form.has_keys() {
        secret.set(&["key"], key);
    }
    if entry.sealed.for_users && !entry.name.contains('.') {
        secret.set(&["neededForUsers"], true);
    }
    match entry.owner.parse::<i64>() {
        Ok(number) => drop(secret.set(&["uid"], number)),
        Err(_) if entry.owner != "root" => drop(secret.set(&["owner"], entry.owner)),
        Err(_) => {}
    }
    out.set_below("sops.secrets", &[entry.name], secret, entry.place);
}

fn age(entry: &Entry<'_>, out: &mut Settings) {
    let mut secret = Attrs::from_iter([("file", copies::path(entry.sealed.file)), ("mode", entry.mode.into())]);
    if entry.owner != "root" {
        secret.set(&["owner"], entry.owner);
    }
    out.set_below("age.secrets", &[entry.name], secret, entry.place);
}
