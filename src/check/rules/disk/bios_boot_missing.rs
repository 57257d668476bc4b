//! A disk that GRUB boots through BIOS without room for its core image.

use crate::check::booting::{self, BootDisk};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::machine::Loader;
use crate::resolve::MountSource;
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
    if let Some(mount) = booting::boot_mount(host) {
        let disks = booting::disks_of(host, mount);
        match (&mount.source, disks.first()) {
            (MountSource::Partition { .. }, Some(disk)) if !disk.has(Role::BiosBoot) => found.report(missing(disk)),
            // Any disk of the pool can start GRUB, which then finds the pool.
            (MountSource::Dataset { pool, .. }, Some(_)) => {
                if !disks.iter().chain(&booting::mirrors(host).collect::<Vec<_>>()).any(|disk| disk.has(Role::BiosBoot))
                {
                    let message = format!("no disk of `{pool}` has a BIOS boot partition for GRUB");
                    found.report(
                        Finding::at(loader.place, message)
                            .label("boots through BIOS")
                            .related(mount.place, "read from the pool")
                            .why(WHY)
                            .help(HELP)
                            .help("a disk of its own for `/boot`"),
                    );
                }
            }
            _ => {}
        }
    }
    for mirror in booting::mirrors(host).filter(|mirror| !mirror.has(Role::BiosBoot)) {
        found.report(missing(&mirror));
    }
}

const WHY: &str = "on a GPT disk GRUB has no gap for its core image: it refuses to install, or writes where the next tool overwrites it";
const HELP: &str = "`{ name = \"bios\", role = \"bios-boot\", size = \"1MiB\" }` as the first partition of a disk";

fn missing(disk: &BootDisk<'_>) -> Finding {
    let name = disk.disk.name;
    let finding = Finding::at(disk.place, format!("`{name}` must boot through BIOS and has no partition for GRUB"))
        .label(if disk.mirror { "must boot too" } else { "read from this disk" })
        .related(disk.disk.def.key, "the disk")
        .why(WHY)
        .help(format!(
            "`{{ name = \"bios\", role = \"bios-boot\", size = \"1MiB\" }}` as the first partition of `{name}`"
        ));
    if disk.mirror { finding.help("remove it from `boot.mirrors`") } else { finding }
}
