//! `hostwright drift`: the definition of the example held against a machine of paper, as the script would show it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::json_schema::faults;
use crate::program::{Run, Sandbox, repository};
use crate::quoting::is_installed;

const TODAY: &str = "2026-11-21";

/// What the script prints on a machine that is lufta as defined.
fn lufta() -> String {
    std::fs::read_to_string(repository().join("tests/probe/lufta-live.probe")).unwrap()
}

fn drift(sandbox: &Sandbox, look: &str, words: &[&str]) -> Run {
    sandbox.write("lufta.look", look);
    sandbox.run(&[&["drift", "lufta", "--facts", "lufta.look", "--today", TODAY], words].concat())
}

/// Returns the differences, the notes and what was not compared, as `GROUP SUBJECT: MESSAGE`.
fn said(sandbox: &Sandbox, look: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let run = drift(sandbox, look, &["--format", "json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/drift.json")).unwrap();
    assert_eq!(faults(&schema, &document), Vec::<String>::new());
    let host = &document["hosts"][0];
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = |key: &str| -> Vec<String> {
        let all = host[key].as_array().unwrap().iter();
        all.map(|row| format!("{} {}: {}", text(row, "group"), text(row, "subject"), text(row, "message"))).collect()
    };
    let unknown = host["not_compared"].as_array().unwrap().iter().map(|row| text(row, "what")).collect();
    let differences = rows("differences");
    assert_eq!(run.status, i32::from(!differences.is_empty()));
    assert_eq!(document["summary"]["differences"], differences.len());
    (differences, rows("notes"), unknown)
}

/// Returns an output with a section as if its tool were not there.
fn without(look: &str, section: &str) -> String {
    let (begin, end) = (format!("@n0 begin {section}\n"), format!("@n0 end {section} 0\n"));
    let (before, rest) = look.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}@n0 absent {section} tool\n{after}")
}

#[test]
fn a_machine_that_is_as_defined_has_no_difference() {
    let sandbox = Sandbox::example();
    let run = drift(&sandbox, &lufta(), &[]).ends(0);
    assert!(run.out.lines().last().unwrap().starts_with("lufta: 0 differences (1"), "{}", run.out);
    let (differences, notes, unknown) = said(&sandbox, &lufta());
    assert_eq!((differences, notes), (Vec::new(), Vec::new()));
    assert_eq!(unknown, ["guid of rpool", "ssh host keys", "OpenZFS"]);
}

#[test]
fn each_thing_that_differs_is_told_by_itself() {
    let sandbox = Sandbox::example();
    for (was, is, wanted) in [
        ("MemTotal:       65774312 kB", "MemTotal:       32774312 kB", "machine memory: less memory than defined"),
        ("firmware bios", "firmware uefi", "machine firmware: the machine booted through uefi"),
        ("spl_hostid 612879647", "spl_hostid 1", "machine host id: the machine has another host id"),
        ("arch x86_64", "arch aarch64", "machine architecture: the machine is aarch64"),
        (
            "/dev/sdb ata-TOSHIBA_DT01ACA200_2\n",
            "/dev/sdb ata-NEW_1\n",
            "disks disk hdd1: the disk is not on the machine",
        ),
        ("sectors 1000215216", "sectors 500107608", "disks disk ssd: the disk has another size"),
        (
            "21686148-6449-6e6f-744e-656564454649",
            "0fc63daf-8483-4772-8e79-3d69d8477de4",
            "disks partition ssd.bios: the partition is marked as Linux file system",
        ),
        ("sectors 4194304", "sectors 1194304", "disks partition ssd.boot: the partition is smaller than defined"),
        ("|rpool\thealth\tONLINE", "|rpool\thealth\tDEGRADED", "pools pool rpool: the pool is DEGRADED"),
        ("|\t  raidz1-0 ONLINE", "|\t  raidz2-0 ONLINE", "pools pool rpool: the pool is put together in another way"),
        (
            "ata-TOSHIBA_DT01ACA200_3-part1 ONLINE",
            "ata-TOSHIBA_DT01ACA200_3-part1 FAULTED",
            "pools pool rpool: a member is FAULTED",
        ),
        ("|rpool\treadonly\toff", "|rpool\treadonly\ton", "pools pool rpool: the pool is read-only"),
        ("|rpool\tcheckpoint\t-", "|rpool\tcheckpoint\t1048576", "pools pool rpool: the pool has a checkpoint"),
        ("|rpool\tautotrim\ton", "|rpool\tautotrim\toff", "pools pool rpool: the property autotrim has another value"),
        (
            "|rpool\tcompatibility\topenzfs-2.3",
            "|rpool\tcompatibility\toff",
            "pools pool rpool: `compatibility` was changed",
        ),
        (
            "|rpool\tfeature@draid\tenabled",
            "|rpool\tfeature@draid\tenabled\n|rpool\tfeature@dynamic_gang_header\tactive",
            "pools pool rpool: the contract of the pool is broken: features are active that it must not have",
        ),
        (
            "|rpool\tfeature@draid\tenabled",
            "|rpool\tfeature@draid\tenabled\n|rpool\tfeature@dynamic_gang_header\tenabled",
            "pools pool rpool: features are enabled that the pool must not have",
        ),
        (
            "|rpool\tatime\toff\tlocal",
            "|rpool\tatime\ton\tdefault",
            "datasets rpool: the property atime has another value",
        ),
        (
            "|navidrome-ready.service loaded active running navidrome-ready\n",
            "|navidrome-ready.service loaded failed failed navidrome-ready\n|other.mount loaded failed failed x\n",
            "services failed units: 2 units have failed",
        ),
        ("|zfs_module 2.3.5-1", "|zfs_module 2.1.5-1", "datasets rpool: the property xattr has another value"),
        (
            "|rpool/safe/gitea\tquota\t214748364800",
            "|rpool/safe/gitea\tquota\t0",
            "datasets rpool/safe/gitea: the property quota has another value",
        ),
        (
            "|rpool/safe/home\tmountpoint\tlegacy",
            "|rpool/safe/home\tmountpoint\t/home",
            "datasets rpool/safe/home: the property mountpoint has another value",
        ),
        (
            "|rpool/safe/gitea /var/lib/gitea zfs",
            "|rpool/other /var/lib/gitea zfs",
            "mounts /var/lib/gitea: something else is mounted there",
        ),
        ("|/dev/nvme0n1p2 /boot ext4", "|/dev/nvme0n1p2 /elsewhere ext4", "mounts /boot: nothing is mounted there"),
        ("address a8:a1:59:0f:2d:69", "address a8:a1:59:0f:2d:70", "network interface uplink: there is no such card"),
        ("135.181.162.99", "135.181.162.98", "network interface uplink: the address 135.181.162.99/26 is not there"),
        (
            "\"gateway\": \"135.181.162.65\"",
            "\"gateway\": \"135.181.162.66\"",
            "network interface uplink: no default route leads through 135.181.162.65",
        ),
        ("nameserver 185.12.64.2", "nameserver 192.0.2.53", "network name servers: 185.12.64.2 is not asked"),
        (
            "|current-system /nix/store/a",
            "|current-system /nix/store/c",
            "system system that runs: somebody switched since the last boot",
        ),
        (
            "|profile system-42-link",
            "|profile system-41-link",
            "system generation that boots next: another generation waits for the next boot",
        ),
        (
            "|default /nix/store/a",
            "|default /nix/store/c",
            "system boot menu on /boot: the menu boots something else by default than the profile's generation",
        ),
        (
            "|grub /boot\n",
            "|grub /boot\n|armed hostwright-trial\n",
            "system boot menu on /boot: the loader is armed for one boot of something else",
        ),
        ("|grub /boot\n", "|systemd-boot /boot\n", "system boot menu on /boot: there is no menu of grub"),
        ("|version 26.05", "|version 25.11", "system NixOS: another release runs"),
        ("|kernel 6.18.3\n|arch", "|kernel 6.12.60\n|arch", "system kernel: a kernel of another line runs"),
        ("|zfs-2.3.5-1", "|zfs-2.4.0-1", "system OpenZFS: the module and the commands are of different versions"),
        (
            "|hostwright-deadman.timer enabled enabled\n",
            "|nixos-upgrade.timer enabled enabled\n|hostwright-deadman.timer enabled enabled\n",
            "system automatic upgrades: the machine upgrades itself",
        ),
        (
            "|gitea.service loaded active",
            "|gitea.service loaded inactive",
            "services gitea: gitea.service does not run",
        ),
        (
            "|podman-hlang.service loaded active",
            "|podman-hlang.service masked inactive",
            "services hlang: there is no unit podman-hlang.service that could run",
        ),
        (
            "|nginx.service enabled",
            "|nginx.service disabled",
            "services nginx.service: nginx.service is not started at boot",
        ),
        (
            "|navidrome-ready.service loaded active",
            "|navidrome-ready.service loaded failed",
            "services failed units: a unit has failed",
        ),
        ("127.0.0.1:5432", "127.0.0.1:5433", "services postgresql: nothing listens on tcp 5432"),
        ("0.0.0.0:51820", "0.0.0.0:51821", "services firewall: udp 51820 is let in, and nothing listens there"),
    ] {
        let whole = lufta();
        assert!(whole.contains(was), "{was}");
        let (differences, ..) = said(&sandbox, &whole.replace(was, is));
        assert!(differences.iter().any(|found| found == wanted), "{wanted}: {differences:?}");
    }
}

#[test]
fn what_is_beyond_the_definition_is_a_note_and_no_difference() {
    let sandbox = Sandbox::example();
    let (differences, notes, _) = said(
        &sandbox,
        &lufta().replace(
            "|rpool/safe/home\tmountpoint",
            "|rpool/safe/docker\tmountpoint\tnone\tlocal\n|rpool/safe/home\tmountpoint",
        ),
    );
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(notes, ["datasets rpool: a dataset that nothing defines"]);
}

#[test]
fn what_the_machine_does_not_tell_is_listed_and_never_a_difference() {
    let sandbox = Sandbox::example();
    let whole = lufta();
    let (_, _, whole_machine) = said(&sandbox, &whole);
    let sections: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("@n0 begin ")).collect();
    for section in sections {
        // Without it no NixOS is installed: that is one difference, whatever else is said.
        if section == "nixos" {
            continue;
        }
        let (differences, _, unknown) = said(&sandbox, &without(&whole, section));
        assert_eq!(differences, Vec::<String>::new(), "{section}");
        // Nothing of the definition is compared with these, or another section tells the same.
        let unused = ["boot-id", "machine-id", "swaps", "host-keys", "unit-types", "device-links"];
        assert!(unknown != whole_machine || unused.contains(&section), "{section}: {unknown:?}");
    }
}

#[test]
fn facts_that_were_written_down_are_compared_as_far_as_they_go() {
    let sandbox = Sandbox::example();
    sandbox.write("lufta.look", lufta());
    let words = ["probe", "--from", "lufta.look", "--now", "2026-11-21T10:00:00Z"];
    let facts = sandbox.run(&words).ends(0).out;
    // What changes from one moment to the next is not among them.
    let mut document: Value = serde_json::from_str(&facts).unwrap();
    document.as_object_mut().unwrap().remove("live");
    let run = drift(&sandbox, &document.to_string(), &[]).ends(0);
    for unknown in ["mounts:", "boot menu:", "services:", "layout and properties of rpool:"] {
        assert!(run.out.contains(unknown), "{unknown} {}", run.out);
    }
    let (differences, ..) = said(&sandbox, &document.to_string().replace("2487cd1f", "00bab10c"));
    assert_eq!(differences, ["machine host id: the machine has another host id"]);
    // Written down, they tell which pool it was.
    sandbox.write("hosts/lufta/facts.json", document.to_string().replace("7961594055901996387", "1"));
    let (differences, ..) = said(&sandbox, &lufta());
    assert_eq!(differences, ["pools pool rpool: it is another pool of the same name"]);
    drift(&sandbox, "{ \"disks\": 1 }", &[]).ends(2).says("holds no facts of a machine");
    drift(&sandbox, "no such thing", &[]).ends(2).says("this is no output of the probe script");
}

#[test]
fn a_rescue_system_is_one_difference() {
    let sandbox = Sandbox::example();
    for (was, is) in [("ID=nixos", "ID=debian"), ("ID=nixos", "ID=nixos\n|VARIANT_ID=installer")] {
        let (differences, notes, unknown) = said(&sandbox, &lufta().replacen(was, is, 1));
        assert_eq!(differences.len(), 1, "{differences:?}");
        assert!(differences[0].starts_with("system system: an"), "{differences:?}");
        assert_eq!((notes, unknown), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_difference_names_its_line_what_is_there_and_what_to_do() {
    let sandbox = Sandbox::example();
    let run = drift(&sandbox, &lufta().replace("gitea\tquota\t214748364800", "gitea\tquota\t0"), &[]).ends(1);
    let lines: Vec<&str> = run.out.lines().take(7).collect();
    assert_eq!(
        lines,
        [
            "datasets",
            "  rpool/safe/gitea: the property quota has another value",
            "    defined  quota=200 GiB (hosts/lufta/host.toml:59)",
            "    live     quota=0",
            "    why      it may fill the pool, or be full before it should",
            "    do       `zfs set quota=214748364800 rpool/safe/gitea`",
            "    do       define what is there, if it was changed on purpose",
        ]
    );
}

#[test]
fn text_of_a_machine_is_shown_and_never_acts() {
    let sandbox = Sandbox::example();
    let look = lufta().replace("|rpool\tautotrim\ton", "|rpool\tautotrim\t\u{1b}[31m<b>");
    let run = drift(&sandbox, &look, &[]).ends(1);
    assert!(!run.out.contains('\u{1b}') && run.out.contains("<b>"), "{}", run.out);
}

/// Puts a stand-in for ssh into a sandbox: it answers for one address alone.
fn shim(sandbox: &Sandbox) {
    let text = "#!/bin/sh\nprintf '%s\\n' \"$@\" >>\"$HOME/words\"\ncase \"$*\" in *135.181.162.99*) cat >\"$HOME/script\"; cat \"$HOME/answer\" ;; \
                *) echo 'Host key verification failed.' >&2; exit 255 ;; esac\n";
    sandbox.write("bin/ssh", text);
    std::fs::set_permissions(sandbox.path().join("bin/ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn machines_are_asked_over_ssh_by_the_keys_that_were_recorded() {
    let sandbox = Sandbox::example();
    shim(&sandbox);
    sandbox.write("answer", lufta());
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPuuBBsCxB7Q/YpO+wObx4DdavSh8MQg9CVhrnBd2kP+";
    sandbox.write("state/lufta/known_hosts", format!("lufta {key}\n"));
    let drift = |hosts: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hostwright"))
            .arg("drift")
            .args(hosts)
            .args(["--today", TODAY, "--format", "json"])
            .current_dir(sandbox.path())
            .env("HOME", sandbox.path())
            .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display()))
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), document)
    };
    let (status, document) = drift(&["lufta"]);
    assert_eq!((status, &document["hosts"][0]["target"]), (Some(0), &"root@135.181.162.99".into()), "{document}");
    assert_eq!(sandbox.read("script"), sandbox.run(&["drift", "--script"]).ends(0).out);
    let words = sandbox.read("words");
    for word in ["StrictHostKeyChecking=yes\n", "HostKeyAlias=lufta\n", "/state/lufta/known_hosts\"\n"] {
        assert!(words.contains(word), "{word}: {words}");
    }
    // The key that was recorded is compared with what the machine has.
    sandbox.write("answer", lufta().replace("d2kP+", "d2kP/"));
    let (status, document) = drift(&["lufta"]);
    assert_eq!((status, &document["hosts"][0]["differences"][0]["group"]), (Some(1), &"access".into()));
    // One that does not answer does not hide what the others say.
    let (status, document) = drift(&["attic", "lufta"]);
    assert_eq!(
        (status, &document["summary"]["unreachable"], &document["summary"]["differences"]),
        (Some(2), &1.into(), &1.into())
    );
    assert!(document["hosts"][0]["error"].as_str().unwrap().contains("ssh ended with"), "{document}");
}

#[test]
fn the_script_reads_only_and_tells_a_machine_under_every_shell() {
    let sandbox = Sandbox::example();
    let script = sandbox.run(&["drift", "--script"]).ends(0).out;
    sandbox.write("look.sh", &script);
    let path = sandbox.path().join("look.sh");
    for (shell, program) in [(&["dash"][..], "dash"), (&["busybox", "ash"], "busybox"), (&["bash"], "bash")] {
        if is_installed(program, program, "the_script_reads_only_and_tells_a_machine_under_every_shell") {
            let output = Command::new(shell[0]).args(&shell[1..]).arg(&path).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
            let look = String::from_utf8(output.stdout).unwrap();
            let run = drift(&sandbox, &look, &[]);
            assert!(matches!(run.status, 0 | 1), "{}{}", run.out, run.err);
        }
    }
    if is_installed("shellcheck", "shellcheck", "the_script_reads_only_and_tells_a_machine_under_every_shell") {
        let run = Command::new("shellcheck").arg(&path).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
}

#[test]
fn a_host_that_is_configured_elsewhere_is_compared_by_what_is_defined_of_it() {
    let sandbox = Sandbox::example();
    let kos = "system = 'x86_64-linux'\n[machine]\nfirmware = 'bios'\nconsole = 'provider'\n[boot]\nloader = 'grub'\n[external]\nflake = '.#kos'\n\
               [deploy]\ntarget = 'root@192.0.2.7'\nwatch = [{ ssh = true }]\n";
    sandbox.write("hosts/kos/host.toml", kos);
    sandbox.write(
        "kos.look",
        lufta()
            .replace("|default /nix/store/a", "|default /nix/store/c")
            .replace("podman-hlang.service loaded active", "podman-hlang.service loaded failed"),
    );
    let run = sandbox.run(&["drift", "kos", "--facts", "kos.look", "--today", TODAY]).ends(1);
    for said in ["boot menu on /boot", "podman-hlang.service", "kos: 2 differences"] {
        assert!(run.out.contains(said), "{said}: {}", run.out);
    }
    // It imports what out/ exports, or it has no dead-man.
    sandbox.write("kos.look", lufta().replace("hostwright-deadman", "other"));
    let run = sandbox.run(&["drift", "kos", "--facts", "kos.look", "--today", TODAY]).ends(1);
    assert!(run.out.contains("import `nixosModules.hostwright` of out/"), "{}", run.out);
}
