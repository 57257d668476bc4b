use crate::facts::Facts;
use crate::units::{Release, Version};

fn release(text: &str) -> Release {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn the_unstable_channel_before_21_05_is_answered_by_21_05_and_not_solid() {
    let facts = Facts::embedded();
    let found = facts.releases().find(release("21.05pre")).unwrap();
    assert_eq!((found.asked, found.release), (release("21.05pre"), release("21.05")));
    let zfs = found.zfs_default.unwrap();
    assert_eq!((zfs.value, zfs.solid), (version("2.0"), false));
    assert!(!found.kernel_default.unwrap().solid && found.released.is_none());
    assert!(facts.releases().find(release("21.05")).unwrap().kernel_default.unwrap().solid);
}

#[test]
fn the_incident_can_be_told_from_the_releases_alone() {
    let facts = Facts::embedded();
    let installer = facts.releases().zfs(release("21.05pre")).unwrap().value;
    let host = facts.releases().zfs(release("20.09")).unwrap();
    assert!(host.solid);
    let active = facts.zfs().active_by_default(installer).unwrap();
    assert_eq!(facts.zfs().import(active.names(), host.value).unwrap().missing, ["log_spacemap"]);
    assert_eq!(facts.zfs().compatibility_for(&[installer, host.value]), Some("zol-0.8"));
}

#[test]
fn a_release_and_the_channel_before_it_answer_for_each_other() {
    let facts = Facts::embedded();
    let releases = facts.releases();
    let found = releases.find(release("26.11")).unwrap();
    assert_eq!(found.release, release("26.11pre"));
    assert_eq!(found.zfs_default, releases.zfs(release("26.11pre")));
    assert!(found.zfs_default.unwrap().solid);
    assert!(found.zfs_others().any(|other| other == ("zfs_2_3", "2.3.8")));
    assert!(releases.find(release("17.03")).is_none() && releases.find(release("27.05")).is_none());
}

#[test]
fn a_release_whose_zfs_is_unknown_takes_the_nearest_older_ones() {
    let facts = Facts::embedded();
    let releases = facts.releases();
    assert_eq!(releases.zfs(release("26.05")), None);
    let (answered, zfs) = releases.zfs_or_older(release("26.05")).unwrap();
    assert_eq!((answered, zfs.value), (release("25.11"), version("2.3")));
    assert_eq!(releases.zfs_or_older(release("20.09")).unwrap().0, release("20.09"));
    assert_eq!(releases.zfs_or_older(release("27.05")).unwrap().0, release("26.11pre"));
    assert_eq!(releases.zfs_or_older(release("17.03")), None);
}

#[test]
fn releases_are_in_order_and_know_their_neighbours() {
    let facts = Facts::embedded();
    let releases = facts.releases();
    let all: Vec<Release> = releases.all().map(|facts| facts.release).collect();
    assert!(all.len() == 19 && all.is_sorted());
    assert_eq!(releases.newest(), Some(release("26.11pre")));
    assert_eq!(releases.previous(release("21.05pre")), Some(release("20.09")));
    assert_eq!(releases.next(release("20.09")), Some(release("21.05")));
    assert_eq!(releases.next(release("26.11pre")), None);
    assert_eq!(releases.previous(release("17.09")), None);
}

#[test]
fn figures_keep_their_sources_and_hearsay_is_not_solid() {
    let facts = Facts::embedded();
    let found = facts.releases().find(release("20.09")).unwrap();
    assert_eq!(found.code_name, Some("Nightingale"));
    assert_eq!(found.end_of_life.unwrap().value, "2021-06-30".parse().unwrap());
    assert!(found.end_of_life.unwrap().solid && !found.released.unwrap().solid);
    assert_eq!(found.zfs_default.unwrap().value, version("0.8.4"));
    assert_eq!(found.postgresql_default.unwrap().value, version("11"));
    for facts in facts.releases().all() {
        assert!(facts.kernel_default.is_some() && facts.postgresql_default.is_some(), "{}", facts.release);
    }
}

#[test]
fn a_misspelt_release_gets_the_names_that_may_be_meant() {
    let facts = Facts::embedded();
    assert_eq!(facts.releases().nearest_names("26.06").first().map(String::as_str), Some("26.05"));
    assert!(facts.releases().nearest_names("2611").contains(&"26.11".to_owned()));
    assert!(facts.releases().nearest_names("unstable").is_empty());
}

#[test]
fn defaults_follow_the_state_version() {
    let facts = Facts::embedded();
    let postgresql = facts.releases().state_default("services.postgresql.package").unwrap();
    assert_eq!(postgresql.at(release("21.05")), Some("11"));
    assert_eq!(postgresql.at(release("21.11")), Some("13"));
    assert_eq!(postgresql.at(release("17.03")), None);
    let force = facts.releases().state_default("boot.zfs.forceImportRoot").unwrap();
    assert_eq!(force.at(release("26.11")), Some("false"));
    assert!(force.at(release("13.10")).unwrap().starts_with("true"));
    assert!(facts.releases().state_default("services.nginx.enable").is_none());
}
