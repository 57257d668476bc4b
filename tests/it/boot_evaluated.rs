//! What REBOOT's way back needs of a boot, looked up in evaluated configurations: real NixOS makes it of what is compiled.

use std::collections::BTreeMap;

use hostwright::facts::Facts;
use hostwright::source::load;
use serde_json::Value;

use super::compile::{compile_files, root};
use super::compile_nix::{OVERLAYS, evaluate_over, nixpkgs};

/// What is looked up of each configuration `c`; units and files as their text.
const LOOKED_UP: &str = r#"c: {
  params = c.boot.kernelParams;
  modules = c.boot.kernelModules;
  initrdModules = c.boot.initrd.availableKernelModules;
  kernel = c.boot.kernelPackages.kernel.version;
  emergency = c.systemd.enableEmergencyMode;
  targets = builtins.filter (name: name == "emergency.target" || name == "hostwright-bare.target") (
    builtins.attrNames c.systemd.units ++ c.systemd.additionalUpstreamSystemUnits);
  timer = c.systemd.units."hostwright-deadman.timer".text;
  manager = { inherit (c.systemd.settings.Manager) RuntimeWatchdogSec RebootWatchdogSec; };
  initrdManager = c.boot.initrd.systemd.settings.Manager.RuntimeWatchdogSec;
  initrdDeadMan = c.boot.initrd.systemd.units."hostwright-deadman.service".text;
  initrdPanic = c.boot.initrd.systemd.units."panic-on-fail.service".text;
  force = [ c.boot.zfs.forceImportRoot c.boot.zfs.forceImportAll ];
  zfs = if c.boot.zfs.enabled then c.boot.zfs.package.version else "";
  timeout = c.boot.loader.timeout;
  grub = if c.boot.loader.grub.enable then {
    inherit (c.boot.loader.grub) default extraConfig extraEntries extraEntriesBeforeNixOS configurationLimit
      extraPrepareConfig extraInstallCommands efiInstallAsRemovable;
    mirrors = map (m: { inherit (m) path devices efiSysMountPoint; }) c.boot.loader.grub.mirroredBoots;
  } else null;
  systemdBoot = if c.boot.loader.systemd-boot.enable then {
    inherit (c.boot.loader.systemd-boot) configurationLimit editor extraInstallCommands;
  } else null;
  efi = c.boot.loader.efi.canTouchEfiVariables;
  nofail = builtins.filter (path: builtins.elem "nofail" c.fileSystems.${path}.options) (builtins.attrNames c.fileSystems);
  microcode = [ c.hardware.cpu.intel.updateMicrocode c.hardware.cpu.amd.updateMicrocode ];
  loaderLink = c.environment.etc ? "hostwright/loader";
  preSwitch = c.system.preSwitchChecks ? hostwright;
}"#;

/// Evaluates hosts of the fleet of machines; none where there is no nixpkgs.
fn evaluated(test: &str, hosts: &[&str]) -> Option<BTreeMap<String, Value>> {
    let (nix, tree) = nixpkgs(test)?;
    let compiled =
        compile_files(&mut load(&root().join("tests/fleets/machines")).unwrap(), &Facts::embedded()).unwrap();
    let names: String = hosts.iter().map(|host| format!("\"{host}\" ")).collect();
    let expression = format!(
        "let look = {LOOKED_UP}; in builtins.listToAttrs (map (name: {{ inherit name; \
         value = look out.nixosConfigurations.${{name}}.config; }}) [ {names}])"
    );
    let (read, _) = evaluate_over(&compiled, &nix, &tree, &expression);
    Some(serde_json::from_value(read).unwrap())
}

fn has(list: &Value, wanted: &str) -> bool {
    match list {
        Value::Array(items) => items.iter().any(|item| item == wanted),
        Value::Object(table) => table.get(wanted).is_some_and(|on| on != &Value::Bool(false)),
        _ => false,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {}", value[name]))
}

#[test]
fn every_machine_gives_up_by_itself_in_whatever_stage_it_fails() {
    let hosts = ["arm", "both-firmwares", "serial", "two-esps", "xfs"];
    let Some(all) = evaluated("every_machine_gives_up_by_itself_in_whatever_stage_it_fails", &hosts) else { return };
    for (name, host) in &all {
        let zfs = !text(host, "zfs").is_empty();
        let panic = if name == "serial" { "panic=60" } else { "panic=30" };
        for param in [panic, "oops=panic", "boot.panic_on_fail", "systemd.crash_action=reboot"] {
            assert!(has(&host["params"], param), "{name}: {param} in {}", host["params"]);
        }
        assert_eq!(has(&host["params"], "spl.spl_panic_halt=1"), zfs, "{name}");
        // Stage 1: a failure panics, a hang has its dead-man, in trial boots only.
        assert!(text(host, "initrdPanic").contains("boot.panic_on_fail"), "{name}");
        let dead_man = text(host, "initrdDeadMan");
        assert!(dead_man.contains("ConditionKernelCommandLine=hostwright.trial"), "{name}: {dead_man}");
        assert!(dead_man.contains("WantedBy=sysinit.target"), "{name}: {dead_man}");
        assert!(dead_man.contains("DefaultDependencies=false"), "{name}: {dead_man}");
        // Stage 2: no shell waits at a console, a timer that hangs on nothing resets what nobody confirms.
        assert_eq!(host["emergency"], false, "{name}");
        assert!(
            !has(&host["targets"], "emergency.target") && has(&host["targets"], "hostwright-bare.target"),
            "{name}"
        );
        let limit = if name == "serial" { "OnBootSec=900s" } else { "OnBootSec=600s" };
        assert!(text(host, "timer").contains(limit), "{name}: {}", host["timer"]);
        // A kernel that is locked up, a shutdown that hangs.
        assert_eq!(host["manager"]["RuntimeWatchdogSec"], "1min", "{name}");
        assert_eq!(host["manager"]["RebootWatchdogSec"], "10min", "{name}");
        assert_eq!(host["initrdManager"], "1min", "{name}");
        assert!(!zfs || host["force"] == serde_json::json!([false, false]), "{name}: {}", host["force"]);
        assert_eq!(host["timeout"], 5, "{name}: a menu that waits for ever never falls back");
        assert_eq!([&host["loaderLink"], &host["preSwitch"]], [true, true], "{name}");
    }
    let watchdogs = [("arm", "sbsa_gwdt"), ("both-firmwares", "iTCO_wdt"), ("two-esps", "sp5100_tco")];
    for (name, driver) in watchdogs {
        assert!(has(&all[name]["initrdModules"], driver), "{name}: {}", all[name]["initrdModules"]);
    }
}

#[test]
fn every_loader_keeps_the_good_generation_first_and_each_mirror_in_step() {
    let hosts = ["arm", "both-firmwares", "serial", "two-esps"];
    let Some(all) = evaluated("every_loader_keeps_the_good_generation_first_and_each_mirror_in_step", &hosts) else {
        return;
    };
    for name in ["both-firmwares", "serial"] {
        let grub = &all[name]["grub"];
        assert_eq!(grub["default"], "0", "{name}");
        assert_eq!(grub["extraEntriesBeforeNixOS"], false, "{name}");
        assert!(text(grub, "extraConfig").contains("set fallback=0"), "{name}");
        assert!(text(grub, "extraEntries").contains("hostwright.cfg"), "{name}");
    }
    let both = &all["both-firmwares"];
    let disk = |number| format!("/dev/disk/by-id/ata-CT1000MX500SSD1_2101E500000{number}");
    assert_eq!(
        both["grub"]["mirrors"],
        serde_json::json!([
            { "path": "/boot", "efiSysMountPoint": "/efi", "devices": [disk(1)] },
            { "path": "/boot-two", "efiSysMountPoint": "/efi-two", "devices": [disk(2)] },
        ])
    );
    assert_eq!([&both["efi"], &both["grub"]["efiInstallAsRemovable"]], [false, true]);
    assert_eq!(both["nofail"], serde_json::json!(["/boot", "/boot-two", "/efi", "/efi-two"]));
    for script in ["extraPrepareConfig", "extraInstallCommands"] {
        assert!(text(&both["grub"], script).contains("/efi-two"), "{script}");
    }
    let serial = &all["serial"];
    assert!(text(&serial["grub"], "extraConfig").contains("serial --unit=1 --speed=57600"));
    assert!(has(&serial["params"], "console=ttyS1,57600n8") && has(&serial["params"], "mitigations=auto"));
    assert!(text(serial, "kernel").starts_with("6.12.") && text(serial, "zfs").starts_with("2.3."));
    assert_eq!(serial["grub"]["configurationLimit"], 6);
    for module in ["ahci", "igb", "megaraid_sas"] {
        assert!(has(&serial["initrdModules"], module), "{module}");
    }
    let twin = &all["two-esps"];
    assert_eq!([&twin["systemdBoot"]["configurationLimit"], &twin["efi"]], [&Value::from(12), &Value::from(true)]);
    assert_eq!(twin["nofail"], serde_json::json!(["/boot", "/boot-right"]));
    let copies = text(&twin["systemdBoot"], "extraInstallCommands");
    assert!(copies.contains("hostwright_mirror_esp /boot /boot-right"), "{copies}");
    assert_eq!(twin["microcode"], serde_json::json!([false, true]));
    assert!(has(&twin["modules"], "kvm-amd"));
    let arm = &all["arm"];
    assert_eq!(arm["microcode"], serde_json::json!([false, false]));
    assert!(has(&arm["params"], "console=ttyAMA0,115200n8"));
    assert_eq!(text(&arm["systemdBoot"], "extraInstallCommands"), "", "one disk has no mirror");
}

/// What is looked up of a configuration that must be a system: that it is one, what it warns of, and what gives a trial up.
const SYSTEM: &str = r#"c: {
  system = c.system.build.toplevel.drvPath;
  warnings = c.warnings;
  failed = map (a: a.message) (builtins.filter (a: !a.assertion) c.assertions);
  systemd = c.boot.initrd.systemd.enable;
  params = c.boot.kernelParams;
  timer = c.systemd.units."hostwright-deadman.timer".text;
  unit = if c.boot.initrd.systemd.enable then c.boot.initrd.systemd.units."hostwright-deadman.service".text else "";
  scripted = c.boot.initrd.preDeviceCommands;
  grub = if c.boot.loader.grub.enable then c.boot.loader.grub.extraEntries + c.boot.loader.grub.extraConfig else "";
  preSwitch = c.system.preSwitchChecks ? hostwright;
}"#;

/// Asserts that a configuration is a system whose trials give up in stage 1 of either kind.
fn judge(name: &str, read: &Value, said: &str, systemd: bool, grub: bool) {
    assert!(text(read, "system").ends_with(".drv"), "{name}: {read}");
    assert_eq!(read["failed"], serde_json::json!([]), "{name}");
    // Of the scripted stage 1 nixpkgs itself says that it goes.
    let own = |warning: &Value| {
        !systemd && warning.as_str().is_some_and(|text| text.contains("Scripted initrd is deprecated"))
    };
    let warnings: Vec<&Value> = read["warnings"].as_array().unwrap().iter().filter(|warning| !own(warning)).collect();
    assert!(warnings.is_empty(), "{name}: {warnings:?}");
    let said: Vec<&str> = said.lines().filter(|line| line.contains("evaluation warning")).collect();
    assert!(said.len() <= usize::from(!systemd), "{name}: {said:?}");
    assert_eq!(read["systemd"], systemd, "{name}");
    assert!(has(&read["params"], "panic=30") && has(&read["params"], "boot.panic_on_fail"), "{name}");
    assert!(text(read, "timer").contains("OnBootSec=600s"), "{name}");
    if systemd {
        assert!(text(read, "unit").contains("ConditionKernelCommandLine=hostwright.trial"), "{name}");
        assert!(!text(read, "scripted").contains("hostwright.trial"), "{name}: {}", read["scripted"]);
    } else {
        let scripted = text(read, "scripted");
        assert!(
            scripted.contains("*' hostwright.trial'*)") && scripted.contains("sysrq-trigger"),
            "{name}: {scripted}"
        );
    }
    assert_eq!(
        text(read, "grub").contains("hostwright.cfg") && text(read, "grub").contains("set fallback=0"),
        grub,
        "{name}"
    );
    assert_eq!(read["preSwitch"], true, "{name}");
}

#[test]
fn both_kinds_of_stage_1_under_both_loaders_make_a_system_that_gives_up() {
    let Some((nix, tree)) = nixpkgs("both_kinds_of_stage_1_under_both_loaders_make_a_system_that_gives_up") else {
        return;
    };
    let compiled = compile_files(&mut load(&root()).unwrap(), &Facts::embedded()).unwrap();
    for (host, grub) in [("lufta", true), ("attic", false)] {
        for systemd in [true, false] {
            let expression = format!(
                "let look = {SYSTEM}; in look (out.nixosConfigurations.{host}.extendModules {{ modules = [ ({{ lib, ... }}: {{ \
                 boot.initrd.systemd.enable = lib.mkForce {systemd}; }}) ]; }}).config"
            );
            let (read, said) = evaluate_over(&compiled, &nix, &tree, &expression);
            judge(&format!("{host}, systemd in stage 1: {systemd}"), &read, &said, systemd, grub);
        }
    }
}

#[test]
fn a_configuration_written_by_hand_takes_the_module_alone() {
    let Some((nix, tree)) = nixpkgs("a_configuration_written_by_hand_takes_the_module_alone") else { return };
    let compiled = compile_files(&mut load(&root()).unwrap(), &Facts::embedded()).unwrap();
    let loaders = [
        ("boot.loader.grub.device = \"/dev/sda\";", true),
        ("boot.loader.systemd-boot.enable = true; boot.loader.efi.canTouchEfiVariables = true;", false),
    ];
    for (loader, grub) in loaders {
        for systemd in [true, false] {
            let expression = format!(
                "let look = {SYSTEM}; hand = {{ {loader} boot.initrd.systemd.enable = {systemd}; \
                 nixpkgs = {{ hostPlatform = \"x86_64-linux\"; overlays = {OVERLAYS}; }}; networking.hostId = \"2487cd1f\"; boot.zfs.forceImportRoot = false; \
                 fileSystems.\"/\" = {{ device = \"rpool/root\"; fsType = \"zfs\"; }}; \
                 fileSystems.\"/boot\" = {{ device = \"/dev/sda2\"; fsType = \"vfat\"; }}; \
                 services.openssh.enable = true; system.stateVersion = \"26.05\"; }}; \
                 in look (import \"{tree}/nixos/lib/eval-config.nix\" {{ system = null; modules = [ out.nixosModules.hostwright hand ]; }}).config"
            );
            let (read, said) = evaluate_over(&compiled, &nix, &tree, &expression);
            judge(&format!("by hand, {loader} systemd in stage 1: {systemd}"), &read, &said, systemd, grub);
        }
    }
}
