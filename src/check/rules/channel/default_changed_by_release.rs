//! Defaults that a host relies on and that its channel has changed since the release that runs.

use std::collections::BTreeSet;

use crate::check::phrase::joined;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{nixos, options_set};
use crate::facts::{Found, OptionChange, OptionIndex, OptionRef, compare, join_name, split_name};
use crate::resolve::ResolvedHost;
use crate::source::{Level, Place};
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "default-changed-by-release",
    group: Group::Channel,
    level: Level::Note,
    allowable: true,
    needs: &["running release", "options of the release"],
    summary: "a default that the host relies on differs between the running release and the new one",
    doc: include_str!("default_changed_by_release.md"),
    check: Check::Host(check),
};

/// What every host relies on without naming it, by the beginnings of option names.
const EVERYWHERE: &[&str] = &[
    "boot.enableContainers",
    "boot.initrd.systemd",
    "boot.kernel",
    "boot.swraid",
    "boot.tmp",
    "documentation",
    "i18n.defaultLocale",
    "networking.firewall",
    "networking.nftables",
    "networking.resolvconf",
    "networking.useDHCP",
    "nix",
    "programs.ssh",
    "security.audit",
    "security.pam",
    "security.polkit",
    "security.sudo",
    "services.dbus",
    "services.journald",
    "services.logrotate",
    "services.nscd",
    "services.openssh",
    "services.resolved",
    "services.timesyncd",
    "services.zfs",
    "systemd",
    "users",
    "zramSwap",
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(running) = probed::running_release(cx, found) else { return };
    let channel = &cx.host.channel;
    let release = channel.channel.release.value;
    // The way back is told by other rules.
    if running.value.base() >= release.base() {
        return;
    }
    let (Some(from), Some(to)) = (cx.facts.options(running.value), cx.facts.options_of(channel.name, release)) else {
        found.unchecked("the facts have no list of options");
        return;
    };
    if from.release == to.release {
        found.unchecked(format!("the facts have one list of options for NixOS {} and {release}", running.value));
        return;
    }
    let relied = Relied { from, to, set: options_set(cx.host, &[from, to]), host: cx.host };
    let mut changes = Vec::new();
    for prefix in EVERYWHERE {
        relied.changes(prefix, &mut changes);
    }
    report(cx.host.name, channel.at, &changes, running.value, release, found);
    for service in cx.host.running() {
        let Some(module) = service.module else { continue };
        let mut changes = Vec::new();
        relied.changes(module.prefix, &mut changes);
        report(service.name, service.def.key, &changes, running.value, release, found);
    }
}

fn report(who: &str, place: Place, changes: &[String], from: Release, to: Release, found: &mut Findings) {
    let what = match changes.len() {
        0 => return,
        1 => "a default".to_owned(),
        many => format!("{many} defaults"),
    };
    found.report(
        Finding::at(place, format!("`{who}` relies on {what} that NixOS {to} changes: {}", joined(changes)))
            .about(who)
            .why("the first start with the new release behaves otherwise, though nothing in the definition changed")
            .help("write the old value where the host needs it")
            .help(format!("`hostwright facts diff {from} {to} --all` lists every change")),
    );
}

/// Two releases, and what a host sets itself.
struct Relied<'a> {
    from: OptionIndex<'a>,
    to: OptionIndex<'a>,
    set: BTreeSet<Vec<String>>,
    host: &'a ResolvedHost<'a>,
}

impl Relied<'_> {
    /// Adds the changed defaults below a name, as `option` with the old and the new value. Only plain values are told: of an
    /// expression nobody knows here what it comes to.
    fn changes(&self, prefix: &str, changes: &mut Vec<String>) {
        let prefix = split_name(prefix);
        let loc: Vec<&str> = prefix.iter().map(String::as_str).collect();
        self.to.each_below(&loc, &mut |name, option| {
            let is_instance = name.iter().any(|segment| segment.starts_with('<') || *segment == "*");
            if is_instance || option.hidden() || option.internal() || self.is_set(name) || self.is_off(name) {
                return;
            }
            for change in compare(self.from, self.to, name) {
                let OptionChange::Default { from: Some(from), to: Some(to) } = change else { continue };
                if is_plain(&from, option) && is_plain(&to, option) {
                    changes.push(format!("`{}` from `{from}` to `{to}`", join_name(name)));
                }
            }
        });
    }

    /// Tells whether the host sets an option, or something that it lies in.
    fn is_set(&self, name: &[&str]) -> bool {
        (1..=name.len()).any(|len| self.has(name.get(..len).unwrap_or_default()))
    }

    fn has(&self, name: &[&str]) -> bool {
        let name: Vec<String> = name.iter().map(|segment| (*segment).to_owned()).collect();
        self.set.contains(&name)
    }

    /// Tells whether an option belongs to something that is switched off, and by nobody switched on.
    fn is_off(&self, name: &[&str]) -> bool {
        (1..name.len()).any(|len| {
            let mut switch = name.get(..len).unwrap_or_default().to_vec();
            switch.push("enable");
            let off = || matches!(self.to.lookup(&switch), Found::Option(option) if option.default() == Some("false"));
            let said = nixos::switch(self.host, &switch).map(|(on, _)| on);
            switch != name && said.map_or_else(|| off() && !self.has(&switch), |on| !on)
        })
    }
}

/// Tells whether a default is a value that says what it is: a truth value, a number, nothing, or a text that is no expression.
fn is_plain(text: &str, option: OptionRef<'_>) -> bool {
    let is_switch = option.ty().describe().contains("boolean");
    match text {
        "null" => true,
        "true" | "false" => is_switch,
        _ if is_switch => false,
        _ if text.bytes().all(|b| b.is_ascii_digit()) => true,
        _ => {
            let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let words = ["config.", "pkgs.", "lib.", "${", "(", "\n", "\\"];
            inner.is_some_and(|inner| !words.iter().any(|word| inner.contains(word)))
        }
    }
}
