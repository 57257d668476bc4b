//! `hostwright probe`: the script under the shells there are, its answer as facts, and what is refused.

use std::process::{Command, Stdio};

use crate::program::{Sandbox, repository};
use crate::quoting::is_installed;

/// Runs the script of the program under a shell and returns what it printed.
fn answer(shell: &[&str], path: Option<&str>) -> String {
    let script = repository().join("src/probe/script.sh");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns an output of the script with these sections, as (name, exit status, text).
fn output(sections: &[(&str, i32, &str)]) -> String {
    let mut text = "hostwright-probe 1 n0 lines\n".to_owned();
    for (name, status, content) in sections {
        text.push_str(&format!("@n0 begin {name}\n"));
        for line in content.lines() {
            text.push_str(&format!("|{line}\n"));
        }
        text.push_str(&format!("@n0 end {name} {status}\n"));
    }
    text + &format!("@n0 done {}\n", sections.len())
}

fn facts(sandbox: &Sandbox, text: &str) -> serde_json::Value {
    sandbox.write("a.probe", text);
    let run = sandbox.run(&["probe", "--from", "a.probe", "--now", "2026-11-21T10:00:00Z"]);
    assert_eq!(run.status, 0, "{}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

/// A disk of a machine with nothing but busybox.
const BARE: &str = "disk sda\ndevpath /sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda\n\
                    sectors 3907029168\nserial X01\ndriver sd sd_mod\ndriver ahci ahci\n";

#[test]
fn the_script_tells_the_same_machine_under_every_shell() {
    let sandbox = Sandbox::empty();
    let mut all = Vec::new();
    for (shell, program) in [(&["dash"][..], "dash"), (&["busybox", "ash"], "busybox"), (&["bash"], "bash")] {
        if is_installed(program, program, "the_script_tells_the_same_machine_under_every_shell") {
            let mut facts = facts(&sandbox, &answer(shell, None));
            // Addresses, mounts and what signatures a tool of another maker names may differ from one moment to the next.
            for key in ["interfaces", "disks", "dns", "nameservers"] {
                facts.as_object_mut().unwrap().remove(key);
            }
            all.push(facts);
        }
    }
    assert!(all.iter().all(|facts| facts["boot_id"].is_string() && facts["memory_bytes"].is_u64()), "{all:?}");
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_script() {
    if is_installed("shellcheck", "shellcheck", "shellcheck_has_nothing_to_say_about_the_script") {
        let run = Command::new("shellcheck").arg(repository().join("src/probe/script.sh")).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
}

#[test]
fn the_tools_of_two_versions_give_the_same_disks_and_pool() {
    let read = |name: &str| std::fs::read_to_string(repository().join("tests/probe").join(name)).unwrap();
    let sandbox = Sandbox::empty();
    let pool = |version: &str| {
        let text = read(&format!("zpool-get-{version}.txt"));
        let text =
            output(&[("sys-block", 0, BARE), ("zpool-get", 0, &text), ("about", 0, "uid 0\nspl_hostid 612879647\n")]);
        facts(&sandbox, &text)["pools"][0].clone()
    };
    for version in ["2.1", "2.3"] {
        assert_eq!(pool(version)["imported_by"]["host_id"], "2487cd1f");
        assert_eq!(pool(version)["features"]["hole_birth"], "active");
    }
    assert!(
        pool("2.3")["features"]["vdev_zaps_v2"] == "active" && pool("2.1")["features"].get("vdev_zaps_v2").is_none()
    );
}

#[test]
fn a_rescue_system_without_tools_is_told_with_the_rules_that_go_blind() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.probe", output(&[("sys-block", 0, BARE), ("by-id", 1, "")]));
    let run = sandbox.run(&["probe", "--from", "a.probe"]);
    assert_eq!(run.status, 0);
    for said in ["/dev/disk/by-id is not there", "/sys/class/net is not there", "`interface-not-found`", "a.probe:1:1"]
    {
        assert!(run.err.contains(said), "{said}: {}", run.err);
    }
    let facts: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(facts["disks"][0]["driver"], "ahci");
    assert!(facts["disks"][0].get("signatures").is_none() && facts.get("interfaces").is_none(), "{facts}");
}

#[test]
fn where_public_names_point_is_in_the_facts_and_what_does_not_resolve_is_said() {
    let sandbox = Sandbox::small();
    let host = sandbox.read("hosts/a/host.toml");
    let names = "[network.names]\n\"localhost\" = {}\n\"nowhere.invalid\" = {}\n";
    sandbox.write("hosts/a/host.toml", format!("{host}\n{names}"));
    sandbox.write("a.probe", output(&[("sys-block", 0, BARE)]));
    let run = sandbox.run(&["probe", "--from", "a.probe", "--host", "a", "--now", "2026-11-21T10:00:00Z"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let facts: serde_json::Value = serde_json::from_str(&sandbox.read("hosts/a/facts.json")).unwrap();
    let addresses = facts["dns"]["localhost"].as_array().unwrap();
    assert!(addresses.iter().any(|address| address == "127.0.0.1" || address == "::1"), "{facts}");
    assert!(facts["dns"].get("nowhere.invalid").is_none(), "{facts}");
    assert!(run.err.contains("the name `nowhere.invalid` does not resolve on this machine"), "{}", run.err);
}

#[test]
fn what_is_cut_off_and_what_is_of_another_machine_changes_no_file() {
    let sandbox = Sandbox::small();
    sandbox.write("a.probe", output(&[("sys-block", 0, BARE)]));
    let write = |more: &[&str]| {
        let mut words = vec!["probe", "--from", "a.probe", "--host", "a", "--now", "2026-11-21T10:00:00Z"];
        words.extend(more);
        sandbox.run(&words)
    };
    assert_eq!(write(&[]).status, 0);
    let first = sandbox.read("hosts/a/facts.json");
    assert_eq!(write(&[]).status, 0);
    assert_eq!(sandbox.read("hosts/a/facts.json"), first, "the same output and time give the same bytes");
    assert!(sandbox.run(&["check", "--format", "json"]).out.contains("\"findings\""));

    let whole = sandbox.read("a.probe");
    sandbox.write("a.probe", whole.replace("@n0 done 1\n", ""));
    let cut = write(&[]);
    assert_eq!(cut.status, 2);
    assert!(cut.out.contains("the output is cut off after 1 sections"), "{}", cut.out);

    sandbox.write("a.probe", whole.replace("X01", "X02"));
    let other = write(&[]);
    assert_eq!(other.status, 2);
    assert!(other.err.contains("no longer there: X01; not there before: X02"), "{}", other.err);
    assert_eq!(sandbox.read("hosts/a/facts.json"), first);
    assert_eq!(write(&["--force"]).status, 0);
    assert_ne!(sandbox.read("hosts/a/facts.json"), first);
}

#[test]
fn a_target_is_asked_through_ssh_whose_words_cannot_be_options() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::empty();
    let shim = "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$HOME/words\"\nexec sh\n";
    sandbox.write("bin/ssh", shim);
    std::fs::set_permissions(sandbox.path().join("bin/ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let probe = |target: &str| {
        Command::new(env!("CARGO_BIN_EXE_hostwright"))
            .args(["probe", "--", target])
            .current_dir(sandbox.path())
            .env("HOME", sandbox.path())
            .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display()))
            .output()
            .unwrap()
    };
    let output = probe("root@192.0.2.10:2222");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(facts["boot_id"].is_string(), "{facts}");
    let words = sandbox.read("words");
    assert!(words.ends_with("-p\n2222\n-l\nroot\n--\n192.0.2.10\nsh\n"), "{words}");
    assert!(!words.contains("StrictHostKeyChecking"), "{words}");
    for hostile in ["-oProxyCommand=true", "root@-oProxyCommand=true", "a b", "$(true)"] {
        assert_eq!(probe(hostile).status.code(), Some(2), "{hostile}");
    }
}

#[test]
fn a_host_of_the_fleet_is_reached_as_its_definition_says_and_asked_as_root() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::small();
    let host = "[deploy]\ntarget = 'admin@[2001:db8::7]:2222'\njump = ['gate@192.0.2.1:2022', '2001:db8::1']\n\
                ssh-options = { IdentityFile = '~/.ssh/id_a', Compression = 'yes' }\n\
                [access]\nhost-keys = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPuuBBsCxB7Q/YpO+wObx4DdavSh8MQg9CVhrnBd2kP+ root@a']\n\
                # what cannot be checked can be probed\nnonsense = 1\n";
    sandbox.write("hosts/a/host.toml", host);
    // The remote shell reads the last word, as sshd has it done; sudo and id are those of an account that is not root.
    let programs = [
        (
            "ssh",
            "printf '%s\\n' \"$@\" >\"$HOME/words\"\nfor word; do case $word in GlobalKnown*) known=$word ;; esac; done\n\
                 known=${known#*\\\"}\ncat \"${known%%\\\"*}\" >\"$HOME/known\"\nexec sh -c \"$word\"\n",
        ),
        ("sudo", "printf '%s\n' \"$*\" >>\"$HOME/sudo\"\nshift\nexec \"$@\"\n"),
        ("id", "echo 1000\n"),
    ];
    for (name, text) in programs {
        sandbox.write(&format!("bin/{name}"), format!("#!/bin/sh\n{text}"));
        let path = sandbox.path().join("bin").join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let probe = || {
        Command::new(env!("CARGO_BIN_EXE_hostwright"))
            .args(["probe", "a"])
            .current_dir(sandbox.path())
            .env("HOME", sandbox.path())
            .env("TMPDIR", sandbox.path())
            .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display()))
            .output()
            .unwrap()
    };
    let output = probe();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let facts: serde_json::Value = serde_json::from_str(&sandbox.read("hosts/a/facts.json")).unwrap();
    assert!(facts["boot_id"].is_string() && facts["host"] == "a", "{facts}");
    let words = sandbox.read("words");
    let words: Vec<&str> = words.lines().collect();
    let has = |pair: [&str; 2]| assert!(words.windows(2).any(|two| two == pair), "{pair:?}: {words:?}");
    has(["-o", "IdentityFile=~/.ssh/id_a"]);
    has(["-o", "Compression=yes"]);
    has(["-J", "gate@192.0.2.1:2022,[2001:db8::1]"]);
    has(["-p", "2222"]);
    has(["-l", "admin"]);
    has(["--", "2001:db8::7"]);
    let known = "[2001:db8::7]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPuuBBsCxB7Q/YpO+wObx4DdavSh8MQg9CVhrnBd2kP+\n";
    assert_eq!(sandbox.read("known"), known);
    assert_eq!(sandbox.read("sudo"), "-n true\n-n sh\n", "root's view, without a password that nobody could type");
    let left = std::fs::read_dir(sandbox.path()).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().contains("known-hosts")).collect();
    assert!(left.is_empty(), "{left:?}");

    for (was, is) in [
        ("IdentityFile = '~/.ssh/id_a'", "ProxyCommand = 'true'"),
        ("'yes'", "'yes -oProxyCommand=true'"),
        ("'gate@192.0.2.1:2022'", "'-oProxyCommand=true'"),
    ] {
        sandbox.write("hosts/a/host.toml", host.replace(was, is));
        let output = probe();
        assert_eq!(output.status.code(), Some(2), "{is}");
    }
}
