#!/usr/bin/env python3
"""From a machine with blank disks to a compiled fleet: the printed probe script runs in a guest, then `new`, `check` and `build`.

  probe.py [--zfs 2.1] [--record]

Each machine is one that people have: its disks are blank. What `check` still says must be a question to the person.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from guest import HERE, Broken, Checks, Guest  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
# Machine -> its disks, the arguments of `new`, and words that the definition must hold.
MACHINES = {
    "two-ssds": (["ssd0:250G,bus=ata,model=Samsung SSD 870 EVO 250GB,serial=S6PENL0T000001,ssd=1",
                  "ssd1:250G,bus=ata,model=Samsung SSD 870 EVO 250GB,serial=S6PENL0T000002,ssd=1"], [], ("mirror",)),
    "one-disk": (["main:120G,bus=virtio"], ["--filesystem", "ext4"], ('"ext4"',)),
    "ssd-and-three": (["ssd:500G,bus=nvme,serial=S675NX0R512345",
                       *(f"hdd{n}:2T,bus=ata,model=TOSHIBA DT01ACA200,serial=X{n},sector=512e" for n in range(3))], [], ("raidz1",)),
}
FLEET = """[fleet]
name = "probed"
[channels.stable]
release = "26.05"
rev = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4"
hash = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU="
last-modified = 1788405554
[deployer]
name = "desk"
channel = "stable"
[defaults]
channel = "stable"
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA admin@desk\n"
TODAY = ["--today", "2026-11-21"]


def hostwright(options, *words, given=None):
    done = subprocess.run([options.hostwright, *words], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def examine(name, options):
    disks, words, wanted = MACHINES[name]
    checks = Checks(name)
    print(f"== {name}: {len(disks)} disks, OpenZFS {options.zfs}", flush=True)
    _, script, _ = hostwright(options, "probe", "--script")
    with Guest(f"probe-{name}", options.zfs, disks) as guest, tempfile.TemporaryDirectory() as fleet:
        # What a rescue system has from the network that it was started in.
        guest.write("/etc/resolv.conf", "nameserver 10.0.2.3\n")
        before = guest.sh("lsblk -rno NAME,SIZE,TYPE; cat /proc/mounts; lsmod | cut -d' ' -f1 | sort")
        status, said = guest.run("sh -s 2> /tmp/said", script)
        checks.that("the printed script runs to its end", status == 0, said)
        checks.same("it changes no disk, mount or module",
                    guest.sh("lsblk -rno NAME,SIZE,TYPE; cat /proc/mounts; lsmod | cut -d' ' -f1 | sort"), before)
        status, facts, words_said = hostwright(options, "probe", "--from", "-", given=said)
        if not checks.that("probe reads what it says", status == 0, words_said):
            raise Broken("no facts")
        seen = [disk["ids"][0] for disk in json.loads(facts)["disks"] if disk.get("ids")]
        checks.that("every disk is in the facts, under a stable id", len(seen) >= len(disks), facts)
        for path, text in (("fleet.toml", FLEET), ("facts.json", facts), ("key.pub", KEY)):
            with open(os.path.join(fleet, path), "w", encoding="utf-8") as handle:
                handle.write(text)
        host = "probed"
        status, out, err = hostwright(options, "new", host, "--fleet", fleet, "--facts", f"{fleet}/facts.json", "--key",
                                      f"{fleet}/key.pub", *words)
        checks.that("new writes a definition", status == 0, out + err)
        with open(f"{fleet}/hosts/{host}/host.toml", encoding="utf-8") as handle:
            toml = handle.read()
        checks.that(f"its layout suits the disks: {', '.join(wanted)}", all(word in toml for word in wanted), toml)
        # The line of what asks the person something says so in the definition itself.
        asks = [number for number, line in enumerate(toml.splitlines(), 1) if "EDIT" in line]
        status, out, err = hostwright(options, "check", "--fleet", fleet, "--format", "json", *TODAY)
        findings = [one for one in json.loads(out)["findings"] if one["level"] in ("error", "warning")]
        for one in findings:
            print(f"  note     {one['level']} {one['rule']}: {one['message']}", flush=True)
        checks.same("check finds nothing: what asks the person something is a line that says EDIT", len(findings), 0)
        status, out, err = hostwright(options, "build", "--fleet", fleet, "--out", f"{fleet}/out", *TODAY)
        checks.that("build compiles the fleet", status == 0, out + err)
        checks.that("the scripts that lay it out are there", os.path.exists(f"{fleet}/out/hosts/{host}/install/partition.sh"), out + err)
        print(f"  note     {len(asks)} lines of the definition ask the person something", flush=True)
        return checks, len(asks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zfs", choices=("2.1", "2.3"), default="2.1")
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("machine", nargs="*", default=list(MACHINES))
    options = parser.parse_args()
    passed, failed = 0, 0
    for name in options.machine:
        try:
            checks, asks = examine(name, options)
        except Broken as error:
            failed += 1
            print(f"  BROKEN   {name}: {error}", flush=True)
            continue
        passed, failed = passed + checks.passed, failed + len(checks.failures)
        if options.record:
            keep("probe", f"{name} {options.zfs}", checks, {"zfs": options.zfs, "what": "probe --script, probe --from, new, check, build",
                                         "questions": asks})
    print(f"probe: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
