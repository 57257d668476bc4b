//! Where the manifests of a fleet and the cluster itself disagree.
//!
//! Only what a manifest sets is compared, and what stands beside it in lists whose elements have names: what a server fills in, writes
//! as status, or keeps as its own notes is no disagreement. Values are shown where they cannot be secrets: images, numbers of replicas,
//! schedules, quantities and ports.

use super::object::Object;
use super::tree::{Node, push_key};
use super::world::World;
use crate::units::Quantity;

/// One disagreement.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The object, as `namespace/Kind/name`.
    pub object: String,
    /// The field; empty where the object as a whole is meant.
    pub path: String,
    /// What it is, in words: `manifest 2, cluster 3`.
    pub what: String,
    /// The file of the manifest.
    pub file: String,
    /// The line there, from 1.
    pub line: u32,
}

/// Keys of `metadata` that people write.
const METADATA: &[&str] = &["annotations", "labels"];

/// What annotations begin with that programs keep for themselves.
const NOTES: &[&str] = &[
    "autoscaling.alpha.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/",
    "deployment.kubernetes.io/",
    "kubectl.kubernetes.io/",
];

/// The last keys of fields whose values are shown.
const SHOWN: &[&str] = &[
    "containerPort",
    "cpu",
    "image",
    "memory",
    "port",
    "reclaimPolicy",
    "persistentVolumeReclaimPolicy",
    "replicas",
    "schedule",
    "storage",
    "storageClassName",
    "suspend",
    "targetPort",
];

/// Lists whose elements are told apart by one of their keys.
const NAMED: &[(&str, &str)] = &[
    ("containers", "name"),
    ("env", "name"),
    ("initContainers", "name"),
    ("volumeClaimTemplates", "metadata.name"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// What differs where a value is not shown.
const OTHER: &str = "the cluster has another value";

/// Returns where a cluster is not as manifests say, in their order. `read` tells whether objects of a kind were read from the cluster:
/// of others nothing is known.
pub fn differences(manifests: &World<'_>, cluster: &World<'_>, read: &dyn Fn(&Object<'_>) -> bool) -> Vec<Difference> {
    let mut all = Vec::new();
    for object in manifests.objects() {
        let counts = !object.is_patch && object.made_from.is_none() && manifests.superseded_by(object).is_none();
        if !counts || object.name().is_empty() || !read(object) {
            continue;
        }
        let mut found = Found { world: manifests, object, all: &mut all };
        match cluster.find(&object.kind, object.namespace(), object.name()) {
            None => found.add(object.tree(), "", "the cluster does not have it".to_owned()),
            Some(live) => found.object(live),
        }
    }
    all
}

struct Found<'a, 'w, 's> {
    world: &'w World<'s>,
    object: &'w Object<'s>,
    all: &'a mut Vec<Difference>,
}

impl Found<'_, '_, '_> {
    fn add(&mut self, node: &Node<'_>, path: &str, what: String) {
        let place = self.world.place(node).unwrap_or_else(|| self.world.sources.start(self.object.file));
        self.all.push(Difference {
            object: self.object.identity(),
            path: path.to_owned(),
            what,
            file: self.world.sources.file(place.file).path().to_owned(),
            line: self.world.sources.position(place).line,
        });
    }

    fn object(&mut self, live: &Object<'_>) {
        let is_secret = self.object.kind == "Secret";
        for pair in self.object.tree().pairs() {
            match pair.key.as_ref() {
                "apiVersion" | "kind" | "status" => {}
                "metadata" => {
                    for key in METADATA {
                        let (own, theirs) = (pair.node.map(key), live.tree().at(&["metadata", key]));
                        for own in own.iter().filter(|own| !NOTES.iter().any(|note| own.key.starts_with(note))) {
                            let mut path = format!("metadata.{key}");
                            push_key(&mut path, &own.key);
                            self.value(&own.node, theirs.and_then(|theirs| theirs.get(&own.key)), &mut path);
                        }
                    }
                }
                // What a Secret holds was not read; what it is called there is all that can be compared.
                "data" | "stringData" if is_secret => {
                    for own in pair.node.pairs() {
                        let is_there = ["data", "stringData"]
                            .iter()
                            .any(|key| live.tree().map(key).iter().any(|one| one.key == own.key));
                        if !is_there {
                            let mut path = pair.key.to_string();
                            push_key(&mut path, &own.key);
                            self.add(&own.node, &path, "the cluster has no such key".to_owned());
                        }
                    }
                }
                key => self.value(&pair.node, live.tree().get(key), &mut key.to_owned()),
            }
        }
    }

    fn value(&mut self, own: &Node<'_>, live: Option<&Node<'_>>, path: &mut String) {
        let Some(live) = live.filter(|live| !live.is_null()) else {
            if !is_nothing(own) {
                self.add(own, path, missing(own, path));
            }
            return;
        };
        if own.is_leaf() {
            let same = is_same(own, live) || is_nothing(own) && is_nothing(live);
            if !same {
                self.add(own, path, said(own, live, path));
            }
        } else if own.pairs().is_empty() {
            self.list(own, live, path);
        } else if live.is_leaf() && !is_nothing(live) || !live.items().is_empty() {
            self.add(own, path, OTHER.to_owned());
        } else {
            let end = path.len();
            for pair in own.pairs() {
                push_key(path, &pair.key);
                self.value(&pair.node, live.get(&pair.key), path);
                path.truncate(end);
            }
        }
    }

    fn list(&mut self, own: &Node<'_>, live: &Node<'_>, path: &mut String) {
        let (end, last) = (path.len(), path.rsplit('.').next().unwrap_or_default().to_owned());
        let Some((_, key)) = NAMED.iter().find(|(list, _)| *list == last) else {
            if own.items().len() != live.items().len() {
                let (here, there) = (own.items().len(), live.items().len());
                return self.add(own, path, format!("manifest {here} elements, cluster {there}"));
            }
            for (index, (one, other)) in own.items().iter().zip(live.items()).enumerate() {
                path.push_str(&format!("[{index}]"));
                self.value(one, Some(other), path);
                path.truncate(end);
            }
            return;
        };
        let name = |node: &Node<'_>| {
            let route: Vec<&str> = key.split('.').collect();
            node.at(&route).and_then(Node::text).unwrap_or("").to_owned()
        };
        for one in own.items() {
            path.push_str(&format!("[{}]", name(one)));
            self.value(one, live.items().iter().find(|other| name(other) == name(one)), path);
            path.truncate(end);
        }
        for other in live.items().iter().filter(|other| !own.items().iter().any(|one| name(one) == name(other))) {
            path.push_str(&format!("[{}]", name(other)));
            self.add(own, path, "the cluster has it, the manifest does not".to_owned());
            path.truncate(end);
        }
    }
}

/// Tells whether a value says nothing: a server does not keep it.
fn is_nothing(node: &Node<'_>) -> bool {
    match node.text() {
        Some(text) => node.is_null() || matches!(text, "" | "0" | "false"),
        None if node.items().is_empty() => node.pairs().iter().all(|pair| is_nothing(&pair.node)),
        None => false,
    }
}

fn is_same(own: &Node<'_>, live: &Node<'_>) -> bool {
    let (Some(one), Some(other)) = (own.text(), live.text()) else { return own.is_leaf() && live.is_leaf() };
    let numbers = own.int().zip(live.int()).is_some_and(|(one, other)| one == other);
    let truths = own.bool().zip(live.bool()).is_some_and(|(one, other)| one == other);
    let quantities = || one.parse::<Quantity>().ok().zip(other.parse().ok()).is_some_and(|(one, other)| one == other);
    one == other || numbers || truths || quantities()
}

fn is_shown(path: &str) -> bool {
    let hidden = path.contains(".env[") || path.starts_with("data") || path.starts_with("metadata.");
    !hidden && path.rsplit('.').next().is_some_and(|last| SHOWN.contains(&last))
}

fn said(own: &Node<'_>, live: &Node<'_>, path: &str) -> String {
    match (own.text(), live.text()) {
        (Some(own), Some(live)) if is_shown(path) => format!("manifest {own}, cluster {live}"),
        _ => OTHER.to_owned(),
    }
}

fn missing(own: &Node<'_>, path: &str) -> String {
    match own.text().filter(|_| is_shown(path)) {
        Some(own) => format!("manifest {own}, the cluster has none"),
        None => "the cluster does not have it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::load;
    use crate::source::Sources;

    const MANIFEST: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: apps\n  labels: { app: web }\nspec:\n  replicas: 2\n  \
                            template:\n    spec:\n      securityContext: {}\n      containers:\n        - name: web\n          image: nginx:1.27\n          \
                            ports: [{ containerPort: 80 }]\n          env: [{ name: A, value: planted }]\n          resources: { limits: { cpu: 0.5, memory: 1024Mi } }\n";

    fn compare(manifest: &str, live: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let (own, theirs) = (sources.add("k8s/web.yaml", manifest), sources.add("cluster", live));
        let (own, theirs) = (load::load(&sources, &[own]).world, load::load(&sources, &[theirs]).world);
        let all = differences(&own, &theirs, &|_| true);
        all.into_iter().map(|one| format!("{}:{} {}: {}", one.file, one.line, one.path, one.what)).collect()
    }

    /// What a server makes of the manifest.
    fn live() -> String {
        MANIFEST
            .replace("      securityContext: {}\n", "      restartPolicy: Always\n")
            .replace("cpu: 0.5, memory: 1024Mi", "cpu: 500m, memory: 1Gi")
            .replace("containerPort: 80 }", "containerPort: 80, protocol: TCP }")
            .replace(
                "  namespace: apps\n",
                "  namespace: apps\n  uid: x\n  annotations: { deployment.kubernetes.io/revision: '1' }\n",
            )
            + "status: { replicas: 2 }\n"
    }

    #[test]
    fn what_a_server_fills_in_is_no_difference() {
        assert_eq!(compare(MANIFEST, &live()), Vec::<String>::new());
    }

    #[test]
    fn each_field_that_differs_is_named_and_no_value_of_a_variable_is_shown() {
        let live =
            live().replace("nginx:1.27", "nginx:1.28").replace("replicas: 2\n  template", "replicas: 3\n  template");
        let live = live.replace("value: planted }", "value: secret }, { name: B, value: secret }");
        assert_eq!(
            compare(MANIFEST, &live),
            [
                "k8s/web.yaml:8 spec.replicas: manifest 2, cluster 3",
                "k8s/web.yaml:14 spec.template.spec.containers[web].image: manifest nginx:1.27, cluster nginx:1.28",
                "k8s/web.yaml:16 spec.template.spec.containers[web].env[A].value: the cluster has another value",
                "k8s/web.yaml:16 spec.template.spec.containers[web].env[B]: the cluster has it, the manifest does not",
            ]
        );
    }

    #[test]
    fn an_object_that_is_not_there_is_one_difference() {
        assert_eq!(
            compare(MANIFEST, "apiVersion: v1\nkind: Pod\nmetadata: { name: web }\n"),
            ["k8s/web.yaml:1 : the cluster does not have it"]
        );
    }

    #[test]
    fn of_a_secret_only_keys_are_compared() {
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\nstringData: { user: planted, gone: planted }\n";
        let live = "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\ndata: { user: <not read> }\n";
        assert_eq!(compare(secret, live), ["k8s/web.yaml:4 stringData.gone: the cluster has no such key"]);
    }
}
