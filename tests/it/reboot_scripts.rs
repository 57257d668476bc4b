//! The scripts of the reboot test, run on a machine of paper: files where NixOS has them, below a temporary folder, and
//! small programs in place of those that would touch the machine. The loader's files are of NixOS' own form.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::plan::files_of;

/// A loader's installer: writes the menu of all profiles with the system it belongs to as default.
const INSTALL_GRUB: &str = r#"#!/bin/sh
self=$(cd "$(dirname "$0")/.." && pwd -P)
entry() {
  printf 'menuentry "%s" --class nixos {\nsearch --set=drive1 --fs-uuid 1234\n' "$2"
  printf '  linux ($drive1)/kernels/%s init=%s/init loglevel=4\n' "$(basename "$1")-kernel" "$1"
  printf '  initrd ($drive1)/kernels/%s\n}\n\n' "$(basename "$1")-initrd"
}
{
  printf 'if [ "${next_entry}" ]; then\n  set default="${next_entry}"\nelse\n  set default=0\n  set timeout=5\nfi\n'
  entry "$self" NixOS
  [ -e T/adopted ] || printf 'if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n'
  printf 'submenu "NixOS - All configurations" --class submenu {\n'
  for profile in T/nix/var/nix/profiles/system T/nix/var/nix/profiles/system-profiles/hostwright; do
    if [ -e "$profile" ]; then entry "$(readlink -f "$profile")" "NixOS - Configuration 1 (2026-11-21)"; fi
  done
  printf '}\n'
} > T/boot/grub/grub.cfg
mkdir -p T/boot/kernels
for system in T/nix/store/*-nixos-system-*; do
  for file in kernel initrd; do
    name=T/boot/kernels/$(basename "$system")-$file
    [ -e "$name" ] || cp "$system/$file" "$name"
  done
done
"#;

const INSTALL_SYSTEMD_BOOT: &str = r#"#!/bin/sh
self=$(cd "$(dirname "$0")/.." && pwd -P)
for boot in T/boot T/boot-right; do
  rm -f "$boot"/loader/entries/nixos-*.conf
  mkdir -p "$boot/EFI/nixos"
  for profile in T/nix/var/nix/profiles/system T/nix/var/nix/profiles/system-profiles/hostwright "$self"; do
    [ -e "$profile" ] || continue
    system=$(readlink -f "$profile")
    name=$(basename "$system")
    for file in kernel initrd; do
      [ -e "$boot/EFI/nixos/$name-$file.efi" ] || cp "$system/$file" "$boot/EFI/nixos/$name-$file.efi"
    done
    printf '%s\n' 'title NixOS' "version Generation 1" "linux /EFI/nixos/$name-kernel.efi" \
      "initrd /EFI/nixos/$name-initrd.efi" "options init=$system/init loglevel=4" 'sort-key nixos' \
      > "$boot/loader/entries/nixos-$name.conf"
  done
  printf 'timeout 5\ndefault nixos-%s.conf\n' "$(basename "$self")" > "$boot/loader/loader.conf"
done
"#;

/// The programs of a running NixOS that would touch it.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "grub-editenv",
        r#"file=$1; touch "$file"
case $2 in
  list) cat "$file" ;;
  set) grep -v "^${3%%=*}=" "$file" > "$file.x"; printf '%s\n' "$3" >> "$file.x"; mv "$file.x" "$file" ;;
  unset) grep -v "^$3=" "$file" > "$file.x"; mv "$file.x" "$file" ;;
esac
exit 0"#,
    ),
    (
        "bootctl",
        r#"v=T/sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
if [ -z "$2" ]; then rm -f "$v"; else printf '\007\000\000\000%s' "$2" | sed 's/./&\x00/5g' > "$v"; fi"#,
    ),
    // As on the firmware's variables, which know no seeking.
    (
        "tail",
        r#"[ -z "$3" ] || { echo "tail: $3: cannot seek to relative offset 4: Illegal seek" >&2; exit 1; }; command -p tail "$@""#,
    ),
    (
        "nix-env",
        r#"[ "$1" = -p ] && [ "$3" = --set ] || exit 1
[ "$(readlink -f "$2")" != "$4" ] || exit 0
number=1
while [ -L "$2-$number-link" ]; do number=$((number + 1)); done
ln -s "$4" "$2-$number-link" && ln -sfn "$(basename "$2")-$number-link" "$2""#,
    ),
    ("nix-store", "exit 0"),
    ("systemd-run", r#"while [ "${1##*/}" != switch-to-configuration ]; do shift; done; exec "$@""#),
    (
        "findmnt",
        r#"case "$*" in *SOURCE*) echo /dev/sda2 ;; *FSTYPE*) echo "${FSTYPE:-ext4}" ;; *OPTIONS*) echo rw,relatime ;; esac"#,
    ),
    ("lsblk", r#"echo "${LSBLK:-part}""#),
    ("systemctl", "case $1 in show) echo 10min ;; *) exit 1 ;; esac"),
    ("sync", "exit 0"),
    ("journalctl", "exit 0"),
];

/// A machine of paper.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new(host: &str) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let installer = if host == "lufta" { INSTALL_GRUB } else { INSTALL_SYSTEMD_BOOT };
        for folder in [
            "run",
            "nix/var/nix/profiles/system-profiles",
            "nix/var/nix/gcroots",
            "proc/sys/kernel/random",
            "sys/firmware/efi/efivars",
            "dev",
            "boot/grub",
            "boot/loader/entries",
            "boot-right/loader/entries",
        ] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for system in ["old", "new", "other"] {
            let store = Machine::store(system);
            let units = "etc/systemd/system";
            for (file, text) in [
                ("init", "#!"),
                ("kernel", system),
                ("initrd", system),
                ("nixos-version", system),
                (&format!("{units}/hostwright-deadman.timer"), ""),
                (&format!("{units}/hostwright-bare.target"), ""),
            ] {
                machine.write(&format!("{store}/{file}"), text);
            }
            machine.program(&format!("{store}/bin/switch-to-configuration"), installer);
            for (name, text) in PROGRAMS {
                machine.program(&format!("{store}/sw/bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
            }
        }
        machine.write("proc/sys/kernel/random/uuid", "0123-4567\n");
        machine.write("proc/meminfo", "MemTotal:       128000000 kB\n");
        machine.write("sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "x");
        machine.generation(1, "old");
        symlink("system-1-link", machine.path("nix/var/nix/profiles/system")).unwrap();
        machine.boot("old", "");
        let installed = machine.path(&Machine::store("old")).join("bin/switch-to-configuration");
        assert!(Command::new(installed).arg("boot").status().unwrap().success());
        let scripts = files_of(host).into_iter().filter(|file| file.path.starts_with("reboot/"));
        for file in scripts {
            let name = file.path.trim_start_matches("reboot/");
            machine.write(&format!("var/lib/hostwright/reboot/{name}"), &machine.here(&file.text));
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn store(system: &str) -> String {
        format!("nix/store/{system}-nixos-system-paper-26.05")
    }

    /// Moves the absolute paths of a text below the folder.
    fn here(&self, text: &str) -> String {
        let root = self.folder.path().to_str().unwrap();
        let mut text = text.replace("T/", &format!("{root}/"));
        for path in [
            "/nix/store",
            "/nix/var/",
            "/run/current",
            "/run/booted",
            "/run/hostwright",
            "/var/lib/",
            "/proc/",
            "/sys/firmware/",
            "/dev/watchdog",
            "/dev/disk",
            "/sys/module/zfs/features",
            "/sys/class/dmi",
        ] {
            text = text.replace(path, &format!("{root}{path}"));
        }
        for boots in ["in /boot /boot-right;", "in /boot;", "spent /boot\n"] {
            text = text.replace(boots, &boots.replace("/boot", &format!("{root}/boot")));
        }
        // What was moved twice.
        text.replace(&format!("{root}{root}"), root)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.write(path, &self.here(text));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Makes a system a generation of the profile `system`.
    fn generation(&self, number: u32, system: &str) {
        let link = self.path(&format!("nix/var/nix/profiles/system-{number}-link"));
        symlink(self.path(&Self::store(system)), link).unwrap();
    }

    /// Lets a system run, with these words on the kernel's line. As at every boot, the loader spends its one-shot first.
    fn boot(&self, system: &str, words: &str) {
        let _ = fs::remove_file(
            self.path("sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"),
        );
        if self.exists("boot/grub/grubenv") {
            self.write("boot/grub/grubenv", "next_entry=\n");
        }
        let store = self.path(&Self::store(system));
        for link in ["run/booted-system", "run/current-system"] {
            let _ = fs::remove_file(self.path(link));
            symlink(&store, self.path(link)).unwrap();
        }
        let _ = fs::remove_dir_all(self.path("run/hostwright"));
        self.write("proc/cmdline", &format!("init={}/init {words}\n", store.display()));
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let path = self.path(&format!("var/lib/hostwright/reboot/{script}.sh"));
        Command::new("sh").arg(path).args(arguments).output().unwrap()
    }

    fn succeeds(&self, script: &str, arguments: &[&str]) {
        let output = self.run(script, arguments);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn fails(&self, script: &str, arguments: &[&str], status: i32, says: &str) {
        let output = self.run(script, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(status) && said.contains(says), "{script}: {:?} {said}", output.status);
    }

    fn arm_trial(&self) {
        let new = self.path(&Self::store("new"));
        self.succeeds("arm", &["trial", new.to_str().unwrap()]);
    }

    /// Returns what the loader boots by default.
    fn default(&self) -> String {
        let text = if self.exists("boot/grub/grub.cfg") {
            let config = self.read("boot/grub/grub.cfg");
            config.lines().find(|line| line.contains("init=")).unwrap().to_owned()
        } else {
            let config = self.read("boot/loader/loader.conf");
            let name = config.lines().find_map(|line| line.strip_prefix("default ")).unwrap().to_owned();
            self.read(&format!("boot/loader/entries/{name}"))
        };
        ["old", "new", "other"].into_iter().find(|system| text.contains(&Self::store(system))).unwrap().to_owned()
    }

    fn is_armed(&self) -> bool {
        self.read("boot/grub/grubenv").contains("next_entry=hostwright-trial")
            || self.exists("sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    }
}

const HOSTS: [&str; 2] = ["lufta", "attic"];

impl Machine {
    /// Puts programs into a system that print what they are told to.
    fn prints(&self, system: &str, name: &str, text: &str) {
        self.program(&format!("{}/sw/bin/{name}", Self::store(system)), &format!("#!/bin/sh\n{text}\n"));
    }
}

#[test]
fn a_trial_that_holds_services_says_so_on_the_kernels_line_and_is_told_from_one_that_does_not() {
    for host in HOSTS {
        let machine = Machine::new(host);
        let new = machine.path(&Machine::store("new"));
        machine.succeeds("arm", &["bare", new.to_str().unwrap()]);
        let entry = match host {
            "lufta" => machine.read("boot/grub/hostwright.cfg"),
            _ => machine.read("boot/loader/entries/hostwright-trial.conf"),
        };
        let words = "hostwright.trial=01234567 systemd.unit=hostwright-bare.target";
        assert!(entry.lines().any(|line| line.contains("init=") && line.ends_with(words)), "{entry}");
        fs::remove_file(new.join("etc/systemd/system/hostwright-bare.target")).unwrap();
        machine.succeeds("disarm", &[]);
        machine.fails("arm", &["bare", new.to_str().unwrap()], 1, "cannot hold its services");
    }
}

#[test]
fn a_candidate_that_would_not_give_up_by_itself_is_not_armed() {
    let machine = Machine::new("attic");
    let new = machine.path(&Machine::store("new"));
    fs::remove_file(new.join("etc/systemd/system/hostwright-deadman.timer")).unwrap();
    machine.fails("arm", &["trial", new.to_str().unwrap()], 1, "has no dead-man");
    assert!(!machine.is_armed());
}

#[test]
fn a_menu_that_hostwright_did_not_make_is_armed_by_the_titles_that_lead_to_the_candidate() {
    let machine = Machine::new("lufta");
    machine.write("adopted", "");
    let installed = machine.path(&Machine::store("old")).join("bin/switch-to-configuration");
    assert!(Command::new(installed).arg("boot").status().unwrap().success());
    machine.arm_trial();
    let armed = machine.read("boot/grub/grubenv");
    let titles = "next_entry=NixOS - All configurations>NixOS - Configuration 1 (2026-11-21)";
    assert!(armed.contains(titles), "{armed}");
    assert!(!machine.exists("boot/grub/hostwright.cfg") && machine.default() == "old");
    // No word on the kernel's line tells the trial: the generation does.
    machine.boot("other", "");
    machine.fails("judge", &["trial"], 3, "wanted");
    machine.boot("old", "");
    machine.fails("judge", &["trial"], 2, "came back on the old generation");
    machine.boot("new", "");
    machine.prints("new", "systemctl", "exit 0");
    machine.succeeds("confirm", &[]);
    machine.succeeds("promote", &[]);
    assert_eq!(machine.default(), "new");
}

#[test]
fn the_baseline_is_proven_until_the_hardware_or_the_default_changes() {
    let machine = Machine::new("attic");
    machine.write("dev/disk/by-id/nvme-one", "");
    machine.fails("baseline", &["proven"], 1, "no baseline boot is recorded");
    machine.succeeds("baseline", &["keep"]);
    machine.succeeds("baseline", &["proven"]);
    machine.write("dev/disk/by-id/usb-stick", "");
    machine.write("dev/disk/by-id/nvme-one-part1", "");
    machine.succeeds("baseline", &["proven"]);
    machine.write("dev/disk/by-id/nvme-two", "");
    machine.fails("baseline", &["proven"], 1, "> disk nvme-two");
    machine.succeeds("baseline", &["keep"]);
    machine.boot("other", "");
    machine.fails("baseline", &["proven"], 1, "not the one that boots by default");
}

#[test]
fn a_candidate_that_cannot_read_a_pool_or_could_close_it_is_refused() {
    let machine = Machine::new("attic");
    let zpool = |features: &str| {
        let list = "case $1 in list) echo rpool ;; get) printf '";
        machine.prints("old", "zpool", &format!("{list}{features}' ;; esac"));
    };
    zpool(r"active\tfeature@lz4\trpool\nenabled\tfeature@new\trpool\ndisabled\tfeature@x\trpool\n");
    machine.succeeds("contract", &["lz4", "lz4"]);
    machine.fails("contract", &["lz4 new", "lz4"], 1, "rpool has new enabled: the candidate may make it active");
    machine.succeeds("contract", &["lz4 new", "lz4 new"]);
    machine.fails("contract", &["new", "lz4"], 1, "rpool has lz4 active, the candidate does not know it");
    machine.fails("contract", &["lz4", "new"], 1, "a system to go back to does not know it");
    machine.fails("contract", &["lz4"], 1, "nothing says which features");
    // The module that runs says for itself what it knows.
    machine.write("sys/module/zfs/features.pool/org.illumos:lz4/x", "");
    machine.succeeds("contract", &["lz4"]);
    machine.fails("contract", &["lz4 new"], 1, "rpool has new enabled");
    zpool(r"inactive\tunsupported@com.example:far\trpool\n");
    machine.fails("contract", &["lz4"], 1, "com.example:far");
    machine.prints("old", "zpool", "exit 0");
    machine.succeeds("contract", &["lz4"]);
}

#[test]
fn a_pool_that_breaks_the_contract_it_was_made_with_stops_what_comes_and_is_damage_after_a_boot() {
    let machine = Machine::new("attic");
    let zpool = |feature: &str| {
        let of_all = format!("printf 'active\\tfeature@lz4\\trpool\\nactive\\tfeature@{feature}\\trpool\\n'");
        machine.prints(
            "old",
            "zpool",
            &format!("case \"$*\" in *compatibility*) echo openzfs-2.3 ;; list*) echo rpool ;; *) {of_all} ;; esac"),
        );
    };
    let zfs = r#"case "$*" in *features*) echo lz4,zstd ;; *importable*) echo openzfs-2.1-linux ;; *) echo x ;; esac"#;
    machine.prints("old", "zfs", zfs);
    zpool("zstd");
    let run = machine.run("contract", &["lz4 zstd new", "lz4 zstd new"]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}");
    assert!(said.contains("rpool was made with compatibility=openzfs-2.1-linux and has openzfs-2.3 now"), "{said}");
    // Every system knows it; the pool was promised not to have it all the same.
    zpool("new");
    let broken =
        "the contract of rpool is broken: new is active, and rpool was made to stay importable by openzfs-2.1-linux";
    machine.fails("contract", &["lz4 zstd new", "lz4 zstd new"], 1, broken);
    // A pool without a contract is held against the systems alone.
    machine.prints("old", "zfs", "echo -");
    machine.succeeds("contract", &["lz4 zstd new", "lz4 zstd new"]);
}

#[test]
fn a_candidate_that_upgrades_pools_by_itself_is_not_armed() {
    let machine = Machine::new("attic");
    let unit = |text: &str| machine.write(&format!("{}/etc/systemd/system/up.service", Machine::store("new")), text);
    let script = |text: &str| machine.write("nix/store/x-up/bin/up", text);
    let start = format!("[Service]\nExecStart=-{}\n", machine.path("nix/store/x-up/bin/up").display());
    let store = machine.path(&Machine::store("new"));
    let ready = || {
        let run = machine.run("ready", &[store.to_str().unwrap()]);
        String::from_utf8_lossy(&run.stderr).contains("upgrades pools by itself")
    };
    for (text, found) in [
        ("#!/bin/sh\nzpool status\n/nix/store/y-zfs/bin/zpool upgrade -a\n", true),
        ("#!/bin/sh\nzpool upgrade \"$1\"\n", true),
        ("#!/bin/sh\nzpool set compatibility=off rpool\n", true),
        ("#!/bin/sh\nzpool set feature@new=enabled rpool\n", true),
        ("#!/bin/sh\nzpool upgrade -v\nzpool upgrade\n# zpool upgrade -a\nzpool set autotrim=on rpool\n", false),
        ("\u{7f}ELF zpool upgrade -a", false),
    ] {
        unit(&start);
        script(text);
        assert_eq!(ready(), found, "{text}");
    }
    unit("[Service]\nExecStart=/run/current-system/sw/bin/zpool upgrade -a\n");
    assert!(ready());
}

#[test]
fn snapshots_get_a_name_of_now_that_is_kept() {
    let machine = Machine::new("attic");
    machine.prints("old", "zfs", r#"printf '%s\n' "$*" >> T/calls"#);
    machine.succeeds("snapshot", &["rpool/safe/postgresql", "rpool/safe/gitea"]);
    let kept = machine.read("var/lib/hostwright/snapshots");
    assert_eq!(kept.lines().count(), 2);
    let call = machine.read("calls");
    for name in kept.lines() {
        assert!(name.contains("@hostwright-20") && call.contains(&format!("snapshot -r -- {name}")), "{call}");
    }
    machine.fails("snapshot", &[], 1, "usage");
}

#[test]
fn what_changes_is_told_part_by_part() {
    let machine = Machine::new("attic");
    let new = machine.path(&Machine::store("new"));
    let said = machine.run("changes", &[new.to_str().unwrap()]);
    let said = String::from_utf8(said.stdout).unwrap();
    for line in ["NixOS          old -> new", "initrd         changes"] {
        assert!(said.contains(line), "{said}");
    }
    let old = machine.path(&Machine::store("old"));
    let same = machine.run("changes", &[old.to_str().unwrap()]);
    assert!(String::from_utf8(same.stdout).unwrap().contains("nothing changes"));
    machine.fails("changes", &["/etc"], 1, "no system of NixOS");
}

#[test]
fn a_person_at_the_console_takes_the_candidate_and_can_take_the_last_good_one_again() {
    let machine = Machine::new("lufta");
    let new = machine.path(&Machine::store("new"));
    machine.succeeds("take", &[new.to_str().unwrap()]);
    assert_eq!(machine.default(), "new");
    let old = machine.path(&Machine::store("old"));
    machine.succeeds("take", &[old.to_str().unwrap()]);
    assert_eq!(machine.default(), "old");
}

#[test]
fn arming_lets_the_candidate_boot_once_and_keeps_the_good_system_the_default() {
    for host in HOSTS {
        let machine = Machine::new(host);
        machine.arm_trial();
        assert_eq!(machine.default(), "old", "{host}");
        assert!(machine.is_armed(), "{host}");
        let entries: Vec<String> = match host {
            "lufta" => vec![machine.read("boot/grub/hostwright.cfg")],
            _ => ["boot", "boot-right"]
                .map(|boot| machine.read(&format!("{boot}/loader/entries/hostwright-trial.conf")))
                .to_vec(),
        };
        for entry in entries {
            let line = entry.lines().find(|line| line.contains("init=")).expect(&entry);
            assert!(line.contains(&Machine::store("new")) && line.ends_with(" hostwright.trial=01234567"), "{entry}");
            assert!(entry.contains("initrd") && entry.contains("hostwright trial"), "{entry}");
        }
        let profile = machine.path("nix/var/nix/profiles/system").canonicalize().unwrap();
        assert!(profile.ends_with(Machine::store("old")));
    }
}

#[test]
fn a_kernel_that_is_not_what_the_store_holds_is_never_armed() {
    let machine = Machine::new("attic");
    let name = "EFI/nixos/new-nixos-system-paper-26.05-kernel.efi";
    machine.write(&format!("boot-right/{name}"), "cut sho");
    let new = machine.path(&Machine::store("new"));
    machine.fails("arm", &["trial", new.to_str().unwrap()], 1, "is not what the store holds");
    assert!(!machine.is_armed());
}

#[test]
fn a_machine_with_less_memory_than_defined_is_not_armed() {
    let machine = Machine::new("lufta");
    machine.write("proc/meminfo", "MemTotal:       32000000 kB\nMemFree:  1 kB\n");
    machine.fails("ready", &[], 1, "the machine has 31250 MiB of memory, the definition says 64 GiB");
    assert!(!machine.is_armed());
}

#[test]
fn a_machine_whose_way_back_cannot_be_trusted_is_not_armed() {
    let machine = Machine::new("lufta");
    let arm = |name: &str, value: &str| {
        let path = machine.path("var/lib/hostwright/reboot/arm.sh");
        let new = machine.path(&Machine::store("new"));
        let output = Command::new("sh").arg(path).args(["trial", new.to_str().unwrap()]).env(name, value).output();
        let output = output.unwrap();
        assert!(!output.status.success() && !machine.is_armed());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(arm("LSBLK", "raid1").contains("not directly on a partition"));
    assert!(arm("FSTYPE", "zfs").contains("GRUB cannot write to the file system"));
    // Somebody switched live: the default was never booted.
    fs::remove_file(machine.path("run/current-system")).unwrap();
    symlink(machine.path(&Machine::store("other")), machine.path("run/current-system")).unwrap();
    assert!(arm("X", "").contains("switched since the last boot"));
    // A baseline boot is one of the system that runs.
    machine.boot("old", "");
    let new = machine.path(&Machine::store("new"));
    machine.fails("arm", &["baseline", new.to_str().unwrap()], 1, "boots the system that runs");
}

#[test]
fn the_verdict_tells_the_old_generation_from_a_foreign_one() {
    for host in HOSTS {
        let machine = Machine::new(host);
        machine.arm_trial();
        machine.boot("old", "");
        machine.fails("judge", &["trial"], 2, "came back on the old generation");
        machine.boot("other", "");
        machine.fails("judge", &["trial"], 3, "another generation than wanted");
        // The candidate, but not through the entry that was armed.
        machine.boot("new", "hostwright.trial=ffff");
        machine.fails("judge", &["trial"], 3, "another generation than wanted");
        machine.boot("old", "hostwright.trial=01234567");
        machine.fails("judge", &["default"], 3, "a trial boot");
    }
}

#[test]
fn only_a_confirmed_candidate_becomes_the_default_and_nothing_of_the_trial_stays() {
    for host in HOSTS {
        let machine = Machine::new(host);
        machine.arm_trial();
        machine.boot("old", "");
        machine.fails("confirm", &[], 1, "not the candidate");
        machine.boot("new", "hostwright.trial=01234567");
        machine.fails("promote", &[], 1, "not confirmed");
        // The timer's program stands in for systemd here and knows no stop.
        let stop = Machine::store("new") + "/sw/bin/systemctl";
        machine.program(&stop, "#!/bin/sh\nexit 0\n");
        machine.succeeds("confirm", &[]);
        machine.succeeds("promote", &[]);
        assert_eq!(machine.default(), "new", "{host}");
        let profile = machine.path("nix/var/nix/profiles/system").canonicalize().unwrap();
        assert!(profile.ends_with(Machine::store("new")));
        assert_gone(&machine);
        // The one-shot of systemd-boot is deleted by the loader, that of GRUB emptied.
        assert!(!machine.read("boot/grub/grubenv").contains("next_entry"));
    }
}

#[test]
fn a_system_that_passed_is_on_record_as_long_as_a_profile_holds_it() {
    let machine = Machine::new("attic");
    let verdict = |system: &str| format!("var/lib/hostwright/verdicts/{system}-nixos-system-paper-26.05");
    machine.write(&verdict("forgotten"), "");
    machine.succeeds("baseline", &["keep"]);
    assert!(machine.exists(&verdict("old")) && !machine.exists(&verdict("forgotten")));
    machine.arm_trial();
    machine.boot("new", "hostwright.trial=01234567");
    assert!(!machine.exists(&verdict("new")), "an armed trial has passed nothing");
    machine.program(&(Machine::store("new") + "/sw/bin/systemctl"), "#!/bin/sh\nexit 0\n");
    machine.succeeds("confirm", &[]);
    machine.succeeds("promote", &[]);
    assert!(machine.exists(&verdict("new")) && machine.exists(&verdict("old")));
    assert!(hostwright::compile::VERDICTS.ends_with("/var/lib/hostwright/verdicts"));
}

#[test]
fn a_judge_and_what_arms_say_to_programs_what_they_found() {
    let last = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    let machine = Machine::new("attic");
    machine.write("proc/sys/kernel/random/boot_id", "id-2\n");
    let new = machine.path(&Machine::store("new"));
    let armed = last(&machine.run("arm", &["trial", new.to_str().unwrap()]));
    let old = machine.path(&Machine::store("old")).display().to_string();
    assert_eq!(armed, format!("hostwright-result: kind=trial new={} old={old}", new.display()));
    machine.boot("old", "");
    let judged = last(&machine.run("judge", &["trial"]));
    let wanted = new.display();
    assert_eq!(
        judged,
        format!("hostwright-result: mode=trial boot=id-2 system={old} wanted={wanted} old={old} damages=0 status=2")
    );
}

#[test]
fn collecting_evidence_changes_nothing_and_ends_well_whatever_is_missing() {
    for host in HOSTS {
        let machine = Machine::new(host);
        let output = machine.run("evidence", &[]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("== which boots") && said.contains("== failed units"),
            "{said}"
        );
        machine.arm_trial();
        assert!(machine.run("evidence", &[]).status.success() && machine.is_armed());
    }
}

#[test]
fn disarming_leaves_the_good_system_and_nothing_of_the_trial() {
    for host in HOSTS {
        let machine = Machine::new(host);
        machine.arm_trial();
        machine.boot("old", "");
        machine.succeeds("disarm", &[]);
        assert_eq!(machine.default(), "old", "{host}");
        assert!(!machine.is_armed());
        assert_gone(&machine);
        // Once disarmed, it can be armed again.
        machine.arm_trial();
        assert!(machine.is_armed());
    }
}

/// Programs that change something on the machine: the power may be cut before each of them.
const CHANGING: [&str; 6] = ["nix-env", "nix-store", "grub-editenv", "bootctl", "mv", "rm"];

impl Machine {
    /// Lets the power be cut before the given change; counts them.
    fn cut_at(&self, change: usize) {
        self.write("cut-at", &change.to_string());
        self.write("cuts", "");
        for system in ["old", "new"] {
            for name in CHANGING {
                let real = PROGRAMS.iter().find(|(program, _)| *program == name).map(|(_, text)| (*text).to_owned());
                let real = real.unwrap_or_else(|| format!("command -p {name} \"$@\""));
                let cut = "echo >> T/cuts; [ \"$(command -p wc -l < T/cuts)\" != \"$(cat T/cut-at)\" ] || kill -9 0";
                // What a stand-in itself calls is no change of the script's.
                let inner = "PATH=/usr/bin:/bin";
                self.prints(system, name, &format!("{cut}\n{inner}\n{real}"));
            }
        }
    }

    /// Runs a script until the power is cut; tells whether it was.
    fn is_cut(&self, script: &str, arguments: &[&str]) -> bool {
        use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
        let path = self.path(&format!("var/lib/hostwright/reboot/{script}.sh"));
        let output = Command::new("sh").arg(path).args(arguments).process_group(0).output().unwrap();
        assert!(output.status.success() || output.status.signal() == Some(9), "{output:?}");
        !output.status.success()
    }

    /// Boots as the loader does, and once more where that was a trial, which nobody confirms.
    fn boots_by_itself(&self) -> String {
        let entries = ["boot/grub/hostwright.cfg", "boot/loader/entries/hostwright-trial.conf"];
        if self.is_armed() {
            assert!(entries.iter().any(|entry| self.exists(entry)), "armed without an entry");
            self.boot("new", "hostwright.trial=01234567");
        }
        let default = self.default();
        self.boot(&default, "");
        default
    }
}

#[test]
fn wherever_the_power_is_cut_the_machine_boots_a_good_system_and_disarming_settles_the_rest() {
    let mut cuts = 0;
    for host in HOSTS {
        for script in ["arm", "promote", "disarm"] {
            for change in 1.. {
                let machine = Machine::new(host);
                let new = machine.path(&Machine::store("new"));
                let trial = ["trial", new.to_str().unwrap()];
                if script != "arm" {
                    machine.arm_trial();
                }
                match script {
                    "promote" => {
                        machine.boot("new", "hostwright.trial=01234567");
                        machine.prints("new", "systemctl", "exit 0");
                        machine.succeeds("confirm", &[]);
                        machine.prints("new", "systemctl", "case $1 in show) echo 10min ;; *) exit 1 ;; esac");
                    }
                    "disarm" => machine.boot("old", ""),
                    _ => {}
                }
                machine.cut_at(change);
                if !machine.is_cut(script, if script == "arm" { &trial } else { &[] }) {
                    assert!(change > 3, "{host}: {script} has {change} changes");
                    break;
                }
                cuts += 1;
                machine.cut_at(0);
                let booted = machine.boots_by_itself();
                assert!(booted == "old" || script == "promote", "{host}: {script} cut at {change} boots {booted}");
                machine.succeeds("disarm", &[]);
                assert_eq!(machine.default(), booted, "{host}: {script} cut at {change}");
                assert!(!machine.is_armed());
                assert_gone(&machine);
                let current = machine.path("nix/var/nix/profiles/system").canonicalize().unwrap();
                assert!(current.ends_with(Machine::store(&booted)), "{host}: {script} cut at {change}: {current:?}");
                machine.succeeds("ready", &[]);
            }
        }
    }
    assert!(cuts > 40, "{cuts}");
}

#[test]
fn a_promotion_that_was_cut_off_while_the_trial_runs_is_finished_and_an_unconfirmed_trial_is_not() {
    for host in HOSTS {
        let machine = Machine::new(host);
        machine.arm_trial();
        machine.boot("new", "hostwright.trial=01234567");
        machine.fails("disarm", &[], 1, "boot the last good generation first");
        machine.prints("new", "systemctl", "exit 0");
        machine.succeeds("confirm", &[]);
        machine.fails("disarm", &[], 1, "boot the last good generation first");
        machine.cut_at(2);
        assert!(machine.is_cut("promote", &[]));
        machine.cut_at(0);
        machine.succeeds("disarm", &[]);
        assert_eq!(machine.default(), "new", "{host}");
        assert_gone(&machine);
    }
}

#[test]
fn a_good_system_that_the_menu_has_no_room_for_is_not_armed() {
    // Its installer would make the newest entry the default: the candidate.
    let machine = Machine::new("attic");
    for number in 2..9 {
        machine.generation(number, "other");
    }
    machine.succeeds("ready", &[]);
    machine.generation(9, "other");
    machine.fails("ready", &[], 1, "(configurationLimit)");
    assert!(!machine.is_armed());
}

#[test]
fn what_fails_while_it_is_armed_leaves_no_disk_armed_and_no_candidate_in_the_menu() {
    for host in HOSTS {
        let machine = Machine::new(host);
        let entry = if host == "lufta" {
            "boot/grub/hostwright.cfg"
        } else {
            "boot-right/loader/entries/hostwright-trial.conf"
        };
        // The last thing that arming reads back is not what was written.
        let tool = if host == "lufta" { "grub-editenv" } else { "bootctl" };
        let path = Machine::store("old") + "/sw/bin/" + tool;
        let real = machine.read(&path);
        machine.program(&path, &format!("{real}\n[ \"$3\" != next_entry=hostwright-trial ] || rm -f \"$1\"\n[ \"$1 $2\" != \"set-oneshot hostwright-trial.conf\" ] || printf 1234567890 > \"$v\"\n").replace("exit 0\n\n", ""));
        let new = machine.path(&Machine::store("new"));
        machine.fails("arm", &["trial", new.to_str().unwrap()], 1, "what was written");
        assert!(!machine.is_armed() && !machine.exists(entry), "{host}");
        assert_eq!(machine.default(), "old", "{host}");
        assert_gone(&machine);
    }
}

/// The dead-man's script as NixOS runs it: with `set -e`.
#[test]
fn the_dead_man_resets_the_machine_when_systemd_takes_no_reboot() {
    let machine = Machine::new("lufta");
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/dead-man.sh.tera")).unwrap();
    let text = machine.here(&text.replace("{{ confirmed }}", "/run/hostwright/confirmed"));
    machine.write("proc/cmdline", "init=/init hostwright.trial=01234567\n");
    machine.program("bin/systemctl", "#!/bin/sh\nexit 1\n");
    machine.program("bin/sleep", "#!/bin/sh\nexit 0\n");
    let path = format!("{}:{}", machine.path("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-c", &format!("set -e\n{text}")]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(machine.read("proc/sysrq-trigger"), "b\n");
}

fn assert_gone(machine: &Machine) {
    for path in [
        "boot/grub/hostwright.cfg",
        "boot/loader/entries/hostwright-trial.conf",
        "boot-right/loader/entries/hostwright-trial.conf",
        "nix/var/nix/profiles/system-profiles/hostwright",
        "var/lib/hostwright/trial",
    ] {
        assert!(!machine.exists(path), "{path}");
    }
}

/// Paths of the scripts that the machine of paper has to move, so that no test touches the machine it runs on.
#[test]
fn the_machine_of_paper_moves_every_path_that_is_written() {
    let machine = Machine::new("lufta");
    let root = machine.folder.path().to_str().unwrap();
    for script in fs::read_dir(machine.path("var/lib/hostwright/reboot")).unwrap().flatten() {
        let text = fs::read_to_string(script.path()).unwrap();
        for path in ["/nix/var", "/var/lib/hostwright", "/sys/firmware", "/boot;", "/run/hostwright"] {
            for (at, _) in text.match_indices(path) {
                assert!(
                    text.get(..at).unwrap().ends_with(root),
                    "{}: {path}",
                    Path::new(&script.file_name()).display()
                );
            }
        }
    }
}
