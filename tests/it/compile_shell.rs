//! Compiled scripts, judged by shellcheck, by bash and by what a dry run says it would do.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hostwright::compile::Compiled;
use hostwright::facts::Facts;
use hostwright::text::Templates;

use super::compile::{compile_files, example, forms};

/// Runs a host's script with `--dry-run` and returns the commands that it shows, as their arguments.
pub(crate) fn dry_run(compiled: &Compiled, host: &str, script: &str, folder: &Path) -> Vec<Vec<String>> {
    let (output, _) = run(compiled, host, script, &["--dry-run"], folder);
    output.lines().filter_map(|line| line.strip_prefix("+ ")).map(words).collect()
}

/// Runs a script of a host with a log of its own; returns its standard output and its status.
fn run(compiled: &Compiled, host: &str, script: &str, arguments: &[&str], folder: &Path) -> (String, i32) {
    let path = format!("hosts/{host}/install/{script}.sh");
    let file = compiled.files.iter().find(|file| file.path == path).unwrap();
    assert!(file.executable);
    let place = folder.join("script.sh");
    std::fs::write(&place, &file.bytes).unwrap();
    let output = Command::new("bash")
        .arg(&place)
        .args(arguments)
        .env("HOSTWRIGHT_LOG", folder.join("log"))
        .env("HOSTWRIGHT_TARGET", "/mnt")
        .env("HOSTWRIGHT_KEYS", folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

/// Splits a command line as bash does.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut child = Command::new("bash")
        .args(["-c", "eval \"set -- $(cat)\"; printf '%s\\0' \"$@\""])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Runs shellcheck over a script.
fn shellcheck(name: &str, text: &str) {
    let mut child = Command::new("shellcheck")
        .args(["--shell=bash", "--severity=style", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}\n{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn shellcheck_has_nothing_to_say_about_any_script() {
    if !super::quoting::is_installed("shellcheck", "shellcheck", "shellcheck_has_nothing_to_say_about_any_script") {
        return;
    }
    let forms = compile_files(&mut forms(), &Facts::embedded()).unwrap();
    for file in example().files.iter().chain(&forms.files).filter(|file| file.executable) {
        shellcheck(&file.path, file.text());
    }
    // What stands within modules; `pre-switch` becomes part of a script that is checked when it is built.
    let templates = Templates::new(Vec::<(String, String)>::new()).unwrap();
    let values = serde_json::json!({
        "confirmed": "/run/a", "verdicts": "/var/b", "seconds": 300, "from": "/boot", "loader": "\\EFI\\x.efi",
        "mirrors": [{ "path": "/boot-b", "disk": "/dev/disk/by-id/b", "number": 1, "label": "NixOS on b" }],
    });
    for name in ["dead-man.sh.tera", "dead-man-initrd.sh.tera", "pre-switch.sh.tera", "mirror-esp.sh.tera"] {
        let text = templates.render(name, &values).unwrap();
        shellcheck(name, &format!("#!/usr/bin/env bash\nset -euo pipefail\n{text}"));
    }
}

#[test]
fn a_dry_run_shows_every_command_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = example();
    let joined = |script: &str| -> Vec<String> {
        dry_run(&compiled, "lufta", script, folder.path()).into_iter().map(|line| line.join(" ")).collect()
    };
    let partition = joined("partition");
    let ssd = "/dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345";
    let wanted = " --new=2:2M:+2048M --typecode=2:8300 --change-name=2:lufta-ssd-boot --new=3:";
    let cut: Vec<&String> = partition.iter().filter(|line| line.contains("--new=") && line.ends_with(ssd)).collect();
    assert!(cut.len() == 1 && cut[0].starts_with("sgdisk --clear ") && cut[0].contains(wanted), "{partition:?}");
    let made = partition.iter().any(|line| line.starts_with("mkfs.ext4") && line.ends_with(&format!("{ssd}-part2")));
    assert!(made, "{partition:?}");
    let pools = joined("pools");
    let create = pools.iter().find(|line| line.starts_with("zpool create")).unwrap();
    assert!(create.ends_with(&format!("-part1 log {ssd}-part3")), "{create}");
    assert!(create.contains(" -o cachefile=none ") && create.contains(" rpool raidz1 "), "{create}");
    assert!(
        pools
            .iter()
            .any(|line| line == "zfs create -p -o mountpoint=none -o refreservation=34359738368 rpool/reserved")
    );
    let mount = joined("mount");
    let at = |wanted: &str| mount.iter().position(|line| line.ends_with(wanted)).unwrap();
    assert!(at(" /mnt") < at(" /mnt/var") && at(" /mnt/var") < at(" /mnt/var/lib/gitea"), "{mount:?}");
    assert!(!mount.iter().any(|line| line.contains("import") && line.contains("-f")), "{mount:?}");
    let (install, status) = run(&compiled, "lufta", "install", &["--dry-run", "--flake", "/root/out"], folder.path());
    assert_eq!(status, 1, "a dry run on another machine ends with what it would have refused");
    let order = ["ssh-keygen", "nixos-install", "umount", "zpool export"];
    let places: Vec<usize> = order.iter().map(|word| install.find(&format!("\n+ {word}")).unwrap()).collect();
    assert!(places.is_sorted(), "{install}");
}

#[test]
fn a_script_refuses_to_touch_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = example();
    for script in ["partition", "pools"] {
        let (said, status) = run(&compiled, "lufta", script, &[], folder.path());
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("error: ") && !said.contains("\n+ sgdisk") && !said.contains("\n+ zpool"), "{said}");
    }
    let (_, status) = run(&compiled, "lufta", "partition", &["--force"], folder.path());
    assert_eq!(status, 2);
}

/// Renders an embedded template.
pub(crate) fn render(name: &str, values: &serde_json::Value) -> String {
    Templates::new(Vec::<(String, String)>::new()).unwrap().render(name, values).unwrap()
}

/// Runs a script as a part of one that stops at errors, with programs of a folder before all others.
pub(crate) fn run_part(text: &str, arguments: &[&str], programs: &Path) -> (String, i32) {
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{text}"), "part"])
        .args(arguments)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.code().unwrap_or(-1))
}

/// Makes a program of a folder that runs a line of shell.
pub(crate) fn program(folder: &Path, name: &str, line: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The script that mirrors ESPs, on a machine whose firmware has no variables.
fn mirror(values: &serde_json::Value) -> String {
    render("mirror-esp.sh.tera", values).replace("/sys/firmware/efi/efivars", "/nonexistent")
}

#[test]
fn a_mirrored_esp_gets_what_its_entries_need_and_keeps_what_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (programs, from, to) = (folder.path().join("bin"), folder.path().join("a b"), folder.path().join("-to"));
    std::fs::create_dir_all(&programs).unwrap();
    program(&programs, "mountpoint", "true");
    program(&programs, "bootctl", "echo 'asked for bootctl'");
    put(
        &from,
        &[
            ("EFI/BOOT/BOOTX64.EFI", "loader"),
            ("EFI/systemd/systemd-bootx64.efi", "loader"),
            ("EFI/nixos/new-kernel.efi", "kernel"),
            ("EFI/nixos/kept-kernel.efi", "whole"),
            ("loader/loader.conf", "default nixos-new.conf"),
            ("loader/entries/nixos-new.conf", "new"),
            ("loader/entries/nixos-counted+3.conf", "counted"),
        ],
    );
    put(
        &to,
        &[
            ("EFI/systemd/systemd-bootx64.efi", "older loader"),
            ("EFI/nixos/gone-kernel.efi", "old"),
            ("EFI/nixos/new-kernel.efi.hostwright", "cut"),
            ("EFI/nixos/kept-kernel.efi", "cut"),
            ("EFI/Microsoft/Boot/bootmgfw.efi", "other"),
            ("loader/random-seed", "own"),
            ("loader/entries/nixos-gone.conf", "gone"),
            ("loader/entries/nixos-counted+1-2.conf", "counted"),
            ("loader/entries/hostwright-trial.conf", "trial"),
        ],
    );
    let values = |path: &Path| {
        serde_json::json!({ "from": from, "loader": "\\EFI\\x.efi",
            "mirrors": [{ "path": path, "disk": "/dev/null", "number": 1, "label": "NixOS on right" }] })
    };
    for _ in 0..2 {
        let (said, status) = run_part(&mirror(&values(&to)), &[], &programs);
        assert_eq!((said.as_str(), status), ("", 0));
        let read = |name: &str| std::fs::read_to_string(to.join(name)).unwrap_or_else(|_| "none".to_owned());
        for (name, text) in [
            ("EFI/BOOT/BOOTX64.EFI", "loader"),
            ("EFI/systemd/systemd-bootx64.efi", "loader"),
            ("EFI/nixos/new-kernel.efi", "kernel"),
            ("EFI/nixos/new-kernel.efi.hostwright", "none"),
            ("EFI/nixos/kept-kernel.efi", "whole"),
            ("EFI/nixos/gone-kernel.efi", "none"),
            ("EFI/Microsoft/Boot/bootmgfw.efi", "other"),
            ("loader/loader.conf", "default nixos-new.conf"),
            ("loader/random-seed", "own"),
            ("loader/entries/nixos-new.conf", "new"),
            ("loader/entries/nixos-gone.conf", "none"),
            ("loader/entries/nixos-counted+1-2.conf", "counted"),
            ("loader/entries/nixos-counted+3.conf", "none"),
            ("loader/entries/hostwright-trial.conf", "trial"),
        ] {
            assert_eq!(read(name), text, "{name}");
        }
    }
    program(&programs, "mountpoint", "false");
    program(&programs, "mount", "false");
    let (said, status) = run_part(&mirror(&values(&to)), &[], &programs);
    assert!(status != 0 && said.contains("is not mounted"), "{said}");
}

/// Makes what a system's store path holds of the parts that it boots through.
fn system(folder: &Path, name: &str, kernel: &str, params: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    put(&path, &[(&format!("parts/{kernel}"), ""), ("kernel-params", params)]);
    for part in ["kernel", "initrd", "kernel-modules"] {
        let target = folder.join(kernel).join(part);
        put(folder, &[(&format!("{kernel}/{part}"), "")]);
        std::os::unix::fs::symlink(target, path.join(part)).unwrap();
    }
    path
}

#[test]
fn a_generation_that_boots_through_other_parts_needs_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let running = system(&here, "running", "old-kernel", "quiet");
    let alike = system(&here, "alike", "old-kernel", "quiet");
    let other = system(&here, "other", "new-kernel", "quiet");
    let words = system(&here, "words", "old-kernel", "quiet panic=1");
    let verdicts = here.join("verdicts");
    std::fs::create_dir_all(&verdicts).unwrap();
    let booted = here.join("booted-system");
    let check = render("pre-switch.sh.tera", &serde_json::json!({ "verdicts": verdicts }))
        .replace("/run/booted-system", booted.to_str().unwrap());
    let asked = |system: &Path, action: &str| run_part(&check, &[system.to_str().unwrap(), action], &here).1;
    // Without a booted NixOS it is an installation.
    assert_eq!(asked(&other, "boot"), 0);
    std::os::unix::fs::symlink(&running, &booted).unwrap();
    assert_eq!([asked(&running, "boot"), asked(&alike, "switch")], [0, 0]);
    for system in [&other, &words] {
        assert_eq!([asked(system, "switch"), asked(system, "boot")], [1, 1]);
        assert_eq!([asked(system, "test"), asked(system, "dry-activate")], [0, 0]);
    }
    let (said, _) = run_part(&check, &[other.to_str().unwrap(), "switch"], &here);
    assert!(said.contains(" kernel kernel-modules initrd"), "{said}");
    let (_, status) = run_part(&format!("HOSTWRIGHT_UNTESTED=1\n{check}"), &[other.to_str().unwrap(), "boot"], &here);
    assert_eq!(status, 0);
    std::fs::write(verdicts.join("other"), "").unwrap();
    assert_eq!([asked(&other, "boot"), asked(&words, "boot")], [0, 1]);
}

#[test]
fn only_an_unconfirmed_trial_boot_is_reset() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let (confirmed, cmdline) = (here.join("confirmed"), here.join("cmdline"));
    let profiles = here.join("profiles");
    std::fs::create_dir_all(profiles.join("system-profiles")).unwrap();
    for system in ["old", "new"] {
        std::fs::create_dir_all(here.join(system)).unwrap();
    }
    program(&here, "systemctl", &format!("echo \"$@\" >> {}", here.join("asked").display()));
    program(&here, "sleep", "true");
    let script = render("dead-man.sh.tera", &serde_json::json!({ "confirmed": confirmed }))
        .replace("/proc/cmdline", cmdline.to_str().unwrap())
        .replace("/proc/sysrq-trigger", here.join("sysrq").to_str().unwrap())
        .replace("/run/booted-system", here.join("booted").to_str().unwrap())
        .replace("/nix/var/nix/profiles", profiles.to_str().unwrap());
    let resets = || {
        let _ = std::fs::remove_file(here.join("asked"));
        let (said, status) = run_part(&script, &[], &here);
        assert_eq!(status, 0, "{said}");
        std::fs::read_to_string(here.join("asked")).is_ok_and(|asked| asked.contains("reboot"))
    };
    let link = |target: &str, name: &Path| {
        let _ = std::fs::remove_file(name);
        std::os::unix::fs::symlink(here.join(target), name).unwrap();
    };
    link("old", &profiles.join("system"));
    link("old", &here.join("booted"));
    std::fs::write(&cmdline, "quiet panic=30").unwrap();
    assert!(!resets(), "a normal boot");
    std::fs::write(&cmdline, "quiet hostwright.trial=1f00").unwrap();
    assert!(resets(), "a trial boot");
    std::fs::write(&confirmed, "").unwrap();
    assert!(!resets(), "a confirmed trial boot");
    std::fs::remove_file(&confirmed).unwrap();
    // The last good generation's menu knows no nonce: the profiles tell.
    std::fs::write(&cmdline, "quiet").unwrap();
    link("new", &profiles.join("system-profiles/hostwright"));
    assert!(!resets(), "the last good generation while a candidate waits");
    link("new", &here.join("booted"));
    assert!(resets(), "the candidate");
    link("new", &profiles.join("system"));
    assert!(!resets(), "the candidate once it is promoted");
}

#[test]
fn secrets_and_initrd_keys_are_placed_from_their_folder_and_what_lacks_is_made_or_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = hostwright::source::load(&super::compile::root().join("tests/fleets/machines")).unwrap();
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    let secrets = folder.path().join("secrets");
    let given = secrets.display().to_string();
    let install = |host: &str| {
        let words = ["--dry-run", "--secrets", given.as_str(), "--flake", "/root/out"];
        run(&compiled, host, "install", &words, folder.path()).0
    };
    put(&secrets, &[("wg0-private", "k"), ("wg0-private.pub", "p"), ("other", "o")]);
    let site = install("wg-site");
    let placed = |from: &str, to: &str| format!("+ install -m 0400 -o 0 -g 0 -- {given}/{from} {to}.hostwright\n");
    assert!(site.contains(&placed("wg0-private", "/mnt/etc/credstore/wg0-private")), "{site}");
    assert!(site.contains(&placed("other", "/mnt/etc/credstore/other")), "{site}");
    assert!(!site.contains("wg0-private.pub"), "the public half of what is placed is no secret: {site}");
    assert!(site.contains("wg0-site: nothing brings this secret"), "{site}");
    assert_eq!(site.matches("credstore/wg0-private.hostwright\n").count(), 2, "placed once, synced once: {site}");

    let key = "/mnt/etc/secrets/initrd/ssh_host_ed25519_key";
    let made = format!("+ ssh-keygen -q -t ed25519 -N '' -C root@initrd-ssh -f {key}\n");
    let initrd = install("initrd-ssh");
    assert!(initrd.contains(&made), "{initrd}");
    put(&secrets, &[("ssh_host_ed25519_key", "k"), ("ssh_host_ed25519_key.pub", "p")]);
    let initrd = install("initrd-ssh");
    assert!(!initrd.contains(&made) && !initrd.contains("ssh_host_ed25519_key.pub.hostwright"), "{initrd}");
    assert!(initrd.contains(&format!("{given}/ssh_host_ed25519_key {key}.hostwright\n")), "{initrd}");
    let first = |what: &str| initrd.find(what).unwrap();
    assert!(first(&format!("{key}.hostwright")) < first("+ nixos-install"), "the loader's installer reads the key");
}
