//! What `migrate` counts over the manifests of real clusters: against another program that counts, and as a share.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::compile::root;
use super::migrated::{judged, manifests, name_of, systems};
use super::program::Sandbox;

/// Kinds that run containers.
const WORKLOADS: [&str; 8] =
    ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet", "ReplicationController"];

/// Returns the inventory of a system.
fn inventory(system: &Path, words: &[&str]) -> Value {
    let sandbox = Sandbox::empty();
    let mut all = vec!["migrate", system.to_str().unwrap(), "--format", "json"];
    all.extend(words);
    let run = sandbox.run(&all);
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{}: {why}\n{}", system.display(), run.err))
}

/// Tells whether Python is there with PyYAML, or says that the test is skipped.
fn has_pyyaml(test: &str) -> bool {
    let is_there =
        Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: {test}: there is no python3 with PyYAML");
    }
    is_there
}

/// Objects of a file, as (kind, name, leaves).
type Counts = BTreeMap<String, Vec<(String, String, u64)>>;

fn counted(system: &Path, files: &[String]) -> (Counts, Vec<String>) {
    let output = Command::new("python3").arg(root().join("tests/count_leaves.py")).args(files).output().unwrap();
    assert!(output.status.success(), "{}: {}", system.display(), String::from_utf8_lossy(&output.stderr));
    let (mut counts, mut refused) = (Counts::new(), Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if let Some(file) = row["refused"].as_str() {
            refused.push(file.to_owned());
            continue;
        }
        let text = |at: usize| row[at].as_str().unwrap().to_owned();
        counts.entry(text(0)).or_default().push((text(3), text(5), row[6].as_u64().unwrap()));
    }
    (counts, refused)
}

fn files_of(system: &Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(system).into_iter().map(|entry| entry.unwrap().into_path());
    let files = files.filter(|path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        path.is_file() && ending.is_some_and(|ending| ["yaml", "yml", "json"].contains(&ending.as_str()))
    });
    files.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn another_program_counts_the_same_leaves_of_every_object() {
    let test = "another_program_counts_the_same_leaves_of_every_object";
    let Some(manifests) = manifests(test) else { return };
    if !has_pyyaml(test) {
        return;
    }
    let mut all = systems(&manifests, "seeds");
    all.extend(systems(&manifests, "wide"));
    let objects = std::sync::atomic::AtomicUsize::new(0);
    let said = judged(&all, |system| {
        let read = inventory(system, &["--summary"]);
        let mut own = Counts::new();
        for object in read["objects"].as_array().unwrap() {
            let text = |key: &str| object[key].as_str().unwrap().to_owned();
            let one = (text("kind"), text("name"), object["leaves"].as_u64().unwrap());
            own.entry(text("file")).or_default().push(one);
        }
        let refused: Vec<&str> =
            read["refused"].as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap()).collect();
        let files = files_of(system);
        let (theirs, unread) = counted(system, &files);
        let mut said: Vec<String> = unread
            .into_iter()
            .filter(|file| !refused.contains(&file.as_str()))
            .map(|file| format!("{file} is read here alone"))
            .collect();
        for file in files.iter().filter(|file| !refused.contains(&file.as_str())) {
            let (own, theirs) = (own.get(file), theirs.get(file));
            objects.fetch_add(own.map_or(0, Vec::len), std::sync::atomic::Ordering::Relaxed);
            if own != theirs {
                said.push(format!("{file}: {own:?} here, {theirs:?} there"));
            }
        }
        (!said.is_empty()).then(|| said.join("\n"))
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
    eprintln!("{} objects of {} systems have the same leaves", objects.into_inner(), all.len());
}

#[test]
fn the_dispositions_of_every_object_add_up_to_its_leaves() {
    let Some(manifests) = manifests("the_dispositions_of_every_object_add_up_to_its_leaves") else { return };
    let mut all = systems(&manifests, "seeds");
    all.extend(systems(&manifests, "wide"));
    let said = judged(&all, |system| {
        let read = inventory(system, &[]);
        let objects = read["objects"].as_array().unwrap();
        let wrong = objects
            .iter()
            .filter(|object| object["leaves"].as_u64().unwrap() != object["fields"].as_array().unwrap().len() as u64);
        let totals = &read["totals"];
        let sum: u64 =
            ["translated", "replaced", "dropped", "needs_you"].map(|key| totals[key].as_u64().unwrap()).iter().sum();
        let said: Vec<String> = wrong.map(|object| format!("{} {}", object["kind"], object["name"])).collect();
        let is_whole = said.is_empty() && totals["leaves"].as_u64() == Some(sum);
        (!is_whole).then(|| format!("{}: {totals} {}", name_of(system), said.join(", ")))
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// Returns how many leaves of workloads there are, and how many of them are translated or replaced.
fn share(system: &Path) -> (usize, usize) {
    let read = inventory(system, &[]);
    let workloads = |object: &&Value| WORKLOADS.contains(&object["kind"].as_str().unwrap());
    let objects = read["objects"].as_array().unwrap().iter().filter(workloads);
    let fields: Vec<&Value> = objects.flat_map(|object| object["fields"].as_array().unwrap()).collect();
    let carried =
        fields.iter().filter(|field| field["disposition"] == "translated" || field["disposition"] == "replaced");
    (fields.len(), carried.count())
}

#[test]
fn most_leaves_of_workloads_are_translated_or_replaced() {
    let Some(manifests) = manifests("most_leaves_of_workloads_are_translated_or_replaced") else { return };
    for part in ["seeds", "wide"] {
        let (mut leaves, mut carried) = (0, 0);
        for system in systems(&manifests, part) {
            let (all, own) = share(&system);
            if let Some(share) = (own * 1000).checked_div(all) {
                eprintln!("{part}/{}: {own} of {all}, {share} per mille", name_of(&system));
            }
            leaves += all;
            carried += own;
        }
        let share = carried * 1000 / leaves.max(1);
        eprintln!("{part}: {carried} of {leaves} leaves of workloads, {share} per mille");
        assert!(part == "wide" || share >= 700, "{share} per mille");
    }
}
