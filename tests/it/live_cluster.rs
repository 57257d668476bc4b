//! A cluster that is read live, through a stand-in for kubectl that keeps state (tests/kubectl): what comes of it equals what the same
//! objects give as files, and whatever goes wrong is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::compile::{TODAY, root};
use super::json_schema::faults;
use super::migrated::base;
use super::program::{Run, Sandbox};

/// A fleet with a cluster `home`, whose context is `home` too.
struct Lab {
    fleet: Sandbox,
    path: String,
    state: String,
}

/// Returns the Python that runs the stand-in, or says that the test is skipped.
fn python(test: &str) -> Option<String> {
    let output = Command::new("python3").args(["-c", "import sys, yaml; print(sys.executable)"]).output();
    let found = output.ok().filter(|output| output.status.success());
    if found.is_none() {
        eprintln!("skipped: {test}: there is no python3 with PyYAML");
    }
    found.map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

impl Lab {
    fn new(test: &str, settings: &Value) -> Option<Self> {
        let python = python(test)?;
        let fleet = base();
        let text = fleet.read("fleet.toml");
        fleet.write("fleet.toml", format!("{text}\n[clusters.home]\ncontext = \"home\"\n"));
        fleet.write(
            "bin/kubectl",
            format!(
                "#!/bin/sh\nPYTHONPYCACHEPREFIX={}/pycache exec {python} {}/tests/kubectl/kubectl \"$@\"\n",
                fleet.path().display(),
                root().display()
            ),
        );
        let program = fleet.path().join("bin/kubectl");
        #[cfg(unix)]
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let state = fleet.path().join("state").display().to_string();
        let lab = Self { fleet, path, state };
        lab.settings(settings);
        Some(lab)
    }

    /// Only kinds with objects are listed unless a test needs all: each kind is a process.
    fn settings(&self, settings: &Value) {
        let mut settings = settings.clone();
        settings.as_object_mut().unwrap().entry("few").or_insert(Value::Bool(true));
        self.fleet.write("state/home/cluster.json", settings.to_string());
        self.fleet.write("state/current-context", "home");
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.fleet.path().join("bin/kubectl"))
            .args(arguments)
            .env("HOSTWRIGHT_KUBECTL_STATE", &self.state)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn load(&self, manifests: &Path) {
        self.kubectl(&["stand-in", "load", manifests.to_str().unwrap()]);
    }

    fn load_text(&self, text: &str) {
        self.fleet.write("objects.yaml", text);
        self.load(&self.fleet.path().join("objects.yaml"));
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.fleet.run_with(&[("PATH", &self.path), ("HOSTWRIGHT_KUBECTL_STATE", &self.state)], arguments)
    }

    /// Runs `migrate` with words and returns the document, which its schema describes.
    fn inventory(&self, words: &[&str], status: i32) -> Value {
        let mut all = vec!["migrate", "--format", "json", "--today", TODAY];
        all.extend(words);
        let run = self.run(&all).ends(status);
        let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}\n{}", run.out, run.err));
        let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/migrate.json")).unwrap();
        assert_eq!(faults(&schema, &document), Vec::<String>::new());
        document
    }

    /// Returns the reasons of what was refused.
    fn refused(document: &Value) -> Vec<String> {
        document["refused"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
    }
}

/// Our own manifests, each a small cluster.
fn trees() -> Vec<PathBuf> {
    ["manifests/forge", "manifests/services", "manifests/tour"].map(|path| root().join("tests").join(path)).to_vec()
}

/// Takes out of a document what says where it was read: places, and the order which follows from them.
fn without_places(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["file", "line", "column", "files", "reading"] {
                map.remove(key);
            }
            map.values_mut().for_each(without_places);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(without_places);
            items.sort_by_cached_key(ToString::to_string);
        }
        _ => {}
    }
}

/// Asserts that two inventories differ in nothing but places, and names the first difference.
#[track_caller]
fn equal(one: &Value, other: &Value, what: &str) {
    let (mut one, mut other) = (one.clone(), other.clone());
    without_places(&mut one);
    without_places(&mut other);
    for (key, value) in one.as_object().unwrap() {
        if let (Some(items), Some(others)) = (value.as_array(), other[key].as_array()) {
            let missing: Vec<&Value> = items.iter().filter(|item| !others.contains(item)).collect();
            assert!(missing.is_empty(), "{what}: {key}: {missing:?}\nnot among {others:?}");
        }
        assert_eq!(value, &other[key], "{what}: {key}");
    }
    assert_eq!(one, other, "{what}");
}

/// Returns the services of an inventory's definitions.
fn services(document: &Value) -> toml::Table {
    let toml: toml::Table = document["definitions"]["toml"].as_str().unwrap().parse().unwrap();
    toml["services"].as_table().unwrap().clone()
}

#[test]
fn the_live_read_equals_the_manifests_that_run_there() {
    for tree in trees() {
        let Some(lab) = Lab::new("live read", &json!({ "plain": true })) else { return };
        lab.load(&tree);
        let [mut live, mut files] = [&["--cluster", "home"][..], &[tree.to_str().unwrap()]]
            .map(|words| lab.inventory(&[words, &["--host", "lufta"]].concat(), 0));
        assert_eq!(live["reading"]["context"], "home");
        assert_eq!(services(&live), services(&files), "{}", tree.display());
        // Comments of the definitions name places.
        for document in [&mut live, &mut files] {
            document.as_object_mut().unwrap().remove("definitions");
        }
        equal(&files, &live, &tree.display().to_string());
    }
}

#[test]
fn what_a_server_adds_changes_no_definition_and_what_was_saved_is_read_as_the_cluster_was() {
    for tree in trees() {
        let Some(lab) = Lab::new("saved read", &json!({ "used": { "git/forge-data": 7_000_000 } })) else { return };
        lab.load(&tree);
        lab.kubectl(&["stand-in", "tick", "3"]);
        let mut live = lab.inventory(&["--cluster", "home", "--save", "k8s", "--host", "lufta"], 0);
        let saved = lab.inventory(&["k8s", "--metrics", "k8s/used.txt", "--host", "lufta"], 0);
        live.as_object_mut().unwrap().remove("reading");
        let rename = |document: &Value| document.to_string().replace("cluster:home/", "k8s/");
        assert!(rename(&live) == rename(&saved), "{}", tree.display());
        let files = lab.inventory(&[tree.to_str().unwrap(), "--host", "lufta"], 0);
        let [live, files] = [&live, &files].map(|document| {
            let mut all = services(document);
            for (_, service) in &mut all {
                // What the cluster knows of the volume that was made for a claim is more than the claim says.
                service.as_table_mut().unwrap().remove("migrates-from");
            }
            all
        });
        assert_eq!(live, files, "{}", tree.display());
    }
}

#[test]
fn a_folder_that_is_saved_again_keeps_nothing_of_before() {
    let Some(lab) = Lab::new("saved again", &json!({})) else { return };
    lab.load(&trees()[0]);
    lab.kubectl(&["stand-in", "tick", "3"]);
    lab.inventory(&["--cluster", "home", "--save", "k8s"], 0);
    assert!(lab.fleet.path().join("k8s/deployments.apps.json").exists());
    lab.kubectl(&["delete", "deployments.apps", "--all", "-A", "--wait=false"]);
    lab.inventory(&["--cluster", "home", "--save", "k8s"], 0);
    assert!(!lab.fleet.path().join("k8s/deployments.apps.json").exists());
    assert!(lab.fleet.path().join("k8s/statefulsets.apps.json").exists());
}

#[test]
fn a_live_read_changes_nothing_and_leaves_no_value_of_a_secret() {
    let Some(lab) = Lab::new("read-only", &json!({})) else { return };
    lab.load_text(
        "apiVersion: v1\nkind: Secret\nmetadata: { name: db, namespace: git, annotations: { \
         kubectl.kubernetes.io/last-applied-configuration: '{\"stringData\":{\"password\":\"Zq7PlantedHorse9xK\"}}' } }\nstringData: { password: Zq7PlantedHorse9xK }\n",
    );
    let run = lab.run(&["migrate", "--cluster", "home", "--save", "k8s", "--format", "json"]).ends(0);
    let holds = |text: &str| text.contains("Zq7PlantedHorse9xK") || text.contains("WnE3UGxhbnRlZEhvcnNlOXhL");
    assert!(!holds(&run.out) && !holds(&run.err));
    for (path, bytes) in lab.fleet.tree("k8s") {
        assert!(!holds(&String::from_utf8_lossy(&bytes)), "{path}");
    }
    assert!(lab.fleet.read("k8s/secrets.json").contains("\"password\": \"<not read>\""));
    let log = lab.fleet.read("state/log");
    for line in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let words: Vec<&str> = line["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let verb = words.iter().find(|word| !word.starts_with('-')).unwrap();
        assert!(["stand-in", "config", "version", "api-resources", "get"].contains(verb), "{words:?}");
        assert!(*verb != "config" || words.contains(&"get-contexts"), "{words:?}");
    }
}

#[test]
fn a_context_or_cluster_that_is_not_there_is_named_with_those_that_are() {
    let Some(lab) = Lab::new("contexts", &json!({})) else { return };
    lab.fleet.write("state/arn:aws:eks:eu:1:cluster%2Fwork/cluster.json", "{}");
    lab.run(&["migrate", "--context", "hme"])
        .ends(2)
        .complains("kubectl has no context `hme`")
        .complains("nearest: `home`");
    lab.run(&["migrate", "--context", "zzz"]).ends(2).complains("the contexts are arn:aws:eks:eu:1:cluster/work, home");
    lab.run(&["migrate", "--cluster", "hme"])
        .ends(2)
        .complains("the fleet has no cluster `hme`")
        .complains("nearest: `home`");
    lab.run(&["migrate", "--context=-v"]).ends(2).complains("does not begin with `-`");
    lab.run(&["migrate", "--save", "k8s"]).ends(2).complains("none is named");
    lab.load(&trees()[0]);
    lab.run(&["migrate", "--context", "home", "--summary"]).ends(0).says("cluster  home, v1.34.1: ");
    lab.fleet.edit("fleet.toml", "context = \"home\"\n", "");
    lab.run(&["migrate", "--cluster", "home"]).ends(2).complains("the cluster `home` has no context");
}

#[test]
fn kubectl_that_is_missing_or_reaches_nothing_ends_the_run() {
    let Some(lab) = Lab::new("no kubectl", &json!({ "unreachable": true })) else { return };
    lab.run(&["migrate", "--cluster", "home"])
        .ends(2)
        .complains("the cluster of context `home` does not answer: The connection to the server");
    let empty = lab.fleet.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let run = lab.fleet.run_with(&[("PATH", empty.to_str().unwrap())], &["migrate", "--cluster", "home"]);
    run.ends(2).complains("kubectl is not installed");
}

#[test]
fn what_may_not_be_read_is_listed_and_stays_listed_in_what_was_saved() {
    let forbidden = json!([{ "resources": ["secrets", "configmaps"] }, { "resources": ["nodes/proxy"] }]);
    let Some(lab) = Lab::new("forbidden", &json!({ "forbidden": forbidden, "few": false })) else { return };
    lab.load(&trees()[0]);
    let live = lab.inventory(&["--cluster", "home", "--save", "k8s"], 1);
    let refused = Lab::refused(&live);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[0].starts_with("not read from the cluster: `configmaps`: forbidden: configmaps is forbidden: User"),
        "{refused:?}"
    );
    assert!(refused[1].contains("`secrets`"), "{refused:?}");
    let notes = live["reading"]["notes"].to_string();
    assert!(notes.contains("the kubelet of node node-1 does not tell used bytes: forbidden"), "{notes}");
    assert_eq!(Lab::refused(&lab.inventory(&["k8s"], 1)), refused);
}

#[test]
fn a_cluster_that_changes_while_it_is_read_is_to_be_read_again() {
    let change = json!([
        { "after": "^--context=home get deployments.apps --all", "run": [["scale", "-n", "git", "deployment/forge", "--replicas=3"]] },
        { "after": "^--context=home get statefulsets.apps --all", "run": [["delete", "-n", "git", "statefulset/forge-db", "--wait=false"]] },
    ]);
    let Some(lab) = Lab::new("changes", &json!({ "changes": change })) else { return };
    lab.load(&trees()[0]);
    lab.kubectl(&["stand-in", "tick", "4"]);
    let refused = Lab::refused(&lab.inventory(&["--cluster", "home"], 1));
    assert_eq!(
        refused,
        [
            "not read from the cluster: `git/forge` of `Deployment`: it changed while the cluster was read: read it again",
            "not read from the cluster: `git/forge-db` of `StatefulSet`: it was deleted while the cluster was read: read it again",
        ]
    );
    lab.inventory(&["--cluster", "home"], 0);
}

#[test]
fn answers_that_are_cut_off_or_hostile_cost_their_kind_alone() {
    let pod = |name: &str| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "git" }, "spec": {} });
    let hostile = json!({ "apiVersion": "v1", "kind": "List", "items": [pod("a;reboot"), pod("$(id)"), pod("good")] });
    let faults = json!([
        { "on": "get configmaps ", "truncate": 200 },
        { "on": "get pods ", "stdout": hostile.to_string() },
        { "on": "get serviceaccounts ", "stdout": "", "exit": 0 },
        { "on": "get roles.rbac", "stderr": "error: the server doesn't have a resource type \"roles\"\n", "exit": 1 },
    ]);
    let settings = json!({ "plain": true, "few": false, "faults": faults, "warnings": ["v1 ComponentStatus is deprecated in v1.19+"] });
    let Some(lab) = Lab::new("answers", &settings) else { return };
    lab.load(&trees()[0]);
    let live = lab.inventory(&["--cluster", "home"], 1);
    let refused = Lab::refused(&live);
    let wanted = [
        "`configmaps`: the answer is cut off, or no JSON",
        "`pods`: an object has a name that no cluster would take, and is left out",
        "`pods`: an object has a name that no cluster would take, and is left out",
        "`roles.rbac.authorization.k8s.io`: the server doesn't have a resource type \"roles\"",
        "`serviceaccounts`: the answer is cut off, or no JSON",
    ];
    assert_eq!(refused, wanted.map(|reason| format!("not read from the cluster: {reason}")));
    assert!(!live.to_string().contains("reboot"));
    let notes =
        json!(["used bytes of claims are not known: no node was read", "v1 ComponentStatus is deprecated in v1.19+"]);
    assert_eq!(live["reading"]["notes"], notes);
    assert!(live["objects"].as_array().unwrap().iter().any(|object| object["name"] == "good"));
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let settings = json!({ "plain": true, "faults": [{ "on": "get services ", "delay": 300 }] });
    let Some(lab) = Lab::new("deadline", &settings) else { return };
    lab.load(&trees()[0]);
    let live = lab.inventory(&["--cluster", "home", "--deadline", "20"], 1);
    assert_eq!(Lab::refused(&live), ["not read from the cluster: `services`: no answer within 20 s"]);
}

#[test]
fn a_namespace_that_is_ending_is_a_question_that_blocks() {
    let Some(lab) = Lab::new("terminating", &json!({ "namespaces-hang": true, "linger": 99 })) else { return };
    lab.load(&trees()[0]);
    lab.kubectl(&["stand-in", "tick", "4"]);
    lab.kubectl(&["delete", "namespace", "git", "--wait=false"]);
    let live = lab.inventory(&["--cluster", "home"], 0);
    let ids: Vec<&str> = live["questions"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(ids.contains(&"git/PersistentVolumeClaim/forge-data#deletion"), "{ids:?}");
}

#[test]
fn where_manifests_and_cluster_disagree_is_named() {
    let Some(lab) = Lab::new("differences", &json!({})) else { return };
    let tree = &trees()[0];
    fs::create_dir(lab.fleet.path().join("k8s")).unwrap();
    fs::copy(tree.join("forge.yaml"), lab.fleet.path().join("k8s/forge.yaml")).unwrap();
    lab.fleet.edit("fleet.toml", "context = \"home\"\n", "context = \"home\"\nmanifests = [\"k8s\"]\n");
    lab.load(tree);
    lab.kubectl(&["stand-in", "tick", "4"]);
    let differences = |lab: &Lab| {
        let live = lab.inventory(&["--cluster", "home"], 0);
        let all = live["reading"]["differences"].as_array().unwrap().clone();
        all.iter()
            .map(|one| {
                format!(
                    "{} {}: {}",
                    one["object"].as_str().unwrap(),
                    one["path"].as_str().unwrap(),
                    one["what"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(differences(&lab), Vec::<String>::new());
    lab.kubectl(&["scale", "-n", "git", "deployment/forge", "--replicas=3"]);
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"gitea","image":"gitea/gitea:1.23","env":[{"name":"GITEA__database__NAME","value":"Zq7PlantedHorse9xK"}]}]}}}}"#;
    lab.kubectl(&["patch", "-n", "git", "deployment/forge", "-p", patch]);
    lab.kubectl(&["delete", "-n", "git", "service/forge"]);
    assert_eq!(
        differences(&lab),
        [
            "git/Deployment/forge spec.replicas: manifest 1, cluster 3",
            "git/Deployment/forge spec.template.spec.containers[gitea].image: manifest gitea/gitea:1.22.3-rootless, cluster gitea/gitea:1.23",
            "git/Deployment/forge spec.template.spec.containers[gitea].env[GITEA__database__NAME].value: the cluster has another value",
            "git/Service/forge : the cluster does not have it",
        ]
    );
    lab.run(&["migrate", "--cluster", "home"])
        .ends(0)
        .says("differs  git/Deployment/forge spec.replicas: manifest 1, cluster 3");
    // A colleague who gets the page must see it, too.
    for (format, said) in [("md", "manifest 1, cluster 3 |"), ("html", "<td>manifest 1, cluster 3</td>")] {
        let page = lab.run(&["migrate", "--cluster", "home", "--format", format]).ends(0);
        page.says("How the cluster was read").says(said);
    }
}

#[test]
fn used_bytes_come_from_the_kubelet_and_a_saved_read_keeps_them() {
    let Some(lab) = Lab::new("used bytes", &json!({ "used": { "git/forge-data": 7_000_000_000_u64 } })) else { return };
    lab.load(&trees()[0]);
    lab.kubectl(&["stand-in", "tick", "4"]);
    let live = lab.inventory(&["--cluster", "home", "--save", "k8s"], 0);
    let claims = live["claims"].as_array().unwrap();
    assert!(
        claims.iter().any(|claim| claim["name"] == "forge-data" && claim["used"] == 7_000_000_000_u64),
        "{claims:?}"
    );
    assert!(lab.fleet.read("k8s/used.txt").contains("git/forge-data 7000000000\n"));
    let run = lab.run(&["migrate", "--cluster", "home", "--save", "hosts"]).ends(2);
    run.complains("holds something else than an earlier read");
}
