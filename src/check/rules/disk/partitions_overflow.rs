//! Partitions that their disk has no room for.

use crate::check::phrase::bytes;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::disks::{Partition, PartitionSize};
use crate::resolve::{ALIGNMENT, ResolvedDisk};
use crate::source::{Level, Place};
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "partitions-overflow",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the partitions do not fit on their disk",
    doc: include_str!("partitions_overflow.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let probed = cx.host.source.facts.as_ref().and_then(|facts| facts.disks.as_deref()).unwrap_or_default();
    for disk in &cx.host.disks {
        if disk.def.partitions.is_empty() {
            continue;
        }
        let measured = probed::disk(probed, disk.def.id.as_str()).and_then(|probed| probed.size_bytes.as_ref());
        let total = measured.map(|size| (size.value, size.place));
        let total = total.or_else(|| disk.def.size.as_ref().map(|size| (size.bytes(), size.place)));
        if total.is_none() {
            found.unchecked(format!("nothing says how large `{}` is", disk.name));
        }
        let sizes: Vec<Option<u64>> = disk.def.partitions.iter().map(fixed).collect();
        match fault(total.map(|(bytes, _)| bytes), &sizes) {
            Some(Fault::AfterRest { rest, next }) => after_rest(disk, rest, next, found),
            Some(Fault::Overflow { first, needed, total: room }) => {
                let Some((_, place)) = total else { continue };
                overflow(disk, first, needed, room, place, found);
            }
            Some(Fault::NothingLeft { rest, needed, total: room }) => {
                let Some((_, place)) = total else { continue };
                nothing_left(disk, rest, needed, room, place, found);
            }
            None => {}
        }
    }
}

fn after_rest(disk: &ResolvedDisk<'_>, rest: usize, next: usize, found: &mut Findings) {
    let partitions = &disk.def.partitions;
    let (Some(rest), Some(next)) = (partitions.get(rest), partitions.get(next)) else { return };
    let message = format!(
        "`{}.{}` comes after `{}`, which takes the rest of the disk",
        disk.name, next.name.value, rest.name.value
    );
    found.report(
        Finding::at(next.size.place, message)
            .label("nothing is left for it")
            .related(rest.size.place, "takes all that is left")
            .why("partitions are made in their order, so there is no room for what comes after the rest")
            .help("put the partition with `size = \"rest\"` last")
            .help(format!("a size of its own for `{}`", rest.name.value)),
    );
}

fn overflow(disk: &ResolvedDisk<'_>, first: usize, needed: u64, total: u64, place: Place, found: &mut Findings) {
    let Some(first) = disk.def.partitions.get(first) else { return };
    let over = needed.saturating_sub(total);
    let message = format!(
        "the partitions of `{}` need {}, {} more than it has",
        disk.name,
        Size::human(needed),
        Size::human(over),
    );
    found.report(
        Finding::at(first.size.place, message)
            .label("does not fit any more")
            .related(place, bytes(total))
            .why(arithmetic(disk, needed))
            .help(format!("{} less in one of them", Size::human(over.next_multiple_of(ALIGNMENT))))
            .help("`size = \"rest\"` for the last one"),
    );
}

fn nothing_left(disk: &ResolvedDisk<'_>, rest: usize, needed: u64, total: u64, place: Place, found: &mut Findings) {
    let Some(rest) = disk.def.partitions.get(rest) else { return };
    let message = format!("nothing is left of `{}` for `{}`", disk.name, rest.name.value);
    found.report(
        Finding::at(rest.size.place, message)
            .label("the rest is empty")
            .related(place, bytes(total))
            .why(arithmetic(disk, needed))
            .help("smaller partitions before it")
            .help(format!("remove `{}`", rest.name.value)),
    );
}

/// Shows the sum.
fn arithmetic(disk: &ResolvedDisk<'_>, needed: u64) -> String {
    let sizes = disk.def.partitions.iter().filter_map(|partition| match &partition.size.value {
        PartitionSize::Fixed(size) => Some(size.to_string()),
        PartitionSize::Rest => None,
    });
    let sizes: Vec<String> = sizes.collect();
    format!("{} in whole MiB, and 1 MiB at each end for the partition table, make {}", sizes.join(" + "), bytes(needed))
}

fn fixed(partition: &Partition) -> Option<u64> {
    match &partition.size.value {
        PartitionSize::Fixed(size) => Some(size.bytes()),
        PartitionSize::Rest => None,
    }
}

/// What is wrong with a layout; partitions by their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A partition stands behind the one that takes the rest.
    AfterRest {
        /// What takes the rest.
        rest: usize,
        /// What comes next.
        next: usize,
    },
    /// The partitions need more than there is.
    Overflow {
        /// The first that does not fit.
        first: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        total: u64,
    },
    /// The rest is nothing.
    NothingLeft {
        /// What takes the rest.
        rest: usize,
        /// Bytes needed without it.
        needed: u64,
        /// Bytes there are.
        total: u64,
    },
}

/// Lays partitions out: each begins on a whole MiB, the table takes the first one and its copy the last one. A size is the
/// rest where it is none.
fn fault(total: Option<u64>, sizes: &[Option<u64>]) -> Option<Fault> {
    let rest = sizes.iter().position(Option::is_none);
    if let Some(rest) = rest.filter(|rest| rest + 1 < sizes.len()) {
        return Some(Fault::AfterRest { rest, next: rest + 1 });
    }
    let total = total?;
    let mut end = ALIGNMENT;
    let mut first = None;
    for (at, size) in sizes.iter().enumerate() {
        let aligned = size.unwrap_or(0).div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT);
        end = end.saturating_add(aligned);
        if end.saturating_add(ALIGNMENT) > total && first.is_none() {
            first = Some(at);
        }
    }
    let needed = end.saturating_add(ALIGNMENT);
    match (first, rest) {
        (Some(first), Some(rest)) if first == rest => Some(Fault::NothingLeft { rest, needed, total }),
        (Some(first), _) => Some(Fault::Overflow { first, needed, total }),
        (None, Some(rest)) if total - needed < ALIGNMENT => Some(Fault::NothingLeft { rest, needed, total }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = ALIGNMENT;

    #[test]
    fn table_and_alignment_are_counted() {
        let fits = |total: u64, sizes: &[Option<u64>]| fault(Some(total), sizes);
        assert_eq!(fits(10 * MIB, &[Some(4 * MIB), Some(4 * MIB)]), None);
        assert_eq!(
            fits(10 * MIB - 1, &[Some(4 * MIB), Some(4 * MIB)]),
            Some(Fault::Overflow { first: 1, needed: 10 * MIB, total: 10 * MIB - 1 })
        );
        // 1 byte takes a whole MiB.
        assert_eq!(
            fits(4 * MIB, &[Some(1), Some(MIB + 1)]),
            Some(Fault::Overflow { first: 1, needed: 5 * MIB, total: 4 * MIB })
        );
        assert_eq!(fits(4 * MIB, &[Some(MIB), None]), None);
        assert_eq!(
            fits(3 * MIB, &[Some(MIB), None]),
            Some(Fault::NothingLeft { rest: 1, needed: 3 * MIB, total: 3 * MIB })
        );
        assert_eq!(fits(MIB, &[None]), Some(Fault::NothingLeft { rest: 0, needed: 2 * MIB, total: MIB }));
        assert_eq!(fault(None, &[None, Some(1)]), Some(Fault::AfterRest { rest: 0, next: 1 }));
        assert_eq!(fault(None, &[Some(u64::MAX), Some(u64::MAX)]), None);
        assert!(matches!(fits(u64::MAX - 1, &[Some(u64::MAX), None]), Some(Fault::Overflow { first: 0, .. })));
    }

    proptest! {
        #[test]
        fn a_layout_that_is_not_reported_fits(total in 0u64..(1 << 40), sizes in proptest::collection::vec(0u64..(1 << 38), 1..6)) {
            let list: Vec<Option<u64>> = sizes.iter().copied().map(Some).collect();
            let needed: u64 = sizes.iter().map(|size| size.div_ceil(MIB) * MIB).sum::<u64>() + 2 * MIB;
            prop_assert_eq!(fault(Some(total), &list).is_none(), needed <= total);
        }
    }
}
