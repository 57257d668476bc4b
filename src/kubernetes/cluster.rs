//! From objects to the facts that rules stand on ([`ClusterFacts`]).
//!
//! Everything is translated as for an inventory, because what became of a probe, and whom a workload speaks with, is only known then.
//! Here belongs what is read off the objects and the books; no rule and no definition.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{self, PODS};
use super::context::{Cx, Target};
use super::ledger::Disposition;
use super::load::Loaded;
use super::object::{Object, ObjectId};
use super::restorers::{self, RestorerKind};
use super::tree::Node;
use super::{attribution, fields, graph, translate};
use crate::fleet::cluster::{
    Claim, ClaimUse, ClusterFacts, Fate, HostPath, Lies, ObjectVersion, Reclaim, Restorer, Scaler, Talk, Template,
    Unfilled, Workload,
};
use crate::source::{Place, Spanned, printable};

/// The most replicas of a StatefulSet whose claims are looked at one by one.
const MOST_REPLICAS: i64 = 100;

/// Returns what the manifests of a cluster say, for rules.
pub fn cluster_facts(loaded: &Loaded<'_>, target: &Target<'_>) -> ClusterFacts {
    let world = &loaded.world;
    let mut cx = Cx::new(world, target);
    attribution::run(&mut cx);
    translate::run(&mut cx);
    let (talks, _) = graph::run(&mut cx);
    fields::settle_rest(&mut cx);
    let mut facts = ClusterFacts::default();
    for (kind, route) in PODS {
        for object in world.of_kind(kind).filter(|object| !cx.is_attributed(object)) {
            if world.superseded_by(object).is_none()
                && let Some(pod) = object.tree().at(route)
            {
                facts.workloads.insert(object.identity(), workload(&cx, object, pod));
            }
        }
    }
    let identity_of = |service: &str| {
        let draft = cx.host.services.get(service)?;
        Some(world.object(draft.object)?.identity())
    };
    for edge in &talks {
        let (Some(from), Some(to)) = (identity_of(&edge.from), identity_of(&edge.to)) else { continue };
        if let Some(workload) = facts.workloads.get_mut(&from).filter(|_| from != to) {
            let at = format!("{}:{}", edge.file, edge.line);
            workload.talks.push(Talk { to, key: edge.key.clone(), at });
        }
    }
    facts.claims = claims(&cx);
    facts.restorers =
        restorers::find_with_parents(world).into_iter().map(|restorer| restorer_facts(&cx, restorer)).collect();
    facts.objects = world.objects().iter().filter_map(|object| version(&cx, object)).collect();
    for refusal in &loaded.refused {
        match &refusal.help {
            Some(help) => facts.templates.push(Template {
                place: refusal.place,
                reason: refusal.reason.clone(),
                help: help.clone(),
            }),
            // A file of settings may lie among manifests; one that cannot be read may hold anything.
            None if refusal.reason == super::load::NO_OBJECT => {}
            None => {
                let (file, line) = (world.sources.file(refusal.place.file), world.sources.position(refusal.place).line);
                facts.unread.push(format!("{}:{line}: {}", printable(file.path()), refusal.reason));
            }
        }
    }
    facts
}

/// Returns where the name of an object stands; its beginning where it has none.
fn name_of(cx: &Cx<'_, '_>, object: &Object<'_>) -> Place {
    let node = object.tree().at(&["metadata", "name"]);
    node.and_then(|node| cx.world.place(node)).unwrap_or_else(|| {
        let start = object.root.span.start as usize;
        cx.world.sources.place(object.file, start, start)
    })
}

fn version(cx: &Cx<'_, '_>, object: &Object<'_>) -> Option<ObjectVersion> {
    let place = cx.world.place(object.root.get("apiVersion")?)?;
    let (api_version, kind) = (object.api_version.to_string(), object.kind.to_string());
    Some(ObjectVersion { api_version, kind, name: object.shown_name(), place })
}

fn workload(cx: &Cx<'_, '_>, object: &Object<'_>, pod: &Node<'_>) -> Workload {
    let world = cx.world;
    let replicas = object.tree().at(&["spec", "replicas"]);
    let replicas = replicas.and_then(|node| Some(Spanned::new(node.int()?, world.place(node)?)));
    let plain = pod.list("containers");
    let annotation = |key: &str| {
        let template = object.tree().at(&["spec", "template", "metadata", "annotations"]);
        template.or_else(|| object.tree().at(&["metadata", "annotations"]))?.get(key)?.text()
    };
    let wanted = annotation("kubectl.kubernetes.io/default-container");
    let main = wanted.and_then(|wanted| plain.iter().find(|node| node.str_at("name") == Some(wanted)));
    let image = main.or_else(|| plain.first()).and_then(|container| container.get("image"));
    let image = image.and_then(|node| Some(Spanned::new(node.text()?.to_owned(), world.place(node)?)));
    let module = image.as_ref().and_then(|image| module_of(cx, image));
    let (mut probes, mut limits) = (Vec::new(), Vec::new());
    for container in running(pod) {
        let name = container.str_at("name").unwrap_or("");
        for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
            let node = container.get(key).filter(|probe| !probe.pairs().is_empty());
            probes.extend(node.and_then(|node| fate(cx, name, key.to_owned(), node)));
        }
        for pair in container.at(&["resources", "limits"]).map_or(&[][..], Node::pairs) {
            // Nothing is no limit.
            let says_something = pair.node.text().is_some_and(|text| !matches!(text, "" | "0"));
            if says_something {
                limits.extend(fate(cx, name, format!("limits.{}", pair.key), &pair.node));
            }
        }
    }
    Workload {
        namespace: object.namespace().to_owned(),
        place: name_of(cx, object),
        scaler: scaler(cx, object),
        claims: claim_uses(cx, object, pod, replicas.map_or(1, |count| count.value)),
        replicas,
        host_paths: pod.list("volumes").iter().filter_map(|volume| host_path(cx, pod, volume)).collect(),
        image,
        module,
        probes,
        limits,
        unfilled: unfilled(cx, object),
        talks: Vec::new(),
    }
}

/// Returns the containers that run as long as the pod.
fn running<'a, 's>(pod: &'a Node<'s>) -> impl Iterator<Item = &'a Node<'s>> {
    let beside = pod.list("initContainers").iter().filter(|node| node.str_at("restartPolicy") == Some("Always"));
    pod.list("containers").iter().chain(beside)
}

/// Returns the service module that takes the place of an image.
fn module_of(cx: &Cx<'_, '_>, image: &str) -> Option<String> {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    let short = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name).to_owned()
    };
    let wanted = short(name);
    let replaces = |module: &crate::fleet::Module| module.file.images.iter().any(|image| short(&image.name) == wanted);
    cx.target.modules.iter().find(|(_, module)| replaces(module)).map(|(name, _)| name.clone())
}

/// Returns what became of a field with all that is below it.
fn fate(cx: &Cx<'_, '_>, container: &str, field: String, node: &Node<'_>) -> Option<Fate> {
    let place = cx.world.place(node)?;
    let (mut to, mut why) = (None, None);
    node.each_leaf(&mut |_, leaf| match cx.books.of(leaf) {
        Some((Disposition::Translated | Disposition::Replaced, Some(key), _)) => {
            to.get_or_insert_with(|| key.to_owned());
        }
        Some((_, _, Some(reason))) => {
            why.get_or_insert_with(|| reason.to_owned());
        }
        _ => {}
    });
    Some(Fate { container: container.to_owned(), field, place, to, why: why.unwrap_or_default() })
}

fn scaler(cx: &Cx<'_, '_>, object: &Object<'_>) -> Option<Scaler> {
    // What KEDA does where nobody says it.
    const KEDA_MOST: i64 = 100;
    let kinds: [(&str, &str, &str); 2] =
        [("HorizontalPodAutoscaler", "autoscaling", "maxReplicas"), ("ScaledObject", "keda.sh", "maxReplicaCount")];
    kinds.into_iter().find_map(|(kind, group, key)| {
        let scalers = cx.world.of_kind(kind).filter(|scaler| scaler.group() == group);
        let mut own = scalers.filter(|scaler| scaler.namespace() == object.namespace());
        own.find_map(|scaler| {
            let spec = scaler.tree().get("spec")?;
            let target = spec.get("scaleTargetRef")?;
            let is_it = target.str_at("name") == Some(object.name())
                && target.str_at("kind").unwrap_or("Deployment") == object.kind;
            let most = spec.get(key);
            let place = most.and_then(|node| cx.world.place(node)).unwrap_or_else(|| name_of(cx, scaler));
            let most = most.and_then(Node::int).unwrap_or(if kind == "ScaledObject" { KEDA_MOST } else { 1 });
            is_it.then(|| Scaler { by: scaler.identity(), most, place })
        })
    })
}

/// Returns the claims of a workload: those that its pod names, and those that a StatefulSet makes for each replica.
fn claim_uses(cx: &Cx<'_, '_>, object: &Object<'_>, pod: &Node<'_>, replicas: i64) -> Vec<ClaimUse> {
    let mut all = Vec::new();
    for volume in pod.list("volumes") {
        let Some(source) = volume.get("persistentVolumeClaim") else { continue };
        let Some(node) = source.get("claimName") else { continue };
        let (Some(name), Some(place)) = (node.text(), cx.world.place(node)) else { continue };
        let volume = volume.str_at("name").unwrap_or("");
        let read_only = source.bool_at("readOnly") == Some(true) || !writes(pod, volume);
        all.push(ClaimUse { name: name.to_owned(), place, read_only, is_template: false });
    }
    if object.kind == "StatefulSet" {
        let first = object.tree().at(&["spec", "ordinals", "start"]).and_then(Node::int).unwrap_or(0);
        for (template, name) in claims::templates(object) {
            let node = template.at(&["metadata", "name"]).unwrap_or(template);
            let Some(place) = cx.world.place(node) else { continue };
            for ordinal in first..first + replicas.clamp(1, MOST_REPLICAS) {
                let name = format!("{name}-{}-{ordinal}", object.name());
                all.push(ClaimUse { name, place, read_only: false, is_template: true });
            }
        }
    }
    all
}

/// Tells whether a container of a pod can write a volume.
fn writes(pod: &Node<'_>, volume: &str) -> bool {
    !targets(pod, volume).is_empty()
}

/// Returns where containers can write a volume, as their paths of it.
fn targets(pod: &Node<'_>, volume: &str) -> Vec<String> {
    let containers = pod.list("containers").iter().chain(pod.list("initContainers"));
    let mounts = containers.flat_map(|container| container.list("volumeMounts"));
    let of_it = mounts.filter(|mount| {
        mount.get("name").and_then(Node::text) == Some(volume) && mount.bool_at("readOnly") != Some(true)
    });
    let mut all: Vec<String> = of_it.filter_map(|mount| mount.get("mountPath")?.text().map(str::to_owned)).collect();
    all.sort();
    all.dedup();
    all
}

fn host_path(cx: &Cx<'_, '_>, pod: &Node<'_>, volume: &Node<'_>) -> Option<HostPath> {
    let node = volume.at(&["hostPath", "path"])?;
    let (path, place) = (node.text()?.to_owned(), cx.world.place(node)?);
    let name = volume.str_at("name")?;
    let of_it = |mount: &Node<'_>| mount.get("name").and_then(Node::text) == Some(name);
    let mut mounting = running(pod).filter(|container| container.list("volumeMounts").iter().any(of_it));
    let uid = mounting.find_map(|container| {
        let own = container.at(&["securityContext", "runAsUser"]);
        let number = own.or_else(|| pod.at(&["securityContext", "runAsUser"]))?.int()?;
        u32::try_from(number).ok().filter(|uid| *uid != 0)
    });
    Some(HostPath { path, place, targets: targets(pod, name), uid })
}

/// Returns the fields that wait for a person because a name in braces stands in them.
fn unfilled(cx: &Cx<'_, '_>, object: &Object<'_>) -> Vec<Unfilled> {
    let mut all = Vec::new();
    object.root.each_leaf(&mut |path, leaf| {
        let is_open = leaf.text().is_some_and(|text| text.contains("${") || text.contains("{{"));
        let waits = || matches!(cx.books.of(leaf), Some((Disposition::NeedsYou, ..)));
        if is_open
            && waits()
            && let Some(place) = cx.world.place(leaf)
        {
            all.push(Unfilled { place, path: path.to_owned() });
        }
    });
    all
}

fn claims(cx: &Cx<'_, '_>) -> BTreeMap<(String, String), Claim> {
    let world = cx.world;
    let mut all = BTreeMap::new();
    for (key, claim) in cx.claims.iter() {
        let described = claim.object.and_then(|id| world.object(id));
        let place = described.or_else(|| claim.users.first().and_then(|user| world.object(*user)));
        let Some(place) = place.map(|object| name_of(cx, object)) else { continue };
        let users: BTreeSet<&ObjectId> = claim.users.iter().collect();
        let workloads = users.into_iter().filter_map(|user| world.object(*user)).map(Object::identity);
        let claim = Claim {
            place,
            access: claim.access.clone(),
            requested: claim.requested,
            owner: claim.rights.owner.clone(),
            reclaim: reclaim(cx, claim),
            lies: lies(cx, claim),
            workloads: workloads.collect(),
        };
        all.insert(key.clone(), claim);
    }
    all
}

/// Returns what becomes of a claim's data: its volume says it, else the class that made the volume.
///
/// A volume that was made by hand is kept where it says nothing ("Reclaim Policy" of the documentation of storage classes).
fn reclaim(cx: &Cx<'_, '_>, claim: &claims::Claim) -> Option<Reclaim> {
    let said = |object: &Object<'_>, route: &[&str], default: &str| {
        let node = object.tree().at(route);
        let policy = node.and_then(Node::text).unwrap_or(default).to_owned();
        let place = node.and_then(|node| cx.world.place(node)).unwrap_or_else(|| name_of(cx, object));
        (policy, place)
    };
    if let Some(name) = &claim.bound.volume {
        let volume = cx.world.find("PersistentVolume", "", name)?;
        let (policy, place) = said(volume, &["spec", "persistentVolumeReclaimPolicy"], "Retain");
        return Some(Reclaim { policy, place, volume: Some(name.clone()) });
    }
    let class = claims::class_of(cx.world, claim.class.as_deref())?;
    let (policy, place) = said(class, &["reclaimPolicy"], "Delete");
    Some(Reclaim { policy, place, volume: None })
}

/// Returns where the data of a claim lies.
fn lies(cx: &Cx<'_, '_>, claim: &claims::Claim) -> Lies {
    let bound = &claim.bound;
    let volume = bound.volume.as_deref().and_then(|name| cx.world.find("PersistentVolume", "", name));
    let of_volume = |route: &[&str]| Some(volume?.tree().at(route)?.text()?.to_owned());
    let class = claims::class_of(cx.world, claim.class.as_deref()).filter(|_| volume.is_none());
    let provisioner = class.and_then(|class| class.tree().get("provisioner")?.text()).map(str::to_owned);
    Lies {
        volume: bound.volume.clone(),
        words: bound.lies.clone(),
        node: bound.node.clone(),
        node_path: of_volume(&["spec", "local", "path"]).or_else(|| of_volume(&["spec", "hostPath", "path"])),
        driver: of_volume(&["spec", "csi", "driver"]).or(provisioner),
        export: bound.export.as_ref().map(|export| (export.server.clone(), export.path.clone())),
    }
}

fn restorer_facts(cx: &Cx<'_, '_>, restorer: restorers::Restorer) -> Restorer {
    let mut parts = restorer.by.splitn(3, '/');
    let object = match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(kind), Some(name)) => cx.world.find(kind, namespace, name),
        _ => None,
    };
    Restorer {
        kind: restorer.kind,
        what: what(restorer.kind),
        group: object.map(|object| object.group().to_owned()),
        interval: object.and_then(|object| object.tree().at(&["spec", "interval"])?.text()).and_then(go_seconds),
        place: object.map(|object| name_of(cx, object)),
        by: restorer.by,
        by_itself: restorer.by_itself,
        behaviour: restorer.behaviour,
        suspend: restorer.suspend,
        under: restorer.under,
        restores: restorer.restores,
    }
}

/// Reads a duration as Go writes it (`1h30m`, `90s`) in seconds, rounded up; none of what is no such duration.
fn go_seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let factor = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after;
    }
    (millis > 0).then(|| millis.div_ceil(1000))
}

/// Returns what a restorer is, as words before its name.
fn what(kind: RestorerKind) -> &'static str {
    match kind {
        RestorerKind::ArgoApplicationSet => "the ApplicationSet of Argo CD",
        RestorerKind::ArgoApplication => "the Application of Argo CD",
        RestorerKind::FluxKustomization => "the Kustomization of Flux",
        RestorerKind::FluxHelmRelease => "the HelmRelease of Flux",
        RestorerKind::Fleet => "the bundle of Rancher Fleet",
        RestorerKind::K3sAddon => "the addon of k3s",
        RestorerKind::AddonManager => "the addon manager",
        RestorerKind::Helm => "the release of helm",
        RestorerKind::Operator => "the operator that reads",
        RestorerKind::HorizontalPodAutoscaler => "the autoscaler",
        RestorerKind::Keda => "the autoscaler of KEDA",
        RestorerKind::Outside => "a program outside of the cluster,",
    }
}
