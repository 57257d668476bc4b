//! Migrations carried out to their end: the real program, a machine behind a real OpenSSH server, a cluster that keeps state and
//! restores what is not suspended, and claims that hold what volumes hold after years.

use std::time::Instant;

use super::paper_host::{SYSTEMS, Stage, System};
use super::program::repository;

fn of(host: &str) -> System {
    *SYSTEMS.iter().find(|system| system.host == host).unwrap()
}

/// What is different, for people.
fn differences(wanted: &[String], found: &[String]) -> Vec<String> {
    let missing = wanted.iter().filter(|line| !found.contains(line)).map(|line| format!("there {line}"));
    let more = found.iter().filter(|line| !wanted.contains(line)).map(|line| format!("here  {line}"));
    missing.chain(more).collect()
}

const KINDS: &str = "persistentvolumeclaims,deployments,statefulsets,cronjobs,daemonsets,jobs";

/// What a move came to, for the evidence.
struct Told {
    system: System,
    steps: usize,
    workloads: usize,
    volumes: usize,
    entries: usize,
    bytes: u64,
    kept: usize,
    seconds: u64,
}

/// Moves a system from its first step to its last one.
fn moves(test: &str, system: System) -> Option<Told> {
    let stage = Stage::new(test, system)?;
    let began = Instant::now();
    let before = stage.objects(KINDS);
    let claims = stage.sources();
    let copied = || stage.volumes.iter().filter(|volume| volume.is_copied());
    let wanted: Vec<Vec<String>> = copied().map(|volume| stage.wanted(volume)).collect();
    stage.after_soak();

    // The data is there, whole, and nothing was deleted for it.
    for (volume, wanted) in copied().zip(&wanted) {
        assert!(!wanted.is_empty(), "{}", volume.id);
        assert_eq!(differences(wanted, &stage.arrived(volume)), Vec::<String>::new(), "{}: {}", system.host, volume.id);
    }
    assert_eq!(stage.objects(KINDS), before, "{}: something is gone before the end of the soak", system.host);
    for unit in stage.sandbox.read("machine/etc/starts-at-boot").lines() {
        assert!(stage.here(&format!("run/stand-in/active/{unit}")).exists(), "{}: {unit} does not run", system.host);
    }

    let over = stage.apply(&[]);
    assert_eq!(over.status, 0, "{}\n{}", over.out, over.err);
    let destroyed: Vec<String> = stage
        .steps
        .iter()
        .flat_map(|step| step["destroys"].as_array().cloned().unwrap_or_default())
        .map(|what| what.as_str().unwrap().to_owned())
        .collect();
    let is_destroyed = |object: &str| {
        let (kind, name) = object.split_once(' ').unwrap();
        destroyed.iter().any(|what| match what.split_once(':') {
            Some(("claim", claim)) => kind == "PersistentVolumeClaim" && claim == name,
            Some(("workload", workload)) => {
                let parts: Vec<&str> = workload.split('/').collect();
                parts[2] == kind && format!("{}/{}", parts[1], parts[3]) == name
            }
            _ => false,
        })
    };
    let left: Vec<String> = before.iter().filter(|object| !is_destroyed(object)).cloned().collect();
    assert_eq!(before.len() - left.len(), destroyed.len(), "{}: {destroyed:?} of {before:?}", system.host);
    let _ = stage.kubectl("stand-in tick 20");
    assert_eq!(stage.objects(KINDS), left, "{}", system.host);
    // Storage goes with a claim where that was the policy before; else it stays for somebody to free.
    for (claim, folder, policy) in &claims {
        let goes = is_destroyed(&format!("PersistentVolumeClaim {claim}")) && policy == "Delete";
        assert_eq!(folder.exists(), !goes, "{}: {claim}, whose policy was {policy}", system.host);
    }

    // The journal tells of every step, and there is nothing left to do.
    let journal = stage.journal();
    for step in &stage.steps {
        let id = step["id"].as_str().unwrap();
        assert!(journal.contains(&format!("\"what\":\"done\",\"step\":\"{id}\"")), "{}: {id}", system.host);
    }
    assert!(journal.lines().last().unwrap().contains("\"closed\""), "{journal}");
    let _ = stage.apply(&[]).ends(0).says("complete");
    assert_eq!(stage.objects(KINDS), left);

    let (entries, bytes) = copied().map(|volume| stage.record(volume)).fold((0, 0), |(entries, bytes), record| {
        let of = |key: &str| record[key].as_u64().unwrap();
        (entries + of("files") + of("folders") + of("links"), bytes + of("bytes"))
    });
    Some(Told {
        system,
        steps: stage.steps.len(),
        workloads: destroyed.iter().filter(|what| what.starts_with("workload:")).count(),
        volumes: stage.volumes.len(),
        entries: usize::try_from(entries).unwrap(),
        bytes,
        kept: left.iter().filter(|object| object.starts_with("PersistentVolumeClaim")).count(),
        seconds: began.elapsed().as_secs(),
    })
}

#[test]
fn a_system_moves_from_the_first_look_at_its_cluster_to_its_last_volume() {
    let test = "a_system_moves_from_the_first_look_at_its_cluster_to_its_last_volume";
    let _ = moves(test, of("haven"));
}

/// Takes minutes: runs with `HOSTWRIGHT_ALL=yes`, which may name hosts instead.
#[test]
fn every_system_moves_from_the_first_look_at_its_cluster_to_its_last_volume() {
    let test = "every_system_moves_from_the_first_look_at_its_cluster_to_its_last_volume";
    let chosen = std::env::var("HOSTWRIGHT_ALL").unwrap_or_default();
    if chosen.is_empty() {
        eprintln!("skipped: {test}: HOSTWRIGHT_ALL=yes runs it");
        return;
    }
    let is_chosen = |system: &&System| chosen == "yes" || chosen.split(',').any(|host| host == system.host);
    let told: Vec<Told> = SYSTEMS.iter().filter(is_chosen).filter_map(|system| moves(test, *system)).collect();
    if told.len() == SYSTEMS.len() && std::env::var("UPDATE").is_ok() {
        let mut text = EVIDENCE.to_owned();
        for one in &told {
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                one.system.host, one.steps, one.workloads, one.volumes, one.entries, one.bytes, one.kept, one.seconds
            ));
        }
        std::fs::write(repository().join("docs/evidence/moves.md"), text + REFUSED).unwrap();
    }
}

const EVIDENCE: &str = "# Migrations that were carried out to their end

`HOSTWRIGHT_ALL=yes UPDATE=1 cargo test --test it moved::every` writes this page. Each row is a system that left its cluster: `hostwright apply` from the
first look at the cluster to the last volume, over a real OpenSSH server, to a machine that is a folder. The cluster is the stand-in of
tests/kubectl with the fleet's manifests; what plans ask NixOS, ZFS and the loader is played by tests/host; PostgreSQL is real on both sides. The machine
has its system already: how one is installed is not part of this. Claims hold what tests/migrate/claim.py makes: accounts by number, setuid
and sticky, times with nanoseconds and before 1970, extended attributes, ACLs, capabilities, sparse files, hard links, fifos, names that are no UTF-8.
tests/migrate/print.py, which knows nothing of the scripts, compares both sides.

| host | steps | workloads deleted | volumes moved | entries compared | bytes compared | claims kept | seconds |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

const REFUSED: &str = "
Claims are kept where the definition says `leave`, or where nobody moves them; all others of the table are gone with the storage whose policy was
`Delete`. Twenty rounds of the controllers later nothing had come back, and `apply` had nothing left to do.

## What was refused, with nothing deleted

Each by a test of tests/it/moved_refused.rs, on the first of these systems with Flux, Argo CD and an autoscaler over its workload.

| what was done | what refused it |
| --- | --- |
| one byte changed on the host after the last copy, size and time as before | `verify-…`: the file's name |
| the snapshot of the data fails | `snapshot-after-data` |
| the drill of the backup fails | `backup-drill-…` |
| the soak is not over: plain, a day later, `--until` the decommission | it waits |
| the same with `--from` the decommission or the confirmation, `--confirm soak` | status 2: gates are not stepped over |
| one byte changed in the claim after the comparison, time set back; a new file | before `decommission-…`: the files' names |
| a Kustomization of Flux resumed, an Application of Argo CD with selfHeal again | before `decommission-…`: its name |
| the workload scaled up by hand, and down again | before `decommission-…`: the workload, and that it was changed |
| the context leads to another cluster with the same objects; is gone; the cluster does not answer | before `decommission-…`: which of the three |
";
