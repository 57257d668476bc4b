//! Disks cut into partitions, with their offsets, labels and devices.

use super::{ArrayUse, MemberUse};
use crate::fleet::Host;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::disks::{Disk, Format, Partition, PartitionSize, Role};
use crate::source::Place;

/// Partitions begin and end on multiples of this, as sgdisk and parted align them.
pub const ALIGNMENT: u64 = 1 << 20;

/// A disk with its partitions.
#[derive(Debug)]
pub struct ResolvedDisk<'f> {
    /// Its name in the definition.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Disk>,
    /// Its partitions in order. A disk without any that a pool or array names has one over the whole of it.
    pub partitions: Vec<ResolvedPartition<'f>>,
}

impl ResolvedDisk<'_> {
    /// Returns its path below /dev/disk/by-id.
    pub fn device(&self) -> String {
        format!("/dev/disk/by-id/{}", self.def.id.as_str())
    }

    /// Returns its size in bytes where it is stated.
    pub fn bytes(&self) -> Option<u64> {
        self.def.size.as_ref().map(|size| size.bytes())
    }
}

/// A partition with its offsets.
#[derive(Debug)]
pub struct ResolvedPartition<'f> {
    /// The disk it is on.
    pub disk: &'f str,
    /// Its name.
    pub name: &'f str,
    /// Its definition; none for the one partition of a whole-disk pool member.
    pub def: Option<&'f Partition>,
    /// What it is for.
    pub role: Role,
    /// Its number on the disk, from 1.
    pub number: u32,
    /// Its GPT label, `HOST-DISK-NAME`.
    pub label: String,
    /// Its first byte.
    pub start: u64,
    /// Its size in bytes; none for the rest of a disk whose size is not stated.
    pub bytes: Option<u64>,
    /// Its path below /dev/disk/by-id.
    pub device: String,
    /// Where it is written; for a whole-disk member the disk's name.
    pub place: Place,
}

impl ResolvedPartition<'_> {
    /// Returns its file system: as written, FAT for an ESP.
    pub fn format(&self) -> Option<Format> {
        let written = self.def.and_then(|def| def.format.as_ref()).map(|format| format.value);
        written.or((self.role == Role::Esp).then_some(Format::Vfat))
    }

    /// Returns the path of what it holds: of the open LUKS device where there is one.
    pub fn content_device(&self) -> String {
        super::devices::opened(&self.device, self.def.and_then(|def| def.luks.as_ref()))
    }
}

/// Cuts the disks of a host into partitions.
pub(in crate::resolve) fn disks(host: &Host) -> Vec<ResolvedDisk<'_>> {
    let whole: Vec<String> = MemberUse::all(host)
        .into_iter()
        .filter(|member| member.member.partition.is_none())
        .map(|member| member.member.disk)
        .collect();
    let arrays = ArrayUse::all(host).into_iter().filter(|used| used.member.partition.is_none());
    let in_arrays: Vec<String> = arrays.map(|used| used.member.disk).collect();
    let whole = |name: &String| {
        let in_array = in_arrays.contains(name).then_some((Role::Mdraid, "mdraid"));
        whole.contains(name).then_some((Role::Zfs, "zfs")).or(in_array)
    };
    host.def.disks.iter().map(|(name, def)| disk(host, name, def, whole(name))).collect()
}

fn disk<'f>(
    host: &'f Host,
    name: &'f str,
    def: &'f Keyed<Disk>,
    whole: Option<(Role, &'static str)>,
) -> ResolvedDisk<'f> {
    let total = def.size.as_ref().map(|size| size.bytes());
    let device = |number: u32| format!("/dev/disk/by-id/{}-part{number}", def.id.as_str());
    let label = |partition: &str| format!("{}-{name}-{partition}", host.name);
    // The first MiB holds the table, the last one its copy.
    let rest = |start: u64| total.map(|total| total.saturating_sub(start + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
    let mut start = ALIGNMENT;
    let mut partitions = Vec::new();
    for (partition, number) in def.partitions.iter().zip(1u32..) {
        let bytes = match &partition.size.value {
            PartitionSize::Fixed(size) => Some(size.bytes().div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT)),
            PartitionSize::Rest => rest(start),
        };
        partitions.push(ResolvedPartition {
            disk: name,
            name: partition.name.as_str(),
            def: Some(partition),
            role: partition.role.value,
            number,
            label: label(partition.name.as_str()),
            start,
            bytes,
            device: device(number),
            place: partition.name.place,
        });
        start = start.saturating_add(bytes.unwrap_or(0));
    }
    if let Some((role, partition)) = whole.filter(|_| def.partitions.is_empty()) {
        partitions.push(ResolvedPartition {
            disk: name,
            name: partition,
            def: None,
            role,
            number: 1,
            label: label(partition),
            start,
            bytes: rest(start),
            device: device(1),
            place: def.key,
        });
    }
    ResolvedDisk { name, def, partitions }
}
