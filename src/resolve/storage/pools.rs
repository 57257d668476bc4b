//! Pools put together from disks and partitions.

use indexmap::IndexMap;

use super::{ALIGNMENT, ResolvedDisk};
use crate::fleet::Host;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::zfs::{MemberName, Pool, Vdev, VdevType};
use crate::resolve::reference;
use crate::source::{Diagnostics, Place, Spanned};

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
            kind if kind.is_draid() => {
                // Spares are spread over all members; each group of data and parity is as wide as the others.
                let (data, group) = (self.def.group_data(), self.def.group_data() + kind.parity(count));
                let raw = u128::from(smallest) * count.saturating_sub(self.def.distributed_spares()) as u128;
                u64::try_from(raw * data as u128 / (group as u128).max(1)).unwrap_or(u64::MAX)
            }
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

/// Puts the pools of a host together; members that nothing defines are reported.
pub(in crate::resolve) fn pools<'f>(
    host: &'f Host,
    disks: &[ResolvedDisk<'f>],
    found: &mut Diagnostics,
) -> Vec<ResolvedPool<'f>> {
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

pub(super) fn members(
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
        device: partition.content_device(),
        bytes: partition.bytes,
        place: name.place,
    })
}
