//! What a cluster did that hosts do not: only what the input shows, with its objects, and what takes its place.
//!
//! Not here: single fields (the ledger says where each went) and what a rule reports of a definition (`check`).
//!
//! Invariant: each entry names at least one object of the input or node that it speaks of.

use std::collections::BTreeSet;

use super::context::Cx;
use super::object::Object;
use super::placement::pod_of;
use super::tree::Node;

/// Something that a cluster did and hosts do not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LostEntry {
    /// What it is.
    pub kind: Loss,
    /// The same in words.
    pub what: &'static str,
    /// The objects that have it, in the order of their names.
    pub objects: Vec<LostObject>,
    /// What takes its place.
    pub instead: &'static str,
}

/// An object that has something of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct LostObject {
    /// The object, as `namespace/Kind/name`; the name of a node.
    pub object: String,
    /// How much of it, or which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What clusters do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Several processes share the work.
    Replicas,
    /// The number of processes follows the work.
    Autoscaling,
    /// An update starts the new before it stops the old.
    RollingUpdate,
    /// Some keep running while nodes are emptied.
    DisruptionBudget,
    /// Processes are kept apart.
    Spread,
    /// Several nodes run workloads.
    Nodes,
    /// What ran on a lost node starts on another one.
    Rescheduling,
    /// Several nodes write one volume.
    SharedAccess,
    /// One address leads to whoever is there.
    LoadBalancer,
    /// Who may speak with whom.
    NetworkPolicy,
}

impl Loss {
    /// Returns what it is and what takes its place.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Replicas => (
                "several processes share the work",
                "one process: it carries all of the work, and nobody answers while it starts again",
            ),
            Self::Autoscaling => (
                "the number of processes follows the work",
                "`limits` of one process, which has to be large enough for the most work there is",
            ),
            Self::RollingUpdate => (
                "an update starts the new process before the old one stops",
                "the old process stops and the new one starts: some seconds without an answer, and the generation before is the way back",
            ),
            Self::DisruptionBudget => (
                "some processes keep running while a node is emptied",
                "a window for reboots: all of the host's services stop at once",
            ),
            Self::Spread => (
                "processes are kept on different nodes or zones",
                "nothing: there is one process, on one host, and it fails with it",
            ),
            Self::Nodes => (
                "several nodes carry the workloads",
                "each service is on one host: while that is down so is the service, until the host is back or is made again from its backup",
            ),
            Self::Rescheduling => (
                "what ran on a node that fails starts on another one",
                "systemd starts what fails on the host itself; a host that fails is started again or made again by a person",
            ),
            Self::SharedAccess => {
                ("several nodes write one volume", "one directory of one host, in all services that need it there")
            }
            Self::LoadBalancer => (
                "an address of its own leads to whichever node answers",
                "the address of the host itself, with the port open in its firewall; names have to lead there",
            ),
            Self::NetworkPolicy => (
                "only some pods reach others",
                "the firewall between the host and the world; containers of one host reach each other",
            ),
        }
    }
}

/// Returns what is lost, the gravest first.
pub(super) fn find(cx: &Cx<'_, '_>) -> Vec<LostEntry> {
    let world = cx.world;
    let live: Vec<&Object<'_>> =
        world.objects().iter().filter(|object| !object.is_patch && !cx.is_attributed(object)).collect();
    let nodes = nodes(cx);
    let several = nodes.len() > 1;
    let mut all: Vec<LostEntry> = Vec::new();
    let mut add = |kind: Loss, mut objects: Vec<LostObject>| {
        objects.sort();
        objects.dedup();
        if !objects.is_empty() {
            let (what, instead) = kind.words();
            all.push(LostEntry { kind, what, objects, instead });
        }
    };
    // An empty text is an object of which there is nothing more to say.
    let of = |found: &dyn Fn(&Object<'_>) -> Option<String>| -> Vec<LostObject> {
        let one = |object: &&Object<'_>| {
            let detail = Some(found(object)?).filter(|text| !text.is_empty());
            Some(LostObject { object: object.identity(), detail })
        };
        live.iter().filter_map(one).collect()
    };
    let named = |name: &String| LostObject { object: name.clone(), detail: None };
    add(Loss::Nodes, if several { nodes.iter().map(named).collect() } else { Vec::new() });
    add(Loss::Rescheduling, of(&|object| (several && moves(object)).then(String::new)));
    add(Loss::Replicas, of(&|object| replicas(object).map(|count| format!("{count} replicas"))));
    add(Loss::Autoscaling, of(&scaled));
    add(Loss::RollingUpdate, of(&|object| rolls(object).then(String::new)));
    add(Loss::DisruptionBudget, of(&budget));
    add(Loss::Spread, of(&spread));
    add(Loss::SharedAccess, shared(cx));
    add(Loss::LoadBalancer, of(&balanced));
    add(Loss::NetworkPolicy, of(&|object| POLICIES.contains(&&*object.kind).then(String::new)));
    all
}

const POLICIES: &[&str] =
    &["NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "AuthorizationPolicy"];

/// Returns the nodes that the input speaks of.
fn nodes(cx: &Cx<'_, '_>) -> BTreeSet<String> {
    let world = cx.world;
    let mut all: BTreeSet<String> = world.of_kind("Node").map(|node| node.name().to_owned()).collect();
    for object in world.objects().iter().filter(|object| !object.is_patch) {
        let Some(pod) = pod_of(object) else { continue };
        all.extend(pod.str_at("nodeName").map(str::to_owned));
        all.extend(pod.at(&["nodeSelector", "kubernetes.io/hostname"]).and_then(Node::text).map(str::to_owned));
    }
    all.extend(cx.claims.iter().filter_map(|(_, claim)| claim.bound.node.clone()));
    all.retain(|name| !name.is_empty() && !name.contains("${"));
    all
}

/// Tells whether a workload starts on another node when its own fails.
fn moves(object: &Object<'_>) -> bool {
    let is_kept = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"].contains(&&*object.kind);
    let bound = |pod: &Node<'_>| {
        pod.at(&["nodeSelector", "kubernetes.io/hostname"]).is_some() || pod.str_at("nodeName").is_some()
    };
    is_kept
        && object.tree().at(&["spec", "replicas"]).and_then(Node::int) != Some(0)
        && !pod_of(object).is_some_and(bound)
}

/// Returns how many processes share the work, where it is several.
fn replicas(object: &Object<'_>) -> Option<i64> {
    let key = match &*object.kind {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "DeploymentConfig" => "replicas",
        "Job" => "parallelism",
        _ => return None,
    };
    object.tree().at(&["spec", key]).and_then(Node::int).filter(|count| *count > 1)
}

/// Returns what an autoscaler does.
fn scaled(object: &Object<'_>) -> Option<String> {
    let (least, most) = match &*object.kind {
        "HorizontalPodAutoscaler" => ("minReplicas", "maxReplicas"),
        "ScaledObject" => ("minReplicaCount", "maxReplicaCount"),
        "VerticalPodAutoscaler" => return Some(String::new()),
        _ => return None,
    };
    let spec = object.tree().get("spec")?;
    let number = |key: &str| spec.get(key).and_then(Node::int);
    let name = spec.at(&["scaleTargetRef", "name"]).and_then(Node::text).unwrap_or("?");
    let most = number(most).map_or_else(String::new, |most| format!(" to {most}"));
    Some(format!("`{name}`, {}{most} replicas", number(least).unwrap_or(1)))
}

/// Tells whether an update of a workload starts the new before it stops the old: that is what a Deployment does unless it says otherwise.
fn rolls(object: &Object<'_>) -> bool {
    let replicas = object.tree().at(&["spec", "replicas"]).and_then(Node::int).unwrap_or(1);
    let strategy = object.tree().at(&["spec", "strategy", "type"]).and_then(Node::text);
    match &*object.kind {
        "Deployment" => replicas > 0 && strategy != Some("Recreate"),
        "StatefulSet" => replicas > 1,
        _ => false,
    }
}

/// Returns what a budget keeps running.
fn budget(object: &Object<'_>) -> Option<String> {
    let spec = (object.kind == "PodDisruptionBudget").then(|| object.tree().get("spec"))??;
    let said = |key: &str, what: &str| Some(format!("{what} {}", spec.get(key)?.text()?));
    said("minAvailable", "at least").or_else(|| said("maxUnavailable", "all but")).or_else(|| Some(String::new()))
}

/// Returns how the processes of a workload are kept apart.
fn spread(object: &Object<'_>) -> Option<String> {
    let pod = pod_of(object)?;
    let topology = pod.list("topologySpreadConstraints").iter().filter_map(|one| one.str_at("topologyKey"));
    let affinity = pod.at(&["affinity", "podAntiAffinity"]);
    let required = affinity.into_iter().flat_map(|affinity| {
        let preferred = affinity.list("preferredDuringSchedulingIgnoredDuringExecution").iter();
        let preferred = preferred.filter_map(|one| one.at(&["podAffinityTerm", "topologyKey"])?.text());
        let required = affinity.list("requiredDuringSchedulingIgnoredDuringExecution").iter();
        required.filter_map(|one| one.str_at("topologyKey")).chain(preferred)
    });
    let keys: BTreeSet<&str> = topology.chain(required).collect();
    let words: Vec<String> = keys.into_iter().map(|key| format!("by `{key}`")).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

/// Returns the claims that several nodes may write, with who does.
fn shared(cx: &Cx<'_, '_>) -> Vec<LostObject> {
    let several = |object: &Object<'_>| replicas(object).is_some() || object.kind == "DaemonSet";
    let all = cx.claims.iter().filter(|(_, claim)| claim.is_shared());
    let used = all.filter_map(|((namespace, name), claim)| {
        let users: Vec<&Object<'_>> = claim.users.iter().filter_map(|user| cx.world.object(*user)).collect();
        if users.len() < 2 && !users.iter().any(|user| several(user)) {
            return None;
        }
        let names: BTreeSet<String> = users.iter().map(|user| format!("`{}`", user.shown_name())).collect();
        let detail = Some(format!("used by {}", names.into_iter().collect::<Vec<_>>().join(", ")));
        Some(LostObject { object: format!("{namespace}/PersistentVolumeClaim/{name}"), detail })
    });
    used.collect()
}

/// Returns the address that a load balancer gives.
fn balanced(object: &Object<'_>) -> Option<String> {
    if object.kind != "Service" || object.tree().at(&["spec", "type"]).and_then(Node::text) != Some("LoadBalancer") {
        return None;
    }
    let asked = object.tree().at(&["spec", "loadBalancerIP"]).and_then(Node::text);
    let given = object.tree().at(&["status", "loadBalancer", "ingress"]).and_then(|all| all.items().first());
    let given = given.and_then(|one| one.str_at("ip").or_else(|| one.str_at("hostname")));
    let address = asked.or(given).filter(|address| !address.is_empty());
    Some(address.map_or_else(String::new, |address| format!("at {address}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::sample::translated;

    fn lines(yaml: &str) -> Vec<String> {
        let of = |entry: &LostEntry| {
            let objects = entry.objects.iter().map(|one| {
                let detail = one.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
                format!("{}{detail}", one.object)
            });
            format!("{:?}: {}", entry.kind, objects.collect::<Vec<_>>().join(", "))
        };
        translated(yaml).lost.iter().map(of).collect()
    }

    fn web(spec: &str, pod: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  {spec}\n  template:\n    spec:\n      {pod}\n      containers: [{{ name: web, image: registry.example.org/web:1 }}]\n      volumes: [{{ name: a, persistentVolumeClaim: {{ claimName: a }} }}]\n"
        )
    }

    #[test]
    fn what_the_input_does_not_show_is_not_lost() {
        assert_eq!(lines(&web("strategy: { type: Recreate }", "restartPolicy: Always")), Vec::<String>::new());
        assert_eq!(lines(&web("replicas: 0", "restartPolicy: Always")), Vec::<String>::new());
        assert_eq!(lines("apiVersion: v1\nkind: Node\nmetadata: { name: one }\n"), Vec::<String>::new());
    }

    #[test]
    fn each_loss_names_what_shows_it() {
        let mut all = web(
            "replicas: 3",
            "topologySpreadConstraints: [{ topologyKey: zone }]\n      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: kubernetes.io/hostname } }] } }",
        );
        for more in [
            "apiVersion: v1\nkind: Node\nmetadata: { name: one }",
            "apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { nodeName: two, containers: [{ name: p, image: registry.example.org/p:1 }] }",
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: a }\nspec: { accessModes: [ReadWriteMany], resources: { requests: { storage: 1Gi } } }",
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: web }\nspec: { minAvailable: 50% }",
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\nspec: { maxReplicas: 9, scaleTargetRef: { kind: Deployment, name: web } }",
            "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { type: LoadBalancer, loadBalancerIP: 192.0.2.9, ports: [{ port: 80 }] }",
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: web }\nspec: { podSelector: {} }",
        ] {
            all.push_str(&format!("---\n{more}\n"));
        }
        assert_eq!(
            lines(&all),
            [
                "Nodes: one, two",
                "Rescheduling: default/Deployment/web",
                "Replicas: default/Deployment/web (3 replicas)",
                "Autoscaling: default/HorizontalPodAutoscaler/web (`web`, 1 to 9 replicas)",
                "RollingUpdate: default/Deployment/web",
                "DisruptionBudget: default/PodDisruptionBudget/web (at least 50%)",
                "Spread: default/Deployment/web (by `kubernetes.io/hostname` and by `zone`)",
                "SharedAccess: default/PersistentVolumeClaim/a (used by `web`)",
                "LoadBalancer: default/Service/web (at 192.0.2.9)",
                "NetworkPolicy: default/NetworkPolicy/web",
            ]
        );
    }
}
