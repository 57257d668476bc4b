//! What a migration refuses, with nothing deleted: the same machine and cluster as in `moved`, carried up to the end of the soak once,
//! and spoiled there by one test after the other.
//!
//! What can only be seen on the way is done on the way: the story keeps what was said, and its tests look at that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::paper_host::{SYSTEMS, Stage, Volume};
use super::program::Run;

/// What delivers the workload, twice over, and what scales it.
const RESTORERS: &str = r"
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: pubs, namespace: flux-system }
spec: { interval: 10m, path: ./pubs, prune: true }
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: garden, namespace: argocd }
spec: { source: { path: garden }, syncPolicy: { automated: { selfHeal: true, prune: true } } }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: pub, namespace: scuttlebutt }
spec: { minReplicas: 1, maxReplicas: 3, scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: pub } }
";

const DELIVERED: &str = "  name: pub\n  namespace: scuttlebutt\n  \
    labels: { kustomize.toolkit.fluxcd.io/name: pubs, kustomize.toolkit.fluxcd.io/namespace: flux-system }\n  \
    annotations: { argocd.argoproj.io/tracking-id: \"garden:apps/Deployment:scuttlebutt/pub\" }\n\
    spec:\n  replicas: 1";

const KINDS: &str = "persistentvolumeclaims,persistentvolumes,deployments,kustomizations,applications";

/// A move that has come to the end of its soak.
struct Story {
    stage: Stage,
    /// What was there before the first step.
    all: Vec<String>,
    /// What runs came to on the way, and what was there afterwards.
    told: BTreeMap<&'static str, (Run, Vec<String>)>,
}

/// The one story of all tests here; none where this machine cannot play it.
static STORY: OnceLock<Option<Mutex<Story>>> = OnceLock::new();

/// Runs a test on the story, one after the other.
fn on_story(test: &str, look: impl FnOnce(&Story)) {
    let story = STORY.get_or_init(|| Story::new(test).map(Mutex::new));
    if let Some(story) = story {
        look(&story.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Story {
    fn new(test: &str) -> Option<Self> {
        let haven = *SYSTEMS.iter().find(|system| system.host == "haven").unwrap();
        let stage = Stage::with(test, haven, |sandbox| {
            sandbox.write("k8s/restorers.yaml", RESTORERS);
            let allowed = "allow = [{ rule = \"gitops-will-restore\", reason = \"the plan suspends what delivers it\" }]\nimports =";
            sandbox.edit("hosts/haven/host.toml", "imports =", allowed);
            let files = fs::read_dir(sandbox.path().join("k8s")).unwrap();
            let is_it = |path: &PathBuf| {
                fs::read_to_string(path).unwrap().contains("kind: Deployment\nmetadata:\n  name: pub\n")
            };
            let path = files.map(|entry| entry.unwrap().path()).find(is_it).unwrap();
            let name = format!("k8s/{}", path.file_name().unwrap().to_str().unwrap());
            let old = "kind: Deployment\nmetadata:\n  name: pub\n  namespace: scuttlebutt\nspec:\n  replicas: 1";
            sandbox.edit(&name, old, &format!("kind: Deployment\nmetadata:\n{DELIVERED}"));
        })?;
        stage.goes_with_this_process();
        let all = stage.objects(KINDS);
        let mut story = Self { stage, all, told: BTreeMap::new() };
        story.goes_on();
        Some(story)
    }

    fn volume(&self) -> &Volume {
        &self.stage.volumes[0]
    }

    fn tell(&mut self, what: &'static str, options: &[&str]) {
        let run = self.stage.apply(options);
        let there = self.stage.objects(KINDS);
        self.told.insert(what, (run, there));
    }

    /// Carries the move to the end of the soak, with all that can go wrong before.
    fn goes_on(&mut self) {
        let id = self.volume().id.clone();
        let _ = self.stage.apply(&[]).ends(3).says("waiting  wait-dns-ttl");
        self.stage.pass("wait-dns-ttl", self.stage.lasts("wait-dns-ttl").unwrap());
        let copied = self.stage.apply(&["--until", &format!("final-copy-{id}")]);
        assert_eq!(copied.status, 0, "{}\n{}", copied.out, copied.err);

        // Another byte of the same size at the same time: nothing but its content tells.
        let file = self.stage.here(self.volume().of("to")).join("gossip.json");
        spoil(&file);
        self.tell("one byte", &[]);
        let _ = self.stage.sh(&format!("sh out/hosts/haven/migrate/move.sh {id} final"));

        for (what, file) in [("snapshot", "zfs-snapshot"), ("drill", "hostwright-drill-offsite.service")] {
            let fails = format!("machine/etc/fails/{file}");
            self.stage.sandbox.write(&fails, "");
            self.tell(what, &[]);
            fs::remove_file(self.stage.sandbox.path().join(&fails)).unwrap();
        }

        self.tell("soak", &[]);
        self.stage.pass("soak", 86_400);
        self.tell("soak, a day later", &[]);
        self.tell("from the decommission", &["--from", "decommission-pub"]);
        self.tell("from the confirmation", &["--from", "confirm-decommission"]);
        self.tell("until the decommission", &["--until", "decommission-pub"]);
        self.tell("confirm the soak", &["--confirm", "soak"]);
        self.stage.pass("soak", self.stage.lasts("soak").unwrap());
    }

    /// Asserts that a run on the way ended so, said so, and left everything where it was.
    #[track_caller]
    fn told(&self, what: &str, status: i32, says: &str) {
        let (run, there) = &self.told[what];
        assert_eq!(run.status, status, "{}\n{}", run.out, run.err);
        assert!(run.out.contains(says) || run.err.contains(says), "no {says:?} in\n{}\n{}", run.out, run.err);
        assert_eq!(there, &self.all);
    }

    /// Asserts that the plan goes no further now, with these words, and that nothing was deleted.
    #[track_caller]
    fn refuses(&self, says: &[&str]) {
        let run = self.stage.apply(&[]);
        assert_eq!(run.status, 3, "{}\n{}", run.out, run.err);
        assert!(run.err.contains("step decommission-pub failed"), "{}\n{}", run.out, run.err);
        assert!(run.err.contains("nothing of it was run"), "{}", run.err);
        for says in says {
            assert!(run.err.contains(says), "no {says:?} in\n{}", run.err);
        }
    }

    fn is_whole(&self) {
        assert_eq!(self.stage.objects(KINDS), self.all);
        assert!(self.stage.folder_of(&self.volume().claim()).join("secret").exists());
    }

    /// Stops the workload again as a person does who has found out why it came back.
    fn stops_again(&self) {
        let words = "do-nyc1-pub scuttlebutt Deployment pub state/haven/migrate/stopped-pub ssb-data";
        let _ = self.stage.kubectl("--namespace=scuttlebutt scale deployment/pub --replicas=0");
        let _ = self.stage.sh(&format!("sh out/hosts/haven/migrate/stopped.sh begin {words}"));
        let _ = self.stage.sh(&format!("sh out/hosts/haven/migrate/move.sh {} seal", self.volume().id));
    }
}

/// Changes one byte and nothing else that a listing shows.
fn spoil(file: &Path) {
    let before = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    bytes[4711] ^= 1;
    fs::write(file, bytes).unwrap();
    fs::File::options().append(true).open(file).unwrap().set_modified(before).unwrap();
}

#[test]
fn one_byte_that_differs_after_the_last_copy_ends_the_move_and_nothing_is_deleted() {
    on_story("one_byte_that_differs_after_the_last_copy_ends_the_move_and_nothing_is_deleted", |story| {
        story.told("one byte", 3, "gossip.json: other bytes");
        story.told("one byte", 3, "step verify-scuttlebutt-ssb-data failed");
    });
}

#[test]
fn a_snapshot_that_fails_lets_nothing_be_deleted() {
    on_story("a_snapshot_that_fails_lets_nothing_be_deleted", |story| {
        story.told("snapshot", 3, "step snapshot-after-data failed");
    });
}

#[test]
fn a_backup_that_does_not_come_back_lets_nothing_be_deleted() {
    on_story("a_backup_that_does_not_come_back_lets_nothing_be_deleted", |story| {
        story.told("drill", 3, "step backup-drill-haven failed");
    });
}

#[test]
fn nothing_leads_past_a_soak_that_is_not_over() {
    on_story("nothing_leads_past_a_soak_that_is_not_over", |story| {
        story.told("soak", 3, "waiting  soak");
        story.told("soak, a day later", 3, "waiting  soak");
        story.told("from the decommission", 2, "would step over the gate `soak`, which has not passed");
        story.told("from the confirmation", 2, "would step over the gate `soak`, which has not passed");
        story.told("until the decommission", 3, "waiting  soak");
        story.told("confirm the soak", 2, "`soak` is nothing that a person confirms");
    });
}

#[test]
fn whoever_writes_to_the_claim_after_the_comparison_is_found_before_anything_is_deleted() {
    on_story("whoever_writes_to_the_claim_after_the_comparison_is_found_before_anything_is_deleted", |story| {
        let folder = story.stage.folder_of(&story.volume().claim());
        spoil(&folder.join("secret"));
        fs::write(folder.join("a new file"), "x").unwrap();
        story.refuses(&[
            "secret: was changed",
            "a new file: is new",
            "are not as they were when the copy was verified",
        ]);
        story.is_whole();
        let _ = story.stage.sh(&format!("sh out/hosts/haven/migrate/move.sh {} seal", story.volume().id));
    });
}

#[test]
fn a_restorer_that_is_resumed_is_refused_by_its_name() {
    on_story("a_restorer_that_is_resumed_is_refused_by_its_name", |story| {
        let patch = |object: &str, patch: &str| {
            let _ = story.stage.kubectl(&format!("{object} --type=merge '--patch={patch}'"));
        };
        let flux = "--namespace=flux-system patch kustomizations.kustomize.toolkit.fluxcd.io/pubs";
        let argo = "--namespace=argocd patch applications.argoproj.io/garden";
        patch(flux, r#"{"spec":{"suspend":false}}"#);
        story.refuses(&["kustomizations.kustomize.toolkit.fluxcd.io/pubs"]);
        story.is_whole();
        patch(flux, r#"{"spec":{"suspend":true}}"#);
        // Suspended again, and what it has started meanwhile is found all the same.
        story.refuses(&["deployment/pub"]);
        story.stops_again();
        patch(argo, r#"{"spec":{"syncPolicy":{"automated":{"selfHeal":true}}}}"#);
        story.refuses(&["applications.argoproj.io/garden"]);
        patch(argo, r#"{"spec":{"syncPolicy":{"automated":null}}}"#);
        story.stops_again();
        story.is_whole();
    });
}

#[test]
fn a_workload_that_somebody_started_is_refused_by_its_name() {
    on_story("a_workload_that_somebody_started_is_refused_by_its_name", |story| {
        let _ = story.stage.kubectl("--namespace=scuttlebutt scale deployment/pub --replicas=1");
        story.refuses(&["it came back: deployment/pub wants 1 replicas"]);
        // Started and stopped again, so that nothing of it is seen.
        let _ = story.stage.kubectl("--namespace=scuttlebutt scale deployment/pub --replicas=0");
        let _ = story.stage.kubectl("stand-in tick 5");
        story.refuses(&["somebody has changed deployment/pub since it was stopped"]);
        story.is_whole();
        story.stops_again();
    });
}

#[test]
fn a_context_that_leads_elsewhere_nowhere_or_to_silence_is_refused_before_harm() {
    on_story("a_context_that_leads_elsewhere_nowhere_or_to_silence_is_refused_before_harm", |story| {
        let clusters = story.stage.sandbox.path().join("clusters");
        let (own, aside, other) = (clusters.join("do-nyc1-pub"), clusters.join("aside"), clusters.join("other"));
        fs::create_dir_all(&other).unwrap();
        let _ = story.stage.sh("kubectl --context=other stand-in load k8s");
        let _ = story.stage.sh("kubectl --context=other --namespace=scuttlebutt scale deployment/pub --replicas=0");
        fs::rename(&own, &aside).unwrap();
        fs::rename(&other, &own).unwrap();
        let there = story.stage.objects(KINDS);
        story.refuses(&["the context do-nyc1-pub leads to another cluster than the one that this plan began with"]);
        assert_eq!(story.stage.objects(KINDS), there, "nothing was deleted there");
        fs::remove_dir_all(&own).unwrap();
        story.refuses(&["kubectl has no context do-nyc1-pub"]);
        fs::rename(&aside, &own).unwrap();
        fs::write(own.join("cluster.json"), r#"{"unreachable": true}"#).unwrap();
        story.refuses(&["the cluster behind the context do-nyc1-pub does not answer", "refused"]);
        fs::remove_file(own.join("cluster.json")).unwrap();
        story.is_whole();
    });
}
