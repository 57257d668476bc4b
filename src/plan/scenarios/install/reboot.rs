//! The first boot, the baseline boots, the reboot test.

use super::access::{console_words, hook, hooks};
use super::keys::opening;
use super::watch::{watched, watches};
use crate::fleet::schema::deploy::Watch;
use crate::fleet::schema::machine::Method;
use crate::plan::PlanCx;
use crate::plan::gates::id;
use crate::plan::parts::{
    BaselineBoots, BaselineDefault, BaselineOnce, CopyRebootScripts, FirstBoot, RebootTestStep, WatchConsole, WayBack,
};
use crate::plan::reach::Who;
use crate::plan::role::{BootKind, Role};
use crate::plan::scenarios::{have_sums, on};
use crate::plan::scripts::{ON_HOST, WAIT, certificates_to_come, names_to_come};
use crate::plan::seconds::{self, Times};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::source::sha256;
use crate::text::ShellCommand;
use crate::units::TimeSpan;

/// Where the scripts lie on the host.
const FOLDER: &str = "/var/lib/hostwright/reboot";

/// The generation that nixos-install or the last deployment made the current one.
const CURRENT: &str = "/nix/var/nix/profiles/system";

/// The system that was the last good one before another became the default.
const LAST_GOOD: &str = "/nix/var/nix/gcroots/hostwright-last-good";

/// When the baseline boots are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan::scenarios) enum Baseline {
    /// In any case: the definition is what made the system.
    Always,
    /// In any case, of a machine that another definition may have made.
    Again,
    /// Unless they have passed on this machine since its hardware or firmware changed, which the machine knows.
    UnlessProven,
}

impl Baseline {
    /// Returns the file on the deployer that is there while the baseline counts as proven.
    fn mark(cx: &PlanCx<'_>) -> String {
        cx.reach.state("baseline-proven")
    }

    /// Returns the commands that ask the machine.
    fn ask(self, cx: &PlanCx<'_>) -> Vec<ShellCommand> {
        if self != Self::UnlessProven {
            return Vec::new();
        }
        let mark = Self::mark(cx);
        // Gone again unless the machine says so: who cannot be asked is not proven.
        let forget = ShellCommand::new("rm").args(["-f", "--", &mark]);
        vec![ShellCommand::new("touch").args(["--", &mark]), script(cx, "baseline", &["proven"]).then("||", &forget)]
    }

    /// Returns a command that is left out where the baseline is proven.
    fn unless(self, cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
        match self {
            Self::Always | Self::Again => command.clone(),
            Self::UnlessProven => ShellCommand::new("test").args(["-e", &Self::mark(cx)]).then("||", command),
        }
    }

    /// Returns the words that `judge.sh` is called with. A machine that runs may have been made by another definition than the one that
    /// the scripts know, so that its good system is held against what it was before.
    fn judged(self, mode: &'static str) -> Vec<&'static str> {
        match self {
            Self::Always => vec![mode],
            Self::Again | Self::UnlessProven => vec![mode, "recorded"],
        }
    }

    /// Returns what a person is told of it, as a sentence to follow another.
    fn words(self) -> &'static str {
        match self {
            Self::Always | Self::Again => "",
            Self::UnlessProven => {
                " Where the machine has it on record that this has passed since its hardware and firmware changed, nothing is rebooted \
                 here."
            }
        }
    }
}

/// What a reboot test tests.
#[derive(Debug)]
pub(in crate::plan::scenarios) struct Tested<'t> {
    /// The candidate, as a path on the host.
    pub(in crate::plan::scenarios) candidate: &'t str,
    /// Whether it is another system than the one that boots by default.
    pub(in crate::plan::scenarios) is_new: bool,
    /// Whether the first trial holds the services, and what is done while they are held.
    pub(in crate::plan::scenarios) held: Option<Vec<ShellCommand>>,
    /// Whether it is judged by what was seen before and not by the definition.
    pub(in crate::plan::scenarios) by_record: bool,
    /// Whether a boot with the power cut is part of it, whatever the definition says.
    pub(in crate::plan::scenarios) cold: bool,
    /// What hangs on it, as a sentence.
    pub(in crate::plan::scenarios) why: &'t str,
}

impl Tested<'static> {
    /// Returns the test of the system that boots by default.
    pub(in crate::plan::scenarios) fn current() -> Self {
        Self {
            candidate: CURRENT,
            is_new: false,
            held: None,
            by_record: false,
            cold: false,
            why: "No data comes before this passes, and everything after it refuses to start without it.",
        }
    }
}

/// Returns a script of the reboot test on the host, with its arguments.
pub(in crate::plan::scenarios) fn script(cx: &PlanCx<'_>, name: &str, arguments: &[&str]) -> ShellCommand {
    on(cx, &ShellCommand::new("sh").arg(format!("{FOLDER}/{name}.sh")).args(arguments))
}

/// Returns the commands that reboot a system and wait until the host's own system answers from another boot.
fn reboot(cx: &PlanCx<'_>, who: Who, kind: BootKind, may: u64) -> Vec<(Role, ShellCommand)> {
    let boot_id = ShellCommand::new("cat").arg("/proc/sys/kernel/random/boot_id");
    let save = ShellCommand::new("tee").args(["--", &cx.reach.state("boot-id")]);
    // A moment later, so that the connection ends in order. Never kexec, soft-reboot or --force: firmware and loader are
    // part of what is tested.
    let reboot = ShellCommand::new("systemd-run").args(["--on-active=2", "--", "systemctl", "reboot"]);
    let wait = ShellCommand::new("sh").arg(cx.reach.out(&format!("reboot/{WAIT}")));
    let watched = Times::of(cx.host).watched();
    let wait = wait.args([may.to_string(), watched.to_string()]);
    let save = cx.reach.run(who, &boot_id).then("|", &save);
    let mut commands = vec![(Role::Other, save), (Role::Reboot, cx.reach.run(who, &reboot))];
    commands.extend(opening(cx).hook.into_iter().map(|hook| (Role::Other, hook)));
    commands.push((Role::Wait { kind, may, watched }, wait));
    commands
}

/// Returns the commands that cut the power of the host's own system and wait until it answers again; none without a hook.
fn cold_boot(cx: &PlanCx<'_>, may: u64) -> Vec<(Role, ShellCommand)> {
    let Some(cycle) = hooks(cx).and_then(|hooks| hooks.power_cycle.as_ref()) else { return Vec::new() };
    let mut commands = reboot(cx, Who::System, BootKind::Cold, may);
    if let Some(request) = commands.get_mut(1) {
        // Nothing is shut down: that the machine comes back from this is what is tested. What was written is on the disks.
        *request = (Role::Other, on(cx, &ShellCommand::new("sync")));
    }
    commands.insert(2.min(commands.len()), (Role::Reboot, hook(&cycle.value)));
    commands
}

/// Returns a reason with what a person does while an encrypted host boots.
fn with(why: String, person: &str) -> String {
    if person.is_empty() { why } else { format!("{why} {person}") }
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
            .run_roles(&reboot(cx, Who::Installer, BootKind::First, times.watched()))
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
pub(in crate::plan::scenarios) fn copy_scripts(cx: &PlanCx<'_>) -> CopyRebootScripts {
    let sums = cx.scripts.iter().filter_map(|file| {
        let name = file.path.rsplit('/').next().filter(|name| ON_HOST.contains(name))?;
        Some(format!("{}  {name}", sha256(&file.text)))
    });
    let check = have_sums(FOLDER, sums);
    CopyRebootScripts::new("Copy the scripts of the reboot test", |step| {
        step.why("They arm, judge, confirm and promote on the host itself. An edited script stops the plan.")
            .run(&cx.reach.copy_folder(Who::System, &cx.reach.out("reboot"), FOLDER))
            .after(&on(cx, &check))
            .undo(&on(cx, &ShellCommand::new("rm").args(["-rf", "--", FOLDER])))
            .takes(seconds::LOOK)
    })
}

/// Makes the baseline boots of the good system.
pub(in crate::plan::scenarios) fn baseline(cx: &PlanCx<'_>, when: Baseline) -> BaselineBoots {
    let times = Times::of(cx.host);
    // What the TPM was taught it does by itself.
    let opening = opening(cx);
    let once = cx.host.boots_once();
    let unless = |step: Step, commands: &[(Role, ShellCommand)]| {
        commands.iter().fold(step, |step, (role, command)| step.run_as(*role, &when.unless(cx, command)))
    };
    let way_back = if once {
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
                     candidate.{}", when.words()
                ), &opening.later))
                .before(&script(cx, "judge", &when.judged("first")))
                .before(&script(cx, "ready", &[]))
                .run_all(&when.ask(cx));
            let arm = script(cx, "arm", &["baseline", "/run/booted-system"]);
            let step = unless(step, &[(Role::Record, script(cx, "record", &[])), (Role::Arm, arm)]);
            let step = unless(step, &reboot(cx, Who::System, BootKind::Baseline, times.max_downtime));
            // The trial word is on the kernel's line, so the dead-man runs: the good system is confirmed like any other.
            let judge = script(cx, "judge", &when.judged("baseline"));
            let step = unless(step, &[(Role::Judge, judge.clone()), (Role::Confirm, script(cx, "confirm", &[]))]);
            let step = step
                .after_as(Role::Judge, &when.unless(cx, &judge))
                .undo_as(Role::Evidence, &script(cx, "evidence", &[]))
                .undo_as(Role::Disarm, &script(cx, "disarm", &[]))
                .takes(times.boot().saturating_add(times.settle).saturating_add(seconds::LOOK));
            back(cx, step)
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
    let default = BaselineDefault::new("Boot the good system by default", |step| {
        let step = if once { step } else { step.run_all(&when.ask(cx)) };
        let step = if once { unless(step, &[(Role::Other, script(cx, "disarm", &[]))]) } else { step };
        let step = step.why(with(
            format!(
                "The second half of the baseline: without arming anything, the loader boots the good system by default, \
                 and nothing of the one-shot is left. The machine has a last good system from here on.{}",
                when.words()
            ),
            &opening.later,
        ));
        let step = unless(step, &[(Role::Record, script(cx, "record", &[]))]);
        let step = unless(step, &reboot(cx, Who::System, BootKind::Default, times.max_downtime));
        let judge = script(cx, "judge", &when.judged("default"));
        let step = unless(step, &[(Role::Judge, judge), (Role::Other, script(cx, "baseline", &["keep"]))]);
        let step = step
            .undo_as(Role::Evidence, &script(cx, "evidence", &[]))
            .after(&script(cx, "baseline", &["proven"]))
            .takes(times.boot().saturating_add(times.settle).saturating_add(seconds::LOOK));
        back(cx, step)
    });
    BaselineBoots { way_back, default }
}

/// Makes the reboot test: trial boots, each judged and confirmed; promotion; one boot through the default entry.
pub(in crate::plan::scenarios) fn test(cx: &PlanCx<'_>, tested: &Tested<'_>) -> RebootTestStep {
    let times = Times::of(cx.host);
    let once = cx.host.boots_once();
    let trials = times.boots - 1;
    let span = TimeSpan::human;
    let how = if once {
        let held = if tested.held.is_some() {
            "One trial boot with all services held, so that nothing rewrites data before kernel, pools, mounts and addresses are \
             proven; then "
        } else {
            ""
        };
        format!(
            "{held}{trials} trial boot{} from the one-shot entry and one through the default entry. The trial gives up by \
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
        let asked: Vec<&str> =
            cx.host.def.deploy.iter().flat_map(|deploy| &deploy.watch).filter_map(Watch::asked).collect();
        let unasked: Vec<String> =
            elsewhere.iter().filter(|name| asked.contains(name)).map(|name| format!("`{name}`")).collect();
        let unasked = if unasked.is_empty() {
            String::new()
        } else {
            format!(" Nothing is asked of {}: it leads to the old place until traffic is switched.", unasked.join(", "))
        };
        let why = format!(
            "{how} Away for {} at most, watched for {} since until then the last good system may return; judged {} after \
             it is up. {}",
            span(times.max_downtime),
            span(times.watched()),
            span(times.settle),
            tested.why
        );
        let is_cold = tested.cold || cx.host.reboot_test().is_some_and(|test| test.cold.value);
        let cold = cold_boot(cx, times.max_downtime);
        let why = match (is_cold, cold.is_empty()) {
            (false, _) => why,
            (true, false) => {
                format!("{why} One boot more has its power cut through the hook, as a power failure would.")
            }
            (true, true) => format!(
                "{why} A cold boot (`cold`) is left out: there is no hook `power-cycle` that could cut the power."
            ),
        };
        let mut step = step.why(with(format!("{why}{unasked}"), &opening(cx).later));
        let watches = watched(cx, &elsewhere);
        if once {
            step = step.before(&script(cx, "ready", &[tested.candidate]));
        }
        step = watches.iter().fold(step, Step::before);
        let judge = |mode: &'static str| {
            let words = if tested.by_record { vec![mode, "recorded"] } else { vec![mode] };
            script(cx, "judge", &words)
        };
        let trial = |step: Step, kind: BootKind, watches: &[(Role, ShellCommand)]| {
            step.run_as(Role::Record, &script(cx, "record", &[]))
                .run_as(Role::Arm, &script(cx, "arm", &[kind.as_str(), tested.candidate]))
                .run_roles(&reboot(cx, Who::System, kind, times.max_downtime))
                .run_roles(watches)
                .run_as(Role::Judge, &judge(kind.as_str()))
                .run_as(Role::Confirm, &script(cx, "confirm", &[]))
        };
        let watched: Vec<(Role, ShellCommand)> = watches.iter().map(|watch| (Role::Watch, watch.clone())).collect();
        let mut boots = times.boots;
        if once {
            if let Some(held) = &tested.held {
                step = trial(step, BootKind::Bare, &[]).run_all(held);
                boots = boots.saturating_add(1);
            }
            for _ in 0..trials {
                step = trial(step, BootKind::Trial, &watched);
            }
            step = step.run_as(Role::Promote, &script(cx, "promote", &[]));
        } else if tested.is_new {
            step = step.run(&script(cx, "take", &[tested.candidate]));
        }
        for _ in 0..if once { 1 } else { times.boots } {
            step = step
                .run_as(Role::Record, &script(cx, "record", &[]))
                .run_roles(&reboot(cx, Who::System, BootKind::Default, times.max_downtime))
                .run_roles(&watched)
                .run_as(Role::Judge, &judge("default"));
        }
        if is_cold && !cold.is_empty() {
            boots = boots.saturating_add(1);
            step = step.run_as(Role::Record, &script(cx, "record", &[])).run_roles(&cold).run_roles(&watched);
            step = step.run_as(Role::Judge, &judge("default"));
        }
        step = step.after_as(Role::Judge, &judge("default")).undo_as(Role::Evidence, &script(cx, "evidence", &[]));
        if once {
            step = step.undo_as(Role::Disarm, &script(cx, "disarm", &[]));
        } else if tested.is_new {
            step = step.undo(&script(cx, "take", &[LAST_GOOD]));
        }
        let one = times.boot().saturating_add(times.settle).saturating_add(2 * seconds::LOOK);
        back(cx, step).takes(one.saturating_mul(boots))
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
    let watched: Vec<(Role, ShellCommand)> = watches.into_iter().map(|watch| (Role::Watch, watch)).collect();
    let step = step
        .run_as(Role::Record, &script(cx, "record", &[]))
        .run_roles(&reboot(cx, Who::System, BootKind::Default, times.max_downtime))
        .run_roles(&watched)
        .after_as(Role::Judge, &script(cx, "judge", &["default"]))
        .undo_as(Role::Evidence, &script(cx, "evidence", &[]));
    back(cx, step).takes(times.boot().saturating_add(times.settle).saturating_add(2 * seconds::LOOK))
}
