//! reboot-test.nix: what a generation carries so that it gives up by itself, and what keeps untested ones from becoming the
//! default.
//!
//! A trial boot is one whose kernel command line holds `hostwright.trial`, or one of the generation in the profile
//! `hostwright` while the profile `system` names another (the last good generation's menu was then not made by us). It is
//! confirmed by [`CONFIRMED`]; the dead-man resets what nobody confirms.

use super::HostCx;
use super::settings::Settings;
use super::spelling::Spelling;
use crate::fleet::scalar::PackageAttr;
use crate::fleet::schema::host::System;
use crate::fleet::schema::machine::{Cpu, Loader};
use crate::nix::{Attrs, Expr, Value};
use crate::source::{Diagnostics, Place};
use crate::text::Templates;
use crate::units::Release;

/// The file whose presence confirms a trial boot; in /run, so that the next boot is on its own again.
pub const CONFIRMED: &str = "/run/hostwright/confirmed";

/// The folder on the target that holds a file for each proven generation, named as its store path is.
pub const VERDICTS: &str = "/var/lib/hostwright/verdicts";

/// The target that a trial of kind `bare` boots: mounts, network, ssh, the dead-man, and no service.
pub const BARE_TARGET: &str = "hostwright-bare.target";

/// What a trial boot is tuned with.
#[derive(Debug, Clone)]
pub(super) struct Tuning<'a> {
    /// Seconds before a panicked kernel resets the machine.
    pub(super) panic_seconds: u64,
    /// Seconds that an unconfirmed trial boot lives.
    pub(super) give_up_seconds: u64,
    /// The same for stage 1.
    pub(super) initrd_seconds: u64,
    /// The maker of the processor; none: any.
    pub(super) cpu: Option<Cpu>,
    /// Whether the processor is of the x86 family for certain: drivers of another are not in its kernel.
    pub(super) x86: bool,
    /// Whether ZFS is in use.
    pub(super) zfs: bool,
    /// How options are spelt.
    pub(super) spelling: Spelling,
    /// The templates of the scripts.
    pub(super) templates: &'a Templates,
    /// Where the tuning stands.
    pub(super) place: Place,
}

/// The values of the dead-man's scripts.
#[derive(serde::Serialize)]
struct DeadMan {
    confirmed: &'static str,
    verdicts: &'static str,
    seconds: u64,
}

/// Returns what reboot-test.nix sets.
pub(super) fn settings(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let def = cx.host.def;
    let tuned = cx.host.reboot_test();
    let tuning = Tuning {
        panic_seconds: def.boot.panic_timeout.seconds().max(1),
        give_up_seconds: tuned.map_or(600, |tuned| tuned.give_up_after.seconds()),
        initrd_seconds: tuned.map_or(300, |tuned| tuned.initrd_give_up_after.seconds()),
        // Kernels made for one board lack the drivers of others, and an initrd is not built with a module that is not there.
        cpu: def.machine.cpu.as_ref().map(|cpu| cpu.value).filter(|_| !for_one_board(def.boot.kernel.as_deref())),
        x86: cx.host.system() == System::X86_64,
        zfs: !cx.host.pools.is_empty(),
        spelling: cx.spelling,
        templates: cx.templates,
        place: tuned.map_or(def.boot.place, |tuned| tuned.place),
    };
    let mut out = Settings::default();
    let checked = def.boot.loader.value != Loader::Other;
    let made = of(&tuning, checked, &mut out);
    if let Err(error) = made {
        found.push(cx.template_error(&error));
    }
    out
}

/// Tells whether a kernel is made for one kind of board.
fn for_one_board(kernel: Option<&PackageAttr>) -> bool {
    kernel.is_some_and(|kernel| kernel.as_str().contains("rpi"))
}

/// Returns the module for hosts that are not compiled: the same with the usual limits, for any processor.
pub(super) fn generic(
    release: Release,
    templates: &Templates,
    place: Place,
) -> Result<Settings, crate::text::TemplateError> {
    let tuning = Tuning {
        panic_seconds: 30,
        give_up_seconds: 600,
        initrd_seconds: 300,
        cpu: None,
        x86: false,
        zfs: true,
        spelling: Spelling::of(release),
        templates,
        place,
    };
    let mut out = Settings::default();
    of(&tuning, true, &mut out)?;
    Ok(out)
}

fn of(tuning: &Tuning<'_>, checked: bool, out: &mut Settings) -> Result<(), crate::text::TemplateError> {
    let place = tuning.place;
    kernel(tuning, out);
    watchdogs(tuning, out);
    // Emergency mode waits at a console for a password that nobody types.
    out.set("systemd.enableEmergencyMode", false, place);
    let values = |seconds| DeadMan { confirmed: CONFIRMED, verdicts: VERDICTS, seconds };
    let script = tuning.templates.render("dead-man.sh.tera", &values(0))?;
    dead_man(tuning, &script, out);
    let initrd = tuning.templates.render("dead-man-initrd.sh.tera", &values(tuning.initrd_seconds))?;
    dead_man_of_stage_1(tuning, &initrd, out);
    bare_target(place, out);
    if checked && tuning.spelling.pre_switch_checks() {
        // The loader's installer is no part of a system's files: this link makes a change of it visible.
        let loader = Expr::select("config", "system.build.installBootLoader");
        out.set_below("environment.etc", &["hostwright/loader", "source"], loader, place);
        let check = tuning.templates.render("pre-switch.sh.tera", &values(0))?;
        out.set("system.preSwitchChecks.hostwright", check, place);
    }
    Ok(())
}

fn kernel(tuning: &Tuning<'_>, out: &mut Settings) {
    // As words of the command line: sysctl comes too late for stage 1.
    let mut params = vec![format!("panic={}", tuning.panic_seconds), "oops=panic".to_owned()];
    if tuning.zfs {
        // Without it a failed assertion of ZFS parks the thread, and the import hangs for ever.
        params.push("spl.spl_panic_halt=1".to_owned());
    }
    params.push("boot.panic_on_fail".to_owned());
    let crash = if tuning.spelling.crash_action() { "systemd.crash_action=reboot" } else { "systemd.crash_reboot" };
    params.push(crash.to_owned());
    out.list("boot.kernelParams", params, tuning.place);
}

fn watchdogs(tuning: &Tuning<'_>, out: &mut Settings) {
    let place = tuning.place;
    // Loaded by udev where the hardware is; lpc_ich and i2c_i801 are what iTCO_wdt hangs on.
    let drivers: &[&str] = match tuning.cpu {
        Some(Cpu::Amd) => &["sp5100_tco"],
        Some(Cpu::Intel) => &["i2c_i801", "iTCO_wdt", "lpc_ich"],
        Some(Cpu::Virtual) => &["i6300esb"],
        Some(Cpu::Arm) => &["sbsa_gwdt"],
        None if tuning.x86 => &["i2c_i801", "iTCO_wdt", "lpc_ich", "sp5100_tco"],
        None => &[],
    };
    out.list("boot.initrd.availableKernelModules", drivers.iter().copied(), place);
    let (runtime, reboot) = ("1min", "10min");
    if tuning.spelling.manager_settings() {
        out.derive("systemd.settings.Manager.RuntimeWatchdogSec", runtime, place);
        out.derive("systemd.settings.Manager.RebootWatchdogSec", reboot, place);
        out.derive("boot.initrd.systemd.settings.Manager.RuntimeWatchdogSec", runtime, place);
    } else {
        out.derive("systemd.watchdog.runtimeTime", runtime, place);
        out.derive("systemd.watchdog.rebootTime", reboot, place);
        if tuning.spelling.initrd_systemd() {
            out.set("boot.initrd.systemd.extraConfig", format!("RuntimeWatchdogSec={runtime}\n"), place);
        }
    }
}

fn dead_man(tuning: &Tuning<'_>, script: &str, out: &mut Settings) {
    let place = tuning.place;
    let timer = Attrs::from_iter([
        ("wantedBy", Value::from(vec!["sysinit.target"])),
        ("unitConfig", Attrs::from_iter([("DefaultDependencies", false)]).into()),
        (
            "timerConfig",
            Attrs::from_iter([("OnBootSec", format!("{}s", tuning.give_up_seconds)), ("AccuracySec", "1s".to_owned())])
                .into(),
        ),
    ]);
    out.set("systemd.timers.hostwright-deadman", timer, place);
    let service = Attrs::from_iter([
        ("description", Value::from("resets a trial boot that nobody confirms")),
        ("unitConfig", Attrs::from_iter([("DefaultDependencies", false)]).into()),
        ("restartIfChanged", Value::from(false)),
        ("serviceConfig", Attrs::from_iter([("Type", "oneshot")]).into()),
        ("script", Value::from(script)),
    ]);
    out.set("systemd.services.hostwright-deadman", service, place);
}

fn dead_man_of_stage_1(tuning: &Tuning<'_>, script: &str, out: &mut Settings) {
    let place = tuning.place;
    let scripted = format!(
        "case \" $(cat /proc/cmdline) \" in\n*' hostwright.trial'*)\n  (\n    {}\n  ) &\n  ;;\nesac\n",
        script.trim_end().replace('\n', "\n    ")
    );
    if !tuning.spelling.initrd_systemd() {
        out.set("boot.initrd.preDeviceCommands", scripted, place);
        return;
    }
    // It ends with stage 1: what it was started in is gone at switch-root, and stage 2 has its own.
    let unit = Attrs::from_iter([
        ("wantedBy", Value::from(vec!["sysinit.target"])),
        (
            "unitConfig",
            Attrs::from_iter([
                ("DefaultDependencies", Value::from(false)),
                ("ConditionKernelCommandLine", Value::from("hostwright.trial")),
            ])
            .into(),
        ),
        ("script", Value::from(script)),
    ]);
    out.set("boot.initrd.systemd.services.hostwright-deadman", unit, place);
    if !tuning.spelling.initrd_scripted() {
        return;
    }
    let systemd = Expr::select("config", "boot.initrd.systemd.enable");
    let unless = Expr::select("lib", "mkIf").apply([negated(&systemd), Value::from(scripted)]);
    out.set("boot.initrd.preDeviceCommands", unless, place);
}

/// Returns the negation of a truth value.
fn negated(truth: &Expr) -> Value {
    Expr::parse(&format!("!{}", truth.as_str())).map_or(Value::Bool(false), Value::from)
}

fn bare_target(place: Place, out: &mut Settings) {
    let wants = [
        "dbus.socket",
        "firewall.service",
        "hostwright-deadman.timer",
        "nftables.service",
        "nix-daemon.socket",
        "sshd.service",
        "sshd.socket",
        "systemd-networkd.service",
        "systemd-resolved.service",
        "systemd-user-sessions.service",
    ];
    let target = Attrs::from_iter([
        ("description", Value::from("a trial boot without services: mounts, network and ssh")),
        ("requires", Value::from(vec!["sysinit.target"])),
        ("wants", Value::from(wants.to_vec())),
        ("after", Value::from(vec!["sysinit.target"])),
        ("unitConfig", Attrs::from_iter([("AllowIsolate", true)]).into()),
    ]);
    out.set("systemd.targets.hostwright-bare", target, place);
}
