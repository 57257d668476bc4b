//! The ledger's promise under whatever people write: every leaf has one disposition, the sums are the leaves, and the definitions can
//! be read.

use std::sync::OnceLock;

use proptest::prelude::*;

use crate::check::{Group, check_files, rules};
use crate::facts::Facts;
use crate::kubernetes::draft::HostDraft;
use crate::kubernetes::read::tests::real::files;
use crate::kubernetes::sample::in_world;
use crate::kubernetes::write::write;
use crate::kubernetes::{inventory, load};
use crate::source::{Asset, AssetFile, FleetFiles, Level, Sources};

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
            decodes(&inventory.host);
        },
    );
}

/// The program reads what it writes, into a host that has something already.
fn decodes(draft: &HostDraft) {
    let host = include_str!("../../tests/fleets/migrated/hosts/lufta/host.toml");
    let written = write(host, draft, "lufta", Some("rpool")).unwrap();
    let text = written.text.clone();
    let fleet = include_str!("../../tests/fleets/migrated/fleet.toml").to_owned();
    let fleet = fleet + "\n[clusters.do]\n";
    let mut files = FleetFiles::in_memory([("fleet.toml", fleet), ("hosts/lufta/host.toml", written.text)]);
    for (path, bytes) in written.files {
        files.sources.add_asset(path, Asset::File(AssetFile { bytes: bytes.into(), executable: false }));
    }
    let today = "2026-11-21".parse().unwrap();
    check_files(&mut files, &Facts::embedded(), &[], today, |resolved, outcome, _| {
        let is_input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group == Group::Input);
        let unread =
            outcome.checked.findings.iter().filter(|found| found.level == Level::Error && is_input(found.rule));
        let unread: Vec<String> = unread.map(|found| format!("{}: {}", found.rule, found.message)).collect();
        assert!(unread.is_empty(), "{unread:#?}\n{text}");
        assert!(resolved.is_some_and(|fleet| fleet.hosts.len() == 1), "{text}");
    });
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
