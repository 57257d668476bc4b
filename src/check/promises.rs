//! What the datasets of a pool are promised and allowed together.
//!
//! Here belong the sums along the tree of names and what a volume really takes. Not here: what the pool holds (`capacity`).

use std::collections::BTreeMap;

use super::capacity::{BLOCK, Capacity, Draid, ashift, raidz_footprint, scaled};
use crate::fleet::schema::zfs::Dataset;
use crate::resolve::{ResolvedHost, ResolvedPool, SystemRole};
use crate::source::Spanned;
use crate::units::Size;

/// What a dataset is promised and allowed, in bytes; nothing of what is not written.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    /// `reservation`: descendants included.
    within: u64,
    /// `refreservation`, or what a volume takes.
    alone: u64,
    /// `quota`: descendants included.
    quota: Option<u64>,
    /// `refquota`.
    own_quota: u64,
}

impl Share {
    /// Returns what a dataset is promised together with what lies below it. A `reservation` holds what the dataset's
    /// descendants are promised, a `refreservation` does not (zfsprops(7)).
    fn promised(self, below: u128) -> u128 {
        u128::from(self.within).max(u128::from(self.alone) + below)
    }

    /// Returns what a dataset may come to hold together with what lies below it, as far as it is limited or promised at
    /// all: a `quota` holds for its descendants too, a `refquota` does not.
    fn planned(self, below: u128) -> u128 {
        let own = u128::from(self.alone.max(self.own_quota)) + below;
        u128::from(self.within).max(self.quota.map_or(own, u128::from))
    }
}

/// What datasets are promised or may hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum<'a> {
    /// Bytes in all.
    pub(super) bytes: u128,
    /// The datasets that have a part in it by themselves, with the bytes, in the order of the file.
    pub(super) by: Vec<(&'a str, u64)>,
}

/// Returns what the datasets of a host's pool are promised together; a volume what its data and their tree take.
pub(super) fn promised<'a>(host: &ResolvedHost<'_>, pool: &ResolvedPool<'a>) -> Sum<'a> {
    let shares = shares(host, pool);
    let by = shares.iter().map(|(name, share)| (*name, share.within.max(share.alone)));
    Sum { bytes: total(&shares, Share::promised), by: by.filter(|(_, bytes)| *bytes > 0).collect() }
}

/// Returns what the datasets of a host's pool may come to hold together, by their quotas and by what they are promised.
pub(super) fn planned<'a>(host: &ResolvedHost<'_>, pool: &ResolvedPool<'a>) -> Sum<'a> {
    let shares = shares(host, pool);
    let by = shares.iter().map(|(name, share)| {
        let limit = share.quota.unwrap_or(0).max(share.own_quota);
        (*name, share.within.max(share.alone).max(limit))
    });
    Sum { bytes: total(&shares, Share::planned), by: by.filter(|(_, bytes)| *bytes > 0).collect() }
}

fn shares<'a>(host: &ResolvedHost<'_>, pool: &ResolvedPool<'a>) -> Vec<(&'a str, Share)> {
    let datasets = pool.def.value.datasets.iter();
    let share = |name: &str, dataset: &Dataset| {
        let bytes = |size: &Option<Spanned<Size>>| size.as_ref().map(|size| size.bytes());
        let volume = || bytes(&dataset.volume).map(|size| volume_bytes(pool, size, block_size(host, dataset)));
        Share {
            within: bytes(&dataset.reservation).unwrap_or(0),
            alone: bytes(&dataset.refreservation).or_else(volume).unwrap_or(0),
            quota: bytes(&dataset.quota).or_else(|| host.size_of_state(&format!("{}/{name}", pool.name))),
            own_quota: bytes(&dataset.refquota).unwrap_or(0),
        }
    };
    datasets.map(|(name, dataset)| (name.as_str(), share(name, &dataset.value))).collect()
}

/// Returns the block of a volume: as written, else that of the ZFS that makes it, 16 KiB from 2.2 on and 8 KiB before
/// (`ZVOL_DEFAULT_BLOCKSIZE`).
fn block_size(host: &ResolvedHost<'_>, volume: &Dataset) -> u64 {
    let written = volume.properties.get("volblocksize").and_then(|value| zfs_size(value.value.value.as_str()));
    let maker = host.systems.iter().find(|system| system.role == SystemRole::Installer).or(host.systems.first());
    let old = maker.and_then(|maker| maker.zfs).zip("2.2".parse().ok()).is_some_and(|(zfs, first)| zfs < first);
    written.unwrap_or(if old { 8 << 10 } else { 16 << 10 })
}

/// Reads a size as zfsprops(7) has it, `16K` or `16384`, where it is one that a block can have.
fn zfs_size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (bytes.is_power_of_two() && (512..=16 << 20).contains(&bytes)).then_some(bytes)
}

/// Returns what ZFS keeps for a volume when it is made: blocks that are smaller than 128 KiB fit a raidz worse than the figure
/// says that its space is counted with, and their tree is there twice (zvol_volsize_to_reservation(), OpenZFS 2.1).
fn volume_bytes(pool: &ResolvedPool<'_>, size: u64, block: u64) -> u64 {
    let ashift = ashift(pool);
    let scales = pool.data().filter_map(|vdev| {
        let footprint = |block| match vdev.def.kind.value {
            kind if kind.is_raidz() => {
                let parity = kind.parity(vdev.members.len()) as u64;
                raidz_footprint(block, vdev.members.len() as u64, parity, ashift)
            }
            kind if kind.is_draid() => Draid::of(vdev.def).footprint(block, ashift),
            _ => None,
        };
        Some((footprint(block)?, footprint(BLOCK)?))
    });
    let blocks = size / block;
    let inflated = |(small, whole): (u64, u64)| scaled(scaled(blocks, small, 1), BLOCK, whole);
    let data = scales.map(inflated).max().unwrap_or(size).max(size);
    data.saturating_add(tree_bytes(blocks))
}

/// Returns what the tree above a volume's blocks takes: indirect blocks of 128 KiB with 1024 pointers, and seven levels of the object
/// that describes it, each of them twice.
fn tree_bytes(mut blocks: u64) -> u64 {
    let mut count = 7u64;
    while blocks > 1 {
        blocks = blocks.div_ceil(1024);
        count = count.saturating_add(blocks);
    }
    count.saturating_mul(2 * (128 << 10))
}

/// Adds shares up along the tree of names; `with` takes a dataset's own and the sum of those below it.
fn total(shares: &[(&str, Share)], with: impl Fn(Share, u128) -> u128) -> u128 {
    let mut own: BTreeMap<&str, Share> = BTreeMap::new();
    for (name, share) in shares {
        own.insert(name, *share);
        let mut above = *name;
        while let Some((parent, _)) = above.rsplit_once('/') {
            own.entry(parent).or_default();
            above = parent;
        }
    }
    let mut names: Vec<&str> = own.keys().copied().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.matches('/').count()));
    let mut below: BTreeMap<&str, u128> = BTreeMap::new();
    for name in names {
        let share = own.get(name).copied().unwrap_or_default();
        let sum = with(share, below.get(name).copied().unwrap_or(0));
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        *below.entry(parent).or_default() += sum;
    }
    below.get("").copied().unwrap_or(0)
}

/// Tells whether datasets of a pool are promised, or one of them is allowed, more than the pool holds.
pub(super) fn is_exceeded(host: &ResolvedHost<'_>, pool: &ResolvedPool<'_>, capacity: Capacity) -> bool {
    let usable = capacity.usable();
    let sum = promised(host, pool).bytes + u128::from(pool.reserve_bytes().unwrap_or(0));
    let limits = pool.def.datasets.iter().flat_map(|(_, dataset)| [&dataset.value.quota, &dataset.value.refquota]);
    sum > u128::from(usable) || limits.flatten().any(|size| size.bytes() > usable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn promised(promises: &[(&str, u64, u64)]) -> u128 {
        let share = |within, alone| Share { within, alone, ..Share::default() };
        let shares: Vec<_> = promises.iter().map(|(name, within, alone)| (*name, share(*within, *alone))).collect();
        total(&shares, Share::promised)
    }

    /// Of a dataset: its quota, its refquota, its refreservation.
    fn planned(limits: &[(&str, Option<u64>, u64, u64)]) -> u128 {
        let shares: Vec<_> = limits
            .iter()
            .map(|(name, quota, own_quota, alone)| {
                (*name, Share { quota: *quota, own_quota: *own_quota, alone: *alone, within: 0 })
            })
            .collect();
        total(&shares, Share::planned)
    }

    #[test]
    fn the_tree_above_a_volume_is_counted_as_zfs_create_does() {
        // 1 GiB in blocks of 8 KiB: 131,072 blocks, 128 indirect ones, one above them, seven of the object: 136 twice.
        assert_eq!(tree_bytes(131_072), 136 * 2 * (128 << 10));
        assert_eq!(tree_bytes(1), 7 * 2 * (128 << 10));
        assert_eq!(tree_bytes(0), 7 * 2 * (128 << 10));
    }

    #[test]
    fn a_block_size_is_read_as_zfs_prints_it() {
        for (text, bytes) in [("16K", Some(16384)), ("8192", Some(8192)), ("1M", Some(1 << 20)), ("64k", Some(65536))] {
            assert_eq!(zfs_size(text), bytes, "{text}");
        }
        for text in ["", "K", "12K", "1G", "-1", "99999999999999999999", "é"] {
            assert_eq!(zfs_size(text), None, "{text}");
        }
    }

    #[test]
    fn a_quota_stands_for_all_below_it_and_a_refquota_for_itself() {
        let table = [
            (vec![("a", Some(10), 0, 0), ("a/b", Some(4), 0, 0)], 10),
            (vec![("a", None, 10, 0), ("a/b", Some(4), 0, 0)], 14),
            (vec![("a", None, 10, 12), ("a/b", None, 0, 0)], 12),
            (vec![("x/a", Some(10), 0, 0), ("x/b", Some(4), 0, 0), ("y", None, 0, 0)], 14),
            (vec![("a", Some(10), 0, 0), ("a/b", None, 0, 40)], 10),
        ];
        for (limits, wanted) in table {
            assert_eq!(planned(&limits), wanted, "{limits:?}");
        }
    }

    #[test]
    fn a_reservation_holds_what_lies_below_it_and_a_refreservation_does_not() {
        let table = [
            (vec![], 0),
            (vec![("a", 10, 0), ("a/b", 4, 0)], 10),
            (vec![("a", 10, 0), ("a/b", 14, 0)], 14),
            (vec![("a", 0, 10), ("a/b", 4, 0)], 14),
            (vec![("a", 12, 10), ("a/b", 4, 0), ("a/c", 0, 1)], 15),
            // A parent that nobody describes passes on what is below it.
            (vec![("safe/x/y", 3, 0), ("safe/z", 4, 5)], 8),
        ];
        for (promises, wanted) in table {
            assert_eq!(promised(&promises), wanted, "{promises:?}");
        }
    }

    proptest! {
        #[test]
        fn promises_are_at_least_the_largest_and_at_most_their_sum(
            promises in proptest::collection::btree_map("[ab](/[ab]){0,3}", (0u64..1000, 0u64..1000), 0..12),
        ) {
            let list: Vec<_> = promises.iter().map(|(name, (within, alone))| (name.as_str(), *within, *alone)).collect();
            let sum = promised(&list);
            let largest = list.iter().map(|(_, within, alone)| *within.max(alone)).max().unwrap_or(0);
            prop_assert!(sum >= u128::from(largest));
            prop_assert!(sum <= list.iter().map(|(_, within, alone)| u128::from(within + alone)).sum());
        }

        #[test]
        fn a_quota_more_never_makes_more_of_what_lies_below_it(
            limits in proptest::collection::btree_map("[ab](/[ab]){0,3}", (0u64..1000, 0u64..1000), 1..12), quota in 0u64..1000,
        ) {
            let list: Vec<_> = limits.iter().map(|(name, (own, alone))| (name.as_str(), None, *own, *alone)).collect();
            let free = planned(&list);
            let promises: Vec<_> = limits.iter().map(|(name, (_, alone))| (name.as_str(), 0, *alone)).collect();
            prop_assert!(free >= promised(&promises));
            prop_assert!(free <= limits.values().map(|(own, alone)| u128::from(*own.max(alone))).sum());
            // A quota on the parent of all decides alone.
            let above: Vec<String> = list.iter().map(|(name, ..)| format!("top/{name}")).collect();
            let mut below: Vec<_> = above.iter().zip(&list).map(|(name, (_, none, own, alone))| (name.as_str(), *none, *own, *alone)).collect();
            prop_assert_eq!(planned(&below), free);
            below.push(("top", Some(quota), 0, 0));
            prop_assert_eq!(planned(&below), u128::from(quota));
        }
    }
}
