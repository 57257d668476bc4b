//! An ssh server that takes passwords.

use crate::check::nixos;
use crate::check::ports::Sshd;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::access::RootLogin;
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "password-login-open",
    group: Group::Access,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "the ssh server takes passwords",
    doc: include_str!("password_login_open.md"),
    check: Check::Host(check),
};

/// Options by which `[nixos]` lets passwords in, by their names of today and before 23.05.
const OPTIONS: &[&[&str]] = &[
    &["services", "openssh", "settings", "PasswordAuthentication"],
    &["services", "openssh", "settings", "KbdInteractiveAuthentication"],
    &["services", "openssh", "passwordAuthentication"],
    &["services", "openssh", "kbdInteractiveAuthentication"],
    &["services", "openssh", "challengeResponseAuthentication"],
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if !Sshd::of(cx.host).enabled {
        return;
    }
    let ssh = cx.host.def.access.as_ref().and_then(|access| access.ssh.as_ref());
    let by_key = ssh.filter(|ssh| ssh.password.value).map(|ssh| ssh.password.place);
    let on = |option: &&[&str]| nixos::switch(cx.host, option).filter(|(on, _)| *on).map(|(_, node)| node.place);
    let place: Option<Place> = by_key.or_else(|| OPTIONS.iter().find_map(on));
    let Some(place) = place else { return };
    let root = ssh.filter(|ssh| ssh.root_login.value == RootLogin::Yes);
    let who = if root.is_some() { ", root's too" } else { "" };
    let mut finding = Finding::at(place, format!("the ssh server of `{}` takes passwords{who}", cx.host.name))
        .label("whoever guesses one is in")
        .why("every ssh server on the internet is tried with lists of passwords, day and night");
    if let Some(ssh) = root {
        finding = finding.related(ssh.root_login.place, "root may log in with one");
    }
    found.report(finding.help("remove it, once everybody has a key in `keys` or `root-keys`"));
}
