//! Two accounts with one number.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "static-uid-collision",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "two accounts have one number",
    doc: include_str!("static_uid_collision.md"),
    check: Check::Host(check),
};

/// The first number that NixOS gives to system accounts as they come up; systemd's transient ones begin there too
/// (nixos/modules/misc/ids.nix, systemd.exec(5)). Those below 400 are fixed by NixOS.
const FIXED_BELOW: u32 = 400;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let mut known: Vec<(u32, String, Place)> = vec![(0, "`root`".to_owned(), cx.host.place)];
    for service in cx.host.running() {
        if let Some(uid) = service.module.and_then(|module| module.file.uid.as_ref()) {
            known.push((uid.value, format!("the account of `{}`", service.name), service.def.key));
        }
    }
    // By name: which of two is told must not depend on the order of the file.
    let mut users: Vec<_> = cx.host.def.access.iter().flat_map(|access| access.users.iter()).collect();
    users.sort_by_key(|(name, _)| name.as_str());
    for (name, user) in users {
        let Some(uid) = &user.uid else { continue };
        if let Some((_, other, place)) = known.iter().find(|(number, ..)| *number == uid.value) {
            found.report(
                Finding::at(uid.place, format!("`{name}` and {other} have the number {}", uid.value))
                    .related(*place, "the other one")
                    .why("to the kernel they are one: each may read, change and stop what the other has")
                    .help("a number from 1000 on that no other account has"),
            );
            continue;
        }
        if uid.value < FIXED_BELOW && !user.system.value {
            found.unchecked(format!("whether NixOS gives the number {} to an account of its own", uid.value));
        }
        known.push((uid.value, format!("`{name}`"), uid.place));
    }
}
