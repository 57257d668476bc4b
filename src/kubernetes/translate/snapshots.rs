//! What every kind becomes, as snapshots: one a file of tests/manifests/kinds, which has the name of the translator that it is for.
//!
//! A snapshot holds the definitions, the questions and every leaf, so that whoever changes a translator sees what else changes.
//! `INSTA_UPDATE=always cargo test --lib kubernetes::translate::snapshots` accepts all; read the diff.

#![allow(clippy::disallowed_methods, reason = "the manifests of a folder are read as they are")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::OnceLock;

use super::{ALL, Translator, addresses};
use crate::fleet::decode::{Cx, Decode as _};
use crate::fleet::schema::host::HostFile;
use crate::kubernetes::Inventory;
use crate::kubernetes::ledger::{Disposition, FieldEntry, ObjectEntry};
use crate::kubernetes::sample::translated;
use crate::kubernetes::write::{Written, write};
use crate::source::{Sources, parse_toml};

/// The host that workloads move to, and its fleet's words for all hosts.
const HOST: &str =
    concat!("channel = \"stable\"\n", include_str!("../../../tests/fleets/migrated/hosts/lufta/host.toml"));

/// Returns the manifests by the name of their file, translated.
fn kinds() -> &'static BTreeMap<String, Inventory> {
    static KINDS: OnceLock<BTreeMap<String, Inventory>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/kinds");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let named = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        paths.map(|path| (named(&path), translated(&std::fs::read_to_string(path).unwrap()))).collect()
    })
}

/// Adds the definitions of an inventory to a host.toml.
fn written(inventory: &Inventory, text: &str) -> Written {
    write(text, &inventory.host, "lufta", Some("rpool")).unwrap()
}

/// Returns all that a reviewer judges.
fn shown(inventory: &Inventory) -> String {
    let written = written(inventory, "");
    let mut out = format!("# definitions\n\n{}\n", written.text.trim());
    for (path, content) in &written.files {
        let text = std::str::from_utf8(content).map_or_else(|_| format!("{} bytes", content.len()), str::to_owned);
        write!(out, "\n# {path}\n\n{}\n", text.trim_end()).unwrap();
    }
    out.push_str("\n# questions\n");
    for question in &inventory.questions {
        let blocks = if question.blocks { " (blocks)" } else { "" };
        write!(out, "\n{}{blocks}\n  {}\n", question.id, question.question).unwrap();
    }
    out.push_str("\n# fields\n");
    for object in &inventory.objects {
        out.push('\n');
        for field in object.fields.iter().flatten() {
            write!(out, "{} {} {}: {}", object.kind, object.name, field.path, field.disposition.as_str()).unwrap();
            if let Some(to) = &field.to {
                write!(out, " {to}").unwrap();
            }
            if let Some(reason) = &field.reason {
                write!(out, " | {}", shortened(inventory, object, reason)).unwrap();
            }
            out.push('\n');
        }
    }
    out
}

/// Returns a reason; one that is a question by its id, of the same object where that asks it too.
fn shortened(inventory: &Inventory, object: &ObjectEntry, reason: &str) -> String {
    let own = format!("/{}/{}#", object.kind, object.name);
    let same = inventory.questions.iter().filter(|question| question.question == reason);
    let question = same.max_by_key(|question| question.id.contains(&own));
    question.map_or_else(|| reason.to_owned(), |question| format!("question {}", question.id))
}

#[test]
fn every_kind_becomes_what_was_reviewed() {
    let mut failed = Vec::new();
    for (name, inventory) in kinds() {
        let text = shown(inventory);
        let outcome = catch_unwind(|| {
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(name.as_str(), text);
            });
        });
        if outcome.is_err() {
            failed.push(name.as_str());
        }
    }
    assert!(failed.is_empty(), "these are not as they were reviewed: {}", failed.join(", "));
}

#[test]
fn every_kind_of_every_api_group_has_a_manifest() {
    let objects = kinds().values().flat_map(|inventory| &inventory.objects);
    let shown: BTreeSet<(&str, &str)> = objects
        .map(|object| (object.kind.as_str(), object.api_version.split_once('/').map_or("", |(group, _)| group)))
        .collect();
    let all: Vec<&Translator> = ALL.iter().copied().chain(addresses::ALL).collect();
    let wanted = all.iter().flat_map(|one| one.groups.iter().map(|group| (one.kind, *group)));
    let missing: Vec<_> = wanted.filter(|one| !shown.contains(one)).collect();
    assert!(missing.is_empty(), "tests/manifests/kinds has no object of {missing:?}");
}

/// Returns the fields of a disposition that are wrong, a line each. `judge` looks at an inventory once.
fn wrong(disposition: Disposition, judge: impl Fn(&Inventory) -> Box<dyn Fn(&FieldEntry) -> bool + '_>) -> String {
    let mut all = BTreeSet::new();
    for (name, inventory) in kinds() {
        let is_right = judge(inventory);
        for object in &inventory.objects {
            let fields = object.fields.iter().flatten().filter(|field| field.disposition == disposition);
            for field in fields.filter(|field| !is_right(field)) {
                let FieldEntry { path, to, reason, .. } = field;
                all.insert(format!("{name}: {} {} {path}: {to:?} {reason:?}\n", object.kind, object.name));
            }
        }
    }
    all.into_iter().collect()
}

#[test]
fn what_is_translated_stands_where_it_is_said_to() {
    let lost = wrong(Disposition::Translated, |inventory| {
        let document = written(inventory, "").text.parse().unwrap();
        Box::new(move |field| field.to.as_deref().is_some_and(|to| stands(&document, to)))
    });
    assert!(lost.is_empty(), "{lost}");
}

#[test]
fn what_waits_for_a_person_is_a_question_or_refers_to_one() {
    let silent = wrong(Disposition::NeedsYou, |inventory| {
        Box::new(|field| {
            let reason = field.reason.as_deref().unwrap_or("");
            let is_asked = inventory.questions.iter().any(|question| question.question == reason);
            is_asked || reason.contains("question") && !inventory.questions.is_empty()
        })
    });
    assert!(silent.is_empty(), "{silent}");
}

#[test]
fn what_is_dropped_says_why_and_what_is_replaced_by_what() {
    assert_eq!(wrong(Disposition::Dropped, |_| Box::new(|field| field.reason.is_some())), "");
    assert_eq!(wrong(Disposition::Replaced, |_| Box::new(|field| field.to.is_some())), "");
}

/// Tells whether a key of the definitions is there: that of a service, or what else has a name of its own.
fn stands(document: &toml_edit::DocumentMut, to: &str) -> bool {
    let at = |route: &[&str]| {
        let mut item = Some(document.as_item());
        for key in route {
            item = item.and_then(|item| item.get(key));
        }
        item.is_some()
    };
    if let Some(rest) = to.strip_prefix("services.") {
        let route: Vec<&str> = std::iter::once("services").chain(rest.split('.').take(2)).collect();
        // A service that is started again when it fails is the default.
        return at(&route) || rest.ends_with(".restart");
    }
    if let Some((pool, name)) = to.strip_prefix("zfs.pools.").and_then(|rest| rest.split_once(".datasets.")) {
        let (name, _) = name.split_once('.').unwrap_or((name, ""));
        return at(&["zfs", "pools", pool, "datasets", name]);
    }
    match to.split_once('.') {
        Some(("filesystems", path)) => at(&["filesystems", path.split_once('.').map_or(path, |(path, _)| path)]),
        Some(("nixos", _)) => at(&["nixos"]),
        Some((first, second)) if matches!(first, "network" | "web") => at(&[first, second]),
        _ => !to.is_empty(),
    }
}

#[test]
fn what_is_written_is_a_host_definition() {
    for (name, inventory) in kinds() {
        let text = written(inventory, HOST).text;
        let mut sources = Sources::default();
        let file = sources.add("hosts/lufta/host.toml", text.as_str());
        let mut found = Vec::new();
        let node = parse_toml(&sources, file, &mut found);
        let host = HostFile::decode(&node, &mut Cx::new(&mut found));
        let said: Vec<String> = found.iter().map(|finding| format!("{finding:?}")).collect();
        assert!(host.is_some() && said.is_empty(), "{name}: {}\n{text}", said.join("\n"));
    }
}
