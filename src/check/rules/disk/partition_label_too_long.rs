//! A partition label that GPT has no room for, or that two partitions of a host share.

use std::collections::BTreeMap;

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::ResolvedPartition;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "partition-label-too-long",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a partition label over 36 characters, or not unique on the host",
    doc: include_str!("partition_label_too_long.md"),
    check: Check::Host(check),
};

/// Characters that a GPT entry has room for (UEFI specification, table 5.6: 72 bytes of UTF-16).
const LONGEST: usize = 36;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let mut seen: BTreeMap<&str, &ResolvedPartition<'_>> = BTreeMap::new();
    for partition in cx.host.disks.iter().flat_map(|disk| &disk.partitions) {
        // Names are ASCII, so bytes are characters.
        let length = partition.label.len();
        if length > LONGEST {
            let message = format!("the label `{}` has {length} characters, {LONGEST} fit", partition.label);
            found.report(
                Finding::at(partition.place, message)
                    .label("`HOST-DISK-PARTITION` becomes the label")
                    .why("a label that does not fit is cut or refused, and /dev/disk/by-partlabel then holds another name or none")
                    .help(format!("names that are {} characters shorter together", length - LONGEST)),
            );
        }
        if let Some(first) = seen.get(partition.label.as_str()) {
            let message = format!("two partitions have the label `{}`", partition.label);
            found.report(
                Finding::at(partition.place, message)
                    .label(format!("on disk `{}`", partition.disk))
                    .related(first.place, format!("on disk `{}`", first.disk))
                    .why("/dev/disk/by-partlabel holds one of the two, whichever was found last")
                    .help("another name for one of the two partitions"),
            );
        } else {
            seen.insert(&partition.label, partition);
        }
    }
}
