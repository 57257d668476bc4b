//! `hostwright apply` with the example fleet: the real program and the real plan, stand-ins for nix and ssh.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Run, Sandbox};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];
const JOURNAL: &str = "state/attic/journal-install.log";

/// What stands in for ssh: its machine is the folder `machine`, and paths of a machine lie in there.
const SSH: &str = r#"#!/bin/sh
F=FOLDER
for word in "$@"; do
  if [ "$word" = -O ]; then exit 0; fi
done
while [ "$1" != -- ]; do shift; done
shift 2
move() {
  sed "s#/var/lib/hostwright#$F/var#g; s#/run/hostwright#$F/run#g; s#/etc/machine-id#$F/machine-id#g; s#/root/hostwright#$F/root#g; s#/proc/sys/kernel/random/boot_id#$F/boot-id#g"
}
echo 'Last login: yesterday'
if [ "$*" = sh ]; then
  move > "$F/script.$$"
  exec sh < "$F/script.$$"
fi
exec sh -c "$(printf '%s' "$*" | move)"
"#;

/// The example fleet, built, with stand-ins on PATH.
pub(crate) struct Deployer {
    pub(crate) sandbox: Sandbox,
    path: String,
}

impl Deployer {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::example();
        let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let folder = sandbox.path().display().to_string();
        sandbox.write("machine/boot-id", "boot-1\n");
        sandbox.write("machine/machine-id", "another\n");
        let deployer = Self { path: format!("{folder}/bin:/usr/bin:/bin"), sandbox };
        deployer.stand_in("ssh", &SSH.replace("FOLDER", &format!("{folder}/machine")));
        deployer.stand_in("ssh-keyscan", "#!/bin/sh\necho 'attic.example.net ssh-ed25519 AAAAC3Nz'\n");
        deployer.stand_in("ssh-keygen", "#!/bin/sh\necho '256 SHA256:abc attic-installer (ED25519)'\n");
        let nix = "#!/bin/sh\necho built >> built\nwhile [ $# -gt 1 ]; do shift; done\nmkdir -p \"$1/bin\"\n\
                   : > \"$1/bin/switch-to-configuration\"; chmod +x \"$1/bin/switch-to-configuration\"\n";
        deployer.stand_in("nix", nix);
        deployer.stand_in("sync", "#!/bin/sh\n");
        deployer
    }

    pub(crate) fn stand_in(&self, name: &str, text: &str) {
        let path = format!("bin/{name}");
        self.sandbox.write(&path, text);
        let path = self.sandbox.path().join(path);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(crate) fn apply(&self, options: &[&str]) -> Run {
        let words: Vec<&str> = ["apply", "attic"].into_iter().chain(TODAY).chain(options.iter().copied()).collect();
        self.sandbox.run_with(&[("PATH", &self.path), ("USER", "mara")], &words)
    }

    fn has(&self, path: &str) -> bool {
        self.sandbox.path().join(path).exists()
    }
}

#[test]
fn a_plan_goes_on_from_one_answer_to_the_next_until_the_step_that_was_named() {
    let deployer = Deployer::new();
    let first = deployer.apply(&["--non-interactive"]).ends(3);
    let first = first.says("[ 1/27] check-definition: Check the definition and out/ · done in");
    let _ = first
        .says("waiting  prove-access")
        .says("then: hostwright apply attic --non-interactive --confirm prove-access");
    let _ =
        deployer.apply(&["--non-interactive", "--confirm", "prove-access"]).ends(3).says("waiting  start-installer");
    assert_eq!(deployer.sandbox.read("built").lines().count(), 1);
    // What was said and done is known without being said again.
    let compare = deployer.apply(&["--confirm", "start-installer"]).ends(3).says("waiting  compare-fingerprint");
    assert!(!compare.out.contains("prove-access") && !compare.out.contains("build-installer"), "{}", compare.out);
    let until = ["--confirm", "compare-fingerprint", "--until", "build-system"];
    let _ = deployer.apply(&until).ends(0).says("stopped  after build-system");
    assert!(deployer.has("machine/root/hosts/attic/install/partition.sh"), "the scripts lie on the machine");
    assert!(!deployer.has("machine/var/deploy"), "the lock on the machine is given back");
    let status: Value = serde_json::from_str(&deployer.apply(&["--status", "--format", "json"]).ends(0).out).unwrap();
    assert_eq!((status["done"].as_u64(), status["next"].as_str()), (Some(8), Some("check-disks")));
    assert_eq!(status["steps"][7]["state"], "done");
    let _ = deployer.apply(&["--status"]).ends(0).says("attic: install · 8 of 27 steps done").says("next: check-disks");
    let _ =
        deployer.apply(&["--log", "copy-install-scripts"]).ends(0).says("$ tar -C out/hosts/attic/").says("# status 0");
    let _ = deployer.apply(&["--log", "copy-scripts"]).ends(2).complains("the plan has no step `copy-scripts`");
}

#[test]
fn a_step_that_fails_says_where_what_and_how_to_go_on() {
    let deployer = Deployer::new();
    deployer.stand_in("nix", "#!/bin/sh\necho evaluating; echo 'error: attribute missing' >&2; exit 1\n");
    let failed = deployer.apply(&["--confirm", "prove-access"]).ends(3);
    let failed = failed.complains("step build-installer failed: line 1 of 1 ended with status 1");
    let failed = failed.complains("| error: attribute missing").complains("rm -f -- state/attic/installer");
    let failed = failed.complains("all of its output: state/attic/logs/install/build-installer.log");
    let _ = failed.complains("when that is mended: hostwright apply attic");
    let _ = deployer.apply(&["--status"]).ends(0).says("failed build-installer");
}

#[test]
fn a_journal_that_was_cut_is_mended_and_one_that_was_changed_is_refused() {
    let deployer = Deployer::new();
    let _ = deployer.apply(&[]).ends(3);
    let whole = deployer.sandbox.read(JOURNAL);
    deployer.sandbox.write(JOURNAL, &whole[..whole.len() - 7]);
    let _ = deployer.apply(&[]).ends(3).says("the last record of the journal was cut off");
    deployer.sandbox.write(JOURNAL, whole.replacen("check-definition", "check-definitiom", 1));
    let refused = deployer.apply(&[]).ends(2).complains("is damaged at line 1: its checksum is another");
    let _ = refused.complains("`--restart` moves the journal aside");
    let _ = deployer.apply(&["--status"]).ends(2);
    let _ = deployer.apply(&["--restart"]).ends(3).says("the old journal lies in");
}

#[test]
fn a_fleet_that_was_changed_on_the_way_is_refused_with_the_way_out() {
    let deployer = Deployer::new();
    let _ = deployer.apply(&[]).ends(3);
    deployer.sandbox.write("hosts/attic/host.toml", deployer.sandbox.read("hosts/attic/host.toml") + "\n# a word\n");
    let _ = deployer.apply(&[]).ends(2).complains("the fleet's files have changed since the plan was made");
    let _ = deployer.sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
    let changed = deployer.apply(&[]).ends(2).complains("the plan has changed since its steps began to run");
    let _ = changed.complains("`--restart` moves the journal aside");
    let _ = deployer.apply(&["--status"]).ends(0).says("the plan has changed since");
}

#[test]
fn gates_and_things_that_the_plan_does_not_destroy_cannot_be_named_away() {
    let deployer = Deployer::new();
    let over = deployer.apply(&["--from", "build-system"]).ends(2);
    let _ = over.complains("would step over the gate `prove-access`, which has not passed");
    let _ = deployer
        .apply(&["--yes-destroy", "ata-Nobody"])
        .ends(2)
        .complains("destroys nothing that is called `ata-Nobody`");
    let _ = deployer.apply(&["--confirm", "build-system"]).ends(2).complains("nothing that a person confirms");
    let _ = deployer.apply(&["--until", "bild-system"]).ends(2).complains("nearest: `build-system`");
    assert!(!deployer.has("built"));
}

#[test]
fn of_two_runs_at_once_one_says_who_the_other_is() {
    let deployer = Deployer::new();
    deployer.stand_in("nix", "#!/bin/sh\ntouch building\nexec sleep 60\n");
    let mut words = vec!["apply", "attic", "--confirm", "prove-access"];
    words.extend(TODAY);
    let mut first = Command::new(env!("CARGO_BIN_EXE_hostwright"))
        .args(&words)
        .current_dir(deployer.sandbox.path())
        .env_clear()
        .envs([("PATH", deployer.path.as_str()), ("USER", "mara")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&deployer.sandbox.path().join("building"));
    let second = deployer.apply(&[]).ends(2).complains("another apply is at work on this host: mara");
    let _ = second.complains(&format!("process {}", first.id()));
    assert!(Command::new("kill").arg(first.id().to_string()).status().unwrap().success());
    assert_eq!(first.wait().unwrap().code(), Some(3));
    assert!(deployer.sandbox.read(JOURNAL).contains("\"interrupted\""));
    let _ = deployer.apply(&["--status"]).ends(0).says("(the last run was stopped)");
}

fn wait_for(path: &Path) {
    let given = Instant::now() + Duration::from_mins(2);
    while !path.exists() {
        assert!(Instant::now() < given, "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_script_learns_from_the_status_whether_steps_are_done() {
    let deployer = Deployer::new();
    let _ = deployer.apply(&["--done", "check-definition"]).ends(1).complains("open     check-definition");
    let _ = deployer.apply(&["--non-interactive"]).ends(3);
    let _ = deployer.apply(&["--done", "check-definition"]).ends(0);
    let both = deployer.apply(&["--done", "check-definition", "--done", "reboot-test"]).ends(1);
    assert!(!both.err.contains("check-definition"), "{}", both.err);
    let _ = deployer.apply(&["--done", "reboot-tset"]).ends(2).complains("nearest: `reboot-test`");
    // Of another plan it says nothing.
    let path = "hosts/attic/host.toml";
    let text = deployer.sandbox.read(path);
    deployer.sandbox.write(path, text + "\n# another digest\n");
    let _ = deployer.apply(&["--done", "check-definition"]).ends(1).complains("is of another plan");
}
