//! A swap file on ZFS.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::MountSource;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "swap-on-zfs",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the swap file lies on ZFS or in memory",
    doc: include_str!("swap_on_zfs.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(file) = cx.host.def.swap.as_ref().and_then(|swap| swap.file.as_ref()) else { return };
    let path = &file.path;
    let Some(holder) = cx.host.mount_of(path.as_str()) else { return };
    let (label, why) = match &holder.source {
        MountSource::Dataset { pool, name, .. } => (
            format!("dataset `{pool}/{name}`"),
            "the kernel cannot swap to a file of ZFS: `swapon` fails at every boot, and with it the unit",
        ),
        MountSource::Foreign(def) if matches!(def.kind.as_str(), "tmpfs" | "ramfs") => {
            ("in memory".to_owned(), "memory that is swapped to memory is gained nowhere, and the kernel refuses it")
        }
        _ => return,
    };
    found.report(
        Finding::at(path.place, format!("the swap file `{}` cannot be used where it lies", path.value))
            .label("the swap file")
            .related(holder.place, label)
            .why(why)
            .help("a partition with `role = \"swap\"`")
            .help("`swap.zram`: compressed swap in memory"),
    );
}
