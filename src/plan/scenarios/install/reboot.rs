//! The first boot, the baseline boots, the reboot test.

use super::access::{console_words, hook, hooks};
use super::keys::opening;
use crate::fleet::schema::deploy::{Watch, WatchKind};
use crate::fleet::schema::machine::Method;
use crate::plan::PlanCx;
use crate::plan::gates::id;
use crate::plan::parts::{
    BaselineBoots, BaselineDefault, BaselineOnce, CopyRebootScripts, FirstBoot, RebootTestStep, WatchConsole, WayBack,
};
use crate::plan::reach::Who;
use crate::plan::scripts::{ON_HOST, WAIT, certificates_to_come, names_to_come};
use crate::plan::seconds::{self, Times};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::source::sha256;
use crate::text::ShellCommand;
use crate::units::TimeSpan;

/// Where the scripts lie on the host.
const FOLDER: &str = "/var/lib/hostwright/reboot";

/// The generation that nixos-install or the last deployment made the current one.
const CANDIDATE: &str = "/nix/var/nix/profiles/system";

fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::System, command)
}

/// Returns a script of the reboot test on the host, with its arguments.
fn script(cx: &PlanCx<'_>, name: &str, arguments: &[&str]) -> ShellCommand {
    on(cx, &ShellCommand::new("sh").arg(format!("{FOLDER}/{name}.sh")).args(arguments))
}

/// Returns the commands that reboot a system and wait until the host's own system answers from another boot.
fn reboot(cx: &PlanCx<'_>, who: Who, may: u64) -> Vec<ShellCommand> {
    let boot_id = ShellCommand::new("cat").arg("/proc/sys/kernel/random/boot_id");
    let save = ShellCommand::new("tee").args(["--", &cx.reach.state("boot-id")]);
    // A moment later, so that the connection ends in order. Never kexec, soft-reboot or --force: firmware and loader are
    // part of what is tested.
    let reboot = ShellCommand::new("systemd-run").args(["--on-active=2", "--", "systemctl", "reboot"]);
    let wait = ShellCommand::new("sh").arg(cx.reach.out(&format!("reboot/{WAIT}")));
    let wait = wait.args([may.to_string(), Times::of(cx.host).watched().to_string()]);
    let mut commands = vec![cx.reach.run(who, &boot_id).then("|", &save), cx.reach.run(who, &reboot)];
    commands.extend(opening(cx).hook);
    commands.push(wait);
    commands
}

/// Returns a reason with what a person does while an encrypted host boots.
fn with(why: String, person: &str) -> String {
    if person.is_empty() { why } else { format!("{why} {person}") }
}

/// Returns what is watched from outside, as commands on the deployer.
pub(in crate::plan::scenarios) fn watches(cx: &PlanCx<'_>) -> Vec<ShellCommand> {
    watched(cx, &[])
}

/// Returns what is watched from outside, without what goes by one of these names.
fn watched(cx: &PlanCx<'_>, elsewhere: &[&str]) -> Vec<ShellCommand> {
    let leads_here = |watch: &&Watch| match &watch.kind {
        WatchKind::Ping(host) => !elsewhere.contains(&host.as_str()),
        WatchKind::Tcp(address) => !elsewhere.contains(&address.host.as_str()),
        WatchKind::Http { url, .. } => !elsewhere.contains(&url.host()),
        WatchKind::Ssh => true,
    };
    let watches = cx.host.def.deploy.iter().flat_map(|deploy| &deploy.watch).filter(leads_here);
    let mut commands: Vec<ShellCommand> = Vec::new();
    for watch in watches {
        match &watch.kind {
            WatchKind::Ping(host) => commands.push(ShellCommand::new("ping").args(["-c", "3", "--", host])),
            WatchKind::Tcp(address) => {
                let port = address.port.to_string();
                commands.push(ShellCommand::new("nc").args(["-z", "-w", "10", "--", &address.host, &port]));
            }
            WatchKind::Http { url, expect, contains } => {
                commands.push(http(url.as_str(), *expect));
                if let Some(text) = contains {
                    let get = ShellCommand::new("curl").args(["-sS", "--max-time", "20", "--url", url.as_str()]);
                    commands.push(get.then("|", &ShellCommand::new("grep").args(["-qF", "-e", text])));
                }
            }
            WatchKind::Ssh => commands.push(on(cx, &ShellCommand::new("true"))),
        }
    }
    commands
}

/// Returns a command that succeeds when a URL answers with a status.
pub(super) fn http(url: &str, expect: u32) -> ShellCommand {
    let get = ShellCommand::new("curl").args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}\\n"]);
    get.args(["--url", url]).then("|", &ShellCommand::new("grep").args(["-qx", "--", &expect.to_string()]))
}

/// Makes the first boot from the disks: the first baseline boot.
pub(super) fn first_boot(cx: &PlanCx<'_>, method: Method) -> FirstBoot {
    let times = Times::of(cx.host);
    let leave = match method {
        Method::Iso => {
            "Take the installer's medium out as soon as the machine goes down, or it boots the installer again."
        }
        Method::Rescue => "Switch the provider's rescue system off first, where it does not end by itself.",
        _ => "The machine boots from its disks, through its firmware, for the first time.",
    };
    let booted = ShellCommand::from_raw(
        "test \"$(readlink -f /run/booted-system)\" = \"$(readlink -f /nix/var/nix/profiles/system)\"",
    );
    FirstBoot::new("Leave the installer: first boot from the disks", |step| {
        let step = step
            .why(with(format!(
                "Baseline boot 1. {leave} Firmware, loader and initrd find the system, the pools import without force, \
                 and the host answers under its own key. There is no older system to fall back to yet: what fails here \
                 is looked at through the console, and repaired from the installer."
            ), &opening(cx).first))
            .run_all(&reboot(cx, Who::Installer, times.watched()))
            .run_all(&opening(cx).enroll)
            .after(&on(cx, &booted))
            .after(&on(cx, &started(cx)))
            .takes(times.boot());
        let step = if cx.host.pools.is_empty() {
            step
        } else {
            let unforced = ShellCommand::from_raw("! grep -qw zfs_force=1 /proc/cmdline");
            step.after(&on(cx, &ShellCommand::new("zpool").args(["status", "-x"]))).after(&on(cx, &unforced))
        };
        back(cx, step)
    })
}

/// Returns the units that may have failed: those of certificates that cannot be had yet.
fn may_fail(cx: &PlanCx<'_>) -> Option<ShellCommand> {
    let names = certificates_to_come(cx.host);
    if names.is_empty() {
        return None;
    }
    let units = names.into_iter().flat_map(|name| ["-e".to_owned(), format!("acme-order-renew-{name}.service")]);
    Some(ShellCommand::new("grep").arg("-vF").args(units))
}

/// Returns the list of what has failed, without what may.
fn failed(may_fail: &ShellCommand) -> ShellCommand {
    let list = ShellCommand::from_raw("! systemctl list-units --state=failed --no-legend --plain");
    list.then("|", may_fail)
}

/// Returns the command that waits until everything has started, and fails when anything has.
fn started(cx: &PlanCx<'_>) -> ShellCommand {
    let wait = ShellCommand::new("systemctl").args(["is-system-running", "--wait"]);
    match may_fail(cx) {
        Some(may_fail) => wait.then("||", &failed(&may_fail)),
        None => wait,
    }
}

/// Returns the command that fails when a unit has failed.
pub(super) fn nothing_failed(cx: &PlanCx<'_>) -> ShellCommand {
    match may_fail(cx) {
        Some(may_fail) => failed(&may_fail),
        None => ShellCommand::from_raw("!").arg("systemctl").args(["is-failed", "--quiet", "*"]),
    }
}

/// Adds the hooks that bring a machine back which is gone.
fn back(cx: &PlanCx<'_>, step: Step) -> Step {
    let hooks = hooks(cx);
    let power = hooks.and_then(|hooks| hooks.power_cycle.as_ref());
    let rescue = hooks.and_then(|hooks| hooks.rescue.as_ref());
    [power, rescue].into_iter().flatten().fold(step, |step, text| step.undo(&hook(&text.value)))
}

/// Makes the step that brings the scripts of the reboot test onto the host, and proves that they are those of this plan.
pub(super) fn copy_scripts(cx: &PlanCx<'_>) -> CopyRebootScripts {
    let sums = cx.scripts.iter().filter_map(|file| {
        let name = file.path.rsplit('/').next().filter(|name| ON_HOST.contains(name))?;
        Some(format!("{}  {name}", sha256(&file.text)))
    });
    let print = ShellCommand::new("printf").arg("%s\\n").args(sums);
    let check = ShellCommand::new("cd").arg(FOLDER).then("&&", &print);
    let check = check.then("|", &ShellCommand::new("sha256sum").args(["-c", "--quiet", "-"]));
    CopyRebootScripts::new("Copy the scripts of the reboot test", |step| {
        step.why("They arm, judge, confirm and promote on the host itself. An edited script stops the plan.")
            .run(&cx.reach.copy_folder(Who::System, &cx.reach.out("reboot"), FOLDER))
            .after(&on(cx, &check))
            .undo(&on(cx, &ShellCommand::new("rm").args(["-rf", "--", FOLDER])))
            .takes(seconds::LOOK)
    })
}

/// Makes the baseline boots of the good system.
pub(super) fn baseline(cx: &PlanCx<'_>) -> BaselineBoots {
    let times = Times::of(cx.host);
    // What the TPM was taught it does by itself.
    let opening = opening(cx);
    let way_back = if cx.host.boots_once() {
        let loader = match cx.places.loader {
            crate::fleet::schema::machine::Loader::SystemdBoot => {
                "systemd-boot boots an entry of its own once, by an EFI variable"
            }
            _ => "GRUB boots an entry of its own once, by next_entry in grubenv",
        };
        WayBack::Once(BaselineOnce::new("Boot the good system once, through the one-shot entry", |step| {
            let step = step
                .why(with(format!(
                    "{loader}. Done with the good system this proves at no risk that firmware and loader honour the \
                     one-shot, that they clear it, and that the way back is open. A machine that fails here never gets a \
                     candidate."
                ), &opening.later))
                .before(&script(cx, "judge", &["first"]))
                .before(&script(cx, "ready", &[]))
                .run(&script(cx, "record", &[]))
                .run(&script(cx, "arm", &["baseline", "/run/booted-system"]))
                .run_all(&reboot(cx, Who::System, times.max_downtime))
                .after(&script(cx, "judge", &["baseline"]))
                .undo(&script(cx, "disarm", &[]))
                .takes(times.boot().saturating_add(times.settle).saturating_add(seconds::LOOK));
            // The trial word is on the kernel's line, so the dead-man runs: the good system is confirmed like any other.
            back(cx, step.run(&script(cx, "judge", &["baseline"])).run(&script(cx, "confirm", &[])))
        }))
    } else {
        WayBack::Watched(WatchConsole::new("Stand by at the console", |step| {
            step.why(format!(
                "This loader cannot boot an entry once and fall back by itself (rule `recovery-impossible`). From here \
                 until the reboot test has passed, somebody watches the console at every boot and picks the last good \
                 generation in the menu when one does not come up. {}",
                console_words(cx)
            ))
            .takes(seconds::PERSON)
        }))
    };
    let once = cx.host.boots_once();
    let default = BaselineDefault::new("Boot the good system by default", |step| {
        let step = if once { step.run(&script(cx, "disarm", &[])) } else { step };
        let step = step
            .why(with(
                "The second half of the baseline: without arming anything, the loader boots the good system by default, \
                 and nothing of the one-shot is left. The machine has a last good system from here on."
                .to_owned(), &opening.later))
            .run(&script(cx, "record", &[]))
            .run_all(&reboot(cx, Who::System, times.max_downtime))
            .after(&script(cx, "judge", &["default"]))
            .takes(times.boot().saturating_add(times.settle).saturating_add(seconds::LOOK));
        back(cx, step)
    });
    BaselineBoots { way_back, default }
}

/// Makes the reboot test: trial boots, each judged and confirmed; promotion; one boot through the default entry.
pub(super) fn test(cx: &PlanCx<'_>) -> RebootTestStep {
    let times = Times::of(cx.host);
    let once = cx.host.boots_once();
    let trials = times.boots - 1;
    let span = TimeSpan::human;
    let how = if once {
        format!(
            "{trials} trial boot{} from the one-shot entry and one through the default entry. The trial gives up by \
             itself after {} unless it is confirmed from outside, and whatever goes wrong leads back to the last good \
             system without a person.",
            if trials == 1 { "" } else { "s" },
            span(times.give_up_after)
        )
    } else {
        format!(
            "{} boots through the default entry, with a person at the console: this loader has no way back of its own.",
            times.boots
        )
    };
    RebootTestStep::new("Reboot test", |step| {
        // A name that still leads to the old place would answer whatever this machine does.
        let elsewhere = names_to_come(cx.host);
        let is_watched = |name: &&&str| watched(cx, &[**name]).len() < watches(cx).len();
        let unasked: Vec<String> = elsewhere.iter().filter(is_watched).map(|name| format!("`{name}`")).collect();
        let unasked = if unasked.is_empty() {
            String::new()
        } else {
            format!(" Nothing is asked of {}: it leads to the old place until traffic is switched.", unasked.join(", "))
        };
        let why = format!(
            "{how} Away for {} at most, watched for {} since until then the last good system may return; judged {} after \
             it is up. No data comes before this passes, and everything after it refuses to start without it.",
            span(times.max_downtime),
            span(times.watched()),
            span(times.settle)
        );
        let mut step = step.why(with(format!("{why}{unasked}"), &opening(cx).later));
        let watches = watched(cx, &elsewhere);
        if once {
            step = step.before(&script(cx, "ready", &[CANDIDATE]));
        }
        step = watches.iter().fold(step, Step::before);
        if once {
            for _ in 0..trials {
                step = step
                    .run(&script(cx, "record", &[]))
                    .run(&script(cx, "arm", &["trial", CANDIDATE]))
                    .run_all(&reboot(cx, Who::System, times.max_downtime))
                    .run_all(&watches)
                    .run(&script(cx, "judge", &["trial"]))
                    .run(&script(cx, "confirm", &[]));
            }
            step = step.run(&script(cx, "promote", &[]));
        }
        for _ in 0..if once { 1 } else { times.boots } {
            step = step
                .run(&script(cx, "record", &[]))
                .run_all(&reboot(cx, Who::System, times.max_downtime))
                .run_all(&watches)
                .run(&script(cx, "judge", &["default"]));
        }
        step = step.after(&script(cx, "judge", &["default"]));
        if once {
            step = step.undo(&script(cx, "disarm", &[]));
        }
        let one = times.boot().saturating_add(times.settle).saturating_add(2 * seconds::LOOK);
        back(cx, step).takes(one.saturating_mul(times.boots))
    })
}

/// Makes a further reboot test of a system that has passed one: nothing of it is new, but the data on it is.
pub(in crate::plan::scenarios) fn again(cx: &PlanCx<'_>) -> Step {
    let times = Times::of(cx.host);
    let step = Step::new(
        id::REBOOT_TEST_AFTER_DATA,
        StepKind::RebootTest,
        RunsOn::Target,
        "Reboot test with the data in place",
    )
    .why(with(
        format!(
            "The system is the one that has passed; what is new is the data. Pools are larger, services start on what came, in their \
             order, and without anybody at the keyboard. Away for {} at most; judged {} after it is up. Nothing is deleted in the \
             cluster before this passes.",
            TimeSpan::human(times.max_downtime),
            TimeSpan::human(times.settle)
        ),
        &opening(cx).later,
    ));
    let watches = watches(cx);
    let step = watches.iter().fold(step, Step::before);
    let step = step
        .run(&script(cx, "record", &[]))
        .run_all(&reboot(cx, Who::System, times.max_downtime))
        .run_all(&watches)
        .after(&script(cx, "judge", &["default"]));
    back(cx, step).takes(times.boot().saturating_add(times.settle).saturating_add(2 * seconds::LOOK))
}
