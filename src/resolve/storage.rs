//! Disks cut into partitions, pools put together from them, and what is mounted where.

use indexmap::IndexMap;

use super::reference;
use crate::fleet::Host;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::disks::{Disk, Format, Partition, PartitionSize, Role};
use crate::fleet::schema::zfs::{Dataset, MemberName, Pool, Vdev, VdevType};
use crate::source::{Diagnostics, Place, Spanned};

/// Partitions begin and end on multiples of this, as sgdisk and parted align them.
pub const ALIGNMENT: u64 = 1 << 20;

/// A disk with its partitions.
#[derive(Debug)]
pub struct ResolvedDisk<'f> {
    /// Its name in the definition.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Disk>,
    /// Its partitions in order. A disk without any that a pool names has one for ZFS over the whole of it.
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
}

/// What part of a pool a vdev serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VdevClass {
    /// Data.
    Data,
    /// Separate intent log.
    Log,
    /// Metadata and small blocks.
    Special,
    /// Deduplication tables.
    Dedup,
}

impl VdevClass {
    /// Returns the word of zpool-create(8) before such vdevs; none for data.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Data => None,
            Self::Log => Some("log"),
            Self::Special => Some("special"),
            Self::Dedup => Some("dedup"),
        }
    }
}

/// A pool with its members' devices.
#[derive(Debug)]
pub struct ResolvedPool<'f> {
    /// Its name.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Pool>,
    /// Its vdevs, data first.
    pub vdevs: Vec<ResolvedVdev<'f>>,
    /// Read cache.
    pub cache: Vec<ResolvedMember>,
    /// Hot spares.
    pub spares: Vec<ResolvedMember>,
}

impl ResolvedPool<'_> {
    /// Returns the vdevs that hold data.
    pub fn data(&self) -> impl Iterator<Item = &ResolvedVdev<'_>> {
        self.vdevs.iter().filter(|vdev| vdev.class == VdevClass::Data)
    }

    /// Returns every member of the pool.
    pub fn members(&self) -> impl Iterator<Item = &ResolvedMember> {
        self.vdevs.iter().flat_map(|vdev| &vdev.members).chain(&self.cache).chain(&self.spares)
    }

    /// Returns the bytes that its data vdevs hold, parity taken off and padding not; none while a size is unknown.
    pub fn usable_bytes(&self) -> Option<u64> {
        self.data().map(ResolvedVdev::usable_bytes).sum()
    }

    /// Returns the size of the `reserved` dataset in bytes: as written, else 1 % of the usable space, 32 GiB at most.
    pub fn reserve_bytes(&self) -> Option<u64> {
        let written = self.def.reserve.as_ref().map(|size| size.bytes());
        written.or_else(|| Some((self.usable_bytes()? / 100).min(32 << 30) / ALIGNMENT * ALIGNMENT))
    }

    /// Tells whether every data vdev survives the loss of a disk.
    pub fn is_redundant(&self) -> bool {
        self.data().all(|vdev| vdev.def.kind.parity(vdev.members.len()) > 0)
    }
}

/// A vdev with its members' devices.
#[derive(Debug)]
pub struct ResolvedVdev<'f> {
    /// Its definition.
    pub def: &'f Vdev,
    /// What it serves.
    pub class: VdevClass,
    /// Its members.
    pub members: Vec<ResolvedMember>,
}

impl ResolvedVdev<'_> {
    /// Returns the bytes it holds, parity taken off; none while a member's size is unknown.
    pub fn usable_bytes(&self) -> Option<u64> {
        let sizes: Option<Vec<u64>> = self.members.iter().map(|member| member.bytes).collect();
        let sizes = sizes?;
        let smallest = sizes.iter().copied().min().unwrap_or(0);
        let count = sizes.len();
        Some(match self.def.kind.value {
            VdevType::Stripe => sizes.iter().sum(),
            VdevType::Mirror => smallest,
            kind => smallest.saturating_mul(count.saturating_sub(kind.parity(count)) as u64),
        })
    }
}

/// A member of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedMember {
    /// Its name in the definition.
    pub name: String,
    /// The disk it is on.
    pub disk: String,
    /// The partition's name.
    pub partition: String,
    /// Its path below /dev/disk/by-id.
    pub device: String,
    /// Its size in bytes where the disk's is stated.
    pub bytes: Option<u64>,
    /// Where it is named.
    pub place: Place,
}

/// A use of a disk or partition by a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberUse {
    /// The pool.
    pub pool: String,
    /// The name as written.
    pub member: MemberName,
    /// Where it is written.
    pub place: Place,
}

impl MemberUse {
    /// Returns every use of disks and partitions by the pools of a host, in the order of the file.
    pub fn all(host: &Host) -> Vec<Self> {
        let mut uses = Vec::new();
        for (name, pool) in pools_of(host) {
            let vdevs = [&pool.vdevs, &pool.log, &pool.special, &pool.dedup];
            let members = vdevs.into_iter().flatten().flat_map(|vdev| &vdev.members);
            for member in members.chain(&pool.cache).chain(&pool.spares) {
                uses.push(Self { pool: name.clone(), member: member.value.clone(), place: member.place });
            }
        }
        uses
    }
}

fn pools_of(host: &Host) -> impl Iterator<Item = (&String, &Keyed<Pool>)> {
    host.def.zfs.iter().flat_map(|zfs| zfs.pools.iter())
}

/// Cuts the disks of a host into partitions.
pub(super) fn disks(host: &Host) -> Vec<ResolvedDisk<'_>> {
    let whole: Vec<String> = MemberUse::all(host)
        .into_iter()
        .filter(|member| member.member.partition.is_none())
        .map(|member| member.member.disk)
        .collect();
    host.def.disks.iter().map(|(name, def)| disk(host, name, def, whole.contains(name))).collect()
}

fn disk<'f>(host: &'f Host, name: &'f str, def: &'f Keyed<Disk>, whole: bool) -> ResolvedDisk<'f> {
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
    if whole && def.partitions.is_empty() {
        partitions.push(ResolvedPartition {
            disk: name,
            name: "zfs",
            def: None,
            role: Role::Zfs,
            number: 1,
            label: label("zfs"),
            start,
            bytes: rest(start),
            device: device(1),
            place: def.key,
        });
    }
    ResolvedDisk { name, def, partitions }
}

/// Puts the pools of a host together; members that nothing defines are reported.
pub(super) fn pools<'f>(host: &'f Host, disks: &[ResolvedDisk<'f>], found: &mut Diagnostics) -> Vec<ResolvedPool<'f>> {
    let by_name: IndexMap<&str, &ResolvedDisk<'_>> = disks.iter().map(|disk| (disk.name, disk)).collect();
    let mut pools = Vec::new();
    for (name, def) in pools_of(host) {
        let classes = [
            (VdevClass::Data, &def.vdevs),
            (VdevClass::Log, &def.log),
            (VdevClass::Special, &def.special),
            (VdevClass::Dedup, &def.dedup),
        ];
        let mut vdevs = Vec::new();
        for (class, list) in classes {
            for vdev in list {
                vdevs.push(ResolvedVdev { def: vdev, class, members: members(&by_name, &vdev.members, found) });
            }
        }
        let cache = members(&by_name, &def.cache, found);
        let spares = members(&by_name, &def.spares, found);
        pools.push(ResolvedPool { name, def, vdevs, cache, spares });
    }
    pools
}

fn members(
    disks: &IndexMap<&str, &ResolvedDisk<'_>>,
    names: &[Spanned<MemberName>],
    found: &mut Diagnostics,
) -> Vec<ResolvedMember> {
    names.iter().filter_map(|name| member(disks, name, found)).collect()
}

fn member(
    disks: &IndexMap<&str, &ResolvedDisk<'_>>,
    name: &Spanned<MemberName>,
    found: &mut Diagnostics,
) -> Option<ResolvedMember> {
    reference("disk", &name.disk, name.place, disks.keys().copied(), found);
    let disk = disks.get(name.disk.as_str())?;
    let partition = match &name.partition {
        Some(wanted) => {
            let known = disk.partitions.iter().map(|partition| partition.name);
            reference(&format!("partition of disk `{}` called", disk.name), wanted, name.place, known, found);
            disk.partitions.iter().find(|partition| partition.name == wanted)?
        }
        // A whole disk that is cut into partitions all the same is `disk-used-twice`; its first partition stands for it here.
        None => disk.partitions.first()?,
    };
    Some(ResolvedMember {
        name: name.to_string(),
        disk: disk.name.to_owned(),
        partition: partition.name.to_owned(),
        device: partition.device.clone(),
        bytes: partition.bytes,
        place: name.place,
    })
}

/// Something that is mounted.
#[derive(Debug)]
pub struct Mount<'f> {
    /// Where.
    pub path: &'f str,
    /// What.
    pub source: MountSource<'f>,
    /// Where the mount is written.
    pub place: Place,
}

/// What is mounted.
#[derive(Debug)]
pub enum MountSource<'f> {
    /// A partition's file system.
    Partition {
        /// Its path below /dev/disk/by-id.
        device: String,
        /// Its definition.
        def: &'f Partition,
        /// Its file system; ext4 when none is written.
        format: Format,
        /// The disk it is on.
        disk: &'f str,
    },
    /// A dataset.
    Dataset {
        /// The pool.
        pool: &'f str,
        /// The dataset, relative to the pool.
        name: &'f str,
        /// Its definition.
        def: &'f Dataset,
    },
}

/// Returns what a host mounts, parents before what lies below them. Of mirrored ESPs the one on the first disk is mounted.
pub(super) fn mounts<'f>(disks: &[ResolvedDisk<'f>], pools: &[ResolvedPool<'f>]) -> Vec<Mount<'f>> {
    let mut mounts = Vec::new();
    for disk in disks {
        for partition in &disk.partitions {
            let Some(def) = partition.def else { continue };
            let Some(path) = &def.mount else { continue };
            let format = partition.format().unwrap_or(Format::Ext4);
            let source = MountSource::Partition { device: partition.device.clone(), def, format, disk: disk.name };
            mounts.push(Mount { path: path.as_str(), source, place: path.place });
        }
    }
    for pool in pools {
        for (name, dataset) in pool.def.value.datasets.iter() {
            let Some(path) = &dataset.value.mount else { continue };
            let source = MountSource::Dataset { pool: pool.name, name, def: &dataset.value };
            mounts.push(Mount { path: path.as_str(), source, place: path.place });
        }
    }
    mounts.sort_by(|a, b| depth(a.path).cmp(&depth(b.path)).then(a.path.cmp(b.path)));
    mounts
}

fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}
