//! What a user's own NixOS settings say of things that the typed keys say too: `[nixos]`, and the .nix files beside a host.
//!
//! A rule that misses something asks here before it speaks, because somebody may have written it in Nix. Of the .nix files only
//! the words are looked at: they make a rule say that it could not check, never that something is there.

use super::rule::HostCx;
use crate::resolve::ResolvedHost;
use crate::source::{Kind, Node};

/// Returns a setting under `[nixos]`.
pub(super) fn setting<'a>(host: &ResolvedHost<'a>, route: &[&str]) -> Option<&'a Node> {
    host.def.nixos.as_ref()?.at(route)
}

/// Returns a switch under `[nixos]` with its place, where it is written as `true` or `false`.
pub(super) fn switch<'a>(host: &ResolvedHost<'a>, route: &[&str]) -> Option<(bool, &'a Node)> {
    let node = setting(host, route)?;
    match node.kind {
        Kind::Bool(value) => Some((value, node)),
        _ => None,
    }
}

/// Tells whether something is set under `[nixos]`, other than to an empty list, an empty table or `false`.
pub(super) fn is_set(host: &ResolvedHost<'_>, route: &[&str]) -> bool {
    setting(host, route).is_some_and(says_something)
}

fn says_something(node: &Node) -> bool {
    match &node.kind {
        Kind::List(items) => !items.is_empty(),
        Kind::Table(table) => !table.is_empty(),
        Kind::Bool(value) => *value,
        Kind::Null => false,
        _ => true,
    }
}

/// Returns the first .nix file beside the host that holds one of the words.
pub(super) fn file_with<'a>(cx: &HostCx<'a>, words: &[&str]) -> Option<&'a str> {
    let holds = |text: &str| words.iter().any(|word| text.contains(word));
    cx.host.source.nix.iter().find(|(_, file)| holds(&cx.sources.text(*file))).map(|(name, _)| name.as_str())
}

/// Services of NixOS that listen on no port of their own.
const QUIET: &[&str] = &[
    "cron",
    "earlyoom",
    "fail2ban",
    "fstrim",
    "fwupd",
    "irqbalance",
    "journald",
    "logrotate",
    "openssh",
    "sanoid",
    "smartd",
    "syncoid",
    "thermald",
    "zfs",
];

/// Tells whether the user's own settings may start programs that listen and that hostwright does not know.
pub(super) fn may_listen(host: &ResolvedHost<'_>) -> bool {
    let below = |route: &[&str]| setting(host, route).and_then(Node::as_table).into_iter().flatten();
    let services = below(&["services"])
        .any(|(name, entry)| !QUIET.contains(&name.as_str()) && (is_nix(&entry.node) || switched_on(&entry.node)));
    let groups = [&["programs"][..], &["virtualisation"], &["networking", "wireguard"], &["networking", "wg-quick"]];
    let others = groups.iter().any(|group| setting(host, group).is_some_and(switched_on));
    let declared = [&["systemd", "services"][..], &["systemd", "sockets"], &["containers"], &["imports"]];
    !host.source.nix.is_empty() || services || others || declared.iter().any(|route| is_set(host, route))
}

/// Tells whether anything at or below is switched on, or left to Nix.
fn switched_on(node: &Node) -> bool {
    let Some(table) = node.as_table() else { return is_nix(node) };
    table.iter().any(|(name, entry)| (name == "enable" && says_something(&entry.node)) || switched_on(&entry.node))
}

fn is_nix(node: &Node) -> bool {
    matches!(node.kind, Kind::Nix(_))
}
