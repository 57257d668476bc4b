//! access.nix: the ssh server, accounts, and who becomes root.

use std::fmt::Write as _;

use super::settings::Settings;
use super::tmpfiles::{self, Rule};
use super::{HostCx, OutFile};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::access::{Access, Ssh, User};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::Resolved;
use crate::source::Place;

/// Login shells that NixOS sets up by a switch of their own, without which it refuses an account that has them.
const SHELLS: &[&str] = &["fish", "xonsh", "zsh"];

/// Seconds in which a login must succeed.
const LOGIN_SECONDS: i64 = 30;

/// Returns what access.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    owners(cx, &mut out);
    let Some(access) = &cx.host.def.access else { return out };
    if let Some(ssh) = &access.ssh {
        server(cx, ssh, &mut out);
    } else {
        out.derive("services.openssh.enable", true, access.place);
        out.set("services.openssh.openFirewall", false, access.place);
        methods(cx, &mut out, access.place, None);
    }
    // No definition holds a password: accounts are as they are written here, and nobody locks himself out by `passwd`.
    out.derive("users.mutableUsers", false, access.place);
    for key in &access.root_keys {
        out.list("users.users.root.openssh.authorizedKeys.keys", [key.as_str()], key.place);
    }
    accounts(cx, access, &mut out);
    out
}

/// Gives secrets to the accounts that own them: who places the files knows no account of the installed system.
fn owners(cx: &HostCx<'_>, out: &mut Settings) {
    for secret in cx.host.secrets.iter().filter(|secret| secret.owner != "root" && secret.sealed.is_none()) {
        let (user, mode) = (Some(secret.owner), Some(secret.mode));
        let rule = Rule { user, group: Some("root"), mode, ..Rule::new("z", &secret.path) };
        tmpfiles::add(cx, "secrets", rule, secret.place, out);
    }
}

/// The file that makes the hosts of the fleet known to one another; every host imports the one file.
pub(super) const KNOWN_HOSTS: &str = "known-hosts.nix";

/// A key of a host, with everything that the host is known by.
struct KnownKey<'a> {
    entry: String,
    names: Vec<String>,
    kind: &'a str,
    blob: &'a str,
    place: Place,
}

/// Returns the keys of all hosts of a fleet, by host and in the order of the definition.
fn fleet_keys<'a>(fleet: &'a Resolved<'_>) -> Vec<KnownKey<'a>> {
    let domain = fleet.fleet.file.fleet.domain.as_ref().map(|domain| domain.as_str());
    let mut all = Vec::new();
    for host in &fleet.hosts {
        let Some(access) = &host.def.access else { continue };
        let port = access.ssh.as_ref().map_or(22, |ssh| ssh.port.value);
        let names: Vec<String> = host
            .known_as(domain)
            .into_iter()
            .map(|name| if port == 22 { name } else { format!("[{name}]:{port}") })
            .collect();
        let keys = host.host_keys();
        for (at, (kind, blob)) in keys.iter().copied().enumerate() {
            let first = keys.iter().position(|(other, _)| *other == kind) == Some(at);
            let entry = match (keys.len(), first) {
                (1, _) => host.name.to_owned(),
                (_, true) => format!("{}-{kind}", host.name),
                (_, false) => format!("{}-{kind}-{at}", host.name),
            };
            all.push(KnownKey { entry, names: names.clone(), kind, blob, place: access.place });
        }
    }
    all
}

/// Tells whether a host of the fleet states a key by which the others know it.
pub(super) fn has_known_hosts(fleet: &Resolved<'_>) -> bool {
    fleet.hosts.iter().any(|host| !host.host_keys().is_empty())
}

/// Returns what makes the hosts of the fleet known by their keys, so that nobody is asked and nobody else believed: a NixOS
/// module for the hosts, and a file for the deployer (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Nothing where no host states a
/// key.
pub(super) fn known_hosts(fleet: &Resolved<'_>) -> Vec<OutFile> {
    let keys = fleet_keys(fleet);
    if keys.is_empty() {
        return Vec::new();
    }
    let mut settings = Settings::default();
    let mut lines = String::from(
        "# The hosts of the fleet by their `access.host-keys`. Written by hostwright; changes here are lost.\n",
    );
    for known in keys {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{} {} {}", known.names.join(","), known.kind, known.blob);
        let option = "programs.ssh.knownHosts";
        settings.set_below(option, &[&known.entry, "hostNames"], known.names, known.place);
        settings.set_below(option, &[&known.entry, "publicKey"], format!("{} {}", known.kind, known.blob), known.place);
    }
    let module = settings.to_module(vec![
        "The hosts of the fleet by their `access.host-keys`: ssh on any of them knows the others.".to_owned(),
        "Written by hostwright; changes here are lost.".to_owned(),
    ]);
    vec![OutFile::of_text(KNOWN_HOSTS, module.to_file()), OutFile::of_text("known_hosts", lines)]
}

fn server(cx: &HostCx<'_>, ssh: &Ssh, out: &mut Settings) {
    out.keyed("services.openssh.enable", &ssh.enable, ssh.enable.value);
    if !ssh.enable.value {
        return;
    }
    out.keyed("services.openssh.ports", &ssh.port, vec![ssh.port.value]);
    // What is open is stated in one place, `network.firewall`.
    out.set("services.openssh.openFirewall", false, ssh.place);
    methods(cx, out, ssh.place, Some(ssh));
    for address in &ssh.listen {
        let entry =
            Attrs::from_iter([("addr", Value::from(address.value.to_string())), ("port", Value::from(ssh.port.value))]);
        out.list("services.openssh.listenAddresses", [entry], address.place);
    }
}

/// Says how one may log in; what nobody wrote can be set below `[nixos]` without force.
fn methods(cx: &HostCx<'_>, out: &mut Settings, place: Place, ssh: Option<&Ssh>) {
    let written = |value: Value, written: Option<(bool, Place)>| match written {
        Some((true, place)) => (value, place),
        Some((false, place)) => (value.default_priority(), place),
        None => (value.default_priority(), place),
    };
    let (root, root_place) = written(
        ssh.map_or("prohibit-password", |ssh| ssh.root_login.value.word()).into(),
        ssh.map(|ssh| (ssh.root_login.written, ssh.root_login.place)),
    );
    let (password, password_place) = written(
        ssh.is_some_and(|ssh| ssh.password.value).into(),
        ssh.map(|ssh| (ssh.password.written, ssh.password.place)),
    );
    // PAM asks for the password through the third door as well.
    let names = if cx.spelling.ssh_settings() {
        ["settings.PermitRootLogin", "settings.PasswordAuthentication", "settings.KbdInteractiveAuthentication"]
    } else if cx.spelling.ssh_kbd_interactive() {
        ["permitRootLogin", "passwordAuthentication", "kbdInteractiveAuthentication"]
    } else {
        ["permitRootLogin", "passwordAuthentication", "challengeResponseAuthentication"]
    };
    if cx.spelling.ssh_settings() {
        // Neither is needed to log in or to jump on, and both lend what lies on the other side to this machine.
        out.derive("services.openssh.settings.X11Forwarding", false, place);
        out.derive("services.openssh.settings.AllowAgentForwarding", false, place);
        // Who has not proven a key by then is a scanner.
        out.derive("services.openssh.settings.LoginGraceTime", LOGIN_SECONDS, place);
    }
    let values = [(root, root_place), (password.clone(), password_place), (password, password_place)];
    for (name, (value, place)) in names.into_iter().zip(values) {
        out.set(&format!("services.openssh.{name}"), value, place);
    }
}

fn accounts(cx: &HostCx<'_>, access: &Access, out: &mut Settings) {
    for (name, user) in access.users.iter() {
        account(cx, name, user, user.key, out);
        if user.sudo.value {
            let mut command = Attrs::from_iter([("command", Value::from("ALL"))]);
            if !user.sudo_password.value {
                command.set(&["options"], vec!["NOPASSWD"]);
            }
            let rule = Attrs::from_iter([
                ("users", Value::from(vec![name.as_str()])),
                ("commands", Value::from(vec![command])),
            ]);
            out.list("security.sudo.extraRules", [rule], user.sudo.place);
        }
    }
}

fn account(cx: &HostCx<'_>, name: &str, user: &User, key: Place, out: &mut Settings) {
    let mut programs = None;
    let mut set = |option: &str, value: Value, place: Place| {
        let path: Vec<&str> = std::iter::once(name).chain(option.split('.')).collect();
        out.set_below("users.users", &path, value, place);
    };
    if user.system.value {
        set("isSystemUser", true.into(), user.system.place);
        set("group", name.into(), user.system.place);
    } else {
        set("isNormalUser", true.into(), key);
    }
    if let Some(uid) = &user.uid {
        set("uid", uid.value.into(), uid.place);
    }
    if let Some(first) = user.groups.first() {
        let groups: Vec<&str> = user.groups.iter().map(|group| group.as_str()).collect();
        set("extraGroups", groups.into(), first.place);
    }
    if let Some(shell) = &user.shell {
        set("shell", Expr::select("pkgs", shell.as_str()).into(), shell.place);
        // A shell that knows nothing of NixOS's environment is one in which hardly a program is found.
        programs = SHELLS.iter().find(|known| **known == shell.as_str()).map(|known| (*known, shell.place));
    }
    if let Some(home) = &user.home {
        set("home", home.as_str().into(), home.place);
    }
    if let Some((password, secret)) =
        user.password.as_ref().and_then(|name| Some((name, cx.host.secret(name.as_str())?)))
    {
        let option = if cx.spelling.hashed_password_file() { "hashedPasswordFile" } else { "passwordFile" };
        set(option, secret.path.as_str().into(), password.place);
    }
    if let Some(first) = user.keys.first() {
        let keys: Vec<&str> = user.keys.iter().map(|key| key.as_str()).collect();
        set("openssh.authorizedKeys.keys", keys.into(), first.place);
    }
    if user.system.value {
        out.set_below("users.groups", &[name], Attrs::new(), user.system.place);
    }
    if let Some((shell, place)) = programs {
        out.derive(&format!("programs.{shell}.enable"), true, place);
    }
}
