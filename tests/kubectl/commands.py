"""The commands."""
import copy
import json
import os
import re
import subprocess
import sys
import time

import controllers
import jsonpath
import patches
import pods
from arguments import Line
from cluster import Cluster, Refused, annotation, at, contexts, current, labels_of, matches, name_of, namespace_of

LAST = "kubectl.kubernetes.io/last-applied-configuration"
SERVERLESS = {"config"}
WAITS = 40


def main(words):
    root = os.environ.get("HOSTWRIGHT_KUBECTL_STATE", "")
    try:
        line = Line(words)
        known = contexts(root)
        context = line.get("--context") or current(root)
        if line.command not in SERVERLESS and context not in known:
            where = "Error in configuration: context was not found for specified context: " if line.command != "version" else ""
            print(f"{where}{context}" if where else f'error: context "{context}" does not exist', file=sys.stderr)
            return 1
        with open(os.path.join(root, "log"), "a") as log:
            log.write(json.dumps({"context": context, "args": words}) + "\n")
        if line.command is None:
            raise Refused("kubectl controls the Kubernetes cluster manager.")
        if line.command in SERVERLESS:
            return config(line, root, known)
        return served(line, root, context, " ".join(words))
    except Refused as refused:
        sys.stdout.flush()
        print(refused, file=sys.stderr)
        return refused.status


def served(line, root, context, words):
    """Runs a command that a server answers, with what the settings let go wrong."""
    with Cluster.opened(root, context) as cluster:
        cluster.root = root
        settings, fault = cluster.settings, fault_of(cluster, words)
        after = changes_of(cluster, words)
    for warning in settings.get("warnings", []):
        print(f"Warning: {warning}", file=sys.stderr)
    if settings.get("unreachable"):
        raise Refused("The connection to the server 192.0.2.200:6443 was refused - did you specify the right host or port?")
    time.sleep(fault.get("delay", 0))
    if "stderr" in fault or "stdout" in fault or "exit" in fault:
        sys.stdout.write(fault.get("stdout", ""))
        sys.stderr.write(fault.get("stderr", ""))
        return fault.get("exit", 1 if "stderr" in fault else 0)
    result = answer(line, root, context)
    text, status = result if isinstance(result, tuple) else (result, 0)
    text = text or ""
    if "truncate" in fault:
        text = text[:fault["truncate"]]
    sys.stdout.write(text)
    sys.stdout.flush()
    for further in after:
        subprocess.run([sys.executable, os.path.abspath(sys.argv[0]), "--context", context, *further], check=True, stdout=subprocess.DEVNULL)
    return status


def used(cluster, kind, index, times):
    """Counts how often a fault or change of the settings has come; tells whether it may come again."""
    counts = cluster.read("used.json", {})
    key = f"{kind}-{index}"
    counts[key] = counts.get(key, 0) + 1
    with open(cluster.path("used.json"), "w") as file:
        json.dump(counts, file)
    return times is None or counts[key] <= times


def fault_of(cluster, words):
    for index, fault in enumerate(cluster.settings.get("faults", [])):
        if re.search(fault["on"], words) and used(cluster, "fault", index, fault.get("times")):
            return fault
    return {}


def changes_of(cluster, words):
    all_of = []
    for index, change in enumerate(cluster.settings.get("changes", [])):
        if re.search(change["after"], words) and used(cluster, "change", index, change.get("times", 1)):
            all_of += change["run"]
    return all_of


def answer(line, root, context):
    commands = {"api-resources": api_resources, "annotate": annotate, "label": annotate, "apply": apply, "auth": auth, "cluster-info": cluster_info,
                "create": create, "delete": delete, "get": get, "logs": logs, "patch": patch, "replace": replace, "rollout": rollout,
                "scale": scale, "stand-in": stand_in, "version": version, "wait": wait}
    if line.command in ("exec", "cp"):
        with Cluster.opened(root, context) as cluster:
            seen = seen_by(cluster, line) if line.command == "exec" else copied(cluster, line)
        # The lock is free while the command runs: it may be one end of a pipe whose other end asks too.
        return "", seen()
    if line.command == "wait" or line.command == "rollout" or line.command == "delete":
        return commands[line.command](line, root, context)
    with Cluster.opened(root, context) as cluster:
        result = commands[line.command](cluster, line)
        controllers.run(cluster)
    return result


# What objects a command line means

def target_namespace(cluster, line):
    return line.get("--namespace") or cluster.settings.get("namespace", "default")


def allow(cluster, verb, resource, namespace, name=None, sub=None):
    """Refuses what the settings forbid."""
    shown = f"{resource.name}/{sub}" if sub else resource.name
    for rule in cluster.settings.get("forbidden", []):
        named = {resource.name, resource.full, "*"} if not sub else {shown, f"{resource.full}/{sub}"}
        fits = named & set(rule.get("resources", ["*"])) and verb in rule.get("verbs", [verb])
        if fits and (namespace is None or namespace in rule.get("namespaces", [namespace])):
            thing = f'{resource.full} "{name}"' if name else resource.full
            where = f'in the namespace "{namespace}"' if namespace and resource.namespaced else "at the cluster scope"
            raise Refused(f'Error from server (Forbidden): {thing} is forbidden: User "helper" cannot {verb} resource "{shown}" '
                          f'in API group "{resource.group}" {where}')


def types(cluster, word):
    every = "pods,rc,services,daemonsets,deployments,replicasets,statefulsets,hpa,cronjobs,jobs"
    return [cluster.resource(one) for part in word.split(",") for one in (every if part == "all" else part).split(",")]


def wanted(cluster, line, verb, sub=None, words=None):
    """The objects that a command line names, as (resource, object); the second tells whether it asked for one by its name."""
    words = list(line.words if words is None else words)
    namespace = None if line.has("--all-namespaces") else target_namespace(cluster, line)
    found, single = [], False
    if line.all("--filename"):
        for thing in read_files(line):
            resource = cluster.resource_of(thing)
            place = (namespace_of(thing) or namespace) if resource.namespaced else ""
            found.append((resource, cluster.get(resource, place, name_of(thing))))
        return found, len(found) == 1
    if not words:
        raise Refused("error: You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.")
    if any("/" in word for word in words):
        pairs = [word.partition("/")[::2] for word in words]
        if not all(kind and name for kind, name in pairs):
            raise Refused("error: there is no need to specify a resource type as a separate argument when passing arguments in resource/name form "
                          f"(e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'")
    else:
        pairs = [(words[0], name) for name in words[1:]]
    if pairs and namespace is None:
        raise Refused("error: a resource cannot be retrieved by name across all namespaces")
    for kind, name in pairs:
        for resource in types(cluster, kind):
            place = namespace if resource.namespaced else ""
            allow(cluster, verb, resource, place, name, sub)
            try:
                found.append((resource, cluster.get(resource, place, name)))
            except Refused:
                if not line.has("--ignore-not-found"):
                    raise
    if pairs:
        return found, len(pairs) == 1
    if verb != "list" and not line.all("--selector") and not line.has("--all") and not line.all("--field-selector"):
        raise Refused("error: resource(s) were provided, but no name was specified")
    for resource in types(cluster, words[0]):
        allow(cluster, verb, resource, namespace, sub=sub)
        for thing in cluster.of(resource, namespace):
            if matches(labels_of(thing), line.get("--selector", "")) and fits_fields(thing, line.get("--field-selector", "")):
                found.append((resource, thing))
    return found, single


def fits_fields(thing, selector):
    for term in filter(None, selector.split(",")):
        found = re.match(r"([\w.]+)(==|!=|=)(.*)$", term)
        if not found:
            raise Refused(f'Error from server (BadRequest): invalid selector: "{selector}"; can\'t understand "{term}"')
        value = at(thing, *found[1].split("."), default="")
        if (str(value) == found[3]) == (found[2] == "!="):
            return False
    return True


def read_files(line):
    """The objects of `-f`: YAML and JSON, folders, standard input, lists."""
    paths = []
    for path in line.all("--filename"):
        if os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                folders.sort()
                paths += [os.path.join(folder, name) for name in sorted(names) if name.endswith((".yaml", ".yml", ".json"))]
                if not line.has("--recursive"):
                    break
        else:
            paths.append(path)
    if not paths:
        raise Refused("error: must specify one of -f and -k")
    return [thing for path in paths for thing in parsed(path)]


def parsed(path):
    try:
        text = sys.stdin.read() if path == "-" else open(path).read()
    except FileNotFoundError:
        raise Refused(f'error: the path "{path}" does not exist') from None
    documents = [json.loads(text)] if text.lstrip().startswith("{") else of_yaml(text)
    found = []
    for document in documents:
        if not document:
            continue
        if str(document.get("kind", "")).endswith("List") and "items" in document:
            of_list = {"apiVersion": document.get("apiVersion"), "kind": document["kind"].removesuffix("List")}
            found += [of_list | item for item in document["items"]]
        elif "kind" not in document or "apiVersion" not in document:
            raise Refused(f'error: error validating "{path}": error validating data: apiVersion or kind not set')
        else:
            found.append(document)
    return found


def of_yaml(text):
    """YAML as Kubernetes reads it: 1.1, without its dates."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    return [document for document in yaml.load_all(text, Loader)]


# Printing

def outward(thing, managed):
    """An object as kubectl prints it."""
    thing = copy.deepcopy(thing)
    meta = thing.get("metadata", {})
    if not managed:
        meta.pop("managedFields", None)
    own = meta.get("annotations", {})
    if own.pop("stand-in/ends-at", None) and not own:
        meta.pop("annotations", None)
    return thing


def printed(line, found, single):
    output = line.get("--output", "")
    things = [outward(thing, line.has("--show-managed-fields")) for _, thing in found]
    whole = things[0] if single and things else {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": things}
    if output == "json":
        return json.dumps(whole, indent=4, sort_keys=True) + "\n" if things or not single else ""
    if output == "yaml":
        import yaml
        return yaml.safe_dump(whole, default_flow_style=False) if things or not single else ""
    if output == "name":
        return "".join(f"{resource.shown}/{name_of(thing)}\n" for resource, thing in found)
    if output.startswith("jsonpath="):
        return jsonpath.template(output.removeprefix("jsonpath="), whole) if things or not single else ""
    if output.startswith("custom-columns="):
        return jsonpath.columns(output.removeprefix("custom-columns="), things, not line.has("--no-headers"))
    if output not in ("", "wide"):
        raise Refused(f'error: unable to match a printer suitable for the output format "{output}", allowed formats are: '
                      "custom-columns,json,jsonpath,name,wide,yaml")
    if not things:
        where = "" if line.has("--all-namespaces") else f" in {line.get('--namespace') or 'default'} namespace"
        if not line.has("--ignore-not-found"):
            print(f"No resources found{where}" + ("." if where else ""), file=sys.stderr)
        return ""
    return as_table(line, found)


def as_table(line, found):
    many = len({resource.full for resource, _ in found}) > 1
    everywhere = line.has("--all-namespaces")
    lines = []
    if not line.has("--no-headers"):
        lines.append((["NAMESPACE"] if everywhere else []) + ["NAME", "READY", "STATUS", "AGE"])
    for resource, thing in found:
        name = f"{resource.shown}/{name_of(thing)}" if many else name_of(thing)
        total = at(thing, "spec", "replicas", default=len(at(thing, "spec", "containers", default=[])))
        ready = at(thing, "status", "readyReplicas", default=sum(one.get("ready", False) for one in at(thing, "status", "containerStatuses", default=[])))
        phase = at(thing, "status", "phase", default="")
        state = "Terminating" if at(thing, "metadata", "deletionTimestamp") else phase or "-"
        lines.append(([namespace_of(thing)] if everywhere else []) + [name, f"{ready}/{total}", state, "1d"])
    return jsonpath.table(lines)


def done(line, resource, thing, what):
    output = line.get("--output", "")
    if output in ("json", "yaml") or output.startswith("jsonpath="):
        return printed(line, [(resource, thing)], True)
    suffix = {"server": " (server dry run)", "client": " (dry run)", "": ""}.get(line.get("--dry-run", "").replace("none", ""), "")
    return f"{resource.shown}/{name_of(thing)}\n" if output == "name" else f"{resource.shown}/{name_of(thing)} {what}{suffix}\n"


def is_dry(line):
    return line.get("--dry-run", "none") in ("client", "server", "true")


# Reading

def config(line, root, known):
    words = line.words
    if words == ["get-contexts"]:
        if line.get("--output") == "name":
            print("".join(f"{name}\n" for name in known), end="")
        else:
            print("CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE")
            for name in known:
                print(f"{'*' if name == current(root) else ' '}         {name}   {name}   helper   ")
        return 0
    if words == ["current-context"]:
        if not current(root):
            print("error: current-context is not set", file=sys.stderr)
            return 1
        print(current(root))
        return 0
    if words[:1] == ["use-context"] and len(words) == 2:
        if words[1] not in known:
            print(f'error: no context exists with the name: "{words[1]}"', file=sys.stderr)
            return 1
        with open(os.path.join(root, "current-context"), "w") as file:
            file.write(words[1])
        print(f'Switched to context "{words[1]}".')
        return 0
    if words == ["view"]:
        wanted_context = line.get("--context") or current(root)
        names = [wanted_context] if line.has("--minify") else known
        view = {"apiVersion": "v1", "kind": "Config", "current-context": current(root), "preferences": {},
                "contexts": [{"name": name, "context": {"cluster": name, "user": "helper"}} for name in names],
                "clusters": [{"name": name, "cluster": {"server": "https://192.0.2.200:6443"}} for name in names],
                "users": [{"name": "helper", "user": {}}]}
        output = line.get("--output", "yaml")
        if output.startswith("jsonpath="):
            print(jsonpath.template(output.removeprefix("jsonpath="), view), end="")
        else:
            print(json.dumps(view, indent=4))
        return 0
    raise Refused(f"error: this stand-in has no `kubectl config {' '.join(words)}`")


def version(cluster, line):
    number = cluster.settings.get("version", "v1.34.1")
    client = {"major": "1", "minor": "34", "gitVersion": "v1.34.1", "platform": "linux/amd64"}
    both = {"clientVersion": client, "kustomizeVersion": "v5.7.1"}
    if not line.has("--client"):
        major, minor = number.lstrip("v").split(".")[:2]
        both["serverVersion"] = {"major": major, "minor": minor, "gitVersion": number, "platform": "linux/amd64"}
    if line.get("--output") in ("json", "yaml"):
        return json.dumps(both, indent=2) + "\n"
    return f"Client Version: v1.34.1\nKustomize Version: v5.7.1\n" + ("" if line.has("--client") else f"Server Version: {number}\n")


def cluster_info(_cluster, _line):
    return "Kubernetes control plane is running at https://192.0.2.200:6443\n"


def api_resources(cluster, line):
    found = cluster.resources()
    if cluster.settings.get("few"):
        found = [one for one in found if cluster.of(one)]
    if line.get("--verbs"):
        found = [one for one in found if set(line.get("--verbs").split(",")) <= set(one.verbs)]
    if line.get("--namespaced") is not None:
        found = [one for one in found if one.namespaced == line.has("--namespaced")]
    if line.get("--api-group") is not None:
        found = [one for one in found if one.group == line.get("--api-group")]
    if line.get("--output") == "name":
        text = "".join(f"{one.full}\n" for one in found)
    else:
        lines = [] if line.has("--no-headers") else [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]]
        lines += [[one.name, ",".join(one.short), one.api_version, str(one.namespaced).lower(), one.kind] for one in found]
        text = jsonpath.table(lines)
    failing = cluster.settings.get("groups-down", [])
    if failing:
        sys.stderr.write("error: unable to retrieve the complete list of server APIs: "
                         + ", ".join(f"{group}: stale GroupVersion discovery: {group}" for group in failing) + "\n")
        return text, 1
    return text


def auth(cluster, line):
    if line.words[:1] != ["can-i"] or len(line.words) < 3:
        raise Refused("error: this stand-in has `kubectl auth can-i VERB RESOURCE` alone")
    verb, word = line.words[1], line.words[2]
    word, _, name = word.partition("/")
    sub = line.get("--subresource") or None
    namespace = None if line.has("--all-namespaces") else target_namespace(cluster, line)
    try:
        if name and not sub and name in ("exec", "scale", "log", "status", "proxy", "attach", "portforward", "eviction"):
            sub, name = name, ""
        resource = cluster.resource(word)
        allow(cluster, verb, resource, namespace if resource.namespaced else "", name, sub)
    except Refused as refused:
        if "doesn't have a resource type" in str(refused):
            print(f"Warning: the server doesn't have a resource type '{word}'\n", file=sys.stderr)
            return ("" if line.has("--quiet") else "yes\n"), 0
        return ("" if line.has("--quiet") else "no\n"), 1
    return ("" if line.has("--quiet") else "yes\n"), 0


def get(cluster, line):
    raw = line.get("--raw")
    if raw is not None:
        return get_raw(cluster, raw)
    named = len(line.words) > 1 or any("/" in word for word in line.words)
    found, single = wanted(cluster, line, "get" if named else "list")
    return printed(line, found, single)


def get_raw(cluster, path):
    if path in ("/readyz", "/livez", "/healthz"):
        return "ok"
    if path == "/version":
        return json.dumps({"gitVersion": cluster.settings.get("version", "v1.34.1")})
    found = re.fullmatch(r"/api/v1/nodes/([^/]+)/proxy/stats/summary", path)
    if not found:
        raise Refused("Error from server (NotFound): the server could not find the requested resource")
    node = found[1]
    allow(cluster, "get", cluster.resource("nodes"), "", node, "proxy")
    if node not in controllers.nodes_of(cluster):
        raise Refused(f'Error from server (NotFound): nodes "{node}" not found')
    given = cluster.settings.get("used", {})
    pods_here = []
    for pod in cluster.of_kind("Pod"):
        if at(pod, "spec", "nodeName", default=node) != node:
            continue
        volumes = []
        for volume in at(pod, "spec", "volumes", default=[]):
            claim = at(volume, "persistentVolumeClaim", "claimName")
            key = f"{namespace_of(pod)}/{claim}"
            if claim:
                entry = {"name": volume["name"], "pvcRef": {"name": claim, "namespace": namespace_of(pod)}}
                entry["usedBytes"] = given[key] if key in given else bytes_of(cluster, pod, volume)
                volumes.append(entry)
        reference = {"name": name_of(pod), "namespace": namespace_of(pod), "uid": at(pod, "metadata", "uid", default="")}
        pods_here.append({"podRef": reference, "volume": volumes})
    return json.dumps({"node": {"nodeName": node}, "pods": pods_here}, indent=1)


def bytes_of(cluster, pod, volume):
    folder, _ = pods.source_of(cluster, pod, volume, cluster.path("pods"))
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names)


def logs(cluster, line):
    found = pods_named(cluster, line.words, line) if line.words else []
    key = f"{namespace_of(found[0])}/{name_of(found[0])}" if found else ""
    return cluster.settings.get("logs", {}).get(key, "")


# Writing

def manager_of(line, otherwise):
    return line.get("--field-manager", otherwise)


def apply(cluster, line):
    out = ""
    for thing in read_files(line):
        resource = cluster.resource_of(thing)
        default = target_namespace(cluster, line)
        if resource.namespaced:
            own = namespace_of(thing)
            if own and line.get("--namespace") and own != line.get("--namespace"):
                raise Refused(f"error: the namespace from the provided object \"{own}\" does not match the namespace \"{line.get('--namespace')}\". "
                              f"You must pass '--namespace={own}' to perform this operation.")
            thing.setdefault("metadata", {}).setdefault("namespace", default)
            if not cluster.is_plain and not cluster.find_kind("Namespace", "", namespace_of(thing)):
                raise Refused(f'Error from server (NotFound): error when creating "{line.get("--filename")}": '
                              f'namespaces "{namespace_of(thing)}" not found')
        allow(cluster, "patch", resource, namespace_of(thing), name_of(thing))
        live = cluster.find(resource, namespace_of(thing), name_of(thing))
        delivered = json.dumps(thing, sort_keys=True, separators=(",", ":"))
        manager = manager_of(line, "kubectl" if line.has("--server-side") else "kubectl-client-side-apply")
        if live is None:
            new, what = copy.deepcopy(thing), "created"
            if not cluster.is_plain and not line.has("--server-side"):
                new["metadata"].setdefault("annotations", {})[LAST] = delivered
            if not is_dry(line):
                cluster.add(new, manager)
                cluster.wish(thing)
        else:
            last = json.loads(annotation(live, LAST) or "{}")
            new = patches.applied(last, thing, copy.deepcopy(live))
            if not cluster.is_plain and not line.has("--server-side"):
                new["metadata"].setdefault("annotations", {})[LAST] = delivered
            what = "configured" if new != live else "unchanged"
            if not is_dry(line):
                cluster.change(live, new, manager)
        out += done(line, resource, new, "serverside-applied" if line.has("--server-side") else what)
    return out


def create(cluster, line):
    words, out = line.words, ""
    if not words:
        for thing in read_files(line):
            resource = cluster.resource_of(thing)
            if resource.namespaced:
                thing.setdefault("metadata", {}).setdefault("namespace", target_namespace(cluster, line))
            allow(cluster, "create", resource, namespace_of(thing))
            if not is_dry(line):
                cluster.add(thing, manager_of(line, "kubectl-create"))
            out += done(line, resource, thing, "created")
        return out
    kind, name = words[0], words[-1]
    namespace = target_namespace(cluster, line)
    if kind in ("namespace", "ns"):
        thing = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    elif kind == "job" and line.get("--from", "").startswith("cronjob/"):
        cron = cluster.get(cluster.resource("cronjobs"), namespace, line.get("--from").partition("/")[2])
        thing = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace,
                 "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}}, "spec": copy.deepcopy(cron["spec"]["jobTemplate"]["spec"])}
    elif kind in ("configmap", "cm") or words[:2] == ["secret", "generic"]:
        data = dict(pair.partition("=")[::2] for pair in line.all("--from-literal"))
        thing = {"apiVersion": "v1", "kind": "ConfigMap" if kind != "secret" else "Secret", "metadata": {"name": name, "namespace": namespace},
                 "data" if kind != "secret" else "stringData": data}
    else:
        raise Refused(f"error: this stand-in has no `kubectl create {' '.join(words)}`")
    resource = cluster.resource_of(thing)
    allow(cluster, "create", resource, namespace_of(thing))
    if not is_dry(line):
        cluster.add(thing, manager_of(line, "kubectl-create"))
    return done(line, resource, thing, "created")


def replace(cluster, line):
    out = ""
    for thing in read_files(line):
        resource = cluster.resource_of(thing)
        namespace = namespace_of(thing) or target_namespace(cluster, line)
        allow(cluster, "update", resource, namespace, name_of(thing))
        live = cluster.get(resource, namespace if resource.namespaced else "", name_of(thing))
        version_of = at(thing, "metadata", "resourceVersion")
        if version_of and version_of != at(live, "metadata", "resourceVersion"):
            raise Refused(f'Error from server (Conflict): error when replacing "{line.get("--filename")}": Operation cannot be fulfilled on '
                          f'{resource.full} "{name_of(thing)}": the object has been modified; please apply your changes to the latest version and try again')
        if not is_dry(line):
            cluster.change(live, thing, manager_of(line, "kubectl-replace"))
        out += done(line, resource, thing, "replaced")
    return out


def patch(cluster, line):
    text = line.get("--patch")
    if line.get("--patch-file"):
        text = sys.stdin.read() if line.get("--patch-file") == "-" else open(line.get("--patch-file")).read()
    if text is None:
        raise Refused("error: must specify --patch or --patch-file containing the contents of the patch")
    try:
        what = json.loads(text)
    except ValueError:
        documents = of_yaml(text)
        if len(documents) != 1 or not isinstance(documents[0], (dict, list)):
            raise Refused(f"error: unable to parse \"{text}\": yaml: invalid patch") from None
        what = documents[0]
    kind, out = line.get("--type", "strategic"), ""
    found, _ = wanted(cluster, line, "patch", line.get("--subresource"))
    for resource, live in found:
        if kind == "strategic":
            if not resource.built_in:
                raise Refused("Error from server (UnsupportedMediaType): the body of the request was in an unknown format - accepted media types "
                              "include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
            new = patches.strategic(copy.deepcopy(live), what)
        elif kind == "merge":
            new = patches.merge(copy.deepcopy(live), what)
        elif kind == "json":
            new = patches.by_operations(live, what)
        else:
            raise Refused(f"error: --type must be one of [json merge strategic], not \"{kind}\"")
        same = new == live
        if not is_dry(line):
            cluster.change(live, new, manager_of(line, "kubectl-patch"), line.get("--subresource"))
        out += done(line, resource, new, "patched (no change)" if same else "patched")
    return out


def annotate(cluster, line):
    """Annotations and labels: `key=value`, `key-`."""
    is_key = re.compile(r"[A-Za-z0-9./_-]+(=|-$)").match
    words = [word for word in line.words if not is_key(word) or "/" in word.partition("=")[0] and "=" not in word and not word.endswith("-")]
    pairs = [word for word in line.words if word not in words]
    if not pairs:
        raise Refused(f"error: at least one {line.command} update is required")
    field = "annotations" if line.command == "annotate" else "labels"
    out, (found, _) = "", wanted(cluster, line, "patch", words=words)
    for resource, live in found:
        new = copy.deepcopy(live)
        values = new.setdefault("metadata", {}).setdefault(field, {})
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                values.pop(key.removesuffix("-"), None)
                continue
            if key in values and values[key] != value and not line.has("--overwrite"):
                if field == "labels":
                    raise Refused(f"error: '{key}' already has a value ({values[key]}), and --overwrite is false")
                raise Refused(f"error: --overwrite is false but found the following declared annotation(s): '{key}' already has a value ({values[key]})")
            values[key] = value
        if not values:
            del new["metadata"][field]
        what = "annotated" if field == "annotations" else ("labeled" if new != live else "not labeled")
        if not is_dry(line):
            cluster.change(live, new, manager_of(line, f"kubectl-{line.command}"))
        out += done(line, resource, new, what)
    return out


def scale(cluster, line):
    count = line.get("--replicas")
    if count is None or not count.isdigit():
        raise Refused("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    out, (found, _) = "", wanted(cluster, line, "patch", "scale")
    for resource, live in found:
        scales = resource.kind in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
        if not scales and (resource.built_in or at(live, "spec", "replicas") is None):
            raise Refused("Error from server (NotFound): the server could not find the requested resource")
        wanted_count = line.get("--current-replicas")
        if wanted_count is not None and int(wanted_count) not in (-1, at(live, "spec", "replicas", default=1)):
            raise Refused(f"error: Expected replicas to be {wanted_count}, was {at(live, 'spec', 'replicas', default=1)}")
        new = copy.deepcopy(live)
        new["spec"]["replicas"] = int(count)
        if not is_dry(line):
            cluster.change(live, new, manager_of(line, "kubectl"), "scale")
        out += done(line, resource, new, "scaled")
    return out


def seconds(text, otherwise):
    """A duration of Go; a bare number counts seconds."""
    if not text:
        return otherwise
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def ticking(root, context, line, is_over):
    """Lets the cluster go on until something holds; tells whether it did. Time in a cluster passes by ticks, and fast."""
    limit = seconds(line.get("--timeout"), 30)
    ticks = 1 if limit == 0 else min(WAITS, max(1, int(limit))) if limit > 0 else WAITS
    for _ in range(ticks):
        with Cluster.opened(root, context) as cluster:
            if is_over(cluster):
                return True
            controllers.run(cluster)
    with Cluster.opened(root, context) as cluster:
        return is_over(cluster)


def delete(line, root, context):
    out, keys = "", []
    with Cluster.opened(root, context) as cluster:
        found, _ = wanted(cluster, line, "delete")
        for resource, live in found:
            what = "force deleted" if line.has("--force") else "deleted"
            place = f' from {namespace_of(live)} namespace' if resource.namespaced else ""
            out += f'{resource.shown}/{name_of(live)}\n' if line.get("--output") == "name" else f'{resource.shown} "{name_of(live)}" {what}{place}\n'
            if not is_dry(line):
                keys.append((cluster.key(live), at(live, "metadata", "uid")))
                controllers.delete(cluster, live, line.get("--cascade", "background"))
                if line.has("--force") and live["kind"] == "Pod":
                    cluster.remove(cluster.find(resource, namespace_of(live), name_of(live)))
        controllers.run(cluster)
    sys.stdout.write(out)
    sys.stdout.flush()
    if line.get("--wait", "true") == "false" or is_dry(line):
        return "", 0
    gone = ticking(root, context, line, lambda cluster: not any((cluster.key(one), at(one, "metadata", "uid")) in keys for one in cluster.objects))
    if not gone:
        raise Refused("error: timed out waiting for the condition")
    return "", 0


def pods_named(cluster, words, line):
    """The pods that a word means: a pod, or those of a workload."""
    word = words[0]
    namespace = target_namespace(cluster, line)
    kind, slash, name = word.partition("/")
    resource = cluster.resource(kind) if slash else cluster.resource("pods")
    thing = cluster.get(resource, namespace, name if slash else word)
    if thing["kind"] == "Pod":
        return [thing]
    selector = at(thing, "spec", "selector", default={})
    found = [pod for pod in cluster.of_kind("Pod", namespace) if matches(labels_of(pod), selector) and controllers.is_ready(pod)
             and not at(pod, "metadata", "deletionTimestamp")]
    if not found:
        raise Refused(f"error: timed out waiting for the condition")
    return found


def seen_by(cluster, line):
    """`exec`: what runs in the end."""
    if not line.words:
        raise Refused("error: pod, type/name or --filename must be specified")
    if not line.rest:
        raise Refused("error: you must specify at least one command for the container")
    pod = pods_named(cluster, line.words, line)[0]
    allow(cluster, "create", cluster.resource("pods"), namespace_of(pod), name_of(pod), "exec")
    phase = at(pod, "status", "phase", default="Running")
    container = pods.container_of(pod, line.get("--container"))
    if phase in ("Succeeded", "Failed"):
        raise Refused(f"error: cannot exec into a container in a completed pod; current phase is {phase}")
    if phase == "Pending":
        raise Refused(f'Error from server (BadRequest): pod {name_of(pod)} does not have a host assigned')
    if not cluster.is_plain and not controllers.is_ready(pod):
        raise Refused(f'error: Internal error occurred: unable to upgrade connection: container not found ("{container["name"]}")')
    seen = pods.prepared(cluster, pod, container)

    def run():
        status = pods.run(seen, line.rest, line.has("--stdin"), container.get("workingDir"))
        if status:
            print(f"command terminated with exit code {status}", file=sys.stderr)
        return status
    return run


def copied(cluster, line):
    """`cp`: files to and from a pod, through tar in the pod as kubectl does it."""
    if len(line.words) != 2:
        raise Refused("error: source and destination are required")

    def parts(word):
        place, colon, path = word.partition(":")
        return (place, path) if colon and not word.startswith(("/", ".")) else (None, word)
    (source, source_path), (target, target_path) = map(parts, line.words)
    if (source is None) == (target is None):
        raise Refused("error: one of src or dest must be a local file specification")
    place, slash, name = (source or target).partition("/")
    inner = Line(["exec", name if slash else place, "-i", *(["-c", line.get("--container")] if line.get("--container") else []),
                  "-n", place if slash else target_namespace(cluster, line), "--", "true"])
    pod = pods_named(cluster, inner.words, inner)[0]
    allow(cluster, "create", cluster.resource("pods"), namespace_of(pod), name_of(pod), "exec")
    seen = pods.prepared(cluster, pod, pods.container_of(pod, line.get("--container")))

    def run():
        read, write = os.pipe()
        folder, base = os.path.split((source_path if source else target_path).rstrip("/"))
        if source:
            packing = subprocess.Popen([sys.executable, "-B", "-c", INNER, json.dumps([seen, ["tar", "-C", folder or ".", "-cf", "-", "--", base]])],
                                       stdout=write, env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))})
            os.close(write)
            local, local_base = os.path.split(target_path.rstrip("/"))
            if os.path.isdir(target_path):
                local, local_base = target_path, base
            unpacking = ["tar", "-C", local or ".", f"--transform=s,^{re.escape(base)},{local_base},", "-xf", "-"]
            status = subprocess.run(unpacking, stdin=read, check=False).returncode
            return packing.wait() or status
        local, local_base = os.path.split(source_path.rstrip("/"))
        packing = subprocess.Popen(["tar", "-C", local or ".", f"--transform=s,^{re.escape(local_base)},{base},", "-cf", "-", "--", local_base], stdout=write)
        os.close(write)
        os.dup2(read, 0)
        status = pods.run(seen, ["tar", "-C", folder or ".", "-xf", "-"], True)
        return packing.wait() or status
    return run


INNER = "import json, sys, pods; seen, words = json.loads(sys.argv[1]); sys.exit(pods.run(seen, words, False))"


# Waiting

def rollout(line, root, context):
    verb, line.words = (line.words or [""])[0], line.words[1:]
    if verb == "restart":
        with Cluster.opened(root, context) as cluster:
            out, (found, _) = "", wanted(cluster, line, "patch")
            for resource, live in found:
                new = copy.deepcopy(live)
                meta = new["spec"]["template"].setdefault("metadata", {})
                meta.setdefault("annotations", {})["kubectl.kubernetes.io/restartedAt"] = cluster.now()
                cluster.change(live, new, "kubectl-rollout")
                out += f"{resource.shown}/{name_of(live)} restarted\n"
            controllers.run(cluster)
        return out
    if verb != "status":
        raise Refused(f"error: this stand-in has no `kubectl rollout {verb}`")

    def is_out(cluster):
        found, _ = wanted(cluster, line, "get")
        return all(at(thing, "status", "readyReplicas", default=at(thing, "status", "numberReady", default=0))
                   == at(thing, "spec", "replicas", default=at(thing, "status", "desiredNumberScheduled", default=0))
                   and at(thing, "status", "replicas", default=None) in (None, at(thing, "spec", "replicas")) for _, thing in found)
    if not ticking(root, context, line, is_out):
        raise Refused("error: timed out waiting for the condition")
    with Cluster.opened(root, context) as cluster:
        found, _ = wanted(cluster, line, "get")
        return "".join(f'{resource.singular} "{name_of(thing)}" successfully rolled out\n' for resource, thing in found)


def wait(line, root, context):
    goal = line.get("--for")
    if not goal:
        raise Refused("error: condition in wait is required: --for")
    with Cluster.opened(root, context) as cluster:
        try:
            first, _ = wanted(cluster, line, "get" if len(line.words) > 1 or "/" in line.words[0] else "list")
        except Refused as refused:
            if goal == "delete" and "NotFound" in str(refused):
                return ""
            if goal != "create":
                raise
            first = []
        shown = [f"{resource.shown}/{name_of(thing)}" for resource, thing in first]
    if not first and goal not in ("delete", "create"):
        raise Refused("error: no matching resources found")
    keys = {(thing["kind"], namespace_of(thing), name_of(thing)) for _, thing in first}

    def holds(cluster):
        now = [thing for thing in cluster.objects if (thing["kind"], namespace_of(thing), name_of(thing)) in keys]
        if goal == "delete":
            return not now
        if goal == "create":
            try:
                return bool(wanted(cluster, line, "get")[0])
            except Refused:
                return False
        return len(now) == len(keys) and all(fulfils(thing, goal) for thing in now)
    if not ticking(root, context, line, holds):
        raise Refused("\n".join(f"error: timed out waiting for the condition on {name.replace('/', 's/', 1)}" for name in shown)
                      or "error: timed out waiting for the condition")
    what = "deleted" if goal == "delete" else "condition met"
    return "".join(f"{name} {what}\n" for name in shown)


def fulfils(thing, goal):
    kind, _, rest = goal.partition("=")
    if kind == "condition":
        name, _, value = rest.partition("=")
        value = value or "True"
        if thing["kind"] == "Deployment" and name.lower() == "available":
            return (at(thing, "status", "availableReplicas", default=0) >= at(thing, "spec", "replicas", default=1)) == (value.lower() == "true")
        return any(one["type"].lower() == name.lower() and one["status"].lower() == value.lower()
                   for one in at(thing, "status", "conditions", default=[]))
    if kind == "jsonpath":
        path, _, value = rest.rpartition("=") if not rest.endswith("}") else (rest, "", None)
        found = jsonpath.evaluate(path.strip("'").strip("{}"), thing, thing)
        return bool(found) if value is None else any(jsonpath.shown(one) == value.strip("'\"") for one in found)
    raise Refused(f'error: unrecognized condition: "{goal}"')


# What tests do to the cluster itself

def stand_in(cluster, line):
    """`load PATH…`, `tick [N]`, `folder NAMESPACE/CLAIM`."""
    verb, words = (line.words or [""])[0], line.words[1:]
    if verb == "load":
        things = [thing for path in words for thing in read_files(Line(["apply", "-R", "-f", path]))]
        if not cluster.is_plain:
            for node in cluster.settings.get("nodes", ["node-1"]):
                labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
                seeded(cluster, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels},
                                 "status": {"nodeInfo": {"kubeletVersion": "v1.34.1", "architecture": "amd64"}}})
            homes = {namespace_of(thing) or "default" for thing in things if cluster.resource_of(thing).namespaced} | {"default", "kube-system"}
            for name in sorted(homes):
                seeded(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
                seeded(cluster, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}})
                seeded(cluster, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": name},
                                 "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}})
        for thing in things:
            if cluster.resource_of(thing).namespaced:
                thing.setdefault("metadata", {}).setdefault("namespace", "default")
            else:
                thing.setdefault("metadata", {}).pop("namespace", None)
            cluster.wish(thing)
            live = cluster.find(cluster.resource_of(thing), namespace_of(thing), name_of(thing))
            if live is not None:
                cluster.remove(live)
            cluster.add(copy.deepcopy(thing), manager_of(line, "kubectl-client-side-apply"))
        for thing in cluster.objects if not cluster.is_plain else []:
            for owner in at(thing, "metadata", "ownerReferences", default=[]):
                # Whoever is not among the objects is there all the same, and nothing is taken away for want of it.
                known = cluster.find_kind(owner["kind"], namespace_of(thing), owner["name"])
                owner["uid"] = at(known, "metadata", "uid", default="")
        return f"{len(things)} objects\n"
    if verb == "tick":
        for _ in range(int(words[0]) - 1 if words else 0):
            controllers.run(cluster)
        return ""
    if verb == "folder" and len(words) == 1:
        namespace, _, name = words[0].partition("/")
        claim = cluster.get(cluster.resource("pvc"), namespace, name)
        volume = cluster.find_kind("PersistentVolume", "", at(claim, "spec", "volumeName"))
        folder = controllers.folder_of(cluster, volume) if volume else cluster.path("volumes", f"{namespace}-{name}")
        os.makedirs(folder, exist_ok=True)
        return f"{os.path.realpath(folder)}\n"
    raise Refused("error: kubectl stand-in load PATH... | tick [N] | folder NAMESPACE/CLAIM")


def seeded(cluster, thing):
    """Adds what every cluster has, where nobody brings it."""
    if not cluster.find(cluster.resource_of(thing), namespace_of(thing), name_of(thing)):
        cluster.add(thing, "kube-apiserver")
