//! A pool that is made with every feature of its ZFS while an older ZFS may boot the host.

use crate::check::phrase::listed;
use crate::check::pools;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::Import;
use crate::fleet::schema::zfs::Compatibility;
use crate::resolve::SystemRole;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "compatibility-absent",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &["OpenZFS features", "ZFS of the release"],
    summary: "a pool is made without `compatibility` while an older ZFS may boot",
    doc: include_str!("compatibility_absent.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(installer) = host.systems.iter().find(|system| system.role == SystemRole::Installer) else { return };
    let making = host.pools.iter().filter(|pool| pool.def.compatibility.value == Compatibility::Off);
    for pool in making.filter(|pool| pools::probed(host, pool.name).is_none()) {
        let known = installer.zfs.and_then(|zfs| Some((zfs, cx.facts.zfs().line(zfs)?.features)));
        let Some((by, features)) = known else {
            found.unchecked("the features of the installer's OpenZFS are not known");
            return;
        };
        for system in host.systems.iter().filter(|system| system.role != SystemRole::Installer) {
            let older = system.zfs.and_then(|zfs| Some((zfs, cx.facts.zfs().line(zfs)?.features)));
            let Some((zfs, of_system)) = older else {
                found.unchecked(format!("the features of the OpenZFS of {} are not known", system.name));
                continue;
            };
            let missing = features.without(of_system);
            // What is active from the first second is `zfs-pool-newer-than-channel`.
            let verdict = cx.facts.zfs().import(features.active_at_creation().names(), zfs);
            if missing.is_empty() || verdict.is_none_or(|verdict| verdict.import != Import::ReadWrite) {
                continue;
            }
            let message = format!(
                "`{}` is made with every feature of OpenZFS {by}, and {zfs} of {} lacks {}",
                pool.name,
                system.name,
                listed(missing.names()),
            );
            found.report(
                Finding::at(pool.def.compatibility.place, message)
                    .label("nothing is left out")
                    .related(installer.place, format!("makes the pool, OpenZFS {by}"))
                    .related(system.release_place, format!("{}, OpenZFS {zfs}", system.role.as_str()))
                    .why(
                        "the pool imports there as long as none of them is used; the first write that uses one closes that way for good",
                    )
                    .help("remove `compatibility`: `auto`, the default, takes the oldest ZFS that may import the pool")
                    .help("the name of a set that all of these systems know"),
            );
        }
    }
}
