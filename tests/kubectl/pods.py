"""`exec`: a command in a pod runs on this machine, in a folder where the pod's volumes lie at their mount paths.

Where this user may make mount namespaces the command sees a root of its own with the machine's programs. Elsewhere it runs as it is, and
mount paths in its words are rewritten to the folders behind them.
"""
import base64
import ctypes
import os
import re
import sys

from cluster import Refused, at, name_of, namespace_of
from controllers import folder_of

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
BIND, RECURSIVE, PRIVATE, READ_ONLY, REMOUNT = 4096, 16384, 1 << 18, 1, 32
SYSTEM = ["bin", "lib", "lib32", "lib64", "sbin", "usr", "etc", "dev", "proc", "opt", "nix"]


def container_of(pod, name):
    containers = at(pod, "spec", "containers", default=[])
    wanted = name or at(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container")
    found = next((one for one in containers if wanted in (None, one["name"])), None)
    if found is None:
        raise Refused(f'Error from server (BadRequest): container {wanted} is not valid for pod {name_of(pod)}')
    return found


def prepared(cluster, pod, container):
    """What a command in a container sees: mounts as (target, folder, read-only), variables, its own root, the user with its groups."""
    home = cluster.path("pods", namespace_of(pod), name_of(pod))
    volumes = {volume["name"]: source_of(cluster, pod, volume, home) for volume in at(pod, "spec", "volumes", default=[])}
    group = at(pod, "spec", "securityContext", "fsGroup")
    mounts = []
    for mount in container.get("volumeMounts", []):
        folder, read_only = volumes.get(mount["name"], (os.path.join(home, "missing"), False))
        folder = os.path.join(folder, mount.get("subPath", "")).rstrip("/")
        if not os.path.isfile(folder):
            os.makedirs(folder, exist_ok=True)
            if group is not None and os.geteuid() == 0 and not read_only:
                os.chown(folder, -1, group)
                os.chmod(folder, os.stat(folder).st_mode | 0o2070)
        mounts.append((mount["mountPath"].rstrip("/"), os.path.realpath(folder), read_only or mount.get("readOnly", False)))
    variables = {"HOME": "/root", "HOSTNAME": name_of(pod), "PATH": "/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for source in container.get("envFrom", []):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                for name, value in data_of(cluster.find_kind(kind, namespace_of(pod), source[key]["name"])).items():
                    variables[source.get("prefix", "") + name] = value.decode("utf-8", "replace")
    for variable in container.get("env", []):
        given = variable.get("valueFrom", {})
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if key in given:
                value = data_of(cluster.find_kind(kind, namespace_of(pod), given[key]["name"])).get(given[key]["key"], b"")
                variables[variable["name"]] = value.decode("utf-8", "replace")
        if "value" in variable:
            variables[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), variable["value"])
    root = os.path.join(home, container["name"])
    os.makedirs(root, exist_ok=True)
    security = at(pod, "spec", "securityContext", default={}) | container.get("securityContext", {})
    return mounts, variables, root, (security.get("runAsUser", 0), security.get("runAsGroup", security.get("runAsUser", 0)), group)


def data_of(thing):
    values = {key: base64.b64decode(value) if thing["kind"] == "Secret" else value.encode() for key, value in at(thing, "data", default={}).items()}
    return values | {key: value.encode() for key, value in at(thing, "stringData", default={}).items()}


def source_of(cluster, pod, volume, home):
    """The folder behind a volume, and whether nobody may write it."""
    name = at(volume, "persistentVolumeClaim", "claimName")
    if name:
        claim = cluster.find_kind("PersistentVolumeClaim", namespace_of(pod), name)
        place = cluster.find_kind("PersistentVolume", "", at(claim, "spec", "volumeName")) if claim else None
        folder = folder_of(cluster, place) if place else cluster.path("volumes", f"{namespace_of(pod)}-{name}")
        return folder, at(volume, "persistentVolumeClaim", "readOnly", default=False)
    if "hostPath" in volume:
        return cluster.path("nodes", at(pod, "spec", "nodeName", default="node-1"), volume["hostPath"]["path"].lstrip("/")), False
    if "nfs" in volume:
        return cluster.path("nfs", volume["nfs"]["server"], volume["nfs"]["path"].lstrip("/")), False
    folder = os.path.join(home, "volumes", volume["name"])
    os.makedirs(folder, exist_ok=True)
    for key, kind, field in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        if key in volume:
            source = cluster.find_kind(kind, namespace_of(pod), volume[key].get(field))
            for name, value in data_of(source).items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(value)
            return folder, True
    return folder, False


def run(seen, words, with_input, working=None):
    """Runs a command as a container would, and returns its exit status."""
    mounts, variables, root, who = seen
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            if not with_input:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            enter(mounts, variables, root, who, words, working)
        except FileNotFoundError:
            os.write(2, f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{words[0]}": '
                        "executable file not found in $PATH\n".encode())
            os._exit(127)
        except OSError as error:
            os.write(2, f"{words[0]}: {error}\n".encode())
        os._exit(126)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def enter(mounts, variables, root, who, words, working):
    user, group, further = who
    programs = os.path.realpath(os.path.join(root, "..", "..", "..", "..", "programs"))
    if has_namespaces():
        build(mounts, root, programs)
        os.chroot(root)
        os.chdir(working or "/")
        if os.geteuid() == 0 and (user, group) != (0, 0):
            os.setgroups([] if further is None else [further])
            os.setgid(group)
            os.setuid(user)
    else:
        words = [rewritten(word, mounts) for word in words]
        variables = variables | {"PATH": f"{programs}:{os.environ.get('PATH', '/usr/bin:/bin')}", "HOME": root}
        os.chdir(root)
    os.execvpe(words[0], words, variables)


def libc():
    return ctypes.CDLL(None, use_errno=True)


def has_namespaces():
    """Moves this process into namespaces of its own, where that is allowed."""
    if not sys.platform.startswith("linux") or os.environ.get("HOSTWRIGHT_KUBECTL_PLAIN_EXEC"):
        return False
    if os.geteuid() == 0:
        return libc().unshare(NEW_MOUNTS) == 0
    own, own_group = os.geteuid(), os.getegid()
    if libc().unshare(NEW_USER | NEW_MOUNTS) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {own} 1"), ("gid_map", f"0 {own_group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def mount(source, target, flags):
    if libc().mount(source and source.encode(), target.encode(), None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {source} at {target}")


def build(mounts, root, programs):
    """Lays out the root of a container: the machine's programs, and its volumes."""
    mount(None, "/", PRIVATE | RECURSIVE)
    targets = [target for target, _, _ in mounts]
    for name in SYSTEM:
        lay("/" + name, root, targets)
    for name in ("tmp", "var/tmp", "root", "run"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    if os.path.isdir(programs):
        os.makedirs(os.path.join(root, "programs"), exist_ok=True)
        mount(programs, os.path.join(root, "programs"), BIND)
    for target, folder, read_only in sorted(mounts):
        place = os.path.join(root, target.lstrip("/"))
        if os.path.isfile(folder):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if not os.path.exists(place):
                open(place, "w").close()
        else:
            os.makedirs(place, exist_ok=True)
        mount(folder, place, BIND)
        if read_only:
            mount(None, place, BIND | REMOUNT | READ_ONLY)


def lay(path, root, targets):
    """Shows a path of the machine below a root. A folder with volumes below it is one of the root's own, so that nothing is made in the
    machine's."""
    place = os.path.join(root, path.lstrip("/"))
    if os.path.islink(path):
        if not os.path.lexists(place):
            os.symlink(os.readlink(path), place)
    elif os.path.isdir(path):
        os.makedirs(place, exist_ok=True)
        if path in ("/dev", "/proc") or not any(target.startswith(path + "/") for target in targets):
            mount(path, place, BIND | RECURSIVE)
        else:
            for name in os.listdir(path):
                if os.path.join(path, name) not in targets:
                    lay(os.path.join(path, name), root, targets)
    elif os.path.exists(path):
        if not os.path.lexists(place):
            open(place, "w").close()
        mount(path, place, BIND)


def rewritten(word, mounts):
    for target, folder, _ in sorted(mounts, reverse=True):
        word = re.sub(rf"(?<![\w./-]){re.escape(target)}(?=$|[/\s'\":;,)])", lambda _: folder, word)
    return word
