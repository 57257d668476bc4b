//! A root that survives the loss of a disk, started from a boot partition that does not.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{booting, nixos, pools};
use crate::resolve::MountSource;
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
    // The partition that firmware or loader reads first: the ESP, else `/boot`.
    let esp = booting::mounted_esps(host).next().map(|(mount, _)| mount).filter(|_| host.has_uefi());
    let boot = esp.or_else(|| host.mounts.iter().find(|mount| mount.path == "/boot"));
    let Some((boot, disk)) = boot.and_then(|mount| match &mount.source {
        MountSource::Partition { disk, .. } => Some((mount, *disk)),
        MountSource::Dataset { .. } => None,
    }) else {
        return;
    };
    if !redundant || booting::mirrors(host).any(|mirror| mirror.disk.name != disk) {
        return;
    }
    if nixos::is_set(host, &["boot", "loader", "grub", "mirroredBoots"]) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["mirroredBoots"]) {
        found.unchecked(format!("{} may mirror the boot partition", quoted(file)));
        return;
    }
    let message = format!("`{pool}` survives the loss of a disk, `{}` on `{disk}` does not", boot.path);
    found.report(
        Finding::at(boot.place, message)
            .label(format!("only on `{disk}`"))
            .related(root.place, format!("on `{pool}`, which is redundant"))
            .why(format!("when `{disk}` fails, the data is whole and the machine does not start"))
            .help("a second disk with the same boot partitions, named in `boot.mirrors`")
            .help("an `allow` entry that says how the boot partition is made again, where one disk has to do"),
    );
}
