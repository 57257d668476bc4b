//! A separate intent log that is larger than what can ever be in it.

use crate::check::capacity;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::zfs::VdevType;
use crate::resolve::VdevClass;
use crate::source::Level;
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "log-too-large",
    group: Group::Zfs,
    level: Level::Note,
    allowable: true,
    needs: &[],
    summary: "the separate intent log is larger than what can ever be in it",
    doc: include_str!("log_too_large.md"),
    check: Check::Host(check),
};

/// The most that waits to be written, whatever the memory (`zfs_dirty_data_max_max` of a machine with 16 GiB or more, zfs(4)).
const MOST_DIRTY: u64 = 4 << 30;

/// Smaller devices are hardly sold, and smaller partitions not worth a word.
const SMALL: u64 = 16 << 30;

/// The parameter that tunes the first.
const TUNED: &str = "zfs.zfs_dirty_data_max=";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let most = most_in_a_log(cx);
    for pool in &cx.host.pools {
        let logs: Vec<_> = pool.vdevs.iter().filter(|vdev| vdev.class == VdevClass::Log).collect();
        let Some(first) = logs.first() else { continue };
        let size = logs.iter().try_fold(0u64, |sum, vdev| {
            let sizes = capacity::sizes(vdev)?;
            let held = match vdev.def.kind.value {
                VdevType::Mirror => sizes.iter().copied().min().unwrap_or(0),
                _ => sizes.iter().fold(0u64, |sum, size| sum.saturating_add(*size)),
            };
            Some(sum.saturating_add(held))
        });
        let Some(size) = size else {
            found.unchecked(format!("nothing says how large the log of `{}` is", pool.name));
            continue;
        };
        if size <= most.saturating_mul(2).max(SMALL) {
            continue;
        }
        found.report(
            Finding::at(first.def.kind.place, format!("the log of `{}` is larger than what can be in it", pool.name))
                .label(format!("{}, of which {} at most are in use", Size::human(size), Size::human(most)))
                .why(
                    "a log holds what was promised to be on disk and is not yet in its place: that of two transaction groups, each closed \
                     after 5 s or when as much waits as ZFS lets wait",
                )
                .help(format!("a partition of {} for it; what stays free on flash makes it last longer", Size::human(most)))
                .help("the rest as a `cache`, where reads do not fit the memory"),
        );
    }
}

/// Returns the most bytes that a log ever holds: twice what may wait to be written, which is a tenth of the memory and
/// 4 GiB at most (`zfs_wrlog_data_max`, `zfs_dirty_data_max`, zfs(4)).
fn most_in_a_log(cx: &HostCx<'_>) -> u64 {
    let words = cx.host.def.boot.kernel_params.iter();
    let tuned = words.filter_map(|word| word.as_str().strip_prefix(TUNED)?.parse::<u64>().ok()).next_back();
    let stated = cx.host.def.machine.memory.as_ref().map(|memory| memory.bytes());
    let probed = || Some(cx.host.source.facts.as_ref()?.memory_bytes.as_ref()?.value);
    let of_memory = stated.or_else(probed).map_or(MOST_DIRTY, |memory| (memory / 10).min(MOST_DIRTY));
    tuned.unwrap_or(of_memory).saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    fn of(size: &str, more: &str) -> Vec<String> {
        let host = format!(
            "{more}\ndisks.d0 = {{ id = 'ata-D0', size = '2TB' }}\ndisks.l0 = {{ id = 'ata-L0', size = '{size}' }}\n\
             disks.l1 = {{ id = 'ata-L1', size = '{size}' }}\n\
             zfs.pools.tank = {{ vdevs = [{{ type = 'stripe', members = ['d0'] }}], log = [{{ type = 'mirror', members = ['l0', 'l1'] }}] }}\n"
        );
        said("log-too-large", &host)
    }

    #[test]
    fn what_two_groups_can_fill_is_right_and_a_whole_disk_is_not() {
        assert!(of("16GiB", "").is_empty());
        assert_eq!(of("17GiB", ""), ["note: the log of `tank` is larger than what can be in it"]);
        assert_eq!(of("480GB", "machine.memory = '8GiB'").len(), 1);
        assert!(of("60GiB", "boot.kernel-params = ['zfs.zfs_dirty_data_max=17179869184']").is_empty());
        assert_eq!(of("480GB", "boot.kernel-params = ['zfs.zfs_dirty_data_max=17179869184']").len(), 1);
    }
}
