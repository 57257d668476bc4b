//! What REBOOT's way back needs of a boot, looked up in evaluated configurations: real NixOS makes it of what is compiled.

use std::collections::BTreeMap;

use hostwright::facts::Facts;
use hostwright::source::load;
use serde_json::Value;

use super::compile::{compile_files, root};
use super::compile_nix::{evaluate_over, nixpkgs};

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
