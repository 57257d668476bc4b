//! Journals that end at any byte, and disks that take no more: what a run makes of them.

use super::*;

/// Steps of each kind, on both sides, with checks and without.
fn mixed() -> Plan {
    plan(vec![
        Sketch::new("look", StepKind::Verify).run("look around"),
        Sketch::new("confirm-disks", StepKind::Instruction).needs("look"),
        Sketch::new("wipe", StepKind::Destroy)
            .on_host()
            .needs("confirm-disks")
            .destroys("disk:ata-X_SERIAL1")
            .run(remote("wipe one"))
            .run(remote("wipe two"))
            .after(remote("is it wiped")),
        Sketch::new("wipe-here", StepKind::Destroy).needs("wipe").destroys("claim:a/b").run("wipe here"),
        Sketch::new("copy", StepKind::Copy).needs("wipe-here").run("copy a").run("copy b").after("ls"),
        command("end", "end it").needs("copy"),
    ])
}

fn options() -> Options {
    let destroyed = vec!["ata-X_SERIAL1".to_owned(), "claim:a/b".to_owned()];
    Options { confirm: vec!["confirm-disks".into()], yes_destroy: destroyed, ..Options::default() }
}

/// A machine in its first boot.
fn machine() -> Scripted {
    Scripted {
        contact: Contact { boot: Some("boot-1".to_owned()), machine: Some("another".to_owned()) },
        ..Scripted::default()
    }
}

/// A folder where bringing a file to the disk takes no time, if there is one.
fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

const JOURNAL: &str = "state/a/journal-install.log";

/// Runs the plan; once more where a process that another test has started holds the lock until it has become another program.
fn ran(folder: &Path, options: &Options, machine: &mut Scripted) -> Result<Ending, Refused> {
    for _ in 0..100 {
        let ending = scripted(&mixed(), folder, options, &mut Somebody::default(), machine);
        if !matches!(&ending, Err(refused) if refused.what.contains("another apply is at work")) {
            return ending;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the lock is never given back");
}

#[test]
fn a_run_goes_on_from_a_journal_that_was_cut_at_any_byte() {
    let folder = quick_folder();
    let mut whole = machine();
    assert_eq!(ran(folder.path(), &options(), &mut whole), Ok(Ending::Complete));
    let journal = std::fs::read(folder.path().join(JOURNAL)).unwrap();
    let ends: Vec<usize> = memchr::memchr_iter(b'\n', &journal).map(|at| at + 1).collect();
    assert!(ends.len() > 30, "{}", ends.len());
    for cut in 0..=journal.len() {
        std::fs::write(folder.path().join(JOURNAL), &journal[..cut]).unwrap();
        let mut again = machine();
        let mut ending = ran(folder.path(), &options(), &mut again);
        let known = journal[..cut].get(..ends.iter().copied().filter(|end| *end <= cut).max().unwrap_or(0)).unwrap();
        let known = String::from_utf8_lossy(known).into_owned();
        if let Ok(Ending::Failed(failed)) = &ending {
            // Only of a destructive line on the deployer that may have run nobody can tell any more.
            assert!(failed.step == "wipe-here" && failed.why.contains("not run a second time"), "{cut}: {failed:?}");
            let confirm = Options { confirm: vec!["wipe-here".into(), "confirm-disks".into()], ..options() };
            ending = ran(folder.path(), &confirm, &mut again);
        }
        assert_eq!(ending, Ok(Ending::Complete), "cut at byte {cut}");
        for (line, text) in [(0, "wipe one"), (1, "wipe two"), (0, "wipe here")] {
            let step = if text == "wipe here" { "wipe-here" } else { "wipe" };
            let is_over = known.contains(&format!("\"what\":\"line-done\",\"step\":\"{step}\",\"line\":{line},"));
            let is_here = text == "wipe here" && known.contains("\"what\":\"line-began\",\"step\":\"wipe-here\"");
            let times = again.ran.iter().filter(|ran| ran.contains(text)).count();
            assert_eq!(times, usize::from(!is_over && !is_here), "cut at byte {cut}: {text}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn behind_a_record_that_could_not_be_written_nothing_runs_and_no_other_record_follows() {
    // A device that is always full stands in for the disk.
    let folder = quick_folder();
    std::fs::create_dir_all(folder.path().join("state/a")).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join(JOURNAL)).unwrap();
    let mut journal = super::super::journal::Journal::open_full(&folder.path().join(JOURNAL));
    let event = || super::super::record::Event::Closed;
    let first = journal.add(event()).unwrap_err();
    assert!(first.is_storage() && first.what.contains("No space left"), "{first}");
    assert_eq!(journal.add(event()).unwrap_err(), first);
}
