//! A pool that a system which may boot next cannot import read-write.
//!
//! Two roads lead there: features that are active on a pool that exists (from probed facts), and features that the installer's
//! ZFS activates when it creates the pool. Features that are enabled and not active are a warning: the next write may activate them.

use std::collections::BTreeSet;

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::Import;
use crate::fleet::schema::facts_file::FactsPool;
use crate::fleet::schema::zfs::Compatibility;
use crate::resolve::{ResolvedPool, SystemRole, ZfsSystem};
use crate::source::{Level, Place};
use crate::units::Version;

pub(super) static RULE: Rule = Rule {
    id: "zfs-pool-newer-than-channel",
    group: Group::Channel,
    level: Level::Error,
    allowable: false,
    needs: &["OpenZFS features", "ZFS of the release", "probed pools"],
    summary: "a system that may boot next cannot import a pool read-write",
    doc: include_str!("zfs_pool_newer_than_channel.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.pools.is_empty() {
        return;
    }
    for system in &cx.host.systems {
        if system.zfs.is_none() {
            found.unchecked(format!("the OpenZFS of {} ({}) is not known", system.role.as_str(), system.name));
        }
    }
    for pool in &cx.host.pools {
        let probed = cx.host.source.facts.as_ref().and_then(|facts| facts.pools.as_ref());
        match probed.and_then(|pools| pools.iter().find(|probed| *probed.name.value == *pool.name)) {
            Some(probed) => existing(cx, pool, probed, found),
            None => created(cx, pool, found),
        }
    }
}

/// A pool that is there: what its features demand.
fn existing(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, probed: &FactsPool, found: &mut Findings) {
    let Some(features) = &probed.features else {
        found.unchecked(format!("the facts do not list the features of `{}`", pool.name));
        return;
    };
    let in_state = |state: &str| -> Vec<&str> {
        features.iter().filter(|(_, value)| *value.value.value == *state).map(|(name, _)| name.as_str()).collect()
    };
    let (active, enabled) = (in_state("active"), in_state("enabled"));
    let facts_place = probed.name.place;
    for system in importers(cx) {
        let Some(zfs) = system.zfs else { continue };
        match cx.facts.zfs().import(active.iter().copied(), zfs) {
            None => found.unchecked(format!("OpenZFS {zfs} is not among the facts")),
            Some(verdict) if verdict.import != Import::ReadWrite => {
                let seen = Seen { place: facts_place, label: format!("active on `{}`", pool.name) };
                found.report(finding(cx, pool, system, zfs, &verdict.missing, verdict.import, &seen));
            }
            Some(_) => {
                let verdict = cx.facts.zfs().import(enabled.iter().copied(), zfs);
                if let Some(verdict) = verdict.filter(|verdict| verdict.import != Import::ReadWrite) {
                    let place = system.release_place;
                    let message = format!(
                        "`{}` has {} enabled, OpenZFS {zfs} of {} does not know {}",
                        pool.name,
                        names(&verdict.missing),
                        system.name,
                        them(&verdict.missing),
                    );
                    found.report_as(
                        Level::Warning,
                        Finding::at(place, message)
                            .label(format!("{} boots this", cx.host.name))
                            .related(facts_place, format!("enabled on `{}`", pool.name))
                            .why("not active yet, so the pool imports; the next write that uses such a feature may close the way")
                            .help("set `compatibility=` on the pool to a set that this system knows")
                            .help("a channel or `[zfs] package` with a ZFS that knows them"),
                    );
                }
            }
        }
    }
}

/// A pool to be made: what the installer's ZFS activates.
fn created(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, found: &mut Findings) {
    let Some(installer) = cx.host.systems.iter().find(|system| system.role == SystemRole::Installer) else {
        if cx.host.source.facts.is_none() {
            found.unchecked(format!("`{}` is made by hand, and there are no facts of the machine", pool.name));
        }
        return;
    };
    let Some(by) = installer.zfs else { return };
    let Some(of_installer) = cx.facts.zfs().active_by_default(by) else {
        found.unchecked(format!("OpenZFS {by} is not among the facts"));
        return;
    };
    let active: BTreeSet<&str> = match &pool.def.compatibility.value {
        // `auto` is chosen from the systems themselves, so it fits all of them.
        Compatibility::Auto => return,
        Compatibility::Off => of_installer.names().collect(),
        Compatibility::Set(name) => {
            let Some(set) = cx.facts.zfs().compatibility_set(name) else {
                found.unchecked(format!("the compatibility set `{name}` is not among the facts"));
                return;
            };
            of_installer.intersection(set).names().collect()
        }
    };
    for system in importers(cx).filter(|system| system.role != SystemRole::Installer) {
        let Some(zfs) = system.zfs else { continue };
        let Some(verdict) = cx.facts.zfs().import(active.iter().copied(), zfs) else {
            found.unchecked(format!("OpenZFS {zfs} is not among the facts"));
            continue;
        };
        if verdict.import == Import::ReadWrite {
            continue;
        }
        let label = match installer.release {
            Some(release) => format!("installed with this ({release}, OpenZFS {by})"),
            None => format!("installed with OpenZFS {by}"),
        };
        let seen = Seen { place: installer.place, label };
        let finding = finding(cx, pool, system, zfs, &verdict.missing, verdict.import, &seen);
        found.report(finding.help(format!("`compatibility = \"auto\"` for `{}`, which is the default", pool.name)));
    }
}

/// Where the features were seen, or what makes them.
struct Seen {
    place: Place,
    label: String,
}

fn importers<'a>(cx: &HostCx<'a>) -> impl Iterator<Item = &'a ZfsSystem> {
    cx.host.systems.iter()
}

fn finding(
    cx: &HostCx<'_>,
    pool: &ResolvedPool<'_>,
    system: &ZfsSystem,
    zfs: Version,
    missing: &[&str],
    import: Import,
    seen: &Seen,
) -> Finding {
    let what = if import == Import::Refused { "cannot import it" } else { "cannot write it" };
    let needed = missing.iter().filter_map(|name| cx.facts.zfs().feature(name)?.first_release).max();
    let message = format!("`{}` has {} active, OpenZFS {zfs} of {} {what}", pool.name, names(missing), system.name);
    let why = match import {
        Import::Refused => "the import is refused",
        Import::ReadOnly | Import::ReadWrite => "the pool imports read-only",
    };
    let label = match system.role {
        SystemRole::New => format!("{} boots this", cx.host.name),
        role => role.as_str().to_owned(),
    };
    let mut finding = Finding::at(system.release_place, message).label(label).related(seen.place, seen.label.clone());
    if let Some(installer) = cx.host.systems.iter().find(|other| other.role == SystemRole::Installer) {
        if installer.place != seen.place {
            let version = installer.zfs.map_or_else(String::new, |zfs| format!(", OpenZFS {zfs}"));
            finding = finding.related(installer.place, format!("installed with this ({}{version})", installer.name));
        }
    }
    finding = match system.role {
        SystemRole::New => finding.why(format!("{why}, so the host does not come back after its next reboot")),
        SystemRole::Rollback => finding.why(format!("{why}, so this way back is closed")),
        SystemRole::Rescue | SystemRole::Installer => {
            finding.why(format!("{why}, so the data cannot be reached from there"))
        }
    };
    let needed = needed.map_or_else(|| "a newer ZFS".to_owned(), |version| format!("ZFS >= {}", version.truncate(2)));
    match system.role {
        SystemRole::New => finding
            .help(format!("a channel with {needed}"))
            .help("`[zfs] package` of that series")
            .help(format!("install again from `{}`", cx.host.channel.name)),
        SystemRole::Rollback => finding.help(format!(
            "remove that generation from the menu once a newer one has passed its reboot test; it has no {needed}"
        )),
        SystemRole::Rescue => finding
            .help(format!("a rescue system with {needed}"))
            .help("make the pool again with a set of features that it knows"),
        SystemRole::Installer => finding.help(format!("an installer with {needed}")),
    }
}

fn names(features: &[&str]) -> String {
    features.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn them(features: &[&str]) -> &'static str {
    if features.len() == 1 { "it" } else { "them" }
}
