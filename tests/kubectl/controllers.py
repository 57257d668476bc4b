"""What a cluster does by itself: it fills in defaults, makes pods, binds claims, takes away what belongs to what was deleted.

`run` is called after each command. One call is one tick: what takes a while in a cluster takes ticks here.
"""
import copy
import hashlib
import json
import os
import shutil

from cluster import annotation, at, labels_of, matches, name_of, namespace_of, owner_of

POD_OF = {"CronJob": ("spec", "jobTemplate", "spec", "template")}
TEMPLATED = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"}


def template_of(thing):
    """The template of the pods of a workload."""
    return at(thing, *POD_OF.get(thing["kind"], ("spec", "template")))


def fill_in(thing):
    """What a server writes into an object that says less; the fields that plans and readers may meet."""
    kind, spec = thing["kind"], thing.setdefault("spec", {}) if thing["kind"] not in SPECLESS else None
    if kind == "Pod":
        fill_in_pod(spec)
    template = template_of(thing) if kind in TEMPLATED or kind == "CronJob" else None
    if template:
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        fill_in_pod(template.setdefault("spec", {}))
    if kind in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"):
        spec.setdefault("replicas", 1)
    if kind == "Deployment":
        spec.setdefault("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    if kind == "StatefulSet":
        spec.setdefault("podManagementPolicy", "OrderedReady")
        spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
        for claim in spec.get("volumeClaimTemplates", []):
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            claim["spec"].setdefault("volumeMode", "Filesystem")
            claim.setdefault("status", {"phase": "Pending"})
    if kind == "CronJob":
        for key, value in (("concurrencyPolicy", "Allow"), ("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
            spec.setdefault(key, value)
    if kind == "Job":
        for key, value in (("backoffLimit", 6), ("completions", 1), ("parallelism", 1), ("completionMode", "NonIndexed"), ("suspend", False)):
            spec.setdefault(key, value)
    if kind == "Service":
        for key, value in (("type", "ClusterIP"), ("sessionAffinity", "None"), ("internalTrafficPolicy", "Cluster"),
                           ("ipFamilies", ["IPv4"]), ("ipFamilyPolicy", "SingleStack")):
            spec.setdefault(key, value)
        for port in spec.get("ports", []):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
        if spec["type"] != "ExternalName" and "clusterIP" not in spec:
            number = int(hashlib.sha256(f"{namespace_of(thing)}/{name_of(thing)}".encode()).hexdigest()[:4], 16)
            spec["clusterIP"] = f"10.96.{number // 256}.{number % 256}"
        if "clusterIP" in spec:
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if kind == "PersistentVolumeClaim":
        spec.setdefault("volumeMode", "Filesystem")
    if kind == "PersistentVolume":
        spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
        spec.setdefault("volumeMode", "Filesystem")
    if kind == "StorageClass":
        thing.setdefault("reclaimPolicy", "Delete")
        thing.setdefault("volumeBindingMode", "Immediate")
    if kind == "Secret":
        thing.setdefault("type", "Opaque")
        import base64
        for key, value in thing.pop("stringData", {}).items():
            thing.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    if kind == "Namespace":
        labels = thing["metadata"].setdefault("labels", {})
        labels.setdefault("kubernetes.io/metadata.name", name_of(thing))
        spec.setdefault("finalizers", ["kubernetes"])
        thing.setdefault("status", {"phase": "Active"})
    if spec == {}:
        del thing["spec"]


SPECLESS = {"ConfigMap", "Secret", "StorageClass", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
            "Endpoints", "EndpointSlice", "Event", "PriorityClass", "ControllerRevision"}


def fill_in_pod(spec):
    for key, value in (("restartPolicy", "Always"), ("dnsPolicy", "ClusterFirst"), ("schedulerName", "default-scheduler"),
                       ("terminationGracePeriodSeconds", 30), ("securityContext", {})):
        spec.setdefault(key, value)
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in spec.get("containers", []) + spec.get("initContainers", []):
        tag = container.get("image", "").rpartition("/")[2]
        latest = ":" not in tag or tag.endswith(":latest")
        for key, value in (("imagePullPolicy", "Always" if latest and "@" not in tag else "IfNotPresent"), ("resources", {}),
                           ("terminationMessagePath", "/dev/termination-log"), ("terminationMessagePolicy", "File")):
            container.setdefault(key, value)
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(name):
                for key, value in (("failureThreshold", 3), ("periodSeconds", 10), ("successThreshold", 1), ("timeoutSeconds", 1)):
                    container[name].setdefault(key, value)
                if "httpGet" in container[name]:
                    container[name]["httpGet"].setdefault("scheme", "HTTP")
                    container[name]["httpGet"].setdefault("path", "/")
        for variable in container.get("env", []):
            field = at(variable, "valueFrom", "fieldRef")
            if field:
                field.setdefault("apiVersion", "v1")
    for volume in spec.get("volumes", []):
        for key in ("configMap", "secret", "projected", "downwardAPI"):
            if key in volume:
                volume[key].setdefault("defaultMode", 420)
        if "hostPath" in volume:
            volume["hostPath"].setdefault("type", "")


def run(cluster):
    """One tick."""
    if cluster.is_plain:
        return
    from restorers import restore
    cluster.ticks += 1
    reap(cluster)
    restore(cluster)
    finish_namespaces(cluster)
    collect(cluster)
    for thing in list(cluster.objects):
        if not at(thing, "metadata", "deletionTimestamp"):
            {"Deployment": deployment, "StatefulSet": stateful_set, "DaemonSet": daemon_set, "ReplicationController": replicas,
             "Job": job, "CronJob": cron_job}.get(thing["kind"], lambda cluster, thing: None)(cluster, thing)
    for thing in [one for one in cluster.objects if one["kind"] == "ReplicaSet"]:
        if not at(thing, "metadata", "deletionTimestamp"):
            replicas(cluster, thing)
    collect(cluster)
    bind(cluster)
    schedule(cluster)
    statuses(cluster)


def write(cluster, old, new, subresource=None):
    """A controller's change."""
    return cluster.change(old, new, "kube-controller-manager", subresource)


def set_status(cluster, thing, **status):
    new = copy.deepcopy(thing)
    new.setdefault("status", {}).update(status)
    new["status"] = {key: value for key, value in new["status"].items() if value is not None}
    write(cluster, thing, new, "status")


# Pods of workloads

def pods_of(cluster, owner):
    """The pods that a workload made, those that are ending included."""
    return [pod for pod in cluster.of_kind("Pod", namespace_of(owner)) if is_owned(pod, owner)]


def is_owned(thing, owner):
    by = owner_of(thing) or {}
    return by.get("kind") == owner["kind"] and by.get("name") == name_of(owner)


def owned_by(owner):
    return [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name_of(owner), "uid": at(owner, "metadata", "uid", default=""),
             "controller": True, "blockOwnerDeletion": True}]


def make_pod(cluster, owner, name, node=None):
    template = copy.deepcopy(template_of(owner))
    meta = template.get("metadata") or {}
    meta.pop("creationTimestamp", None)
    meta |= {"name": name, "namespace": namespace_of(owner), "ownerReferences": owned_by(owner)}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec", {}), "status": {"phase": "Pending"}}
    if node:
        pod["spec"]["nodeName"] = node
    if owner["kind"] == "StatefulSet":
        meta.setdefault("labels", {})["statefulset.kubernetes.io/pod-name"] = name
        ordinal = name.rpartition("-")[2]
        meta["labels"]["apps.kubernetes.io/pod-index"] = ordinal
        for claim in at(owner, "spec", "volumeClaimTemplates", default=[]):
            own = f'{claim["metadata"]["name"]}-{name}'
            make_claim(cluster, owner, claim, own)
            volumes = pod["spec"].setdefault("volumes", [])
            volumes[:] = [one for one in volumes if one["name"] != claim["metadata"]["name"]]
            volumes.append({"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": own}})
    home = cluster.find_kind("Namespace", "", namespace_of(owner))
    if home is None or not at(home, "metadata", "deletionTimestamp"):
        cluster.add(pod, "kube-controller-manager")


def make_claim(cluster, owner, template, name):
    if cluster.find_kind("PersistentVolumeClaim", namespace_of(owner), name):
        return
    claim = copy.deepcopy(template)
    claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    claim["metadata"] |= {"name": name, "namespace": namespace_of(owner)}
    claim["metadata"].setdefault("labels", {}).update(at(owner, "spec", "selector", "matchLabels", default={}))
    claim["status"] = {"phase": "Pending"}
    cluster.add(claim, "kube-controller-manager")


def end(cluster, thing):
    """Begins the deletion of a pod or another thing that ends later."""
    if not at(thing, "metadata", "deletionTimestamp"):
        new = copy.deepcopy(thing)
        new["metadata"]["deletionTimestamp"] = cluster.now()
        new["metadata"].setdefault("annotations", {})["stand-in/ends-at"] = str(cluster.ticks + cluster.settings.get("linger", 1))
        write(cluster, thing, new)


def reap(cluster):
    """Takes away pods whose time to end is over."""
    for pod in cluster.of_kind("Pod"):
        if at(pod, "metadata", "deletionTimestamp") and int(annotation(pod, "stand-in/ends-at") or 0) <= cluster.ticks:
            cluster.remove(pod)


def hash_of(template):
    shown = copy.deepcopy(template)
    (shown.get("metadata") or {}).pop("creationTimestamp", None)
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:10]


def deployment(cluster, thing):
    wanted = hash_of(template_of(thing))
    name = f"{name_of(thing)}-{wanted}"
    count = at(thing, "spec", "replicas", default=1)
    sets = [one for one in cluster.of_kind("ReplicaSet", namespace_of(thing)) if is_owned(one, thing)]
    own = next((one for one in sets if name_of(one) == name), None)
    if own is None:
        template = copy.deepcopy(template_of(thing))
        template.setdefault("metadata", {}).setdefault("labels", {})["pod-template-hash"] = wanted
        selector = copy.deepcopy(at(thing, "spec", "selector", default={}))
        selector.setdefault("matchLabels", {})["pod-template-hash"] = wanted
        meta = {"name": name, "namespace": namespace_of(thing), "labels": dict(labels_of(template)), "ownerReferences": owned_by(thing),
                "annotations": {"deployment.kubernetes.io/revision": str(len(sets) + 1)}}
        cluster.add({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta,
                     "spec": {"replicas": count, "selector": selector, "template": template}}, "kube-controller-manager")
    for one in sets:
        want = count if one is own else 0
        if at(one, "spec", "replicas") != want:
            new = copy.deepcopy(one)
            new["spec"]["replicas"] = want
            write(cluster, one, new)


def replicas(cluster, thing):
    want = at(thing, "spec", "replicas", default=1)
    pods = [pod for pod in pods_of(cluster, thing) if not at(pod, "metadata", "deletionTimestamp")]
    for pod in pods[want:]:
        end(cluster, pod)
    for _ in range(want - len(pods)):
        make_pod(cluster, thing, f"{name_of(thing)}-{cluster.letters(5)}")


def stateful_set(cluster, thing):
    want, first = at(thing, "spec", "replicas", default=1), at(thing, "spec", "ordinals", "start", default=0)
    names = [f"{name_of(thing)}-{number}" for number in range(first, first + want)]
    pods = pods_of(cluster, thing)
    for pod in pods:
        if name_of(pod) not in names:
            end(cluster, pod)
    for name in names:
        if not any(name_of(pod) == name for pod in pods):
            make_pod(cluster, thing, name)


def daemon_set(cluster, thing):
    selector = at(thing, "spec", "template", "spec", "nodeSelector", default={})
    nodes = [name for name, labels in nodes_of(cluster).items() if matches(labels, selector)]
    pods = [pod for pod in pods_of(cluster, thing) if not at(pod, "metadata", "deletionTimestamp")]
    for pod in pods:
        if at(pod, "spec", "nodeName") not in nodes:
            end(cluster, pod)
    for node in nodes:
        if not any(at(pod, "spec", "nodeName") == node for pod in pods):
            make_pod(cluster, thing, f"{name_of(thing)}-{cluster.letters(5)}", node)


def job(cluster, thing):
    if at(thing, "status", "completionTime") or at(thing, "spec", "suspend"):
        return
    pods = pods_of(cluster, thing)
    holds = f"{namespace_of(thing)}/{name_of(thing)}" in cluster.settings.get("running-jobs", [])
    if not pods:
        make_pod(cluster, thing, f"{name_of(thing)}-{cluster.letters(5)}")
        set_status(cluster, thing, active=1, startTime=cluster.now())
    elif not holds and all(at(pod, "status", "phase") in ("Running", "Succeeded") for pod in pods):
        for pod in pods:
            set_status(cluster, pod, phase="Succeeded")
        condition = [{"type": "Complete", "status": "True"}]
        set_status(cluster, thing, active=None, succeeded=1, completionTime=cluster.now(), conditions=condition)


def cron_job(cluster, thing):
    """A timer fires where `fires` of the settings names it and it is not suspended; its jobs count as active."""
    if not at(thing, "spec", "suspend") and f"{namespace_of(thing)}/{name_of(thing)}" in cluster.settings.get("fires", []):
        job_from(cluster, thing, f"{name_of(thing)}-{cluster.ticks:08}")
    jobs = [one for one in cluster.of_kind("Job", namespace_of(thing)) if is_owned(one, thing) and at(one, "status", "active")]
    active = [{"apiVersion": "batch/v1", "kind": "Job", "name": name_of(one), "namespace": namespace_of(one)} for one in jobs]
    set_status(cluster, thing, active=active or None)


def job_from(cluster, cron, name):
    template = copy.deepcopy(at(cron, "spec", "jobTemplate"))
    meta = template.get("metadata") or {}
    meta |= {"name": name, "namespace": namespace_of(cron), "ownerReferences": owned_by(cron)}
    return cluster.add({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}, "cronjob-controller")


# Nodes, volumes

def nodes_of(cluster):
    """The nodes with their labels; one where nobody says more."""
    given = {name_of(node): labels_of(node) for node in cluster.of_kind("Node")}
    names = cluster.settings.get("nodes", ["node-1"]) if not given else []
    return given | {name: {"kubernetes.io/hostname": name} for name in names}


def is_used(cluster, claim):
    """Whether a pod holds a claim."""
    return any(at(volume, "persistentVolumeClaim", "claimName") == name_of(claim)
               for pod in cluster.of_kind("Pod", namespace_of(claim)) if at(pod, "status", "phase") not in ("Succeeded", "Failed")
               for volume in at(pod, "spec", "volumes", default=[]))


def fits(volume, claim):
    wanted = at(volume, "spec", "claimRef")
    if wanted:
        return wanted.get("name") == name_of(claim) and wanted.get("namespace") == namespace_of(claim)
    if at(claim, "spec", "volumeName"):
        return at(claim, "spec", "volumeName") == name_of(volume)
    same = at(volume, "spec", "storageClassName", default="") == at(claim, "spec", "storageClassName", default="")
    modes = set(at(claim, "spec", "accessModes", default=[])) <= set(at(volume, "spec", "accessModes", default=[]))
    return same and modes and matches(labels_of(volume), at(claim, "spec", "selector", default={}))


def bind(cluster):
    """Binds claims to volumes, makes volumes where a class does, and does with volumes what their policy says."""
    for claim in cluster.of_kind("PersistentVolumeClaim"):
        if at(claim, "metadata", "deletionTimestamp"):
            if not is_used(cluster, claim):
                cluster.remove(claim)
            continue
        if at(claim, "status", "phase") == "Bound":
            continue
        volumes = [one for one in cluster.of_kind("PersistentVolume") if at(one, "status", "phase", default="Available") in ("Available", "Bound", "Pending")]
        free = [one for one in volumes if fits(one, claim) and at(one, "status", "phase") != "Bound"]
        volume = next(iter(free), None) or provision(cluster, claim)
        if volume is None:
            set_status(cluster, claim, phase="Pending")
            continue
        new = copy.deepcopy(claim)
        new["spec"]["volumeName"] = name_of(volume)
        new["metadata"].setdefault("annotations", {})["pv.kubernetes.io/bind-completed"] = "yes"
        new["status"] = {"phase": "Bound", "accessModes": at(claim, "spec", "accessModes", default=[]),
                         "capacity": {"storage": at(volume, "spec", "capacity", "storage", default="1Gi")}}
        write(cluster, claim, new)
        bound = copy.deepcopy(volume)
        bound["spec"]["claimRef"] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name_of(claim),
                                     "namespace": namespace_of(claim), "uid": at(claim, "metadata", "uid", default="")}
        bound["status"] = {"phase": "Bound"}
        write(cluster, volume, bound)
        os.makedirs(folder_of(cluster, bound), exist_ok=True)
    for volume in cluster.of_kind("PersistentVolume"):
        release(cluster, volume)


def class_of(cluster, claim):
    name = at(claim, "spec", "storageClassName")
    for one in cluster.of_kind("StorageClass"):
        is_default = annotation(one, "storageclass.kubernetes.io/is-default-class") == "true"
        if name_of(one) == name or name is None and is_default:
            return one
    if name == "":
        return None
    # A class that is not among the objects is one of the cluster's own.
    return {"metadata": {"name": name or "standard"}, "provisioner": name or "standard", "reclaimPolicy": "Delete"}


def provision(cluster, claim):
    """Makes a volume as the provisioner of a class does."""
    storage = class_of(cluster, claim)
    if storage is None or storage.get("provisioner", "").endswith("no-provisioner") or at(claim, "spec", "volumeName"):
        return None
    if storage.get("volumeBindingMode") == "WaitForFirstConsumer" and not is_used(cluster, claim):
        return None
    name = f'pvc-{at(claim, "metadata", "uid", default=cluster.letters(12))}'
    spec = {"accessModes": at(claim, "spec", "accessModes", default=[]), "capacity": at(claim, "spec", "resources", "requests", default={}),
            "persistentVolumeReclaimPolicy": storage["reclaimPolicy"], "storageClassName": name_of(storage), "volumeMode": "Filesystem"}
    node = next(iter(nodes_of(cluster)), "node-1")
    if any(word in storage.get("provisioner", "") for word in ("local-path", "hostpath")):
        spec["hostPath"] = {"path": f"/var/lib/volumes/{name}", "type": "DirectoryOrCreate"}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}}
    else:
        spec["csi"] = {"driver": storage.get("provisioner", "stand-in"), "volumeHandle": name}
    meta = {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": storage.get("provisioner", "")}}
    return cluster.add({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}},
                       "kube-controller-manager")


def release(cluster, volume):
    """What becomes of a volume whose claim is gone."""
    ref = at(volume, "spec", "claimRef")
    claim = ref and cluster.find_kind("PersistentVolumeClaim", ref.get("namespace"), ref.get("name"))
    if claim and at(claim, "spec", "volumeName", default=name_of(volume)) == name_of(volume):
        return
    if at(volume, "metadata", "deletionTimestamp"):
        cluster.remove(volume)
        return
    if at(volume, "status", "phase") != "Bound":
        if at(volume, "status", "phase") is None:
            set_status(cluster, volume, phase="Available")
        return
    policy = at(volume, "spec", "persistentVolumeReclaimPolicy")
    if policy == "Delete":
        shutil.rmtree(folder_of(cluster, volume), ignore_errors=True)
        cluster.remove(volume)
    elif policy == "Recycle":
        shutil.rmtree(folder_of(cluster, volume), ignore_errors=True)
        os.makedirs(folder_of(cluster, volume))
        new = copy.deepcopy(volume)
        del new["spec"]["claimRef"]
        new["status"] = {"phase": "Available"}
        write(cluster, volume, new)
    else:
        set_status(cluster, volume, phase="Released")


def hostnames_of(volume):
    terms = at(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms", default=[])
    for term in terms:
        for expression in term.get("matchExpressions", []):
            if expression.get("key") == "kubernetes.io/hostname":
                return expression.get("values", [])
    return []


def folder_of(cluster, volume):
    """The folder that holds the data of a volume: on its node, its NFS server, or elsewhere."""
    local = at(volume, "spec", "hostPath", "path") or at(volume, "spec", "local", "path")
    if local:
        node = next(iter(hostnames_of(volume)), None) or next(iter(nodes_of(cluster)), "node-1")
        return cluster.path("nodes", node, local.lstrip("/"))
    nfs = at(volume, "spec", "nfs")
    if nfs:
        return cluster.path("nfs", nfs["server"], nfs["path"].lstrip("/"))
    return cluster.path("volumes", name_of(volume))


# Pods on nodes

def schedule(cluster):
    """Gives pods a node, and lets them run where their claims are bound and free."""
    nodes = nodes_of(cluster)
    for pod in cluster.of_kind("Pod"):
        if at(pod, "metadata", "deletionTimestamp") or at(pod, "status", "phase", default="Pending") != "Pending":
            continue
        why, allowed = None, [name for name, labels in nodes.items() if matches(labels, at(pod, "spec", "nodeSelector", default={}))]
        if at(pod, "spec", "nodeName"):
            allowed = [at(pod, "spec", "nodeName")]
        for volume in at(pod, "spec", "volumes", default=[]):
            name = at(volume, "persistentVolumeClaim", "claimName")
            if not name:
                continue
            claim = cluster.find_kind("PersistentVolumeClaim", namespace_of(pod), name)
            bound = claim and at(claim, "status", "phase") == "Bound" and not at(claim, "metadata", "deletionTimestamp")
            if not bound:
                why = f'persistentvolumeclaim "{name}" not found' if claim is None else "pod has unbound immediate PersistentVolumeClaims"
                continue
            place = cluster.find_kind("PersistentVolume", "", at(claim, "spec", "volumeName"))
            on = hostnames_of(place) if place else []
            allowed = [node for node in allowed if not on or node in on]
            modes = set(at(claim, "spec", "accessModes", default=[]))
            holders = {at(other, "spec", "nodeName") for other in cluster.of_kind("Pod", namespace_of(pod))
                       if other is not pod and at(other, "status", "phase") == "Running"
                       and any(at(one, "persistentVolumeClaim", "claimName") == name for one in at(other, "spec", "volumes", default=[]))}
            if modes & {"ReadWriteMany", "ReadOnlyMany"}:
                continue
            if "ReadWriteOncePod" in modes and holders:
                why = f'"{name}" is in use by another pod (ReadWriteOncePod)'
            elif holders and not at(pod, "spec", "nodeName"):
                allowed = [node for node in allowed if node in holders] or allowed
            if holders and not set(allowed) & holders:
                why = f'Multi-Attach error for volume "{at(claim, "spec", "volumeName")}": Volume is already used by pod(s)'
        new = copy.deepcopy(pod)
        if why or not allowed:
            why = why or f"0/{len(nodes)} nodes are available"
            new["status"] = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": why}]}
        else:
            new["spec"]["nodeName"] = allowed[0]
            new["status"] = running(cluster, new)
        write(cluster, pod, new, "status")


def running(cluster, pod):
    key = f"{namespace_of(pod)}/"
    crashes = any(name.startswith(key) and name_of(pod).startswith(name[len(key):]) for name in cluster.settings.get("crashing", []))
    ready = "False" if crashes else "True"
    state = {"waiting": {"reason": "CrashLoopBackOff"}} if crashes else {"running": {"startedAt": cluster.now()}}
    statuses_of = [{"name": one["name"], "image": one.get("image", ""), "ready": not crashes, "restartCount": 7 if crashes else 0, "state": state}
                   for one in at(pod, "spec", "containers", default=[])]
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "ContainersReady", "status": ready}, {"type": "Ready", "status": ready}]
    return {"phase": "Running", "podIP": "10.1.0.7", "hostIP": "192.0.2.200", "startTime": cluster.now(), "conditions": conditions,
            "containerStatuses": statuses_of}


def is_ready(pod):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in at(pod, "status", "conditions", default=[]))


def statuses(cluster):
    """What workloads say of their pods."""
    for thing in list(cluster.objects):
        kind = thing["kind"]
        if kind == "Deployment":
            sets = [one for one in cluster.of_kind("ReplicaSet", namespace_of(thing)) if is_owned(one, thing)]
            pods = [pod for one in sets for pod in pods_of(cluster, one)]
        elif kind in ("ReplicaSet", "StatefulSet", "ReplicationController", "DaemonSet"):
            pods = pods_of(cluster, thing)
        else:
            continue
        live = [pod for pod in pods if not at(pod, "metadata", "deletionTimestamp")]
        ready = sum(is_ready(pod) for pod in live) or None
        generation = at(thing, "metadata", "generation")
        if kind == "DaemonSet":
            set_status(cluster, thing, currentNumberScheduled=len(live), desiredNumberScheduled=len(live), numberReady=ready or 0,
                       numberAvailable=ready, numberMisscheduled=0, observedGeneration=generation)
        else:
            set_status(cluster, thing, replicas=len(live), readyReplicas=ready, availableReplicas=ready, updatedReplicas=len(live) or None,
                       observedGeneration=generation)


# Deleting

def delete(cluster, thing, cascade="background"):
    """Deletes an object as a server does: some things end later."""
    kind = thing["kind"]
    if cluster.is_plain:
        cluster.remove(thing)
        return
    if cascade == "orphan":
        for one in list(cluster.objects):
            if is_owned(one, thing) and namespace_of(one) == namespace_of(thing):
                new = copy.deepcopy(one)
                del new["metadata"]["ownerReferences"]
                write(cluster, one, new)
    if kind in ("Pod", "PersistentVolumeClaim", "Namespace") or at(thing, "metadata", "finalizers"):
        end(cluster, thing)
    elif kind == "PersistentVolume" and at(thing, "status", "phase") == "Bound":
        end(cluster, thing)
    else:
        cluster.remove(thing)


def collect(cluster):
    """Takes away what belongs to what is gone."""
    gone = True
    while gone:
        gone = [one for one in cluster.objects if is_orphan(cluster, one)]
        for one in gone:
            if one["kind"] == "Pod":
                gone = [other for other in gone if other is not one]
                end(cluster, one)
            else:
                cluster.remove(one)


def is_orphan(cluster, thing):
    by = owner_of(thing)
    if not by or not by.get("uid") or at(thing, "metadata", "deletionTimestamp"):
        return False
    return not any(at(one, "metadata", "uid") == by["uid"] for one in cluster.objects)


def finish_namespaces(cluster):
    for home in cluster.of_kind("Namespace"):
        if not at(home, "metadata", "deletionTimestamp"):
            continue
        set_status(cluster, home, phase="Terminating")
        inside = [one for one in cluster.objects if namespace_of(one) == name_of(home)]
        for one in inside:
            if not at(one, "metadata", "deletionTimestamp"):
                delete(cluster, one)
        if not inside and not cluster.settings.get("namespaces-hang"):
            home = cluster.find_kind("Namespace", "", name_of(home))
            cluster.remove(home)
