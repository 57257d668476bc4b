//! Facts about the outside world: NixOS options and releases, nixpkgs packages, OpenZFS.
//!
//! Here belong: the tables (data from the folder `facts/`, packed by [`pack`] and looked up in place), the types of
//! options, and the comparison of a value with its type. Not here: what a finding says about it (`check`), and reading
//! files (callers hand over bytes).
//!
//! Invariant: a fact that is missing reads as missing (`None`, `Unknown`, an accepting type) and is never a guess; where
//! another release answers, the answer names it. Opening the facts costs nothing, because nothing is parsed before it is
//! asked for.

mod attributes;
mod below;
mod boot_sizes;
mod bytes;
mod diff;
mod hardware;
mod history;
mod kubernetes;
mod member;
mod name;
mod nearest;
mod options;
pub mod pack;
mod packages;
mod pattern;
mod releases;
mod section;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod visit;
mod zfs;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::units::Release;
use bytes::Packed;
use pack::TableKind;

pub use attributes::{Attribute, check_package};
pub use boot_sizes::{InitrdParts, generation_bytes};
pub use diff::{OptionChange, compare};
pub use hardware::{Device, Hardware, Use};
pub use history::{Change, History};
pub use kubernetes::{RemovedApi, removed_api};
pub use name::{join_name, split_name};
pub use options::{Alias, AliasKind, Found, OptionIndex, OptionRef};
pub use packages::{PackageFact, Packages};
pub use releases::{Figure, ReleaseFacts, Releases, StateDefault};
pub use section::SectionCheck;
pub use types::{Literal, Shape, Type};
pub use value::{Fault, TypeFault, check_value};
pub use zfs::{Feature, Features, Grub, Import, ImportVerdict, Line, PointRelease, Zfs};

/// All fact tables of a run: the embedded ones, or a user's own in their place.
#[derive(Debug, Clone)]
pub struct Facts {
    options: Vec<Cow<'static, [u8]>>,
    channels: BTreeMap<String, Cow<'static, [u8]>>,
    zfs: Cow<'static, [u8]>,
    releases: Cow<'static, [u8]>,
    packages: Cow<'static, [u8]>,
    history: Cow<'static, [u8]>,
    hardware: Cow<'static, [u8]>,
}

impl Facts {
    /// Returns the facts that the program carries.
    pub fn embedded() -> Self {
        Self {
            options: vec![
                Cow::Borrowed(include_bytes!("../../facts/packed/options-17.03.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-17.09.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-18.03.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-18.09.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-19.03.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-19.09pre.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-20.09.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-25.05pre.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-25.11.bin")),
                Cow::Borrowed(include_bytes!("../../facts/packed/options-26.11.bin")),
            ],
            channels: BTreeMap::new(),
            zfs: Cow::Borrowed(include_bytes!("../../facts/packed/zfs.bin")),
            releases: Cow::Borrowed(include_bytes!("../../facts/packed/releases.bin")),
            packages: Cow::Borrowed(include_bytes!("../../facts/packed/packages.bin")),
            history: Cow::Borrowed(include_bytes!("../../facts/packed/history.bin")),
            hardware: Cow::Borrowed(include_bytes!("../../facts/packed/hardware.bin")),
        }
    }

    /// Puts a packed table in the place of an embedded one. An option table answers for its release before all others,
    /// and the others stay. Bytes that are no table of this kind are refused with `false`.
    pub fn add(&mut self, kind: TableKind, table: Vec<u8>) -> bool {
        if Packed::new(&table).kind() != Some(kind.number()) {
            return false;
        }
        let table = Cow::Owned(table);
        match kind {
            TableKind::Options => self.options.insert(0, table),
            TableKind::Zfs => self.zfs = table,
            TableKind::Releases => self.releases = table,
            TableKind::Packages => self.packages = table,
            TableKind::History => self.history = table,
            TableKind::Hardware => self.hardware = table,
        }
        true
    }

    /// Gives a channel an option table of its own, which answers for its hosts alone. Bytes that are no table of options are
    /// refused with `false`.
    pub fn add_channel(&mut self, channel: &str, table: Vec<u8>) -> bool {
        if Packed::new(&table).kind() != Some(TableKind::Options.number()) {
            return false;
        }
        self.channels.insert(channel.to_owned(), Cow::Owned(table));
        true
    }

    /// Returns the option index that answers for a channel of a release: its own, else the one of the release.
    pub fn options_of(&self, channel: &str, release: Release) -> Option<OptionIndex<'_>> {
        let own = self.channels.get(channel).and_then(|table| self.open(table)).map(|index| index.asked_for(release));
        own.or_else(|| self.options(release))
    }

    /// Returns the option index that answers for a release: its own, else the nearest by time (of two equally near ones
    /// the newer, which knows old names as aliases). None only when there is no table at all.
    pub fn options(&self, release: Release) -> Option<OptionIndex<'_>> {
        let indexes = self.option_indexes().map(|index| index.asked_for(release));
        indexes.min_by_key(|index| (!index.exact, index.months_from(release), std::cmp::Reverse(index.taken())))
    }

    /// Returns every option index, a user's own first.
    pub fn option_indexes(&self) -> impl Iterator<Item = OptionIndex<'_>> {
        self.options.iter().filter_map(|table| self.open(table))
    }

    fn open<'a>(&'a self, table: &'a [u8]) -> Option<OptionIndex<'a>> {
        Some(OptionIndex { packages: Some(self.packages()), ..OptionIndex::open(table)? })
    }

    /// Returns the facts about OpenZFS.
    pub fn zfs(&self) -> Zfs<'_> {
        Zfs::new(&self.zfs)
    }

    /// Returns the facts about NixOS releases.
    pub fn releases(&self) -> Releases<'_> {
        Releases::new(&self.releases)
    }

    /// Returns what the release notes name.
    pub fn history(&self) -> History<'_> {
        History::new(&self.history)
    }

    /// Returns which kernels drive which devices.
    pub fn hardware(&self) -> Hardware<'_> {
        Hardware::new(&self.hardware)
    }

    /// Returns the facts about packages.
    pub fn packages(&self) -> Packages<'_> {
        Packages::new(&self.packages)
    }
}
