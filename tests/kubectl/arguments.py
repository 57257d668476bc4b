"""The command line, as kubectl takes it. What this stand-in does not know it refuses, as kubectl refuses what it does not know."""
from cluster import Refused

EVERYWHERE = {"--context": 1, "--namespace": 1, "--kubeconfig": 1, "--request-timeout": 1, "--v": 1, "--cache-dir": 1, "--as": 1,
              "--warnings-as-errors": 0, "--field-manager": 1}
SHORT = {"-n": "--namespace", "-v": "--v", "-o": "--output", "-l": "--selector", "-f": "--filename", "-A": "--all-namespaces", "-c": "--container",
         "-p": "--patch", "-i": "--stdin", "-t": "--tty", "-q": "--quiet", "-R": "--recursive", "-k": "--kustomize"}

OUTPUT = {"--output": 1}
SELECT = {"--selector": 1, "--all-namespaces": 0, "--field-selector": 1, "--all": 0}
FILES = {"--filename": 1, "--recursive": 0}
DRY = {"--dry-run": 1}

COMMANDS = {
    "annotate": OUTPUT | SELECT | DRY | FILES | {"--overwrite": 0, "--list": 0, "--resource-version": 1},
    "api-resources": OUTPUT | {"--verbs": 1, "--namespaced": 0, "--no-headers": 0, "--api-group": 1, "--cached": 0, "--sort-by": 1},
    "apply": OUTPUT | FILES | DRY | SELECT | {"--server-side": 0, "--force-conflicts": 0, "--wait": 0, "--overwrite": 0, "--validate": 1},
    "auth": SELECT | {"--quiet": 0, "--subresource": 1, "--list": 0},
    "cluster-info": {},
    "config": OUTPUT | {"--no-headers": 0, "--minify": 0, "--raw": 0, "--flatten": 0},
    "cp": {"--container": 1, "--retries": 1, "--no-preserve": 0},
    "create": OUTPUT | FILES | DRY | {"--from": 1, "--image": 1, "--from-literal": 1, "--save-config": 0},
    "delete": OUTPUT | SELECT | FILES | DRY | {"--wait": 0, "--ignore-not-found": 0, "--cascade": 1, "--grace-period": 1, "--timeout": 1,
                                               "--force": 0, "--now": 0},
    "exec": {"--stdin": 0, "--tty": 0, "--container": 1, "--quiet": 0, "--pod-running-timeout": 1, "--filename": 1},
    "get": OUTPUT | SELECT | FILES | {"--chunk-size": 1, "--show-managed-fields": 0, "--raw": 1, "--no-headers": 0, "--ignore-not-found": 0,
                                      "--show-labels": 0, "--show-kind": 0, "--sort-by": 1, "--subresource": 1},
    "label": OUTPUT | SELECT | DRY | FILES | {"--overwrite": 0, "--list": 0, "--resource-version": 1},
    "logs": {"--container": 1, "--tail": 1, "--since": 1, "--previous": 0, "--all-containers": 0, "--selector": 1, "--timestamps": 0},
    "patch": OUTPUT | DRY | FILES | {"--type": 1, "--patch": 1, "--patch-file": 1, "--subresource": 1},
    "replace": OUTPUT | FILES | DRY | {"--force": 0},
    "rollout": SELECT | FILES | {"--timeout": 1, "--watch": 0, "--revision": 1},
    "scale": OUTPUT | SELECT | FILES | DRY | {"--replicas": 1, "--current-replicas": 1, "--resource-version": 1, "--timeout": 1},
    "stand-in": {},
    "version": OUTPUT | {"--client": 0, "--short": 0},
    "wait": OUTPUT | SELECT | FILES | {"--for": 1, "--timeout": 1},
}


class Line:
    """A command line: the command, its words, its options."""

    def __init__(self, words):
        self.command, self.words, self.options, self.rest = None, [], {}, None
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "--":
                self.rest, words = words, []
            elif self.command == "exec" and len(self.words) == 1 and not word.startswith("-"):
                # kubectl's old form, without `--`.
                raise Refused("error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\n"
                              "See 'kubectl exec -h' for help and examples")
            elif word.startswith("-") and word != "-":
                self.option(word, words)
            elif self.command is None:
                self.command = word
                if word not in COMMANDS:
                    raise Refused(f'error: unknown command "{word}" for "kubectl"')
            else:
                self.words.append(word)
        known = EVERYWHERE | COMMANDS.get(self.command, {})
        for name in self.options:
            if name not in known:
                raise Refused(f"error: unknown flag: {name}\nSee 'kubectl {self.command} --help' for usage.")

    def option(self, word, words):
        every = {name: takes for options in COMMANDS.values() for name, takes in options.items()} | EVERYWHERE
        if not word.startswith("--"):
            name, rest = SHORT.get(word[:2]), word[2:]
            if self.command in ("patch",) and word[:2] == "-p":
                name = "--patch"
            if self.command == "logs" and word[:2] == "-p":
                name = "--previous"
            if name is None:
                raise Refused(f"error: unknown shorthand flag: '{word[1]}' in {word}")
            takes = every[name]
            if not takes:
                self.put(name, "true")
                if rest:
                    self.option("-" + rest, words)
                return
            value = rest.removeprefix("=") if rest else None
        else:
            name, equals, value = word.partition("=")
            value = value if equals else None
            if name not in every:
                raise Refused(f"error: unknown flag: {name}")
            takes = every[name]
        if value is None:
            if not takes:
                value = "true"
            elif words:
                value = words.pop(0)
            else:
                raise Refused(f"error: flag needs an argument: {name}")
        self.put(name, value)

    def put(self, name, value):
        self.options.setdefault(name, []).append(value)

    def get(self, name, default=None):
        return self.options.get(name, [default])[-1]

    def all(self, name):
        return self.options.get(name, [])

    def has(self, name):
        return self.get(name, "false") == "true"
