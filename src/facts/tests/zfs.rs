use std::collections::BTreeSet;

use serde_json::Value;

use crate::facts::{Facts, Import, Zfs};
use crate::units::Version;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn opens(zfs: Zfs<'_>, made_by: &str, by: &str) -> (Import, Vec<String>) {
    let active = zfs.active_by_default(version(made_by)).unwrap();
    let verdict = zfs.import(active.names(), version(by)).unwrap();
    (verdict.import, verdict.missing.into_iter().map(str::to_owned).collect())
}

#[test]
fn a_pool_of_unstable_goes_read_only_under_20_09_because_of_log_spacemap_alone() {
    let facts = Facts::embedded();
    for made_by in ["2.0", "2.0.7", "2.1", "2.1.16"] {
        assert_eq!(opens(facts.zfs(), made_by, "0.8.4"), (Import::ReadOnly, vec!["log_spacemap".to_owned()]));
    }
}

#[test]
fn a_pool_of_2_2_or_newer_is_refused_by_2_1() {
    let facts = Facts::embedded();
    for made_by in ["2.2", "2.3.8", "2.4.3"] {
        let (import, missing) = opens(facts.zfs(), made_by, "2.1.16");
        assert_eq!((import, missing), (Import::Refused, vec!["head_errlog".to_owned(), "vdev_zaps_v2".to_owned()]));
    }
    assert_eq!(opens(facts.zfs(), "2.4.3", "2.3.8").0, Import::ReadWrite);
    assert_eq!(opens(facts.zfs(), "2.1", "2.3").0, Import::ReadWrite);
}

#[test]
fn every_pair_of_lines_agrees_with_the_matrix_of_the_data() {
    let data: Value = serde_json::from_str(include_str!("../../../facts/zfs.json")).unwrap();
    let matrix = &data["created_by_opened_by"]["matrix"];
    let facts = Facts::embedded();
    let zfs = facts.zfs();
    let lines: Vec<&str> = zfs.lines().map(|line| line.name).collect();
    let mut compared = 0;
    for made_by in &lines {
        for by in &lines {
            let (import, missing) = opens(zfs, made_by, by);
            let all = zfs.line(version(made_by)).unwrap().features;
            let lacking = all.without(zfs.line(version(by)).unwrap().features);
            let on_use: BTreeSet<&str> = lacking.without(lacking.active_at_creation()).names().collect();
            let Some(told) = matrix.get(*made_by).and_then(|row| row.get(*by)) else {
                assert!(lacking.is_empty(), "{made_by} -> {by}: the matrix has no row, {lacking:?}");
                assert_eq!(import, Import::ReadWrite);
                continue;
            };
            let wanted = match told["import"].as_str().unwrap() {
                "refused" => Import::Refused,
                "read-only" => Import::ReadOnly,
                "ok until used" => Import::ReadWrite,
                other => panic!("a new word in the matrix: {other}"),
            };
            let names = |key: &str| told[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            assert_eq!(
                (import, missing),
                (wanted, names("active_at_creation").map(str::to_owned).collect()),
                "{made_by} -> {by}"
            );
            assert_eq!(on_use, names("on_use_refused").chain(names("on_use_read_only")).collect(), "{made_by} -> {by}");
            for name in &on_use {
                let harmless = zfs.feature(name).unwrap().read_only_compatible;
                assert_eq!(harmless, names("on_use_read_only").any(|other| other == *name), "{name}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, matrix.as_object().unwrap().values().map(|row| row.as_object().unwrap().len()).sum::<usize>());
}

#[test]
fn every_feature_is_found_by_name_and_guid_and_is_what_the_data_says() {
    let data: Value = serde_json::from_str(include_str!("../../../facts/zfs.json")).unwrap();
    let facts = Facts::embedded();
    for told in data["features"].as_array().unwrap() {
        let name = told["name"].as_str().unwrap();
        let feature = facts.zfs().feature(name).unwrap();
        assert_eq!(Some(feature), facts.zfs().feature(told["guid"].as_str().unwrap()));
        assert_eq!(Some(feature), facts.zfs().feature(&format!("feature@{name}")));
        assert_eq!(feature.first_release.map(|first| first.to_string()).as_deref(), told["first_release"].as_str());
        assert_eq!(Some(feature.read_only_compatible), told["read_only_compatible"].as_bool());
        assert_eq!(feature.immediate, told["activation"] == "immediate");
        assert_eq!(Some(feature.in_practice_at_creation), told["in_practice_at_creation"].as_bool());
        assert_eq!(Some(feature.becomes_active), told["becomes_active"].as_str());
        let depends: BTreeSet<_> = told["depends_on"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(feature.depends_on.names().collect::<BTreeSet<_>>(), depends);
    }
    assert_eq!(facts.zfs().all_features().count(), 48);
    assert_eq!(facts.zfs().feature("log_spacemaps"), None);
}

#[test]
fn a_line_has_every_feature_that_came_before_its_newest_release() {
    let facts = Facts::embedded();
    for line in facts.zfs().lines() {
        let newest = line.newest().unwrap().version;
        for feature in facts.zfs().all_features() {
            let came = feature.first_release.is_some_and(|first| first <= newest);
            assert_eq!(line.supports(feature.name), came, "{} in {}", feature.name, line.name);
        }
    }
}

#[test]
fn versions_belong_to_lines_and_unknown_ones_to_none() {
    let facts = Facts::embedded();
    let line = |text: &str| facts.zfs().line(version(text)).map(|line| line.name);
    assert_eq!(line("2.1.11"), Some("2.1"));
    assert_eq!(line("0.8.4"), Some("0.8"));
    assert_eq!(line("0.6.5.11"), Some("0.6.5"));
    assert_eq!(line("2.4.98"), Some("2.4"));
    for unknown in ["2.5.0", "2.4.99", "0.6.0", "0.6", "2", "3", "1.0"] {
        assert_eq!(line(unknown), None, "{unknown}");
        assert_eq!(facts.zfs().import(["async_destroy"], version(unknown)), None);
    }
    assert_eq!(facts.zfs().supports(version("0.8.4"), "log_spacemap"), Some(false));
    assert_eq!(facts.zfs().supports(version("2.5"), "log_spacemap"), None);
}

#[test]
fn a_feature_that_nobody_knows_is_refused_and_none_at_all_is_fine() {
    let facts = Facts::embedded();
    let verdict = facts.zfs().import(["com.example:mine", "lz4_compress"], version("2.4")).unwrap();
    assert_eq!((verdict.import, verdict.missing), (Import::Refused, vec!["com.example:mine"]));
    assert_eq!(facts.zfs().import([], version("0.6.1")).unwrap().import, Import::ReadWrite);
    // One that refuses outweighs one that is read-only compatible.
    let verdict = facts.zfs().import(["log_spacemap", "zstd_compress"], version("0.8")).unwrap();
    assert_eq!((verdict.import, verdict.missing), (Import::Refused, vec!["log_spacemap", "zstd_compress"]));
}

#[test]
fn the_compatibility_set_is_the_newest_that_every_system_can_import() {
    let facts = Facts::embedded();
    let chosen = |versions: &[&str]| {
        let versions: Vec<Version> = versions.iter().map(|text| version(text)).collect();
        facts.zfs().compatibility_for(&versions)
    };
    for (versions, set) in [
        (&["2.4.3", "0.8.4"][..], Some("zol-0.8")),
        (&["2.4.3", "2.3.8"], Some("openzfs-2.3")),
        (&["2.2.7"], Some("openzfs-2.2")),
        (&["2.1.5", "2.3.0", "2.2"], Some("openzfs-2.1-linux")),
        (&["2.0.7"], Some("openzfs-2.0-linux")),
        (&["0.7.6"], Some("zol-0.7")),
        (&["0.6.3"], Some("zol-0.6.1")),
        (&["2.4"], Some("openzfs-2.4")),
        (&["2.4", "2.5"], None),
        (&[], None),
    ] {
        assert_eq!(chosen(versions), set, "{versions:?}");
    }
    // And a pool made with it is imported read-write by each of them, whatever is used on it.
    for made_for in facts.zfs().lines() {
        let set = chosen(&[made_for.name]).unwrap();
        let features = facts.zfs().compatibility_set(set).unwrap();
        for by in facts.zfs().lines().skip_while(|line| line.name != made_for.name) {
            let verdict = facts.zfs().import(features.names(), version(by.name)).unwrap();
            assert_eq!(verdict.import, Import::ReadWrite, "{set} under {}", by.name);
        }
    }
}

#[test]
fn compatibility_values_are_read_as_zpool_reads_them() {
    let facts = Facts::embedded();
    let zfs = facts.zfs();
    assert_eq!(zfs.compatibility_set("openzfs-2.2-linux"), zfs.compatibility_set("openzfs-2.2"));
    assert_eq!(zfs.compatibility_set("freenas-11.1"), zfs.compatibility_set("freebsd-11.0"));
    assert!(zfs.compatibility_set("legacy").unwrap().is_empty());
    assert_eq!(zfs.compatibility_set("off"), None);
    assert_eq!(zfs.compatibility_set("openzfs-9"), None);
    let both = zfs.compatibility_set("openzfs-2.1-linux,grub2").unwrap();
    assert!(both.contains("lz4_compress") && !both.contains("zstd_compress") && !both.contains("encryption"));
    let data: Value = serde_json::from_str(include_str!("../../../facts/zfs.json")).unwrap();
    for (name, features) in data["compatibility_sets"].as_object().unwrap() {
        let told: BTreeSet<_> = features.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(zfs.compatibility_set(name).unwrap().names().collect::<BTreeSet<_>>(), told, "{name}");
    }
    assert_eq!(zfs.compatibility_names().count(), 55);
}

#[test]
fn grub_cannot_read_a_default_pool_of_2_2() {
    let facts = Facts::embedded();
    let zfs = facts.zfs();
    let grub = zfs.grub(version("2.12")).unwrap();
    let active = zfs.active_by_default(version("2.2")).unwrap();
    let lacking: Vec<&str> = active.without(grub.features).names().collect();
    assert_eq!(lacking, ["head_errlog", "vdev_zaps_v2"]);
    assert_eq!(zfs.grub(version("2.06")).unwrap().set, "grub2-2.06");
    assert_eq!(zfs.grub(version("2.14")).unwrap().version, "2.12");
    assert!(zfs.grub(version("2.02")).is_none());
}

#[test]
fn the_kernel_range_is_that_of_the_point_release() {
    let facts = Facts::embedded();
    let release = |text: &str| facts.zfs().line(version(text)).unwrap().release(version(text)).unwrap();
    assert_eq!(release("2.3.0").linux_max, Some(version("6.12")));
    assert_eq!(release("2.3.0").supports_linux(version("6.12.38")), Some(true));
    assert_eq!(release("2.3.0").supports_linux(version("6.13")), Some(false));
    assert_eq!(release("2.4.3").supports_linux(version("7.1.2")), Some(false));
    assert_eq!(release("0.7.6").supports_linux(version("4.14")), None);
    // Newer than the facts: the newest known; the line alone: its newest.
    assert_eq!(release("2.3.77").version, version("2.3.9"));
    assert_eq!(release("2.2").version, version("2.2.11"));
}
