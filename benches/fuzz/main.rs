//! Inputs that nobody would write, very many of them: whatever comes, no panic, no hang, no more than 1 GB of memory.
//!
//! `cargo bench --bench fuzz` runs a million inputs of each target and fails when one breaks a promise. Options behind `--`:
//! `--target NAME` (repeatable), `--first N`, `--count N`, `--seed N`, `--jobs N`, `--folder DIR` for the inputs that broke something,
//! `--resume` to go on where an earlier run with the same options was ended, `--slow N` to be told of inputs that take more than N ms.
//! An input is found again by its target, seed and index. What was found and mended stays in tests/fuzz, where `cargo test` reads it.
//!
//! Each target runs in a process of its own, so that its memory is told apart and a stack that overflows ends nothing else. What
//! breaks a promise is said and kept at once, one input a place; how far a run has come is a line on stderr every ten seconds.
#![allow(clippy::disallowed_methods, reason = "it starts processes, reads files and the clock")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its figures, and how far it has come")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what cannot go on fails by a panic")]
#![allow(clippy::indexing_slicing, clippy::exit, reason = "the same; an input that hangs ends the process")]
#![allow(
    clippy::cast_precision_loss,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "figures for people; names of our own"
)]

mod mutate;
mod process;
mod seeds;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use seeds::Corpus;
use targets::{Program, Target};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often the process of a target is started again behind an input that ended it.
const ENDS: usize = 20;

struct Wanted {
    targets: Vec<Target>,
    first: u64,
    count: u64,
    seed: u64,
    jobs: usize,
    folder: PathBuf,
    resume: bool,
    /// Inputs that take more than this many milliseconds are said.
    slow: u64,
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
        return process::inner(&wanted, wanted.targets[0]);
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
        resume: false,
        slow: u64::MAX,
        inner: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
        match argument.as_str() {
            "--bench" => {}
            "--inner" => wanted.inner = true,
            "--resume" => wanted.resume = true,
            "--target" => {
                let name = value();
                let known = Target::ALL.into_iter().find(|target| target.name() == name);
                wanted.targets.push(known.unwrap_or_else(|| panic!("there is no target {name}")));
            }
            "--first" => wanted.first = value().parse().unwrap(),
            "--count" => wanted.count = value().parse().unwrap(),
            "--seed" => wanted.seed = value().parse().unwrap(),
            "--jobs" => wanted.jobs = value().parse().unwrap(),
            "--slow" => wanted.slow = value().parse().unwrap(),
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
        for (name, value) in [
            ("--first", first),
            ("--count", count),
            ("--seed", wanted.seed),
            ("--jobs", jobs as u64),
            ("--slow", wanted.slow),
        ] {
            command.arg(name).arg(value.to_string());
        }
        command.status().unwrap().code()
    };
    let end = wanted.first + wanted.count;
    let mut first = wanted.first;
    let finds = finds_file(&wanted.folder, target);
    if wanted.resume {
        let at = at(&wanted.folder, target, wanted.jobs).into_iter().min().unwrap_or(first);
        first = at.clamp(first, end);
        println!("{}: goes on at the input {first}", target.name());
    } else {
        drop(fs::remove_file(&finds));
    }
    for _ in 0..ENDS {
        match run(first, end - first, wanted.jobs) {
            Some(0 | 1) => first = end,
            status => {
                let at = at(&wanted.folder, target, wanted.jobs);
                println!("{}: the process ended with {status:?} at the inputs {at:?}", target.name());
                // Several were at hand: which of them it was shows when each runs alone. One that hangs has been kept by its process.
                let known = fs::read_to_string(&finds).unwrap_or_default();
                let is_new = |index: &&u64| !known.contains(&format!(": FOUND the input {index} of "));
                for index in at.iter().filter(is_new) {
                    let alone = run(*index, 1, 1);
                    if !matches!(alone, Some(0 | 1 | process::HUNG)) {
                        let input = mutate::input(&Corpus::of(target, &Program::new()), wanted.seed, *index);
                        process::keep(wanted, target, *index, &input, "", &format!("the process ends with {alone:?}"));
                    }
                }
                first = at.into_iter().max().unwrap_or(first) + 1;
            }
        }
        if first >= end {
            break;
        }
    }
    if first < end {
        println!("{}: {ENDS} processes ended: given up before the input {first}", target.name());
    }
    let found = fs::read_to_string(finds).unwrap_or_default();
    print!("{found}");
    first >= end && found.is_empty()
}

/// The file in which the process of a target says which inputs are at hand.
fn at_file(folder: &Path, target: Target) -> PathBuf {
    folder.join(format!("{}.at", target.name()))
}

/// The file with a line for each find of a target.
fn finds_file(folder: &Path, target: Target) -> PathBuf {
    folder.join(format!("{}.finds", target.name()))
}

fn at(folder: &Path, target: Target, jobs: usize) -> Vec<u64> {
    let bytes = fs::read(at_file(folder, target)).unwrap_or_default();
    bytes.chunks_exact(8).take(jobs).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}
