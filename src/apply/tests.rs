//! The executor as a whole: real processes in a sandbox, a stand-in for ssh, runs that are cut off anywhere.
#![allow(clippy::disallowed_methods, reason = "tests start processes and read files")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::executor::Limits;
use super::front::{Ask, Front, Said};
use super::outcome::{Awaited, Ending, Failed, Refused};
use super::run::{Options, Stop, run, run_with};
use super::transport::{Contact, Heard, Job, Ran, Transport, Trouble};
use crate::plan::sketch::{Sketch, plan, remote};
use crate::plan::{Line, Plan, Remote, StepKind};

/// Nobody, or somebody who types these answers.
#[derive(Default)]
struct Somebody {
    answers: Vec<&'static str>,
    there: bool,
    heard: Vec<String>,
}

impl Front for Somebody {
    fn is_interactive(&self) -> bool {
        self.there
    }

    fn hear(&mut self, said: Said<'_>) {
        match said {
            Said::Began { id, .. } => self.heard.push(format!("began {id}")),
            Said::Ended { how, .. } => self.heard.push(format!("ended {}", how.unwrap_or_default())),
            Said::Remark(text) => self.heard.push(text.to_owned()),
            Said::Left { why } => self.heard.push(format!("left {why}")),
            Said::Judged(verdict) => self.heard.push(format!("judged {}", verdict.outcome.as_str())),
            Said::Goes { .. } => {}
        }
    }

    fn ask(&mut self, ask: &Ask) -> Option<String> {
        self.heard.push(format!("asked {}", ask.prompt));
        if self.answers.is_empty() { None } else { Some(self.answers.remove(0).to_owned()) }
    }
}

/// A machine that does what a script says: for each line what comes of it.
#[derive(Default)]
struct Scripted {
    ran: Vec<String>,
    ends: Vec<(&'static str, Ran)>,
    prints: Vec<u8>,
    /// For each line what it prints beside.
    says: Vec<(&'static str, &'static str)>,
    contact: Contact,
    /// In which boot the machine answers, one call after the other; the last one stays.
    boots: Vec<&'static str>,
}

impl Transport for Scripted {
    fn contact(&mut self, _: &Remote) -> Result<Contact, Trouble> {
        let mut contact = self.contact.clone();
        if let Some(boot) = self.boots.first() {
            contact.boot = Some((*boot).to_owned());
        }
        if self.boots.len() > 1 {
            self.boots.remove(0);
        }
        Ok(contact)
    }

    fn run(&mut self, job: Job<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Ran {
        let text = match job.line {
            Line::Shell(text) | Line::Terminal(text) => text.clone(),
            Line::Remote(remote) => remote.text.clone(),
        };
        self.ran.push(text.clone());
        heard(Heard::Bytes(&self.prints));
        if let Some(at) = self.says.iter().position(|(part, _)| text.contains(part)) {
            heard(Heard::Bytes(self.says[at].1.as_bytes()));
        }
        let at = self.ends.iter().position(|(part, _)| text.contains(part));
        at.map_or(Ran::Exit(0), |at| self.ends.remove(at).1)
    }

    fn script(&mut self, _: &Remote, _: &str) -> Result<(i32, String), Trouble> {
        Ok((0, String::new()))
    }

    fn hear_out(&mut self, _: &Remote, _: &str, _: Option<&str>, _: Instant) -> Result<(), Trouble> {
        Ok(())
    }

    fn forget(&mut self, _: &str) {}
}

fn scripted(
    plan: &Plan,
    folder: &Path,
    options: &Options,
    front: &mut Somebody,
    machine: &mut Scripted,
) -> Result<Ending, Refused> {
    run_with(plan, folder, options, &Stop::never(), front, machine, &Limits::default())
}

fn here(plan: &Plan, folder: &Path, options: &Options) -> Result<Ending, Refused> {
    run(plan, folder, options, &Stop::never(), &mut Somebody::default())
}

fn failed(ending: Result<Ending, Refused>) -> Failed {
    match ending {
        Ok(Ending::Failed(failed)) => *failed,
        other => panic!("{other:?}"),
    }
}

fn command(id: &str, line: &str) -> Sketch {
    Sketch::new(id, StepKind::Command).run(line)
}

#[test]
fn what_is_done_is_not_done_again_and_what_failed_is() {
    let folder = tempfile::tempdir().unwrap();
    let plan =
        plan(vec![command("one", "echo 1 >> ran"), command("two", "echo 2 >> ran; test -e there").undo("rm ran")]);
    let failed = failed(here(&plan, folder.path(), &Options::default()));
    assert_eq!((failed.step.as_str(), failed.why.as_str()), ("two", "line 1 of 1 ended with status 1"));
    assert_eq!((failed.undo, failed.log.as_deref()), (vec!["rm ran".to_owned()], Some("state/a/logs/install/two.log")));
    std::fs::write(folder.path().join("there"), "").unwrap();
    assert_eq!(here(&plan, folder.path(), &Options::default()), Ok(Ending::Complete));
    assert_eq!(std::fs::read_to_string(folder.path().join("ran")).unwrap(), "1\n2\n2\n");
    assert_eq!(here(&plan, folder.path(), &Options::default()), Ok(Ending::Complete));
}

#[test]
fn a_check_before_a_step_keeps_it_from_running_and_one_behind_it_from_counting() {
    let folder = tempfile::tempdir().unwrap();
    let before = plan(vec![command("one", "touch ran").before("echo no; false")]);
    let failed_before = failed(here(&before, folder.path(), &Options::default()));
    assert!(
        failed_before.why.starts_with("a check before it does not hold") && failed_before.tail == "no",
        "{failed_before:?}"
    );
    assert!(!folder.path().join("ran").exists());
    let other = tempfile::tempdir().unwrap();
    let after = plan(vec![command("one", "touch ran").after("test -e missing")]);
    assert!(failed(here(&after, other.path(), &Options::default())).why.starts_with("a check behind it does not hold"));
}

#[test]
fn a_line_without_end_is_ended_in_time_and_the_message_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(vec![Sketch::new("one", StepKind::Verify).run("sleep 60")]);
    let limits = Limits { least: 1, ..Limits::default() };
    let mut machines = Here(folder.path().to_owned());
    let start = Instant::now();
    let ending = run_with(
        &plan,
        folder.path(),
        &Options::default(),
        &Stop::never(),
        &mut Somebody::default(),
        &mut machines,
        &limits,
    );
    assert!(failed(ending).why.contains("took longer than the 3 s"), "the message");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_copy_whose_ssh_was_turned_away_is_tried_again_and_what_destroys_is_not() {
    let turned_away = |tries: u32| {
        format!(
            "n=$(cat n 2> /dev/null || echo 0); echo $((n + 1)) > n; [ \"$n\" -ge {tries} ] || \
             {{ echo 'kex_exchange_identification: Connection closed by remote host' >&2; exit 255; }}"
        )
    };
    let ends = |sketch: Sketch, options: &Options| {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { pause: Duration::from_millis(1), ..Limits::default() };
        let mut machines = Here(folder.path().to_owned());
        let (plan, stop, mut nobody) = (plan(vec![sketch]), Stop::never(), Somebody::default());
        let ending = run_with(&plan, folder.path(), options, &stop, &mut nobody, &mut machines, &limits);
        (ending, std::fs::read_to_string(folder.path().join("n")).unwrap().trim().parse::<u32>().unwrap())
    };
    let none = Options::default();
    assert_eq!(ends(command("one", &turned_away(3)), &none), (Ok(Ending::Complete), 4));
    let (ending, tries) = ends(command("one", &turned_away(4)), &none);
    assert_eq!((failed(ending).why.as_str(), tries), ("line 1 of 1 ended with status 255", 4));
    let denied =
        turned_away(9).replace("kex_exchange_identification: Connection closed by remote host", "Permission denied");
    assert_eq!(ends(command("one", &denied), &none).1, 1);
    let agreed = Options { yes_destroy: vec!["x".to_owned()], ..Options::default() };
    let destroys = Sketch::new("one", StepKind::Destroy).destroys("x").run(turned_away(9));
    assert_eq!(ends(destroys, &agreed).1, 1);
}

/// The deployer alone.
struct Here(PathBuf);

impl Transport for Here {
    fn contact(&mut self, _: &Remote) -> Result<Contact, Trouble> {
        Err(Trouble::new("there is no machine"))
    }

    fn run(&mut self, job: Job<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Ran {
        let Line::Shell(line) = job.line else { return Ran::NoTerminal };
        super::local::shell(line, &self.0, job.until, &Stop::never(), heard)
    }

    fn script(&mut self, _: &Remote, _: &str) -> Result<(i32, String), Trouble> {
        Err(Trouble::new("there is no machine"))
    }

    fn hear_out(&mut self, _: &Remote, _: &str, _: Option<&str>, _: Instant) -> Result<(), Trouble> {
        Ok(())
    }

    fn forget(&mut self, _: &str) {}
}

#[test]
fn a_secret_is_neither_shown_nor_stored() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("state/a/secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("token"), "s3cr3t-t0ken\n").unwrap();
    let plan = plan(vec![command("one", "cat state/a/secrets/token; echo s3cr3t-t0ken; false")]);
    let failed = failed(here(&plan, folder.path(), &Options::default()));
    assert_eq!(failed.tail, "[secret]\n[secret]");
    for file in walkdir::WalkDir::new(folder.path().join("state/a")).into_iter().filter_map(Result::ok) {
        if file.file_type().is_file() && !file.path().starts_with(&secrets) {
            let text = std::fs::read_to_string(file.path()).unwrap();
            // The line itself is the plan's, not the machine's.
            assert!(!text.replace("echo s3cr3t-t0ken", "").contains("s3cr3t"), "{}: {text}", file.path().display());
        }
    }
}

#[test]
fn a_person_is_asked_once_and_without_one_the_run_says_how_to_answer() {
    let folder = tempfile::tempdir().unwrap();
    let steps =
        vec![Sketch::new("look", StepKind::Instruction).after("test -e seen"), command("go", "true").needs("look")];
    let plan = plan(steps);
    let nobody =
        scripted(&plan, folder.path(), &Options::default(), &mut Somebody::default(), &mut Scripted::default());
    let Ok(Ending::Awaiting(Awaited { step, then, .. })) = nobody else { panic!("{nobody:?}") };
    assert_eq!((step.as_str(), then), ("look", vec!["--confirm".to_owned(), "look".to_owned()]));
    let mut somebody = Somebody { there: true, answers: vec!["what?", "yes"], ..Somebody::default() };
    // The answer stands only when the check holds, too.
    let mut machine = Scripted { ends: vec![("seen", Ran::Exit(1))], ..Scripted::default() };
    assert_eq!(failed(scripted(&plan, folder.path(), &Options::default(), &mut somebody, &mut machine)).step, "look");
    let mut again = Somebody { there: true, answers: vec!["yes"], ..Somebody::default() };
    assert_eq!(scripted(&plan, folder.path(), &Options::default(), &mut again, &mut machine), Ok(Ending::Complete));
    assert_eq!(again.heard.iter().filter(|heard| heard.starts_with("asked")).count(), 1);
}

#[test]
fn what_a_person_does_once_the_plan_is_over_is_told_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let steps = vec![command("go", "true"), Sketch::new("record", StepKind::Instruction).needs("go").parting()];
    let (plan, mut nobody) = (plan(steps), Somebody::default());
    let ending = scripted(&plan, folder.path(), &Options::default(), &mut nobody, &mut Scripted::default());
    assert_eq!(ending, Ok(Ending::Complete));
    assert_eq!(nobody.heard.iter().filter(|heard| *heard == "left Since a test wants it.").count(), 1);
}

#[test]
fn a_plan_that_is_over_makes_room_for_the_next_one_unless_that_destroys_something() {
    let folder = tempfile::tempdir().unwrap();
    let one = |text: &str| plan(vec![command("go", text)]);
    assert_eq!(here(&one("true"), folder.path(), &Options::default()), Ok(Ending::Complete));
    // Of a plan that is not over another one is refused.
    assert_eq!(failed(here(&one("false"), folder.path(), &Options::default())).step, "go");
    assert!(here(&one("true"), folder.path(), &Options::default()).unwrap_err().what.contains("has changed"));
    let restart = Options { restart: true, ..Options::default() };
    assert_eq!(here(&one("true"), folder.path(), &restart), Ok(Ending::Complete));
    assert!(here(&disks(), folder.path(), &Options::default()).unwrap_err().what.contains("has changed"));
}

fn disks() -> Plan {
    plan(vec![
        Sketch::new("confirm-disks", StepKind::Instruction),
        Sketch::new("wipe", StepKind::Destroy)
            .needs("confirm-disks")
            .destroys("disk:ata-X_SERIAL1")
            .run("wipe the disk"),
    ])
}

#[test]
fn a_disk_is_wiped_only_after_somebody_typed_its_name_and_size_or_named_it_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = Scripted::default();
    let confirm = Options { confirm: vec!["confirm-disks".into()], ..Options::default() };
    let nobody = scripted(&disks(), folder.path(), &confirm, &mut Somebody::default(), &mut machine);
    let Ok(Ending::Awaiting(Awaited { then, .. })) = nobody else { panic!("{nobody:?}") };
    assert_eq!(then, ["--yes-destroy", "ata-X_SERIAL1"]);
    let mut somebody = Somebody { there: true, answers: vec!["yes", "SERIAL1", "stop"], ..Somebody::default() };
    let stopped = scripted(&disks(), folder.path(), &Options::default(), &mut somebody, &mut machine);
    assert!(matches!(stopped, Ok(Ending::Awaiting(_))) && machine.ran.is_empty());
    let mut somebody = Somebody { there: true, answers: vec!["SERIAL1 2 TB"], ..Somebody::default() };
    assert_eq!(
        scripted(&disks(), folder.path(), &Options::default(), &mut somebody, &mut machine),
        Ok(Ending::Complete)
    );
    assert_eq!(machine.ran, ["wipe the disk"]);
    let other = tempfile::tempdir().unwrap();
    let agreed = Options { yes_destroy: vec!["ata-X_SERIAL1".into()], ..Options::default() };
    assert_eq!(scripted(&disks(), other.path(), &agreed, &mut Somebody::default(), &mut machine), Ok(Ending::Complete));
}

#[test]
fn options_that_name_nothing_of_the_plan_are_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options: Options| {
        let mut machine = Scripted::default();
        let refused = scripted(&disks(), folder.path(), &options, &mut Somebody::default(), &mut machine).unwrap_err();
        assert!(machine.ran.is_empty());
        format!("{} {}", refused.what, refused.help.join(" "))
    };
    let words = |word: &str| vec![word.to_owned()];
    assert!(
        refused(Options { yes_destroy: words("ata-Y"), ..Options::default() })
            .contains("destroys nothing that is called `ata-Y`")
    );
    assert!(refused(Options { confirm: words("wpe"), ..Options::default() }).contains("nearest: `wipe`"));
    assert!(refused(Options { until: words("x").pop(), ..Options::default() }).contains("no step `x`"));
    let over = refused(Options { from: words("wipe").pop(), ..Options::default() });
    assert!(over.contains("step over the gate `confirm-disks`"), "{over}");
}

#[test]
fn a_destructive_line_of_which_the_end_is_unknown_is_not_run_again_until_a_person_says_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let agreed = Options { yes_destroy: vec!["ata-X_SERIAL1".into()], ..Options::default() };
    let mut machine = Scripted { ends: vec![("wipe", Ran::Unknown(Trouble::new("lost")))], ..Scripted::default() };
    for _ in 0..3 {
        let failed = failed(scripted(&disks(), folder.path(), &agreed, &mut Somebody::default(), &mut machine));
        assert_eq!(failed.step, "wipe");
    }
    let failed = failed(scripted(&disks(), folder.path(), &agreed, &mut Somebody::default(), &mut machine));
    assert!(failed.why.contains("not run a second time") && failed.help[1].contains("`--confirm wipe`"), "{failed:?}");
    assert_eq!(machine.ran.len(), 1);
    let confirm = Options { confirm: vec!["wipe".into()], ..Options::default() };
    assert_eq!(
        scripted(&disks(), folder.path(), &confirm, &mut Somebody::default(), &mut machine),
        Ok(Ending::Complete)
    );
    assert_eq!(machine.ran.len(), 1);
}

#[test]
fn a_changed_plan_and_the_journal_of_another_host_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let first = plan(vec![command("one", "true"), command("two", "false")]);
    let _ = failed(here(&first, folder.path(), &Options::default()));
    let changed = plan(vec![command("one", "true # other"), command("two", "true")]);
    let refused = here(&changed, folder.path(), &Options::default()).unwrap_err();
    assert!(
        refused.what.contains("(1 are done)") && refused.what.contains("these are others now: `one`, `two`"),
        "{refused}"
    );
    let restart = Options { restart: true, ..Options::default() };
    assert_eq!(here(&changed, folder.path(), &restart), Ok(Ending::Complete));
    let kept = std::fs::read_dir(folder.path().join("state/a")).unwrap();
    assert_eq!(kept.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("-until-")).count(), 1);
    std::fs::rename(folder.path().join("state/a"), folder.path().join("state/b")).unwrap();
    let path = folder.path().join("state/b/journal-install.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut chain = super::record::Chain::default();
    let moved: String = text
        .lines()
        .map(|line| {
            let mut record: super::record::Record = serde_json::from_str(line.splitn(3, ' ').nth(2).unwrap()).unwrap();
            if let super::record::Event::Opened { host, .. } = &mut record.event {
                *host = "b".into();
            }
            chain.write(&record)
        })
        .collect();
    std::fs::create_dir_all(folder.path().join("state/a")).unwrap();
    std::fs::write(folder.path().join("state/a/journal-install.log"), moved).unwrap();
    assert!(here(&changed, folder.path(), &Options::default()).unwrap_err().what.contains("that of the host `b`"));
}

#[test]
fn two_runs_at_once_are_one_and_a_word_about_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state/a");
    std::fs::create_dir_all(&state).unwrap();
    let _held = super::lock::Lock::take(&state, "mara@shachi").unwrap();
    let refused = here(&plan(vec![command("one", "true")]), folder.path(), &Options::default()).unwrap_err();
    let said = format!("mara@shachi, process {}", std::process::id());
    assert!(refused.what.contains(&said), "{refused}");
}

#[test]
fn a_machine_that_is_the_deployer_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Ok(own) = std::fs::read_to_string("/etc/machine-id") else { return };
    let contact = Contact { boot: None, machine: Some(own.trim().to_owned()) };
    let mut machine = Scripted { contact, ..Scripted::default() };
    let plan = plan(vec![command("one", &remote("true")).on_host()]);
    let refused =
        scripted(&plan, folder.path(), &Options::default(), &mut Somebody::default(), &mut machine).unwrap_err();
    assert!(refused.what.contains("is the machine that apply runs on") && machine.ran.is_empty(), "{refused}");
}

#[test]
fn a_short_wait_is_waited_and_a_long_one_without_anybody_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let short = plan(vec![Sketch::new("soak", StepKind::Soak).takes(1)]);
    let start = Instant::now();
    assert_eq!(here(&short, folder.path(), &Options::default()), Ok(Ending::Complete));
    assert!(start.elapsed() >= Duration::from_secs(1));
    let other = tempfile::tempdir().unwrap();
    let long = plan(vec![Sketch::new("soak", StepKind::Soak).takes(86_400)]);
    let ending = here(&long, other.path(), &Options::default());
    assert!(
        matches!(&ending, Ok(Ending::Awaiting(awaited)) if awaited.what.starts_with("1 d of the wait")),
        "{ending:?}"
    );
}

mod aftermath;
mod cuts;
mod processes;
