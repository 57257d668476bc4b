"""What brings things back: Argo CD, Flux, KEDA, autoscalers, operators, addon managers.

Each reads its own objects, as they are at that moment, and restores what it delivered unless it is suspended. What was delivered is what
was first applied (`Cluster.desired`). Outer restorers run first, so that whoever suspends an inner one alone sees it come back.
"""
import copy

from cluster import annotation, at, labels_of, name_of, namespace_of, owner_of

FLUX = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"


def restore(cluster):
    """Everything that restores, once; whoever restores restorers comes first."""
    application_sets(cluster)
    for _ in range(3):
        if not applications(cluster):
            break
    if cluster.ticks % cluster.settings.get("flux-every", 1) == 0:
        for _ in range(3):
            if not kustomizations(cluster):
                break
        helm_releases(cluster)
    bundles(cluster)
    addons(cluster)
    operators(cluster)
    scalers(cluster)


def is_like(old, wanted):
    """Whether what was delivered is as it was; more than that may be there."""
    if isinstance(wanted, dict):
        return isinstance(old, dict) and all(key in old and is_like(old[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(old, list) and len(old) == len(wanted) and all(map(is_like, old, wanted))
    return old == wanted


def over(old, wanted):
    """What was delivered, over what is there."""
    if isinstance(old, dict) and isinstance(wanted, dict):
        return old | {key: over(old.get(key), value) for key, value in wanted.items()}
    if isinstance(old, list) and isinstance(wanted, list) and len(old) == len(wanted):
        return [over(one, other) for one, other in zip(old, wanted)]
    return copy.deepcopy(wanted)


def bring_back(cluster, key, manager, leaves=()):
    """Restores one object to what was delivered; tells whether that changed anything."""
    wanted = copy.deepcopy(cluster.desired[key])
    kind = wanted["kind"]
    live = next((one for one in cluster.objects if cluster.key(one) == key), None)
    if live is None:
        home = cluster.find_kind("Namespace", "", namespace_of(wanted))
        if home is not None and at(home, "metadata", "deletionTimestamp"):
            return False
        cluster.add(wanted, manager)
        return True
    if at(live, "metadata", "deletionTimestamp") or kind in ("PersistentVolume", "PersistentVolumeClaim", "Namespace"):
        return False
    wanted = {part: value for part, value in wanted.items() if part not in ("status", "apiVersion", "kind")}
    if "replicas" in leaves and isinstance(wanted.get("spec"), dict):
        wanted["spec"].pop("replicas", None)
    wanted["metadata"] = {part: at(wanted, "metadata", part) for part in ("labels", "annotations") if at(wanted, "metadata", part)}
    if is_like(live, wanted):
        return False
    return cluster.change(live, over(copy.deepcopy(live), wanted), manager)


def scaled(cluster):
    """Who is scaled by something else: a delivery that says no number leaves it alone, this stand-in's always does then."""
    return {(namespace_of(one), at(one, "spec", "scaleTargetRef", "name")) for one in cluster.of_kind("HorizontalPodAutoscaler")}


def delivered(cluster, belongs):
    return [key for key, thing in sorted(cluster.desired.items()) if belongs(thing)]


# Argo CD

def tracked_by(thing):
    tracked = annotation(thing, "argocd.argoproj.io/tracking-id")
    if tracked:
        return tracked.split(":")[0].rpartition("_")[2]
    return labels_of(thing).get("argocd.argoproj.io/instance")


def applications(cluster):
    changed = False
    for application in cluster.of_kind("Application"):
        automated = at(application, "spec", "syncPolicy", "automated")
        if automated is None or automated.get("enabled") is False or not automated.get("selfHeal"):
            continue
        if not runs(cluster, "argocd-application-controller", namespace_of(application)):
            continue
        for key in delivered(cluster, lambda thing: tracked_by(thing) == name_of(application)):
            changed |= bring_back(cluster, key, "argocd-controller")
    return changed


def runs(cluster, name, namespace):
    """Whether a controller that is among the objects runs; one that is not among them does."""
    for kind in ("Deployment", "StatefulSet"):
        thing = cluster.find_kind(kind, namespace, name)
        if thing is not None:
            return at(thing, "spec", "replicas", default=1) > 0
    return True


def application_sets(cluster):
    """An ApplicationSet writes its template over its Applications."""
    for parent in cluster.of_kind("ApplicationSet"):
        if not runs(cluster, "argocd-applicationset-controller", namespace_of(parent)):
            continue
        policy = at(parent, "spec", "syncPolicy", "applicationsSync", default="sync")
        ignored = [path for rule in at(parent, "spec", "ignoreApplicationDifferences", default=[]) for path in rule.get("jsonPointers", [])]
        wanted = at(parent, "spec", "template", "spec", "syncPolicy")
        for child in cluster.of_kind("Application", namespace_of(parent)):
            by = owner_of(child) or {}
            if (by.get("kind"), by.get("name")) != ("ApplicationSet", name_of(parent)) or policy not in ("sync", "create-update"):
                continue
            if any(path.startswith("/spec/syncPolicy") for path in ignored):
                continue
            new = copy.deepcopy(child)
            if wanted is None:
                new["spec"].pop("syncPolicy", None)
            else:
                new["spec"]["syncPolicy"] = copy.deepcopy(wanted)
            cluster.change(child, new, "argocd-applicationset-controller")


# Flux

def kustomizations(cluster):
    changed = False
    for one in cluster.of_kind("Kustomization"):
        if not one["apiVersion"].startswith(FLUX) or at(one, "spec", "suspend"):
            continue
        if not runs(cluster, "kustomize-controller", "flux-system"):
            continue

        def belongs(thing, one=one):
            labels = labels_of(thing)
            return labels.get(f"{FLUX}/name") == name_of(one) and labels.get(f"{FLUX}/namespace", namespace_of(one)) == namespace_of(one) \
                and (name_of(thing), thing["kind"]) != (name_of(one), "Kustomization")
        for key in delivered(cluster, belongs):
            live = next((thing for thing in cluster.objects if cluster.key(thing) == key), {})
            off = annotation(live, f"{FLUX}/reconcile") == "disabled" or annotation(live, f"{FLUX}/ssa") in ("Ignore", "IfNotPresent")
            if not off:
                changed |= bring_back(cluster, key, "kustomize-controller")
    return changed


def helm_releases(cluster):
    for one in cluster.of_kind("HelmRelease"):
        drift = at(one, "spec", "driftDetection", "mode") == "enabled"
        if at(one, "spec", "suspend") or not drift or not runs(cluster, "helm-controller", "flux-system"):
            continue
        for key in delivered(cluster, lambda thing: labels_of(thing).get(f"{HELM}/name") == name_of(one)):
            bring_back(cluster, key, "helm-controller")


# Others

def bundles(cluster):
    for one in cluster.of_kind("Bundle"):
        if at(one, "spec", "paused") or not at(one, "spec", "correctDrift", "enabled"):
            continue
        for key in delivered(cluster, lambda thing: annotation(thing, "objectset.rio.cattle.io/owner-name") == name_of(one)):
            bring_back(cluster, key, "fleetagent")


def addons(cluster):
    """The addon manager acts at once; the addons of k3s only where `restarted` of the settings says that the server was."""
    for key in delivered(cluster, lambda thing: labels_of(thing).get("addonmanager.kubernetes.io/mode")):
        mode = labels_of(cluster.desired[key])["addonmanager.kubernetes.io/mode"]
        is_there = any(cluster.key(thing) == key for thing in cluster.objects)
        if key.rpartition("/")[2] not in cluster.settings.get("addons-off", []) and (mode == "Reconcile" or not is_there):
            bring_back(cluster, key, "kube-addon-manager")
    if cluster.settings.get("restarted"):
        skipped = cluster.settings.get("skipped", [])
        for key in delivered(cluster, lambda thing: annotation(thing, "objectset.rio.cattle.io/owner-name")):
            if annotation(cluster.desired[key], "objectset.rio.cattle.io/owner-name") not in skipped:
                bring_back(cluster, key, "deploy@node-1")


MAKERS = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController", "Node", "ApplicationSet"}


def operators(cluster):
    """An operator keeps the number of replicas that its object says, and makes its workload again."""
    for key in delivered(cluster, lambda thing: (owner_of(thing) or {}).get("kind", "Node") not in MAKERS):
        wanted = cluster.desired[key]
        by = owner_of(wanted)
        owner = cluster.find_kind(by["kind"], namespace_of(wanted), by["name"])
        operator = cluster.settings.get("operators", {}).get(by["kind"])
        if owner is None or at(owner, "metadata", "deletionTimestamp"):
            continue
        if operator and not runs(cluster, operator.partition("/")[2], operator.partition("/")[0]):
            continue
        if annotation(owner, "cnpg.io/reconciliationLoop") == "disabled":
            continue
        count = at(owner, "spec", "numberOfInstances", default=at(owner, "spec", "instances", default=at(owner, "spec", "replicas")))
        if annotation(owner, "cnpg.io/hibernation") == "on":
            count = 0
        bring_back(cluster, key, f'{by["kind"].lower()}-operator', leaves=("replicas",))
        live = next((one for one in cluster.objects if cluster.key(one) == key), None)
        count = at(wanted, "spec", "replicas") if count is None else count
        if live is not None and count is not None and at(live, "spec", "replicas") != count:
            new = copy.deepcopy(live)
            new["spec"]["replicas"] = count
            cluster.change(live, new, f'{by["kind"].lower()}-operator')


def scalers(cluster):
    for one in cluster.of_kind("HorizontalPodAutoscaler"):
        target = target_of(cluster, one)
        count = at(target, "spec", "replicas", default=1) if target else 0
        if count == 0:
            continue
        scale(cluster, target, min(max(count, at(one, "spec", "minReplicas", default=1)), at(one, "spec", "maxReplicas", default=1)),
              "kube-controller-manager")
    for one in cluster.of_kind("ScaledObject"):
        target = target_of(cluster, one)
        if target is None or annotation(one, "autoscaling.keda.sh/paused") == "true":
            continue
        paused = annotation(one, "autoscaling.keda.sh/paused-replicas")
        count = int(paused) if paused is not None else max(at(one, "spec", "minReplicaCount", default=0), 1)
        if paused is not None or at(target, "spec", "replicas", default=1) < count:
            scale(cluster, target, count, "keda")


def target_of(cluster, scaler):
    target = at(scaler, "spec", "scaleTargetRef", default={})
    return cluster.find_kind(target.get("kind", "Deployment"), namespace_of(scaler), target.get("name"))


def scale(cluster, target, count, manager):
    if at(target, "spec", "replicas", default=1) != count:
        new = copy.deepcopy(target)
        new["spec"]["replicas"] = count
        cluster.change(target, new, manager, "scale")
