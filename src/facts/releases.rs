//! NixOS releases: when they came, when they end, and which versions they bring by default.
//!
//! Source: `facts/releases.json`. Each figure keeps its own source; what was not verified is not `solid`. A release the
//! facts lack is answered by the nearest thing that is true of it, and the answer says which release that is.
//!
//! Layout of the packed table, sections after the strings: 1 releases by time (name, code name, value and source of each of
//! [`FIGURES`], first other ZFS, number of them, their source), 2 other ZFS packages (attribute, version), 3 options whose
//! default follows the state version (name, first step, number of steps), 4 steps (release or none, value).

use std::str::FromStr;

use super::bytes::Packed;
use crate::source;
use crate::units::{Date, Release, Version};

/// The figures of a release, in the order of the packed table.
pub(super) const FIGURES: [&str; 12] = [
    "released",
    "end_of_life",
    "kernel_default",
    "zfs_default",
    "systemd",
    "postgresql_default",
    "nix",
    "python3",
    "php",
    "mariadb",
    "openssl",
    "glibc",
];

const RELEASE: usize = (2 + 2 * FIGURES.len() + 3) * 4;

/// A figure with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure<'a, T> {
    /// The figure.
    pub value: T,
    /// Where it is from: "tree", "release notes", "public knowledge", with details.
    pub source: &'a str,
    /// Whether it was verified. One that was not is good for a hint; an error needs more.
    pub solid: bool,
}

/// The facts about all releases.
#[derive(Debug, Clone, Copy)]
pub struct Releases<'a> {
    table: Packed<'a>,
}

/// What is known of a release.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseFacts<'a> {
    /// The release that was asked for.
    pub asked: Release,
    /// The release whose facts these are: `21.05` for `21.05pre`, `26.11pre` for `26.11`.
    pub release: Release,
    /// The code name.
    pub code_name: Option<&'a str>,
    /// The day it came.
    pub released: Option<Figure<'a, Date>>,
    /// The last day with updates. Of an unstable channel it is that of the release it became: it ends no later.
    pub end_of_life: Option<Figure<'a, Date>>,
    /// The default `linuxPackages`.
    pub kernel_default: Option<Figure<'a, Version>>,
    /// The default `boot.zfs.package`.
    pub zfs_default: Option<Figure<'a, Version>>,
    /// systemd.
    pub systemd: Option<Figure<'a, Version>>,
    /// PostgreSQL of a host whose state version is this release.
    pub postgresql_default: Option<Figure<'a, Version>>,
    /// Nix.
    pub nix: Option<Figure<'a, Version>>,
    /// `python3`.
    pub python3: Option<Figure<'a, Version>>,
    /// `php`.
    pub php: Option<Figure<'a, Version>>,
    /// `mariadb`.
    pub mariadb: Option<Figure<'a, Version>>,
    /// `openssl`.
    pub openssl: Option<Figure<'a, Version>>,
    /// `glibc`.
    pub glibc: Option<Figure<'a, Version>>,
    others: (Packed<'a>, usize, usize),
}

impl<'a> ReleaseFacts<'a> {
    /// Returns the ZFS packages beside the default, as `(attribute, version or what is known of it)`.
    pub fn zfs_others(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (table, first, count) = self.others;
        let section = table.section(2);
        (first..first + count).filter_map(move |number| {
            Some((table.text(section.u32(number * 8)?)?, table.text(section.u32(number * 8 + 4)?)?))
        })
    }
}

/// A default that depends on `system.stateVersion`.
#[derive(Debug, Clone, Copy)]
pub struct StateDefault<'a> {
    /// The option, or what it is in words.
    pub option: &'a str,
    table: Packed<'a>,
    first: usize,
    count: usize,
}

impl<'a> StateDefault<'a> {
    /// Returns the steps, oldest first: since which state version (none: always), and the default.
    pub fn steps(self) -> impl Iterator<Item = (Option<Release>, &'a str)> {
        let section = self.table.section(4);
        (self.first..self.first + self.count).filter_map(move |number| {
            let from =
                section.u32(number * 8).and_then(|from| self.table.text(from)).and_then(|from| from.parse().ok());
            Some((from, self.table.text(section.u32(number * 8 + 4)?)?))
        })
    }

    /// Returns the default under a state version; none when it is older than the first known step.
    pub fn at(self, state_version: Release) -> Option<&'a str> {
        let applies = |from: &Option<Release>| from.is_none_or(|from| from <= state_version);
        self.steps().filter(|(from, _)| applies(from)).last().map(|(_, value)| value)
    }
}

impl<'a> Releases<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { table: Packed::new(bytes) }
    }

    /// Returns what is known of a release. `26.11` and `26.11pre` answer for each other where the facts have one of them;
    /// figures that a release gives for the unstable channel before it are not solid.
    pub fn find(self, release: Release) -> Option<ReleaseFacts<'a>> {
        let mut alike = None;
        for (number, known) in self.numbered() {
            if known == release {
                return self.at(number, known, release);
            }
            if known.base() == release.base() {
                alike = Some((number, known));
            }
        }
        let (number, known) = alike?;
        self.at(number, known, release)
    }

    /// Returns every release that the facts have, oldest first.
    pub fn all(self) -> impl Iterator<Item = ReleaseFacts<'a>> {
        self.numbered().filter_map(move |(number, release)| self.at(number, release, release))
    }

    /// Returns the newest release that the facts have; what is newer they cannot know.
    pub fn newest(self) -> Option<Release> {
        self.numbered().last().map(|(_, release)| release)
    }

    /// Returns the release before one, without `pre`.
    pub fn previous(self, release: Release) -> Option<Release> {
        self.numbered().map(|(_, known)| known.base()).take_while(|known| *known < release.base()).last()
    }

    /// Returns the release after one, without `pre`.
    pub fn next(self, release: Release) -> Option<Release> {
        self.numbered().map(|(_, known)| known.base()).find(|known| *known > release.base())
    }

    /// Returns up to three names of releases that a misspelt one may mean, nearest first.
    pub fn nearest_names(self, name: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (_, release) in self.numbered() {
            names.push(release.base().to_string());
            if release.is_pre() || name.ends_with("pre") {
                names.push(format!("{}pre", release.base()));
            }
        }
        source::nearest(name, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
    }

    /// Returns the default ZFS of a release.
    pub fn zfs(self, release: Release) -> Option<Figure<'a, Version>> {
        self.find(release)?.zfs_default
    }

    /// Returns the default ZFS of a release, or of the nearest older one whose ZFS is known, with the release that
    /// answered.
    pub fn zfs_or_older(self, release: Release) -> Option<(Release, Figure<'a, Version>)> {
        if let Some((answered, zfs)) = self.find(release).and_then(|facts| Some((facts.release, facts.zfs_default?))) {
            return Some((answered, zfs));
        }
        self.all()
            .filter(|facts| facts.release < release)
            .filter_map(|facts| Some((facts.release, facts.zfs_default?)))
            .last()
    }

    /// Returns the defaults that depend on the state version.
    pub fn state_defaults(self) -> impl Iterator<Item = StateDefault<'a>> {
        let section = self.table.section(3);
        (0..section.len() / 12).filter_map(move |number| {
            let at = number * 12;
            Some(StateDefault {
                option: self.table.text(section.u32(at)?)?,
                table: self.table,
                first: section.u32(at + 4)? as usize,
                count: section.u32(at + 8)? as usize,
            })
        })
    }

    /// Returns how an option's default depends on the state version; none when the facts have no such dependency.
    pub fn state_default(self, option: &str) -> Option<StateDefault<'a>> {
        self.state_defaults().find(|default| default.option == option)
    }

    fn numbered(self) -> impl Iterator<Item = (usize, Release)> {
        let section = self.table.section(1);
        (0..section.len() / RELEASE)
            .filter_map(move |number| Some((number, self.table.text(section.u32(number * RELEASE)?)?.parse().ok()?)))
    }

    fn at(self, number: usize, release: Release, asked: Release) -> Option<ReleaseFacts<'a>> {
        let section = self.table.section(1);
        let start = number.checked_mul(RELEASE)?;
        let word = |field: usize| section.u32(start + field * 4);
        // The unstable channel before a release may have had older versions than the release.
        let own = asked.is_pre() == release.is_pre() || release.is_pre();
        let others = 2 + 2 * FIGURES.len();
        Some(ReleaseFacts {
            asked,
            release,
            code_name: word(1).and_then(|at| self.table.text(at)),
            released: self.figure(start, 0, own).filter(|_| own),
            end_of_life: self.figure(start, 1, own),
            kernel_default: self.figure(start, 2, own),
            zfs_default: self.figure(start, 3, own),
            systemd: self.figure(start, 4, own),
            postgresql_default: self.figure(start, 5, own),
            nix: self.figure(start, 6, own),
            python3: self.figure(start, 7, own),
            php: self.figure(start, 8, own),
            mariadb: self.figure(start, 9, own),
            openssl: self.figure(start, 10, own),
            glibc: self.figure(start, 11, own),
            others: (self.table, word(others)? as usize, word(others + 1)? as usize),
        })
    }

    fn figure<T: FromStr>(self, start: usize, number: usize, own: bool) -> Option<Figure<'a, T>> {
        let section = self.table.section(1);
        let at = start + (2 + 2 * number) * 4;
        let value = self.table.text(section.u32(at)?)?.parse().ok()?;
        let source = section.u32(at + 4).and_then(|at| self.table.text(at)).unwrap_or_default();
        Some(Figure { value, source, solid: own && !source.starts_with("public knowledge") })
    }
}
