//! ZFS: the version that runs, the pools that are imported and those that lie on the disks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::blocks::Disk;
use super::machine::host_id;
use super::sections::Sections;

/// The ZFS that runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Zfs {
    userland: Option<String>,
    module: Option<String>,
}

/// A pool.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Pool {
    name: String,
    guid: Option<String>,
    health: Option<String>,
    imported: bool,
    size_bytes: Option<u64>,
    allocated_bytes: Option<u64>,
    imported_by: Option<Importer>,
    features: BTreeMap<String, String>,
}

/// The machine that imported a pool last.
#[derive(Debug, Clone, Default, Serialize)]
struct Importer {
    host_id: Option<String>,
    host_name: Option<String>,
}

/// Returns the versions of ZFS; nothing where there is none.
pub(super) fn zfs(sections: &Sections, about: &BTreeMap<String, String>) -> Option<Zfs> {
    let first = sections.ran("zfs-version").and_then(|text| text.lines().next());
    let userland = first.and_then(|line| line.strip_prefix("zfs-")).map(|text| text.trim().to_owned());
    let module = about.get("zfs_module").cloned();
    (userland.is_some() || module.is_some()).then_some(Zfs { userland, module })
}

/// Returns the pools, by name and guid; nothing when no tool can tell.
pub(super) fn pools(
    sections: &Sections,
    disks: Option<&[Disk]>,
    missing: &mut Vec<(&'static str, String)>,
) -> Option<Vec<Pool>> {
    let imported = sections.good("zpool-get").map(from_properties);
    let labels = sections.ran("zdb-labels").map(from_labels);
    let listed = sections.ran("zpool-import").map(from_listing);
    if imported.is_none() && labels.is_none() && listed.is_none() {
        let is_member = |disk: &Disk| disk.signature_kinds().any(|kind| kind == "zfs_member");
        if disks.is_some_and(|disks| disks.iter().all(|disk| disk.knows_signatures() && !is_member(disk))) {
            // Nothing on the disks is part of a pool, which needs no tool of ZFS.
            return Some(Vec::new());
        }
        missing.push(("pools", "there is no ZFS on it that could tell (no module loaded, no zdb)".to_owned()));
        return None;
    }
    let mut pools: BTreeMap<(String, String), Pool> = BTreeMap::new();
    let own = host_id(&super::machine::about(sections));
    for mut pool in imported.into_iter().flatten() {
        pool.imported = true;
        pool.imported_by = Some(Importer { host_id: own.clone(), host_name: None });
        pools.insert(pool.key(), pool);
    }
    for pool in listed.into_iter().flatten().chain(labels.into_iter().flatten()) {
        let known = pools.entry(pool.key()).or_insert_with(|| Pool { name: pool.name.clone(), ..Pool::default() });
        known.guid = known.guid.take().or(pool.guid);
        known.health = known.health.take().or(pool.health);
        if known.imported {
            continue;
        }
        known.imported_by = known.imported_by.take().or(pool.imported_by);
        known.features.extend(pool.features);
    }
    Some(pools.into_values().collect())
}

impl Pool {
    fn key(&self) -> (String, String) {
        (self.name.clone(), self.guid.clone().unwrap_or_default())
    }
}

/// Reads `zpool get -H -p -o name,property,value all`.
fn from_properties(text: &str) -> Vec<Pool> {
    let mut pools: BTreeMap<String, Pool> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('\t');
        let (Some(name), Some(property), Some(value)) = (words.next(), words.next(), words.next()) else { continue };
        let pool = pools.entry(name.to_owned()).or_insert_with(|| Pool { name: name.to_owned(), ..Pool::default() });
        match property {
            "guid" => pool.guid = Some(value.to_owned()),
            "health" => pool.health = Some(value.to_owned()),
            "size" => pool.size_bytes = value.parse().ok(),
            "allocated" => pool.allocated_bytes = value.parse().ok(),
            _ => {
                if let Some(feature) = property.strip_prefix("feature@") {
                    pool.features.insert(feature.to_owned(), value.to_owned());
                }
            }
        }
    }
    pools.into_values().collect()
}

/// Reads the listing of `zpool import`: name, id, state, and which active features stand in the way.
fn from_listing(text: &str) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("pool: ") {
            pools.push(Pool { name: name.to_owned(), ..Pool::default() });
            continue;
        }
        let Some(pool) = pools.last_mut() else { continue };
        if let Some(guid) = trimmed.strip_prefix("id: ") {
            pool.guid = Some(guid.to_owned());
        } else if let Some(state) = trimmed.strip_prefix("state: ") {
            pool.health = Some(state.split(' ').next().unwrap_or(state).to_owned());
        } else if line.starts_with('\t')
            && let Some(feature) = feature_of_guid(trimmed.split(' ').next().unwrap_or_default())
        {
            pool.features.insert(feature, "active".to_owned());
        }
    }
    pools
}

/// Returns a feature's name from its guid, `com.klarasystems:vdev_zaps_v2`.
fn feature_of_guid(guid: &str) -> Option<String> {
    let (domain, name) = guid.split_once(':')?;
    let fits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    (domain.contains('.') && fits(domain) && fits(name)).then(|| name.to_owned())
}

/// Reads `zdb -l` of many devices.
fn from_labels(text: &str) -> Vec<Pool> {
    let mut pools: BTreeMap<String, Pool> = BTreeMap::new();
    let mut pool = Pool::default();
    let mut features = false;
    let mut finish = |pool: &mut Pool| {
        let pool = std::mem::take(pool);
        if let (Some(guid), false) = (&pool.guid, pool.name.is_empty()) {
            pools.entry(guid.clone()).or_insert(pool);
        }
    };
    for line in text.lines() {
        if line.starts_with("device ") || line.starts_with("LABEL ") {
            finish(&mut pool);
            features = false;
            continue;
        }
        let trimmed = line.trim();
        if features && line.starts_with("        ") {
            if let Some(feature) = feature_of_guid(trimmed) {
                pool.features.insert(feature, "active".to_owned());
            }
            continue;
        }
        features = trimmed == "features_for_read:";
        // Keys of the pool stand four spaces in; deeper ones are of its members.
        let Some((key, value)) =
            line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.split_once(": "))
        else {
            continue;
        };
        let value = value.trim_matches('\'');
        let importer = pool.imported_by.get_or_insert_with(Importer::default);
        match key {
            "name" => value.clone_into(&mut pool.name),
            "pool_guid" => pool.guid = Some(value.to_owned()),
            "hostid" => importer.host_id = value.parse::<u32>().ok().map(|id| format!("{id:08x}")),
            "hostname" => importer.host_name = Some(value.to_owned()),
            _ => {}
        }
    }
    finish(&mut pool);
    pools.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_of_an_older_zfs_names_the_features_that_stand_in_the_way() {
        let pools = from_listing(include_str!("../../tests/probe/zpool-import-2.1-of-2.3.txt"));
        assert_eq!(pools.len(), 1);
        assert_eq!(pools[0].features.keys().collect::<Vec<_>>(), ["vdev_zaps_v2"]);
        assert_eq!(
            (pools[0].health.as_deref(), pools[0].guid.as_deref()),
            (Some("UNAVAIL"), Some("7961594055901996387"))
        );
        let read_only = from_listing(include_str!("../../tests/probe/zpool-import-2.1-read-only.txt"));
        assert_eq!(read_only[0].features.keys().collect::<Vec<_>>(), ["block_cloning"]);
    }

    #[test]
    fn a_label_tells_who_imported_the_pool_and_what_reading_needs() {
        let text = format!("device /dev/sda1\n{}", include_str!("../../tests/probe/zdb-label-2.3.txt"));
        let pools = from_labels(&text);
        assert_eq!(pools.len(), 1);
        let importer = pools[0].imported_by.as_ref().unwrap();
        assert_eq!((pools[0].name.as_str(), importer.host_id.as_deref()), ("rpool", Some("2487cd1f")));
        assert_eq!(pools[0].features.keys().collect::<Vec<_>>(), ["embedded_data", "hole_birth", "vdev_zaps_v2"]);
    }

    #[test]
    fn properties_of_both_versions_are_read_alike() {
        for text in
            [include_str!("../../tests/probe/zpool-get-2.1.txt"), include_str!("../../tests/probe/zpool-get-2.3.txt")]
        {
            let pools = from_properties(text);
            assert_eq!((pools.len(), pools[0].health.as_deref()), (1, Some("ONLINE")));
            assert_eq!(pools[0].features.get("hole_birth").map(String::as_str), Some("active"));
        }
    }
}
