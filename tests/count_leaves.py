#!/usr/bin/env python3
"""Counts the leaves of the objects in Kubernetes manifests, independently of the program.

A leaf is a scalar, or an empty map or list, after anchors and merge keys are resolved; of duplicate keys the last counts. The elements
of a `*List` are objects. Prints a JSON list of [file, line, apiVersion, kind, namespace, name, leaves] for each object of the files
named on the command line, and {"refused": FILE} for each file that is no YAML. Needs PyYAML, which reads YAML 1.1 as Kubernetes does.
"""
import json
import os
import sys

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def pairs(node):
    """The keys and values of a mapping node: merge keys resolved, own keys before merged ones, of duplicates the last."""
    own, merged = {}, {}
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            maps = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for one in maps:
                for name, inner in pairs(one).items():
                    merged.setdefault(name, inner)
        else:
            name = key.value if isinstance(key, yaml.ScalarNode) else repr(key)
            own[name] = value
    for name, value in merged.items():
        own.setdefault(name, value)
    return own


def leaves(node):
    if isinstance(node, yaml.MappingNode):
        return sum(leaves(value) for value in pairs(node).values()) or 1
    if isinstance(node, yaml.SequenceNode):
        return sum(leaves(value) for value in node.value) or 1
    return 1


def text(node, *route):
    for key in route:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = pairs(node).get(key)
    if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
        return node.value
    return None


def objects(node, version=None, kind=None):
    """The objects of a document, with their apiVersion and kind."""
    if not isinstance(node, yaml.MappingNode):
        return
    version, kind = text(node, "apiVersion") or version, text(node, "kind") or kind
    items = pairs(node).get("items")
    if kind and kind.endswith("List") and isinstance(items, yaml.SequenceNode) and items.value:
        for item in items.value:
            yield from objects(item, version, kind[: -len("List")])
    elif version and kind:
        yield node, version, kind


def main(paths):
    for path in paths:
        try:
            with open(path, "rb") as file:
                documents = list(yaml.compose_all(file, LOADER))
        except (yaml.YAMLError, UnicodeError):
            print(json.dumps({"refused": path}))
            continue
        # A kustomization may say neither what it is nor by which version.
        plain = os.path.basename(path) in ("kustomization.yaml", "kustomization.yml", "Kustomization")
        usual = ("kustomize.config.k8s.io/v1beta1", "Kustomization") if plain else (None, None)
        for document in documents:
            for node, version, kind in objects(document, *usual):
                name = text(node, "metadata", "name")
                if name is None and text(node, "metadata", "generateName") is not None:
                    name = text(node, "metadata", "generateName") + "*"
                space = text(node, "metadata", "namespace")
                row = [path, node.start_mark.line + 1, version, kind, space, name or "", leaves(node)]
                print(json.dumps(row))


if __name__ == "__main__":
    main(sys.argv[1:])
