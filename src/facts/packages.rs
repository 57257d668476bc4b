//! Packages: nixpkgs attribute -> version per release, for the packages that service modules stand on.
//!
//! Source: `facts/packages.json`. Layout of the packed table, sections after the strings: 1 releases (name, what it was
//! read from), 2 attributes by name (name, first entry, number of entries), 3 entries (release, kind, version, source).

use super::bytes::Packed;
use crate::units::Release;

pub(super) const VERSION: u32 = 0;
pub(super) const REMOVED: u32 = 1;
pub(super) const UNKNOWN: u32 = 2;
pub(super) const NOTES: u32 = 3;

/// What is known of an attribute in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageFact<'a> {
    /// Its version, read from the release's own tree.
    Version(&'a str),
    /// Its version as the release notes say it: a prefix such as `2.2`, and their words.
    FromNotes {
        /// The version, often without its last numbers.
        version: &'a str,
        /// Where it stands.
        source: &'a str,
    },
    /// The attribute exists and throws: an end-of-life notice.
    Removed,
    /// The release has no such attribute.
    Absent,
    /// The facts do not say: another release, or an attribute that was not asked for.
    Unknown,
}

/// The facts about packages.
#[derive(Debug, Clone, Copy)]
pub struct Packages<'a> {
    table: Packed<'a>,
}

impl<'a> Packages<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { table: Packed::new(bytes) }
    }

    /// Returns what is known of an attribute in a release; `26.11` and `26.11pre` answer for each other. The tree of
    /// 19.09pre is from four months before 19.09 and answers for itself only.
    pub fn find(self, attribute: &str, release: Release) -> PackageFact<'a> {
        self.lookup(attribute, release).unwrap_or(PackageFact::Unknown)
    }

    /// Returns the attributes that the facts know, sorted.
    pub fn attributes(self) -> impl Iterator<Item = &'a str> {
        let section = self.table.section(2);
        (0..section.len() / 12).filter_map(move |number| self.table.text(section.u32(number * 12)?))
    }

    /// Returns the releases whose trees were read, oldest first, with what was read.
    pub fn releases(self) -> impl Iterator<Item = (Release, &'a str)> {
        let section = self.table.section(1);
        (0..section.len() / 8).filter_map(move |number| {
            let base = section.u32(number * 8 + 4).and_then(|at| self.table.text(at)).unwrap_or_default();
            Some((self.table.text(section.u32(number * 8)?)?.parse().ok()?, base))
        })
    }

    fn lookup(self, attribute: &str, release: Release) -> Option<PackageFact<'a>> {
        let names = self.table.section(2);
        let (mut low, mut high) = (0, names.len() / 12);
        while low < high {
            let middle = low.midpoint(high);
            if self.table.text(names.u32(middle * 12)?)? < attribute {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if self.table.text(names.u32(low * 12)?)? != attribute {
            return None;
        }
        let (first, count) = (names.u32(low * 12 + 4)? as usize, names.u32(low * 12 + 8)? as usize);
        let column = self.column(release);
        let entries = self.table.section(3);
        for at in (first..first + count).map(|number| number * 16) {
            let known: Release = self.table.text(entries.u32(at)?)?.parse().ok()?;
            let text =
                |field: usize| entries.u32(at + field * 4).and_then(|at| self.table.text(at)).unwrap_or_default();
            match entries.u32(at + 4)? {
                NOTES if known == release && column.is_none() => {
                    return Some(PackageFact::FromNotes { version: text(2), source: text(3) });
                }
                VERSION if Some(known) == column => return Some(PackageFact::Version(text(2))),
                REMOVED if Some(known) == column => return Some(PackageFact::Removed),
                UNKNOWN if Some(known) == column => return Some(PackageFact::Unknown),
                _ => {}
            }
        }
        column.map(|_| PackageFact::Absent)
    }

    /// Returns the column that answers for a release: its own, or that of the final release for its `pre`.
    fn column(self, release: Release) -> Option<Release> {
        self.releases().map(|(known, _)| known).find(|known| *known == release || *known == release.base())
    }
}
