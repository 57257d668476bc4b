//! Runs in processes of their own, with a stand-in for ssh: killed at each record, dropped connections, two deployers.

use super::*;

/// What stands in for ssh: the machine is a folder, its shell is this one's. A file `drop` in it cuts the next connection in the
/// middle, `down` refuses all, and whoever logs in is greeted.
const SSH: &str = r#"#!/bin/sh
F=FOLDER
for word in "$@"; do
  if [ "$word" = -O ]; then exit 0; fi
done
while [ "$1" != -- ]; do shift; done
shift 2
if [ -e "$F/down" ]; then
  echo 'ssh: connect to host a.example port 22: Connection refused' >&2
  exit 255
fi
echo 'Welcome to a.example, @n end 0'
cd "$F"
new="$F/script.$$"
sed "s#/var/lib/hostwright#$F/var#g; s#/run/hostwright#$F/run#g; s#/etc/machine-id#$F/machine-id#g; s#/proc/sys/kernel/random/boot_id#$F/boot-id#g" > "$new"
if grep -q '^mode=run' "$new" && [ -e "$F/drop" ]; then
  rm -f "$F/drop"
  sh < "$new" &
  sleep 0.6
  kill -KILL $!
  echo 'Connection to a.example closed by remote host.' >&2
  exit 255
fi
sh < "$new"
"#;

/// A fleet's folder, and a machine that is another.
struct Fleet {
    folder: tempfile::TempDir,
}

impl Fleet {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("machine");
        for part in ["machine/var", "machine/run", "bin"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        std::fs::write(machine.join("boot-id"), "boot-1\n").unwrap();
        std::fs::write(machine.join("machine-id"), "another\n").unwrap();
        let ssh = folder.path().join("bin/ssh");
        std::fs::write(&ssh, SSH.replace("FOLDER", machine.to_str().unwrap())).unwrap();
        // Nothing here needs what the disks of this machine have.
        let sync = folder.path().join("bin/sync");
        std::fs::write(&sync, "#!/bin/sh\n").unwrap();
        for program in [&ssh, &sync] {
            std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts a run of a plan in a process of its own.
    fn start(&self, which: &str, die: &str, confirm: &str) -> std::process::Child {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "apply::tests::processes::a_run_in_a_process_of_its_own"])
            .env("PATH", path)
            .env("APPLY_TEST", which)
            .env("APPLY_TEST_FOLDER", self.folder.path())
            .env("APPLY_TEST_DIE", die)
            .env("APPLY_TEST_CONFIRM", confirm)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs a plan to where the run ends; returns how.
    fn run(&self, which: &str, die: &str, confirm: &str) -> String {
        let _ = std::fs::remove_file(self.path("ending"));
        self.start(which, die, confirm).wait().unwrap();
        self.read("ending")
    }
}

/// The plans of these tests, by their names.
fn sample(which: &str) -> Plan {
    match which {
        "mixed" => plan(vec![
            Sketch::new("look", StepKind::Verify).run("true"),
            command("prepare", &remote("echo prepare >> prepared")).needs("look").on_host().after(remote("test -s prepared")),
            Sketch::new("confirm-disks", StepKind::Instruction).needs("prepare"),
            Sketch::new("wipe", StepKind::Destroy)
                .on_host()
                .needs("confirm-disks")
                .destroys("disk:ata-X_SERIAL1")
                .run(remote("echo one >> wiped; sleep 0.1"))
                .run(remote("echo two >> wiped")),
            Sketch::new("wipe-here", StepKind::Destroy).needs("wipe").destroys("claim:a/b").run("echo here >> wiped-here"),
            command("end", "touch ended").needs("wipe-here").after("test -e ended"),
        ]),
        "slow" => plan(vec![
            command("slow", &remote("echo begun >> slow; i=0; while [ $i -lt 20 ]; do i=$((i + 1)); echo line $i; sleep 0.1; done; echo ended >> slow"))
                .on_host(),
        ]),
        "held" => plan(vec![command("there", &remote("true")).on_host(), command("here", "touch waiting; sleep 60")]),
        "fails" => plan(vec![command("fails", &remote("echo out; echo why >&2; exit 7")).on_host()]),
        other => panic!("{other}"),
    }
}

#[test]
#[ignore = "other tests start it"]
fn a_run_in_a_process_of_its_own() {
    let Ok(which) = std::env::var("APPLY_TEST") else { return };
    let folder = PathBuf::from(std::env::var("APPLY_TEST_FOLDER").unwrap());
    let die = std::env::var("APPLY_TEST_DIE").unwrap();
    if let Some((record, written)) = die.split_once(' ') {
        *super::super::journal::death::RECORD.lock().unwrap() = Some((record.parse().unwrap(), written == "written"));
    }
    let words = |name: &str| std::env::var(name).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let options = Options {
        confirm: words("APPLY_TEST_CONFIRM"),
        yes_destroy: if which == "mixed" { vec!["ata-X_SERIAL1".into(), "claim:a/b".into()] } else { Vec::new() },
        who: "mara@shachi".into(),
        ..Options::default()
    };
    let stop = Stop::on_signals().unwrap();
    let ending = run(&sample(&which), &folder, &options, &stop, &mut Somebody::default());
    let text = match ending {
        Ok(Ending::Failed(failed)) => format!("failed {}: {} | {}", failed.step, failed.why, failed.tail),
        Ok(ending) => format!("{ending:?}"),
        Err(refused) => format!("refused {refused}"),
    };
    std::fs::write(folder.join("ending"), text).unwrap();
}

#[test]
fn a_run_that_is_killed_at_any_record_comes_to_the_same_end_and_destroys_once() {
    let whole = Fleet::new();
    assert_eq!(whole.run("mixed", "", ""), "Complete");
    let journal = whole.read("state/a/journal-install.log");
    assert!(journal.lines().count() > 20, "{journal}");
    for (at, line) in journal.lines().enumerate() {
        let record = at + 1;
        // Before a record is behind the one before it, where nothing happens in between.
        let acts = line.contains("\"line-done\"") || line.contains("\"done\"");
        for written in ["written", "before"].into_iter().filter(|written| acts || *written == "written") {
            let fleet = Fleet::new();
            let died = format!("killed at record {record}, {written}");
            assert_eq!(fleet.run("mixed", &format!("{record} {written}"), ""), "", "{died}");
            let mut ending = fleet.run("mixed", "", "");
            if ending.contains("not run a second time") {
                // Only a line on the deployer, of which nobody can tell any more, asks a person.
                assert!(ending.starts_with("failed wipe-here"), "{died}: {ending}");
                assert!(fleet.read("wiped-here").lines().count() <= 1);
                ending = fleet.run("mixed", "", "wipe-here");
            }
            assert_eq!(ending, "Complete", "{died}");
            assert_eq!(fleet.read("machine/wiped"), "one\ntwo\n", "{died}");
            assert!(fleet.read("wiped-here").lines().count() <= 1, "{died}");
            assert!(fleet.path("ended").exists() && fleet.read("machine/prepared").starts_with("prepare\n"), "{died}");
            assert!(!fleet.path("machine/var/deploy").exists(), "the lock on the machine is given back: {died}");
        }
    }
}

#[test]
fn a_connection_that_drops_in_the_middle_of_a_command_is_taken_up_again_and_the_command_ran_once() {
    let fleet = Fleet::new();
    std::fs::write(fleet.path("machine/drop"), "").unwrap();
    assert_eq!(fleet.run("slow", "", ""), "Complete");
    assert!(!fleet.path("machine/drop").exists());
    assert_eq!(fleet.read("machine/slow"), "begun\nended\n");
    let log = fleet.read("state/a/logs/install/slow.log");
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("line ")).collect();
    let wanted: Vec<String> = (1..=20).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, wanted.iter().map(String::as_str).collect::<Vec<_>>(), "{log}");
}

#[test]
fn a_run_that_is_killed_or_stopped_while_the_machine_works_hears_the_same_command_on() {
    for signal in ["KILL", "TERM"] {
        let fleet = Fleet::new();
        let mut child = fleet.start("slow", "", "");
        let given = Instant::now() + Duration::from_mins(1);
        while fleet.read("machine/slow").is_empty() && Instant::now() < given {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap();
        let ended = fleet.read("ending");
        assert_eq!(ended.contains("goes_on: true"), signal == "TERM", "{ended}");
        assert_eq!(fleet.read("state/a/journal-install.log").contains("\"interrupted\""), signal == "TERM");
        assert_eq!(fleet.run("slow", "", ""), "Complete");
        assert_eq!(fleet.read("machine/slow"), "begun\nended\n", "{signal}");
    }
}

#[test]
fn a_run_that_is_stopped_ends_its_line_here_and_gives_the_lock_on_the_machine_back() {
    let fleet = Fleet::new();
    let mut child = fleet.start("held", "", "");
    let given = Instant::now() + Duration::from_mins(1);
    while !fleet.path("waiting").exists() && Instant::now() < given {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(fleet.path("machine/var/deploy").exists());
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    child.wait().unwrap();
    assert_eq!(fleet.read("ending"), "Interrupted { step: Some(\"here\"), goes_on: false }");
    assert!(!fleet.path("machine/var/deploy").exists());
}

#[test]
fn what_a_command_on_the_machine_printed_and_its_status_come_back_through_a_greeting() {
    let fleet = Fleet::new();
    assert_eq!(fleet.run("fails", "", ""), "failed fails: line 1 of 1 ended with status 7 | out\nwhy");
}

#[test]
fn another_deployer_at_work_on_the_machine_is_seen() {
    let fleet = Fleet::new();
    std::fs::write(fleet.path("machine/var/deploy"), "another-token\nzoe@attic, process 7, since noon, plan 123\n")
        .unwrap();
    let ending = fleet.run("slow", "", "");
    assert_eq!(
        ending,
        "refused another deployer is at work on the machine: zoe@attic, process 7, since noon, plan 123"
    );
    assert!(fleet.read("machine/slow").is_empty());
    std::fs::remove_file(fleet.path("machine/var/deploy")).unwrap();
    assert_eq!(fleet.run("slow", "", ""), "Complete");
}

#[test]
fn a_machine_that_is_down_fails_the_step_and_nothing_was_run() {
    let fleet = Fleet::new();
    std::fs::write(fleet.path("machine/down"), "").unwrap();
    let start = Instant::now();
    let ending = fleet.run("slow", "", "");
    assert!(
        ending.contains("cannot be reached: ssh: connect to host a.example port 22: Connection refused"),
        "{ending}"
    );
    assert!(start.elapsed() < Duration::from_mins(2) && fleet.read("machine/slow").is_empty());
}
