//! From disks as they are to mounted file systems, and the way out again.

use std::collections::BTreeSet;

use super::installer::script;
use super::keys::{Asks, asking};
use crate::plan::memory::Memory;
use crate::plan::parts::{
    CheckDisks, ConfirmDisks, CreatePools, Disks, ExportPools, MountTarget, PartitionDisks, Pools, SetHostId,
};
use crate::plan::reach::Who;
use crate::plan::{PlanCx, seconds};
use crate::resolve::ResolvedDisk;
use crate::text::ShellCommand;
use crate::units::Size;

/// Where the system's file systems are mounted while it is installed.
pub(super) const MNT: &str = "/mnt";

fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::Installer, command)
}

/// Returns the disks that the definition cuts into partitions.
fn cut<'a>(cx: &'a PlanCx<'_>) -> impl Iterator<Item = &'a ResolvedDisk<'a>> {
    cx.host.disks.iter().filter(|disk| !disk.partitions.is_empty())
}

/// Makes the steps that look at the disks, ask, and cut them.
pub(super) fn disks(cx: &PlanCx<'_>) -> Disks {
    let count = cut(cx).count() as u64;
    let dry = script(cx, "partition").arg("--dry-run");
    let look = ShellCommand::new("lsblk").args(["-o", "NAME,SIZE,MODEL,SERIAL,FSTYPE,LABEL,MOUNTPOINTS"]);
    let memory = Memory::of(cx.host);
    let check = CheckDisks::new("Compare the disks with the definition", |step| {
        step.why(
            "Each disk must be there under its id, of the size that is defined, in use by nothing, and empty unless the \
             definition calls it disposable. A machine with less memory than defined is another one, or lacks a bank.",
        )
        .run_all(memory.map(|memory| on(cx, &memory.check())).as_ref())
        .run(&on(cx, &look))
        .run(&on(cx, &dry))
        .takes(seconds::LOOK)
    });
    let listed: Vec<String> = cut(cx)
        .map(|disk| {
            let size = disk.def.size.as_ref().map_or_else(String::new, |size| format!(", {}", size.value));
            let disposable = if disk.def.disposable.value { ", disposable" } else { ", must be empty" };
            format!("{} ({}{size}{disposable})", disk.name, disk.def.id.as_str())
        })
        .collect();
    let confirm = ConfirmDisks::new("Confirm that nothing on the disks is wanted", |step| {
        step.why(format!(
            "Everything on these disks is lost: {}. Read what the step before has shown. If anything on them is wanted, \
             copy it away and read the copy back first. A disk that holds something and is not called disposable is \
             refused; say `disposable = true` for it only after that.",
            listed.join("; ")
        ))
        .takes(seconds::PERSON)
    });
    let run = cut(cx).fold(script(cx, "partition"), |line, disk| line.arg("--yes").arg(disk.def.id.as_str()));
    let partition = PartitionDisks::new("Partition the disks", |step| {
        let step = cut(cx).fold(step, |step, disk| step.destroys("disk", disk.def.id.as_str()));
        let (run, asked) = asking(cx, &run, Asks::Partition);
        let step = step.why(format!(
            "The disks get the partitions of the definition; what is cut that way already is left.{asked}"
        ));
        let step = step.before(&on(cx, &dry)).run(&run);
        let parts = || cut(cx).flat_map(|disk| disk.partitions.iter().map(|part| part.device.as_str()));
        step.after(&on(cx, &ShellCommand::new("ls").arg("-l").args(parts())))
            .takes(count.saturating_mul(20).saturating_add(10))
    });
    Disks { check, confirm, partition }
}

/// Makes the steps that look at the disks of a host that goes, and ask.
pub(super) fn retired(cx: &PlanCx<'_>) -> (CheckDisks, ConfirmDisks) {
    let look = ShellCommand::new("lsblk").args(["-o", "NAME,SIZE,MODEL,SERIAL,FSTYPE,LABEL,MOUNTPOINTS"]);
    let there = cx
        .host
        .disks
        .iter()
        .map(|disk| ShellCommand::new("test").args(["-b", &format!("/dev/disk/by-id/{}", disk.def.id.as_str())]));
    let there: Vec<ShellCommand> = there.collect();
    let check = CheckDisks::new("Compare the disks with the definition", |step| {
        let step = step
            .why("Each disk must be there under its id: another machine that answers at this address has others, and nothing of it is touched.")
            .run(&on(cx, &look));
        there.iter().fold(step, |step, test| step.run(&on(cx, test))).takes(seconds::LOOK)
    });
    let listed: Vec<&str> = cx.host.disks.iter().map(|disk| disk.def.id.as_str()).collect();
    let confirm = ConfirmDisks::new("Confirm that the disks go", |step| {
        step.why(format!(
            "Every byte on these disks is overwritten: {}. The last backup was read back, the listing was read, nobody missed anything: there is \
             no way back from here on.",
            listed.join("; ")
        ))
        .takes(seconds::PERSON)
    });
    (check, confirm)
}

/// Returns the host id as the four bytes of /etc/hostid, for printf(1): least significant first, octal.
fn host_id_bytes(id: &str) -> String {
    let id = u32::from_str_radix(id, 16).unwrap_or_default();
    id.to_le_bytes().map(|byte| format!("\\{byte:03o}")).concat()
}

/// Makes the steps that set the host id and make the pools; none where no pool is defined.
pub(super) fn pools(cx: &PlanCx<'_>) -> Option<Pools> {
    if cx.host.pools.is_empty() {
        return None;
    }
    let id = &cx.host.host_id.id;
    let write = ShellCommand::new("printf").arg(host_id_bytes(id)).raw("> /etc/hostid");
    let set = ShellCommand::new("rm").args(["-f", "/etc/hostid"]).then("&&", &write);
    let shown = ShellCommand::new("hostid").then("|", &ShellCommand::new("grep").args(["-qx", "--", id]));
    let host_id = SetHostId::new(format!("Set the host id {id}"), |step| {
        step.why(
            "A pool remembers the host id that it was written under. Made under another one, it is a stranger's at the \
             first boot, and its import would have to be forced.",
        )
        .run(&on(cx, &set))
        .after(&on(cx, &shown))
        .takes(seconds::LOOK)
    });
    let names: Vec<&str> = cx.host.pools.iter().map(|pool| pool.name).collect();
    let sizes: Vec<String> = cx
        .host
        .pools
        .iter()
        .map(|pool| match pool.usable_bytes() {
            Some(bytes) => format!("{} ({})", pool.name, Size::human(bytes)),
            None => pool.name.to_owned(),
        })
        .collect();
    let oldest = cx.host.systems.iter().filter_map(|system| system.at_least).min();
    let reader = oldest.map_or_else(String::new, |zfs| {
        format!(" The oldest OpenZFS that may have to import them is {zfs}; they get no feature that it does not know.")
    });
    let create = CreatePools::new(format!("Create {}", sizes.join(", ")), |step| {
        let (run, asked) = asking(cx, &script(cx, "pools"), Asks::Pools);
        let step = step.why(format!("Pools and datasets as defined, empty.{reader}{asked}")).run(&run);
        let look = ShellCommand::new("zpool").args(["list", "-o", "name,size,health,compatibility"]).args(&names);
        let step = step.after(&on(cx, &look)).takes(names.len() as u64 * 20);
        names
            .iter()
            .fold(step, |step, name| step.undo(&on(cx, &ShellCommand::new("zpool").args(["destroy", "--", name]))))
    });
    Some(Pools { host_id, create })
}

/// Makes the step that mounts everything below /mnt.
pub(super) fn mount(cx: &PlanCx<'_>) -> MountTarget {
    let there = ShellCommand::new("findmnt").args(["-n", "--mountpoint", MNT]);
    MountTarget::new("Mount the file systems", |step| {
        let (run, asked) = asking(cx, &script(cx, "mount"), Asks::Mount);
        let words = "What the system will mount at its boot is mounted below /mnt, from the same devices.";
        step.why(format!("{words}{asked}"))
            .run(&run)
            .after(&on(cx, &there))
            .undo(&on(cx, &ShellCommand::new("umount").args(["-R", MNT])))
            .takes(seconds::LOOK)
    })
}

/// Makes the step that unmounts everything and exports every pool.
pub(super) fn export(cx: &PlanCx<'_>) -> ExportPools {
    let idle = ShellCommand::from_raw("!").arg("findmnt").args(["-n", "--mountpoint", MNT]);
    // Installing has unmounted it already where all went well.
    let free = ShellCommand::from_raw("!").arg("findmnt").args(["-n", "--mountpoint", MNT]).raw("> /dev/null");
    let free = free.then("||", &ShellCommand::new("umount").args(["-R", MNT]));
    let title = if cx.host.pools.is_empty() { "Unmount everything" } else { "Export every pool" };
    ExportPools::new(title, |step| {
        let step = step
            .why(
                "A pool that stays imported was last used by the installer, and the first boot may not take it without \
                 force. Exported, it imports unforced: that is what the first boot proves.",
            )
            .run(&on(cx, &ShellCommand::new("sync")))
            .run(&on(cx, &free))
            .after(&on(cx, &idle))
            .takes(30);
        if cx.host.pools.is_empty() {
            return step;
        }
        let none = ShellCommand::from_raw("test -z \"$(zpool list -H -o name)\"");
        let step = step.run(&on(cx, &ShellCommand::new("zpool").args(["export", "-a"]))).after(&on(cx, &none));
        // Each folder in which the host looks for its pools.
        let folders: BTreeSet<&str> = cx.host.pools.iter().map(|pool| cx.host.dev_nodes(pool)).collect();
        let step = folders
            .into_iter()
            .fold(step, |step, folder| step.after(&on(cx, &ShellCommand::new("zpool").args(["import", "-d", folder]))));
        step.undo(&on(cx, &script(cx, "mount")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_id_is_written_as_zgenhostid_does() {
        // zgenhostid(8) writes the four bytes of the number in the machine's order, which is little-endian.
        assert_eq!(host_id_bytes("2487cd1f"), "\\037\\315\\207\\044");
    }
}
