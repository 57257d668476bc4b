//! Inputs that nobody would write: those of tests/fuzz, which once broke something or are made to, and a sample of what
//! `cargo bench --bench fuzz` makes a million of.

#[path = "../../benches/fuzz/mutate.rs"]
mod mutate;
#[path = "../../benches/fuzz/seeds.rs"]
mod seeds;
#[path = "../../benches/fuzz/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

use rayon::prelude::*;

use seeds::Corpus;
use targets::{Program, Target};

use crate::program::repository;

/// How long one input may take in a program that is not optimised and shares its processors.
const HANG: Duration = Duration::from_mins(1);

/// Returns how many inputs every run of the tests makes.
fn sample(target: Target) -> u64 {
    match target {
        Target::Toml | Target::Facts => 400,
        Target::Yaml | Target::Nix => 1_000,
        Target::Plan | Target::Journal => 2_000,
    }
}

/// Runs a piece of work with threads that have room for what is not optimised.
fn with_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().stack_size(16 << 20).build().unwrap().install(work)
}

#[test]
fn every_input_that_was_kept_is_taken_or_refused_without_a_panic() {
    let program = Program::new();
    for target in Target::ALL {
        let folder = repository().join("tests/fuzz").join(target.name());
        let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(paths.len() >= 4, "{} has too few inputs", folder.display());
        for path in paths {
            let mut input = std::fs::read(&path).unwrap();
            if target == Target::Journal && path.extension().is_some_and(|ending| ending == "unsealed") {
                input = mutate::sealed(&input);
            }
            let began = Instant::now();
            println!("{}", path.display());
            with_stack(|| program.run(target, &input));
            assert!(began.elapsed() < HANG, "{} takes {:?}", path.display(), began.elapsed());
        }
    }
}

#[test]
fn inputs_made_from_our_own_files_are_taken_or_refused_without_a_panic() {
    let program = Program::new();
    let whole = std::env::var_os("HOSTWRIGHT_ALL").is_some();
    for target in Target::ALL {
        let corpus = Corpus::of(target, &program);
        let count = if whole { 2_000 } else { sample(target) };
        let began = Instant::now();
        let taken = with_stack(|| {
            let one = |index: &u64| {
                let input = mutate::input(&corpus, 7, *index);
                let began = Instant::now();
                let taken = program.run(target, &input);
                assert!(began.elapsed() < HANG, "the input {index} takes {:?}", began.elapsed());
                taken
            };
            (0..count).into_par_iter().filter(one).count()
        });
        println!("{}: {count} inputs, {taken} taken, {:.1?}", target.name(), began.elapsed());
        // Both ways must have been seen, or the inputs test nothing.
        let refused = usize::try_from(count).unwrap() - taken;
        assert!(
            refused > 20 && (taken > 20 || target == Target::Plan),
            "{}: {taken} taken, {refused} refused",
            target.name()
        );
    }
}

#[test]
fn an_input_is_found_again_by_its_number() {
    let program = Program::new();
    for target in Target::ALL {
        let corpus = Corpus::of(target, &program);
        let inputs: Vec<Vec<u8>> = (0..50).map(|index| mutate::input(&corpus, 3, index)).collect();
        let again: Vec<Vec<u8>> = (0..50).map(|index| mutate::input(&Corpus::of(target, &program), 3, index)).collect();
        assert!(inputs == again, "{}", target.name());
        let different: std::collections::BTreeSet<&Vec<u8>> = inputs.iter().collect();
        assert!(different.len() > 45, "{}: {} of 50 differ", target.name(), different.len());
    }
}
