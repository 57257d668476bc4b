//! What would bring back what: controllers and programs that make an object again when it is deleted or scaled down.
//!
//! A cluster has to stop restoring a workload before its data is copied, from the outermost restorer inwards. The evidence is in owner
//! references, labels, annotations, field managers and in the objects of the restorers themselves. Not here: what is done about it
//! (the rules, the plan).

use std::collections::{BTreeMap, BTreeSet};

use super::object::Object;
use super::translate::chart::is_below;
use super::tree::Node;
use super::world::World;
pub use crate::fleet::cluster::RestorerKind;

/// Something that restores objects.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Restorer {
    /// What it is.
    pub kind: RestorerKind,
    /// The object that makes it restore, as `namespace/Kind/name`; what is known of it where the input lacks it.
    pub by: String,
    /// Whether that object is among the input.
    pub given: bool,
    /// Whether it restores by itself, rather than when somebody delivers again.
    pub by_itself: bool,
    /// What it does when an object is deleted or scaled down.
    pub behaviour: &'static str,
    /// How it is stopped first.
    pub suspend: String,
    /// What would restore or unsuspend it: restorers by their `by`, to be stopped before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<String>,
    /// What it restores, as `namespace/Kind/name`, each with what shows it.
    pub restores: BTreeMap<String, String>,
}

impl RestorerKind {
    /// Returns what it does when an object is deleted or scaled down.
    fn behaviour(self) -> &'static str {
        match self {
            Self::ArgoApplicationSet => {
                "it overwrites what is changed in its Applications, so that suspending one of them has no effect"
            }
            Self::ArgoApplication => {
                "with `selfHeal` it applies objects again within seconds, else with the next commit"
            }
            Self::FluxKustomization => {
                "it applies objects again at each interval, and deletes what is no longer listed"
            }
            Self::FluxHelmRelease => {
                "with `driftDetection` it restores objects at each interval, else with the next upgrade of the chart"
            }
            Self::Fleet => {
                "it applies objects again when the repository or the bundle changes, or at once with `correctDrift`"
            }
            Self::K3sAddon => {
                "it applies the files of its folder at each start and whenever one changes; deleting a file deletes nothing"
            }
            Self::AddonManager => {
                "in the mode `Reconcile` it restores objects, in the mode `EnsureExists` it makes deleted ones again"
            }
            Self::Helm => "it restores nothing by itself; the next `helm upgrade` does",
            Self::Operator => "it makes workloads again from the object that it reads",
            Self::HorizontalPodAutoscaler => "it sets the number of replicas, except while that is 0",
            Self::Keda => "it sets the number of replicas, also when that is 0",
            Self::Outside => "it applies objects again whenever it runs, which nothing in the cluster shows",
        }
    }

    /// Returns how it is stopped; `by` is its object.
    fn suspend(self, namespace: &str, kind: &str, name: &str) -> String {
        let command = |words: &[&str]| {
            crate::text::ShellCommand::of_words(words).map_or_else(String::new, |command| command.to_string())
        };
        if kind == MANAGER {
            let of = match self {
                Self::ArgoApplication => "the Application",
                Self::FluxKustomization => "the Kustomization",
                Self::FluxHelmRelease => "the HelmRelease",
                _ => "",
            };
            if !of.is_empty() {
                return format!("find {of} that delivers it, which no label names, and suspend that");
            }
        }
        match self {
            Self::ArgoApplicationSet => {
                "scale the applicationset controller to 0, or change the template: remove `syncPolicy.automated` there".to_owned()
            }
            Self::ArgoApplication => format!(
                "{}; then see that it stays so, since an Application above it would undo that",
                command(&["argocd", "app", "set", name, "--sync-policy", "none"])
            ),
            Self::FluxKustomization => command(&["flux", "suspend", "kustomization", name, "-n", namespace]),
            Self::FluxHelmRelease => format!(
                "{}, and do not delete it while it is suspended",
                command(&["flux", "suspend", "helmrelease", name, "-n", namespace])
            ),
            Self::Fleet => "set `spec.paused: true` on the GitRepo or Bundle".to_owned(),
            Self::K3sAddon => {
                "put a file NAME.yaml.skip beside its file in the server's manifests folder, or remove that file and the HelmChart"
                    .to_owned()
            }
            Self::AddonManager => "remove the file from the folder of addons on the control plane, or disable the addon".to_owned(),
            Self::Helm => "nobody may run `helm upgrade` for it until the move is done".to_owned(),
            Self::Operator => operator(namespace, kind, name),
            Self::HorizontalPodAutoscaler => "nothing: scale its target to 0, and it stays there".to_owned(),
            Self::Keda => format!(
                "{}, and leave it so",
                command(&[
                    "kubectl",
                    "annotate",
                    "scaledobject",
                    name,
                    "-n",
                    namespace,
                    "autoscaling.keda.sh/paused-replicas=0"
                ])
            ),
            Self::Outside => "find out where it runs, and take the object out of what it writes".to_owned(),
        }
    }
}

/// Returns how an operator lets go of what it made.
fn operator(namespace: &str, kind: &str, name: &str) -> String {
    let patch = |text: &str| {
        let words = ["kubectl", "patch", kind, name, "-n", namespace, "--type", "merge", "-p", text];
        crate::text::ShellCommand::of_words(&words).map_or_else(String::new, |command| command.to_string())
    };
    match kind {
        "Cluster" => {
            let words = ["kubectl", "annotate", "cluster", name, "-n", namespace, "cnpg.io/hibernation=on"];
            let command = crate::text::ShellCommand::of_words(&words).map_or_else(String::new, |line| line.to_string());
            format!("dump the database first, then {command}; its claims stay")
        }
        "postgresql" => patch(r#"{"spec":{"numberOfInstances":0}}"#),
        "Prometheus" | "Alertmanager" | "ThanosRuler" => patch(r#"{"spec":{"replicas":0}}"#),
        _ => format!("scale the operator that reads {kind} to 0, then what it made"),
    }
}

/// Kinds whose objects run or keep something, so that their return matters.
const RESTORED: &[&str] = &["CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicationController", "StatefulSet"];

/// Kinds of Kubernetes itself that make others of [`RESTORED`]; those are stopped by stopping their maker.
const MAKERS: &[&str] =
    &["CronJob", "DaemonSet", "Deployment", "Job", "Node", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// What stands for the kind of a restorer of which only the program is known.
const MANAGER: &str = "manager";

/// Names of field managers that show who writes an object.
const MANAGERS: &[(&str, RestorerKind)] = &[
    ("argocd", RestorerKind::ArgoApplication),
    ("fleetagent", RestorerKind::Fleet),
    ("helm-controller", RestorerKind::FluxHelmRelease),
    ("helm", RestorerKind::Helm),
    ("kustomize-controller", RestorerKind::FluxKustomization),
    ("deploy@", RestorerKind::K3sAddon),
    ("k3s", RestorerKind::K3sAddon),
    ("rke2", RestorerKind::K3sAddon),
    ("HashiCorp", RestorerKind::Outside),
    ("Terraform", RestorerKind::Outside),
    ("pulumi", RestorerKind::Outside),
    ("ansible", RestorerKind::Outside),
    ("crossplane", RestorerKind::Outside),
    ("gitlab", RestorerKind::Outside),
    ("kapp", RestorerKind::Outside),
    ("skaffold", RestorerKind::Outside),
    ("werf", RestorerKind::Outside),
    // Programs that do not say what they are: libraries name themselves.
    ("Go-http-client", RestorerKind::Outside),
    ("OpenAPI-Generator", RestorerKind::Outside),
    ("node-fetch", RestorerKind::Outside),
    ("okhttp", RestorerKind::Outside),
    ("python-requests", RestorerKind::Outside),
];

/// Finds what would restore the workloads of a world, outermost kinds first, each once.
pub(super) fn find(world: &World<'_>) -> Vec<Restorer> {
    let mut found = Found { world, all: BTreeMap::new() };
    let delivered = deliveries(world);
    for kind in RESTORED {
        for object in world.of_kind(kind) {
            found.by_signs(object);
            found.by_folder(object, &delivered);
        }
    }
    for (kind, group, restorer) in [
        ("HorizontalPodAutoscaler", "autoscaling", RestorerKind::HorizontalPodAutoscaler),
        ("ScaledObject", "keda.sh", RestorerKind::Keda),
    ] {
        for scaler in world.of_kind(kind).filter(|scaler| scaler.group() == group) {
            found.scaler(scaler, restorer);
        }
    }
    found.parents();
    found.all.into_values().collect()
}

/// The same with what stands above them, which restores no workload itself but sets a restorer going again; from the outside in as far
/// as kinds tell.
pub(super) fn find_with_parents(world: &World<'_>) -> Vec<Restorer> {
    let mut found =
        Found { world, all: find(world).into_iter().map(|one| ((one.kind, one.by.clone()), one)).collect() };
    let mut open: Vec<String> = found.all.values().map(|one| one.by.clone()).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some(by) = open.pop() {
        if !seen.insert(by.clone()) {
            continue;
        }
        let mut parts = by.splitn(3, '/');
        let (Some(namespace), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(object) = world.find(kind, namespace, name) else { continue };
        for (kind, (namespace, by_kind, name), shown_by) in signs(object) {
            let above = format!("{namespace}/{by_kind}/{name}");
            if above != by {
                found.note(kind, (&namespace, by_kind, &name), &by, shown_by.to_owned());
                open.push(above);
            }
        }
        if let Some((owner, name)) = object.controller() {
            let kind =
                if owner == "ApplicationSet" { RestorerKind::ArgoApplicationSet } else { RestorerKind::Operator };
            found.note(kind, (object.namespace(), owner, name), &by, "metadata.ownerReferences".to_owned());
            open.push(format!("{}/{owner}/{name}", object.namespace()));
        }
    }
    found.parents();
    found.all.into_values().collect()
}

struct Found<'w, 's> {
    world: &'w World<'s>,
    all: BTreeMap<(RestorerKind, String), Restorer>,
}

impl Found<'_, '_> {
    /// Notes that something restores an object.
    fn note(&mut self, kind: RestorerKind, by: (&str, &str, &str), object: &str, shown_by: String) {
        let (namespace, by_kind, name) = by;
        let given = self.world.find(by_kind, namespace, name);
        let identity = format!("{namespace}/{by_kind}/{name}");
        let restorer = self.all.entry((kind, identity.clone())).or_insert_with(|| Restorer {
            kind,
            by: identity,
            given: given.is_some(),
            by_itself: by_itself(kind, given),
            behaviour: kind.behaviour(),
            suspend: kind.suspend(namespace, by_kind, name),
            under: Vec::new(),
            restores: BTreeMap::new(),
        });
        restorer.restores.entry(object.to_owned()).or_insert(shown_by);
    }

    /// Reads owner, labels, annotations and field managers of an object.
    fn by_signs(&mut self, object: &Object<'_>) {
        let identity = object.identity();
        if let Some((kind, name)) = object.controller() {
            if MAKERS.contains(&kind) {
                return;
            }
            let by = (object.namespace(), kind, name);
            self.note(RestorerKind::Operator, by, &identity, "metadata.ownerReferences".to_owned());
        }
        let signs = signs(object);
        for (kind, by, shown_by) in &signs {
            let (namespace, by_kind, name) = by;
            self.note(*kind, (namespace, by_kind, name), &identity, (*shown_by).to_owned());
        }
        let known: Vec<RestorerKind> = signs.iter().map(|(kind, ..)| *kind).collect();
        for (kind, manager) in managers(object) {
            // A manager names the program only; a label that names the object as well says more.
            let is_known =
                known.contains(&kind) || kind == RestorerKind::Helm && known.contains(&RestorerKind::FluxHelmRelease);
            if !is_known {
                let shown_by = format!("metadata.managedFields: {manager}");
                match self.application_of(object).filter(|_| kind == RestorerKind::ArgoApplication) {
                    Some((namespace, name)) => self.note(kind, (&namespace, "Application", &name), &identity, shown_by),
                    None => self.note(kind, ("", MANAGER, manager), &identity, shown_by),
                }
            }
        }
    }

    /// Returns the Application that Argo CD means by the label which it shares with others.
    fn application_of(&self, object: &Object<'_>) -> Option<(String, String)> {
        let name = object.label("app.kubernetes.io/instance")?;
        let is_it = |one: &&Object<'_>| one.name() == name && one.group() == "argoproj.io";
        let application = self.world.of_kind("Application").find(is_it)?;
        Some((application.namespace().to_owned(), name.to_owned()))
    }

    /// Looks which folders that Flux or Argo CD delivers the object's file lies below. An object that a cluster gave out does not lie
    /// where it came from: it carries signs instead.
    fn by_folder(&mut self, object: &Object<'_>, delivered: &[Delivery<'_>]) {
        if object.tree().at(&["metadata", "uid"]).is_some() {
            return;
        }
        let file = self.world.sources.file(object.file).path();
        let fitting = delivered.iter().filter(|delivery| is_below(file, delivery.folder));
        let Some(longest) = fitting.max_by_key(|delivery| delivery.folder.len()) else { return };
        let by = (longest.object.namespace(), longest.object.kind.as_ref(), longest.object.name());
        self.note(longest.kind, by, &object.identity(), format!("its file lies below `{}`", longest.folder));
    }

    fn scaler(&mut self, scaler: &Object<'_>, kind: RestorerKind) {
        let Some(target) = scaler.tree().at(&["spec", "scaleTargetRef"]) else { return };
        let Some(name) = target.str_at("name") else { return };
        let target_kind = target.str_at("kind").unwrap_or("Deployment");
        let identity = format!("{}/{target_kind}/{name}", scaler.namespace());
        let by = (scaler.namespace(), scaler.kind.as_ref(), scaler.name());
        self.note(kind, by, &identity, "spec.scaleTargetRef".to_owned());
    }

    /// Finds what would restore the restorers.
    fn parents(&mut self) {
        let mut under: Vec<((RestorerKind, String), Vec<String>)> = Vec::new();
        for key in self.all.keys() {
            let mut parts = key.1.splitn(3, '/');
            let (Some(namespace), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Some(object) = self.world.find(kind, namespace, name) else { continue };
            let mut above: Vec<String> = signs(object)
                .into_iter()
                .map(|(_, (namespace, kind, name), _)| format!("{namespace}/{kind}/{name}"))
                .collect();
            if let Some((kind, name)) = object.controller() {
                above.push(format!("{namespace}/{kind}/{name}"));
            }
            above.retain(|by| *by != key.1);
            above.sort();
            above.dedup();
            under.push((key.clone(), above));
        }
        for (key, above) in under {
            if let Some(restorer) = self.all.get_mut(&key) {
                restorer.under = above;
            }
        }
    }
}

type Sign = (RestorerKind, (String, &'static str, String), &'static str);

/// Returns what labels and annotations of an object say about who delivers it.
fn signs(object: &Object<'_>) -> Vec<Sign> {
    let mut all = Vec::new();
    let of = |namespace: &str, kind: &'static str, name: &str| (namespace.to_owned(), kind, name.to_owned());
    let flux = [
        (
            "kustomize.toolkit.fluxcd.io/name",
            "kustomize.toolkit.fluxcd.io/namespace",
            "Kustomization",
            RestorerKind::FluxKustomization,
        ),
        (
            "helm.toolkit.fluxcd.io/name",
            "helm.toolkit.fluxcd.io/namespace",
            "HelmRelease",
            RestorerKind::FluxHelmRelease,
        ),
    ];
    for (name_label, place_label, kind, restorer) in flux {
        if let Some(name) = object.label(name_label) {
            let namespace = object.label(place_label).unwrap_or(object.namespace());
            all.push((restorer, of(namespace, kind, name), name_label));
        }
    }
    let tracked = object.annotation("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    if let Some(name) = tracked.filter(|name| !name.is_empty()) {
        // `namespace_name` where Applications stand in several namespaces.
        let (namespace, name) = name.split_once('_').unwrap_or(("argocd", name));
        all.push((RestorerKind::ArgoApplication, of(namespace, "Application", name), "argocd.argoproj.io/tracking-id"));
    } else if let Some(name) = object.label("argocd.argoproj.io/instance") {
        all.push((RestorerKind::ArgoApplication, of("argocd", "Application", name), "argocd.argoproj.io/instance"));
    }
    let owner = |prefix: &str| {
        let key = |part: &str| format!("objectset.rio.cattle.io/{prefix}{part}");
        let name = object.annotation(&key("owner-name"))?;
        Some((object.annotation(&key("owner-namespace")).unwrap_or("kube-system").to_owned(), name.to_owned()))
    };
    if let Some((namespace, name)) = owner("") {
        let by_fleet = object.annotation("objectset.rio.cattle.io/id").is_some_and(|id| id.contains("fleet"));
        let (restorer, kind) =
            if by_fleet { (RestorerKind::Fleet, "Bundle") } else { (RestorerKind::K3sAddon, "Addon") };
        all.push((restorer, (namespace, kind, name), "objectset.rio.cattle.io/owner-name"));
    }
    if object.label("addonmanager.kubernetes.io/mode").is_some() {
        let by = of(object.namespace(), "addon", object.name());
        all.push((RestorerKind::AddonManager, by, "addonmanager.kubernetes.io/mode"));
    }
    let release = object.annotation("meta.helm.sh/release-name");
    if let Some(name) = release.filter(|_| object.label("helm.toolkit.fluxcd.io/name").is_none()) {
        let namespace = object.annotation("meta.helm.sh/release-namespace").unwrap_or(object.namespace());
        all.push((RestorerKind::Helm, of(namespace, "release", name), "meta.helm.sh/release-name"));
    }
    all
}

/// Returns who wrote fields of an object, where that shows a restorer.
///
/// Whoever writes the status or the number of replicas alone delivers nothing: in a cluster of k3s the controllers of Kubernetes are
/// called `k3s` too, and write the status of everything.
fn managers<'o>(object: &'o Object<'_>) -> Vec<(RestorerKind, &'o str)> {
    let mut all: Vec<(RestorerKind, &str)> = Vec::new();
    let fields = object.tree().at(&["metadata", "managedFields"]).map_or(&[][..], Node::items);
    let delivers = |field: &&Node<'_>| {
        let written = field.get("fieldsV1").is_none_or(|written| written.get("f:spec").is_some());
        written && field.get("subresource").and_then(Node::text).is_none_or(str::is_empty)
    };
    for manager in fields.iter().filter(delivers).filter_map(|field| field.get("manager")?.text()) {
        let known = MANAGERS.iter().find(|(start, _)| manager.starts_with(start));
        if let Some((_, kind)) = known.filter(|(_, kind)| !all.iter().any(|(known, _)| known == kind)) {
            all.push((*kind, manager));
        }
    }
    all
}

/// Tells whether something restores by itself, as far as its object shows.
fn by_itself(kind: RestorerKind, given: Option<&Object<'_>>) -> bool {
    let spec = given.and_then(|object| object.tree().get("spec"));
    let is_suspended = spec.and_then(|spec| spec.bool_at("suspend")) == Some(true);
    let at = |route: &[&str]| spec.and_then(|spec| spec.at(route));
    match kind {
        RestorerKind::Helm | RestorerKind::Outside | RestorerKind::HorizontalPodAutoscaler => false,
        RestorerKind::FluxKustomization => !is_suspended,
        RestorerKind::FluxHelmRelease => {
            !is_suspended && at(&["driftDetection", "mode"]).and_then(Node::str) == Some("enabled")
        }
        RestorerKind::Fleet => spec.and_then(|spec| spec.bool_at("paused")) != Some(true),
        RestorerKind::Keda => {
            let annotation = |key: &str| given.and_then(|object| object.annotation(key));
            annotation("autoscaling.keda.sh/paused-replicas") != Some("0")
        }
        RestorerKind::Operator => {
            let hibernates = given.and_then(|object| object.annotation("cnpg.io/hibernation")) == Some("on");
            let count = |key: &str| spec.and_then(|spec| spec.int_at(key));
            !hibernates && count("replicas") != Some(0) && count("numberOfInstances") != Some(0)
        }
        // What is not known restores.
        RestorerKind::ArgoApplication => {
            let heals = at(&["syncPolicy", "automated", "selfHeal"]).and_then(Node::bool);
            let enabled = at(&["syncPolicy", "automated", "enabled"]).and_then(Node::bool);
            given.is_none() || heals == Some(true) && enabled != Some(false)
        }
        _ => true,
    }
}

/// A folder that something delivers.
struct Delivery<'w> {
    kind: RestorerKind,
    object: &'w Object<'w>,
    folder: &'w str,
}

fn deliveries<'w>(world: &'w World<'_>) -> Vec<Delivery<'w>> {
    let mut all = Vec::new();
    let kinds: [(&str, &str, RestorerKind, &[&str]); 2] = [
        ("Kustomization", "kustomize.toolkit.fluxcd.io", RestorerKind::FluxKustomization, &["spec", "path"]),
        ("Application", "argoproj.io", RestorerKind::ArgoApplication, &["spec", "source", "path"]),
    ];
    for (kind, group, restorer, route) in kinds {
        for object in world.of_kind(kind).filter(|object| object.group() == group) {
            let Some(folder) = object.tree().at(route).and_then(Node::text) else { continue };
            // The root of a repository says nothing about a file.
            let is_root = folder.trim_start_matches("./").trim_matches('/').is_empty() || folder == ".";
            if !is_root {
                all.push(Delivery { kind: restorer, object, folder });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::translated;

    fn restorers(yaml: &str) -> Vec<String> {
        let found = translated(yaml).restorers;
        let line = |restorer: &super::Restorer| {
            let json = serde_json::to_value(restorer).unwrap();
            let restores: Vec<String> = restorer.restores.iter().map(|(what, why)| format!("{what} ({why})")).collect();
            format!(
                "{} {} given={} by_itself={} under={:?}: {} <- {}",
                json["kind"].as_str().unwrap(),
                restorer.by,
                restorer.given,
                restorer.by_itself,
                restorer.under,
                restores.join(", "),
                restorer.suspend
            )
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn labels_name_the_kustomization_and_what_stands_above_it() {
        let found = restorers(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps, labels: { kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system } }\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: apps, namespace: flux-system, labels: { kustomize.toolkit.fluxcd.io/name: cluster, kustomize.toolkit.fluxcd.io/namespace: flux-system } }\nspec: { path: ./elsewhere, interval: 1h }\n",
        );
        assert_eq!(
            found,
            [
                "flux-kustomization flux-system/Kustomization/apps given=true by_itself=true under=[\"flux-system/Kustomization/cluster\"]: apps/Deployment/web (kustomize.toolkit.fluxcd.io/name) <- flux suspend kustomization apps -n flux-system"
            ]
        );
    }

    #[test]
    fn what_stands_above_a_restorer_is_found_up_to_the_top() {
        use crate::kubernetes::sample::on;

        let yaml = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps, annotations: { 'argocd.argoproj.io/tracking-id': 'web:apps/Deployment:apps/web' } }\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: web, namespace: argocd, annotations: { 'argocd.argoproj.io/tracking-id': 'root:argoproj.io/Application:argocd/web' } }\nspec: { syncPolicy: { automated: { selfHeal: true } } }\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: root, namespace: argocd, ownerReferences: [{ kind: ApplicationSet, name: all, controller: true }] }\n";
        let found = on(yaml, |_| {}, |world, _| super::find_with_parents(world));
        let lines: Vec<String> = found.iter().map(|one| format!("{:?} {} {:?}", one.kind, one.by, one.under)).collect();
        assert_eq!(
            lines,
            [
                "ArgoApplicationSet argocd/ApplicationSet/all []",
                "ArgoApplication argocd/Application/root [\"argocd/ApplicationSet/all\"]",
                "ArgoApplication argocd/Application/web [\"argocd/Application/root\"]",
            ]
        );
    }

    #[test]
    fn a_file_below_a_delivered_folder_is_restored_from_there() {
        let found = restorers(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps }\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: home, namespace: argocd }\nspec: { source: { path: k8s }, syncPolicy: { automated: { selfHeal: true } } }\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("argo-application argocd/Application/home given=true by_itself=true"),
            "{found:?}"
        );
        assert!(found[0].contains("apps/Deployment/web (its file lies below `k8s`)"), "{found:?}");
    }

    #[test]
    fn an_operator_is_named_by_the_object_that_it_reads() {
        let found = restorers(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db, namespace: apps, ownerReferences: [{ kind: Cluster, name: db, controller: true }] }\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("operator apps/Cluster/db given=false by_itself=true"), "{found:?}");
        assert!(found[0].contains("cnpg.io/hibernation=on"), "{found:?}");
    }

    #[test]
    fn field_managers_tell_where_labels_do_not() {
        let found = restorers(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps, managedFields: [{ manager: Terraform, operation: Apply }, { manager: kubectl-client-side-apply }] }\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("outside /manager/Terraform given=false by_itself=false"), "{found:?}");
    }

    #[test]
    fn whoever_writes_the_status_alone_restores_nothing() {
        let of = |field: &str| {
            restorers(&format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web, namespace: apps, managedFields: [{{ {field} }}] }}\n"
            ))
        };
        for field in [
            "manager: k3s, operation: Update, subresource: status, fieldsV1: { f:status: {} }",
            "manager: k3s, operation: Update, fieldsV1: { f:metadata: { f:annotations: {} } }",
            "manager: Go-http-client, subresource: scale, fieldsV1: { f:spec: { f:replicas: {} } }",
            "manager: kubectl-client-side-apply, fieldsV1: { f:spec: {} }",
        ] {
            assert!(of(field).is_empty(), "{field}");
        }
        let found = of("manager: Go-http-client, fieldsV1: { f:spec: {} }");
        assert!(found[0].starts_with("outside /manager/Go-http-client"), "{found:?}");
    }

    #[test]
    fn a_program_that_no_label_leads_to_gets_no_command_with_its_own_name() {
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps, labels: { app.kubernetes.io/instance: home }, \
                          managedFields: [{ manager: argocd-controller, fieldsV1: { f:spec: {} } }] }\n";
        let found = restorers(deployment);
        assert!(found[0].starts_with("argo-application /manager/argocd-controller"), "{found:?}");
        assert!(
            found[0].ends_with("<- find the Application that delivers it, which no label names, and suspend that"),
            "{found:?}"
        );
        let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: home, namespace: argo }\nspec: {}\n";
        let found = restorers(&format!("{deployment}---\n{application}"));
        assert!(found[0].starts_with("argo-application argo/Application/home given=true"), "{found:?}");
    }

    #[test]
    fn what_a_cluster_gave_out_lies_below_no_folder() {
        let found = restorers(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps, uid: 1f }\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: home, namespace: argocd }\nspec: { source: { path: k8s } }\n",
        );
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_autoscaler_keeps_a_target_at_zero_and_keda_does_not() {
        let target = "spec: { scaleTargetRef: { kind: Deployment, name: web } }";
        let found = restorers(&format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: a, namespace: apps }}\n{target}\n---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{ name: b, namespace: apps }}\n{target}\n"
        ));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("by_itself=false"), "{found:?}");
        assert!(found[1].contains("autoscaling.keda.sh/paused-replicas=0"), "{found:?}");
    }

    #[test]
    fn a_pod_of_a_deployment_is_no_restorers_business() {
        let found = restorers(
            "apiVersion: v1\nkind: Pod\nmetadata: { name: web-1, ownerReferences: [{ kind: ReplicaSet, name: web }] }\n",
        );
        assert!(found.is_empty(), "{found:?}");
    }
}
