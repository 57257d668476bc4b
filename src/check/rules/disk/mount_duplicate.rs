//! Two things that are mounted on one path.

use std::collections::BTreeMap;

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{Mount, MountSource};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "mount-duplicate",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "two things are mounted on one path",
    doc: include_str!("mount_duplicate.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let mut seen: BTreeMap<&str, &Mount<'_>> = BTreeMap::new();
    for mount in &cx.host.mounts {
        let Some(first) = seen.get(mount.path) else {
            seen.insert(mount.path, mount);
            continue;
        };
        found.report(
            Finding::at(mount.place, format!("two things are mounted on `{}`", mount.path))
                .label(what(mount))
                .related(first.place, what(first))
                .why("one hides the other, and NixOS refuses two devices for one path")
                .help("another path for one of the two")
                .help("remove one `mount`; a second ESP of `boot.mirrors` needs none"),
        );
    }
}

fn what(mount: &Mount<'_>) -> String {
    match &mount.source {
        MountSource::Partition { def, disk, .. } => format!("partition `{disk}.{}`", def.name.value),
        MountSource::Array { name, .. } => format!("array `{name}`"),
        MountSource::Dataset { pool, name, .. } => format!("dataset `{pool}/{name}`"),
        MountSource::Foreign(def) => format!("a file system of type `{}`", def.kind.value),
        MountSource::Persisted { kept, .. } => format!("what is kept in {}", quoted(kept)),
    }
}
