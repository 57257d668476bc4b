//! access.nix: the ssh server, accounts, and who becomes root.

use super::HostCx;
use super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::access::{Access, Ssh, User};
use crate::nix::{Attrs, Expr, Value};
use crate::source::Place;

/// Returns what access.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
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
    accounts(access, &mut out);
    out
}

fn server(cx: &HostCx<'_>, ssh: &Ssh, out: &mut Settings) {
    out.keyed("services.openssh.enable", &ssh.enable, ssh.enable.value);
    if !ssh.enable.value {
        return;
    }
    out.set("services.openssh.ports", vec![ssh.port.value], ssh.port.place);
    // What is open is stated in one place, `network.firewall`.
    out.set("services.openssh.openFirewall", false, ssh.place);
    methods(cx, out, ssh.place, Some(ssh));
    for address in &ssh.listen {
        let entry =
            Attrs::from_iter([("addr", Value::from(address.value.to_string())), ("port", Value::from(ssh.port.value))]);
        out.list("services.openssh.listenAddresses", [entry], address.place);
    }
}

/// Says how one may log in.
fn methods(cx: &HostCx<'_>, out: &mut Settings, place: Place, ssh: Option<&Ssh>) {
    let password = ssh.is_some_and(|ssh| ssh.password.value);
    let root = ssh.map_or("prohibit-password", |ssh| ssh.root_login.value.word());
    let root_place = ssh.map_or(place, |ssh| ssh.root_login.place);
    let password_place = ssh.map_or(place, |ssh| ssh.password.place);
    if cx.spelling.ssh_settings() {
        out.set("services.openssh.settings.PermitRootLogin", root, root_place);
        out.set("services.openssh.settings.PasswordAuthentication", password, password_place);
        // PAM asks for the password through this door as well.
        out.set("services.openssh.settings.KbdInteractiveAuthentication", password, password_place);
        return;
    }
    out.set("services.openssh.permitRootLogin", root, root_place);
    out.set("services.openssh.passwordAuthentication", password, password_place);
    let interactive = if cx.spelling.ssh_kbd_interactive() {
        "services.openssh.kbdInteractiveAuthentication"
    } else {
        "services.openssh.challengeResponseAuthentication"
    };
    out.set(interactive, password, password_place);
}

fn accounts(access: &Access, out: &mut Settings) {
    for (name, user) in access.users.iter() {
        account(name, user, user.key, out);
        if user.sudo.value {
            // Without a password in the definition sudo could never be passed with one.
            let command =
                Attrs::from_iter([("command", Value::from("ALL")), ("options", Value::from(vec!["NOPASSWD"]))]);
            let rule = Attrs::from_iter([
                ("users", Value::from(vec![name.as_str()])),
                ("commands", Value::from(vec![command])),
            ]);
            out.list("security.sudo.extraRules", [rule], user.sudo.place);
        }
    }
}

fn account(name: &str, user: &User, key: Place, out: &mut Settings) {
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
    }
    if let Some(home) = &user.home {
        set("home", home.as_str().into(), home.place);
    }
    if let Some(first) = user.keys.first() {
        let keys: Vec<&str> = user.keys.iter().map(|key| key.as_str()).collect();
        set("openssh.authorizedKeys.keys", keys.into(), first.place);
    }
    if user.system.value {
        out.set_below("users.groups", &[name], Attrs::new(), user.system.place);
    }
}
