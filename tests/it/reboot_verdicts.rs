//! The reboot test through the real program, each outcome of it, with stand-ins for ssh, for the machine and for its scripts; and
//! updates of several hosts. `wait.sh` is the real one.

use serde_json::Value;

use crate::json_schema::faults;
use crate::program::{Run, Sandbox, repository};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// Stands in for ssh: paths of a machine lie in its folder, and its scripts are played. A machine with a file `gone` does not answer.
const SSH: &str = r#"#!/bin/sh
F=FOLDER
for word in "$@"; do
  case $word in
    -O) exit 0 ;;
    -G) [ ! -e "$F/route" ] || echo 'hostname 192.0.2.9'; exit 0 ;;
    HostKeyAlias=*) HOST=${word#*=}; export HOST ;;
  esac
done
if [ -e "$F/gone" ]; then
  echo 'ssh: connect to host h port 22: No route to host' >&2
  exit 255
fi
while [ "$1" != -- ]; do shift; done
shift 2
move() {
  sed "s#sh /var/lib/hostwright/reboot/\([a-z]*\)\.sh#sh $F/play \1#g; s#/var/lib/hostwright#$F/var#g; s#/run/hostwright#$F/run#g; s#/etc/machine-id#$F/machine-id#g; s#/proc/sys/kernel/random/boot_id#$F/boot-id#g; s#/nix/var/nix#$F/nix#g; s#/etc/ssh/#$F/#g"
}
if [ "$*" = sh ]; then
  move > "$F/script.$$"
  exec sh < "$F/script.$$"
fi
exec sh -c "$(printf '%s' "$*" | move)"
"#;

/// Plays a script of the machine: says that it was called, prints what it would, and ends as `ends/HOST-SCRIPT-ARGUMENT` says.
const PLAY: &str = r#"F=FOLDER
name=$1 kind=${2:-}
kind=${kind##*/}
echo "$HOST $name $kind" >> "$F/played"
status=0
for file in "$F/ends/$HOST-$name-$kind" "$F/ends/$HOST-$name"; do
  if [ -e "$file" ]; then status=$(cat "$file"); break; fi
done
boot=$(cat "$F/boot-id")
case $name in
  record) echo "hostwright-result: boot=$boot system=/nix/store/old" ;;
  arm) echo "hostwright-result: kind=$kind new=/nix/store/new old=/nix/store/old" ;;
  evidence) echo "journal of the boot: token s3cr3t-t0ken" ;;
  judge)
    [ "$status" != 1 ] || echo 'damage: the pool <tank> is not healthy' >&2
    system=/nix/store/new
    [ "$status" != 2 ] || system=/nix/store/old
    echo "hostwright-result: mode=$kind boot=$boot system=$system wanted=/nix/store/new old=/nix/store/old damages=0 status=$status"
    ;;
esac
exit "$status"
"#;

/// Stands in for systemd-run: the machine boots, or goes for good.
const REBOOT: &str = r#"#!/bin/sh
F=FOLDER
n=$(cat "$F/boots" 2>/dev/null || echo 1)
n=$((n + 1))
echo "$n" > "$F/boots"
echo "boot-$n" > "$F/boot-id"
[ ! -e "$F/goes" ] || touch "$F/gone"
"#;

/// A clock on which each look is ten minutes and more after the one before.
const CLOCK: &str = r#"#!/bin/sh
F=FOLDER
if [ "$*" = +%s ]; then
  n=$(($(cat "$F/clock" 2>/dev/null || echo 0) + 700))
  echo "$n" > "$F/clock"
  echo "$n"
else
  exec /usr/bin/date "$@"
fi
"#;

struct Deployer {
    sandbox: Sandbox,
    path: String,
}

impl Deployer {
    /// A fleet of hosts that are configured elsewhere; those that are named are canaries.
    fn new(hosts: &[&str], canaries: &[&str]) -> Self {
        let sandbox = Sandbox::example();
        std::fs::remove_dir_all(sandbox.path().join("hosts")).unwrap();
        for host in hosts {
            let canary = canaries.contains(host);
            sandbox.write(
                &format!("hosts/{host}/host.toml"),
                format!(
                    "system = \"x86_64-linux\"\n[machine]\nfirmware = \"uefi\"\nconsole = \"provider\"\n[boot]\n\
                     loader = \"systemd-boot\"\n[external]\nflake = \".#{host}\"\n[deploy]\ntarget = \"root@{host}.example\"\n\
                     canary = {canary}\nwatch = [{{ ssh = true }}, {{ ping = \"{host}.example\" }}]\n"
                ),
            );
            sandbox.write(
                &format!("hosts/{host}/facts.json"),
                format!(
                    r#"{{ "version": 1, "taken": "2026-11-20T10:00:00Z", "host": "{host}", "firmware": "uefi",
                         "disks": [{{ "ids": ["nvme-one"], "mounted": ["/", "/boot"] }}],
                         "system": {{ "release": "26.05", "kernel": "6.18.1", "generations": [{{ "number": 7, "current": true }}] }} }}"#
                ),
            );
        }
        let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let folder = sandbox.path().display().to_string();
        for (name, text) in
            [("boot-id", "boot-1\n"), ("machine-id", "another\n"), ("ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA\n")]
        {
            sandbox.write(&format!("machine/{name}"), text);
        }
        sandbox.write("machine/play", PLAY.replace("FOLDER", &format!("{folder}/machine")));
        sandbox.write("machine/nix/gcroots/hostwright-candidate/bin/switch-to-configuration", "");
        let deployer = Self { path: format!("{folder}/bin:/usr/bin:/bin"), sandbox };
        deployer.executable("machine/nix/gcroots/hostwright-candidate/bin/switch-to-configuration", "#!/bin/sh\n");
        for (name, text) in [("ssh", SSH), ("systemd-run", REBOOT)] {
            deployer.stand_in(name, text);
        }
        let nix = "#!/bin/sh\nfor last in \"$@\"; do :; done\ncase \"$*\" in *--out-link*) mkdir -p \"$last/bin\"; \
                   : > \"$last/bin/switch-to-configuration\"; chmod +x \"$last/bin/switch-to-configuration\" ;; esac\n";
        deployer.stand_in("nix", nix);
        for name in ["nix-store", "ssh-keygen", "ping"] {
            deployer.stand_in(name, "#!/bin/sh\nexit 0\n");
        }
        deployer
    }

    fn executable(&self, path: &str, text: &str) {
        self.sandbox.write(path, text);
        let path = self.sandbox.path().join(path);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn stand_in(&self, name: &str, text: &str) {
        let machine = self.sandbox.path().join("machine").display().to_string();
        self.executable(&format!("bin/{name}"), &text.replace("FOLDER", &machine));
    }

    /// Lets a script of a host end so.
    fn ends(&self, host: &str, script: &str, status: i32) {
        self.sandbox.write(&format!("machine/ends/{host}-{script}"), status.to_string());
    }

    fn run(&self, words: &[&str]) -> Run {
        let words: Vec<&str> = words.iter().copied().chain(TODAY).collect();
        self.sandbox.run_with(&[("PATH", &self.path), ("USER", "mara")], &words)
    }

    fn test(&self, options: &[&str]) -> Run {
        self.run(&[&["reboot-test", "kos", "--non-interactive"], options].concat())
    }

    fn played(&self) -> String {
        std::fs::read_to_string(self.sandbox.path().join("machine/played")).unwrap_or_default()
    }

    /// Returns the verdict that lies in the state's folder; it is as its schema says.
    fn verdict(&self, host: &str) -> Value {
        let verdict: Value =
            serde_json::from_str(&self.sandbox.read(&format!("state/{host}/reboot-test.json"))).unwrap();
        let schema = std::fs::read_to_string(repository().join("docs/schemas/reboot-test.json")).unwrap();
        assert_eq!(faults(&serde_json::from_str(&schema).unwrap(), &verdict), Vec::<String>::new());
        verdict
    }

    fn outcome(&self) -> String {
        self.verdict("kos")["outcome"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_test_that_passes_ends_with_0_and_begins_anew_the_next_time() {
    let deployer = Deployer::new(&["kos"], &[]);
    let passed = deployer.test(&[]).ends(0).says("verdict  reboot-test of kos: passed").says("complete: all 8 steps");
    let _ = passed.says("trial boot: away for").says("page     state/kos/reboot-test.html");
    let verdict = deployer.verdict("kos");
    let kinds: Vec<&str> =
        verdict["boots"].as_array().unwrap().iter().map(|boot| boot["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, verdict["scenario"].as_str()), (vec!["trial", "default"], Some("reboot-test")));
    assert_eq!(
        (verdict["boots"][0]["boot_id_before"].as_str(), verdict["boots"][0]["boot_id_after"].as_str()),
        (Some("boot-1"), Some("boot-2"))
    );
    assert!(
        deployer.sandbox.read("state/kos/reboot-test.html").contains("passed; trial boot away under 1 s of 10 min")
    );
    let _ = deployer.test(&["--status"]).ends(0).says("8 of 8 steps done").says("passed; trial boot away");
    let played = deployer.played().matches("arm trial").count();
    // Documents have standard output to themselves.
    let json = deployer.test(&["--format", "json"]).ends(0).complains("reboot-test: Reboot test");
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["outcome"], "passed");
    assert_eq!(deployer.played().matches("arm trial").count(), 2 * played);
    let junit = deployer.test(&["--baseline", "--format", "junit"]).ends(0);
    assert!(junit.out.starts_with("<?xml") && junit.out.contains("boot 1 (default): comes back"), "{}", junit.out);
    assert_eq!(junit.out, deployer.sandbox.read("state/kos/reboot-test.junit.xml"));
    let _ = deployer.test(&["--cold"]).ends(2).complains("power-cycle");
    let _ = deployer.test(&["--status", "--format", "junit"]).ends(2).complains("`--format json`");
    let _ = deployer.test(&["--confirm", "reboot-test"]).ends(2).complains("nothing that a person confirms");
}

#[test]
fn a_host_that_is_back_and_not_as_it_should_be_is_told_apart_and_disarmed() {
    let deployer = Deployer::new(&["kos"], &[]);
    deployer.sandbox.write("state/kos/secrets/token", "s3cr3t-t0ken\n");
    for (status, outcome, words) in [
        (1, "came-back-with-damage", "came back with damage"),
        (2, "came-back-on-old", "came back on the old generation"),
        (3, "wrong-generation", "another generation came back"),
    ] {
        deployer.ends("kos", "judge-trial", status);
        std::fs::remove_file(deployer.sandbox.path().join("machine/played")).ok();
        let run =
            deployer.test(&[]).ends(3).complains(words).complains("done: the trial was taken away from every disk");
        assert_eq!(deployer.outcome(), outcome);
        let verdict = deployer.verdict("kos");
        assert_eq!((&verdict["disarmed"], &verdict["boots"][0]["judged"]["status"]), (&true.into(), &status.into()));
        let evidence = deployer.sandbox.read(verdict["evidence"][0].as_str().unwrap());
        assert!(evidence.contains("journal of the boot: token [secret]"), "{evidence}");
        let junit = deployer.sandbox.read("state/kos/reboot-test.junit.xml");
        assert!(junit.contains(&format!("<failure type=\"{outcome}\"")), "{junit}");
        assert!(status != 1 || junit.contains("the pool &lt;tank&gt; is not healthy"));
        assert!(deployer.played().ends_with("kos evidence \nkos disarm \n"), "{}", deployer.played());
        assert!(!deployer.played().contains("kos promote"));
        assert!(!run.err.contains("disarm.sh"), "what has run is no way back that is left: {}", run.err);
    }
    let _ = deployer.test(&["--status"]).ends(0).says("failed reboot-test").says("another generation came back");
    let failed = deployer.sandbox.read("state/kos/reboot-test.html");
    assert!(failed.contains("class=\"failed\"") && failed.contains("another generation came back"), "{failed}");
}

#[test]
fn a_machine_that_is_not_ready_is_not_rebooted() {
    let deployer = Deployer::new(&["kos"], &[]);
    deployer.ends("kos", "ready", 1);
    let run = deployer.test(&["--format", "json"]).ends(3).complains("not ready, so nothing was rebooted");
    let verdict: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((verdict["outcome"].as_str(), verdict["step"].as_str()), (Some("refused"), Some("check-ready")));
    assert!(!deployer.played().contains("arm") && deployer.sandbox.read("machine/boot-id") == "boot-1\n");
}

#[test]
fn a_host_that_is_gone_is_told_from_a_network_that_is_gone_and_from_one_that_is_late() {
    let deployer = Deployer::new(&["kos"], &[]);
    deployer.stand_in("date", CLOCK);
    let _ = deployer.test(&[]).ends(3).complains("came back too late").complains("max-downtime");
    assert_eq!((deployer.outcome().as_str(), deployer.verdict("kos")["disarmed"].as_bool()), ("too-late", Some(true)));
    deployer.ends("kos", "judge-trial", 2);
    let _ = deployer.test(&[]).ends(3).complains("came back on the old generation");
    let blind = deployer.verdict("kos")["boots"][0]["seconds_unseen"].clone();
    assert_eq!((deployer.outcome().as_str(), blind), ("came-back-on-old", 0.into()));
    std::fs::remove_file(deployer.sandbox.path().join("machine/ends/kos-judge-trial")).unwrap();
    // The way to the host leads through a gateway, until the deployer's network is gone.
    for (is_lost, outcome) in [(false, "did-not-come-back"), (true, "not-proven")] {
        deployer.sandbox.write("machine/goes", "");
        deployer.sandbox.write("machine/route", "");
        let gone = if is_lost { "[ ! -e FOLDER/gone ] || exit 2; " } else { "" };
        deployer.stand_in("ip", &format!("#!/bin/sh\n{gone}echo '192.0.2.9 via 192.0.2.1 dev lan src 192.0.2.5'\n"));
        let _ = deployer.test(&[]).ends(3);
        assert_eq!(deployer.outcome(), outcome);
        assert!(deployer.verdict("kos")["boots"][0]["boot_id_after"].is_null());
        assert!(!deployer.played().ends_with("disarm \n"), "nobody can be asked");
        for file in ["gone", "goes"] {
            std::fs::remove_file(deployer.sandbox.path().join("machine").join(file)).unwrap();
        }
    }
}

#[test]
fn of_three_hosts_the_canary_is_first_and_the_first_failure_ends_it() {
    let deployer = Deployer::new(&["ant", "bee", "cat"], &["cat"]);
    let names = ["apply", "ant", "bee", "cat"];
    let run = |options: &[&str]| deployer.run(&[&names[..], options].concat());
    let _ =
        run(&["--until", "build-system"]).ends(2).complains("`--until` names something of one plan, and there are 3");
    deployer.ends("ant", "judge-default", 1);
    let answers = ["--non-interactive", "--confirm", "record-in-definition"];
    let ended = run(&answers).ends(3).says("hosts    cat, ant, bee: one after the other");
    let ended = ended.complains("hosts    done: cat · ended at: ant · not touched: bee");
    let _ = ended.says("page     state/cat/plan.html").complains("step reboot-test failed: came back with damage");
    assert_eq!(deployer.verdict("cat")["outcome"], "passed");
    assert_eq!(deployer.verdict("ant")["outcome"], "came-back-with-damage");
    assert!(!deployer.sandbox.path().join("state/bee").exists());
    // After promotion nothing is armed any more: whoever runs by default stays.
    assert!(deployer.verdict("ant")["disarmed"].is_null());
    let status = run(&["--status"]).ends(0).says("cat: update").says("ant: update").says("bee: update");
    assert!(status.out.find("cat: update") < status.out.find("ant: update"));
    let json: Value = serde_json::from_str(&run(&["--status", "--format", "json"]).ends(0).out).unwrap();
    assert_eq!(
        json[1]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "reboot-test").unwrap()["verdict"]["outcome"],
        "came-back-with-damage"
    );
    // When that is mended, the same command goes on; who is done is not touched again.
    std::fs::remove_file(deployer.sandbox.path().join("machine/ends/ant-judge-default")).unwrap();
    let before = deployer.played().matches("cat arm").count();
    let _ = run(&answers).ends(0).says("hosts    done: cat, ant, bee");
    assert_eq!(deployer.played().matches("cat arm").count(), before);
    let page = deployer.sandbox.read("state/bee/plan.html");
    assert!(page.contains("trial boot away under 1 s of 10 min") && page.contains("steps are done"), "{page}");
}
