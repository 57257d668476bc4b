//! tests/fleets/spread: a cluster that goes to three hosts, judged by the rules, by the shell, and by real Nix.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::compile::{TODAY, root};
use super::json_schema::faults;
use super::machines::judged_by_nix_and_shellcheck;
use super::program::Sandbox;

/// The hosts, in an order that is not theirs.
const HOSTS: &str = "lufta,attic,porch";

/// Returns a copy of the fleet.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::empty();
    let folder = root().join("tests/fleets/spread");
    for entry in
        walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok).filter(|one| one.file_type().is_file())
    {
        let path = entry.path().strip_prefix(&folder).unwrap().to_str().unwrap();
        sandbox.write(path, std::fs::read(entry.path()).unwrap());
    }
    sandbox
}

fn document(sandbox: &Sandbox, hosts: &str) -> Value {
    let run = sandbox.run(&["migrate", "--hosts", hosts, "--format", "json", "--summary", "--today", TODAY]).ends(0);
    serde_json::from_str(&run.out).unwrap()
}

/// Returns the host of each workload.
fn places(document: &Value) -> BTreeMap<String, String> {
    let all = document["placement"]["workloads"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    all.map(|one| (text(&one["object"]).rsplit('/').next().unwrap().to_owned(), text(&one["host"]))).collect()
}

#[test]
fn each_workload_has_a_host_and_a_reason_whatever_the_order_of_the_hosts() {
    let sandbox = fleet();
    let said = document(&sandbox, HOSTS);
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/migrate.json")).unwrap();
    assert_eq!(faults(&schema, &said), Vec::<String>::new());
    let wanted = [
        ("db", "lufta"),
        ("dnsmasq", "attic"),
        ("faces", "-"),
        ("radio", "attic"),
        ("thumbnails", "lufta"),
        ("wiki", "lufta"),
    ];
    assert_eq!(places(&said), wanted.map(|(name, host)| (name.to_owned(), host.to_owned())).into());
    assert_eq!(document(&sandbox, "porch,attic,lufta,attic"), said);
    let questions = said["questions"].as_array().unwrap();
    assert!(questions.iter().any(|one| one["id"] == "house/Deployment/faces#host" && one["blocks"] == true));
}

#[test]
fn one_host_of_several_is_one_host() {
    let sandbox = fleet();
    for format in ["human", "json", "md", "html"] {
        let of = |flag: &str| sandbox.run(&["migrate", flag, "lufta", "--format", format, "--today", TODAY]).out;
        assert_eq!(of("--hosts").replace("--hosts lufta", "--host lufta"), of("--host"), "{format}");
    }
    sandbox.run(&["migrate", "--hosts", "lufta", "--host", "attic"]).ends(2);
    sandbox.run(&["migrate", "--hosts", "lufta,nowhere", "--today", TODAY]).ends(2);
}

#[test]
fn what_is_written_passes_the_checks_stays_where_it_is_and_evaluates() {
    let sandbox = fleet();
    let write = ["migrate", "--hosts", HOSTS, "--write", "--today", TODAY];
    sandbox.run(&write).ends(0);
    let attic = sandbox.read("hosts/attic/host.toml");
    assert!(attic.contains("[network.firewall.interfaces.house]\ntcp = [8080]\n"), "{attic}");
    assert!(attic.contains("listen = [\"127.0.0.1\", \"10.7.0.3\"]"), "{attic}");
    let lufta = sandbox.read("hosts/lufta/host.toml");
    assert!(lufta.contains("\"radio.house\" = \"10.7.0.3\""), "{lufta}");
    let check = sandbox.run(&["check", "--format", "json", "--today", TODAY]);
    let found: Value = serde_json::from_str(&check.out).unwrap();
    let rules: BTreeSet<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["level"] != "note" && one["allowed"].is_null())
        .map(|one| one["rule"].as_str().unwrap())
        .collect();
    // The images have no digest, and the wiki loses what the report says.
    assert_eq!(rules, ["image-tag-floating", "replicas-collapsed", "volume-shared"].into());
    let before = sandbox.tree(".");
    let places_before = places(&document(&sandbox, HOSTS));
    sandbox.run(&write).ends(0);
    assert!(sandbox.tree(".") == before, "a second run changes nothing");
    sandbox.write(
        "k8s/more.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: huge, namespace: house }\nspec:\n  template:\n    spec:\n      containers: [{ name: huge, image: registry.example.org/huge:1, resources: { limits: { memory: 12Gi } } }]\n",
    );
    let mut places_after = places(&document(&sandbox, HOSTS));
    assert_eq!(places_after.remove("huge").as_deref(), Some("porch"));
    assert_eq!(places_after, places_before);
    let mut files = hostwright::source::load(sandbox.path()).unwrap();
    judged_by_nix_and_shellcheck(&mut files, "what_is_written_passes_the_checks_stays_where_it_is_and_evaluates");
}

#[test]
fn answers_decide_where_workloads_go_and_which_node_a_host_stands_for() {
    let sandbox = fleet();
    sandbox.edit("k8s/house.yaml", "kubernetes.io/hostname: attic", "kubernetes.io/hostname: pi3");
    let said = document(&sandbox, HOSTS);
    assert_eq!(places(&said)["radio"], "-");
    assert!(said["questions"].as_array().unwrap().iter().any(|one| one["id"] == "default/Node/pi3#host"));
    let service = "\n[services.other]\nkind = \"container\"\nimage = \"registry.example.org/other:1\"\n[services.other.migrates-from]\ncluster = \"home\"\nworkload = \"other/Deployment/other\"\nanswers = { \"default/Node/pi3#host\" = \"porch\", \"house/Deployment/faces#host\" = \"attic\", \"wiki/Deployment/wiki#host\" = \"lufta\" }\n";
    let text = sandbox.read("hosts/porch/host.toml");
    sandbox.write("hosts/porch/host.toml", format!("{text}{service}"));
    let said = document(&sandbox, HOSTS);
    assert_eq!((&*places(&said)["radio"], &*places(&said)["faces"]), ("porch", "attic"));
    assert!(!said["questions"].as_array().unwrap().iter().any(|one| one["id"].as_str().unwrap().ends_with("#host")));
    // No network of their own leads from the wiki to porch, whose address comes from elsewhere.
    assert!(
        said["questions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["blocks"] == true && one["id"].as_str().unwrap().contains("#way-lufta-porch"))
    );
}
