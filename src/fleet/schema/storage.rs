//! What lies over several disks or over none: arrays, file systems that are not laid out here, what of a root that forgets
//! survives.

use super::disks::{Format, Luks, Subvolume};
use super::zfs::MemberName;
use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, FsType, KernelWord, Mode, MountSourceName, SubvolumeKey};
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node, Spanned};
use crate::units::Size;

table! {
    /// A Linux software RAID array.
    pub struct Mdraid {
        /// Its level.
        "level" => level: Spanned<RaidLevel>,
        /// Its members: `disk`, or `disk.partition`.
        "members" => members: Vec<Spanned<MemberName>>,
        /// The version of its superblock; `1.0`, at the end of the members, for `/boot` and an ESP, else `1.2`.
        "metadata" => metadata: Option<Spanned<Metadata>>,
        /// What it is for.
        "role" => role: Setting<ArrayRole> = ArrayRole::Filesystem,
        /// Its file system; `vfat` for an ESP, else `ext4`.
        "format" => format: Option<Spanned<Format>>,
        /// Where it is mounted.
        "mount" => mount: Option<Spanned<AbsPath>>,
        /// Further mount options.
        "mount-options" => mount_options: Vec<Spanned<KernelWord>>,
        /// Subvolumes of btrfs, by name below the root of the file system.
        "subvolumes" => subvolumes: Named<SubvolumeKey, Subvolume>,
        /// LUKS2 around what the array is for.
        "luks" => luks: Option<Spanned<Luks>>,
        /// Swap under a new random key at each boot.
        "random-encryption" => random_encryption: Setting<bool> = false,
    }
}

/// A level of RAID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaidLevel {
    /// Striped, without redundancy.
    Raid0,
    /// Copies on each member.
    Raid1,
    /// One member's worth of parity.
    Raid5,
    /// Two members' worth of parity.
    Raid6,
    /// Striped copies.
    Raid10,
}

impl RaidLevel {
    const ALL: [Self; 5] = [Self::Raid0, Self::Raid1, Self::Raid5, Self::Raid6, Self::Raid10];

    /// Returns its number, as mdadm(8) takes it.
    pub fn number(self) -> u8 {
        match self {
            Self::Raid0 => 0,
            Self::Raid1 => 1,
            Self::Raid5 => 5,
            Self::Raid6 => 6,
            Self::Raid10 => 10,
        }
    }

    /// Returns the fewest members that give what the level is for (md(4)).
    pub fn fewest(self) -> usize {
        match self {
            Self::Raid0 | Self::Raid1 => 2,
            Self::Raid5 => 3,
            Self::Raid6 | Self::Raid10 => 4,
        }
    }

    /// Returns how many members may fail at least.
    pub fn parity(self, members: usize) -> usize {
        match self {
            Self::Raid0 => 0,
            Self::Raid1 => members.saturating_sub(1),
            Self::Raid5 | Self::Raid10 => 1,
            Self::Raid6 => 2,
        }
    }
}

impl Decode for RaidLevel {
    fn shape() -> Shape {
        Shape::Scalar(crate::fleet::shape::Scalar {
            form: "0 | 1 | 5 | 6 | 10",
            json: "integer",
            pattern: None,
            wanted: "a level: 0, 1, 5, 6 or 10",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a level of Linux software RAID is wanted: 0, 1, 5, 6 or 10";
        let Kind::Int(written) = node.kind else { return cx.invalid(node, wanted) };
        let level = Self::ALL.into_iter().find(|level| i64::from(level.number()) == written);
        level.or_else(|| cx.refused(node.place, &written.to_string(), wanted))
    }
}

choice! {
    /// The version of an array's superblock, which decides where it lies (md(4)).
    pub enum Metadata {
        /// At the end: each member of a mirror looks like what the array holds.
        V1_0 = "1.0",
        /// Four KiB from the start.
        V1_2 = "1.2",
    }
}

choice! {
    /// What an array is for.
    pub enum ArrayRole {
        /// EFI system partition.
        Esp = "esp",
        /// A file system.
        Filesystem = "filesystem",
        /// Swap.
        Swap = "swap",
    }
}

table! {
    /// A file system that is not laid out here.
    pub struct FileSystem {
        /// Its type as mount(8) takes it: `tmpfs`, `nfs`, `bind`.
        "type" => kind: Spanned<FsType>,
        /// What is mounted; of `bind` a path.
        "device" => device: Option<Spanned<MountSourceName>>,
        /// Mount options.
        "options" => options: Vec<Spanned<KernelWord>>,
        /// The most that a tmpfs holds.
        "size" => size: Option<Spanned<Size>>,
    }
}

table! {
    /// What of a root that forgets survives.
    pub struct Persistence {
        /// Where the file system that keeps it is mounted.
        "root" => root: Spanned<AbsPath>,
        /// Directories that survive, by bind mount.
        "directories" => directories: Vec<Spanned<DirectoryEntry>>,
        /// Files that survive, by symbolic link.
        "files" => files: Vec<Spanned<AbsPath>>,
    }
}

table! {
    /// A directory that survives.
    pub struct PersistedDirectory {
        /// Its path.
        "path" => path: Spanned<AbsPath>,
        /// Its owner; `root`.
        "owner" => owner: Option<Spanned<Account>>,
        /// Its group; `root`.
        "group" => group: Option<Spanned<Account>>,
        /// Its permissions; `0755`.
        "mode" => mode: Option<Spanned<Mode>>,
    }
}

/// A directory that survives: its path alone, or with owner, group and mode.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryEntry(pub PersistedDirectory);

impl Decode for DirectoryEntry {
    fn shape() -> Shape {
        Shape::OneOf(vec![AbsPath::shape(), PersistedDirectory::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Str(_) => {
                let path = Spanned::decode(node, cx)?;
                Some(Self(PersistedDirectory { path, owner: None, group: None, mode: None, place: node.place }))
            }
            _ => PersistedDirectory::decode(node, cx).map(Self),
        }
    }
}
