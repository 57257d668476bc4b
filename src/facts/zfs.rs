//! OpenZFS: pool features, release lines, compatibility sets, and who can import what.
//!
//! Source of every fact: `facts/zfs.json`, read from each release tag of openzfs/zfs. The decisive state of a feature is
//! "active": a pool with an active feature that the importing ZFS lacks is refused, or imported read-only when every such
//! feature is read-only compatible; a feature that is merely enabled prevents nothing (zpool-features(7)).
//!
//! Layout of the packed table, sections after the strings: 1 features by name (40 bytes: name, guid, description, first
//! release, becomes-active, flags, `u128` of what it depends on), 2 release lines by version (32 bytes: name, first point
//! release, number of them, 0, `u128` features), 3 point releases (16 bytes: version, date, oldest and newest Linux), 4
//! compatibility sets and links by name (32 bytes: name, target, 0, 0, `u128`), 5 GRUB (32 bytes: version, set, note, 0,
//! `u128`). Bit n of a `u128` is the nth feature.

use std::fmt;

use super::bytes::{Packed, Section};
use crate::units::Version;

pub(super) const READ_ONLY_COMPATIBLE: u32 = 1;
pub(super) const IMMEDIATE: u32 = 2;
pub(super) const IN_PRACTICE: u32 = 4;
pub(super) const NEVER_RETURNS: u32 = 8;
pub(super) const NOT_BY_UPGRADE: u32 = 16;
pub(super) const PER_DATASET: u32 = 32;

const FEATURE: usize = 40;
const LINE: usize = 32;
const POINT: usize = 16;
const SET: usize = 32;

/// Development versions end in this number: 2.4.99 has features that no release of line 2.4 has.
const DEVELOPMENT: u32 = 99;

/// The facts about OpenZFS.
#[derive(Debug, Clone, Copy)]
pub struct Zfs<'a> {
    table: Packed<'a>,
}

/// A pool feature flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature<'a> {
    /// The name in `zpool get feature@NAME`.
    pub name: &'a str,
    /// The name on disk, `com.delphix:log_spacemap`.
    pub guid: &'a str,
    /// What it is for, as OpenZFS says it.
    pub description: &'a str,
    /// The release that brought it; none while it is only on the development branch.
    pub first_release: Option<Version>,
    /// A ZFS without the feature can import the pool read-only while the feature is active.
    pub read_only_compatible: bool,
    /// Becomes active in the moment it is enabled.
    pub immediate: bool,
    /// Becomes active at creation in practice, because the first writes use it.
    pub in_practice_at_creation: bool,
    /// What makes it active.
    pub becomes_active: &'a str,
    /// Once active it stays so for the life of the pool.
    pub never_returns_to_enabled: bool,
    /// `zpool upgrade` leaves it disabled.
    pub not_enabled_by_upgrade: bool,
    /// Counted for each dataset.
    pub per_dataset: bool,
    /// The features that it switches on.
    pub depends_on: Features<'a>,
}

impl Feature<'_> {
    /// Tells whether a pool created with it enabled has it active from the start.
    pub fn active_at_creation(&self) -> bool {
        self.immediate || self.in_practice_at_creation
    }
}

/// A set of features, in the order of their names.
#[derive(Clone, Copy)]
pub struct Features<'a> {
    zfs: Zfs<'a>,
    bits: u128,
}

impl<'a> Features<'a> {
    /// Returns the names, sorted.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.zfs.features().filter(move |(number, _)| self.bits >> number & 1 == 1).map(|(_, feature)| feature.name)
    }

    /// Tells whether a feature (by name or guid) is in the set.
    pub fn contains(self, feature: &str) -> bool {
        self.zfs.number(feature).is_some_and(|number| self.bits >> number & 1 == 1)
    }

    /// Returns how many there are.
    pub fn len(self) -> usize {
        self.bits.count_ones() as usize
    }

    /// Tells whether there is none.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Tells whether all of them are in another set.
    pub fn is_subset(self, of: Self) -> bool {
        self.bits & !of.bits == 0
    }

    /// Returns what is in both.
    #[must_use]
    pub fn intersection(self, with: Self) -> Self {
        Self { bits: self.bits & with.bits, ..self }
    }

    /// Returns what is here and not in another set.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self { bits: self.bits & !other.bits, ..self }
    }

    /// Returns those that are active on a pool from its creation.
    #[must_use]
    pub fn active_at_creation(self) -> Self {
        let active = self.zfs.features().filter(|(_, feature)| feature.active_at_creation());
        let bits = active.fold(0, |bits, (number, _)| bits | 1 << number);
        Self { bits: self.bits & bits, ..self }
    }
}

impl PartialEq for Features<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl Eq for Features<'_> {}

impl fmt::Debug for Features<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A line of releases that share their features, `2.1`.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its name: `2.1`, `0.8`, `0.6.5`.
    pub name: &'a str,
    /// The features of its releases.
    pub features: Features<'a>,
    first: usize,
    count: usize,
}

/// A point release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointRelease<'a> {
    /// Its version.
    pub version: Version,
    /// The day of its tag, `YYYY-MM-DD`.
    pub date: Option<&'a str>,
    /// The oldest Linux it builds with, by its META file; releases before 0.8 do not say.
    pub linux_min: Option<Version>,
    /// The newest Linux it builds with, by its META file; a kernel `6.12.38` belongs to `6.12`.
    pub linux_max: Option<Version>,
}

impl PointRelease<'_> {
    /// Tells whether its kernel module builds with a Linux version; nothing when its META file does not say.
    pub fn supports_linux(&self, linux: Version) -> Option<bool> {
        // META's range is of `major.minor`; every stable update of the newest one is inside.
        Some(linux >= self.linux_min? && linux.truncate(2) <= self.linux_max?)
    }
}

impl<'a> Line<'a> {
    /// Tells whether its releases know a feature (by name or guid).
    pub fn supports(self, feature: &str) -> bool {
        self.features.contains(feature)
    }

    /// Returns the point releases, oldest first.
    pub fn releases(self) -> impl Iterator<Item = PointRelease<'a>> {
        (self.first..self.first + self.count).map_while(move |number| self.features.zfs.point(number))
    }

    /// Returns the newest point release known.
    pub fn newest(self) -> Option<PointRelease<'a>> {
        self.releases().last()
    }

    /// Returns a point release; of one the facts lack, the newest before it, else the oldest of the line. A version that
    /// names the line only (`2.1`) gives its newest.
    pub fn release(self, version: Version) -> Option<PointRelease<'a>> {
        if self.name.parse::<Version>().is_ok_and(|line| line.len() == version.len()) {
            return self.newest();
        }
        self.releases().take_while(|release| release.version <= version).last().or_else(|| self.releases().next())
    }
}

/// How a ZFS takes a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Import {
    /// It imports it and writes to it.
    ReadWrite,
    /// It imports it with `readonly=on` only, which no boot does.
    ReadOnly,
    /// It does not import it.
    Refused,
}

/// A verdict on an import, with the active features that stand in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportVerdict<'f> {
    /// The verdict.
    pub import: Import,
    /// Features that the importing ZFS lacks, as they were named, sorted.
    pub missing: Vec<&'f str>,
}

/// What a version of GRUB can read.
#[derive(Debug, Clone, Copy)]
pub struct Grub<'a> {
    /// The version, `2.12`.
    pub version: &'a str,
    /// The name of its compatibility set.
    pub set: &'a str,
    /// The features that may be active on a pool that holds `/boot`.
    pub features: Features<'a>,
    /// What else there is to know.
    pub note: Option<&'a str>,
}

impl<'a> Zfs<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { table: Packed::new(bytes) }
    }

    /// Returns a feature by its name or guid; a prefix `feature@` is understood.
    pub fn feature(self, name: &str) -> Option<Feature<'a>> {
        self.numbered(self.number(name)?)
    }

    /// Returns every feature with its number, in the order of their names.
    fn features(self) -> impl Iterator<Item = (usize, Feature<'a>)> {
        (0..self.table.section(1).len() / FEATURE)
            .filter_map(move |number| self.numbered(number).map(|feature| (number, feature)))
    }

    /// Returns every feature, in the order of their names.
    pub fn all_features(self) -> impl Iterator<Item = Feature<'a>> {
        self.features().map(|(_, feature)| feature)
    }

    /// Returns the line of a version: 2.1.11 is of line 2.1. None for a version that no line is known for: newer or
    /// older than all of them, or of a development branch (2.4.99).
    pub fn line(self, version: Version) -> Option<Line<'a>> {
        if is_development(version) {
            return None;
        }
        self.lines().find(|line| {
            line.name
                .parse::<Version>()
                .is_ok_and(|name| version.len() >= name.len() && version.truncate(name.len()) == name)
        })
    }

    /// Returns every line, oldest first.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let section = self.table.section(2);
        (0..section.len() / LINE).filter_map(move |number| {
            let at = number * LINE;
            Some(Line {
                name: self.table.text(section.u32(at)?)?,
                first: section.u32(at + 4)? as usize,
                count: section.u32(at + 8)? as usize,
                features: Features { zfs: self, bits: section.u128(at + 16)? },
            })
        })
    }

    /// Tells whether a version knows a feature; none when the version is unknown.
    pub fn supports(self, version: Version, feature: &str) -> Option<bool> {
        Some(self.line(version)?.supports(feature))
    }

    /// Returns what is active from the start on a pool that a version creates without `compatibility=`; none when the
    /// version is unknown.
    pub fn active_by_default(self, version: Version) -> Option<Features<'a>> {
        Some(self.line(version)?.features.active_at_creation())
    }

    /// Returns what a value of the pool property `compatibility` lets `zpool create` enable: one set of compatibility.d or
    /// several, separated by commas, of which only what all have remains; `legacy` is no feature at all. None for `off`,
    /// which restricts nothing, and for a set that the facts do not know.
    pub fn compatibility_set(self, value: &str) -> Option<Features<'a>> {
        if value == "legacy" {
            return Some(Features { zfs: self, bits: 0 });
        }
        let bits = value.split(',').try_fold(u128::MAX, |bits, name| Some(bits & self.set(name.trim())?))?;
        Some(Features { zfs: self, bits })
    }

    /// Returns the names of all compatibility sets and links, sorted.
    pub fn compatibility_names(self) -> impl Iterator<Item = &'a str> {
        let section = self.table.section(4);
        (0..section.len() / SET).filter_map(move |number| self.table.text(section.u32(number * SET)?))
    }

    /// Returns the compatibility set for a pool that every one of these versions must import read-write: the newest of
    /// OpenZFS's own Linux sets (`zol-0.8`, `openzfs-2.1-linux`, `openzfs-2.3`) whose features all of them know. None
    /// without versions, or when one of them is unknown.
    pub fn compatibility_for(self, versions: &[Version]) -> Option<&'a str> {
        let mut common = u128::MAX;
        for version in versions {
            common &= self.line(*version)?.features.bits;
        }
        if versions.is_empty() {
            return None;
        }
        let section = self.table.section(4);
        (0..section.len() / SET)
            .filter_map(|number| {
                let name = self.table.text(section.u32(number * SET)?)?;
                let target = self.table.text(section.u32(number * SET + 4)?)?;
                let bits = section.u128(number * SET + 16)?;
                let version = linux_set(name)?;
                (name == target && bits & !common == 0).then_some((version, name))
            })
            .max()
            .map(|(_, name)| name)
    }

    /// Returns what a GRUB can read: the newest known one that is not newer than the version.
    pub fn grub(self, version: Version) -> Option<Grub<'a>> {
        self.grubs().filter(|grub| grub.version.parse::<Version>().is_ok_and(|known| known <= version)).last()
    }

    /// Returns all known versions of GRUB, oldest first.
    pub fn grubs(self) -> impl Iterator<Item = Grub<'a>> {
        let section = self.table.section(5);
        (0..section.len() / SET).filter_map(move |number| {
            let at = number * SET;
            Some(Grub {
                version: self.table.text(section.u32(at)?)?,
                set: self.table.text(section.u32(at + 4)?)?,
                note: section.u32(at + 8).and_then(|note| self.table.text(note)),
                features: Features { zfs: self, bits: section.u128(at + 16)? },
            })
        })
    }

    /// Tells how a version takes a pool with these active features (names or guids). A feature that the facts do not know
    /// counts as missing and as not read-only compatible. None when the version is unknown.
    pub fn import<'f>(self, active: impl IntoIterator<Item = &'f str>, by: Version) -> Option<ImportVerdict<'f>> {
        let known = self.line(by)?.features;
        let mut missing: Vec<&str> = active.into_iter().filter(|name| !known.contains(name)).collect();
        missing.sort_unstable();
        missing.dedup();
        let harmless = |name: &&str| self.feature(name).is_some_and(|feature| feature.read_only_compatible);
        let import = if missing.is_empty() {
            Import::ReadWrite
        } else if missing.iter().all(harmless) {
            Import::ReadOnly
        } else {
            Import::Refused
        };
        Some(ImportVerdict { import, missing })
    }

    fn number(self, name: &str) -> Option<usize> {
        let name = name.strip_prefix("feature@").unwrap_or(name);
        let section = self.table.section(1);
        let text = |number: usize, field: usize| {
            section.u32(number * FEATURE + field).and_then(|at| self.table.text(at)).unwrap_or_default()
        };
        let count = section.len() / FEATURE;
        if name.contains(':') {
            return (0..count).find(|number| text(*number, 4) == name);
        }
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if text(middle, 0) < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (text(low, 0) == name).then_some(low)
    }

    fn numbered(self, number: usize) -> Option<Feature<'a>> {
        let section = self.table.section(1);
        let at = number.checked_mul(FEATURE)?;
        let text = |field: usize| section.u32(at + field * 4).and_then(|text| self.table.text(text));
        let flags = section.u32(at + 20)?;
        Some(Feature {
            name: text(0)?,
            guid: text(1)?,
            description: text(2).unwrap_or_default(),
            first_release: text(3).and_then(|text| text.parse().ok()),
            becomes_active: text(4).unwrap_or_default(),
            read_only_compatible: flags & READ_ONLY_COMPATIBLE != 0,
            immediate: flags & IMMEDIATE != 0,
            in_practice_at_creation: flags & IN_PRACTICE != 0,
            never_returns_to_enabled: flags & NEVER_RETURNS != 0,
            not_enabled_by_upgrade: flags & NOT_BY_UPGRADE != 0,
            per_dataset: flags & PER_DATASET != 0,
            depends_on: Features { zfs: self, bits: section.u128(at + 24)? },
        })
    }

    fn point(self, number: usize) -> Option<PointRelease<'a>> {
        let section: Section<'a> = self.table.section(3);
        let at = number.checked_mul(POINT)?;
        let text = |field: usize| section.u32(at + field * 4).and_then(|text| self.table.text(text));
        let version = |field: usize| text(field).and_then(|text| text.parse().ok());
        Some(PointRelease { version: version(0)?, date: text(1), linux_min: version(2), linux_max: version(3) })
    }

    fn set(self, name: &str) -> Option<u128> {
        let section = self.table.section(4);
        (0..section.len() / SET).find_map(|number| {
            let at = number * SET;
            (self.table.text(section.u32(at)?)? == name).then(|| section.u128(at + 16)).flatten()
        })
    }
}

/// Returns the version in the name of one of OpenZFS's own Linux sets.
fn linux_set(name: &str) -> Option<Version> {
    let version = name.strip_prefix("zol-").or_else(|| name.strip_prefix("openzfs-"))?;
    version.strip_suffix("-linux").unwrap_or(version).parse::<Version>().ok().filter(|_| !version.ends_with("-freebsd"))
}

fn is_development(version: Version) -> bool {
    version.to_string().split('.').nth(2).is_some_and(|part| part.parse::<u32>().is_ok_and(|part| part >= DEVELOPMENT))
}
