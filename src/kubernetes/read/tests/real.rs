//! Real manifests, where there are any: their folder is named by `HOSTWRIGHT_MANIFESTS`.

#![allow(clippy::disallowed_methods, reason = "real manifests are found by a variable and read as they are")]

use std::path::{Path, PathBuf};

use super::*;

pub(crate) fn files() -> Vec<(String, String)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/kubernetes");
    let folder = std::env::var_os("HOSTWRIGHT_MANIFESTS").map_or(beside, PathBuf::from);
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let is_manifest = entry.path().extension().is_some_and(|end| end == "yaml" || end == "json");
        let name = entry.path().strip_prefix(&folder).unwrap_or(entry.path()).display().to_string();
        if is_manifest {
            files.push((name.replace("--", "/"), decode(std::fs::read(entry.path()).unwrap()).unwrap()));
        }
    }
    files
}

#[test]
fn both_readers_agree_about_real_manifests_and_most_need_only_the_fast_one() {
    let (mut documents, mut fast) = (0, 0);
    for (_, text) in files() {
        for range in split::documents(&text, 0) {
            documents += 1;
            fast += usize::from(block::document(&text, &range, &mut Vec::new()).is_ok());
        }
        both_agree(&text);
    }
    assert!(fast * 10 >= documents * 7, "{fast} of {documents}");
}

#[test]
fn real_files_are_refused_only_for_what_they_are() {
    let mut refused = Vec::new();
    let mut leaves = 0;
    for (path, text) in files() {
        let mut sources = Sources::default();
        let file = sources.add(path.clone(), text);
        let mut read = read(&sources, file);
        for refusal in &read.refused {
            let at = sources.position(refusal.place);
            refused.push(format!("{path}:{}:{} {}; {:?}", at.line, at.column, refusal.reason, refusal.help));
        }
        for document in &mut read.documents {
            let counted = document.root.number(0) as usize;
            assert_eq!(counted, counted_leaves(&document.root));
            leaves += counted;
        }
    }
    assert!(leaves > 0 || files().is_empty());
    let broken = refused.iter().filter(|line| !line.contains("template, no manifest"));
    let broken: std::collections::BTreeSet<_> = broken.filter_map(|line| line.split(':').next()).collect();
    assert!(broken.len() <= 2, "{broken:#?}");
}

/// Counts leaves by the paths that are visited.
fn counted_leaves(root: &Node<'_>) -> usize {
    let mut paths = std::collections::BTreeSet::new();
    root.each_leaf(&mut |path, _| {
        paths.insert(path.to_owned());
    });
    paths.len()
}

const BITS: &[&str] = &[
    ":", "- ", "\n", " ", "\t", "'", "\"", "[", "]", "{", "}", "|", ">", "&a ", "*a", "!!str ", "#", "---\n", "...",
    "? ", "%", "\\", "<<: ", "\r", "\u{feff}", "é", "\0", ", ", "|2-", ">+",
];

#[test]
fn random_edits_of_real_manifests_never_panic() {
    let files: Vec<_> = files().into_iter().filter(|(_, text)| text.len() < 20_000).collect();
    let rounds: usize = std::env::var("HOSTWRIGHT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    };
    for round in 0..rounds {
        for (path, text) in &files {
            let mut letters: Vec<char> = text.chars().collect();
            for _ in 0..=random(4) {
                let at = random(letters.len() + 1);
                match random(3) {
                    0 => drop(letters.drain(at..(at + random(8)).min(letters.len()))),
                    1 => drop(letters.splice(at..at, BITS[random(BITS.len())].chars())),
                    _ => {
                        let from = random(letters.len() + 1);
                        let part = letters[from..(from + random(40)).min(letters.len())].to_vec();
                        letters.splice(at..at, part);
                    }
                }
            }
            let edited: String = letters.into_iter().collect();
            let result = std::panic::catch_unwind(|| {
                let _ = read_as(path, &edited);
                both_agree(&edited);
            });
            assert!(result.is_ok(), "round {round}: {path}: {edited:?}");
        }
    }
}
