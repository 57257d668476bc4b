//! A pool that is made with every feature of its ZFS while an older ZFS may boot the host.

use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{pool_features, pools};
use crate::fleet::schema::zfs::Compatibility;
use crate::resolve::{SystemRole, ZfsSystem};
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
    let Some(installer) = pool_features::installer(cx) else { return };
    let making = host.pools.iter().filter(|pool| pool.def.compatibility.value == Compatibility::Off);
    for pool in making.filter(|pool| pools::probed(host, pool.name).is_none()) {
        let features = |zfs| Some(cx.facts.zfs().line(zfs)?.features);
        let Some((by, made_with)) = installer.zfs.and_then(|zfs| Some((zfs, features(zfs)?))) else {
            found.unchecked("the features of the installer's OpenZFS are not known");
            return;
        };
        // What is known of the others is `zfs-pool-newer-than-channel`: whether they know every feature, and which they lack.
        let may_lack = |system: &&ZfsSystem| {
            let oldest = system.at_least.and_then(features);
            system.role != SystemRole::Installer
                && system.zfs.is_none()
                && oldest.is_none_or(|oldest| !made_with.without(oldest).is_empty())
        };
        let unknown: Vec<&ZfsSystem> = host.systems.iter().filter(may_lack).collect();
        if unknown.is_empty() {
            continue;
        }
        let names: Vec<String> = unknown.iter().map(|system| called(system)).collect();
        let message = format!(
            "`{}` is made with every feature of OpenZFS {by}, and {} may have an older one",
            pool.name,
            joined(&names),
        );
        let mut finding = Finding::at(pool.def.compatibility.place, message)
            .label("nothing is left out")
            .related(installer.place, format!("makes the pool, OpenZFS {by}"));
        for system in &unknown {
            let which = match system.at_least {
                Some(oldest) => format!("OpenZFS {oldest} or newer"),
                None => "nothing says which OpenZFS this has".to_owned(),
            };
            let rescue = host.def.machine.rescue.as_ref().filter(|_| system.role == SystemRole::Rescue);
            let place = rescue.filter(|rescue| rescue.channel.is_none()).map_or(system.place, |rescue| rescue.place);
            finding = finding.related(place, which);
        }
        found.report(
            finding
                .why("a feature that a system does not know keeps it from importing the pool, at once or from the first write that uses it")
                .help("remove `compatibility`: `auto`, the default, takes the oldest ZFS that may import the pool")
                .help("the name of a set that all of these systems know")
                .help("say which OpenZFS they have: `zfs` of the channel, `[machine.rescue] zfs`"),
        );
    }
}

fn called(system: &ZfsSystem) -> String {
    match system.role {
        SystemRole::New => system.name.clone(),
        role => role.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_system_is_doubtful_only_where_nothing_says_enough_of_its_zfs() {
        let host = |installer: &str, more: &str| {
            format!(
                "installer = {{ method = 'kexec', zfs = '{installer}' }}\nzfs.package = 'zfs_2_4'\n{more}\
                 disks.d0 = {{ id = 'ata-D0', size = '2TB' }}\n\
                 zfs.pools.tank = {{ compatibility = 'off', vdevs = [{{ type = 'stripe', members = ['d0'] }}] }}\n"
            )
        };
        let rule = "compatibility-absent";
        assert!(said(rule, &host("2.3.4", "")).is_empty());
        assert!(said(rule, &host("2.3.4", "machine.rescue.zfs = '2.4.0'\n")).is_empty());
        assert_eq!(said(rule, &host("2.3.4", "machine.rescue = {}\n")).len(), 1);
        assert_eq!(
            said(rule, &host("9.9", "machine.rescue = {}\n")),
            ["unchecked: the features of the installer's OpenZFS are not known"]
        );
        assert!(said(rule, &host("2.3.4", "machine.rescue = {}\n").replace("'off'", "'auto'")).is_empty());
    }
}
