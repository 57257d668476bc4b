//! Assertions and warnings of NixOS modules that can be told from settings which are written out.
//!
//! Here belong: the conditions and how they are held against definitions. The assertions themselves are tables, one a subject. Not
//! here: the types of options (`facts`), and what a finding looks like (the rule `assertion-known`).
//!
//! Invariant: what is computed decides nothing. That a setting is missing counts only where all settings are known, and where
//! hostwright does not write it itself.

mod booting;
mod network;
mod services;
mod users;

use std::collections::BTreeSet;

use crate::source::{Kind, Node, Place};
use crate::units::Release;

/// Every known assertion, by subject. Each was seen to fail with a real nixpkgs: tests/options/assertions.toml has the settings.
pub(super) static ASSERTIONS: [&[Assertion]; 4] =
    [booting::ASSERTIONS, users::ASSERTIONS, network::ASSERTIONS, services::ASSERTIONS];

/// What NixOS does when it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The evaluation fails.
    Fails,
    /// The evaluation warns.
    Warns,
}

/// A known assertion.
#[derive(Debug)]
pub(super) struct Assertion {
    /// What its names stand below: nothing, or an option with instances (`users.users`), of which each is looked at.
    pub(super) each: &'static str,
    /// All of what must hold for it to fail. A name that begins with `/` stands below the root.
    pub(super) when: &'static [Test],
    /// What NixOS does.
    pub(super) effect: Effect,
    /// The first release that has it; all that are known, where there is none.
    pub(super) since: Option<&'static str>,
    /// What is wrong; `NAME` stands for the instance.
    pub(super) message: &'static str,
    /// What to do.
    pub(super) cure: &'static str,
    /// The file in nixpkgs, below nixos/modules.
    pub(super) file: &'static str,
}

impl Assertion {
    /// Returns what tells it from the others, whatever its message says: the settings that it is about.
    pub(super) fn subject(&self) -> String {
        let mut parts = vec![self.each];
        for test in self.when {
            match test {
                Test::On(name) | Test::Off(name) | Test::NotOn(name) | Test::Set(name) | Test::Unset(name) => {
                    parts.push(name);
                }
                Test::Is(name, other) | Test::IsNot(name, other) | Test::Differ(name, other) => {
                    parts.extend([name, other]);
                }
                Test::Fails(name, _) | Test::Below(name, _) => parts.push(name),
                Test::NameFails(_) | Test::SystemdInitrd | Test::ScriptedInitrd => {}
            }
        }
        parts.join(" ")
    }
}

/// A condition on a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    /// `true` is written.
    On(&'static str),
    /// `false` is written.
    Off(&'static str),
    /// `false` is written, or nothing: the default is `false`.
    NotOn(&'static str),
    /// Anything but null and what is empty.
    Set(&'static str),
    /// Null, empty, or not written.
    Unset(&'static str),
    /// This text is written.
    Is(&'static str, &'static str),
    /// Another text is written.
    IsNot(&'static str, &'static str),
    /// A text for which this is false.
    Fails(&'static str, fn(&str) -> bool),
    /// A number below this one.
    Below(&'static str, i64),
    /// The instance has a name for which this is false.
    NameFails(fn(&str) -> bool),
    /// The initrd is run by systemd: by its setting, or by the release.
    SystemdInitrd,
    /// Its initrd is a script.
    ScriptedInitrd,
    /// Two settings are written with different texts.
    Differ(&'static str, &'static str),
}

/// An assertion that fails, and where.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which.
    pub(super) assertion: &'static Assertion,
    /// The instance, of an assertion about instances.
    pub instance: Option<String>,
    /// The setting that it is about.
    pub place: Place,
    /// Another setting that takes part.
    pub other: Option<Place>,
}

/// Settings that belong to one system.
#[derive(Debug)]
pub(super) struct System<'n> {
    /// Definitions below the root.
    pub(super) definitions: Vec<&'n Node>,
    /// Whether these are all settings but those that hostwright writes.
    pub(super) is_whole: bool,
    /// The release.
    pub(super) release: Release,
}

/// Options that compiled hosts set, so that nobody has to: that they are not written says nothing.
const WRITTEN: &[&str] = &[
    "boot.initrd.luks",
    "boot.initrd.systemd",
    "boot.loader",
    "boot.zfs",
    "environment.etc",
    "fileSystems",
    "networking.enableIPv6",
    "networking.firewall",
    "networking.hostId",
    "networking.nftables",
    "networking.useDHCP",
    "networking.useNetworkd",
    "security.acme.acceptTerms",
    "services.openssh",
    "swapDevices",
    "system",
    "systemd.network",
    "users.mutableUsers",
];

impl<'n> System<'n> {
    /// Returns the assertions that fail, in the order of the table.
    pub(super) fn broken(&self) -> Vec<Broken> {
        // Most hosts define nothing below `[nixos]`, and nothing is broken without a setting.
        if self.definitions.is_empty() {
            return Vec::new();
        }
        let known = ASSERTIONS.iter().copied().flatten().filter(|assertion| {
            assertion
                .since
                .and_then(|since| since.parse::<Release>().ok())
                .is_none_or(|since| self.release.base() >= since)
        });
        known
            .flat_map(|assertion| self.instances(assertion.each).into_iter().filter_map(|it| self.fails(assertion, it)))
            .collect()
    }

    /// Returns the names below an option with instances; the root alone for no option.
    fn instances(&self, each: &str) -> BTreeSet<Option<&'n str>> {
        if each.is_empty() {
            return BTreeSet::from([None]);
        }
        let route: Vec<&str> = each.split('.').collect();
        let tables = self.definitions.iter().filter_map(|node| node.at(&route)?.as_table());
        tables
            .flat_map(|table| table.keys())
            .filter(|name| *name != crate::nix::COMPUTED)
            .map(|name| Some(name.as_str()))
            .collect()
    }

    fn fails(&self, assertion: &'static Assertion, instance: Option<&'n str>) -> Option<Broken> {
        let mut places = Vec::new();
        for test in assertion.when {
            if !self.holds(*test, assertion.each, instance, &mut places) {
                return None;
            }
        }
        // The first conditions say that a service is there at all.
        let place = places.pop()?;
        Some(Broken { assertion, instance: instance.map(str::to_owned), place, other: places.pop() })
    }

    /// Tells whether a condition holds; the setting that decided it is added to `places`.
    fn holds(&self, test: Test, each: &str, instance: Option<&str>, places: &mut Vec<Place>) -> bool {
        let mut look = |name: &'static str| {
            let said = self.said(name, each, instance);
            match said {
                Said::Written(node) => places.push(node.place),
                Said::Computed(place) => places.push(place),
                Said::Nothing => {}
            }
            said
        };
        let absent = |name: &str| self.is_whole && !is_written_by_us(name, each);
        match test {
            Test::On(name) => matches!(look(name).kind(), Some(Kind::Bool(true))),
            Test::Off(name) => matches!(look(name).kind(), Some(Kind::Bool(false))),
            Test::NotOn(name) => match look(name) {
                Said::Nothing => absent(name),
                said => matches!(said.kind(), Some(Kind::Bool(false))),
            },
            Test::Set(name) => match look(name) {
                Said::Nothing => false,
                Said::Computed(_) => true,
                Said::Written(node) => !is_empty(node),
            },
            Test::Unset(name) => match look(name) {
                Said::Nothing => absent(name),
                Said::Computed(_) => false,
                Said::Written(node) => is_empty(node),
            },
            Test::Is(name, text) => look(name).text() == Some(text),
            Test::IsNot(name, text) => look(name).text().is_some_and(|said| said != text),
            Test::Fails(name, fits) => look(name).text().is_some_and(|said| !fits(said)),
            Test::Below(name, least) => matches!(look(name).kind(), Some(Kind::Int(value)) if *value < least),
            Test::NameFails(fits) => {
                let route: Vec<&str> = each.split('.').chain(instance).collect();
                let Some(node) = self.definitions.iter().find_map(|node| node.at(&route)) else { return false };
                places.push(node.place);
                instance.is_some_and(|name| !fits(name))
            }
            Test::SystemdInitrd | Test::ScriptedInitrd => {
                let by_release = "26.05".parse().is_ok_and(|first: Release| self.release.base() >= first);
                let is_systemd = match self.said("/boot.initrd.systemd.enable", each, instance) {
                    Said::Nothing => Some(by_release),
                    Said::Computed(_) => None,
                    Said::Written(node) => match node.kind {
                        Kind::Bool(on) => Some(on),
                        _ => None,
                    },
                };
                is_systemd == Some(matches!(test, Test::SystemdInitrd))
            }
            Test::Differ(one, other) => match (look(one).text(), look(other).text()) {
                (Some(one), Some(other)) => one != other,
                _ => false,
            },
        }
    }

    /// Returns what is written of a setting.
    fn said(&self, name: &str, each: &str, instance: Option<&str>) -> Said<'n> {
        let route: Vec<&str> = match name.strip_prefix('/') {
            Some(name) => name.split('.').collect(),
            None => each.split('.').filter(|part| !part.is_empty()).chain(instance).chain(name.split('.')).collect(),
        };
        let mut said = Said::Nothing;
        for definition in &self.definitions {
            let mut node = *definition;
            let mut rest = route.as_slice();
            while let [name, after @ ..] = rest {
                if matches!(node.kind, Kind::Nix(_)) {
                    return Said::Computed(node.place);
                }
                let table = node.as_table();
                // A name that is computed may be this one.
                let Some(entry) = table.and_then(|table| table.get(*name)) else { break };
                (node, rest) = (&entry.node, after);
            }
            if !rest.is_empty() {
                continue;
            }
            said = match (said, &node.kind) {
                (_, Kind::Nix(_)) => return Said::Computed(node.place),
                // The definition that NixOS takes: of the lower number.
                (Said::Written(before), _) if before.priority <= node.priority => Said::Written(before),
                _ => Said::Written(node),
            };
        }
        said
    }
}

/// Tells whether compiled hosts set an option.
fn is_written_by_us(name: &str, each: &str) -> bool {
    let whole = match name.strip_prefix('/') {
        Some(name) => name,
        None if each.is_empty() => name,
        None => each,
    };
    WRITTEN.iter().any(|ours| whole.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// What definitions say of a setting.
#[derive(Debug, Clone, Copy)]
enum Said<'n> {
    Nothing,
    /// Something that is computed, here.
    Computed(Place),
    Written(&'n Node),
}

impl<'n> Said<'n> {
    fn kind(self) -> Option<&'n Kind> {
        match self {
            Self::Written(node) => Some(&node.kind),
            _ => None,
        }
    }

    fn text(self) -> Option<&'n str> {
        match self {
            Self::Written(node) => node.as_str(),
            _ => None,
        }
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Str(text) => text.is_empty(),
        Kind::List(items) => items.is_empty(),
        Kind::Table(table) => table.is_empty(),
        _ => false,
    }
}
