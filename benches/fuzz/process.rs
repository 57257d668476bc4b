//! The process of one target: its inputs one after the other, and a thread that watches for those that never end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::mutate;
use super::seeds::Corpus;
use super::targets::{Program, Target};
use super::{Wanted, at_file, finds_file};

/// How long one input may work. What counts is the time that its thread was at a processor: on a machine with other work the clock
/// says nothing.
const HANG: Duration = Duration::from_secs(10);

/// How long one input may take by the clock: what waits for something that never comes does not work.
const STUCK: Duration = Duration::from_mins(10);

/// How much memory the process of a target may take, in KiB: 1 GB.
const MEMORY_KIB: u64 = 1_000_000_000 / 1024;

/// The stack of a thread, in bytes. The program's own threads have as much; its first has four times that.
const STACK: usize = 2 << 20;

/// How often the watching thread looks, and how often it says how far the run has come.
const LOOK: Duration = Duration::from_millis(200);
const SAY: Duration = Duration::from_secs(10);

/// The status of a process that an input hung.
pub(crate) const HUNG: i32 = 70;

/// An input at hand: its index, and when it began, in milliseconds; 0 while there is none. And the thread that is at it.
#[derive(Default)]
struct Slot {
    index: AtomicU64,
    began: AtomicU64,
    thread: Mutex<PathBuf>,
}

/// Returns how long a thread was at a processor, by its folder in /proc.
fn worked(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

thread_local! {
    static WHERE: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// A run of inputs, as its threads share it.
struct Run<'w> {
    wanted: &'w Wanted,
    target: Target,
    program: Program,
    corpus: Corpus,
    start: Instant,
    slots: Vec<Slot>,
    at: File,
    next: AtomicU64,
    done: AtomicU64,
    taken: AtomicU64,
    /// The longest by the clock, in microseconds, and its index.
    longest: Mutex<(u64, u64)>,
    /// The places that are known: each is said once.
    places: Mutex<BTreeSet<String>>,
    finds: AtomicU64,
}

/// Runs the inputs of a target; the status is 1 when one of them broke a promise, and [`HUNG`] when one does not end.
pub(crate) fn inner(wanted: &Wanted, target: Target) -> ExitCode {
    std::panic::set_hook(Box::new(|about| {
        let place = about.location().map_or_else(String::new, ToString::to_string);
        WHERE.with(|text| *text.borrow_mut() = place);
    }));
    let program = Program::new();
    let known = fs::read_to_string(finds_file(&wanted.folder, target)).unwrap_or_default();
    let run = Run {
        wanted,
        target,
        corpus: Corpus::of(target, &program),
        program,
        start: Instant::now(),
        slots: (0..wanted.jobs).map(|_| Slot::default()).collect(),
        at: File::create(at_file(&wanted.folder, target)).unwrap(),
        next: AtomicU64::new(wanted.first),
        done: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        longest: Mutex::default(),
        places: Mutex::new(known.lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned())).collect()),
        finds: AtomicU64::new(0),
    };
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| run.watch(&over));
        for job in 0..wanted.jobs {
            let (run, over) = (&run, &over);
            scope.spawn(move || {
                // What the program does in parallel happens in this thread.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(STACK).build().unwrap();
                pool.install(|| run.work(job));
                over.fetch_add(1, Ordering::Release);
            });
        }
    });
    run.look_at_memory();
    let (micros, at) = *run.longest.lock().unwrap();
    println!(
        "  {:8} {:>8} inputs from {}, {:>3} seeds, {:>6.1} s, {:>7.0} inputs/s, {:>3.0} % taken, longest {:>6.1} ms ({at}), peak {:>7} KiB, {} finds",
        target.name(),
        wanted.count,
        wanted.first,
        run.corpus.seeds.len(),
        run.start.elapsed().as_secs_f64(),
        wanted.count as f64 / run.start.elapsed().as_secs_f64(),
        run.taken.load(Ordering::Relaxed) as f64 * 100.0 / wanted.count as f64,
        micros as f64 / 1000.0,
        peak(),
        run.finds.load(Ordering::Relaxed),
    );
    if run.finds.into_inner() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Run<'_> {
    /// Returns the milliseconds since the start, from 1.
    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap() + 1
    }

    /// Takes inputs until there are no more.
    fn work(&self, job: usize) {
        let slot = &self.slots[job];
        *slot.thread.lock().unwrap() = Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap());
        let end = self.wanted.first + self.wanted.count;
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= end {
                break;
            }
            self.at.write_at(&index.to_le_bytes(), job as u64 * 8).unwrap();
            let input = mutate::input(&self.corpus, self.wanted.seed, index);
            slot.index.store(index, Ordering::Relaxed);
            slot.began.store(self.millis(), Ordering::Release);
            let began = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| self.program.run(self.target, &input))) {
                Ok(true) => drop(self.taken.fetch_add(1, Ordering::Relaxed)),
                Ok(false) => {}
                Err(why) => self.panicked(index, &input, &words(why.as_ref())),
            }
            let took = u64::try_from(began.elapsed().as_micros()).unwrap();
            slot.began.store(0, Ordering::Release);
            if took / 1000 > self.wanted.slow {
                eprintln!("{}: the input {index} takes {} ms", self.target.name(), took / 1000);
            }
            let mut longest = self.longest.lock().unwrap();
            *longest = (*longest).max((took, index));
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says and keeps an input that panicked at a place that is not known yet, then looks for a smaller one.
    fn panicked(&self, index: u64, input: &[u8], why: &str) {
        let place = WHERE.with(|text| text.borrow().clone());
        self.finds.fetch_add(1, Ordering::Relaxed);
        if !self.places.lock().unwrap().insert(place.clone()) {
            return;
        }
        keep(self.wanted, self.target, index, input, &place, why);
        let small = smaller(&self.program, self.target, input, &place);
        fs::write(kept(self.wanted, self.target, index).with_extension("small"), small).unwrap();
    }

    /// Ends the process at an input that hangs, and says every few seconds how far the run has come.
    fn watch(&self, over: &AtomicU64) {
        // Of each thread: the input that was seen last, and how long the thread had worked when it was seen first.
        let mut seen: Vec<(u64, Duration)> = vec![(u64::MAX, Duration::ZERO); self.wanted.jobs];
        let (mut said, mut done) = (Instant::now(), 0);
        while over.load(Ordering::Acquire) < self.wanted.jobs as u64 {
            std::thread::sleep(LOOK);
            for (slot, seen) in self.slots.iter().zip(&mut seen) {
                let began = slot.began.load(Ordering::Acquire);
                let index = slot.index.load(Ordering::Relaxed);
                let worked = worked(&slot.thread.lock().unwrap());
                if began == 0 || seen.0 != index {
                    *seen = (index, worked);
                    continue;
                }
                let stuck = self.millis().saturating_sub(began) > u64::try_from(STUCK.as_millis()).unwrap();
                if worked.saturating_sub(seen.1) > HANG || stuck {
                    let input = mutate::input(&self.corpus, self.wanted.seed, index);
                    keep(self.wanted, self.target, index, &input, "", "it hangs");
                    std::process::exit(HUNG);
                }
            }
            self.look_at_memory();
            if said.elapsed() >= SAY {
                let now = self.done.load(Ordering::Relaxed);
                let rate = (now - done) as f64 / said.elapsed().as_secs_f64();
                let (micros, at) = *self.longest.lock().unwrap();
                eprintln!(
                    "{}: {now} of {} from {}, {rate:.0} a second, longest {:.1} ms ({at}), peak {} KiB, {} finds",
                    self.target.name(),
                    self.wanted.count,
                    self.wanted.first,
                    micros as f64 / 1000.0,
                    peak(),
                    self.finds.load(Ordering::Relaxed),
                );
                (said, done) = (Instant::now(), now);
            }
        }
    }

    /// Says once that the process took too much memory, with the inputs that are at hand; it was one of these or of the last few.
    fn look_at_memory(&self) {
        let kib = peak();
        if kib <= MEMORY_KIB || !self.places.lock().unwrap().insert("memory".to_owned()) {
            return;
        }
        self.finds.fetch_add(1, Ordering::Relaxed);
        for slot in &self.slots {
            let index = slot.index.load(Ordering::Relaxed);
            let input = mutate::input(&self.corpus, self.wanted.seed, index);
            let why = format!("{kib} KiB of memory, and {MEMORY_KIB} KiB are promised");
            keep(self.wanted, self.target, index, &input, "memory", &why);
        }
    }
}

/// Where an input is kept that broke a promise.
fn kept(wanted: &Wanted, target: Target, index: u64) -> PathBuf {
    wanted.folder.join(format!("{}-{}-{index}", target.name(), wanted.seed))
}

/// Says and keeps an input that broke a promise: the file of the input, and its line among the finds.
pub(crate) fn keep(wanted: &Wanted, target: Target, index: u64, input: &[u8], place: &str, why: &str) {
    let path = kept(wanted, target, index);
    fs::write(&path, input).unwrap();
    let line = format!(
        "{place}\t{}: FOUND the input {index} of seed {}: {}; kept as {}\n",
        target.name(),
        wanted.seed,
        why.replace(char::is_control, " "),
        path.display()
    );
    let mut finds = OpenOptions::new().create(true).append(true).open(finds_file(&wanted.folder, target)).unwrap();
    finds.write_all(line.as_bytes()).unwrap();
    print!("{line}");
}

/// Returns the message of a panic.
fn words(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| why.downcast_ref::<String>().cloned()).unwrap_or_default();
    text.chars().take(400).collect()
}

/// Takes parts of an input away as long as it panics at the same place.
fn smaller(program: &Program, target: Target, input: &[u8], place: &str) -> Vec<u8> {
    let mut best = input.to_vec();
    let still = |input: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| program.run(target, input))).is_err()
            && WHERE.with(|text| *text.borrow() == place)
    };
    let (mut size, mut tries) = (best.len() / 2, 0);
    while size > 0 && tries < 2_000 {
        let mut at = 0;
        while at < best.len() && tries < 2_000 {
            let shorter = [&best[..at], &best[(at + size).min(best.len())..]].concat();
            tries += 1;
            if still(&shorter) { best = shorter } else { at += size }
        }
        size /= 2;
    }
    best
}

/// Returns the most memory that this process had at a time, in KiB.
fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0)
}
