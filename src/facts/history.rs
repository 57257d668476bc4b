//! What release notes name: option -> which release says which kind of thing about it.
//!
//! Source: `facts/history.json`, mined from the release notes by their words: a hint at where to read, never a proof.
//! Layout of the packed table, sections after the strings: 1 names (name, first note, number of notes), sorted; 2 notes
//! (release, kind of change).

use super::bytes::Packed;
use crate::units::Release;

/// What kind of change the release notes speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A default is another one.
    DefaultChanged,
    /// A module is new.
    New,
    /// Something went away.
    Removed,
    /// Something has another name.
    Renamed,
    /// Anything else.
    Other,
}

impl Change {
    /// All of them, in the order of their numbers in a table.
    pub(super) const ALL: [Self; 5] = [Self::DefaultChanged, Self::New, Self::Removed, Self::Renamed, Self::Other];

    /// Returns the word that the data uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::DefaultChanged => "default_changed",
            Self::New => "new_modules",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::Other => "other",
        }
    }
}

/// What release notes name.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    table: Packed<'a>,
}

impl<'a> History<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { table: Packed::new(bytes) }
    }

    /// Returns which releases name an option, oldest first.
    pub fn of(self, option: &str) -> Vec<(Release, Change)> {
        self.find(option).unwrap_or_default()
    }

    /// Returns how many names there are.
    pub fn len(self) -> usize {
        self.table.section(1).len() / 12
    }

    /// Tells whether there is nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn find(self, option: &str) -> Option<Vec<(Release, Change)>> {
        let names = self.table.section(1);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.table.text(names.u32(middle * 12)?)? < option {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if self.table.text(names.u32(low * 12)?)? != option {
            return None;
        }
        let (first, count) = (names.u32(low * 12 + 4)? as usize, names.u32(low * 12 + 8)? as usize);
        let notes = self.table.section(2);
        let note = |at: usize| {
            let release = self.table.text(notes.u32(at)?)?.parse().ok()?;
            Some((release, *Change::ALL.get(notes.u32(at + 4)? as usize)?))
        };
        Some((first..first.saturating_add(count)).map_while(|number| note(number.checked_mul(8)?)).collect())
    }
}
