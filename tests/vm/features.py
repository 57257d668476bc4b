#!/usr/bin/env python3
"""Compares what `zfs-pool-newer-than-channel` predicts with what a real, older ZFS does, feature by feature.

  features.py [--only features|scripts] [--record]

In a guest with ZFS 2.3: one small pool for each feature that 2.1 does not know, with that feature active and no other such one;
one with the defaults of 2.3; one with our `compatibility`. The same machine then starts with ZFS 2.1 and imports each. Last, the
pool of a host whose channel has ZFS 2.1, laid out in 2.3 by the host's generated scripts, and the same with `compatibility` off.
The prediction is the real rule's: the pools' features go into the facts of a fleet, and `hostwright check` judges it.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from definition import Host, build, copy_fleet  # noqa: E402
from disks import Machine  # noqa: E402
from guest import HERE, Checks, Guest  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
NEW, OLD = "2.3", "2.1"
RULE = "zfs-pool-newer-than-channel"
DISK = "/dev/disk/by-id/virtio-files"  # the root image is exchanged with the ZFS: the pools' files lie on a disk

HOST_NAME = "lufta"

# Feature -> the pool's first vdevs, and what makes it active on the pool $P mounted at /$P; $F-1.. are its files.
RECIPES = {
    "zilsaxattr": ("$F-1", "zfs set xattr=sa sync=always $P; touch /$P/x; setfattr -n user.a -v b /$P/x; sync"),
    "head_errlog": ("$F-1", ""),
    "blake3": ("$F-1", "zfs create -o checksum=blake3 $P/b; echo x > /$P/b/x"),
    "block_cloning": ("$F-1", "dd if=/dev/urandom of=/$P/a bs=128k count=8 status=none; zpool sync $P; cp --reflink=always /$P/a /$P/b"),
    "vdev_zaps_v2": ("$F-1", ""),
    "redaction_list_spill": ("$F-1", "zfs create $P/r; echo a > /$P/r/a; zfs snapshot $P/r@all; S=; for i in $(seq 40); do "
                             "zfs clone $P/r@all $P/c$i; echo $i > /$P/c$i/a; zfs snapshot $P/c$i@s; S=\"$S $P/c$i@s\"; done; "
                             "zfs redact $P/r@all book $S"),
    "raidz_expansion": ("raidz1 $F-1 $F-2 $F-3", "zpool attach -w $P raidz1-0 $F-4"),
    "fast_dedup": ("$F-1", "zfs create -o dedup=on $P/d; dd if=/dev/urandom of=/$P/d/a bs=128k count=8 status=none"),
    "longname": ("$F-1", "zfs create -o longname=on $P/l; touch /$P/l/$(printf 'n%.0s' $(seq 400))"),
    "large_microzap": ("$F-1", "echo 1048576 > /sys/module/zfs/parameters/zap_micro_max_size; zfs create -o recordsize=1M $P/m; "
                       "cd /$P/m; for i in $(seq 4000); do : > file-$i; done; cd /; zpool sync $P"),
}


def differing():
    """The features that NEW knows and OLD does not, from the facts: name -> the fact."""
    with open(os.path.join(ROOT, "facts/zfs.json"), encoding="utf-8") as handle:
        facts = json.load(handle)
    lines = facts["release_lines"]
    names = set(lines[NEW]["features"]) - set(lines[OLD]["features"])
    return {one["name"]: one for one in facts["features"] if one["name"] in names}


def make(guest, pool, feature, needs):
    """A pool with one feature active; what its activation said when it failed."""
    vdevs, activate = RECIPES[feature]
    enable = " ".join(f"-o feature@{name}=enabled" for name in (*needs, feature))
    files = f"F=/disks/{pool}; P={pool}; mkdir -p /disks; truncate -s 256M $F-1 $F-2 $F-3 $F-4"
    guest.sh(f"{files}; zpool create -f -o cachefile=none -d "
             f"{' '.join('-o feature@' + name + '=enabled' for name in BASE)} {enable} $P {vdevs}")
    return guest.run(f"set -e; {files}; {activate}\nzpool sync $P") if activate else (0, "")


# What every pool has besides: known to 2.0 and newer, so that a pool is an ordinary one apart from the feature.
BASE = ("async_destroy", "empty_bpobj", "lz4_compress", "spacemap_histogram", "enabled_txg", "hole_birth", "extensible_dataset",
        "embedded_data", "bookmarks", "filesystem_limits", "large_blocks", "large_dnode", "userobj_accounting", "project_quota")


def seen_features(guest, pool):
    text = guest.sh(f"zpool get -H -o property,value all {pool}")
    return {name.removeprefix("feature@"): value for name, value in
            (line.split("\t") for line in text.splitlines()) if name.startswith("feature@")}


FLEET = """[fleet]
name = "features"
[channels.stable]
release = "26.05"
zfs = "{zfs}"
rev = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4"
hash = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU="
[deployer]
name = "desk"
channel = "stable"
"""
HOST = """channel = "stable"
system = "x86_64-linux"
state-version = "26.05"
[machine]
firmware = "bios"
[boot]
loader = "grub"
[disks.d]
id = "virtio-d"
size = "1GB"
[zfs.pools.{pool}]
vdevs = [{{ type = "stripe", members = ["d"] }}]
"""


def predict(hostwright, pool, features):
    """What the rule says of a pool with these features under OLD: `read-write`, `read-only`, `refused`, `not checked`."""
    with tempfile.TemporaryDirectory() as fleet:
        os.makedirs(f"{fleet}/hosts/a")
        for path, text in (("fleet.toml", FLEET.format(zfs=OLD)), ("hosts/a/host.toml", HOST.format(pool=pool)),
                           ("hosts/a/facts.json", json.dumps({
                               "version": 1, "taken": "2026-11-21T00:00:00Z", "host": "a",
                               "pools": [{"name": pool, "features": features}]}))):
            with open(f"{fleet}/{path}", "w", encoding="utf-8") as handle:
                handle.write(text)
        done = subprocess.run([hostwright, "check", "--fleet", fleet, "--format", "json", "--today", "2026-11-21"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = json.loads(done.stdout)
        if any(one.get("rule") == RULE for one in said["unchecked"]):
            return "not checked"
        found = [one for one in said["findings"] if one["rule"] == RULE]
    if not any(one["level"] == "error" for one in found):
        return "read-write"
    return "refused" if re.search(r"cannot import it", " ".join(one["message"] for one in found)) else "read-only"


def real(guest, pool, folder):
    """What the running ZFS does with a pool whose members lie in a folder, and the words of a refusal."""
    status, said = guest.run(f"zpool import -N -d {folder} -o cachefile=none {pool}")
    if status == 0:
        guest.sh(f"zpool export {pool}")
        return "read-write", ""
    words = said
    status, said = guest.run(f"zpool import -N -d {folder} -o cachefile=none -o readonly=on {pool}")
    if status == 0:
        guest.sh(f"zpool export {pool}")
        return "read-only", words
    return "refused", words


def of_features(options, checks):
    """A pool for each feature; rows as (pool, active, predicted, real, what the refusal names)."""
    facts, pools, rows = differing(), [], []
    checks.same("every feature that differs has a recipe", sorted(RECIPES), sorted(facts))
    with Guest("features", NEW, ["files:16G,bus=virtio"]) as guest:
        guest.sh(f"mkfs.ext4 -q {DISK}; mkdir -p /disks; mount {DISK} /disks")
        for feature, fact in facts.items():
            pool = f"f{len(pools)}"
            needs = [name for name in fact["depends_on"] if name not in BASE]
            if feature == "redaction_list_spill":
                needs += ["bookmark_v2", "redacted_datasets"]
            status, said = make(guest, pool, feature, needs)
            features = seen_features(guest, pool)
            active = features.get(feature) == "active"
            checks.that(f"{feature} becomes active", active, f"{features.get(feature)}; status {status}: {said}")
            guest.sh(f"zpool export {pool}")
            pools.append((feature, pool, features, active))
        for name, words in (("the defaults of 2.3", ""), ("compatibility=openzfs-2.1-linux", "-o compatibility=openzfs-2.1-linux")):
            pool = f"f{len(pools)}"
            guest.sh(f"truncate -s 256M /disks/{pool}-1; zpool create -f -o cachefile=none {words} {pool} /disks/{pool}-1; echo x > /{pool}/x; zpool sync {pool}")
            pools.append((name, pool, seen_features(guest, pool), True))
            guest.sh(f"zpool export {pool}")
        guest.sh("umount /disks")
        guest.swap_root(OLD)
        guest.sh(f"mkdir -p /disks; mount {DISK} /disks")
        for name, pool, features, active in pools:
            rows.append((name, active, *judge(options, checks, guest, name, pool, features, "/disks")))
    return rows


def judge(options, checks, guest, name, pool, features, folder):
    """What is predicted of a pool and what happens to it; they must be the same."""
    predicted = predict(options.hostwright, pool, features)
    happened, words = real(guest, pool, folder)
    checks.same(f"{name}: the prediction is what happens", predicted, happened)
    return predicted, happened, ", ".join(sorted(set(re.findall(r"\b(?:com|org)\.[a-z]+:[a-z0-9_]+", words)))) or "-"


def of_scripts(options, checks):
    """A host whose channel has ZFS 2.1, laid out in 2.3 by its scripts; then without the limit."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        scripts = {}
        for limit in ("auto", "off"):
            fleet = os.path.join(folder, limit)
            copy_fleet(ROOT, fleet, OLD)
            if limit == "off":
                path = f"{fleet}/hosts/{HOST_NAME}/host.toml"
                with open(path, encoding="utf-8") as handle:
                    text = handle.read()
                with open(path, "w", encoding="utf-8") as handle:
                    handle.write(re.sub(r"(?m)^(\[zfs\.pools\.\w+\])$", r'\1\ncompatibility = "off"', text))
            scripts[limit] = build(options.hostwright, fleet, f"{folder}/out-{limit}", HOST_NAME)
        host = Host(os.path.join(folder, "auto"), HOST_NAME)
        pool = next(iter(host.pools))
        with Machine(host, NEW, "features-scripts") as machine:
            for limit in ("auto", "off"):
                name = f"{HOST_NAME}'s scripts, compatibility = {limit}"
                machine.prepare(scripts[limit])
                machine.wipe()
                for script in ("partition", "pools", "mount"):
                    status, said = machine.script(script, machine.yes() if script == "partition" else "")
                    checks.that(f"{name}: {script}.sh runs with ZFS {NEW}", status == 0, said)
                machine.sh("echo x > /mnt/marker-of-2.3; sync")
                features = seen_features(machine, pool)
                machine.release()
                machine.swap_root(OLD)
                machine.prepare(scripts[limit])
                rows.append((name, True, *judge(options, checks, machine, name, pool, features, "/dev/disk/by-id")))
                status, said = machine.script("mount")
                if limit == "auto":
                    checks.that(f"{name}: mount.sh imports it with ZFS {OLD}", status == 0, said)
                    status, said = machine.run("cat /mnt/marker-of-2.3 && echo y > /mnt/marker-of-2.1 && sync && zpool list -H -o readonly " + pool)
                    checks.that(f"{name}: it is written to with ZFS {OLD}", status == 0 and said.split() == ["x", "off"], said)
                    machine.release()
                    machine.swap_root(NEW)
                else:
                    checks.that(f"{name}: mount.sh cannot import it with ZFS {OLD}", status != 0, said)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--only", choices=("features", "scripts"), help="one half")
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    options = parser.parse_args()
    checks, rows = Checks("features"), []
    if options.only != "scripts":
        rows += of_features(options, checks)
    if options.only != "features":
        rows += of_scripts(options, checks)
    for name, active, predicted, happened, named in rows:
        print(f"  {name}: predicted {predicted}, real {happened}, named {named}")
        if options.record:
            keep("features", name, checks, {"active": "yes" if active else "no", "predicted": predicted, "real": happened, "named": named})
    print(f"features: {checks.passed} passed, {len(checks.failures)} failed")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
