//! How fast the reader is, beside the bare events of the parser: `cargo test --release --lib kubernetes::read::tests::speed --
//! --ignored --nocapture`.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use super::*;

fn deployment(index: usize) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": format!("web-{index}"), "namespace": "apps", "labels": {"app.kubernetes.io/name": "web", "tier": "front"},
            "annotations": {"deployment.kubernetes.io/revision": "3"},
            "uid": format!("7d0f3c0e-1f6b-4d5e-9b1c-{index:012}"), "resourceVersion": "184467", "generation": 3
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
                "spec": {
                    "containers": [{
                        "name": "web", "image": "registry.example.org/web/server:1.27.3",
                        "args": ["--listen=:8080", "--log-level", "info"],
                        "env": [{"name": "LOG_FORMAT", "value": "json"},
                                {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "web", "key": "url"}}}],
                        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 10, "periodSeconds": 5},
                        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                        "volumeMounts": [{"mountPath": "/etc/web", "name": "config", "readOnly": true}]
                    }],
                    "volumes": [{"name": "config", "configMap": {"name": "web", "defaultMode": 420}}],
                    "securityContext": {"runAsUser": 1000, "fsGroup": 1000}, "terminationGracePeriodSeconds": 30
                }
            }
        },
        "status": {"availableReplicas": 2, "conditions": [{"lastTransitionTime": "2026-01-02T03:04:05Z", "message": "Deployment has minimum availability.", "reason": "MinimumReplicasAvailable", "status": "True", "type": "Available"}]}
    })
}

/// Writes YAML as kubectl does: a list in the column of its key, quotes only where they are needed.
fn yaml(value: &serde_json::Value, indent: usize, compact: bool, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        serde_json::Value::Object(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if compact && index == 0 { "" } else { &pad });
                out.push_str(key);
                out.push(':');
                match value {
                    serde_json::Value::Object(_) => {
                        out.push('\n');
                        yaml(value, indent + 2, false, out);
                    }
                    serde_json::Value::Array(_) => {
                        out.push('\n');
                        yaml(value, indent, false, out);
                    }
                    other => yaml(other, 0, false, out),
                }
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                out.push_str(&pad);
                out.push('-');
                if item.is_object() {
                    out.push(' ');
                }
                yaml(item, indent + 2, true, out);
            }
        }
        serde_json::Value::String(text)
            if matches!(crate::kubernetes::scalar::resolve(text), crate::kubernetes::scalar::Plain::Text(_))
                && !text.contains(": ") =>
        {
            out.push_str(&format!(" {text}\n"));
        }
        other => out.push_str(&format!(" {other}\n")),
    }
}

fn peak_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) / 1024
}

fn measure(name: &str, text: String) {
    let megabytes = text.len() as f64 / 1e6;
    let mut sources = Sources::default();
    let file = sources.add("a", text);
    let before = peak_mib();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let read = read(&sources, file);
        best = best.min(start.elapsed().as_secs_f64());
        assert!(read.refused.is_empty() && !read.documents.is_empty(), "{:?}", read.refused);
    }
    println!("{name:24} {megabytes:6.1} MB  {:7.1} MB/s  memory {before} -> {} MiB", megabytes / best, peak_mib());
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    let bytes: usize = 50_000_000;
    let one = deployment(0);
    let mut lines = String::new();
    yaml(&one, 0, false, &mut lines);
    let mut documents = String::new();
    let mut list = "apiVersion: v1\nitems:\n".to_owned();
    let mut items = Vec::new();
    let mut index = 0;
    while documents.len() < bytes {
        let value = deployment(index);
        documents.push_str("---\n");
        yaml(&value, 0, false, &mut documents);
        list.push_str("- ");
        yaml(&value, 2, true, &mut list);
        index += 1;
    }
    list.push_str("kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    while items.len() * one.to_string().len() < bytes {
        items.push(deployment(items.len()));
    }
    let value =
        serde_json::json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}});
    let mut pretty = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut pretty, formatter)).unwrap();
    let compact = value.to_string();
    drop(value);
    println!("{} cores", rayon::current_num_threads());
    let sample = documents.get(..4_000_000).unwrap();
    let start = Instant::now();
    let events: usize = split::documents(sample, 0)
        .into_iter()
        .map(|range| saphyr_parser::Parser::new_from_str(&sample[range]).map_while(Result::ok).count())
        .sum();
    println!("bare events on one core: {:.1} MB/s ({events} events)", 4.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    let through: usize = split::documents(sample, 0)
        .iter()
        .filter_map(|range| events::documents(sample, range, &mut Vec::new()).ok())
        .count();
    println!("trees through events on one core: {:.1} MB/s ({through})", 4.0 / start.elapsed().as_secs_f64());
    measure("YAML documents", documents);
    measure("YAML list", list);
    measure("JSON list, indented", String::from_utf8(pretty).unwrap());
    measure("JSON list, compact", compact);
}
