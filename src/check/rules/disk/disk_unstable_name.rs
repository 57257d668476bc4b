//! A disk that is named by something that changes: the order in which the kernel found it, or the slot it is in.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, printable, quoted};
use crate::units::by_id_name;

pub(super) static RULE: Rule = Rule {
    id: "disk-unstable-name",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a disk is named by the order of discovery or by its slot",
    doc: include_str!("disk_unstable_name.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let facts = cx.host.source.facts.as_ref().and_then(|facts| facts.disks.as_deref()).unwrap_or_default();
    for disk in &cx.host.disks {
        let id = disk.def.id.as_str();
        let Some(fault) = fault(id) else { continue };
        let message = format!("disk `{}` is named {}, {}", disk.name, quoted(id), fault.is());
        let mut finding = Finding::at(disk.def.id.place, message).label(fault.label());
        if let Some(why) = fault.why() {
            finding = finding.why(why);
        }
        let device = probed::device_name(id);
        let probed = (fault == Fault::Kernel).then(|| probed::disk_of_kernel_name(facts, device)).flatten();
        if let Some((probed, best)) = probed.and_then(|probed| Some((probed, probed::best_id(probed)?))) {
            finding = finding
                .related(probed.place, format!("{} when the facts were taken", quoted(device)))
                .help(format!("`id = \"{}\"`, its name in the facts", printable(best)));
        } else if fault == Fault::Path {
            finding = finding.help(format!("`id = \"{}\"`", printable(by_id_name(id))));
        } else {
            finding = finding
                .help("its name below /dev/disk/by-id, as `ls -l /dev/disk/by-id` shows it on the machine")
                .help("in a virtual machine that shows none: give the disk a serial number at the hypervisor");
        }
        found.report(finding);
    }
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The kernel numbered it.
    Kernel,
    /// It says where the disk is plugged in.
    Slot,
    /// The name is right, but for the folder before it.
    Path,
    /// It is some other path.
    Other,
}

impl Fault {
    fn is(self) -> &'static str {
        match self {
            Self::Kernel => "which changes with the order of discovery",
            Self::Slot => "which changes with the slot",
            Self::Path => "which is a path and no name",
            Self::Other => "which is no name of a disk below /dev/disk/by-id",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Kernel => "numbered by the kernel",
            Self::Slot => "a name of /dev/disk/by-path",
            Self::Path => "/dev/disk/by-id is understood",
            Self::Other => "a path",
        }
    }

    fn why(self) -> Option<&'static str> {
        match self {
            Self::Kernel => Some(
                "disks are numbered as they answer: after the next boot the name may be another disk's, and what is wiped \
                 or mounted is that one",
            ),
            Self::Slot => Some(
                "a disk on another port, or another controller found first, changes the name: what is wiped or mounted is \
                 then another disk",
            ),
            Self::Path => None,
            Self::Other => Some("labels and ids of file systems are gone once the disk is wiped"),
        }
    }
}

/// Returns what is wrong with a disk's name, if anything.
fn fault(id: &str) -> Option<Fault> {
    if id.starts_with("/dev/disk/by-id/") {
        return Some(Fault::Path);
    }
    let name = id.rsplit('/').next().unwrap_or(id);
    if is_kernel_name(probed::device_name(id)) {
        Some(Fault::Kernel)
    } else if id.starts_with("/dev/disk/by-path/") || is_slot(name) {
        Some(Fault::Slot)
    } else {
        id.contains('/').then_some(Fault::Other)
    }
}

/// Tells whether a name is one that udev makes of the way to a device (`ID_PATH`).
fn is_slot(name: &str) -> bool {
    ["pci-", "virtio-pci-", "platform-", "ccw-", "acpi-"].iter().any(|bus| name.starts_with(bus))
}

/// Tells whether a name is one that the kernel gives block devices, partitions included.
fn is_kernel_name(name: &str) -> bool {
    let lettered = ["sd", "hd", "vd", "xvd"].iter().any(|driver| {
        name.strip_prefix(driver).is_some_and(|rest| {
            let number = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
            number.len() < rest.len() && is_digits(number)
        })
    });
    let numbered = ["nvme", "mmcblk", "loop", "md", "dm-", "nbd", "pmem", "zd", "ram", "sr"].iter().any(|driver| {
        name.strip_prefix(driver).is_some_and(|rest| {
            // What follows the first number: namespace, path and partition (`nvme0c1n1p2`, `mmcblk0p1`).
            rest.starts_with(|c: char| c.is_ascii_digit())
                && rest.split(['n', 'p', 'c']).all(|part| !part.is_empty() && is_digits(part))
        })
    });
    lettered || numbered
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_the_kernel_gives_is_known_and_no_name_of_by_id() {
        let table = [
            ("sda", Some(Fault::Kernel)),
            ("sdaa12", Some(Fault::Kernel)),
            ("/dev/sda", Some(Fault::Kernel)),
            ("/dev/vda1", Some(Fault::Kernel)),
            ("xvdf", Some(Fault::Kernel)),
            ("nvme0n1", Some(Fault::Kernel)),
            ("nvme1c2n3p4", Some(Fault::Kernel)),
            ("mmcblk0p1", Some(Fault::Kernel)),
            ("md127", Some(Fault::Kernel)),
            ("pci-0000:00:1f.2-ata-1", Some(Fault::Slot)),
            ("/dev/disk/by-path/pci-0000:00:1f.2-ata-1", Some(Fault::Slot)),
            ("virtio-pci-0000:00:04.0", Some(Fault::Slot)),
            ("/dev/disk/by-id/ata-X_1", Some(Fault::Path)),
            ("/dev/disk/by-uuid/0123-4567", Some(Fault::Other)),
            ("/dev/mapper/root", Some(Fault::Other)),
            ("ata-TOSHIBA_DT01ACA200_1", None),
            ("nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345", None),
            ("nvme-eui.0025388b710116f8", None),
            ("wwn-0x5000c500a1b2c3d4", None),
            ("virtio-BHYVE-1234", None),
            ("scsi-0QEMU_QEMU_HARDDISK_drive-scsi0", None),
            ("mmc-SD64G_0x12345678", None),
            ("md-uuid-1:2", None),
        ];
        for (id, wanted) in table {
            assert_eq!(fault(id), wanted, "{id}");
        }
    }
}
