#!/usr/bin/env python3
"""Runs a host's compiled install scripts for real: in a virtual machine with disks of the host's ids and sizes, with real ZFS.

  layouts.py [--zfs 2.1] [--fleet DIR] [--kills none|sample|all] [--record NAME] HOST...

For each host: what is refused before anything is laid out, the layout against the definition, the end of install.sh (with a
stand-in for nixos-install), a reboot, everything opened, assembled, imported and mounted without force, a second run, and runs
that are killed on the way.
"""
import argparse
import hashlib
import os
import re
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from compare import compare  # noqa: E402
from definition import TARGET, Host, build, copy_fleet  # noqa: E402
from disks import BYSTANDER, HOST_KEYS, INSTALL, Machine  # noqa: E402
from guest import HERE, Broken, Checks  # noqa: E402
from kills import SCRIPTS, sweep  # noqa: E402
from records import keep  # noqa: E402

# What a script must never do to open, assemble, import or mount what it made itself.
FORCE = re.compile(r"^\+ (zpool import|mdadm|mount|cryptsetup) .*(-f|--force|--run)\b", re.MULTILINE)
ROOT = os.path.dirname(os.path.dirname(HERE))
# The longest name that a machine may have (qemu.py).
NAME = 31


def refused(checks, machine, what, before, script, words, saying, after=""):
    """A script must end with an error and leave the disks as they were."""
    machine.sh(before)
    heads = machine.heads()
    status, said = machine.script(script, words)
    checks.that(f"{what}: {script}.sh refuses", status != 0 and saying in said, f"status {status}\n{said}")
    checks.same(f"{what}: the disks are as they were", machine.heads(), heads)
    machine.sh(after or "true")


def refusals(checks, machine):
    disk = machine.ids[-1]
    link, part = f"/dev/disk/by-id/{disk}", f"/dev/disk/by-id/{disk}-part1"
    yes = machine.yes()
    refused(checks, machine, "a disk with a foreign file system", f"mkfs.ext4 -q -F -E nodiscard {link} 64M", "partition", yes,
            "holds something", f"wipefs -aq {link}")
    refused(checks, machine, "a mounted disk", f"mkfs.ext4 -q -F -E nodiscard {link} 64M; mkdir -p /media/x; mount -o ro {link} /media/x",
            "partition", yes, "is in use", f"umount /media/x; wipefs -aq {link}")
    # Beside other machines the partition that zpool makes may take longer to get its name than zpool waits for it.
    refused(checks, machine, "a disk of an imported pool",
            f"udevadm settle; zpool create -f other {link} || {{ udevadm settle; zpool create -f other {link}; }}", "partition", yes, disk,
            "zpool destroy other")
    machine.wipe()
    refused(checks, machine, "a disk under an array",
            f"mdadm --create /dev/md9 --run --level=1 --raid-devices=2 --metadata=1.2 --size=65536 {link} missing --force > /dev/null 2>&1",
            "partition", yes, "stands on it", f"mdadm --stop /dev/md9 2> /dev/null; mdadm --zero-superblock {link}")
    refused(checks, machine, "a disk of another size", f"udevadm settle; mv {link} /root/link; ln -sfn $(readlink -f /dev/disk/by-id/virtio-{BYSTANDER}) {link}",
            "partition", yes, "the definition says", f"rm {link}; mv /root/link {link}")
    refused(checks, machine, "a disk that is not there", f"udevadm settle; mv {link} /root/link", "partition", yes, "there is no such disk",
            f"mv /root/link {link}")
    refused(checks, machine, "nobody answers", "true", "partition", "", "")
    refused(checks, machine, "another id is typed", "true", "partition", "--yes ata-OTHER", "")
    status, said = machine.script("partition", "--dry-run")
    checks.that("a dry run says what it would do", status == 0 and "sgdisk" in said, said)
    checks.that("a dry run cuts nothing", machine.run(f"test -b {part}")[0] != 0)


def pool_refusals(checks, machine):
    """Between partition.sh and pools.sh: names and members that are taken."""
    for pool in list(machine.host.pools)[:1]:
        member = machine.host.tree(pool)[0][2][0]
        make = f"truncate -s 128M /root/file; zpool create -O mountpoint=none {pool} /root/file"
        refused(checks, machine, "a pool of that name is imported", make, "pools", "", f"a pool called {pool} is imported",
                f"zpool destroy {pool}; rm /root/file")
        refused(checks, machine, "a member holds something", f"mkfs.ext4 -q -F -E nodiscard {member} 64M", "pools", "",
                "holds a ext4", f"wipefs -aq {member}")
        refused(checks, machine, "a member belongs to a pool of another name", f"zpool create -f -O mountpoint=none other {member}; zpool export other",
                "pools", "", "holds a zfs_member", f"zpool import -N -d {member} other; zpool destroy other; zpool labelclear -f {member} || true; wipefs -aq {member}")


def lay_out(checks, machine, with_refusals):
    for name in machine.host.scripts:
        status, said = machine.script(name, machine.yes() if name == "partition" else "")
        if not checks.that(f"{name}.sh runs to its end", status == 0, said):
            raise Broken(f"{name}.sh failed")
        if name == "partition" and with_refusals:
            pool_refusals(checks, machine)


def markers(machine, write):
    text = []
    for path in machine.host.mounts():
        place = f"{TARGET}{path.rstrip('/')}/marker-of-this-mount"
        text.append(f"echo 'in {path}' > {place}" if write else f"grep -qxF 'in {path}' {place}")
    return machine.run(" && ".join(text))


def second_run(checks, machine, when):
    """With everything there: no script may change a disk."""
    has_pools = bool(machine.host.pools)
    machine.unmount()
    opened = machine.heads()
    machine.release()
    closed = machine.heads()
    status, said = machine.script("partition", machine.yes())
    checks.that(f"{when}: partition.sh leaves the disks as they are", status == 0 and "left as it is" in said and "lost" not in said, said)
    if has_pools:
        status, said = machine.script("pools")
        checks.that(f"{when}: pools.sh refuses while the pools are on the disks", status != 0 and "is on the disks" in said, said)
        checks.same(f"{when}: tables and labels are as they were", machine.heads(), closed)
    else:
        checks.same(f"{when}: tables, arrays and labels are as they were", machine.heads(), opened)
    status, said = machine.open()
    checks.that(f"{when}: mount.sh mounts", status == 0, said)
    layout = machine.describe()
    if has_pools:
        status, said = machine.script("pools")
        checks.that(f"{when}: pools.sh completes its own pools", status == 0 and "was made by an earlier run" in said, said)
    status, said = machine.script("mount")
    checks.that(f"{when}: mount.sh has nothing to do", status == 0 and not re.search(r"^\+ ", said, re.MULTILINE), said)
    checks.same(f"{when}: the layout is as it was", machine.describe(), layout)


def examine(name, options):
    with tempfile.TemporaryDirectory() as folder:
        fleet = os.path.join(folder, "fleet")
        copy_fleet(options.fleet, fleet, options.zfs)
        host = Host(fleet, name)
        scripts = build(options.hostwright, fleet, os.path.join(folder, "out"), name)
        checks = Checks(name)
        # Of its own: other parts, running beside this one, have machines of the same host.
        called = "-".join(["layout", name, options.zfs, options.shard, *options.killed]).replace(".", "").replace("/", "-")
        if len(called) > NAME:
            called = f"{called[:NAME - 9]}-{hashlib.sha256(called.encode()).hexdigest()[:8]}"
        machine = Machine(host, options.zfs, called)
        print(f"== {name}: {len(host.disks)} disks, OpenZFS {options.zfs}", flush=True)
        for disk in machine.renamed:
            print(f"  note     {disk}: QEMU has no such model, udev gives the name", flush=True)
        with machine:
            machine.prepare(scripts)
            other = machine.bystander()
            if "refusals" not in options.without:
                refusals(checks, machine)
            if "layout" not in options.without:
                live(checks, machine, options)
            if options.kills != "none":
                shard = tuple(int(number) for number in options.shard.split("/"))
                for row in sweep(checks, machine, options.kills, options.killed or host.scripts + ["install"], shard):
                    if options.record:
                        # A sample does not take the place of a full sweep.
                        part = " sample" * (options.kills == "sample") + f" {options.shard.replace('/', ' of ')}" * (shard[1] > 1)
                        keep("kills", f"{name} {row['script']} {options.zfs}{part}", checks, {"host": name, "zfs": options.zfs, **row})
            checks.same("another disk of the machine is as it was", machine.bystander(), other)
        return checks


def live(checks, machine, options):
    """Install, reboot, and everything again."""
    began = time.monotonic()
    lay_out(checks, machine, "refusals" not in options.without)
    print(f"  note     laid out in {time.monotonic() - began:.0f} s", flush=True)
    compare(checks, machine, "laid out")
    status, said = markers(machine, True)
    checks.that("markers are written", status == 0, said)
    layout = machine.describe()
    status, said = machine.script("install", INSTALL + ("" if "refusals" not in options.without else f" --host-keys {HOST_KEYS}"))
    checks.that("install.sh runs to its end", status == 0, said)
    checks.same("install.sh leaves nothing imported, open or mounted",
                machine.sh(f"zpool list -H -o name; ls /dev/mapper | grep -v control || true; findmnt -rno TARGET {TARGET} || true"), "")
    # The key that is left must be the one within the installed system.
    machine.sh("rm -rf /etc/zfs/keys")
    machine.reboot()
    for pool in machine.host.automatic:
        status, said = machine.run(f"zpool import -N -d /dev/disk/by-id -o cachefile=none {pool} && zpool export {pool}")
        checks.that(f"after the reboot {pool} imports without force", status == 0, said)
    status, said = machine.open()
    checks.that("after the reboot mount.sh opens, imports and mounts", status == 0 and not FORCE.search(said), said)
    compare(checks, machine, "after the reboot")
    checks.same("after the reboot the layout is the same", machine.describe(), layout)
    status, said = markers(machine, False)
    checks.that("after the reboot the markers are there", status == 0, said)
    status, said = machine.run(f"ls {TARGET}/etc/ssh/ssh_host_ed25519_key && cat {TARGET}/nix/store/system/marker")
    checks.that("after the reboot host keys and system are there", status == 0, said)
    second_run(checks, machine, "a second run")
    if options.reset:
        machine.reset()
        status, said = machine.open()
        checks.that("after the reset button mount.sh opens, imports and mounts", status == 0 and not FORCE.search(said), said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zfs", choices=("2.1", "2.3"), default="2.1")
    parser.add_argument("--fleet", default=ROOT)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--kills", choices=("none", "sample", "lines", "all"), default="none")
    parser.add_argument("--killed", action="append", default=[], choices=SCRIPTS, help="kill only this script (repeatable)")
    parser.add_argument("--shard", default="1/1", help="of the kill points only each n-th, such as 1/2 (another machine takes 2/2)")
    parser.add_argument("--without", action="append", default=[], choices=("refusals", "layout"), help="leave a part out")
    parser.add_argument("--reset", action="store_true", help="press the reset button with everything mounted, too")
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("host", nargs="+")
    options = parser.parse_args()
    passed, failed = 0, 0
    for name in options.host:
        try:
            checks = examine(name, options)
        except Broken as error:
            failed += 1
            print(f"  BROKEN   {name}: {error}", flush=True)
            continue
        passed, failed = passed + checks.passed, failed + len(checks.failures)
        print(f"{name}, OpenZFS {options.zfs}: {checks.passed} passed, {len(checks.failures)} failed, {checks.seconds()} s", flush=True)
        if options.record and "layout" not in options.without:
            parts = ["layout", "reboot", "second run"] + ["reset"] * options.reset
            parts = ["refusals"] * ("refusals" not in options.without) + parts
            keep(f"layouts-{options.zfs}", name, checks, {"what": ", ".join(parts)})
    print(f"layouts: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
