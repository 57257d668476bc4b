//! Inputs that nobody would write, very many of them: whatever comes, no panic, no hang, no more than 1 GB of memory.
//!
//! `cargo bench --bench fuzz` runs a million inputs of each target and fails when one breaks a promise. Options behind `--`:
//! `--target NAME` (repeatable), `--count N`, `--seed N`, `--jobs N`, `--folder DIR` for the inputs that broke something. An input is
//! found again by its target, seed and index. What was found and mended stays in tests/fuzz, where `cargo test` reads it.
//!
//! Each target runs in a process of its own, so that its memory is told apart and a stack that overflows ends nothing else.
#![allow(clippy::disallowed_methods, reason = "it starts processes, reads files and the clock")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what cannot go on fails by a panic")]
#![allow(clippy::indexing_slicing, clippy::exit, reason = "the same; an input that hangs ends the process")]
#![allow(
    clippy::cast_precision_loss,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "figures for people; names of our own"
)]

mod mutate;
mod seeds;
mod targets;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use seeds::Corpus;
use targets::{Program, Target};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long one input may work. What counts is the time that its thread was at a processor: on a machine with other work the clock
/// says nothing.
const HANG: Duration = Duration::from_secs(10);

/// How long one input may take by the clock: what waits for something that never comes does not work.
const STUCK: Duration = Duration::from_mins(10);

/// How much memory the process of a target may take, in KiB: 1 GB.
const MEMORY_KIB: u64 = 1_000_000_000 / 1024;

/// The stack of a thread, in bytes. The program's own threads have as much; its first has four times that.
const STACK: usize = 2 << 20;

/// The status of a process that an input hung.
const HUNG: i32 = 70;

struct Wanted {
    targets: Vec<Target>,
    first: u64,
    count: u64,
    seed: u64,
    jobs: usize,
    folder: PathBuf,
    /// Whether this is the process of one target.
    inner: bool,
}

fn main() -> ExitCode {
    // `cargo test --benches` passes a flag that asks for a trial only.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let wanted = wanted();
    fs::create_dir_all(&wanted.folder).unwrap();
    if wanted.inner {
        return inner(&wanted, wanted.targets[0]);
    }
    println!("{} inputs each, seed {}, {} at a time", wanted.count, wanted.seed, wanted.jobs);
    let broken = wanted.targets.iter().filter(|target| !outer(&wanted, **target)).count();
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wanted() -> Wanted {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut wanted = Wanted {
        targets: Vec::new(),
        first: 0,
        count: 1_000_000,
        seed: 1,
        jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        folder: target.join("fuzz"),
        inner: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
        match argument.as_str() {
            "--bench" => {}
            "--inner" => wanted.inner = true,
            "--target" => {
                let name = value();
                let known = Target::ALL.into_iter().find(|target| target.name() == name);
                wanted.targets.push(known.unwrap_or_else(|| panic!("there is no target {name}")));
            }
            "--first" => wanted.first = value().parse().unwrap(),
            "--count" => wanted.count = value().parse().unwrap(),
            "--seed" => wanted.seed = value().parse().unwrap(),
            "--jobs" => wanted.jobs = value().parse().unwrap(),
            "--folder" => wanted.folder = value().into(),
            other => panic!("unknown argument {other}"),
        }
    }
    if wanted.targets.is_empty() {
        wanted.targets = Target::ALL.to_vec();
    }
    wanted
}

/// Runs a target in processes of its own until all its inputs are through; returns whether all promises were kept.
fn outer(wanted: &Wanted, target: Target) -> bool {
    let run = |first: u64, count: u64, jobs: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--inner").args(["--target", target.name()]).arg("--folder").arg(&wanted.folder);
        for (name, value) in [("--first", first), ("--count", count), ("--seed", wanted.seed), ("--jobs", jobs as u64)]
        {
            command.arg(name).arg(value.to_string());
        }
        command.status().unwrap().code()
    };
    let end = wanted.first + wanted.count;
    let (mut first, mut kept) = (wanted.first, true);
    for _ in 0..20 {
        match run(first, end - first, wanted.jobs) {
            Some(0) => return kept,
            Some(1) => return false,
            status => {
                kept = false;
                let at = at(&wanted.folder, target, wanted.jobs);
                println!("{}: the process ended with {status:?} at the inputs {at:?}", target.name());
                // Several were at hand: which of them it was shows when each runs alone.
                for index in &at {
                    if run(*index, 1, 1) != Some(0) {
                        println!("{}: FOUND the input {index} of seed {} ends the process", target.name(), wanted.seed);
                        let program = Program::new();
                        let input = mutate::input(&Corpus::of(target, &program), wanted.seed, *index);
                        fs::write(wanted.folder.join(format!("{}-{index}", target.name())), input).unwrap();
                    }
                }
                first = at.into_iter().max().unwrap_or(first) + 1;
                if first >= end {
                    return false;
                }
            }
        }
    }
    false
}

/// The file in which the process of a target says which inputs are at hand.
fn at_file(folder: &Path, target: Target) -> PathBuf {
    folder.join(format!("{}.at", target.name()))
}

fn at(folder: &Path, target: Target, jobs: usize) -> Vec<u64> {
    let bytes = fs::read(at_file(folder, target)).unwrap_or_default();
    bytes.chunks_exact(8).take(jobs).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// An input that broke something: its index, its bytes, what was said.
type Find = (u64, Vec<u8>, String);

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

/// Runs the inputs of a target; the status is 1 when one of them panicked.
fn inner(wanted: &Wanted, target: Target) -> ExitCode {
    std::panic::set_hook(Box::new(|about| {
        let place = about.location().map_or_else(String::new, ToString::to_string);
        WHERE.with(|text| *text.borrow_mut() = place);
    }));
    let program = Program::new();
    let corpus = Corpus::of(target, &program);
    let start = Instant::now();
    let millis = || u64::try_from(start.elapsed().as_millis()).unwrap() + 1;
    let slots: Vec<Slot> = (0..wanted.jobs).map(|_| Slot::default()).collect();
    let (next, taken, longest) = (AtomicU64::new(wanted.first), AtomicU64::new(0), AtomicU64::new(0));
    let end = wanted.first + wanted.count;
    let finds: Mutex<BTreeMap<String, Find>> = Mutex::default();
    let at = File::create(at_file(&wanted.folder, target)).unwrap();
    let work = |job: usize| {
        *slots[job].thread.lock().unwrap() = Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= end {
                break;
            }
            at.write_at(&index.to_le_bytes(), job as u64 * 8).unwrap();
            let input = mutate::input(&corpus, wanted.seed, index);
            slots[job].index.store(index, Ordering::Relaxed);
            slots[job].began.store(millis(), Ordering::Release);
            let began = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| program.run(target, &input))) {
                Ok(true) => drop(taken.fetch_add(1, Ordering::Relaxed)),
                Ok(false) => {}
                Err(why) => {
                    let place = WHERE.with(|text| text.borrow().clone());
                    let mut finds = finds.lock().unwrap();
                    if finds.get(&place).is_none_or(|(_, known, _)| known.len() > input.len()) {
                        finds.insert(place, (index, input, words(why.as_ref())));
                    }
                }
            }
            longest.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
            slots[job].began.store(0, Ordering::Release);
        }
    };
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Of each thread: the input that was seen last, and how long the thread had worked when it was seen first.
            let mut seen: Vec<(u64, Duration)> = vec![(u64::MAX, Duration::ZERO); wanted.jobs];
            while over.load(Ordering::Acquire) < wanted.jobs as u64 {
                std::thread::sleep(Duration::from_millis(200));
                for (slot, seen) in slots.iter().zip(&mut seen) {
                    let began = slot.began.load(Ordering::Acquire);
                    let index = slot.index.load(Ordering::Relaxed);
                    let worked = worked(&slot.thread.lock().unwrap());
                    if began == 0 || seen.0 != index {
                        *seen = (index, worked);
                        continue;
                    }
                    let stuck = millis().saturating_sub(began) > u64::try_from(STUCK.as_millis()).unwrap();
                    if worked.saturating_sub(seen.1) > HANG || stuck {
                        println!("{}: the input {index} hangs", target.name());
                        std::process::exit(HUNG);
                    }
                }
            }
        });
        for job in 0..wanted.jobs {
            let (work, over) = (&work, &over);
            scope.spawn(move || {
                // What the program does in parallel happens in this thread.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(STACK).build().unwrap();
                pool.install(|| work(job));
                over.fetch_add(1, Ordering::Release);
            });
        }
    });
    let took = start.elapsed();
    let kib = peak();
    let finds = finds.into_inner().unwrap();
    println!(
        "  {:8} {:>8} inputs, {:>3} seeds, {:>7.0} inputs/s, {:>3.0} % taken, longest {:>6.1} ms, peak {:>7} KiB, {} finds",
        target.name(),
        wanted.count,
        corpus.seeds.len(),
        wanted.count as f64 / took.as_secs_f64(),
        taken.into_inner() as f64 * 100.0 / wanted.count as f64,
        longest.into_inner() as f64 / 1000.0,
        kib,
        finds.len(),
    );
    for (place, (index, input, why)) in &finds {
        let small = smaller(&program, target, input, place);
        let path = wanted.folder.join(format!("{}-{index}", target.name()));
        fs::write(&path, &small).unwrap();
        println!(
            "{}: FOUND the input {index} of seed {}, at {place}: {why}\n  {}",
            target.name(),
            wanted.seed,
            path.display()
        );
    }
    if kib > MEMORY_KIB {
        println!("{}: FOUND {kib} KiB of memory, and {MEMORY_KIB} KiB are promised", target.name());
    }
    if finds.is_empty() && kib <= MEMORY_KIB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
