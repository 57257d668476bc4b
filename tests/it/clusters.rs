//! Rules that see manifests, in a fleet on a disk.

use serde_json::Value;

use crate::program::Sandbox;

const HOST: &str = r#"[services.web]
kind = "command"
exec = ["/run/current-system/sw/bin/web"]

[services.web.migrates-from]
cluster = "home"
workload = "apps/Deployment/web"
"#;

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: apps }
spec:
  replicas: 3
  template:
    spec:
      containers:
      - { name: web, image: web, env: [{ name: DB_PASSWORD, value: hunter2-in-env }] }
";

/// A fleet whose service comes from a workload that runs three times.
fn moving() -> Sandbox {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", HOST);
    sandbox.write("k8s/apps/web.yaml", WEB);
    sandbox
}

/// Returns what is reported, as `RULE FILE:LINE`.
fn reported(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["check", "--today", "2026-11-21", "--format", "json"];
    all.extend(arguments);
    let run = sandbox.run(&all);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|one| format!("{} {}:{}", one["rule"].as_str().unwrap(), one["file"].as_str().unwrap(), one["line"]))
        .collect()
}

#[test]
fn manifests_below_the_fleet_are_read_wherever_they_lie() {
    let sandbox = moving();
    assert_eq!(reported(&sandbox, &[]), ["replicas-collapsed k8s/apps/web.yaml:5"]);
    // In UTF-16, as some exports are.
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(WEB.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    sandbox.write("k8s/apps/web.yaml", wide);
    assert_eq!(reported(&sandbox, &[]), ["replicas-collapsed k8s/apps/web.yaml:5"]);
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_fleet_is_not_followed() {
    let sandbox = moving();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("more.yaml"), WEB.replace('3', "7")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("more.yaml"), sandbox.path().join("k8s/more.yaml")).unwrap();
    assert_eq!(reported(&sandbox, &[]), ["replicas-collapsed k8s/apps/web.yaml:5"]);
    sandbox.edit("fleet.toml", "[\"k8s\"]", "[\"elsewhere\"]");
    std::os::unix::fs::symlink(outside.path(), sandbox.path().join("elsewhere")).unwrap();
    assert_eq!(reported(&sandbox, &[]), Vec::<String>::new());
}

#[test]
fn what_a_manifest_keeps_secret_is_in_no_report() {
    let sandbox = moving();
    // All on one line, as in a dump: the line of a finding is that of the secret.
    let dump = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "apps" },
        "spec": { "replicas": 3, "template": { "spec": { "containers": [
            { "name": "web", "image": "web", "env": [{ "name": "DB_PASSWORD", "value": "hunter2-in-json" }] }
        ] } } }
    });
    sandbox.write("k8s/apps/web.yaml", dump.to_string());
    for format in ["human", "json", "sarif", "github", "junit"] {
        let run = sandbox.run(&["check", "-v", "--today", "2026-11-21", "--format", format]);
        assert!(run.out.contains("replicas-collapsed"), "{}", run.out);
        assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"), "{format}: {}", run.out);
    }
    // A finding in the definition shows the manifest beside it.
    sandbox
        .write("k8s/apps/web.yaml", WEB.replace("image: web", "image: web, livenessProbe: { exec: { command: [x] } }"));
    let run = sandbox.run(&["check", "-v", "--today", "2026-11-21"]);
    assert!(run.out.contains("probe-lost") && !run.out.contains("hunter2"), "{}", run.out);
}

#[test]
fn migrate_prints_what_the_rules_say_of_services_that_moved_before() {
    let sandbox = moving();
    let run = sandbox.run(&["migrate", "k8s", "--host", "a", "--today", "2026-11-21"]);
    assert!(run.out.contains("replicas-collapsed"), "{}", run.out);
}

#[test]
fn migrate_prints_what_the_rules_would_say_of_definitions_that_nobody_wrote() {
    let sandbox = Sandbox::small();
    sandbox.write("k8s/apps/web.yaml", WEB);
    let before = sandbox.tree(".");
    let run = sandbox.run(&["migrate", "k8s", "--host", "a", "--today", "2026-11-21"]);
    assert!(run.out.contains("replicas-collapsed"), "{}", run.out);
    assert!(!run.out.contains("hunter2"), "{}", run.out);
    assert_eq!(sandbox.tree("."), before);
}
