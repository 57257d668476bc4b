"""The three ways to patch an object: merge, strategic merge, and JSON patch."""
import copy

from cluster import Refused

# Which key tells the elements of a list apart, by the list's name (`patchMergeKey` of the API).
KEYS = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name",
    "volumeMounts": "mountPath", "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip",
    "ownerReferences": "uid", "conditions": "type", "secrets": "name", "topologySpreadConstraints": "topologyKey",
}


def merge(old, patch):
    """RFC 7386: null takes away, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def key_of(name, items):
    """What tells the elements of a list apart; nothing where the list is replaced as a whole."""
    if name == "ports":
        return "containerPort" if any("containerPort" in one for one in items if isinstance(one, dict)) else "port"
    return KEYS.get(name)


def strategic(old, patch, name=""):
    """As the server merges its own kinds: lists of named things are merged by name."""
    if isinstance(patch, dict):
        patch = dict(patch)
        how = patch.pop("$patch", None)
        if how == "replace":
            return copy.deepcopy(patch)
        result = dict(old) if isinstance(old, dict) else {}
        for key, value in patch.items():
            if key.startswith("$setElementOrder/"):
                continue
            if key.startswith("$deleteFromPrimitiveList/"):
                own = key.split("/", 1)[1]
                result[own] = [one for one in result.get(own, []) if one not in value]
            elif key == "$retainKeys":
                result = {own: kept for own, kept in result.items() if own in value}
            elif value is None:
                result.pop(key, None)
            elif isinstance(value, dict) and value.get("$patch") == "delete":
                result.pop(key, None)
            else:
                result[key] = strategic(result.get(key), value, key)
        return result
    if isinstance(patch, list):
        if name == "finalizers":
            own = list(old or [])
            return own + [one for one in patch if one not in own]
        own_key = key_of(name, patch)
        if own_key is None or not all(isinstance(one, dict) for one in patch):
            return copy.deepcopy(patch)
        if {"$patch": "replace"} in patch:
            return [copy.deepcopy(one) for one in patch if one != {"$patch": "replace"}]
        result = list(old or [])
        for one in patch:
            place = next((index for index, known in enumerate(result) if known.get(own_key) == one.get(own_key)), None)
            if one.get("$patch") == "delete":
                if place is not None:
                    del result[place]
            elif place is None:
                result.append(strategic({}, one))
            else:
                result[place] = strategic(result[place], one)
        return result
    return copy.deepcopy(patch)


def pointer(path):
    if path and not path.startswith("/"):
        raise Refused(f'The request is invalid: the server rejected our request due to an error in our request: bad pointer "{path}"')
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def lookup(value, parts, path):
    for part in parts:
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise Refused("The request is invalid: the server rejected our request due to an error in our request: "
                          f'unable to find {path}') from None
    return value


def by_operations(old, operations):
    """RFC 6902."""
    result = copy.deepcopy(old)
    for operation in operations:
        kind, path = operation["op"], operation["path"]
        parts = pointer(path)
        if kind == "test":
            if lookup(result, parts, path) != operation.get("value"):
                raise Refused("The request is invalid: the server rejected our request due to an error in our request: "
                              f"testing path {path} value failed")
            continue
        if kind in ("move", "copy"):
            value = copy.deepcopy(lookup(result, pointer(operation["from"]), operation["from"]))
            if kind == "move":
                result = by_operations(result, [{"op": "remove", "path": operation["from"]}])
            operation = {"op": "add", "path": path, "value": value}
            kind = "add"
        parent, last = lookup(result, parts[:-1], path), parts[-1]
        if isinstance(parent, list):
            if kind == "add":
                parent.insert(len(parent) if last == "-" else int(last), operation["value"])
            else:
                lookup(parent, [last], path)
                if kind == "remove":
                    del parent[int(last)]
                else:
                    parent[int(last)] = operation["value"]
        elif kind == "add":
            parent[last] = operation["value"]
        else:
            lookup(parent, [last], path)
            if kind == "remove":
                del parent[last]
            else:
                parent[last] = operation["value"]
    return result


def applied(last, new, live):
    """What `apply` makes of a live object: what was in the last delivery and is not in this one goes."""
    def gone(before, after):
        result = {}
        for key, value in before.items():
            if key not in after:
                result[key] = None
            elif isinstance(value, dict) and isinstance(after[key], dict):
                inner = gone(value, after[key])
                if inner:
                    result[key] = inner
        return result
    return strategic(strategic(live, gone(last, new)), new)
