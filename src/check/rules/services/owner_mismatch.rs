//! Data that its service cannot read.

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "owner-mismatch",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "the data of a claim would belong to another account than the service's",
    doc: include_str!("owner_mismatch.md"),
    check: Check::Host(check),
};

/// From this number on no system account of NixOS or systemd begins (login.defs(5), `SYS_UID_MAX` and `UID_MIN`).
const ORDINARY: u32 = 1000;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let Some(module) = one.service.module else { continue };
        let Some(user) = module.file.user.as_ref().map(|user| user.value.as_str()) else { continue };
        let own = module.file.uid.as_ref().map(|uid| uid.value);
        for (moved, claim) in one.moved() {
            // A dump is read by the service itself.
            if moved.dump.is_some() {
                continue;
            }
            let name = moved.claim.as_str();
            let of_cluster = claim.and_then(|claim| claim.owner.as_deref());
            let (place, owner, how) = match &moved.owner {
                Some(owner) => (owner.place, owner.value.0.as_str(), "is given to"),
                None => match of_cluster {
                    Some(owner) => (moved.claim.place, owner, "belongs in the cluster to"),
                    None => continue,
                },
            };
            match owner.parse::<u32>() {
                Ok(number) if own == Some(number) => continue,
                Ok(number) if own.is_none() && number < ORDINARY => {
                    found.unchecked(format!(
                        "whether `{user}`, whose number NixOS gives out, is {number}, which the data of `{name}` belongs to"
                    ));
                    continue;
                }
                Err(_) if owner == user => continue,
                _ => {}
            }
            let finding = Finding::at(
                place,
                format!("the data of `{name}` {how} `{owner}`, and `{}` runs as `{user}`", one.service.name),
            );
            let finding = match claim.filter(|_| moved.owner.is_none()) {
                Some(claim) => finding.related(claim.place, "the claim, whose files keep their numbers"),
                None => finding,
            };
            found.report(
                finding
                    .about(name)
                    .why("the service cannot read or change its own data, and fails at its start or at the first write")
                    .help(format!("`owner = \"{user}\"` for this claim in `volumes` of `migrates-from`")),
            );
        }
    }
}
