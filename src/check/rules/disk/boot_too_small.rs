//! A boot partition that cannot hold the generations that are kept.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::{InitrdParts, generation_bytes};
use crate::fleet::schema::host::System;
use crate::fleet::schema::machine::Loader;
use crate::resolve::{BootPlaces, ResolvedPartition};
use crate::source::{Kind, Level, Place};
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "boot-too-small",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the boot partition cannot hold the generations kept",
    doc: include_str!("boot_too_small.md"),
    check: Check::Host(check),
};

/// The loader itself, its menu, and what the file system takes for itself.
const OVERHEAD: u64 = 8 << 20;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let places = BootPlaces::of(host);
    let loader = host.def.boot.loader.value;
    let main = match loader {
        Loader::SystemdBoot => places.esp,
        Loader::Grub => places.boot.filter(|(_, _, mount)| *mount != "/"),
        Loader::Other => None,
    };
    let Some((_, partition, _)) = main else { return };
    let (kept, at) = generations(cx, loader);
    let parts = InitrdParts { zfs: !host.pools.is_empty(), arm: host.system() == System::Aarch64 };
    let each = generation_bytes(host.channel.channel.release.value, parts);
    // The candidate of a reboot test is in the menu beside those that are kept.
    let needed = u64::from(kept).saturating_add(1).saturating_mul(each).saturating_add(OVERHEAD);
    let mirrors = places.boot_mirrors.iter().chain(&places.esp_mirrors);
    let all = host.disks.iter().flat_map(|disk| &disk.partitions);
    let copies =
        all.filter(|part| part.role == partition.role && mirrors.clone().any(|copy| copy.device == part.device));
    for partition in std::iter::once(partition).chain(copies) {
        if let Some(bytes) = partition.bytes.filter(|bytes| *bytes < needed) {
            report(partition, bytes, (kept, at), each, found);
        }
    }
}

/// Returns how many generations stay in the menu, and where that is written.
fn generations(cx: &HostCx<'_>, loader: Loader) -> (u32, Option<Place>) {
    let name = if loader == Loader::Grub { "grub" } else { "systemd-boot" };
    let setting = nixos::setting(cx.host, &["boot", "loader", name, "configurationLimit"]);
    if let Some((Kind::Int(limit), place)) = setting.map(|node| (&node.kind, node.place)) {
        return (u32::try_from(*limit).unwrap_or(0), Some(place));
    }
    let typed = &cx.host.def.boot.generations;
    (typed.value, typed.written.then_some(typed.place))
}

fn report(
    partition: &ResolvedPartition<'_>,
    bytes: u64,
    (kept, at): (u32, Option<Place>),
    each: u64,
    found: &mut Findings,
) {
    let place = partition.def.map_or(partition.place, |def| def.size.place);
    let fit = (bytes.saturating_sub(OVERHEAD) / each.max(1)).saturating_sub(1);
    let needed = u64::from(kept).saturating_add(1).saturating_mul(each).saturating_add(OVERHEAD);
    let message = format!(
        "{kept} generations and a trial need {}, `{}` of `{}` has {}",
        Size::human(needed),
        partition.name,
        partition.disk,
        Size::human(bytes)
    );
    let mut finding = Finding::at(place, message)
        .label(format!("{} × {} and {} for the loader", u64::from(kept) + 1, Size::human(each), Size::human(OVERHEAD)))
        .why(
            "the boot loader's installer dies half-way when the partition is full: the menu is left without the new \
             generation, or with a kernel that is cut short",
        );
    if let Some(at) = at {
        finding = finding.related(at, "so many are kept");
    }
    finding = finding.help(format!("a size of {} or more", Size::human(needed.next_multiple_of(256 << 20))));
    if fit >= 2 {
        finding = finding.help(format!("`generations = {fit}` in `[boot]`"));
    }
    found.report(finding);
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn what_must_fit_is_the_generations_that_are_kept_and_one_more() {
        let of = |head: &str, size: &str| {
            let host = format!(
                "{head}machine.firmware = 'uefi'\nboot.loader = 'systemd-boot'\n[disks]\n\
                 main = {{ id = 'nvme-EXAMPLE_1', size = '512GB', partitions = [\
                 {{ name = 'esp', role = 'esp', size = '{size}', mount = '/boot' }},\
                 {{ name = 'root', role = 'filesystem', size = 'rest', mount = '/' }}] }}\n"
            );
            said("boot-too-small", &host).len()
        };
        assert_eq!(of("", "1GiB"), 0);
        assert_eq!(of("", "256MiB"), 1);
        assert_eq!(of("boot.generations = 4\n", "256MiB"), 0);
        assert_eq!(of("boot.generations = 100\n", "1GiB"), 1);
        assert_eq!(of("nixos.boot.loader.systemd-boot.configurationLimit = 60\n", "1GiB"), 1);
        assert_eq!(of("channel = 'stable'\nboot.generations = 40\n", "1GiB"), 1);
    }
}
