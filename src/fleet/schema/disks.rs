//! Disks and their partitions.

use super::machine::Unlock;
use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, DiskId, KernelWord, LuksName, Name, SubvolumeKey};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};
use crate::units::Size;

table! {
    /// A disk.
    pub struct Disk {
        /// Its name below /dev/disk/by-id.
        "id" => id: Spanned<DiskId>,
        /// Its size as sold.
        "size" => size: Option<Spanned<Size>>,
        /// Its physical sector in bytes, 512 or 4096.
        "sector" => sector: Option<Spanned<u32>>,
        /// Kernel module of its controller, for the initrd.
        "driver" => driver: Option<Spanned<KernelWord>>,
        /// Its partition table; `mbr` only describes what is there, and is never made.
        "table" => table: Setting<Table> = Table::Gpt,
        /// Whether it may be wiped though it holds signatures.
        "disposable" => disposable: Setting<bool> = false,
        /// Its partitions in order; absent: the whole disk goes to the pool or array that names it.
        "partitions" => partitions: Vec<Partition>,
    }
}

choice! {
    /// A partition table.
    pub enum Table {
        /// GUID partition table.
        Gpt = "gpt",
        /// The table of DOS.
        Mbr = "mbr",
    }
}

choice! {
    /// What a partition is for.
    pub enum Role {
        /// Where GRUB keeps its core image on a GPT disk under BIOS.
        BiosBoot = "bios-boot",
        /// EFI system partition.
        Esp = "esp",
        /// A file system.
        Filesystem = "filesystem",
        /// Swap.
        Swap = "swap",
        /// A member of a ZFS pool.
        Zfs = "zfs",
        /// A member of a Linux software RAID array.
        Mdraid = "mdraid",
    }
}

choice! {
    /// A file system.
    pub enum Format {
        /// ext4.
        Ext4 = "ext4",
        /// XFS.
        Xfs = "xfs",
        /// btrfs.
        Btrfs = "btrfs",
        /// FAT.
        Vfat = "vfat",
    }
}

table! {
    /// A partition.
    pub struct Partition {
        /// Its name on the disk; the GPT label is `HOST-DISK-NAME`.
        "name" => name: Spanned<Name>,
        /// What it is for.
        "role" => role: Spanned<Role>,
        /// Its size, or `rest` once a disk, last.
        "size" => size: Spanned<PartitionSize>,
        /// Its file system; `vfat` for an ESP.
        "format" => format: Option<Spanned<Format>>,
        /// Where it is mounted.
        "mount" => mount: Option<Spanned<AbsPath>>,
        /// Further mount options.
        "mount-options" => mount_options: Vec<Spanned<KernelWord>>,
        /// Subvolumes of btrfs, by name below the root of the file system.
        "subvolumes" => subvolumes: Named<SubvolumeKey, Subvolume>,
        /// LUKS2 around what the partition is for.
        "luks" => luks: Option<Spanned<Luks>>,
        /// Swap under a new random key at each boot.
        "random-encryption" => random_encryption: Setting<bool> = false,
    }
}

table! {
    /// A subvolume of btrfs.
    pub struct Subvolume {
        /// Where it is mounted.
        "mount" => mount: Option<Spanned<AbsPath>>,
        /// Further mount options.
        "options" => options: Vec<Spanned<KernelWord>>,
    }
}

table! {
    /// LUKS2 around something.
    pub struct Luks {
        /// Its name below /dev/mapper while it is open.
        "name" => name: Spanned<LuksName>,
        /// How it opens at boot; `boot.unlock` unless written.
        "unlock" => unlock: Option<Spanned<Unlock>>,
        /// A file on the host, or a device, with its key.
        "key-file" => key_file: Option<Spanned<AbsPath>>,
        /// Whether it passes discards on, which tells which blocks are free.
        "allow-discards" => allow_discards: Setting<bool> = false,
    }
}

/// How large a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionSize {
    /// So many bytes.
    Fixed(Size),
    /// All that is left.
    Rest,
}

impl Decode for PartitionSize {
    fn shape() -> Shape {
        let rest = Scalar { form: "\"rest\"", json: "string", pattern: Some("^rest$"), wanted: "`\"rest\"`" };
        Shape::OneOf(vec![Size::shape(), Shape::Scalar(rest)])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.as_str() {
            Some("rest") => Some(Self::Rest),
            _ => Size::decode(node, cx).map(Self::Fixed),
        }
    }
}

table! {
    /// Swap that is no partition.
    pub struct Swap {
        /// Compressed swap in memory: a share of it such as `"50%"`, or a size.
        "zram" => zram: Option<Spanned<Zram>>,
        /// A swap file; never on ZFS.
        "file" => file: Option<Spanned<SwapFile>>,
    }
}

table! {
    /// A swap file.
    pub struct SwapFile {
        /// Its path.
        "path" => path: Spanned<AbsPath>,
        /// Its size.
        "size" => size: Spanned<Size>,
    }
}

/// How large compressed swap in memory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zram {
    /// A share of memory.
    Share(Percent),
    /// So many bytes.
    Size(Size),
}

impl Decode for Zram {
    fn shape() -> Shape {
        Shape::OneOf(vec![Percent::shape(), Size::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.as_str() {
            Some(text) if !text.ends_with('%') => Size::decode(node, cx).map(Self::Size),
            _ => Percent::decode(node, cx).map(Self::Share),
        }
    }
}

/// A share in whole percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u16);

impl Decode for Percent {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "percent",
            json: "string",
            pattern: Some("^[0-9]{1,3}%$"),
            wanted: "a share: `\"50%\"`",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a share of memory is wanted, from `\"1%\"` to `\"400%\"`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let value = digits.and_then(|digits| digits.parse::<u16>().ok()).filter(|value| (1..=400).contains(value));
        value.map(Self).or_else(|| cx.refused(node.place, text, wanted))
    }
}
