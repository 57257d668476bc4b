//! A disk whose id is not among those that were probed.

use crate::check::phrase::listed;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, nearest, quoted};
use crate::units::by_id_name;

pub(super) static RULE: Rule = Rule {
    id: "disk-not-found",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &["probed disks"],
    summary: "the disk is not among the probed ones",
    doc: include_str!("disk_not_found.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.disks.is_empty() {
        return;
    }
    let Some(probed) = probed::disks(cx, found) else { return };
    let defined: Vec<&str> = cx.host.disks.iter().map(|disk| disk.def.id.as_str()).collect();
    for disk in &cx.host.disks {
        let id = disk.def.id.as_str();
        // Names that are no ids at all are `disk-unstable-name`.
        if id.contains('/') || probed::disk(probed, id).is_some() || probed::disk_of_kernel_name(probed, id).is_some() {
            continue;
        }
        let message = format!("disk `{}` is not in the machine: {} is none of its disks", disk.name, quoted(id));
        let finding = Finding::at(disk.def.id.place, message).label("not among the probed disks").why(
            "the disk is named by model and serial number: with a letter wrong nothing answers, or another disk does",
        );
        let known = probed.iter().flat_map(|disk| &disk.ids).map(|id| by_id_name(id));
        let near = nearest(id, known);
        let is_free = |id: &&str| !defined.contains(id);
        let free: Vec<&str> = probed.iter().filter_map(probed::best_id).filter(is_free).collect();
        let finding = if !near.is_empty() {
            finding.help(format!("nearest in the facts: {}", listed(near)))
        } else if free.is_empty() {
            finding.help("remove the disk from the definition: every probed one has its name there")
        } else {
            finding.help(format!("probed and not in the definition: {}", listed(free)))
        };
        found.report(finding.help("take the facts again if the disk was put in later: `hostwright probe`"));
    }
}
