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
    std::fs::write(&place, &file.text).unwrap();
    let output = Command::new("bash")
        .arg(&place)
        .args(arguments)
        .env("HOSTWRIGHT_LOG", folder.join("log"))
        .env("HOSTWRIGHT_TARGET", "/mnt")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

/// Splits a command line as bash does.
fn words(line: &str) -> Vec<String> {
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
        shellcheck(&file.path, &file.text);
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
    let wanted = format!("sgdisk --new=2:2M:+2048M --typecode=2:8300 --change-name=2:lufta-ssd-boot {ssd}");
    assert!(partition.contains(&wanted), "{partition:?}");
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
