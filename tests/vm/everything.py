#!/usr/bin/env python3
"""Runs everything that needs a virtual machine, as many at once as there are processors, and keeps the figures for docs/evidence/.

  everything.py --hostwright BIN [--kills sample|all] [--jobs N] [--only TEXT] [--again] [--list]

A line a part when it is over; what a failed part said follows. Parts are independent: `--only` runs those whose name holds the text.
A part that passed with the same scripts, drivers and machines is `unchanged` and does not run (`proofs.py`); `--again` runs it.
"""
import argparse
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import threading
import time
import typing

sys.dont_write_bytecode = True
import proofs  # noqa: E402
from guest import HERE  # noqa: E402
from kills import SCRIPTS  # noqa: E402

VERSIONS = ("2.1", "2.3")
# Of the example fleet, with everything that the scripts refuse.
EXAMPLES = ("lufta", "attic")
# Of tests/fleets/machines. Hosts without ZFS see nothing of its version.
WITH_ZFS = ("special", "encrypted", "draid", "rollback")
WITHOUT_ZFS = ("luks-console", "mdraid", "mdraid-boot", "btrfs")
# What the scripts of the examples do not make: LUKS devices, arrays, keys of pools.
MADE_OTHERWISE = (("luks-console", "partition"), ("mdraid", "partition"), ("encrypted", "pools"))
MACHINES = os.path.join(os.path.dirname(HERE), "fleets/machines")
# Of tests/fleets/boots: the loader that each host has.
LOADERS = (("boots-grub", "legacy"), ("boots-systemd-boot", "modern"))


class Part(typing.NamedTuple):
    name: str
    words: list
    """The driver and its arguments, but for the binary."""


def parts(kills):
    """Layouts, then what else there is, then kills: some points of each script, or all of them, which takes hours."""
    for version in VERSIONS:
        for host in EXAMPLES:
            yield Part(f"{host}, OpenZFS {version}", ["layouts.py", "--zfs", version, "--reset", "--record", host])
        for host in WITH_ZFS:
            yield Part(f"{host}, OpenZFS {version}", machine(host, version))
    for host in WITHOUT_ZFS:
        yield Part(host, machine(host, VERSIONS[0]))
    for version in VERSIONS:
        yield Part(f"from blank disks to a compiled fleet, OpenZFS {version}", ["probe.py", "--zfs", version, "--record"])
    for name, host in LOADERS:
        yield Part(name, ["boots.py", "--record", host])
    yield Part("from blank disks to a host that comes back, and its update", ["installs.py", "--record", "install"])
    yield Part("installed with a newer ZFS than what is deployed next", ["installs.py", "--record", "incident"])
    yield Part("disks destroyed, and the host rebuilt from definition and backup", ["recovers.py", "--record"])
    yield Part("a recovery rehearsed on a machine that is thrown away", ["rehearsals.py", "--record"])
    yield Part("apply killed while it installs", ["disaster.py", "--record", "kills"])
    yield Part("power cut while it updates", ["disaster.py", "--record", "cuts"])
    yield Part("every ZFS feature, predicted and imported", ["features.py", "--record"])
    for script in SCRIPTS:
        yield Part(f"{EXAMPLES[0]}, {script}.sh killed", killed(kills, script, EXAMPLES[0]))
    for host, script in MADE_OTHERWISE:
        yield Part(f"{host}, {script}.sh killed", killed(kills, script, "--fleet", MACHINES, host))


def machine(host, version):
    return ["layouts.py", "--zfs", version, "--reset", "--without", "refusals", "--record", "--fleet", MACHINES, host]


def killed(kills, script, *host):
    return ["layouts.py", "--kills", kills, "--killed", script, "--without", "refusals", "--without", "layout", "--record", *host]


WRITING = threading.Lock()
# Their machines have the same names whatever the version or the case.
ONE_LAB = threading.Lock()
ALONE = {"probe.py": threading.Lock(), "installs.py": ONE_LAB, "disaster.py": ONE_LAB, "recovers.py": ONE_LAB, "rehearsals.py": ONE_LAB}


def run(part, hostwright, again):
    """Runs a part unless it is proven; tells what came of it: passed, unchanged or failed."""
    began = time.monotonic()
    key = proofs.key(part.words, hostwright)
    proof = proofs.known().get(part.name)
    if proof and proof["key"] == key and not again:
        print(f"unchanged {part.name} (since {proof['day']}, {proof['commit']}): {proof['said']}", flush=True)
        return "unchanged"
    driver, *words = part.words
    with ALONE.get(driver, contextlib.nullcontext()):
        done = subprocess.run([sys.executable, "-B", os.path.join(HERE, driver), "--hostwright", hostwright, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = done.stdout.splitlines()
    last = lines[-1] if lines else "it said nothing"
    failed = done.returncode != 0
    said = [f"{'FAILED' if failed else 'ok':8} {part.name} ({time.monotonic() - began:.0f} s): {last}"]
    print("\n".join(said + [f"  | {line}" for line in lines[-60:]] * failed), flush=True)
    if not failed:
        with WRITING:
            proofs.keep(part.name, key, last)
    return "failed" if failed else "passed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", required=True)
    parser.add_argument("--kills", choices=("sample", "all"), default="sample", help="at how many points the scripts are killed [sample]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many parts run at once [processors]")
    parser.add_argument("--only", default="", help="the parts whose name holds this")
    parser.add_argument("--again", action="store_true", help="run what is proven, too")
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    options = parser.parse_args()
    chosen = [part for part in parts(options.kills) if options.only in part.name]
    if options.list:
        print("\n".join(part.name for part in chosen))
        return 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        ended = list(pool.map(lambda part: run(part, options.hostwright, options.again), chosen))
    passed, unchanged, failed = (ended.count(word) for word in ("passed", "unchanged", "failed"))
    print(f"everything: {passed + unchanged} passed, {failed} failed ({unchanged} unchanged since they passed)")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
