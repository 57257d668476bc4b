//! A `/boot` that GRUB cannot read.

use crate::check::booting;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::Loader;
use crate::resolve::MountSource;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "boot-filesystem-unreadable",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the loader cannot read the file system of `/boot`",
    doc: include_str!("boot_filesystem_unreadable.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let loader = &host.def.boot.loader;
    if loader.value != Loader::Grub {
        return;
    }
    let Some(mount) = booting::boot_mount(host) else { return };
    let (place, label, why) = match &mount.source {
        MountSource::Partition { def, .. } if def.luks.is_some() => {
            (def.luks.as_ref().map_or(mount.place, |luks| luks.place), "LUKS around it", LUKS)
        }
        MountSource::Array { def, .. } if def.luks.is_some() => {
            (def.luks.as_ref().map_or(mount.place, |luks| luks.place), "LUKS around it", LUKS)
        }
        MountSource::Foreign(def) => (def.kind.place, "no file system of a disk", "GRUB finds kernels on disks only"),
        _ => return,
    };
    found.report(
        Finding::at(place, format!("GRUB cannot read `{}`, which holds its menu and the kernels", mount.path))
            .label(label)
            .related(loader.place, "the loader")
            .why(why)
            .help("a plain partition with ext4 for `/boot`")
            .help("`loader = \"systemd-boot\"` with the ESP on `/boot`, on UEFI"),
    );
}

const LUKS: &str = "a passphrase is stretched with argon2id, which GRUB cannot compute: it never opens";
