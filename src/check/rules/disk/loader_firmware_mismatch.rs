//! A boot loader that the firmware cannot start.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{booting, nixos};
use crate::fleet::schema::disks::Table;
use crate::fleet::schema::machine::{Firmware, Loader};
use crate::source::{Kind, Level, Node};

pub(super) static RULE: Rule = Rule {
    id: "loader-firmware-mismatch",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the firmware cannot start the boot loader",
    doc: include_str!("loader_firmware_mismatch.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let loader = &host.def.boot.loader;
    let firmware = &host.def.machine.firmware;
    let boots = match firmware.value {
        Firmware::Bios => "boots through BIOS",
        Firmware::Uefi => "boots through UEFI",
        Firmware::Both => return,
    };
    if firmware.value == Firmware::Bios && loader.value == Loader::SystemdBoot {
        found.report(
            Finding::at(loader.place, format!("`{}` boots through BIOS, which cannot start systemd-boot", host.name))
                .label("a program for UEFI")
                .related(firmware.place, boots)
                .why("BIOS loads the first sector of a disk, where systemd-boot writes nothing")
                .help("`loader = \"grub\"`")
                .help("`firmware = \"uefi\"`, if the machine can boot that way, with an EFI system partition"),
        );
    }
    if loader.value == Loader::SystemdBoot && firmware.value != Firmware::Bios {
        esp_on_mbr(cx, found);
    }
    if loader.value == Loader::Grub {
        grub(cx, boots, found);
    }
    if firmware.value == Firmware::Bios
        && loader.value != Loader::SystemdBoot
        && let Some((true, node)) = nixos::switch(host, &["boot", "loader", "systemd-boot", "enable"])
    {
        found.report(
            Finding::at(node.place, format!("`{}` boots through BIOS, which cannot start systemd-boot", host.name))
                .label("a program for UEFI")
                .related(firmware.place, boots)
                .why("BIOS loads the first sector of a disk, where systemd-boot writes nothing")
                .help("remove the setting: `loader` in `[boot]` says which loader there is"),
        );
    }
    if firmware.value == Firmware::Bios
        && let Some((true, node)) = nixos::switch(host, &["boot", "loader", "efi", "canTouchEfiVariables"])
    {
        found.report(
            Finding::at(node.place, "`boot.loader.efi.canTouchEfiVariables` is set, and BIOS has no EFI variables")
                .label("EFI variables")
                .related(firmware.place, boots)
                .why("the loader's installer fails where the variables are not there")
                .help("remove the setting"),
        );
    }
}

/// systemd-boot where `bootctl` takes no partition for an ESP (its `verify_esp`: "not a GPT partition table").
fn esp_on_mbr(cx: &HostCx<'_>, found: &mut Findings) {
    let esps = booting::mounted_esps(cx.host).filter_map(|(_, disk)| booting::disk(cx.host, disk));
    for disk in esps.filter(|disk| disk.def.table.value == Table::Mbr) {
        found.report(
            Finding::at(cx.host.def.boot.loader.place, "systemd-boot is not installed on a disk with an MBR")
                .label("wants a GPT")
                .related(disk.def.table.place, format!("the table of `{}`", disk.name))
                .why("`bootctl install` refuses an EFI system partition that no GPT calls one, so the activation fails")
                .help("`table = \"gpt\"`, where the disk may be laid out anew")
                .help("`loader = \"grub\"`"),
        );
    }
}

/// Settings of GRUB under `[nixos]` that leave it out where the firmware looks.
fn grub(cx: &HostCx<'_>, boots: &str, found: &mut Findings) {
    let firmware = &cx.host.def.machine.firmware;
    if firmware.value == Firmware::Bios {
        let devices = [&["boot", "loader", "grub", "device"][..], &["boot", "loader", "grub", "devices"]];
        let mirrored = nixos::setting(cx.host, &["boot", "loader", "grub", "mirroredBoots"]).and_then(Node::as_list);
        let mirrored = mirrored.into_iter().flatten().filter_map(|item| item.node.at(&["devices"]));
        let settings = devices.iter().filter_map(|route| nixos::setting(cx.host, route)).chain(mirrored);
        for node in settings.filter(|node| is_nodev(node)) {
            found.report(
                Finding::at(node.place, "GRUB is installed on no device, and BIOS starts it from one")
                    .label("writes no boot sector")
                    .related(firmware.place, boots)
                    .why("the machine starts what an earlier installation left in the boot sector, or nothing")
                    .help("remove the setting: the disks that must boot follow from the definition"),
            );
        }
    } else if let Some((false, node)) = nixos::switch(cx.host, &["boot", "loader", "grub", "efiSupport"]) {
        found.report(
            Finding::at(node.place, "GRUB is installed without EFI support, and UEFI starts nothing else")
                .label("no program for UEFI")
                .related(firmware.place, boots)
                .why("the EFI system partition stays empty, and the machine finds nothing to boot")
                .help("remove the setting"),
        );
    }
}

fn is_nodev(node: &Node) -> bool {
    match &node.kind {
        Kind::Str(device) => device == "nodev",
        Kind::List(devices) => !devices.is_empty() && devices.iter().all(|item| is_nodev(&item.node)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn systemd_boot_wants_a_gpt_below_its_esp() {
        let disk = |table: &str, loader: &str| {
            format!(
                "machine.firmware = 'uefi'\nboot.loader = '{loader}'\n[disks.old]\nid = 'ata-OLD_1'\nsize = '100GB'\n\
                 table = '{table}'\npartitions = [{{ name = 'esp', role = 'esp', size = '1GiB', mount = '/boot' }}]\n"
            )
        };
        for (table, loader, findings) in [("mbr", "systemd-boot", 1), ("gpt", "systemd-boot", 0), ("mbr", "grub", 0)] {
            assert_eq!(said("loader-firmware-mismatch", &disk(table, loader)).len(), findings, "{table} {loader}");
        }
    }

    #[test]
    fn what_nix_takes_from_grub_is_missed_where_the_firmware_looks_for_it() {
        let rule = "loader-firmware-mismatch";
        let uefi = "machine.firmware = 'uefi'\nboot.loader = 'grub'\n";
        let table = [
            ("nixos.boot.loader.grub.device = 'nodev'\n".to_owned(), 1),
            ("nixos.boot.loader.grub.devices = ['nodev']\n".to_owned(), 1),
            ("nixos.boot.loader.grub.devices = ['/dev/disk/by-id/ata-M']\n".to_owned(), 0),
            ("nixos.boot.loader.efi.canTouchEfiVariables = true\n".to_owned(), 1),
            ("nixos.boot.loader.grub.mirroredBoots = [{ path = '/boot', devices = ['nodev'] }]\n".to_owned(), 1),
            ("nixos.boot.loader.systemd-boot.enable = true\n".to_owned(), 1),
            (format!("{uefi}nixos.boot.loader.systemd-boot.enable = true\n"), 0),
            (format!("{uefi}nixos.boot.loader.grub.device = 'nodev'\n"), 0),
            (format!("{uefi}nixos.boot.loader.grub.efiSupport = false\n"), 1),
            ("machine.firmware = 'both'\nboot.loader = 'systemd-boot'\n".to_owned(), 0),
        ];
        for (host, findings) in table {
            assert_eq!(said(rule, &host).len(), findings, "{host}");
        }
    }
}
