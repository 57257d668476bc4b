//! How fast manifests are inventoried: whole processes over generated dumps of a cluster, as `kubectl get -o json` and as YAML.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

/// A dump in a file of its own, which goes away with it.
pub(crate) struct Dump {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its size in bytes.
    pub(crate) bytes: u32,
}

impl Dump {
    /// Writes a list of objects of about so many bytes as kubectl prints JSON.
    pub(crate) fn json(bytes: usize) -> Self {
        let mut text = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n".to_owned();
        let mut first = true;
        for object in objects(bytes, |object| indented(object).len() + 2) {
            if !first {
                text.push_str(",\n");
            }
            first = false;
            text.push_str(&indented(&object));
        }
        text.push_str(
            "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n",
        );
        Self::new("json", &text)
    }

    /// Writes documents of about so many bytes as they stand in repositories.
    pub(crate) fn yaml(bytes: usize) -> Self {
        let mut text = String::new();
        for object in objects(bytes, |object| block(object).len() + 4) {
            text.push_str("---\n");
            text.push_str(&block(&object));
        }
        Self::new("yaml", &text)
    }

    fn new(ending: &str, text: &str) -> Self {
        let name = format!("hostwright-manifests-{}-{}.{ending}", std::process::id(), text.len());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, text).unwrap();
        Self { file, bytes: u32::try_from(text.len()).unwrap() }
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Returns the objects of a cluster until they take so many bytes: for each workload the Deployment, what it made, its Service and
/// its settings.
fn objects(bytes: usize, size: impl Fn(&Value) -> usize) -> Vec<Value> {
    let (mut all, mut taken) = (Vec::new(), 0);
    for number in 0.. {
        for object in workload(number) {
            taken += size(&object);
            all.push(object);
        }
        if taken >= bytes {
            break;
        }
    }
    all
}

fn workload(number: usize) -> [Value; 5] {
    let (name, namespace) = (format!("web-{number}"), format!("team-{}", number % 40));
    let metadata = |name: &str, owner: Option<Value>| {
        json!({
            "name": name, "namespace": namespace, "labels": { "app": name, "tier": "front" },
            "annotations": { "deployment.kubernetes.io/revision": "3" },
            "uid": format!("7d0f3c0e-1f6b-4d5e-9b1c-{number:012}"), "resourceVersion": "184467", "generation": 3,
            "creationTimestamp": "2026-01-02T03:04:05Z", "ownerReferences": owner.map_or_else(|| json!([]), |owner| json!([owner])),
            "managedFields": [{ "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1",
                "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:replicas": {}, "f:selector": {}, "f:template": { "f:spec": {
                "f:containers": { "k:{\"name\":\"web\"}": { "f:image": {}, "f:name": {}, "f:ports": {} } } } } } } }]
        })
    };
    let spec = json!({
        "containers": [{
            "name": "web", "image": "registry.example.org/web/server:1.27.3", "args": ["--listen=:8080", "--log-level", "info"],
            "env": [
                { "name": "LOG_FORMAT", "value": "json" },
                { "name": "PEER", "value": format!("http://web-{}:80/", number / 2) },
                { "name": "MODE", "valueFrom": { "configMapKeyRef": { "name": name, "key": "MODE" } } }
            ],
            "ports": [{ "containerPort": 8080, "name": "http", "protocol": "TCP" }],
            "livenessProbe": { "httpGet": { "path": "/healthz", "port": "http" }, "initialDelaySeconds": 10, "periodSeconds": 5 },
            "resources": { "limits": { "cpu": "500m", "memory": "256Mi" }, "requests": { "cpu": "100m", "memory": "128Mi" } },
            "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
            "volumeMounts": [{ "mountPath": "/etc/web", "name": "config", "readOnly": true }]
        }],
        "volumes": [{ "name": "config", "configMap": { "name": name, "defaultMode": 420 } }],
        "securityContext": { "runAsUser": 1000, "fsGroup": 1000 }, "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"
    });
    let template = json!({ "metadata": { "labels": { "app": name } }, "spec": spec });
    let selector = json!({ "matchLabels": { "app": name } });
    let condition = json!({ "lastTransitionTime": "2026-01-02T03:04:05Z", "message": "Deployment has minimum availability.",
        "reason": "MinimumReplicasAvailable", "status": "True", "type": "Available" });
    let made_by = |kind: &str, name: &str| json!({ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "7d0f3c0e", "controller": true, "blockOwnerDeletion": true });
    let set = format!("{name}-6d4b75cb6d");
    [
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(&name, None),
            "spec": { "replicas": 2, "selector": selector, "template": template, "revisionHistoryLimit": 10 },
            "status": { "availableReplicas": 2, "conditions": [condition] } }),
        json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata(&set, Some(made_by("Deployment", &name))),
            "spec": { "replicas": 2, "selector": selector, "template": template }, "status": { "replicas": 2 } }),
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata(&format!("{set}-hg2x7"), Some(made_by("ReplicaSet", &set))),
            "spec": spec, "status": { "phase": "Running", "podIP": "10.0.0.7", "conditions": [condition] } }),
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata(&name, None),
            "spec": { "type": "ClusterIP", "clusterIP": "10.96.0.7", "selector": { "app": name },
                "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }] } }),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(&name, None),
            "data": { "MODE": "prod", "server.conf": "listen = 8080\nworkers = 4\nlog = info\n" } }),
    ]
}

fn indented(object: &Value) -> String {
    let mut bytes = Vec::new();
    let mut writer =
        serde_json::Serializer::with_formatter(&mut bytes, serde_json::ser::PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(object, &mut writer).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

fn block(object: &Value) -> String {
    let mut text = String::new();
    write_block(object, 0, &mut text);
    text
}

/// Writes a mapping or a list, one line a scalar.
fn write_block(value: &Value, indent: usize, out: &mut String) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(pairs) => pairs.iter().map(|(key, value)| (format!("{}:", quoted(key)), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("-".to_owned(), item)).collect(),
        _ => Vec::new(),
    };
    for (head, value) in entries {
        let pad = " ".repeat(indent);
        match value {
            Value::Object(pairs) if !pairs.is_empty() => {
                let _ = writeln!(out, "{pad}{head}");
                write_block(value, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() => {
                let _ = writeln!(out, "{pad}{head}");
                write_block(value, indent + 2, out);
            }
            Value::String(text) if text.contains('\n') => {
                let _ = writeln!(out, "{pad}{head} |");
                for line in text.lines() {
                    let _ = writeln!(out, "{pad}    {line}");
                }
            }
            Value::String(text) => {
                let _ = writeln!(out, "{pad}{head} {}", quoted(text));
            }
            other => {
                let _ = writeln!(out, "{pad}{head} {other}");
            }
        }
    }
}

/// Returns a string without quotes where everybody reads it as that string.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !["True", "true", "no", "yes", "on", "off", "null", "y", "n"].contains(&text);
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}
