//! Swap on a volume of ZFS.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Kind, Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "swap-on-zvol",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "swap lies on a volume of ZFS",
    doc: include_str!("swap_on_zvol.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let devices = nixos::setting(cx.host, &["swapDevices"]).and_then(|devices| devices.as_list());
    for node in devices.into_iter().flatten().filter_map(|item| item.node.at(&["device"])) {
        let Kind::Str(device) = &node.kind else { continue };
        if !is_volume(device) {
            continue;
        }
        let volume = cx.host.pools.iter().find_map(|pool| {
            let name = device.strip_prefix("/dev/zvol/")?.strip_prefix(pool.name)?.strip_prefix('/')?;
            pool.def.datasets.get(name)
        });
        let finding = Finding::at(node.place, format!("swap lies on the ZFS volume {}", quoted(device)));
        let finding = match volume {
            Some(volume) => finding.related(volume.key, "the volume"),
            None => finding,
        };
        found.report(
            finding
                .label("a volume of a pool")
                .why(
                    "to write to a pool ZFS needs memory, and swap is written to when there is none: the machine hangs when it \
                     would need swap most",
                )
                .help("a partition with `role = \"swap\"`")
                .help("`swap.zram`: compressed swap in memory"),
        );
    }
}

/// Tells whether a path is that of a zvol.
fn is_volume(device: &str) -> bool {
    let number = device.strip_prefix("/dev/zd");
    device.starts_with("/dev/zvol/") || number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_volume_is_known_by_its_path() {
        for (device, findings) in [
            ("/dev/zvol/rpool/swap", 1),
            ("/dev/zd16", 1),
            ("/dev/zd16p1", 0),
            ("/dev/disk/by-partlabel/swap", 0),
            ("/dev/zram0", 0),
        ] {
            let host = format!("[[nixos.swapDevices]]\ndevice = '{device}'\n");
            assert_eq!(said("swap-on-zvol", &host).len(), findings, "{device}");
        }
    }
}
