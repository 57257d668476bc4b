//! A host that goes for good: nobody needs it, its data is in a backup that was read back, it was still for a while, its disks are wiped.

use crate::plan::gates::{id, retire};
use crate::plan::parts::{Proven, Retirement};
use crate::plan::scenarios::migrate::hold;
use crate::plan::scenarios::{install, on, recover};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::plan::{PlanCx, seconds};
use crate::resolve::ResolvedService;
use crate::text::ShellCommand;

const NEEDED: &str = "Who needs it";
const DATA: &str = "Its data";
const STILL: &str = "Be without it";
const WIPE: &str = "Wipe its disks";

/// How long the services rest before the disks go, in seconds: a week shows what runs once a week.
const SOAK: u64 = 7 * 86_400;

/// What a disk takes at least, in bytes a second.
const WRITES: u64 = 120_000_000;

/// Where the installer has what `build` wrote for the host.
const SCRIPT: &str = "wipe";

/// Makes the steps.
pub(in crate::plan::scenarios) fn steps(cx: &PlanCx<'_>) -> Proven {
    let wipe: Vec<Step> = cx
        .host
        .disks
        .iter()
        .map(|disk| {
            let id = disk.def.id.as_str();
            let bytes = disk.def.size.as_ref().map_or(1 << 40, |size| size.bytes());
            let run = |word: &str| install::on_installer(cx, &install::install_script(cx, SCRIPT).args([word, id]));
            Step::new(format!("{}{}", retire::WIPE, disk.name), StepKind::Destroy, RunsOn::Rescue, format!("Wipe {}", disk.name))
                .why(format!(
                    "{id}: every byte is overwritten, by the disk itself where it can, and read back in samples. What is in use is refused. \
                     Nobody reads the data that was on it again."
                ))
                .destroys("disk", id)
                .before(&run("--dry-run"))
                .run(&run("--yes"))
                .after(&run("--wiped"))
                .takes(bytes / WRITES)
                .may_take((bytes / (WRITES / 12)).max(86_400))
                .phase(WIPE)
        })
        .collect();
    Retirement {
        definition: install::definition(cx),
        keys: super::super::running::host_keys(cx),
        needed: needed(cx).phase(NEEDED),
        stop: stop(cx).phase(DATA),
        backup: backup(cx).phase(DATA),
        listing: listing(cx).phase(DATA),
        soak: soak(cx).phase(STILL),
        rescue: install::rescue(cx, WIPE),
        wipe,
        end: end(cx).phase(WIPE),
    }
    .assemble()
}

/// Returns what is known of hosts that need this one, as sentences.
fn who_needs(cx: &PlanCx<'_>) -> Vec<String> {
    let own: Vec<String> = cx
        .host
        .interfaces()
        .flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.value.address.to_string()))
        .collect();
    let mut found = Vec::new();
    for other in cx.fleet.hosts.iter().filter(|other| other.name != cx.host.name) {
        let asks = other
            .def
            .network
            .iter()
            .flat_map(|network| &network.nameservers)
            .any(|server| own.contains(&server.value.to_string()));
        let leaves_by = other.interfaces().any(|(_, interface)| {
            interface.gateways.iter().any(|gateway| own.contains(&gateway.value.via.to_string()))
        });
        let saves = other.def.backup.iter().filter(|(_, backup)| {
            let repository = backup.value.repository.as_str();
            own.iter().any(|address| repository.contains(address.as_str()))
                || repository.contains(&format!("{}.", cx.host.name))
        });
        let mut why: Vec<String> = Vec::new();
        if asks {
            why.push("asks it for names".to_owned());
        }
        if leaves_by {
            why.push("goes out through it".to_owned());
        }
        why.extend(saves.map(|(name, _)| format!("keeps its backup `{name}` on it")));
        if !why.is_empty() {
            found.push(format!("- {}: {}", other.name, why.join(", ")));
        }
    }
    found
}

fn needed(cx: &PlanCx<'_>) -> Step {
    let mut words = vec![format!("From the end of this plan on {} is gone for good.", cx.host.name)];
    let known = who_needs(cx);
    if !known.is_empty() {
        words.push(format!("These hosts of the fleet need it:\n{}", known.join("\n")));
    }
    let gives: Vec<String> = cx
        .host
        .running()
        .map(|service| {
            let names: Vec<&str> = service.def.vhost.0.iter().map(|vhost| vhost.name.as_str()).collect();
            if names.is_empty() {
                format!("- {}", service.name)
            } else {
                format!("- {} ({})", service.name, names.join(", "))
            }
        })
        .collect();
    if !gives.is_empty() {
        words.push(format!("It gives, and somebody may need:\n{}", gives.join("\n")));
    }
    words.push(
        "Each of them has another place by now, its names lead there, and nobody is left who logs in here, sends mail from here, or has this \
         host as the other end of a tunnel, a jump host, or the one that holds a backup."
            .to_owned(),
    );
    Step::new(id::NOBODY_NEEDS_IT, StepKind::Instruction, RunsOn::Person, "Make sure that nobody needs it")
        .why(words.join("\n"))
        .takes(1800)
}

/// Tells whether a service has to run for a last backup: a database that is dumped.
fn is_dumped(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> bool {
    let backups = cx.host.def.backup.iter();
    backups.flat_map(|(name, backup)| backup.value.dumps(name)).any(|dump| recover::is_of(service, &dump))
}

fn resting(cx: &PlanCx<'_>) -> Vec<String> {
    let rests = cx.host.running().filter(|service| hold::can_be_held(service) && !is_dumped(cx, service));
    rests.flat_map(hold::units).collect()
}

fn stop(cx: &PlanCx<'_>) -> Step {
    let units = resting(cx);
    let step = Step::new(id::STOP_SERVICES, StepKind::Command, RunsOn::Target, "Stop its services")
        .why("What is written from here on would be in no backup. Databases run on, since their dumps are still to come.")
        .takes(seconds::LOOK);
    if units.is_empty() {
        return step.run(&on(cx, &ShellCommand::new("true")));
    }
    step.run(&hold::holding(cx, &units)).after(&hold::are_held(cx, &units)).undo(&hold::releasing(cx, &units))
}

fn backup(cx: &PlanCx<'_>) -> Step {
    let start = |unit: String| on(cx, &ShellCommand::new("systemctl").args(["start", "--", &unit]));
    let mut commands = Vec::new();
    let mut by_hand = Vec::new();
    for (name, backup) in cx.host.def.backup.iter() {
        match backup.value.kind.value.file_unit(name) {
            Some(unit) => commands.push(start(format!("{unit}.service"))),
            None => by_hand.push(format!(
                "`{name}` sends snapshots: let it run once more, then look at the newest one on the other machine"
            )),
        }
        if backup.value.drill.is_some() && backup.value.kind.value.copies_files() {
            commands.push(start(format!("hostwright-drill-{name}.service")));
        } else if backup.value.kind.value.copies_files() {
            by_hand.push(format!(
                "`{name}` has no `drill`: restore it into an empty folder elsewhere, and compare with `diff -r`"
            ));
        }
    }
    let title = "Make the last backup and read it back";
    if commands.is_empty() && by_hand.is_empty() {
        return Step::new(id::LAST_BACKUP, StepKind::Instruction, RunsOn::Person, title)
            .why(
                "The definition has no `[backup]`: what is on the disks is the only copy. Bring whatever is wanted elsewhere now, read the copy \
                 back, and only then go on.",
            )
            .takes(3600);
    }
    let words = if by_hand.is_empty() { String::new() } else { format!(" By hand: {}.", by_hand.join("; ")) };
    let why = format!("It is the only copy from the end of this plan on. A backup that was never read is none.{words}");
    if commands.is_empty() {
        return Step::new(id::LAST_BACKUP, StepKind::Instruction, RunsOn::Person, title).why(why).takes(3600);
    }
    let step = Step::new(id::LAST_BACKUP, StepKind::Verify, RunsOn::Target, title).why(why).run_all(&commands);
    step.takes(3600).may_take(3 * 86_400)
}

fn listing(cx: &PlanCx<'_>) -> Step {
    let file = cx.reach.state("retire/listing.txt");
    let look = ShellCommand::from_raw(
        "zfs list -t filesystem,volume -o name,used,mountpoint 2> /dev/null; df -h -x tmpfs -x devtmpfs; \
         systemctl list-units --type=service --state=running --no-legend --plain; \
         find /home /root /srv /var/lib -xdev -newermt '-30 days' -type f -size +0 2> /dev/null | head -n 500",
    );
    Step::new(id::LAST_LISTING, StepKind::Verify, RunsOn::Target, "List for the last time what is on it")
        .why(format!(
            "What is on the disks, what runs, and which files changed in the last 30 days: read it, and look for what no backup has. It \
             stays in {file}."
        ))
        .run(&install::private_folder(&cx.reach.state("retire")))
        .run(&on(cx, &look).then("|", &ShellCommand::new("tee").args(["--", &file])))
        .after(&ShellCommand::new("test").args(["-s", &file]))
        .takes(60)
}

fn soak(cx: &PlanCx<'_>) -> Step {
    let units = resting(cx);
    let step = Step::new(id::SOAK, StepKind::Soak, RunsOn::Person, "Be without it for a week")
        .why(format!(
            "{} runs, and its services rest. Whoever misses something comes now, and the way back is the undo of the step that stopped \
             them. At the end they have to rest still.",
            cx.host.name
        ))
        .takes(SOAK);
    if units.is_empty() { step } else { step.after(&hold::are_held(cx, &units)) }
}

fn end(cx: &PlanCx<'_>) -> Step {
    Step::new(id::END_OF_HOST, StepKind::Instruction, RunsOn::Person, "Take it out of the fleet")
        .parting()
        .why(format!(
            "Remove hosts/{0}/ from the fleet and commit. Take its host key out of the recipients of every secret that it could read, and change \
             those secrets; its keys out of the repositories of its backups once nothing of them is needed any more; its names out \
             of the zones; its peers out of tunnels. Then give the machine back. The listing and the journal of this plan stay in {1}.",
            cx.host.name,
            cx.reach.state("")
        ))
        .takes(1800)
}
