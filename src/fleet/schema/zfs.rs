//! Pools, vdevs, datasets.

use super::machine::SwitchOr;
use crate::fleet::decode::{Cx, Decode, Named, Setting, Word as _, choice, table};
use crate::fleet::scalar::{
    AbsPath, Account, DatasetKey, KeyLocation, MailAddress, Mode, Mountpoint, PackageAttr, PoolKey, PropertyKey,
    PropertyValue, SnapshotName,
};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Place, Spanned};
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
        /// Who is told of errors, finished scrubs and resilvers (zed(8)).
        "mail" => mail: Option<Spanned<MailAddress>>,
        /// The pools, by name.
        "pools" => pools: Named<PoolKey, Pool>,
    }
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
        /// Groups with one member's worth of parity, spread with their spares over all members.
        Draid1 = "draid1",
        /// Groups with two members' worth of parity.
        Draid2 = "draid2",
        /// Groups with three members' worth of parity.
        Draid3 = "draid3",
    }
}

impl VdevType {
    /// Returns how many members may be lost, of raidz and dRAID; of a mirror all but one, of a stripe none.
    pub fn parity(self, members: usize) -> usize {
        match self {
            Self::Stripe => 0,
            Self::Mirror => members.saturating_sub(1),
            Self::Raidz1 | Self::Draid1 => 1,
            Self::Raidz2 | Self::Draid2 => 2,
            Self::Raidz3 | Self::Draid3 => 3,
        }
    }

    /// Returns the fewest members such a vdev works with; of dRAID with one data device a group and no spares.
    pub fn fewest(self) -> usize {
        match self {
            Self::Stripe => 1,
            Self::Mirror => 2,
            kind => kind.parity(0) + 1,
        }
    }

    /// Tells whether it is dRAID.
    pub fn is_draid(self) -> bool {
        matches!(self, Self::Draid1 | Self::Draid2 | Self::Draid3)
    }

    /// Tells whether it is raidz.
    pub fn is_raidz(self) -> bool {
        matches!(self, Self::Raidz1 | Self::Raidz2 | Self::Raidz3)
    }
}

table! {
    /// A vdev.
    pub struct Vdev {
        /// Its kind.
        "type" => kind: Spanned<VdevType>,
        /// Its members: `disk`, or `disk.partition`.
        "members" => members: Vec<Spanned<MemberName>>,
        /// dRAID: data devices in a redundancy group; eight, or as many as there are.
        "data" => data: Option<Spanned<u32>>,
        /// dRAID: distributed spares; none unless written.
        "spares" => spares: Option<Spanned<u32>>,
    }
}

/// The most data devices that OpenZFS puts into a redundancy group of dRAID by itself (zpoolconcepts(7)).
const DRAID_DATA: usize = 8;

impl Vdev {
    /// Returns how many distributed spares it has; none unless it is dRAID.
    pub fn distributed_spares(&self) -> usize {
        self.spares.as_ref().filter(|_| self.kind.is_draid()).map_or(0, |spares| spares.value as usize)
    }

    /// Returns how many data devices a redundancy group of dRAID has: as written, else as `zpool create` chooses.
    pub fn group_data(&self) -> usize {
        let left = self.members.len().saturating_sub(self.kind.parity(0)).saturating_sub(self.distributed_spares());
        self.data.as_ref().map_or(left.min(DRAID_DATA), |data| data.value as usize)
    }

    /// Returns the fewest members that it works with: of dRAID a group and the distributed spares.
    pub fn fewest(&self) -> usize {
        if !self.kind.is_draid() {
            return self.kind.fewest();
        }
        let data = self.data.as_ref().map_or(1, |data| data.value.max(1) as usize);
        data.saturating_add(self.kind.parity(0)).saturating_add(self.distributed_spares())
    }

    /// Returns the word of zpool-create(8) before its members; none for a stripe. Of dRAID every number is stated:
    /// `draid2:4d:11c:1s`.
    pub fn word(&self) -> Option<String> {
        let kind = self.kind.value;
        if kind == VdevType::Stripe {
            return None;
        }
        let mut word = kind.word().to_owned();
        if kind.is_draid() {
            let (data, children, spares) = (self.group_data(), self.members.len(), self.distributed_spares());
            word = format!("{word}:{data}d:{children}c:{spares}s");
        }
        Some(word)
    }
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
        /// Where its members are looked for at import; `zfs.dev-nodes` unless written.
        "dev-nodes" => dev_nodes: Option<Spanned<AbsPath>>,
        /// Encrypts its root dataset, and with it every dataset that has no encryption of its own.
        "encryption" => encryption: Option<Encryption>,
        /// Space kept free so that a full pool can still be cleaned; 1 % of it, 32 GiB at most.
        "reserve" => reserve: Option<Spanned<Size>>,
        /// Its datasets, by name below the pool.
        "datasets" => datasets: Named<DatasetKey, Dataset>,
    }
}

choice! {
    /// The forms of a key of native encryption (zfsprops(7)).
    pub enum KeyFormat {
        /// Words that somebody types, 8 to 512 bytes.
        Passphrase = "passphrase",
        /// 32 random bytes.
        Raw = "raw",
        /// 64 hexadecimal digits.
        Hex = "hex",
    }
}

table! {
    /// Native encryption (aes-256-gcm), which begins at this dataset. The key itself stands nowhere in a definition.
    pub struct Encryption {
        /// The form of the key.
        "key-format" => key_format: Setting<KeyFormat> = KeyFormat::Passphrase,
        /// Where the key comes from: `prompt`, or the file that holds it, `file:///etc/zfs/tank.key`.
        "key-location" => key_location: Setting<KeyLocation> = KeyLocation::Prompt,
    }
}

/// The cipher of encrypted datasets: the default of OpenZFS since 0.8.4, stated so that every version takes it.
pub const CIPHER: &str = "aes-256-gcm";

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
        /// Where it says itself that it is mounted (ZFS's own mount), or `none`.
        "mountpoint" => mountpoint: Option<Spanned<Mountpoint>>,
        /// With `mountpoint`: `noauto` (mounted through fileSystems, the default), `on` (by ZFS), or `off` (never).
        "can-mount" => can_mount: Option<Spanned<CanMount>>,
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
        /// The snapshot, made when it was empty, to which it is rolled back in the initrd at every boot.
        "rollback" => rollback: Option<Spanned<SnapshotName>>,
        /// Makes it an encryption root of its own.
        "encryption" => encryption: Option<Encryption>,
        /// Any other property.
        "properties" => properties: Named<PropertyKey, Spanned<PropertyValue>>,
    }
}

choice! {
    /// Whether a dataset can be mounted (zfsprops(7)).
    pub enum CanMount {
        /// By ZFS itself, at every import.
        On = "on",
        /// Never: it only hands its properties down.
        Off = "off",
        /// When it is asked for.
        Noauto = "noauto",
    }
}

impl Dataset {
    /// Returns where it is mounted and where that is written: by the host (`mount`), or as it says itself (`mountpoint`).
    pub fn mounted_at(&self) -> Option<(&str, Place)> {
        if let Some(mount) = &self.mount {
            return Some((mount.as_str(), mount.place));
        }
        if self.can_mount.as_ref().is_some_and(|can| can.value == CanMount::Off) {
            return None;
        }
        let mountpoint = self.mountpoint.as_ref()?;
        Some((mountpoint.path()?, mountpoint.place))
    }

    /// Tells whether it is mounted at its own property `mountpoint`, not by a legacy mount.
    pub fn mounts_itself(&self) -> bool {
        self.mount.is_none() && self.mounted_at().is_some()
    }

    /// Tells whether ZFS mounts it without being asked, once everything else is mounted: `can-mount = "on"` beside its own
    /// mount point.
    pub fn is_mounted_last(&self) -> bool {
        self.mounts_itself() && self.can_mount.as_ref().is_some_and(|can| can.value == CanMount::On)
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Sources;

    fn vdev(kind: VdevType, members: usize, data: Option<u32>, spares: Option<u32>) -> Vdev {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "");
        let place = sources.start(file);
        let member = || Spanned { value: MemberName { disk: "d".to_owned(), partition: None }, place };
        let number = |value: Option<u32>| value.map(|value| Spanned { value, place });
        Vdev {
            place,
            kind: Spanned { value: kind, place },
            members: (0..members).map(|_| member()).collect(),
            data: number(data),
            spares: number(spares),
        }
    }

    #[test]
    fn a_draid_states_every_number_and_chooses_as_zpool_does() {
        let word = |members, data, spares| vdev(VdevType::Draid2, members, data, spares).word();
        assert_eq!(word(11, Some(4), Some(1)).as_deref(), Some("draid2:4d:11c:1s"));
        assert_eq!(word(24, None, Some(2)).as_deref(), Some("draid2:8d:24c:2s"));
        assert_eq!(word(6, None, None).as_deref(), Some("draid2:4d:6c:0s"));
        assert_eq!(vdev(VdevType::Raidz2, 6, None, Some(3)).word().as_deref(), Some("raidz2"));
        assert_eq!(vdev(VdevType::Stripe, 1, None, None).word(), None);
        assert_eq!(vdev(VdevType::Draid2, 6, Some(4), Some(1)).fewest(), 7);
        assert_eq!(vdev(VdevType::Draid3, 1, None, None).fewest(), 4);
    }

    proptest! {
        #[test]
        fn what_a_draid_chooses_by_itself_always_fits(members in 0usize..255, spares in 0u32..100) {
            let vdev = vdev(VdevType::Draid1, members, None, Some(spares));
            prop_assert!(members < vdev.fewest() || vdev.group_data() + 1 + spares as usize <= members);
        }
    }
}
