//! A root that survives the loss of a disk, started from a boot partition that does not.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{booting, nixos, pools};
use crate::fleet::schema::disks::{Partition, Role};
use crate::resolve::{MountSource, ResolvedHost};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "boot-not-mirrored",
    group: Group::Disk,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "root survives the loss of a disk, the boot partition does not",
    doc: include_str!("boot_not_mirrored.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(root) = host.mounts.iter().find(|mount| mount.path == "/") else { return };
    let MountSource::Dataset { pool, .. } = &root.source else { return };
    let redundant = host.pools.iter().find(|known| known.name == *pool).is_some_and(pools::survives_any_disk);
    // What firmware and loader read: the ESP, and `/boot` where it is a partition.
    let esp = booting::mounted_esps(host).next().map(|(mount, _)| mount).filter(|_| host.has_uefi());
    let own = host.mounts.iter().find(|mount| mount.path == "/boot");
    let single = esp.into_iter().chain(own).find_map(|mount| match &mount.source {
        MountSource::Partition { disk, def, .. } if !is_mirrored(host, disk, def) => Some((mount, *disk, *def)),
        _ => None,
    });
    let Some((boot, disk, partition)) = single.filter(|_| redundant) else { return };
    if nixos::is_set(host, &["boot", "loader", "grub", "mirroredBoots"]) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["mirroredBoots"]) {
        found.unchecked(format!("{} may mirror the boot partition", quoted(file)));
        return;
    }
    let message = format!("`{pool}` survives the loss of a disk, `{}` on `{disk}` does not", boot.path);
    let mut finding = Finding::at(boot.place, message)
        .label(format!("only on `{disk}`"))
        .related(root.place, format!("on `{pool}`, which is redundant"));
    for mirror in booting::mirrors(host) {
        finding = finding.related(mirror.place, format!("has no partition like `{disk}.{}`", partition.name.value));
    }
    found.report(
        finding
            .why(format!("when `{disk}` fails, the data is whole and the machine does not start"))
            .help("a second disk with the same boot partitions, named in `boot.mirrors`")
            .help("an `allow` entry that says how the boot partition is made again, where one disk has to do"),
    );
}

/// Tells whether a disk of `boot.mirrors` has a partition for a copy: an ESP, or one of the same role and name.
fn is_mirrored(host: &ResolvedHost<'_>, disk: &str, partition: &Partition) -> bool {
    let role = partition.role.value;
    booting::mirrors(host).filter(|mirror| mirror.disk.name != disk).any(|mirror| {
        let of_role = |name: &str| role == Role::Esp || name == partition.name.as_str();
        mirror.disk.partitions.iter().any(|copy| copy.role == role && of_role(copy.name))
    })
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    const RULE: &str = "boot-not-mirrored";

    fn host(kind: &str, mirrors: &str, copy: &str, more: &str) -> String {
        let disk = |name: &str, boot: &str| {
            format!(
                "disks.{name} = {{ id = 'ata-{name}', size = '2TB', partitions = [\n\
                 {{ name = 'bios', role = 'bios-boot', size = '1MiB' }},\n{boot}\
                 {{ name = 'tank', role = 'zfs', size = 'rest' }},\n] }}\n"
            )
        };
        let boot = "{ name = 'boot', role = 'filesystem', size = '2GiB', format = 'ext4', mount = '/boot' },\n";
        format!(
            "boot.mirrors = [{mirrors}]\n{}{}zfs.pools.p.vdevs = [{{ type = '{kind}', members = ['left.tank', 'right.tank'] }}]\n\
             zfs.pools.p.datasets.root = {{ mount = '/' }}\n{more}",
            disk("left", boot),
            disk("right", copy),
        )
    }

    #[test]
    fn only_a_mirror_with_a_partition_for_the_copy_counts() {
        let copy = "{ name = 'boot', role = 'filesystem', size = '2GiB', format = 'ext4' },\n";
        let other = "{ name = 'spare', role = 'filesystem', size = '2GiB', format = 'ext4' },\n";
        let by_hand =
            "nixos.boot.loader.grub.mirroredBoots = [{ path = '/boot', devices = ['/dev/disk/by-id/ata-left'] }]\n";
        assert!(said(RULE, &host("mirror", "'right'", copy, "")).is_empty());
        for unmirrored in
            [host("mirror", "", copy, ""), host("mirror", "'left'", copy, ""), host("mirror", "'right'", other, "")]
        {
            assert_eq!(
                said(RULE, &unmirrored),
                ["warning: `p` survives the loss of a disk, `/boot` on `left` does not"],
                "{unmirrored}"
            );
        }
        assert!(said(RULE, &host("mirror", "", copy, by_hand)).is_empty());
        // A root that does not survive either is no reason to speak.
        assert!(said(RULE, &host("stripe", "", copy, "")).is_empty());
    }
}
