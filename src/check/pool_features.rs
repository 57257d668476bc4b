//! The features of a pool: those that its machine's facts show, or those that it would be made with.
//!
//! Here belongs what makes a feature active. Not here: who can import a pool with it (the rules, by the facts).

use std::collections::BTreeSet;

use super::rule::HostCx;
use crate::facts::Features;
use crate::fleet::schema::facts_file::FactsPool;
use crate::fleet::schema::zfs::{Compatibility, Pool};
use crate::resolve::{ResolvedPool, SystemRole, VdevClass, ZfsSystem};
use crate::source::Place;

/// The features of a pool and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PoolFeatures<'a> {
    /// Those that are active, sorted; of a pool to be made those that will be from the start.
    pub(super) active: BTreeSet<&'a str>,
    /// Those that are enabled and not active, sorted; none for a pool to be made without a set of features.
    pub(super) enabled: BTreeSet<&'a str>,
    /// Where they come from.
    pub(super) from: Origin<'a>,
}

/// Where a pool's features come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin<'a> {
    /// The pool is there: its name in the facts.
    Seen(Place),
    /// The pool is to be made by the installer.
    Made {
        /// What in its definition switches a feature on.
        needs: Vec<Need<'a>>,
    },
}

/// A feature that a pool's definition makes use of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need<'a> {
    /// The feature.
    pub(super) feature: &'a str,
    /// What makes use of it.
    pub(super) place: Place,
    /// That, in words: `compression = zstd`.
    pub(super) what: String,
}

impl<'a> PoolFeatures<'a> {
    /// Returns the features of a pool; why they are not known, if they are not.
    pub(super) fn of(cx: &HostCx<'a>, pool: &ResolvedPool<'a>) -> Result<Self, String> {
        let facts = cx.host.source.facts.as_ref();
        let probed = facts.and_then(|facts| facts.pools.as_ref());
        match probed.into_iter().flatten().find(|probed| *probed.name.value == *pool.name) {
            Some(probed) => Self::seen(probed),
            // A machine that runs may have the pool already, with features that nobody looked at.
            None if probed.is_none() && facts.is_some_and(|facts| facts.system.is_some()) => {
                Err("the facts do not list the pools of the machine".to_owned())
            }
            None => Self::made(cx, pool),
        }
    }

    fn seen(pool: &'a FactsPool) -> Result<Self, String> {
        let name = &*pool.name.value;
        let features =
            pool.features.as_ref().ok_or_else(|| format!("the facts do not list the features of `{name}`"))?;
        let in_state = |state: &str| {
            features.iter().filter(|(_, value)| *value.value.value == *state).map(|(name, _)| name.as_str()).collect()
        };
        Ok(Self { active: in_state("active"), enabled: in_state("enabled"), from: Origin::Seen(pool.name.place) })
    }

    fn made(cx: &HostCx<'a>, pool: &ResolvedPool<'a>) -> Result<Self, String> {
        let installer = installer(cx).ok_or_else(|| {
            format!("nothing says which ZFS makes or made `{}`: no installer, and no facts of the pool", pool.name)
        })?;
        let needs = needs(pool);
        let needed = needs.iter().map(|need| need.feature);
        let of_installer = || {
            let zfs = installer.zfs.ok_or_else(|| "the OpenZFS of the installer is not known".to_owned())?;
            let line = cx.facts.zfs().line(zfs).ok_or_else(|| format!("OpenZFS {zfs} is not among the facts"))?;
            Ok::<Features<'a>, String>(line.features)
        };
        let on = match &pool.def.compatibility.value {
            // `auto` is chosen so that every one of the systems knows what it switches on.
            Compatibility::Auto => None,
            Compatibility::Off => Some(of_installer()?),
            Compatibility::Set(name) => {
                let set = cx.facts.zfs().compatibility_set(name);
                let set = set.ok_or_else(|| format!("the compatibility set `{name}` is not among the facts"))?;
                Some(of_installer()?.intersection(set))
            }
        };
        let mut active: BTreeSet<&str> = needed.collect();
        active.extend(on.into_iter().flat_map(|on| on.active_at_creation().names()));
        // What `off` leaves enabled is the rule `compatibility-absent`.
        let chosen = on.filter(|_| pool.def.compatibility.value != Compatibility::Off);
        let enabled = chosen.into_iter().flat_map(Features::names).filter(|name| !active.contains(name)).collect();
        Ok(Self { active, enabled, from: Origin::Made { needs } })
    }
}

/// Returns the system that makes a host's pools.
pub(super) fn installer<'a>(cx: &HostCx<'a>) -> Option<&'a ZfsSystem> {
    cx.host.systems.iter().find(|system| system.role == SystemRole::Installer)
}

/// Returns the features that a pool's definition makes use of, whatever set they are chosen from (zpool-features(7)).
pub(super) fn needs<'a>(pool: &ResolvedPool<'a>) -> Vec<Need<'a>> {
    let def: &'a Pool = &pool.def.value;
    let mut needs = Vec::new();
    for vdev in &pool.vdevs {
        if let VdevClass::Special | VdevClass::Dedup = vdev.class {
            let what = format!("a {} vdev", vdev.class.word().unwrap_or_default());
            needs.push(Need { feature: "allocation_classes", place: vdev.def.kind.place, what });
        }
    }
    for vdev in pool.vdevs.iter().filter(|vdev| vdev.def.kind.is_draid()) {
        needs.push(Need { feature: "draid", place: vdev.def.kind.place, what: "a dRAID vdev".to_owned() });
    }
    for root in pool.encryption_roots() {
        needs.push(Need { feature: "encryption", place: root.place, what: "native encryption".to_owned() });
    }
    let of_datasets = def.datasets.values().map(|dataset| &dataset.value.properties);
    for properties in std::iter::once(&def.root_properties).chain(of_datasets) {
        for (property, value) in properties.iter() {
            let text = value.value.value.as_str();
            for feature in features_of(property, text) {
                needs.push(Need { feature, place: value.value.place, what: format!("`{property} = {text}`") });
            }
        }
    }
    needs
}

/// Returns the features that a value of a property makes use of.
fn features_of(property: &str, value: &str) -> Vec<&'static str> {
    const SUMS: [&str; 4] = ["sha512", "skein", "edonr", "blake3"];
    let sums = || SUMS.into_iter().filter(|sum| value.split(',').any(|word| word == *sum)).collect();
    match property {
        "compression" if value.split('-').next() == Some("zstd") => vec!["zstd_compress"],
        "checksum" | "dedup" => sums(),
        "dnodesize" if value != "legacy" => vec!["large_dnode"],
        "encryption" if value != "off" => vec!["encryption"],
        "longname" if value == "on" => vec!["longname"],
        "recordsize" | "volblocksize" if bytes(value).is_some_and(|bytes| bytes > 128 << 10) => vec!["large_blocks"],
        _ => Vec::new(),
    }
}

/// Reads a size as ZFS writes it: `131072`, `128K`, `1M`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_needs_the_feature_that_its_value_is_made_with() {
        assert_eq!(features_of("compression", "zstd"), ["zstd_compress"]);
        assert_eq!(features_of("compression", "zstd-fast-10"), ["zstd_compress"]);
        assert_eq!(features_of("dedup", "blake3,verify"), ["blake3"]);
        assert_eq!(features_of("recordsize", "1M"), ["large_blocks"]);
        assert_eq!(features_of("recordsize", "262144"), ["large_blocks"]);
        assert_eq!(features_of("dnodesize", "auto"), ["large_dnode"]);
        for (property, value) in [
            ("compression", "lz4"),
            ("checksum", "sha256"),
            ("recordsize", "128K"),
            ("dnodesize", "legacy"),
            ("atime", "off"),
        ] {
            assert!(features_of(property, value).is_empty(), "{property} = {value}");
        }
    }
}
