//! How much a pool holds, and how much its datasets are promised.
//!
//! The arithmetic is OpenZFS's own, so that the figures are those of `zfs list` on an empty pool: labels, the deflate ratio of
//! raidz and dRAID (parity and padding of a block of 128 KiB), and the slop space. Not counted is what only makes a pool smaller: the
//! rest of a last metaslab, metadata; nor what only makes it larger: the allocation class for metadata, compression.

use std::collections::BTreeMap;

use crate::fleet::schema::zfs::{Dataset, Vdev, VdevType};
use crate::resolve::{ResolvedHost, ResolvedPool, ResolvedVdev, SystemRole};
use crate::source::Spanned;
use crate::units::Size;

/// What labels and the boot block take of every member (`VDEV_LABEL_START_SIZE` and `VDEV_LABEL_END_SIZE` in vdev_impl.h).
const LABELS: u64 = (4 << 20) + (512 << 10);

/// The block whose footprint fixes how ZFS counts the space of a raidz (`SPA_OLD_MAXBLOCKSIZE`, vdev_set_deflate_ratio()).
const BLOCK: u64 = 128 << 10;

/// What a pool holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// All data members together.
    pub(super) raw: u64,
    /// What is left of that after labels, copies, parity and padding.
    pub(super) data: u64,
    /// What ZFS keeps for itself of that.
    pub(super) slop: u64,
}

impl Capacity {
    /// Returns what datasets can have.
    pub(super) fn usable(self) -> u64 {
        self.data.saturating_sub(self.slop)
    }
}

/// Returns what a pool holds; none while the size of a data member is not known.
pub(super) fn capacity(pool: &ResolvedPool<'_>) -> Option<Capacity> {
    let ashift = ashift(pool);
    let mut raw = 0u64;
    let mut data = 0u64;
    for vdev in pool.data() {
        let sizes = sizes(vdev)?;
        raw = raw.saturating_add(sizes.iter().fold(0, |sum, size| sum.saturating_add(*size)));
        data = data.saturating_add(of_vdev(vdev.def.kind.value, Draid::of(vdev.def), &sizes, ashift));
    }
    Some(Capacity { raw, data, slop: slop(data) })
}

/// Returns the sizes of a vdev's members; none while one is not known.
pub(super) fn sizes(vdev: &ResolvedVdev<'_>) -> Option<Vec<u64>> {
    vdev.members.iter().map(|member| member.bytes).collect()
}

/// Returns a pool's sector size as a power of two: as written, else the 12 that hostwright creates pools with.
pub(super) fn ashift(pool: &ResolvedPool<'_>) -> u32 {
    let written = pool.def.properties.get("ashift").and_then(|value| value.value.value.as_str().parse().ok());
    written.filter(|ashift| (9..=16).contains(ashift)).unwrap_or(12)
}

/// Returns what data can have of a vdev with members of these sizes; `draid` counts where it is one.
fn of_vdev(kind: VdevType, draid: Draid, sizes: &[u64], ashift: u32) -> u64 {
    let leaf = |size: &u64| size.saturating_sub(LABELS);
    let smallest = sizes.iter().map(leaf).min().unwrap_or(0);
    let parity = kind.parity(sizes.len()) as u64;
    let width = sizes.len() as u64;
    match kind {
        VdevType::Stripe => sizes.iter().map(leaf).fold(0, u64::saturating_add),
        VdevType::Mirror => smallest,
        VdevType::Raidz1 | VdevType::Raidz2 | VdevType::Raidz3 => {
            let raw = smallest.saturating_mul(width);
            raidz_footprint(BLOCK, width, parity, ashift).map_or(0, |footprint| scaled(raw, BLOCK, footprint))
        }
        VdevType::Draid1 | VdevType::Draid2 | VdevType::Draid3 => {
            draid.footprint(BLOCK, ashift).map_or(0, |footprint| scaled(draid.raw(smallest), BLOCK, footprint))
        }
    }
}

/// The geometry of a dRAID (`vdev_draid_config_t`).
#[derive(Debug, Clone, Copy, Default)]
struct Draid {
    /// Data devices in a group.
    data: u64,
    /// Parity devices in a group.
    parity: u64,
    /// Members less distributed spares.
    disks: u64,
}

impl Draid {
    /// What every member gives to a row (`VDEV_DRAID_ROWHEIGHT`).
    const ROW: u64 = 16 << 20;

    /// What every member keeps back (`VDEV_DRAID_REFLOW_RESERVE`).
    const RESERVE: u64 = 2 * Self::ROW;

    /// Returns what a block takes, parity and padding included: whole rows of a group (vdev_draid_asize()); none where no
    /// group fits.
    fn footprint(self, block: u64, ashift: u32) -> Option<u64> {
        let group = self.data.checked_add(self.parity).filter(|group| self.data > 0 && *group <= self.disks)?;
        let rows = block.div_ceil(self.data.checked_shl(ashift)?.max(1));
        Some(rows.saturating_mul(group) << ashift)
    }

    /// Returns the geometry of a vdev, which means nothing where it is none.
    fn of(vdev: &Vdev) -> Self {
        let members = vdev.members.len();
        Self {
            data: vdev.group_data() as u64,
            parity: vdev.kind.parity(members) as u64,
            disks: members.saturating_sub(vdev.distributed_spares()) as u64,
        }
    }

    /// Returns what members of which the smallest has these bytes hold together, in whole groups (vdev_draid_open()).
    fn raw(self, smallest: u64) -> u64 {
        let rows = smallest.saturating_sub(Self::RESERVE) / Self::ROW * Self::ROW;
        let group = self.data.saturating_add(self.parity).saturating_mul(Self::ROW).max(1);
        rows.saturating_mul(self.disks) / group * group
    }
}

/// Returns what a block takes of a raidz, parity and padding included (vdev_raidz_asize()); none where the vdev is narrower
/// than its parity allows.
fn raidz_footprint(block: u64, width: u64, parity: u64, ashift: u32) -> Option<u64> {
    let columns = width.checked_sub(parity).filter(|columns| *columns > 0)?;
    let data = block.div_ceil(1 << ashift);
    let with_parity = data + parity * data.div_ceil(columns);
    Some(with_parity.next_multiple_of(parity + 1) << ashift)
}

/// Returns `bytes * part / whole` without overflow.
fn scaled(bytes: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Returns what ZFS keeps so that a full pool can still free something: 1/32, 128 GiB at most and 128 MiB at least
/// (spa_get_slop_space(), OpenZFS 2.1).
fn slop(data: u64) -> u64 {
    let most = (data >> 5).min(128 << 30);
    most.max((data >> 1).min(128 << 20))
}

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
    let share = |dataset: &Dataset| {
        let bytes = |size: &Option<Spanned<Size>>| size.as_ref().map(|size| size.bytes());
        let volume = || bytes(&dataset.volume).map(|size| volume_bytes(pool, size, block_size(host, dataset)));
        Share {
            within: bytes(&dataset.reservation).unwrap_or(0),
            alone: bytes(&dataset.refreservation).or_else(volume).unwrap_or(0),
            quota: bytes(&dataset.quota),
            own_quota: bytes(&dataset.refquota).unwrap_or(0),
        }
    };
    datasets.map(|(name, dataset)| (name.as_str(), share(&dataset.value))).collect()
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

/// Shows what becomes of a pool's disks.
pub(super) fn arithmetic(pool: &ResolvedPool<'_>, capacity: Capacity) -> String {
    let disks = pool.data().map(|vdev| vdev.members.len()).sum::<usize>();
    let disks = if disks == 1 { "1 member".to_owned() } else { format!("{disks} members") };
    format!(
        "{disks} have {}, less {} for copies, parity, padding and labels, less {} that ZFS keeps, leave {}",
        Size::human(capacity.raw),
        Size::human(capacity.raw.saturating_sub(capacity.data)),
        Size::human(capacity.slop),
        Size::human(capacity.usable()),
    )
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

    const SECTOR: u64 = 4096;

    const NONE: Draid = Draid { data: 0, parity: 0, disks: 0 };

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
    fn a_block_takes_as_many_sectors_of_a_raidz_as_openzfs_counts() {
        // Sectors of a block of 128 KiB with sectors of 4 KiB: 32 of data, parity for each row, rounded up to parity + 1.
        let table = [(3, 1, 48), (4, 1, 44), (5, 1, 40), (6, 2, 48), (8, 2, 45), (10, 2, 42), (11, 3, 44), (2, 1, 64)];
        for (width, parity, sectors) in table {
            assert_eq!(
                raidz_footprint(BLOCK, width, parity, 12),
                Some(sectors * SECTOR),
                "{width} wide, {parity} parity"
            );
        }
        assert_eq!(raidz_footprint(BLOCK, 2, 2, 12), None);
        // With sectors of 512 bytes the padding is small.
        assert_eq!(raidz_footprint(BLOCK, 4, 1, 9), Some(342 * 512));
    }

    #[test]
    fn small_blocks_take_what_the_tables_of_openzfs_say_they_take() {
        // Sectors of 4 KiB: (width, parity, KiB of a block, sectors). One of 8 KiB takes on raidz2 three times itself, whatever
        // the width, and of 16 KiB on raidz1 of five members as much as on one of four.
        let table = [
            (3, 1, 4, 2),
            (3, 1, 8, 4),
            (3, 1, 16, 6),
            (4, 1, 8, 4),
            (4, 1, 16, 6),
            (5, 1, 8, 4),
            (5, 1, 16, 6),
            (5, 1, 64, 20),
            (4, 2, 4, 3),
            (4, 2, 8, 6),
            (6, 2, 8, 6),
            (6, 2, 16, 6),
            (8, 2, 16, 6),
            (8, 2, 64, 24),
            (12, 2, 8, 6),
            (7, 3, 8, 8),
            (7, 3, 16, 8),
            (11, 3, 16, 8),
            (11, 3, 64, 24),
        ];
        for (width, parity, kib, sectors) in table {
            assert_eq!(
                raidz_footprint(kib << 10, width, parity, 12),
                Some(sectors * SECTOR),
                "{kib} KiB, {width} wide, {parity} parity"
            );
        }
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
    fn the_slop_is_a_thirty_second_within_its_bounds() {
        assert_eq!(slop(1 << 40), 32 << 30);
        assert_eq!(slop(100 << 40), 128 << 30);
        assert_eq!(slop(1 << 30), 128 << 20);
        assert_eq!(slop(100 << 20), 50 << 20);
        assert_eq!(slop(0), 0);
    }

    #[test]
    fn a_mirror_holds_its_smallest_member_and_a_stripe_all_of_them() {
        let sizes = [10 << 30, 12 << 30];
        assert_eq!(of_vdev(VdevType::Mirror, NONE, &sizes, 12), (10 << 30) - LABELS);
        assert_eq!(of_vdev(VdevType::Stripe, NONE, &sizes, 12), (22 << 30) - 2 * LABELS);
        assert_eq!(of_vdev(VdevType::Raidz2, NONE, &[1 << 40], 12), 0);
        assert_eq!(of_vdev(VdevType::Mirror, NONE, &[], 12), 0);
    }

    #[test]
    fn a_draid_holds_whole_groups_and_writes_whole_rows() {
        // draid2:4d:11c:1s: groups of six on ten of eleven members. A block of 128 KiB is eight rows of 4 sectors and 2 of parity.
        let draid = Draid { data: 4, parity: 2, disks: 10 };
        assert_eq!(draid.footprint(BLOCK, 12), Some(48 * SECTOR));
        // The smallest block takes a whole row.
        assert_eq!(draid.footprint(512, 12), Some(6 * SECTOR));
        let group = 6 * Draid::ROW;
        assert_eq!(draid.raw(1 << 40), ((1 << 40) - Draid::RESERVE) * 10 / group * group);
        let sizes = [(1 << 40) + LABELS; 11];
        assert_eq!(of_vdev(VdevType::Draid2, draid, &sizes, 12), draid.raw(1 << 40) / 6 * 4);
        // Nine data members and two of parity leave no room for a spare.
        assert_eq!(Draid { data: 9, parity: 2, disks: 10 }.footprint(BLOCK, 12), None);
        assert_eq!(NONE.footprint(BLOCK, 12), None);
        assert_eq!(draid.raw(1 << 20), 0);
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
        fn a_raidz_never_holds_more_than_its_members_without_parity(
            members in 2u64..64, parity in 1u64..4, ashift in 9u32..17, block in 1u64..(16 << 20),
        ) {
            prop_assume!(members > parity);
            let footprint = raidz_footprint(block, members, parity, ashift).unwrap();
            prop_assert!(footprint >= block);
            prop_assert!(scaled(footprint, members - parity, members) + (1 << ashift) > block);
            prop_assert_eq!(footprint % ((parity + 1) << ashift), 0);
        }

        #[test]
        fn what_is_usable_never_exceeds_what_is_there(
            sizes in proptest::collection::vec(0u64.., 0..20), kind in 0usize..6, data in 0u64..20, spares in 0u64..20,
        ) {
            let kinds =
                [VdevType::Stripe, VdevType::Mirror, VdevType::Raidz1, VdevType::Raidz2, VdevType::Raidz3, VdevType::Draid2];
            let draid = Draid { data, parity: 2, disks: (sizes.len() as u64).saturating_sub(spares) };
            let data = of_vdev(kinds[kind], draid, &sizes, 12);
            prop_assert!(u128::from(data) <= sizes.iter().map(|size| u128::from(*size)).sum());
            prop_assert!(slop(data) <= data);
        }

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

        #[test]
        fn a_smaller_block_never_fits_a_raidz_better(
            members in 2u64..32, parity in 1u64..4, ashift in 9u32..14, shift in 9u32..17,
        ) {
            prop_assume!(members > parity);
            let whole = raidz_footprint(BLOCK, members, parity, ashift).unwrap();
            let block = 1u64 << shift;
            let small = raidz_footprint(block, members, parity, ashift).unwrap();
            // As many bytes in small blocks take at least what they take in blocks of 128 KiB.
            prop_assert!(small * (BLOCK / block) >= whole);
        }
    }
}
