//! After the data: the machine comes back with it, a backup of it comes back, and the old volumes wait.

use std::collections::BTreeSet;

use super::volume::Volume;
use crate::fleet::schema::backup::BackupKind;
use crate::fleet::schema::migration::MigratesFrom;
use crate::plan::PlanCx;
use crate::plan::gates::id;
use crate::plan::scenarios::{install, on};
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::resolve::ResolvedService;
use crate::text::ShellCommand;
use crate::units::topmost;

/// The name of the snapshots.
const SNAPSHOT: &str = "hostwright-migrated";

/// Makes the step that takes snapshots of the data that came; none where none of it lies in a dataset.
pub(super) fn snapshots(cx: &PlanCx<'_>, volumes: &[Volume<'_>]) -> Option<Step> {
    let datasets: BTreeSet<&str> = volumes.iter().filter_map(|volume| volume.dataset.as_deref()).collect();
    let roots = topmost(datasets);
    if roots.is_empty() {
        return None;
    }
    let step = Step::new(id::SNAPSHOT_DATA, StepKind::Command, RunsOn::Target, "Take snapshots of the data that came")
        .why(format!(
            "What the reboot test may do to the data can be taken back: `zfs rollback` to @{SNAPSHOT}, where the service that owns it is \
             stopped."
        ))
        .takes(seconds::LOOK);
    Some(roots.iter().fold(step, |step, dataset| {
        let name = format!("{dataset}@{SNAPSHOT}");
        let there = ShellCommand::new("zfs").args(["list", "-t", "snapshot", "--", &name]);
        let take = ShellCommand::new("zfs").args(["snapshot", "-r", "--", &name]);
        step.run(&on(cx, &there.clone().then("||", &take)))
            .after(&on(cx, &there))
            .undo(&on(cx, &ShellCommand::new("zfs").args(["destroy", "-r", "--", &name])))
    }))
}

/// Makes the second reboot test.
pub(super) fn reboot_test(cx: &PlanCx<'_>, services: &[&ResolvedService<'_>]) -> Step {
    let step = install::again(cx);
    services
        .iter()
        .flat_map(|service| super::hold::questions(cx, service))
        .fold(step, |step, command| step.after(&command))
}

/// Makes the step that backs up what came and restores it from there.
pub(super) fn backup_drill(cx: &PlanCx<'_>, volumes: &[Volume<'_>], services: &[&ResolvedService<'_>]) -> Step {
    let bytes = volumes.iter().filter_map(|volume| volume.used).fold(0, u64::saturating_add);
    let takes = seconds::copying(cx.host, bytes).saturating_mul(2).saturating_add(300);
    let new_id = format!("{}{}", crate::plan::gates::family::BACKUP_DRILL, cx.host.name);
    let mut paths: Vec<String> = Vec::new();
    for volume in volumes {
        let to = volume.def.to.as_str();
        paths.extend(volume.def.paths.iter().map(|path| format!("{to}/{}", path.value.as_str())));
        if volume.def.paths.is_empty() {
            paths.push(to.to_owned());
        }
    }
    paths.extend(
        services
            .iter()
            .flat_map(|service| &service.state)
            .filter(|state| state.backup && !state.rebuildable)
            .map(|state| state.path.clone()),
    );
    paths.sort_unstable();
    paths.dedup();
    let title = "Back up what came, and restore it";
    let mut commands: Vec<ShellCommand> = Vec::new();
    let mut by_hand: Vec<String> = Vec::new();
    for (name, backup) in cx.host.def.backup.iter() {
        let start = |unit: String| on(cx, &ShellCommand::new("systemctl").args(["start", "--", &unit]));
        match backup.kind.value.file_unit(name) {
            Some(unit) => commands.push(start(format!("{unit}.service"))),
            None => by_hand.push(format!(
                "`{name}` sends snapshots ({}): let it run once, then mount or clone the newest snapshot on the other machine and compare \
                 checksums of some files of each path",
                if backup.kind.value == BackupKind::Zrepl { "zrepl" } else { "syncoid" }
            )),
        }
        match &backup.drill {
            Some(_) if backup.kind.value.copies_files() => commands.push(start(format!("hostwright-drill-{name}.service"))),
            None if backup.kind.value.copies_files() => by_hand.push(format!(
                "`{name}` has no `drill`: restore each path from the archive that was just made into an empty folder, and compare \
                 with `diff -r`"
            )),
            _ => {}
        }
    }
    let listed = if paths.is_empty() { "what the services write".to_owned() } else { paths.join(", ") };
    if commands.is_empty() && by_hand.is_empty() {
        return Step::new(new_id, StepKind::Instruction, RunsOn::Person, title)
            .why(format!(
                "The definition has no `[backup]`, so from the end of this plan on there is one copy of {listed}. Define one now, or make a \
                 copy elsewhere by hand and read it back: as long as the old volumes are kept they are the backup, and \
                 they go at the end."
            ))
            .takes(1800);
    }
    let by_hand = if by_hand.is_empty() { String::new() } else { format!(" By hand: {}.", by_hand.join("; ")) };
    let why = format!(
        "A backup that was never read is none, and after the soak this is the only other copy of {listed}. The drill restores into an empty \
         folder and compares every file that has not changed since, byte by byte.{by_hand}"
    );
    if commands.is_empty() {
        return Step::new(new_id, StepKind::Instruction, RunsOn::Person, title).why(why).takes(takes.max(1800));
    }
    Step::new(new_id, StepKind::Verify, RunsOn::Target, title).why(why).run_all(&commands).takes(takes)
}

/// Makes the step that waits while the old volumes are kept: for the longest time that one of the services asks for.
pub(super) fn soak(cx: &PlanCx<'_>, services: &[&ResolvedService<'_>]) -> Step {
    let froms: Vec<&MigratesFrom> = services.iter().filter_map(|service| service.def.migrates_from.as_ref()).collect();
    let longest = froms.iter().map(|from| from.soak.value.seconds()).max().unwrap_or(0);
    let of: Vec<String> = services
        .iter()
        .filter_map(|service| {
            let from = service.def.migrates_from.as_ref()?;
            Some(format!("{}: {}", service.name, crate::units::TimeSpan::human(from.soak.value.seconds())))
        })
        .collect();
    let step = Step::new(id::SOAK, StepKind::Soak, RunsOn::Person, "Keep the old volumes while the services run")
        .why(format!(
            "Live with the services on {} before anything is deleted ({}). The workloads stay scaled to 0, the restorers suspended, and the \
             volumes as they are: until the end of this the way back is the undo of the steps before, with the data of \
             the day of the move. At the end the checks below have to succeed still.",
            cx.host.name,
            of.join(", ")
        ))
        .takes(longest);
    let watches = install::watches(cx);
    let questions = services.iter().flat_map(|service| super::hold::questions(cx, service));
    watches.into_iter().chain(questions).fold(step, |step, command| step.after(&command))
}
