//! boot.nix: boot loader, kernel, what the initrd needs, and how the pools are imported.
//!
//! The loader's part serves the reboot test: the last good generation is entry 0 and the fallback, the menu times out, and
//! a trial entry of ours may stand in a file beside grubenv.

use super::HostCx;
use super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::host::System;
use crate::fleet::schema::machine::{Console, Cpu, Firmware, Loader};
use crate::nix::{Attrs, Expr, NixString, Value};
use crate::resolve::{BootPlaces, Mirror, grub_disks, module_name};
use crate::source::{Diagnostic, Diagnostics, Place};

/// Reads the trial entry that a reboot test writes beside grubenv.
const TRIAL_ENTRY: &str = "if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n";

/// What GRUB boots when the entry it was told to boot does not load: entry 0, the last good generation.
const FALLBACK: &str = "set fallback=0\n";

/// Seconds that the menu stands; without a number it would wait for ever, and no fallback would come.
const MENU_SECONDS: i64 = 5;

/// Returns what boot.nix sets.
pub(super) fn settings(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let mut out = Settings::default();
    let boot = &cx.host.def.boot;
    let places = BootPlaces::of(cx.host);
    match boot.loader.value {
        Loader::Grub => grub(cx, &places, &mut out, found),
        Loader::SystemdBoot => systemd_boot(cx, &places, &mut out, found),
        Loader::Other => {}
    }
    if boot.loader.value != Loader::Other {
        out.derive("boot.loader.timeout", MENU_SECONDS, boot.loader.place);
    }
    kernel(cx, &mut out);
    initrd(cx, &mut out);
    super::zfs::boot(cx, &mut out, found);
    out
}

/// A serial line as the kernel names it: `ttyS0,115200n8`.
struct Serial<'a> {
    word: &'a str,
    place: Place,
}

impl<'a> Serial<'a> {
    fn of(cx: &HostCx<'a>) -> Option<Self> {
        let machine = &cx.host.def.machine;
        match &machine.serial {
            Some(serial) => Some(Self { word: serial.value.as_str(), place: serial.place }),
            None if machine.console.value == Console::Serial => {
                Some(Self { word: "ttyS0,115200n8", place: machine.console.place })
            }
            None => None,
        }
    }

    /// Returns GRUB's commands for the line; GRUB knows PC serial ports only.
    fn grub(&self) -> Option<String> {
        let (line, form) = self.word.split_once(',').unwrap_or((self.word, "115200n8"));
        let unit: u8 = line.strip_prefix("ttyS")?.parse().ok()?;
        let speed: String = form.chars().take_while(char::is_ascii_digit).collect();
        let speed: u32 = speed.parse().unwrap_or(115_200);
        Some(format!(
            "serial --unit={unit} --speed={speed} --word=8 --parity=no --stop=1\n\
             terminal_input --append serial\nterminal_output --append serial\n"
        ))
    }
}

fn grub(cx: &HostCx<'_>, places: &BootPlaces<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let boot = &cx.host.def.boot;
    let place = boot.loader.place;
    let firmware = &cx.host.def.machine.firmware;
    out.set("boot.loader.grub.enable", true, place);
    out.keyed("boot.loader.grub.configurationLimit", &boot.generations, boot.generations.value);
    let bios = firmware.value != Firmware::Uefi;
    let uefi = firmware.value != Firmware::Bios;
    if uefi {
        out.set("boot.loader.grub.efiSupport", true, firmware.place);
        // A disk that boots both ways is moved between machines: it must be found without an entry in the firmware.
        if bios {
            out.set("boot.loader.grub.efiInstallAsRemovable", true, firmware.place);
        }
        out.set("boot.loader.efi.canTouchEfiVariables", !bios, firmware.place);
        if let Some((_, part, mount)) = places.esp {
            out.set("boot.loader.efi.efiSysMountPoint", mount, part.place);
        }
    }
    let disks = if bios { grub_disks(cx.host, places) } else { Vec::new() };
    let devices: Vec<String> =
        if bios { disks.iter().map(|disk| disk.device()).collect() } else { vec!["nodev".to_owned()] };
    let pairs = mirror_pairs(places);
    if pairs.is_empty() {
        out.set("boot.loader.grub.devices", devices, place);
    } else {
        let esp = places.esp.map(|(_, _, mount)| mount.to_owned());
        let mut mirrored = vec![mirrored_boot("/boot", esp.filter(|_| uefi).as_deref(), devices)];
        for (path, efi, disk_device) in pairs {
            let device = if bios { disk_device } else { "nodev".to_owned() };
            mirrored.push(mirrored_boot(&path, efi.filter(|_| uefi).as_deref(), vec![device]));
        }
        let mirrors = boot.mirrors.first().map_or(place, |name| name.place);
        out.set("boot.loader.grub.mirroredBoots", mirrored, mirrors);
        watch_mounts(cx, places, mirrors, out, found);
    }
    let mut config = String::from(FALLBACK);
    if let Some(serial) = Serial::of(cx).and_then(|serial| serial.grub()) {
        config.push_str(&serial);
    }
    out.set("boot.loader.grub.extraConfig", config, place);
    out.set("boot.loader.grub.extraEntries", TRIAL_ENTRY, place);
    // Entry 0 stays the last good generation: the trial entry comes after it.
    out.set("boot.loader.grub.extraEntriesBeforeNixOS", false, place);
    out.set("boot.loader.grub.default", "0", place);
}

/// The values of the scripts that look after mounts of GRUB's mirrors.
#[derive(serde::Serialize)]
struct GrubMounts {
    places: Vec<String>,
}

/// Has the loader's installer mount what is not mounted, and fail where that does not help.
///
/// Each of the mounts is `nofail`, and GRUB's installer writes below a path whatever is mounted there: without this a mirror
/// that was away for one boot would keep an old menu, and nobody would hear of it.
fn watch_mounts(cx: &HostCx<'_>, places: &BootPlaces<'_>, place: Place, out: &mut Settings, found: &mut Diagnostics) {
    let mirrors = places.boot_mirrors.iter().chain(&places.esp_mirrors).map(|mirror| mirror.path.clone());
    let mains = [&places.boot, &places.esp];
    let mains = mains.into_iter().flatten().map(|(_, _, mount)| (*mount).to_owned()).filter(|mount| mount != "/");
    let mut all: Vec<String> = mains.chain(mirrors).collect();
    all.sort();
    all.dedup();
    let values = GrubMounts { places: all };
    if let Some(script) = cx.render("grub-mounts.sh.tera", &values, found) {
        out.set("boot.loader.grub.extraPrepareConfig", with_path(&["coreutils", "util-linux"], &script), place);
    }
    if !cx.spelling.loader_hook() {
        return;
    }
    if let Some(script) = cx.render("grub-mounted.sh.tera", &values, found) {
        out.set("boot.loader.grub.extraInstallCommands", with_path(&["coreutils", "util-linux"], &script), place);
    }
}

/// Sets what the reboot test needs of the loader of a host that is not compiled; GRUB's settings mean nothing without it.
pub(super) fn loader_hooks(out: &mut Settings, place: Place) {
    out.set("boot.loader.grub.extraConfig", FALLBACK, place);
    out.set("boot.loader.grub.extraEntries", TRIAL_ENTRY, place);
    out.derive("boot.loader.timeout", MENU_SECONDS, place);
}

/// Returns the mirrors of `/boot` as (path, path of the ESP on that disk, device of the disk).
fn mirror_pairs(places: &BootPlaces<'_>) -> Vec<(String, Option<String>, String)> {
    let esp_of = |disk: &str| places.esp_mirrors.iter().find(|mirror| mirror.disk == disk);
    let from_boot = places.boot_mirrors.iter().map(|mirror| {
        let esp = esp_of(&mirror.disk).map(|esp| esp.path.clone());
        (mirror.path.clone(), esp, mirror.disk_device.clone())
    });
    let has_boot = |mirror: &&Mirror| !places.boot_mirrors.iter().any(|boot| boot.disk == mirror.disk);
    let from_esp = places
        .esp_mirrors
        .iter()
        .filter(has_boot)
        .map(|mirror| (mirror.path.clone(), Some(mirror.path.clone()), mirror.disk_device.clone()));
    from_boot.chain(from_esp).collect()
}

fn mirrored_boot(path: &str, esp: Option<&str>, devices: Vec<String>) -> Value {
    let mut attrs = Attrs::new();
    attrs.set(&["path"], path);
    if let Some(esp) = esp {
        attrs.set(&["efiSysMountPoint"], esp);
    }
    attrs.set(&["devices"], devices);
    attrs.into()
}

/// The values of the script that copies an ESP.
#[derive(serde::Serialize)]
struct MirrorEsp<'a> {
    from: &'a str,
    loader: &'static str,
    mirrors: Vec<MirrorTarget<'a>>,
}

#[derive(serde::Serialize)]
struct MirrorTarget<'a> {
    path: &'a str,
    disk: &'a str,
    number: u32,
    label: String,
}

fn systemd_boot(cx: &HostCx<'_>, places: &BootPlaces<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let boot = &cx.host.def.boot;
    let place = boot.loader.place;
    out.set("boot.loader.systemd-boot.enable", true, place);
    out.keyed("boot.loader.systemd-boot.configurationLimit", &boot.generations, boot.generations.value);
    // An editor in the menu is a root shell without a password for whoever reaches the console.
    out.derive("boot.loader.systemd-boot.editor", false, place);
    out.set("boot.loader.efi.canTouchEfiVariables", true, cx.host.def.machine.firmware.place);
    let esp = places.esp.map_or("/boot", |(_, _, mount)| mount);
    if let Some((_, part, mount)) = places.esp {
        out.set("boot.loader.efi.efiSysMountPoint", mount, part.place);
    }
    let Some(first) = places.esp_mirrors.first() else { return };
    if !cx.spelling.loader_hook() {
        let message = "the NixOS of this channel has no hook to copy an EFI system partition";
        let finding = Diagnostic::error("value-invalid", first.place, message).help("use a channel from 22.05 on");
        found.push(finding.help("take the disk out of `boot.mirrors`"));
        return;
    }
    let values = MirrorEsp {
        from: esp,
        loader: match cx.host.system() {
            System::X86_64 => "\\EFI\\systemd\\systemd-bootx64.efi",
            System::Aarch64 => "\\EFI\\systemd\\systemd-bootaa64.efi",
        },
        mirrors: places
            .esp_mirrors
            .iter()
            .map(|mirror| MirrorTarget {
                path: &mirror.path,
                disk: &mirror.disk_device,
                number: mirror.number,
                label: format!("NixOS on {}", mirror.disk),
            })
            .collect(),
    };
    let Some(script) = cx.render("mirror-esp.sh.tera", &values, found) else { return };
    let tools = ["coreutils", "diffutils", "efibootmgr", "gnugrep", "gnused", "systemd", "util-linux"];
    out.set("boot.loader.systemd-boot.extraInstallCommands", with_path(&tools, &script), first.place);
}

/// Returns a script as a string of Nix that first sets `PATH` to these packages of nixpkgs.
fn with_path(packages: &[&str], script: &str) -> Value {
    let packages: Vec<String> =
        packages.iter().map(|name| format!("pkgs.{}", crate::text::nix_attribute(name))).collect();
    let Ok(script) = NixString::new(script) else { return Value::from(script) };
    let text =
        format!("\"export PATH=${{lib.makeBinPath [ {} ]}}:$PATH\\n\" + {}", packages.join(" "), script.literal());
    Expr::parse(&text).map_or_else(|_| Value::from(script.as_str()), Value::from)
}

fn kernel(cx: &HostCx<'_>, out: &mut Settings) {
    let def = cx.host.def;
    if let Some(kernel) = &def.boot.kernel {
        out.set("boot.kernelPackages", Expr::select("pkgs", kernel.as_str()), kernel.place);
    }
    if let Some(arc) = def.zfs.as_ref().and_then(|zfs| zfs.arc_max.as_ref()) {
        out.list("boot.kernelParams", [format!("zfs.zfs_arc_max={}", arc.bytes())], arc.place);
    }
    if let Some(serial) = Serial::of(cx) {
        // The last console is /dev/console, where a boot that fails speaks.
        let params = ["console=tty0".to_owned(), format!("console={}", serial.word)];
        out.list("boot.kernelParams", params, serial.place);
    }
    for param in &def.boot.kernel_params {
        out.list("boot.kernelParams", [param.as_str()], param.place);
    }
    let Some(cpu) = &def.machine.cpu else { return };
    match cpu.value {
        Cpu::Amd | Cpu::Intel => {
            let name = cpu.value.word();
            out.derive(&format!("hardware.cpu.{name}.updateMicrocode"), true, cpu.place);
            out.list("boot.kernelModules", [format!("kvm-{name}")], cpu.place);
        }
        Cpu::Arm | Cpu::Virtual => {}
    }
    if cpu.value != Cpu::Virtual {
        // Many network cards do nothing without their firmware.
        out.derive("hardware.enableRedistributableFirmware", true, cpu.place);
    }
}

/// Modules that every initrd gets beside those of NixOS: controllers of usual machines, and a keyboard.
fn usual_modules(cpu: Option<Cpu>) -> &'static [&'static str] {
    match cpu {
        Some(Cpu::Virtual) => &["ahci", "sd_mod", "sr_mod", "virtio_blk", "virtio_pci", "virtio_scsi", "xhci_pci"],
        _ => &["ahci", "nvme", "sd_mod", "usb_storage", "usbhid", "xhci_pci"],
    }
}

/// Modules that a module needs and does not name as its dependency: the bus that its device is on.
fn bus_of(module: &str) -> Option<&'static str> {
    match module {
        _ if module.starts_with("virtio_") && module != "virtio_pci" => Some("virtio_pci"),
        "hv_storvsc" | "hv_netvsc" => Some("hv_vmbus"),
        _ => None,
    }
}

fn initrd(cx: &HostCx<'_>, out: &mut Settings) {
    let def = cx.host.def;
    let option = "boot.initrd.availableKernelModules";
    let base = usual_modules(def.machine.cpu.as_ref().map(|cpu| cpu.value));
    out.list(option, base.iter().copied(), def.machine.place);
    let mut known: Vec<String> = base.iter().map(|module| (*module).to_owned()).collect();
    let mut add = |module: &str, place: Place, out: &mut Settings| {
        for module in std::iter::once(module).chain(bus_of(&module_name(module))) {
            let name = module_name(module);
            if !known.contains(&name) {
                known.push(name);
                out.list(option, [module], place);
            }
        }
    };
    for driver in cx.host.disks.iter().filter_map(|disk| cx.host.disk_driver(disk)) {
        add(driver.module, driver.place, out);
    }
    for (_, interface) in cx.host.interfaces() {
        if let Some(driver) = cx.host.interface_driver(interface) {
            add(driver.module, driver.place, out);
        }
    }
    for module in &def.boot.initrd_modules {
        add(module.value.as_str(), module.place, out);
    }
}
