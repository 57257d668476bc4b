"""What a part ran with when it last passed: the same inputs need no second run.

A part's inputs are the drivers and the machines of this folder, its words, and what the program makes of the part's fleet: the
compiled scripts and the definition for a layout, what the generations of a reboot test hold, the whole program for the rest. Whatever of these changes, the part runs again.
"""
import datetime
import glob
import hashlib
import json
import os
import tempfile

import definition
import records
from guest import HERE

# What runs the parts and writes what they saw has no part in what they see.
WITHOUT = ("everything.py", "proofs.py", "records.py", "README.md")
PROVEN = os.path.join(records.RECORDS, "proofs.json")


def key(words, hostwright):
    """The digest of everything that a part depends on."""
    digest = hashlib.sha256()

    def add(name, content):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    for path in sorted(glob.glob(os.path.join(HERE, "**"), recursive=True)):
        if os.path.isfile(path) and os.path.basename(path) not in WITHOUT and "__pycache__" not in path:
            add(os.path.relpath(path, HERE), contents(path))
    # Paths of this tree are those of any other one.
    add("words", "\0".join(word.replace(records.ROOT, "") for word in words).encode())
    if words[0] == "layouts.py":
        for name, content in compiled(words, hostwright):
            add(name, content)
    elif words[0] == "boots.py":
        for name, content in rebooted(words[-1], hostwright):
            add(name, content)
    else:
        add("program", contents(hostwright))
    return digest.hexdigest()


def compiled(words, hostwright):
    """What the program makes of a layout's host, as (name, content)."""
    fleet = words[words.index("--fleet") + 1] if "--fleet" in words else records.ROOT
    zfs, host = words[words.index("--zfs") + 1] if "--zfs" in words else "2.1", words[-1]
    with tempfile.TemporaryDirectory() as folder:
        copy, out = os.path.join(folder, "fleet"), os.path.join(folder, "out")
        definition.copy_fleet(fleet, copy, zfs)
        definition.build(hostwright, copy, out, host)
        yield "host.toml", contents(os.path.join(copy, "hosts", host, "host.toml"))
        for path in sorted(glob.glob(os.path.join(out, "hosts", host, "install", "*"))):
            yield os.path.basename(path), contents(path)


def rebooted(host, hostwright):
    """What the program makes of a host whose reboot test runs, as (name, content)."""
    fleet = os.path.join(os.path.dirname(HERE), "fleets/boots")
    yield "fleet.toml", contents(os.path.join(fleet, "fleet.toml"))
    yield "host.toml", contents(os.path.join(fleet, "hosts", host, "host.toml"))
    with tempfile.TemporaryDirectory() as out:
        definition.build(hostwright, fleet, out, host)
        folder = os.path.join(out, "hosts", host)
        for name in ("boot.nix", "reboot-test.nix"):
            yield name, contents(os.path.join(folder, name))
        for path in sorted(glob.glob(os.path.join(folder, "reboot", "*"))):
            yield os.path.basename(path), contents(path)


def contents(path):
    with open(path, "rb") as handle:
        return handle.read()


def known():
    """Every proof, by the name of its part."""
    try:
        return json.loads(contents(PROVEN))
    except FileNotFoundError:
        return {}


def keep(name, digest, said):
    """Keeps that a part passed, with its inputs, the day and the commit."""
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    proofs = {**known(), name: {"key": digest, "day": day, "commit": records.COMMIT, "said": said}}
    os.makedirs(records.RECORDS, exist_ok=True)
    records.replace(PROVEN, json.dumps(proofs, indent=1, sort_keys=True))
