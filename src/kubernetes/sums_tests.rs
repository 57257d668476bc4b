//! The ledger's promise under whatever people write: every leaf has one disposition, and the sums are the leaves.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::read::tests::real::files;
use super::sample::in_world;
use super::{inventory, load};
use crate::source::Sources;

/// Manifests of our own, which are always there.
const OWN: &[&str] =
    &[include_str!("../../tests/manifests/tour/feeds.yaml"), include_str!("../../tests/manifests/tour/cache.yaml")];

/// Words that are wrong nearly everywhere.
const WORDS: &[&str] = &[
    "",
    "null",
    "{}",
    "[]",
    "-1",
    "0x10",
    "1e3",
    "${NAME}",
    "'",
    "yes",
    "18446744073709551616",
    "[a, {b: c}]",
    "../..",
    "é",
];

/// One edit: which line, what is done with it, which word is put there.
type Edit = (prop::sample::Index, u8, prop::sample::Index);

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (at, how, word) in edits {
        if lines.is_empty() {
            break;
        }
        let at = at.index(lines.len());
        let line = lines[at].clone();
        match how % 5 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line),
            2 => {
                if let Some((key, _)) = line.split_once(": ") {
                    lines[at] = format!("{key}: {}", WORDS[word.index(WORDS.len())]);
                }
            }
            3 => {
                let other = word.index(lines.len());
                lines.swap(at, other);
            }
            _ => lines[at] = line.replacen("- ", "  ", 1),
        }
    }
    lines.join("\n")
}

fn adds_up(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("k8s/all.yaml", text);
    let world = load::load(&sources, &[file]).world;
    in_world(
        &world,
        |_| {},
        |world, target| {
            let inventory = inventory(world, target, true).unwrap();
            let totals = inventory.totals;
            assert_eq!(totals.leaves, totals.translated + totals.replaced + totals.dropped + totals.needs_you);
            for object in &inventory.objects {
                assert_eq!(object.fields.as_ref().map(Vec::len), Some(object.leaves), "{}", object.name);
            }
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn dispositions_add_up_to_the_leaves_whatever_is_edited(
        file in any::<prop::sample::Index>(),
        edits in prop::collection::vec(any::<Edit>(), 1..12),
    ) {
        static REAL: OnceLock<Vec<(String, String)>> = OnceLock::new();
        let real = REAL.get_or_init(files);
        let count = OWN.len() + real.len();
        let chosen = file.index(count);
        let text = OWN.get(chosen).map_or_else(|| real[chosen - OWN.len()].1.clone(), |own| (*own).to_owned());
        adds_up(&edited(&text, &edits));
    }
}
