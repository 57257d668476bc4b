//! `apply --scenario recover --rehearse` up to its machine, with a stand-in for QEMU; tests/vm/rehearsals.py goes on from there with the
//! real one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::compile::{TODAY, root};
use super::program::Sandbox;

const REHEARSE: [&str; 7] = ["apply", "lighthouse", "--scenario", "recover", "--rehearse", "--today", TODAY];

/// A fleet whose host has secrets and no backup, and programs that stand in for QEMU's: the machine ends as soon as it is started.
fn fleet() -> (Sandbox, String) {
    let sandbox = Sandbox::empty();
    for path in ["fleet.toml", "hosts/lighthouse/host.toml"] {
        sandbox.write(path, fs::read(root().join("tests/fleets/recovered").join(path)).unwrap());
    }
    let text = sandbox.read("hosts/lighthouse/host.toml");
    let (before, rest) = text.split_once("[backup.offsite]").unwrap();
    let behind = &rest[rest.find("[disks.ssd0]").unwrap()..];
    let hooks = "[machine.hooks]\npower-cycle = \"touch power-was-cycled\"\nrescue = \"touch rescue-was-started\"\n\n";
    sandbox.write("hosts/lighthouse/host.toml", format!("{before}{hooks}{behind}").replace(", backup = true", ""));
    for (name, text) in [
        (
            "qemu-system-x86_64",
            "#!/bin/sh\ncase \"$*\" in --version) exit 0 ;; *isa-debug-exit*) exit 1 ;; esac\nprintf '%s\\n' \"$@\" > \"$HOME/machine\"\n\
             echo 'no memory for it' >&2\nexit 1\n",
        ),
        ("qemu-img", "#!/bin/sh\n[ \"$1\" = --version ] || printf '%s\\n' \"$*\" >> \"$HOME/disks\"\n"),
    ] {
        sandbox.write(&format!("bin/{name}"), text);
        fs::set_permissions(sandbox.path().join("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_hostwright")).parent().unwrap().display().to_string();
    let path = format!("{}/bin:{program}:/usr/bin:/bin", sandbox.path().display());
    sandbox.write("installer.iso", "");
    sandbox.write("state/lighthouse/secrets/borg-passphrase", "what opens it");
    (sandbox, path)
}

#[test]
fn a_rehearsal_leads_to_a_machine_of_its_own_and_leaves_the_host_alone() {
    let (sandbox, path) = fleet();
    sandbox.edit("hosts/lighthouse/host.toml", "[disks.ssd0]", "# whose disks are gone\n[disks.ssd0]");
    let before = sandbox.read("hosts/lighthouse/host.toml");
    let has_firmware =
        ["/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd"].iter().any(|path| Path::new(path).exists());
    let words: Vec<&str> = REHEARSE.into_iter().chain(["--installer", "installer.iso"]).collect();
    let run = sandbox.run_with(&[("PATH", &path)], &words).ends(2);
    if !has_firmware {
        // Told before a machine is made.
        let _ = run.complains("no firmware");
        return;
    }
    let run = run
        .complains("the machine ended by itself: no memory for it")
        .says("machine  2 disks, 8192 MiB of memory, UEFI");
    assert!(run.out.contains("it reaches nothing\n"), "{}", run.out);
    let machine = sandbox.read("machine");
    assert!(machine.contains("restrict=on") && machine.contains("serial=rehearsal0-ssd0"), "{machine}");
    assert!(!machine.contains("guestfwd"), "{machine}");
    assert_eq!(sandbox.read("disks").matches("500000000000").count(), 2);
    // What was planned is planned for that machine.
    let place = "state/lighthouse/rehearsal/fleet";
    for file in [format!("{place}/out/hosts/lighthouse/plan.json"), format!("{place}/hosts/lighthouse/host.toml")] {
        let text = sandbox.read(&file);
        assert!(text.contains("virtio-rehearsal1-ssd1"), "{file}");
        for real in ["192.0.2.84:", "root@192.0.2.84", "Samsung", "power-was-cycled", "rescue-was-started"] {
            assert!(!text.contains(real), "{file} has {real}");
        }
    }
    assert!(!sandbox.path().join(place).join("power-was-cycled").exists());
    assert!(!sandbox.path().join("rescue-was-started").exists() && !sandbox.path().join("power-was-cycled").exists());
    // The host's own files are what they were, and its secrets are nowhere else.
    assert_eq!(sandbox.read("hosts/lighthouse/host.toml"), before);
    let with_secrets: Vec<String> = sandbox
        .tree("state")
        .into_iter()
        .filter(|(_, bytes)| bytes.windows(13).any(|part| part == b"what opens it"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with_secrets, ["lighthouse/secrets/borg-passphrase"]);
    assert!(
        !sandbox.path().join("out").exists() && !sandbox.path().join("state/lighthouse/rehearsal/machine").exists()
    );
}

#[test]
fn what_a_rehearsal_cannot_do_is_told_before_anything_is_made() {
    let (sandbox, path) = fleet();
    let environment = [("PATH", path.as_str())];
    let refused = |words: &[&str], why: &str| {
        let _ = sandbox.run_with(&environment, words).ends(2).complains(why);
    };
    refused(&["apply", "lighthouse", "--rehearse"], "--scenario");
    refused(
        &["apply", "lighthouse", "--scenario", "install", "--rehearse"],
        "`--rehearse` goes with `--scenario recover`",
    );
    refused(&["apply", "lighthouse", "--scenario", "recover", "--installer", "installer.iso"], "--rehearse");
    refused(
        &["apply", "lighthouse", "--scenario", "recover", "--rehearse", "--until", "check-disks"],
        "cannot be used with",
    );
    refused(&["apply", "lighthouse", "other", "--scenario", "recover", "--rehearse"], "one plan");
    refused(
        &["apply", "nobody", "--scenario", "recover", "--rehearse", "--installer", "installer.iso", "--today", TODAY],
        "no host",
    );
    let none: Vec<&str> = REHEARSE.into_iter().chain(["--installer", "none.iso"]).collect();
    refused(&none, "none.iso");
    let words: Vec<&str> = REHEARSE.into_iter().chain(["--installer", "installer.iso"]).collect();
    let _ =
        sandbox.run_with(&[("PATH", "/nonexistent")], &words).ends(2).complains("qemu-system-x86_64 is not installed");
    // What wins over the changed definition would lead the plan to the host itself.
    let text = sandbox.read("hosts/lighthouse/host.toml");
    sandbox.write("hosts/lighthouse/host.toml", format!("imports = [\"strong\"]\n{text}"));
    let strong = "kind = \"profile\"\nsummary = \"wins\"\n\n[host.deploy]\ntarget = { mkOverride = { priority = 10, value = \"root@192.0.2.84\" } }\n";
    sandbox.write("modules/strong/module.toml", strong);
    refused(&words, "`deploy.target` does not lead to the rehearsal's machine");
    let left = sandbox.tree("state/lighthouse/rehearsal");
    assert!(!left.keys().any(|path| path.contains("secrets")), "{:?}", left.keys());
    assert!(!sandbox.path().join("machine").exists());
    fs::remove_dir_all(sandbox.path().join("state/lighthouse/rehearsal")).unwrap();
    sandbox.write("hosts/lighthouse/host.toml", text);
    sandbox.edit("hosts/lighthouse/host.toml", "\"192.0.2.84/24\"", "\"192.0.2.86/30\"");
    sandbox.edit("hosts/lighthouse/host.toml", "gateways = [\"192.0.2.1\"]", "gateways = [\"192.0.2.85\"]");
    refused(&words, "no room for a gateway");
    assert!(!sandbox.path().join("state/lighthouse/rehearsal").exists());
    assert!(!sandbox.path().join("machine").exists());
}

#[test]
fn connections_are_led_out_byte_for_byte_until_they_are_closed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostwright"));
        command.arg("lead-out").arg(&closed).args(["127.0.0.1", &port]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let other = std::thread::spawn(move || {
        let (mut link, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let _ = link.read_to_end(&mut bytes).unwrap();
        bytes.reverse();
        link.write_all(&bytes).unwrap();
        listener
    });
    let mut led = start();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    led.stdin.take().unwrap().write_all(&bytes).unwrap();
    let mut back = Vec::new();
    let _ = led.stdout.take().unwrap().read_to_end(&mut back).unwrap();
    back.reverse();
    assert!(led.wait().unwrap().success() && back == bytes);
    let listener = other.join().unwrap();
    fs::write(&closed, "").unwrap();
    assert_eq!(start().wait().unwrap().code(), Some(1));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has knocked");
}
