//! A vdev or property that needs a pool feature which the pool's compatibility set leaves out.

use crate::check::pool_features;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::Features;
use crate::fleet::schema::machine::Loader;
use crate::fleet::schema::zfs::Compatibility;
use crate::resolve::{MountSource, ResolvedPool};
use crate::source::Level;
use crate::units::Version;

pub(super) static RULE: Rule = Rule {
    id: "feature-not-compatible",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &["OpenZFS features"],
    summary: "a vdev or property needs a feature that the pool's compatibility set lacks",
    doc: include_str!("feature_not_compatible.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let Some((set, name)) = chosen(cx, pool) else { continue };
        let mut seen = Vec::new();
        for need in pool_features::needs(pool) {
            // A system that lacks the feature is `zfs-pool-newer-than-channel`, which names it.
            let lacks = |zfs: Version| cx.facts.zfs().supports(zfs, need.feature) == Some(false);
            let told = cx.host.systems.iter().filter_map(|system| system.zfs).any(lacks);
            if set.contains(need.feature) || told || seen.contains(&need.place) {
                continue;
            }
            seen.push(need.place);
            let message = format!("{} needs `{}`, which `{name}` leaves out", need.what, need.feature);
            let mut finding = Finding::at(need.place, message)
                .label(format!("`{}` is made without it", pool.name))
                .why("`zpool create` and `zfs create` refuse what needs a feature that is not enabled");
            if let Some(first) = cx.facts.zfs().feature(need.feature).and_then(|feature| feature.first_release) {
                finding = finding.help(format!("a set of OpenZFS {first} or later, where every system has that"));
            }
            found.report(finding.help(format!("leave out {}", need.what)));
        }
    }
}

/// Returns the features that a pool is made with, and the name of their set; none where every feature is taken or nothing is
/// known.
fn chosen<'a>(cx: &HostCx<'a>, pool: &ResolvedPool<'_>) -> Option<(Features<'a>, String)> {
    let zfs = cx.facts.zfs();
    let name = match &pool.def.compatibility.value {
        Compatibility::Off => return None,
        Compatibility::Set(name) => name.clone(),
        Compatibility::Auto => {
            let versions: Vec<Version> = cx.host.systems.iter().filter_map(|system| system.at_least).collect();
            let known: Vec<Version> = versions.into_iter().filter(|version| zfs.line(*version).is_some()).collect();
            zfs.compatibility_for(&known)?.to_owned()
        }
    };
    let set = zfs.compatibility_set(&name)?;
    if !is_read_by_grub(cx, pool) {
        return Some((set, name));
    }
    Some((set.intersection(zfs.compatibility_set("grub2")?), format!("{name},grub2")))
}

/// Tells whether GRUB finds its kernels on a pool.
fn is_read_by_grub(cx: &HostCx<'_>, pool: &ResolvedPool<'_>) -> bool {
    let mounts = &cx.host.mounts;
    let path = if mounts.iter().any(|mount| mount.path == "/boot") { "/boot" } else { "/" };
    let here = |source: &MountSource<'_>| matches!(source, MountSource::Dataset { pool: of, .. } if *of == pool.name);
    cx.host.def.boot.loader.value == Loader::Grub
        && mounts.iter().any(|mount| mount.path == path && here(&mount.source))
}
