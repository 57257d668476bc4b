//! Tests of the table: what it settles, what it asks, and which fields of real manifests it lacks.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests that read statistics beside the repository, say aloud what they skip, and measure"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Walk;
use super::table::TABLE;
use crate::kubernetes::World;
use crate::kubernetes::ledger::Books;
use crate::kubernetes::read::read;
use crate::kubernetes::sample::{leaf, translated};
use crate::source::Sources;

/// What a translator has to settle: where such a field reaches the table, something is missing, and a person is asked.
const TRANSLATED: &[&str] = &[
    "acme",
    "activeDeadlineSeconds",
    "args",
    "capabilities",
    "command",
    "concurrencyPolicy",
    "configMap",
    "emptyDir",
    "envFrom",
    "env[]",
    "fsGroup",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPath",
    "hostPort",
    "hostname",
    "image",
    "imagePullSecrets",
    "lifecycle",
    "limits",
    "metadata.annotations",
    "nfs",
    "ontainers[].name",
    "persistentVolumeClaim",
    "projected",
    "restartPolicy",
    "runAsGroup",
    "runAsUser",
    "runtimeClassName",
    "schedule",
    "secret.",
    "secretName",
    "securityContext",
    "suspend",
    "terminationGracePeriodSeconds",
    "timeZone",
    "volumeMode",
    "volumeMounts",
    "workingDir",
];

/// Kinds of which every field but those of the table is translated.
const KINDS: &[&str] = &[
    "Application",
    "Certificate",
    "Cluster",
    "ClusterIssuer",
    "ExternalSecret",
    "Gateway",
    "HTTPRoute",
    "HelmChart",
    "HelmRelease",
    "Ingress",
    "Issuer",
    "Kustomization",
    "OnePasswordItem",
    "SealedSecret",
    "Service",
];

/// Tells whether the table has a line for a leaf whose path is written as the statistics write it.
fn has_line(group: &str, kind: &str, path: &str) -> Option<bool> {
    let (start, known) = TABLE.start(group, kind);
    let mut step = known.then(|| TABLE.step(start))?;
    let mut below = None;
    let escaped = path.replace("\\.", "\u{1}").replace("[]", ".[]");
    for part in escaped.split('.').filter(|part| !part.is_empty()) {
        below = step.and_then(|step| step.below).or(below);
        let next = match part {
            "[]" => step.and_then(|step| step.item),
            key => step.and_then(|step| step.key(&key.replace('\u{1}', "."))),
        };
        step = next.and_then(|next| TABLE.step(next));
    }
    // A leaf where the patterns go on is an empty list or mapping, or null: nothing is asked for.
    let here = step.is_some_and(|step| step.leaf(None).is_some() || step.below.is_some() || !step.is_last());
    Some(here || below.is_some())
}

#[test]
fn of_real_manifests_it_lacks_only_what_translators_settle() {
    let beside = std::env::var_os("HOSTWRIGHT_MANIFESTS").map(PathBuf::from);
    let folder = beside.or_else(|| std::fs::canonicalize("../shared/kubernetes").ok());
    let Some(folder) = folder else { return eprintln!("skipped: no manifests beside the repository") };
    let mut lacking: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let (mut all, mut missing) = (0, 0);
    for name in ["field-stats.tsv", "broad-field-stats.tsv"] {
        let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
            return eprintln!("skipped: {} has no {name}", folder.display());
        };
        for line in text.lines().skip(1) {
            let mut columns = line.split('\t');
            let (Some(kind), Some(path), Some(count)) = (columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            let (version, kind) = kind.rsplit_once('/').unwrap_or(("", kind));
            let group = version.rsplit_once('/').map_or("", |(group, _)| group);
            let count: usize = count.parse().unwrap_or(0);
            if let Some(has) = has_line(group, kind, path) {
                all += count;
                let is_translated = KINDS.contains(&kind) || TRANSLATED.iter().any(|part| path.contains(part));
                if !has && !is_translated {
                    missing += count;
                    *lacking.entry(kind.to_owned()).or_default().entry(path.to_owned()).or_default() += count;
                }
            }
        }
    }
    for (kind, paths) in &lacking {
        let list: Vec<String> = paths.iter().map(|(path, count)| format!("{path}({count})")).collect();
        eprintln!("{kind}: {}", list.join(" "));
    }
    eprintln!("{missing} of {all} leaves of known kinds are not in the table");
    assert!(all > 50_000, "the statistics were read");
    assert!(missing * 100 < all, "{missing} of {all}");
}

/// Returns what the table alone says of a leaf, whatever translators say before it.
fn table_says(kind: &str, text: &str, route: &[&str]) -> String {
    let mut sources = Sources::default();
    let file = sources.add("k8s/all.yaml", text);
    let root = read(&sources, file).documents.pop().unwrap().root;
    let (mut world, mut books) = (World::new(&sources), Books::default());
    let id = world.add(file, "v1".into(), kind.to_owned().into(), root);
    let object = world.object(id).unwrap();
    books.open(object.leaves);
    let left = Walk::over(&TABLE, object, books.accounts_mut().first_mut().unwrap());
    assert!(left.is_empty(), "{:?}", left.paths);
    let (disposition, to, reason) = books.of(object.root.at(route).unwrap()).unwrap();
    format!("{} {}", disposition.as_str(), to.or(reason).unwrap())
}

#[test]
fn what_a_server_fills_in_is_a_default_and_another_value_is_not() {
    let pod = "spec: { schedulerName: mine, priority: 0 }\n";
    assert_eq!(table_says("Pod", pod, &["spec", "priority"]), "dropped Kubernetes' own default: nothing was asked for");
    assert_eq!(table_says("Pod", pod, &["spec", "schedulerName"]), "dropped there is one host to run on");
}

#[test]
fn status_and_managed_fields_are_dropped_whatever_the_kind() {
    let inventory = translated(
        "apiVersion: example.org/v1\nkind: Widget\nmetadata:\n  name: w\n  uid: u\n  managedFields: [{ manager: kubectl, fieldsV1: { 'f:spec': {} } }]\nspec: { size: 3 }\nstatus: { phase: Ready, seen: { of: 2 } }\n",
    );
    assert_eq!(leaf(&inventory, "Widget", "status.seen.of"), "dropped what the cluster saw, not what was asked for");
    assert_eq!(
        leaf(&inventory, "Widget", "metadata.managedFields[0].manager"),
        "dropped the cluster's own bookkeeping"
    );
    assert!(
        leaf(&inventory, "Widget", "spec.size").starts_with("needs-you Widget belongs to a program of the cluster")
    );
    assert_eq!(inventory.questions.len(), 1, "one question an object");
    assert_eq!(inventory.questions.first().unwrap().id, "default/Widget/w#kind");
}

#[test]
fn fields_that_the_table_lacks_are_one_question_that_names_them() {
    let inventory = translated(
        "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec:\n  type: ClusterIP\n  magic: { a: 1, b: 2 }\n  rune: x\n  ports: [{ port: 80 }]\n",
    );
    let question = inventory.questions.iter().find(|question| question.id == "default/Service/web#fields").unwrap();
    assert!(question.question.contains("`spec.magic`"), "{}", question.question);
    assert!(question.question.contains("`spec.rune`"), "{}", question.question);
    assert!(question.leaves >= 3, "{}", question.leaves);
}

#[test]
fn a_kind_without_meaning_on_a_host_is_dropped_as_a_whole_by_its_group() {
    let inventory = translated(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: r }\nrules: [{ verbs: [get] }]\n---\napiVersion: other.example/v1\nkind: Role\nmetadata: { name: r }\nrules: [{ verbs: [get] }]\n",
    );
    assert_eq!(inventory.totals.dropped, 4);
    assert_eq!(inventory.totals.needs_you, 4);
}

#[test]
fn null_and_empty_values_ask_for_nothing() {
    let service = "spec: { type: null, magic: {} }\n";
    assert!(table_says("Service", service, &["spec", "type"]).starts_with("dropped null"));
    assert!(table_says("Service", service, &["spec", "magic"]).starts_with("dropped empty"));
}

#[test]
#[ignore = "a measurement: `cargo test --release --lib a_leaf_takes -- --ignored --nocapture`"]
fn a_leaf_takes_less_than_a_microsecond() {
    let mut sources = Sources::default();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  uid: u\n  labels: { app: web, tier: front }\n  managedFields: [{ manager: k, fieldsV1: { 'f:spec': { 'f:a': {}, 'f:b': {}, 'f:c': {} } } }]\nspec:\n  dnsPolicy: ClusterFirst\n  schedulerName: default-scheduler\n  tolerations: [{ key: a, effect: NoExecute, tolerationSeconds: 300 }]\n  containers:\n    - terminationMessagePath: /dev/termination-log\n      terminationMessagePolicy: File\n      imagePullPolicy: IfNotPresent\n      ports: [{ containerPort: 80, protocol: TCP }, { containerPort: 81, protocol: TCP }]\n      resources: { requests: { cpu: 1, memory: 1Gi } }\nstatus: { phase: Running, podIP: 1.2.3.4, conditions: [{ type: Ready, status: 'True' }, { type: Up, status: 'True' }] }\n";
    let file = sources.add("pods.yaml", pod);
    let root = read(&sources, file).documents.pop().unwrap().root;
    let mut world = World::new(&sources);
    let mut books = Books::default();
    let mut leaves = 0u32;
    while leaves < 1_000_000 {
        let id = world.add(file, "v1".into(), "Pod".into(), root.clone());
        let own = world.object(id).unwrap().leaves;
        books.open(own);
        leaves += own;
    }
    let start = std::time::Instant::now();
    for (object, account) in world.objects().iter().zip(books.accounts_mut()) {
        assert!(Walk::over(&TABLE, object, account).is_empty());
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(leaves);
    eprintln!("{nanoseconds} ns a leaf, of {leaves}");
    let most = if cfg!(debug_assertions) { 10_000 } else { 1_000 };
    assert!(nanoseconds < most, "{nanoseconds}");
}
