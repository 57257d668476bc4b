//! `hostwright apply` over a real OpenSSH that is killed, cut off, and run into full disks: after resuming, what is on the machine is
//! what an undisturbed run leaves, byte for byte, and nothing was destroyed twice.
//!
//! A sample of the places; all of them with `HOSTWRIGHT_ALL=yes`. `HOSTWRIGHT_SEED` gives the same moments again.

mod lab;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use lab::{JOURNAL, Lab, kill, until};

/// Moments and choices, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn new(test: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let seed = std::env::var("HOSTWRIGHT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
        eprintln!("{test}: HOSTWRIGHT_SEED={seed}");
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

fn all() -> bool {
    std::env::var_os("HOSTWRIGHT_ALL").is_some_and(|value| value == "yes")
}

/// Where a run is killed: behind a record of the journal, at once or after a while.
#[derive(Debug, Clone)]
struct Place {
    what: String,
    step: String,
    line: Option<u64>,
    after: Duration,
}

impl Place {
    fn is(&self, record: &Value) -> bool {
        record["what"] == *self.what && record["step"] == *self.step && record["line"].as_u64() == self.line
    }

    /// Where it lies in an undisturbed run.
    fn at(&self, order: &[Value]) -> Option<usize> {
        order.iter().position(|record| self.is(record))
    }
}

/// Where a record lies in an undisturbed run.
fn place_of(record: &Value, order: &[Value]) -> Option<usize> {
    let same = |other: &&Value| ["what", "step", "line"].iter().all(|key| other[*key] == record[*key]);
    order.iter().position(|other| same(&other))
}

/// Every boundary of an undisturbed run: a step or a line of it begins or ends.
fn boundaries(records: &[Value]) -> Vec<Place> {
    let bounds = records
        .iter()
        .filter(|record| ["began", "line-began", "line-done", "done"].iter().any(|what| record["what"] == *what));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let place = |record: &Value| Place {
        what: text(&record["what"]),
        step: text(&record["step"]),
        line: record["line"].as_u64(),
        after: Duration::ZERO,
    };
    bounds.map(place).collect()
}

/// A moment within each line that takes a while.
fn moments(records: &[Value], dice: &mut Dice) -> Vec<Place> {
    let ended = records.iter().filter(|record| record["what"] == "line-done" && record["millis"].as_u64() > Some(30));
    ended
        .map(|record| Place {
            what: "line-began".to_owned(),
            step: record["step"].as_str().unwrap().to_owned(),
            line: record["line"].as_u64(),
            after: Duration::from_millis(dice.below(record["millis"].as_u64().unwrap())),
        })
        .collect()
}

/// A lab in which the plan goes as far as the system that was copied; with `HOSTWRIGHT_ALL` through all of its boots.
fn lab(test: &str) -> Option<Lab> {
    let mut lab = Lab::new(test)?;
    lab.last = (!all()).then_some("install-system");
    Some(lab)
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    at_boundaries: usize,
    within_lines: usize,
    with_their_group: usize,
    resumes: usize,
    stopped_by_themselves: usize,
    wrong_end_states: usize,
}

/// One plan from its beginning to its end, killed at each of these places in turn. Where a run goes on in the middle of a step a place may
/// not come again: then it is killed at the next one.
fn pass(lab: &Lab, places: &[Place], (order, wanted): (&[Value], &str), tally: &mut Tally) {
    lab.reset();
    for place in places {
        let mut run = lab.begin();
        let (mut size, seen) = (0, lab.records().len());
        let came = until(&mut run, || {
            let now = lab.journal_size();
            let grown = std::mem::replace(&mut size, now) != now;
            grown && lab.records().iter().skip(seen).any(|record| place_of(record, order) >= place.at(order))
        });
        tally.resumes += 1;
        if !came {
            // It lies behind by now, or the run stopped where it was cut off.
            let status = run.wait().unwrap().code();
            assert!(matches!(status, Some(0 | 3)), "{place:?}: {status:?}\n{}", lab.sandbox.read("said"));
            tally.stopped_by_themselves += usize::from(status == Some(3));
            continue;
        }
        std::thread::sleep(place.after);
        let group = (tally.at_boundaries + tally.within_lines) % 2 == 1;
        if run.try_wait().unwrap().is_some() || !kill("KILL", run.id(), group) {
            continue;
        }
        run.wait().unwrap();
        tally.at_boundaries += usize::from(place.after.is_zero());
        tally.within_lines += usize::from(!place.after.is_zero());
        tally.with_their_group += usize::from(group);
    }
    tally.resumes += lab.finish("behind the last kill");
    lab.is_sound("killed");
    let state = lab.end_state();
    if state != wanted {
        tally.wrong_end_states += 1;
        eprintln!("{}", differences(wanted, &state));
    }
}

fn differences(wanted: &str, state: &str) -> String {
    let lost = wanted.lines().filter(|line| !state.lines().any(|other| other == *line)).map(|line| format!("- {line}"));
    let new = state.lines().filter(|line| !wanted.lines().any(|other| other == *line)).map(|line| format!("+ {line}"));
    lost.chain(new).collect::<Vec<_>>().join("\n")
}

/// An undisturbed run: the records of its journal, and what it leaves.
fn undisturbed(lab: &Lab) -> (Vec<Value>, String) {
    let began = Instant::now();
    lab.apply(&[]).ends(0);
    lab.is_sound("undisturbed");
    let records = lab.records();
    eprintln!("undisturbed: {} records, {} s", records.len(), began.elapsed().as_secs());
    (records, lab.end_state())
}

#[test]
fn a_run_that_is_killed_or_cut_off_leaves_what_an_undisturbed_one_does_and_destroys_once() {
    let test = "a_run_that_is_killed_or_cut_off_leaves_what_an_undisturbed_one_does_and_destroys_once";
    let Some(lab) = lab(test) else { return };
    let mut dice = Dice::new(test);
    let (records, wanted) = undisturbed(&lab);
    let (bounds, mut tally) = (boundaries(&records), Tally::default());
    if all() {
        pass(&lab, &bounds, (&records, &wanted), &mut tally);
        while tally.at_boundaries + tally.within_lines < 180 || tally.within_lines < 40 {
            let within = moments(&records, &mut dice);
            pass(&lab, &within, (&records, &wanted), &mut tally);
        }
    } else {
        let wiping = ["partition-disks", "copy-system", "copy-install-scripts", "place-secrets"];
        let within = moments(&records, &mut dice).into_iter().filter(|place| wiping.contains(&place.step.as_str()));
        let step = bounds.len() / 8;
        let first = usize::try_from(dice.below(step as u64)).unwrap();
        let mut places: Vec<Place> = bounds.into_iter().skip(first).step_by(step).chain(within.take(5)).collect();
        places.sort_by_key(|place| (place.at(&records), place.after));
        pass(&lab, &places, (&records, &wanted), &mut tally);
        assert!(tally.at_boundaries + tally.within_lines >= 8, "{tally:?}");
    }
    eprintln!("{} kills: {tally:?}; destructive steps that ran twice: 0", tally.at_boundaries + tally.within_lines);
    assert_eq!(tally.wrong_end_states, 0, "{tally:?}");
    connections_drop(&lab, &wanted, &mut dice);
}

/// The same of connections that drop, and of some that stall.
fn connections_drop(lab: &Lab, wanted: &str, dice: &mut Dice) {
    let most = if all() { 20 } else { 3 };
    let (mut drops, mut stalls, mut runs, mut plans) = (0, 0, 0, 0);
    while drops + stalls < most {
        lab.reset();
        plans += 1;
        loop {
            let mut run = lab.begin();
            runs += 1;
            while drops + stalls < most && run.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(500 + dice.below(2500)));
                let sessions = lab.sessions();
                if sessions.is_empty() || run.try_wait().unwrap().is_some() {
                    continue;
                }
                // One that says nothing any more is given up after a while, and is gone for good then.
                let stalls_now = all() && (drops + stalls) % 5 == 4;
                for pid in &sessions {
                    let _ = kill(if stalls_now { "STOP" } else { "KILL" }, *pid, false);
                }
                (drops, stalls) = if stalls_now { (drops, stalls + 1) } else { (drops + 1, stalls) };
                if stalls_now {
                    let given = Instant::now() + Duration::from_secs(25);
                    while Instant::now() < given && run.try_wait().unwrap().is_none() {
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    for pid in sessions {
                        let _ = kill("KILL", pid, false);
                    }
                }
            }
            match run.wait().unwrap().code() {
                Some(0) => break,
                status => assert_eq!(status, Some(3), "{}", lab.sandbox.read("said")),
            }
            assert!(runs < 200, "{}", lab.sandbox.read("said"));
        }
        lab.is_sound("dropped");
        assert_eq!(differences(wanted, &lab.end_state()), "");
    }
    eprintln!("{drops} connections dropped, {stalls} stalled: {runs} runs of {plans} plans, wrong end states: 0");
}

#[test]
fn a_full_disk_on_either_side_stops_a_run_and_takes_nothing_of_what_is_written_down() {
    let test = "a_full_disk_on_either_side_stops_a_run_and_takes_nothing_of_what_is_written_down";
    let Some(lab) = lab(test) else { return };
    let mut dice = Dice::new(test);
    let (records, wanted) = undisturbed(&lab);
    lab.reset();
    if !lab.small("machine/run", "256k") {
        eprintln!("skipped: {test}: no file system can be mounted here");
        return;
    }
    full_machine(&lab, &wanted);
    full_deployer(&lab, (&records, &wanted), &mut dice);
}

/// What the journal announces, and what it knows, does not fit on the deployer's disk.
fn full_deployer(lab: &Lab, (records, wanted): (&[Value], &str), dice: &mut Dice) {
    let folder = lab.sandbox.path().display().to_string();
    let fill = format!("dd if=/dev/zero of={folder}/state/attic/filler bs=1k count=9000 2> /dev/null");
    lab.reset();
    assert!(lab.small("state/attic", "2m"));
    // A destructive command fills the disk, and says more than the journal's last block has room for.
    lab.sandbox.write("hook", format!("{fill}\nseq 3000\n"));
    let stopped = lab.apply(&[]).ends(3);
    let stopped = stopped
        .complains("step partition-disks failed: cannot write [FLEET]/state/attic/journal-install.log: No space left");
    let _ = stopped.complains("what is written down stands: the same command goes on from there");
    assert_eq!((lab.counts()["begin partition.sh"], lab.counts()["end partition.sh"]), (1, 1));
    // It is as full as it was: nothing more happens, and what is known is known.
    let _ = lab.status(&[]).says("partition-disks");
    assert_ne!(lab.apply(&[]).status, 0);
    assert_eq!(lab.counts()["begin partition.sh"], 1);
    fs::remove_file(lab.path("state/attic/filler")).unwrap();
    lab.finish("there is room again");
    lab.is_sound("a full disk of the deployer");
    assert_eq!(differences(wanted, &lab.end_state()), "");
    // At any other record.
    let rounds = if all() { 12 } else { 1 };
    for round in 0..rounds {
        lab.reset();
        assert!(lab.small("state/attic", "2m"));
        let mut run = lab.begin();
        // What is left of the plan then is more than the journal's last block may still hold.
        let at = usize::try_from(dice.below(records.len() as u64 / 2)).unwrap() + 4;
        assert!(until(&mut run, || lab.records().len() >= at), "{}", lab.sandbox.read("said"));
        let mut filler = fs::File::create(lab.path("state/attic/filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[7; 1 << 12]).is_ok() {}
        // Held open it would keep its room when it is gone.
        drop(filler);
        let status = run.wait().unwrap().code();
        let said = lab.sandbox.read("said");
        assert!(status == Some(3) && said.contains("No space left"), "round {round}, {at}: {status:?}\n{said}");
        let _ = lab.status(&[]);
        fs::remove_file(lab.path("state/attic/filler")).unwrap();
        lab.finish("there is room again");
        lab.is_sound("a full disk of the deployer");
        assert_eq!(differences(wanted, &lab.end_state()), "", "round {round}, {at}");
    }
    eprintln!("full disks of the deployer: {}, wrong end states: 0, damaged journals: 0", rounds + 1);
}

/// What a command needs, and what it brings, does not fit on the machine's disks; /run is a small one of its own already.
fn full_machine(lab: &Lab, wanted: &str) {
    let folder = lab.sandbox.path().display().to_string();
    let fill =
        |into: &str| format!("dd if=/dev/zero of={folder}/machine/{into}/filler bs=1k count=9000 2> /dev/null\n");
    let _ = lab.apply(&["--until", "confirm-disks"]).ends(0);
    fs::write(lab.path("machine/run/filler"), vec![0; 9 << 20]).unwrap_err();
    let full = lab.apply(&[]).ends(3).complains("there is no room for the command on the machine");
    let _ = full.complains("`df -h /run` shows how full it is");
    assert!(!lab.counts().contains_key("begin partition.sh"), "{:?}", lab.counts());
    fs::remove_file(lab.path("machine/run/filler")).unwrap();
    // While a destructive command runs: its end is known all the same.
    lab.sandbox.write("hook", fill("run"));
    let _ = lab.apply(&["--until", "partition-disks"]).ends(0);
    assert_eq!((lab.counts()["begin partition.sh"], lab.counts()["end partition.sh"]), (1, 1));
    let done = |step: &str| lab.records().iter().any(|record| record["what"] == "done" && record["step"] == step);
    fs::remove_file(lab.path("machine/run/filler")).unwrap();
    // The copied system has no room.
    let _ = lab.apply(&["--until", "mount-target"]).ends(0);
    assert!(lab.small("machine/mnt", "3m"));
    let _ = lab.apply(&[]).ends(3).complains("step copy-system failed");
    assert!(done("partition-disks") && !done("copy-system"));
    lab.large("machine/mnt");
    // Nor have the scripts of the reboot test, nor the lock of deployers.
    if all() {
        let _ = lab.apply(&["--until", "first-boot"]).ends(0);
        assert!(lab.small("machine/var", "24k"));
        let _ = lab.apply(&[]).ends(3).complains("step copy-reboot-scripts failed");
        lab.large("machine/var");
    }
    assert!(lab.small("machine/var", "256k"));
    fs::write(lab.path("machine/var/filler"), vec![0; 9 << 20]).unwrap_err();
    let _ = lab.apply(&[]).ends(3).complains("the lock of deployers cannot be taken on the machine");
    fs::remove_file(lab.path("machine/var/filler")).unwrap();
    lab.large("machine/var");
    lab.finish("there is room again");
    lab.is_sound("a full disk of the machine");
    assert_eq!(differences(wanted, &lab.end_state()), "");
}

#[test]
fn a_real_journal_that_was_cut_at_any_byte_is_read_and_a_run_goes_on_from_it() {
    let test = "a_real_journal_that_was_cut_at_any_byte_is_read_and_a_run_goes_on_from_it";
    let Some(lab) = Lab::new(test) else { return };
    let mut dice = Dice::new(test);
    let _ = lab.apply(&["--until", "build-system"]).ends(0);
    let whole = fs::read(lab.path(JOURNAL)).unwrap();
    for _ in 0..if all() { 100 } else { 6 } {
        let cut = usize::try_from(dice.below(whole.len() as u64)).unwrap();
        fs::write(lab.path(JOURNAL), &whole[..cut]).unwrap();
        let _ = lab.status(&[]);
        assert_eq!(lab.journal_size(), cut as u64, "looking changes nothing");
    }
    // Nothing of these steps is destroyed: the machine may be further than a journal that was cut.
    for _ in 0..if all() { 10 } else { 1 } {
        let cut = usize::try_from(dice.below(whole.len() as u64)).unwrap();
        fs::write(lab.path(JOURNAL), &whole[..cut]).unwrap();
        let _ = lab.apply(&["--until", "build-system"]).ends(0);
        assert!(!lab.path("torn").exists());
    }
}
