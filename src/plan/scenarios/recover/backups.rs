//! The backups themselves: looked at before anything is destroyed, brought to the host by name, held until all is back.

use super::scripts::{FOLDER, path, text};
use super::sources::{Source, Sources, units};
use crate::fleet::schema::backup::{Backup, BackupKind};
use crate::plan::gates::{id, restore};
use crate::plan::reach::Who;
use crate::plan::scenarios::migrate::hold;
use crate::plan::scenarios::{have_sums, on};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::plan::{PlanCx, seconds};
use crate::source::sha256;
use crate::text::ShellCommand;

/// Where the scripts lie on the host.
const ON_HOST: &str = "/root/hostwright-recover";

/// Returns the id of the step that looks at a backup.
pub(super) fn look_id(name: &str) -> String {
    format!("{}{name}", restore::LOOK)
}

/// Makes the step that looks at a backup from the deployer.
pub(super) fn look(cx: &PlanCx<'_>, source: &Source<'_>) -> Step {
    let script = ShellCommand::new("sh").arg(cx.reach.out(&path(source)));
    let folder = cx.reach.state(FOLDER);
    let secrets = cx.reach.state("secrets");
    let def = source.def;
    let names: Vec<&str> = [&def.password, &def.ssh_key, &def.credentials]
        .into_iter()
        .filter_map(|name| name.as_ref().map(|name| name.as_str()))
        .collect();
    let bring = if names.is_empty() {
        String::new()
    } else {
        format!(
            " It is opened with {}: put each into {secrets}/ first, in a file of its name, decrypted.",
            names.join(", ")
        )
    };
    Step::new(look_id(source.name), StepKind::Verify, RunsOn::Deployer, format!("Look at the backup {}", source.name))
        .why(format!(
            "Before a disk is touched it is known that there is something to come back: the repository answers and is whole, its newest \
             archive is of this host, as old as its schedule says and no older, holds every service that it should, and fits onto the \
             pools. The archive is chosen here by its name, so that a backup of the empty machine is never taken for it.{bring}"
        ))
        .run(&crate::plan::scenarios::install::private_folder(&folder))
        .run(&script.args(["look", &secrets, &folder]))
        .after(&ShellCommand::new("test").args(["-s", &format!("{folder}/{}/archive", source.name)]))
        .takes(300)
        // A repository checks what it holds, which may be much.
        .may_take(6 * 3600)
}

/// Makes the step that a person does where something does not come back by itself; none where all does.
pub(super) fn account(cx: &PlanCx<'_>, sources: &Sources<'_>) -> Option<Step> {
    let mut words = Vec::new();
    let has_none = sources.files.is_empty() && sources.snapshots.is_empty();
    if has_none {
        words.push(
            "The definition has no `[backup]`: the machine comes back, and no data does. Whatever copies there are elsewhere are \
             brought back by hand, behind the reboot test."
                .to_owned(),
        );
    }
    if !has_none && !sources.without.is_empty() {
        let list: Vec<String> = sources.without.iter().map(|(service, path)| format!("- {service}: {path}")).collect();
        words.push(format!(
            "No backup of files holds these, so that the services start empty there:\n{}",
            list.join("\n")
        ));
    }
    if words.is_empty() {
        return None;
    }
    words.push(format!("If that is as it should be for {}, go on.", cx.host.name));
    let step =
        Step::new(id::ACCOUNT_UNSAVED, StepKind::Instruction, RunsOn::Person, "Agree to what does not come back");
    Some(step.why(words.join("\n")).takes(seconds::PERSON))
}

/// Makes the step that keeps backups from being made until all is back.
pub(super) fn hold(cx: &PlanCx<'_>, name: &str, def: &Backup) -> Step {
    let units = units(cx.host, name, def);
    Step::new(
        format!("{}backup-{name}", restore::HOLD),
        StepKind::Command,
        RunsOn::Target,
        format!("Hold the backup {name}"),
    )
    .why("A backup of the empty machine would look like the newest one, and push older ones out.")
    .run(&hold::holding(cx, &units))
    .after(&hold::are_held(cx, &units))
    .undo(&hold::releasing(cx, &units))
    .takes(seconds::LOOK)
}

/// Makes the step that brings the scripts and the names of the archives to the host; none where nothing is restored from files.
pub(super) fn bring(cx: &PlanCx<'_>, sources: &Sources<'_>) -> Option<Step> {
    if sources.files.is_empty() {
        return None;
    }
    let mut sums = Vec::new();
    for source in &sources.files {
        // What cannot be rendered is told when the files are made.
        let Ok(text) = text(cx.host, source) else { continue };
        sums.push(format!("{}  {}.sh", sha256(&text), source.name));
    }
    let check = have_sums(ON_HOST, sums);
    let step = Step::new(
        id::COPY_RECOVER_SCRIPTS,
        StepKind::Copy,
        RunsOn::Target,
        "Bring the names of the archives to the host",
    )
    .why("With them come the scripts that restore. An edited script stops the plan.")
    .run(&cx.reach.copy_folder(Who::System, &cx.reach.out(FOLDER), ON_HOST));
    let step = sources.files.iter().fold(step, |step, source| {
        let chosen = cx.reach.state(&format!("{FOLDER}/{}/archive", source.name));
        let write = ShellCommand::new("tee").args(["--", &format!("{ON_HOST}/{}.archive", source.name)]);
        step.run(&ShellCommand::new("cat").args(["--", &chosen]).then("|", &on(cx, &write)))
    });
    Some(
        step.after(&on(cx, &check))
            .undo(&on(cx, &ShellCommand::new("rm").args(["-rf", "--", ON_HOST])))
            .takes(seconds::LOOK),
    )
}

/// Returns a command of a backup's script on the host.
pub(super) fn script(cx: &PlanCx<'_>, source: &Source<'_>, words: &[&str]) -> ShellCommand {
    let run = ShellCommand::new("sh").arg(format!("{ON_HOST}/{}.sh", source.name)).args(words);
    on(cx, &run)
}

/// Makes the step that a person does for snapshots in a pool of another machine.
pub(super) fn snapshots(cx: &PlanCx<'_>, name: &str, def: &Backup, datasets: &[String]) -> Step {
    let repository = def.repository.as_str();
    let (machine, place) = match def.kind.value {
        BackupKind::Syncoid => {
            let (machine, parent) = repository.split_once(':').unwrap_or(("MACHINE", repository));
            (machine.to_owned(), format!("{parent}/"))
        }
        _ => (
            repository.rsplit_once(':').map_or(repository, |(machine, _)| machine).to_owned(),
            format!("ROOT_FS/{}/", cx.host.name),
        ),
    };
    let mut words = vec![format!(
        "`{name}` has sent snapshots to a pool of {machine}. That machine is asked by you, since no key of this host may reach into it. Of \
         each dataset: look at the newest snapshot and its age, send it beside the empty dataset, look into it, and change their \
         places while the services are held:"
    )];
    let direct = |command: &ShellCommand| command.to_string();
    for dataset in datasets {
        let there = format!("{place}{dataset}");
        let list = ShellCommand::new("ssh").args(["--", &machine]).arg(
            ShellCommand::new("zfs")
                .args(["list", "-t", "snapshot", "-o", "name,creation,refer", "-s", "creation", &there])
                .as_str(),
        );
        let send = ShellCommand::new("ssh")
            .args(["--", &machine])
            .arg(ShellCommand::new("zfs").args(["send", "-w", &format!("{there}@NEWEST")]).as_str());
        let receive =
            on(cx, &ShellCommand::new("zfs").args(["receive", "-u", "-o", "canmount=off", &format!("{dataset}.back")]));
        words.push(format!("- {dataset}: `{}`, then `{}`", direct(&list), direct(&send.then("|", &receive))));
    }
    words.push(
        "Both sides are the same when `zfs get -H -o value guid` prints the same of the snapshot there and here. Then unmount the empty \
         dataset, rename it away, rename the one that came to its name, set `canmount` and `mountpoint` as the empty one has them, and mount it."
            .to_owned(),
    );
    Step::new(
        format!("{}by-hand-{name}", restore::RESTORE),
        StepKind::Instruction,
        RunsOn::Person,
        format!("Bring the snapshots of {name} back"),
    )
    .why(words.join("\n"))
    .takes(3600)
}

/// Makes the step that lets backups be made again.
pub(super) fn release(cx: &PlanCx<'_>, all: &[(&str, &Backup)]) -> Option<Step> {
    if all.is_empty() {
        return None;
    }
    let units: Vec<String> = all.iter().flat_map(|(name, def)| units(cx.host, name, def)).collect();
    let step = Step::new(id::RELEASE_BACKUPS, StepKind::Command, RunsOn::Target, "Let backups be made again")
        .why("All is back and verified: from here on a backup is one of the data again.")
        .run(&hold::releasing(cx, &units))
        .takes(seconds::LOOK);
    Some(step)
}
