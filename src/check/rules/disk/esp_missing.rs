//! A host that boots through UEFI without an EFI system partition where one is needed.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{booting, nixos};
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::machine::Loader;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "esp-missing",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "UEFI finds no EFI system partition",
    doc: include_str!("esp_missing.md"),
    check: Check::Host(check),
};

const WHY: &str = "UEFI reads its loaders from an EFI system partition: without one the machine finds nothing to boot";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    // What another loader needs is described where that loader is.
    if !host.has_uefi() || host.def.boot.loader.value == Loader::Other {
        return;
    }
    let firmware = host.def.machine.firmware.place;
    let esp = "{ name = \"esp\", role = \"esp\", size = \"1GiB\", mount = \"/boot\" }";
    let mut esps = host.disks.iter().flat_map(|disk| &disk.partitions).filter(|partition| partition.role == Role::Esp);
    match esps.next() {
        None => found.report(
            Finding::at(firmware, format!("`{}` boots through UEFI and has no EFI system partition", host.name))
                .label("boots through UEFI")
                .why(WHY)
                .help(format!("a partition on the disk it boots from: `{esp}`"))
                .help("`firmware = \"bios\"`, if the machine boots that way, with `loader = \"grub\"`"),
        ),
        Some(first) if booting::mounted_esps(host).next().is_none() && !mounted_by_hand(cx) => found.report(
            Finding::at(first.place, format!("no EFI system partition of `{}` is mounted", host.name))
                .label("not mounted")
                .related(firmware, "boots through UEFI")
                .why("the loader, and with systemd-boot kernels too, are written to the mounted one: an ESP that is not mounted stays empty")
                .help("`mount = \"/boot\"` for this partition")
                .help("`mount = \"/boot/efi\"` for this partition, where GRUB reads `/boot` from another one"),
        ),
        Some(_) => {}
    }
    for mirror in booting::mirrors(host).filter(|mirror| !mirror.has(Role::Esp)) {
        let message = format!("`{}` must boot through UEFI and has no EFI system partition", mirror.disk.name);
        found.report(
            Finding::at(mirror.place, message)
                .label("must boot too")
                .related(mirror.disk.def.key, "the disk")
                .why("when the other disk is gone, UEFI looks for a loader here")
                .help("`{ name = \"esp\", role = \"esp\", size = \"1GiB\" }` as its first partition")
                .help("remove it from `boot.mirrors`"),
        );
    }
}

/// Tells whether `[nixos]` mounts something where loaders go.
fn mounted_by_hand(cx: &HostCx<'_>) -> bool {
    let mounts = nixos::setting(cx.host, &["fileSystems"]).and_then(crate::source::Node::as_table);
    mounts.is_some_and(|mounts| mounts.keys().any(|path| path.starts_with("/boot") || path.starts_with("/efi")))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    const RULE: &str = "esp-missing";

    fn host(partition: &str, more: &str) -> String {
        format!(
            "machine.firmware = 'uefi'\nboot.loader = 'systemd-boot'\n{more}\
             disks.main = {{ id = 'ata-M', size = '512GB', partitions = [\n{partition}\
             {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }},\n] }}\n"
        )
    }

    #[test]
    fn an_esp_must_be_there_be_mounted_and_be_on_every_mirror() {
        let mounted = "{ name = 'esp', role = 'esp', size = '1GiB', mount = '/boot' },\n";
        let unmounted = "{ name = 'esp', role = 'esp', size = '1GiB' },\n";
        let by_hand = "nixos.fileSystems.'/boot' = { device = '/dev/disk/by-label/ESP', fsType = 'vfat' }\n";
        let mirror = "boot.mirrors = ['other']\ndisks.other = { id = 'ata-O', size = '512GB' }\n";
        let table = [
            (host(mounted, ""), None),
            (host("", ""), Some("`a` boots through UEFI and has no EFI system partition")),
            (host(unmounted, ""), Some("no EFI system partition of `a` is mounted")),
            (host(unmounted, by_hand), None),
            (host(mounted, mirror), Some("`other` must boot through UEFI and has no EFI system partition")),
            (host("", "").replace("'systemd-boot'", "'other'"), None),
        ];
        for (host, wanted) in table {
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("error: {wanted}")).collect();
            assert_eq!(said(RULE, &host), wanted, "{host}");
        }
    }
}
