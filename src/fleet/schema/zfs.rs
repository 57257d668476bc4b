//! Pools, vdevs, datasets.

use super::machine::SwitchOr;
use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, DatasetKey, Mode, PackageAttr, PoolKey, PropertyKey, PropertyValue};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};
use crate::units::Size;

table! {
    /// Pools and what concerns all of them.
    pub struct Zfs {
        /// Where members are looked for at import.
        "dev-nodes" => dev_nodes: Setting<AbsPath> = AbsPath::known("/dev/disk/by-id"),
        /// A ZFS other than the channel's default.
        "package" => package: Option<Spanned<PackageAttr>>,
        /// The most memory the ARC may take.
        "arc-max" => arc_max: Option<Spanned<Size>>,
        /// How often pools are scrubbed.
        "scrub" => scrub: Setting<Scrub> = Scrub::Monthly,
        /// Whether pools are trimmed weekly; on where a member is on flash.
        "trim" => trim: Option<Spanned<bool>>,
        /// The pools, by name.
        "pools" => pools: Named<PoolKey, Pool>,
    }
    later { "mail" }
}

choice! {
    /// How often pools are scrubbed.
    pub enum Scrub {
        /// Every week.
        Weekly = "weekly",
        /// Every month.
        Monthly = "monthly",
        /// Never.
        None = "none",
    }
}

choice! {
    /// The kinds of vdev (zpoolconcepts(7)).
    pub enum VdevType {
        /// Single members side by side, without redundancy.
        Stripe = "stripe",
        /// Copies on each member.
        Mirror = "mirror",
        /// One member's worth of parity.
        Raidz1 = "raidz1",
        /// Two members' worth of parity.
        Raidz2 = "raidz2",
        /// Three members' worth of parity.
        Raidz3 = "raidz3",
    }
}

impl VdevType {
    /// Returns how many members may be lost, of raidz; of a mirror all but one, of a stripe none.
    pub fn parity(self, members: usize) -> usize {
        match self {
            Self::Stripe => 0,
            Self::Mirror => members.saturating_sub(1),
            Self::Raidz1 => 1,
            Self::Raidz2 => 2,
            Self::Raidz3 => 3,
        }
    }

    /// Returns the fewest members such a vdev works with.
    pub fn fewest(self) -> usize {
        match self {
            Self::Stripe => 1,
            Self::Mirror | Self::Raidz1 => 2,
            Self::Raidz2 => 3,
            Self::Raidz3 => 4,
        }
    }
}

table! {
    /// A vdev.
    pub struct Vdev {
        /// Its kind.
        "type" => kind: Spanned<VdevType>,
        /// Its members: `disk`, or `disk.partition`.
        "members" => members: Vec<Spanned<MemberName>>,
    }
    later { "data", "spares" }
}

/// A member's name: a disk, or a partition of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// The disk.
    pub disk: String,
    /// The partition; the whole disk when absent.
    pub partition: Option<String>,
}

impl std::fmt::Display for MemberName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.partition {
            Some(partition) => write!(f, "{}.{partition}", self.disk),
            None => f.write_str(&self.disk),
        }
    }
}

impl Decode for MemberName {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "disk | disk.partition",
            json: "string",
            pattern: None,
            wanted: "`disk` or `disk.partition`",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a member is a disk's name, or `disk.partition`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let valid = |name: &str| crate::fleet::scalar::check_name(name).is_ok();
        match text.split_once('.') {
            None if valid(text) => Some(Self { disk: text.to_owned(), partition: None }),
            Some((disk, partition)) if valid(disk) && valid(partition) => {
                Some(Self { disk: disk.to_owned(), partition: Some(partition.to_owned()) })
            }
            _ => cx.refused(node.place, text, wanted),
        }
    }
}

choice! {
    /// When a pool is imported.
    pub enum Import {
        /// At every boot.
        Boot = "boot",
        /// Never by itself.
        Manual = "manual",
    }
}

table! {
    /// A pool.
    pub struct Pool {
        /// The vdevs that hold its data.
        "vdevs" => vdevs: Vec<Vdev>,
        /// Separate intent log.
        "log" => log: Vec<Vdev>,
        /// Allocation class for metadata and small blocks.
        "special" => special: Vec<Vdev>,
        /// Allocation class for deduplication tables.
        "dedup" => dedup: Vec<Vdev>,
        /// Read cache.
        "cache" => cache: Vec<Spanned<MemberName>>,
        /// Hot spares.
        "spares" => spares: Vec<Spanned<MemberName>>,
        /// Properties of the pool (`zpool create -o`); `ashift = 12` and `cachefile = "none"` unless written.
        "properties" => properties: Named<PropertyKey, Spanned<PropertyValue>>,
        /// Properties of its root dataset (`zpool create -O`).
        "root-properties" => root_properties: Named<PropertyKey, Spanned<PropertyValue>>,
        /// `auto` (the oldest ZFS that may import it), `off`, or the name of a compatibility set.
        "compatibility" => compatibility: Setting<Compatibility> = Compatibility::Auto,
        /// When it is imported.
        "import" => import: Setting<Import> = Import::Boot,
        /// Space kept free so that a full pool can still be cleaned; 1 % of it, 32 GiB at most.
        "reserve" => reserve: Option<Spanned<Size>>,
        /// Its datasets, by name below the pool.
        "datasets" => datasets: Named<DatasetKey, Dataset>,
    }
    later { "encryption", "dev-nodes" }
}

/// What `compatibility=` is set to when a pool is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compatibility {
    /// The oldest ZFS among all that may import it.
    Auto,
    /// Every feature of the ZFS that makes it.
    Off,
    /// A file of compatibility.d by name.
    Set(String),
}

impl crate::fleet::shape::Shown for Compatibility {
    fn shown(self) -> serde_json::Value {
        serde_json::Value::from(match self {
            Self::Auto => "auto".to_owned(),
            Self::Off => "off".to_owned(),
            Self::Set(name) => name,
        })
    }
}

impl Decode for Compatibility {
    fn shape() -> Shape {
        let form = "auto | off | a set's name";
        Shape::Scalar(Scalar {
            form,
            json: "string",
            pattern: Some("^[a-z0-9][a-z0-9.-]*$"),
            wanted: "`\"auto\"`, `\"off\"` or the name of a set",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted =
            "`\"auto\"`, `\"off\"`, or the name of a compatibility set such as `\"openzfs-2.1-linux\"` is wanted";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        match text {
            "auto" => Some(Self::Auto),
            "off" => Some(Self::Off),
            _ if !text.is_empty() && !text.starts_with(['-', '.']) && text.bytes().all(fits) => {
                Some(Self::Set(text.to_owned()))
            }
            _ => cx.refused(node.place, text, wanted),
        }
    }
}

table! {
    /// A dataset.
    pub struct Dataset {
        /// Where the host mounts it (a legacy mount).
        "mount" => mount: Option<Spanned<AbsPath>>,
        /// Quota, descendants and snapshots included.
        "quota" => quota: Option<Spanned<Size>>,
        /// Quota of the dataset alone.
        "refquota" => refquota: Option<Spanned<Size>>,
        /// Space promised, descendants and snapshots included.
        "reservation" => reservation: Option<Spanned<Size>>,
        /// Space promised to the dataset alone.
        "refreservation" => refreservation: Option<Spanned<Size>>,
        /// Makes it a volume of this size.
        "volume" => volume: Option<Spanned<Size>>,
        /// Owner of the mount point.
        "owner" => owner: Option<Spanned<Account>>,
        /// Group of the mount point.
        "group" => group: Option<Spanned<Account>>,
        /// Permissions of the mount point.
        "mode" => mode: Option<Spanned<Mode>>,
        /// Regular snapshots: `true` for a day of hourly, a month of daily and three months of monthly ones, or counts.
        "snapshots" => snapshots: Option<Spanned<SwitchOr<Snapshots>>>,
        /// Whether its data must be in a backup.
        "backup" => backup: Setting<bool> = false,
        /// Whether it holds nothing worth keeping.
        "ephemeral" => ephemeral: Setting<bool> = false,
        /// Any other property.
        "properties" => properties: Named<PropertyKey, Spanned<PropertyValue>>,
    }
    later { "mountpoint", "can-mount", "rollback", "encryption" }
}

table! {
    /// How many snapshots of each age are kept.
    pub struct Snapshots {
        /// Hourly ones.
        "hourly" => hourly: Setting<u32> = 0u32,
        /// Daily ones.
        "daily" => daily: Setting<u32> = 0u32,
        /// Weekly ones.
        "weekly" => weekly: Setting<u32> = 0u32,
        /// Monthly ones.
        "monthly" => monthly: Setting<u32> = 0u32,
    }
}
