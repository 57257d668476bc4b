//! A disk that GRUB boots through BIOS without room for its core image.

use crate::check::booting;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::machine::Loader;
use crate::resolve::{MountSource, ResolvedDisk};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "bios-boot-missing",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "GRUB has no BIOS boot partition on a disk that must boot",
    doc: include_str!("bios_boot_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let loader = &host.def.boot.loader;
    if !host.has_bios() || loader.value != Loader::Grub {
        return;
    }
    let has_core = |disk: &ResolvedDisk<'_>| disk.partitions.iter().any(|partition| partition.role == Role::BiosBoot);
    if let Some(mount) = booting::boot_mount(host).filter(|_| !host.disks.iter().any(has_core)) {
        let message = format!("`{}` boots through BIOS, and no disk has a partition for GRUB", host.name);
        let help = |disk: &str| format!("{PARTITION} as the first partition of {disk}");
        let finding = match &mount.source {
            MountSource::Partition { disk, .. } => {
                let finding = Finding::at(mount.place, message).label("GRUB finds its menu here");
                finding.related(host.def.machine.firmware.place, "boots through BIOS").help(help(&format!("`{disk}`")))
            }
            MountSource::Array { name, .. } => {
                let finding = Finding::at(mount.place, message).label("GRUB finds its menu here");
                finding
                    .related(host.def.machine.firmware.place, "boots through BIOS")
                    .help(help(&format!("each disk of the array `{name}`")))
            }
            MountSource::Foreign(_) | MountSource::Persisted { .. } => {
                Finding::at(loader.place, message).label("boots through BIOS").help(help("a disk"))
            }
            MountSource::Dataset { pool, .. } => {
                let finding = Finding::at(loader.place, message).label("boots through BIOS");
                finding.related(mount.place, "GRUB finds its menu here").help(help(&format!("a disk of `{pool}`")))
            }
        };
        found.report(finding.why(WHY));
        return;
    }
    for mirror in booting::mirrors(host).filter(|mirror| !has_core(mirror.disk)) {
        let name = mirror.disk.name;
        found.report(
            Finding::at(mirror.place, format!("`{name}` must boot through BIOS and has no partition for GRUB"))
                .label("must boot too")
                .related(mirror.disk.def.key, "the disk")
                .why(WHY)
                .help(format!("{PARTITION} as the first partition of `{name}`"))
                .help("remove it from `boot.mirrors`"),
        );
    }
}

const WHY: &str = "on a GPT disk GRUB has no gap for its core image: it refuses to install, or writes where the next tool overwrites it";
const PARTITION: &str = "`{ name = \"bios\", role = \"bios-boot\", size = \"1MiB\" }`";

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn one_disk_needs_room_for_the_core_image_and_so_does_every_mirror() {
        let host = |first: &str, second: &str, mirrors: &str| {
            let bios = "{ name = 'bios', role = 'bios-boot', size = '1MiB' },\n";
            let on = |there: &str| if there.is_empty() { "" } else { bios };
            format!(
                "boot.mirrors = [{mirrors}]\n\
                 disks.one = {{ id = 'ata-1', size = '512GB', partitions = [\n{}\
                 {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }},\n] }}\n\
                 disks.two = {{ id = 'ata-2', size = '512GB', partitions = [\n{}\
                 {{ name = 'data', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/data' }},\n] }}\n",
                on(first),
                on(second),
            )
        };
        let rule = "bios-boot-missing";
        assert!(said(rule, &host("x", "", "")).is_empty());
        assert!(said(rule, &host("", "x", "")).is_empty());
        assert!(said(rule, &host("x", "x", "'two'")).is_empty());
        assert_eq!(
            said(rule, &host("", "", "")),
            ["error: `a` boots through BIOS, and no disk has a partition for GRUB"]
        );
        assert_eq!(
            said(rule, &host("x", "", "'two'")),
            ["error: `two` must boot through BIOS and has no partition for GRUB"]
        );
    }
}
