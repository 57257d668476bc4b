//! Which disks are used for what.

use crate::units::by_id_name;
use std::cmp::Reverse;

use super::machine::{Disk, Machine};

/// The smallest disk that is used, in bytes.
const SMALLEST: u64 = 8_000_000_000;
/// The most members of a raidz2.
const WIDEST: usize = 12;
/// Disks of one size as sold differ by less than this, in percent; the same as `disk-size-mismatch` takes.
const TOLERANCE: u128 = 1;

/// What the root is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filesystem {
    /// Datasets of a pool.
    #[default]
    Zfs,
    /// ext4 on one disk.
    Ext4,
}

/// No disk may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Each disk with the reason, in words.
    pub disks: Vec<String>,
}

/// A disk that may be used.
#[derive(Debug, Clone)]
pub(super) struct Usable<'a> {
    pub(super) id: &'a str,
    pub(super) bytes: u64,
    pub(super) disk: &'a Disk,
}

/// Which disks hold what.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) system: Vec<Usable<'a>>,
    pub(super) data: Vec<Usable<'a>>,
    /// Disks that are not used, each with the reason, in words.
    pub(super) left_out: Vec<String>,
}

/// Returns the kind of vdev for so many equal disks.
pub(super) fn vdev(members: usize) -> &'static str {
    match members {
        0 | 1 => "stripe",
        2 => "mirror",
        3..=5 => "raidz1",
        _ => "raidz2",
    }
}

/// Returns whether two sizes are one as sold.
fn same(a: u64, b: u64) -> bool {
    u128::from(a.abs_diff(b)) * 100 <= u128::from(a.min(b)) * TOLERANCE
}

/// Returns a size in the unit in which it is a whole number close enough.
pub(super) fn as_sold(bytes: u64) -> String {
    let units = [("TB", 1_000_000_000_000u64), ("GB", 1_000_000_000), ("MB", 1_000_000)];
    for (unit, size) in units {
        let whole = bytes.saturating_add(size / 2) / size;
        if same(whole.saturating_mul(size), bytes) {
            return format!("{whole}{unit}");
        }
    }
    format!("{bytes}B")
}

/// Returns the name below /dev/disk/by-id that says most to a person: by how it is attached, a mere number last.
fn best_id(disk: &Disk) -> Option<&str> {
    const NUMBERS: &[&str] =
        &["nvme-eui.", "nvme-nvme.", "nvme-uuid.", "scsi-3", "scsi-1ATA", "scsi-0ATA", "scsi-SATA"];
    const KINDS: &[&str] = &["ata-", "nvme-", "scsi-", "virtio-", "mmc-"];
    let fits = |id: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"#+-.:=@_".contains(&b);
        id.len() <= 255 && !id.starts_with('-') && id.bytes().all(plain)
    };
    let rank = |id: &&str| {
        let number = NUMBERS.iter().any(|start| id.starts_with(start));
        let kind = KINDS.iter().position(|kind| id.starts_with(kind)).unwrap_or(KINDS.len());
        (number || kind == KINDS.len(), !number, kind, id.len(), (*id).to_owned())
    };
    let names = disk.ids.iter().map(|id| by_id_name(id));
    names.filter(fits).min_by_key(rank)
}

/// Returns the disk as one that may be used, else why not.
fn usable(disk: &Disk) -> Result<Usable<'_>, &'static str> {
    let Some(bytes) = disk.size_bytes else { return Err("its size is not known") };
    let Some(signatures) = &disk.signatures else {
        return Err("whether it is blank is not known: probe as root, with wipefs");
    };
    if disk.removable == Some(true) {
        return Err("it is removable");
    }
    if disk.mounted.as_ref().is_some_and(|points| !points.is_empty()) {
        return Err("it is in use");
    }
    if !signatures.is_empty() {
        return Err("it is not blank: wipe it and probe again, if it may be used");
    }
    if bytes < SMALLEST {
        return Err("it is smaller than 8 GB");
    }
    let id = best_id(disk).ok_or("it has no name below /dev/disk/by-id")?;
    Ok(Usable { id, bytes, disk })
}

fn named(disk: &Disk, why: &str) -> String {
    let path = disk.path.as_deref().unwrap_or("a disk");
    let size = disk.size_bytes.map(|bytes| format!(", {}", as_sold(bytes))).unwrap_or_default();
    match best_id(disk) {
        Some(id) => format!("{path} ({id}{size}): {why}"),
        None => format!("{path}{size}: {why}"),
    }
}

/// Chooses what each disk is for.
pub(super) fn choose(machine: &Machine, filesystem: Filesystem) -> Result<Layout<'_>, Unusable> {
    let (mut good, mut left_out) = (Vec::new(), Vec::new());
    for disk in &machine.disks {
        match usable(disk) {
            Ok(disk) => good.push(disk),
            Err(why) => left_out.push(named(disk, why)),
        }
    }
    good.sort_by(|a, b| (a.bytes, a.id).cmp(&(b.bytes, b.id)));
    let turns = |disk: &Usable<'_>| disk.disk.rotational == Some(true);
    let mut groups: Vec<Vec<Usable<'_>>> = Vec::new();
    for disk in good {
        let fits = |group: &&mut Vec<Usable<'_>>| {
            group.first().is_some_and(|first| same(first.bytes, disk.bytes) && turns(first) == turns(&disk))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(disk),
            None => groups.push(vec![disk]),
        }
    }
    // Sorted by size before: the first of the least is the smallest group.
    groups.sort_by_key(|group| group.first().is_some_and(turns));
    if groups.is_empty() {
        return Err(Unusable { disks: left_out });
    }
    let mut system = groups.remove(0);
    let whole = |group: &Vec<Usable<'_>>| group.iter().map(|disk| u128::from(disk.bytes)).sum::<u128>();
    groups.sort_by_key(|group| Reverse(whole(group)));
    let mut spare = Vec::new();
    let mut data = Vec::new();
    match filesystem {
        Filesystem::Ext4 => spare.extend(system.drain(1..)),
        Filesystem::Zfs if !groups.is_empty() => data = groups.remove(0),
        Filesystem::Zfs => {}
    }
    for group in [&mut system, &mut data] {
        spare.extend(group.drain(group.len().min(WIDEST)..));
    }
    spare.extend(groups.into_iter().flatten());
    let why = match filesystem {
        Filesystem::Ext4 => "ext4 is on one disk; `--filesystem zfs` uses more",
        Filesystem::Zfs => "free for another use",
    };
    left_out.extend(spare.iter().map(|disk| named(disk.disk, why)));
    Ok(Layout { system, data, left_out })
}
