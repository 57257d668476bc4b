//! A dataset that is mounted in two ways, or hides what is mounted below it.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{MountSource, is_needed_for_boot};
use crate::source::Level;
use crate::units::lies_in;

pub(super) static RULE: Rule = Rule {
    id: "dataset-mount-conflict",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a dataset is mounted in two ways, or over what is mounted below it",
    doc: include_str!("dataset_mount_conflict.md"),
    check: Check::Host(check),
};

/// Properties that a key of the dataset sets.
const KEYS: [(&str, &str); 2] = [("mountpoint", "mountpoint"), ("canmount", "can-mount")];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        for (name, dataset) in pool.def.datasets.iter() {
            let whole = format!("{}/{name}", pool.name);
            if let (Some(mount), Some(own)) = (&dataset.mount, &dataset.mountpoint) {
                found.report(
                    Finding::at(own.place, format!("`{whole}` has `mount` and `mountpoint`"))
                        .label("ZFS's own mount")
                        .related(mount.place, "a legacy mount")
                        .why("a dataset with a mount point of its own cannot be mounted as a legacy one, and the boot ends there")
                        .help("remove `mountpoint`: NixOS mounts it")
                        .help("remove `mount` from a dataset that has its mount point already"),
                );
            }
            for (property, key) in KEYS {
                let Some(value) = dataset.properties.get(property) else { continue };
                found.report(
                    Finding::at(value.key, format!("`{property}` of `{whole}` stands among its properties"))
                        .label("nothing mounts it there")
                        .help(format!("the key `{key}` of the dataset, or `mount`")),
                );
            }
            let mounted = dataset.mounted_at().filter(|_| dataset.volume.is_some());
            if let Some((path, place)) = mounted {
                found.report(
                    Finding::at(place, format!("`{whole}` is a volume and cannot be mounted at `{path}`"))
                        .label("a block device has no files")
                        .help("remove `volume`: a dataset with a `quota` has the same limit")
                        .help("remove this"),
                );
            }
        }
    }
    hidden(cx, found);
}

/// What ZFS mounts by itself comes after what NixOS mounts.
fn hidden(cx: &HostCx<'_>, found: &mut Findings) {
    let late = |source: &MountSource<'_>, path: &str| {
        matches!(source, MountSource::Dataset { def, .. }
            if def.is_mounted_last() && !is_needed_for_boot(path))
    };
    for above in cx.host.mounts.iter().filter(|mount| late(&mount.source, mount.path)) {
        let below = |path: &str| path != above.path && lies_in(path, above.path);
        let Some(under) = cx.host.mounts.iter().find(|other| below(other.path) && !late(&other.source, other.path))
        else {
            continue;
        };
        found.report(
            Finding::at(
                above.place,
                format!("`{}` is mounted after `{}`, which lies below it", above.path, under.path),
            )
            .label("mounted by ZFS itself")
            .related(under.place, "mounted by NixOS, earlier")
            .why("the later mount hides the earlier one, or is refused because its mount point is not empty")
            .help("`can-mount = \"noauto\"`: NixOS mounts both, in their order"),
        );
    }
}
