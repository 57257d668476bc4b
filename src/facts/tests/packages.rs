use serde_json::Value;

use crate::facts::{Facts, PackageFact};
use crate::units::Release;

fn find(attribute: &str, release: &str) -> String {
    let facts = Facts::embedded();
    format!("{:?}", facts.packages().find(attribute, release.parse::<Release>().unwrap()))
}

#[test]
fn a_package_has_a_version_or_is_removed_absent_or_unknown() {
    assert_eq!(find("gitea", "20.09"), "Version(\"1.12.2\")");
    assert_eq!(find("gitea", "26.11pre"), find("gitea", "26.11"));
    assert_eq!(find("python2", "26.11"), "Removed");
    assert_eq!(find("homebridge", "20.09"), "Absent");
    assert_eq!(find("forgejo", "20.09"), "Absent");
    assert_eq!(find("postgresql_13", "26.11"), "Absent");
    // No tree of 24.05 was read, and nobody asked for this attribute.
    assert_eq!(find("gitea", "24.05"), "Unknown");
    assert_eq!(find("gitea", "19.09"), "Unknown");
    assert_eq!(find("no-such-package", "26.11"), "Unknown");
}

#[test]
fn release_notes_speak_where_no_tree_was_read() {
    let facts = Facts::embedded();
    let found = facts.packages().find("zfs", "22.05".parse().unwrap());
    assert!(matches!(found, PackageFact::FromNotes { version: "2.1.5", .. }), "{found:?}");
    assert!(matches!(facts.packages().find("zfs", "26.11".parse().unwrap()), PackageFact::Version("2.4.3")));
}

#[test]
fn every_version_of_the_data_is_found() {
    let data: Value = serde_json::from_str(include_str!("../../../facts/packages.json")).unwrap();
    let facts = Facts::embedded();
    for (attribute, versions) in data["packages"].as_object().unwrap() {
        for (release, told) in versions.as_object().unwrap() {
            let found = facts.packages().find(attribute, release.parse().unwrap());
            match told.as_str() {
                Some(version) => assert_eq!(found, PackageFact::Version(version), "{attribute} {release}"),
                None => assert!(matches!(found, PackageFact::Removed | PackageFact::Unknown), "{attribute} {release}"),
            }
        }
    }
    assert!(facts.packages().attributes().is_sorted());
    assert_eq!(facts.packages().releases().count(), 8);
}
