//! Which features a new pool may have: those that every system understands that may have to import it.

use crate::facts::Facts;
use crate::fleet::schema::machine::Loader;
use crate::fleet::schema::zfs::Compatibility;
use crate::resolve::{ResolvedHost, ResolvedPool};
use crate::units::Version;

/// What a pool is created with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolCompatibility {
    /// The value of the pool property `compatibility`: names of sets with commas between them. None: no restriction, because
    /// none is wanted or nothing is known of the systems.
    pub set: Option<String>,
    /// The features of these sets by name, sorted: what a ZFS older than 2.1, which has no such property, is told to
    /// enable. Empty where the facts do not know a set.
    pub features: Vec<String>,
    /// What decided, for a comment.
    pub because: String,
}

/// Returns what a pool is created with: as written, or for `auto` the newest set of OpenZFS that the oldest ZFS among all
/// systems knows. A pool that GRUB reads `/boot` from is limited to what GRUB reads as well.
pub fn for_pool(host: &ResolvedHost<'_>, pool: &ResolvedPool<'_>, facts: &Facts) -> PoolCompatibility {
    let (mut sets, mut because) = match &pool.def.compatibility.value {
        Compatibility::Off => {
            return PoolCompatibility { because: "as written".to_owned(), ..PoolCompatibility::default() };
        }
        Compatibility::Set(name) => (vec![name.clone()], "as written".to_owned()),
        Compatibility::Auto => oldest(host, facts),
    };
    if holds_boot_for_grub(host, pool) && facts.zfs().compatibility_set("grub2").is_some() && !sets.is_empty() {
        sets.push("grub2".to_owned());
        because.push_str(", and GRUB reads it");
    }
    if sets.is_empty() {
        return PoolCompatibility { set: None, features: Vec::new(), because };
    }
    let set = sets.join(",");
    let features = facts.zfs().compatibility_set(&set);
    let features = features.into_iter().flat_map(|features| features.names().map(str::to_owned)).collect();
    PoolCompatibility { set: Some(set), features, because }
}

/// Returns the set that all systems know, and which of them is the oldest.
fn oldest(host: &ResolvedHost<'_>, facts: &Facts) -> (Vec<String>, String) {
    let known = || host.systems.iter().filter_map(|system| Some((system.at_least?, system)));
    let versions: Vec<Version> =
        known().map(|(version, _)| version).filter(|v| facts.zfs().line(*v).is_some()).collect();
    let Some(set) = facts.zfs().compatibility_for(&versions) else {
        return (Vec::new(), "the OpenZFS of no system is known".to_owned());
    };
    let because = known().min_by_key(|(version, _)| *version).map_or_else(String::new, |(version, system)| {
        let bound = if system.zfs.is_some() { "" } else { "at least " };
        format!("{} ({}) has {bound}OpenZFS {version}", system.role.as_str(), system.name)
    });
    (vec![set.to_owned()], because)
}

/// Tells whether GRUB finds its kernels on the pool.
fn holds_boot_for_grub(host: &ResolvedHost<'_>, pool: &ResolvedPool<'_>) -> bool {
    let path = if host.mounts.iter().any(|mount| mount.path == "/boot") { "/boot" } else { "/" };
    let on_pool = |mount: &crate::resolve::Mount<'_>| matches!(&mount.source, crate::resolve::MountSource::Dataset { pool: of, .. } if *of == pool.name);
    host.def.boot.loader.value == Loader::Grub && host.mounts.iter().any(|mount| mount.path == path && on_pool(mount))
}
