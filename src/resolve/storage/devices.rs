//! Block devices that carry something: a partition or an array, LUKS around it or not, and what lies in it.
//!
//! The order of layers is fixed: partition, array, LUKS, then a file system, swap or a member of a pool. Whoever makes,
//! opens, mounts or checks a layer takes it from here.

use super::{ResolvedDisk, ResolvedMember, pools};
use crate::fleet::Host;
use crate::fleet::decode::{Keyed, Map};
use crate::fleet::scalar::{AbsPath, KernelWord};
use crate::fleet::schema::disks::{Format, Luks, Role, Subvolume, Table};
use crate::fleet::schema::machine::Unlock;
use crate::fleet::schema::storage::{ArrayRole, Mdraid, Metadata};
use crate::fleet::schema::zfs::MemberName;
use crate::source::{Diagnostics, Place, Spanned};

/// An array with its members' devices.
#[derive(Debug)]
pub struct ResolvedArray<'f> {
    /// Its name.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Mdraid>,
    /// Its members.
    pub members: Vec<ResolvedMember>,
    /// Its path below /dev/disk/by-id, which udev makes of host and name whatever machine assembles it.
    pub device: String,
    /// The version of its superblock.
    pub metadata: Metadata,
}

impl ResolvedArray<'_> {
    /// Returns its file system: as written, FAT for an ESP, else ext4.
    pub fn format(&self) -> Format {
        let own = if self.def.role.value == ArrayRole::Esp { Format::Vfat } else { Format::Ext4 };
        self.def.format.as_ref().map_or(own, |format| format.value)
    }

    /// Tells whether any one of its disks may fail.
    pub fn survives_any_disk(&self) -> bool {
        let most = |disk: &str| self.members.iter().filter(|member| member.disk == disk).count();
        let worst = self.members.iter().map(|member| most(&member.disk)).max().unwrap_or(0);
        self.def.level.parity(self.members.len()) >= worst
    }
}

/// What a block device is, below LUKS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base<'f> {
    /// A partition.
    Partition {
        /// Its disk.
        disk: &'f str,
        /// Its name.
        name: &'f str,
    },
    /// An array.
    Array {
        /// Its name.
        name: &'f str,
    },
}

impl std::fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partition { disk, name } => write!(f, "{disk}.{name}"),
            Self::Array { name } => write!(f, "mdraid.{name}"),
        }
    }
}

/// What a block device holds, within LUKS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// GRUB's core image.
    Core,
    /// A member of an array.
    ArrayMember,
    /// A member of a pool.
    PoolMember,
    /// Swap.
    Swap,
    /// A file system; none where a partition's format is not stated and nothing mounts it.
    FileSystem(Option<Format>),
}

/// A block device that carries something.
#[derive(Debug)]
pub struct BlockDevice<'f> {
    /// What it is.
    pub base: Base<'f>,
    /// What it is for.
    pub role: Role,
    /// Its label: `HOST-DISK-NAME` of a partition, `HOST-NAME` of an array.
    pub label: String,
    /// Its path below /dev/disk/by-id.
    pub raw: String,
    /// LUKS around what it holds.
    pub luks: Option<&'f Spanned<Luks>>,
    /// What it holds.
    pub content: Content,
    /// Where its file system is mounted.
    pub mount: Option<&'f Spanned<AbsPath>>,
    /// Mount options.
    pub options: &'f [Spanned<KernelWord>],
    /// Its subvolumes.
    pub subvolumes: &'f Map<Subvolume>,
    /// Where a new random key at each boot is asked for.
    pub random_encryption: Option<Place>,
    /// Whether it lies on a disk that is only described, not laid out.
    pub described: bool,
    /// Where it is written.
    pub place: Place,
}

impl BlockDevice<'_> {
    /// Returns the path of what it holds: of the open LUKS device where there is one.
    pub fn device(&self) -> String {
        opened(&self.raw, self.luks)
    }

    /// Returns the paths where its file system or subvolumes are mounted.
    pub fn mount_points(&self) -> impl Iterator<Item = &str> {
        let below = self.subvolumes.values().filter_map(|subvolume| subvolume.mount.as_ref());
        self.mount.into_iter().chain(below).map(|mount| mount.as_str())
    }

    /// Returns how its LUKS opens at boot, where nothing else is written as the host says.
    pub fn unlock(&self, host: Unlock) -> Option<Unlock> {
        Some(self.luks?.unlock.as_ref().map_or(host, |unlock| unlock.value))
    }
}

/// Returns the path of what a device holds.
pub(super) fn opened(raw: &str, luks: Option<&Spanned<Luks>>) -> String {
    luks.map_or_else(|| raw.to_owned(), |luks| format!("/dev/mapper/{}", luks.name.as_str()))
}

/// A use of a disk or partition by an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayUse {
    /// The array.
    pub array: String,
    /// The name as written.
    pub member: MemberName,
    /// Where it is written.
    pub place: Place,
}

impl ArrayUse {
    /// Returns every use of disks and partitions by the arrays of a host, in the order of the file.
    pub fn all(host: &Host) -> Vec<Self> {
        let arrays = host.def.mdraid.iter();
        let of = |(name, array): (&String, &Keyed<Mdraid>)| -> Vec<Self> {
            let members = array.members.iter();
            members
                .map(|member| Self { array: name.clone(), member: member.value.clone(), place: member.place })
                .collect()
        };
        arrays.flat_map(of).collect()
    }
}

/// Puts the arrays of a host together; members that nothing defines are reported.
pub(in crate::resolve) fn arrays<'f>(
    host: &'f Host,
    disks: &[ResolvedDisk<'f>],
    found: &mut Diagnostics,
) -> Vec<ResolvedArray<'f>> {
    let by_name = disks.iter().map(|disk| (disk.name, disk)).collect();
    let array = |(name, def): (&'f String, &'f Keyed<Mdraid>), found: &mut Diagnostics| {
        let boots = def.role.value == ArrayRole::Esp || def.mount.as_ref().is_some_and(|mount| mount.is_below("/boot"));
        let own = if boots { Metadata::V1_0 } else { Metadata::V1_2 };
        ResolvedArray {
            name,
            def,
            members: pools::members(&by_name, &def.members, found),
            device: format!("/dev/disk/by-id/md-name-{}:{name}", host.name),
            metadata: def.metadata.as_ref().map_or(own, |metadata| metadata.value),
        }
    };
    host.def.mdraid.iter().map(|entry| array(entry, found)).collect()
}

/// Returns every block device that carries something: the partitions of all disks, then the arrays.
pub(in crate::resolve) fn devices<'f>(
    host: &'f Host,
    disks: &[ResolvedDisk<'f>],
    arrays: &[ResolvedArray<'f>],
) -> Vec<BlockDevice<'f>> {
    static NONE: std::sync::LazyLock<Map<Subvolume>> = std::sync::LazyLock::new(Map::new);
    let mut devices = Vec::new();
    for (disk, partition) in disks.iter().flat_map(|disk| disk.partitions.iter().map(move |part| (disk, part))) {
        let def = partition.def;
        let content = match partition.role {
            Role::BiosBoot => Content::Core,
            Role::Mdraid => Content::ArrayMember,
            Role::Zfs => Content::PoolMember,
            Role::Swap => Content::Swap,
            Role::Filesystem => Content::FileSystem(Some(partition.format().unwrap_or(Format::Ext4))),
            Role::Esp => Content::FileSystem(partition.format()),
        };
        devices.push(BlockDevice {
            base: Base::Partition { disk: partition.disk, name: partition.name },
            role: partition.role,
            label: partition.label.clone(),
            raw: partition.device.clone(),
            luks: def.and_then(|def| def.luks.as_ref()),
            content,
            mount: def.and_then(|def| def.mount.as_ref()),
            options: def.map_or(&[], |def| &def.mount_options),
            subvolumes: def.map_or(&*NONE, |def| &def.subvolumes.map),
            random_encryption: def
                .map(|def| &def.random_encryption)
                .filter(|random| random.value)
                .map(|random| random.place),
            described: disk.def.table.value == Table::Mbr,
            place: partition.place,
        });
    }
    for array in arrays {
        let def = &array.def.value;
        let (role, content) = match def.role.value {
            ArrayRole::Esp => (Role::Esp, Content::FileSystem(Some(array.format()))),
            ArrayRole::Filesystem => (Role::Filesystem, Content::FileSystem(Some(array.format()))),
            ArrayRole::Swap => (Role::Swap, Content::Swap),
        };
        devices.push(BlockDevice {
            base: Base::Array { name: array.name },
            role,
            label: format!("{}-{}", host.name, array.name),
            raw: array.device.clone(),
            luks: def.luks.as_ref(),
            content,
            mount: def.mount.as_ref(),
            options: &def.mount_options,
            subvolumes: &def.subvolumes.map,
            random_encryption: Some(def.random_encryption.place).filter(|_| def.random_encryption.value),
            described: false,
            place: array.def.key,
        });
    }
    devices
}
