//! How much a pool holds.
//!
//! The arithmetic is OpenZFS's own, so that the figures are those of `zfs list` on an empty pool: labels, the deflate ratio of
//! raidz and dRAID (parity and padding of a block of 128 KiB), and the slop space. Not counted is what only makes a pool smaller: the
//! rest of a last metaslab, metadata; nor what only makes it larger: the allocation class for metadata, compression.

use crate::fleet::schema::zfs::{Vdev, VdevType};
use crate::resolve::{ResolvedPool, ResolvedVdev};
use crate::units::Size;

/// What labels and the boot block take of every member (`VDEV_LABEL_START_SIZE` and `VDEV_LABEL_END_SIZE` in vdev_impl.h).
const LABELS: u64 = (4 << 20) + (512 << 10);

/// The block whose footprint fixes how ZFS counts the space of a raidz (`SPA_OLD_MAXBLOCKSIZE`, vdev_set_deflate_ratio()).
pub(super) const BLOCK: u64 = 128 << 10;

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
            raidz_footprint(BLOCK, width, parity, ashift).map_or(0, |footprint| deflated(raw, footprint))
        }
        VdevType::Draid1 | VdevType::Draid2 | VdevType::Draid3 => {
            draid.footprint(BLOCK, ashift).map_or(0, |footprint| deflated(draid.raw(smallest), footprint))
        }
    }
}

/// The geometry of a dRAID (`vdev_draid_config_t`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Draid {
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
    pub(super) fn footprint(self, block: u64, ashift: u32) -> Option<u64> {
        let group = self.data.checked_add(self.parity).filter(|group| self.data > 0 && *group <= self.disks)?;
        let rows = block.div_ceil(self.data.checked_shl(ashift)?.max(1));
        Some(rows.saturating_mul(group) << ashift)
    }

    /// Returns the geometry of a vdev, which means nothing where it is none.
    pub(super) fn of(vdev: &Vdev) -> Self {
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
pub(super) fn raidz_footprint(block: u64, width: u64, parity: u64, ashift: u32) -> Option<u64> {
    let columns = width.checked_sub(parity).filter(|columns| *columns > 0)?;
    let data = block.div_ceil(1 << ashift);
    let with_parity = data + parity * data.div_ceil(columns);
    Some(with_parity.next_multiple_of(parity + 1) << ashift)
}

/// Returns what data can have of a vdev's bytes on which a block of 128 KiB takes `footprint`: counted in 512ths, rounded down
/// (vdev_set_deflate_ratio(), vdev_deflated_space()).
fn deflated(bytes: u64, footprint: u64) -> u64 {
    let ratio = BLOCK / (footprint >> 9).max(1);
    (bytes >> 9).saturating_mul(ratio)
}

/// Returns `bytes * part / whole` without overflow.
pub(super) fn scaled(bytes: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Returns what ZFS keeps so that a full pool can still free something: 1/32, 128 GiB at most and 128 MiB at least
/// (spa_get_slop_space(), OpenZFS 2.1).
fn slop(data: u64) -> u64 {
    let most = (data >> 5).min(128 << 30);
    most.max((data >> 1).min(128 << 20))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECTOR: u64 = 4096;

    const NONE: Draid = Draid { data: 0, parity: 0, disks: 0 };

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
    fn what_a_raidz_holds_is_counted_in_512ths() {
        // 131072 / (48 * 8) is 341 and a third: of three members not two thirds, but a little less.
        assert_eq!(deflated(512 << 30, 48 * SECTOR), 341 << 30);
        // Four of data and one of parity: 131072 / 320 is 409 and more.
        assert_eq!(deflated(512 << 30, 40 * SECTOR), 409 << 30);
        // A block that takes itself.
        assert_eq!(deflated(512 << 30, BLOCK), 512 << 30);
        let member = (1 << 40) + LABELS;
        assert_eq!(of_vdev(VdevType::Raidz1, NONE, &[member; 3], 12), 3 * (1 << 40) / 512 * 341);
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
        assert_eq!(of_vdev(VdevType::Draid2, draid, &sizes, 12), draid.raw(1 << 40) / 512 * 341);
        // Nine data members and two of parity leave no room for a spare.
        assert_eq!(Draid { data: 9, parity: 2, disks: 10 }.footprint(BLOCK, 12), None);
        assert_eq!(NONE.footprint(BLOCK, 12), None);
        assert_eq!(draid.raw(1 << 20), 0);
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
