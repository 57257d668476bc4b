//! Disks by their ids and sizes, partitions by their place, kind and size.

use super::Cx;
use super::machine::{Disk, Partition};
use super::outcome::{Comparison, Difference, Group};
use crate::fleet::schema::disks::{Role, Table};
use crate::resolve::{ResolvedDisk, ResolvedPartition};
use crate::units::{Size, by_id_name};

const GROUP: Group = Group::Disks;

/// Disks of one size as sold differ by less than this, in percent.
const TOLERANCE: u128 = 1;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    if cx.host.disks.is_empty() {
        return;
    }
    let Some(disks) = &cx.machine.disks else {
        out.unknown(GROUP, "disks", "the machine shows none of its devices");
        return;
    };
    if !disks.is_empty() && disks.iter().all(|disk| disk.ids.is_empty()) {
        out.unknown(GROUP, "disks", "/dev/disk/by-id is not there: the names that definitions use are not known");
        return;
    }
    for disk in &cx.host.disks {
        match cx.machine.disk(disk.def.id.as_str()) {
            Some(live) => {
                out.same();
                size(disk, live, out);
                partitions(disk, live, out);
            }
            None => out.differ(missing(cx, disk, disks)),
        }
    }
    for live in disks.iter().filter(|live| live.removable != Some(true) && live.size_bytes.unwrap_or(0) > 0) {
        let is_defined = cx.host.disks.iter().any(|disk| is_called(live, disk.def.id.as_str()));
        if !is_defined {
            out.note(
                Difference::new(GROUP, format!("disk {}", best_id(live)), "a disk that nothing defines")
                    .live(about(live))
                    .why("nothing of the definition uses it or watches over it"),
            );
        }
    }
}

fn is_called(disk: &Disk, id: &str) -> bool {
    disk.ids.iter().any(|name| by_id_name(name) == by_id_name(id))
}

fn best_id(disk: &Disk) -> String {
    let ids = disk.ids.iter().map(|id| by_id_name(id));
    let best = ids.filter(|id| !id.starts_with("wwn-") && !id.starts_with("nvme-eui.")).min_by_key(|id| id.len());
    best.or(disk.path.as_deref()).unwrap_or("without a name").to_owned()
}

fn about(disk: &Disk) -> String {
    let size = disk.size_bytes.map(Size::human);
    let serial = disk.serial.as_ref().map(|serial| format!("serial number {serial}"));
    let parts: Vec<String> = [Some(best_id(disk)), disk.model.clone(), size, serial].into_iter().flatten().collect();
    parts.join(", ")
}

fn missing(cx: &Cx<'_>, disk: &ResolvedDisk<'_>, disks: &[Disk]) -> Difference {
    let id = &disk.def.id;
    let size = disk.def.size.as_ref().map_or_else(String::new, |size| format!(", {}", size.value));
    // One that nothing defines and that is as large is likely its successor.
    let strange = |live: &&Disk| !cx.host.disks.iter().any(|known| is_called(live, known.def.id.as_str()));
    let fits = |live: &&Disk| match (disk.bytes(), live.size_bytes) {
        (Some(defined), Some(live)) => !differ(defined, live),
        _ => false,
    };
    let swapped = disks.iter().filter(strange).find(fits);
    let found = Difference::new(GROUP, format!("disk {}", disk.name), "the disk is not on the machine")
        .defined(format!("{}{size}", id.as_str()), id.place)
        .why("what lies on it is gone, and a pool or mirror runs without the redundancy that it was made with");
    match swapped {
        Some(live) => found
            .live(format!("in its place perhaps {}", about(live)))
            .help(format!(
                "`id = \"{}\"`, if the disk was replaced; then `zpool replace` or partition.sh for the new one",
                best_id(live)
            ))
            .help("look at cables and at `journalctl -k`, if it was not"),
        None => found
            .live("no disk of that name")
            .help("look at cables, at `journalctl -k` and at the provider: a disk that vanishes has mostly failed")
            .help("take it out of the definition, if it was removed on purpose"),
    }
}

fn differ(defined: u64, real: u64) -> bool {
    u128::from(defined.abs_diff(real)) * 100 > u128::from(real) * TOLERANCE
}

fn size(disk: &ResolvedDisk<'_>, live: &Disk, out: &mut Comparison) {
    let Some(size) = &disk.def.size else { return };
    let Some(bytes) = live.size_bytes else {
        out.unknown(GROUP, format!("size of disk {}", disk.name), "the machine did not tell");
        return;
    };
    out.hold(!differ(size.bytes(), bytes), || {
        Difference::new(GROUP, format!("disk {}", disk.name), "the disk has another size")
            .defined(size.value.to_string(), size.place)
            .live(Size::human(bytes))
            .why("offsets of partitions and the space of pools follow from the defined size; or it is another disk than meant")
            .help("the real size, if it is this disk; another `id`, if another was meant")
    });
}

fn partitions(disk: &ResolvedDisk<'_>, live: &Disk, out: &mut Comparison) {
    let of_disk = |part: &ResolvedPartition<'_>| format!("partition {}.{}", disk.name, part.name);
    for part in &disk.partitions {
        let Some(partitions) = &live.partitions else {
            out.unknown(GROUP, of_disk(part), "the machine did not tell its partitions");
            continue;
        };
        let name = by_id_name(&part.device);
        let by_name = partitions.iter().find(|live| live.ids.iter().any(|id| by_id_name(id) == name));
        let by_label = || partitions.iter().find(|live| live.label.as_deref() == Some(part.label.as_str()));
        let Some(found) = by_name.or_else(by_label) else {
            out.differ(
                Difference::new(GROUP, of_disk(part), "the partition is not there")
                    .defined(format!("number {} on {}", part.number, disk.def.id.as_str()), part.place)
                    .live(format!("{} partitions on {}", partitions.len(), live.path.as_deref().unwrap_or("the disk")))
                    .why("what the definition keeps there is somewhere else or nowhere")
                    .help(
                        "lay the disk out as defined, once nothing on it is needed any more; or define what is there",
                    ),
            );
            continue;
        };
        out.same();
        kind(disk, part, found, out);
        // A partition that is larger than wanted does no harm; one that is smaller may cut off what it holds.
        if let (Some(wanted), Some(bytes)) =
            (part.bytes.filter(|_| disk.def.table.value == Table::Gpt), found.size_bytes)
        {
            let fits = bytes >= wanted || !differ(wanted, bytes);
            out.hold(fits, || {
                Difference::new(GROUP, of_disk(part), "the partition is smaller than defined")
                    .defined(Size::human(wanted), part.place)
                    .live(Size::human(bytes))
                    .why("a kernel or a dataset that was reckoned to fit may not")
                    .help("the real size, if it stays so")
            });
        }
    }
}

/// What a partition is marked as, by its role (the types of the Discoverable Partitions Specification and of OpenZFS).
fn marks(role: Role) -> (&'static [&'static str], &'static str) {
    match role {
        Role::BiosBoot => (&["21686148-6449-6e6f-744e-656564454649"], "BIOS boot"),
        Role::Esp => (&["c12a7328-f81f-11d2-ba4b-00a0c93ec93b"], "EFI system"),
        Role::Filesystem => (&["0fc63daf-8483-4772-8e79-3d69d8477de4"], "Linux file system"),
        Role::Swap => (&["0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"], "swap"),
        Role::Zfs => (&["6a898cc3-1dd2-11b2-99a6-080020736631", "6a85cf4d-1dd2-11b2-99a6-080020736631"], "ZFS"),
        Role::Mdraid => (&["a19d880f-05fc-4d3b-a006-743f0f84911e"], "RAID"),
    }
}

fn kind(disk: &ResolvedDisk<'_>, part: &ResolvedPartition<'_>, live: &Partition, out: &mut Comparison) {
    // An MBR knows other types.
    if disk.def.table.value == Table::Mbr {
        return;
    }
    let Some(kind) = live.kind.as_ref().map(|kind| kind.to_lowercase()) else {
        out.unknown(GROUP, format!("role of partition {}.{}", disk.name, part.name), "lsblk did not tell its type");
        return;
    };
    let (wanted, name) = marks(part.role);
    // Only firmware and GRUB go by the type; what other partitions hold is compared where it is used.
    let strict = matches!(part.role, Role::BiosBoot | Role::Esp);
    let others = [Role::BiosBoot, Role::Esp, Role::Filesystem, Role::Swap, Role::Zfs, Role::Mdraid];
    let shown = others.into_iter().map(marks).find(|(types, _)| types.contains(&kind.as_str()));
    let shown = shown.map_or(kind.as_str(), |(_, name)| name);
    let difference = || {
        Difference::new(
            GROUP,
            format!("partition {}.{}", disk.name, part.name),
            format!("the partition is marked as {shown}"),
        )
        .defined(name, part.place)
        .live(shown)
        .why("firmware and boot loader find their partitions by this mark")
        .help(format!("`sgdisk --typecode={}:…`, if it is the right partition", part.number))
    };
    if wanted.contains(&kind.as_str()) {
        out.same();
    } else if strict {
        out.differ(difference());
    } else {
        out.note(difference().why("nothing goes by this mark; another tool may take the partition for free"));
    }
}
