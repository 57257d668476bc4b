#!/usr/bin/env python3
"""Runs a host's compiled install scripts for real: in a virtual machine with disks of the host's ids and sizes, with real ZFS.

  layouts.py [--zfs 2.1] [--fleet DIR] [--kills none|sample|all] [--report FILE] HOST...

For each host: what is refused before anything is laid out, the layout against the definition, the end of install.sh (with a
stand-in for nixos-install), a reboot, the import without force, a second run, and runs that are killed on the way.
"""
import argparse
import os
import sys
import tempfile

sys.dont_write_bytecode = True
from definition import Host, build, bytes_of, copy_fleet  # noqa: E402
from guest import HERE, Broken, Checks, Guest  # noqa: E402
from kills import sweep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
SCRIPTS = "/root/install"
# Another disk of the machine, which nothing may ever change.
BYSTANDER = "bystander"
STAND_IN = """#!/bin/sh
# Does of nixos-install what a layout sees of it: files below --root.
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/nix/store/system" "$2/etc" "$2/boot" && echo installed > "$2/nix/store/system/marker" && echo installed > "$2/boot/loader"
"""


class Machine(Guest):
    """A machine with the disks of a host."""

    def __init__(self, host, zfs):
        self.host, self.ids = host, [disk["id"] for disk in host.disks.values()]
        disks, self.rules, self.renamed, ata = [], [], [], 0
        for name, disk in host.disks.items():
            kind, _, rest = disk["id"].partition("-")
            model, _, serial = rest.rpartition("_")
            size = bytes_of(disk["size"]) // 512 * 512
            if kind == "ata" and model and ata < 4:
                ata += 1
                disks.append(f"{name}:{size},bus=ata,model={model.replace('_', ' ')},serial={serial}")
                continue
            # QEMU cannot give such a disk its model: udev in the guest gives it the name besides QEMU's own.
            bus = "nvme" if kind == "nvme" else "virtio"
            disks.append(f"{name}:{size},bus={bus},serial={serial[-20:]}")
            key = "ID_SERIAL_SHORT" if bus == "nvme" else "ID_SERIAL"
            match = f'SUBSYSTEM=="block", ENV{{{key}}}=="{serial[-20:]}"'
            self.rules += [f'{match}, ENV{{DEVTYPE}}=="disk", SYMLINK+="disk/by-id/{disk["id"]}"',
                           f'{match}, ENV{{DEVTYPE}}=="partition", SYMLINK+="disk/by-id/{disk["id"]}-part%n"']
            self.renamed.append(disk["id"])
        super().__init__(f"layout-{host.name}", zfs, [*disks, f"{BYSTANDER}:64M,bus=virtio"])

    def prepare(self, scripts):
        self.write("/etc/udev/rules.d/99-names.rules", "\n".join(self.rules) + "\n")
        self.put(scripts, SCRIPTS)
        self.sh(f"mkdir -p /root/bin && ln -sfn /root/bin/nixos-install /usr/local/bin/nixos-install && chmod 755 {SCRIPTS}/*.sh")
        self.write("/root/bin/nixos-install", STAND_IN, "0755")
        for name in ("describe.sh", "kill.bash"):
            with open(os.path.join(HERE, name), encoding="utf-8") as handle:
                self.write(f"/root/{name}", handle.read())
        self.sh(f"""udevadm control --reload; udevadm trigger --settle
            sgdisk --clear --new=1:2M:0 /dev/disk/by-id/virtio-{BYSTANDER} > /dev/null; udevadm settle
            mkfs.ext4 -q -L bystander /dev/disk/by-id/virtio-{BYSTANDER}-part1""")

    def script(self, name, words="", env=""):
        return self.run(f"cd /root && {env} {SCRIPTS}/{name}.sh {words}")

    def yes(self):
        return " ".join(f"--yes {disk}" for disk in self.ids)

    def describe(self):
        return self.sh(f"bash /root/describe.sh {' '.join(self.ids)}")

    def heads(self):
        """A digest of what a layout would change first: tables, and the labels at both ends of each partition."""
        return self.sh(f"""for id in {' '.join(self.ids)}; do for dev in /dev/disk/by-id/$id /dev/disk/by-id/$id-part*; do
            [ -b $dev ] || continue; size=$(blockdev --getsize64 $dev)
            echo "${{dev##*/}} $({{ dd if=$dev bs=64k count=16; dd if=$dev bs=64k skip=$((size / 65536 - 16)); }} 2> /dev/null | md5sum)"
            done; done""")

    def bystander(self):
        return self.sh(f"md5sum < /dev/disk/by-id/virtio-{BYSTANDER}")

    def release(self):
        """Everything unmounted and exported; disks as they are."""
        self.sh("""umount -R /mnt 2> /dev/null || true
            for pool in $(zpool list -H -o name); do zpool export -f $pool; done""")

    def wipe(self):
        """Disks as they came from the shop."""
        self.release()
        self.sh(f"""for id in {' '.join(self.ids)}; do
            for dev in /dev/disk/by-id/$id-part* /dev/disk/by-id/$id; do [ -b $dev ] || continue
              sectors=$(blockdev --getsz $dev); n=2048; [ $sectors -gt 8192 ] && n=4096
              dd if=/dev/zero of=$dev bs=512 count=$n conv=notrunc status=none
              dd if=/dev/zero of=$dev bs=512 seek=$((sectors - 2048)) count=2048 conv=notrunc status=none; done
            partx -d /dev/disk/by-id/$id 2> /dev/null || true; blockdev --rereadpt /dev/disk/by-id/$id; done; udevadm settle""")


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
    # What another system left shall stay after the test of one disk: each case begins with blank disks.
    refused(checks, machine, "a disk with a foreign file system", f"mkfs.ext4 -q -F -E nodiscard {link} 64M", "partition", yes,
            "holds something", f"wipefs -aq {link}")
    refused(checks, machine, "a mounted disk", f"mkfs.ext4 -q -F -E nodiscard {link} 64M; mkdir -p /media/x; mount -o ro {link} /media/x",
            "partition", yes, "is in use", f"umount /media/x; wipefs -aq {link}")
    refused(checks, machine, "a disk of an imported pool", f"zpool create -f other {link}", "partition", yes, disk,
            "zpool destroy other")
    machine.wipe()
    refused(checks, machine, "a disk under an array",
            f"mdadm --create /dev/md9 --run --level=1 --raid-devices=2 --metadata=1.2 --size=65536 {link} missing --force > /dev/null 2>&1",
            "partition", yes, "stands on it", f"mdadm --stop /dev/md9 2> /dev/null; mdadm --zero-superblock {link}")
    refused(checks, machine, "a disk of another size", f"mv {link} /root/link; ln -s $(readlink -f /dev/disk/by-id/virtio-{BYSTANDER}) {link}",
            "partition", yes, "the definition says", f"rm {link}; mv /root/link {link}")
    refused(checks, machine, "a disk that is not there", f"mv {link} /root/link", "partition", yes, "there is no such disk",
            f"mv /root/link {link}")
    refused(checks, machine, "nobody answers", "true", "partition", "", "")
    refused(checks, machine, "another id is typed", "true", "partition", "--yes ata-OTHER", "")
    status, said = machine.script("partition", "--dry-run")
    checks.that("a dry run says what it would do", status == 0 and "sgdisk" in said, said)
    checks.that("a dry run cuts nothing", machine.run(f"test -b {part}")[0] != 0)


def pool_refusals(checks, machine):
    """Between partition.sh and pools.sh: names and members that are taken."""
    for pool in machine.host.pools:
        member = machine.host.tree(pool)[0][2][0]
        make = f"truncate -s 128M /root/file; zpool create -O mountpoint=none {pool} /root/file"
        refused(checks, machine, "a pool of that name is imported", make, "pools", "", f"a pool called {pool} is imported",
                f"zpool destroy {pool}; rm /root/file")
        refused(checks, machine, "a member holds something", f"mkfs.ext4 -q -F -E nodiscard {member} 64M", "pools", "",
                "holds a ext4", f"wipefs -aq {member}")
        refused(checks, machine, "a member belongs to a pool of another name", f"zpool create -f -O mountpoint=none other {member}; zpool export other",
                "pools", "", "holds a zfs_member", f"zpool import -N -d {member} other; zpool destroy other; zpool labelclear -f {member} || true; wipefs -aq {member}")


def lay_out(checks, machine, with_refusals):
    for name, words in (("partition", machine.yes()), ("pools", ""), ("mount", "")):
        status, said = machine.script(name, words)
        if not checks.that(f"{name}.sh runs to its end", status == 0, said):
            raise Broken(f"{name}.sh failed")
        if name == "partition" and with_refusals:
            pool_refusals(checks, machine)


def compare(checks, machine, when):
    """The layout that is there against what the TOML says."""
    host = machine.host
    seen, wanted = {}, {}
    for device, (label, size, kind) in host.labels().items():
        said = machine.sh(f"blkid -p -s PART_ENTRY_NAME -s TYPE -s PART_ENTRY_SIZE -o export {device} || true")
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        seen[device] = [found.get("PART_ENTRY_NAME"), int(found.get("PART_ENTRY_SIZE", 0)) * 512 if size else None,
                        "zfs_member" if kind is None else found.get("TYPE", "")]
        wanted[device] = [label, size, "zfs_member" if kind is None else kind]
    checks.same(f"{when}: partitions, labels and file systems", seen, wanted)
    mounts = {path: tuple(machine.sh(f"findmnt -rno FSTYPE,SOURCE --mountpoint /mnt{path.rstrip('/')}").split())
              for path in host.mounts()}
    checks.same(f"{when}: mounts", mounts, {
        path: (kind, source if kind == "zfs" else machine.sh(f"readlink -f {source}").strip())
        for path, (kind, source) in host.mounts().items()})
    pools, datasets = host.properties()
    for pool in pools:
        checks.same(f"{when}: the vdevs of {pool}", tree(machine.sh(f"zpool status -P {pool}")), host.tree(pool))
        checks.same(f"{when}: {pool} is healthy", machine.sh(f"zpool list -H -o health {pool}").strip(), "ONLINE")
    for command, objects in (("zpool", pools), ("zfs", datasets)):
        seen = {name: {key: machine.sh(f"{command} get -Hp -o value {key} {name}").strip() for key in wanted}
                for name, wanted in objects.items()}
        checks.same(f"{when}: {command} properties", seen, objects)
    for pool in pools:
        set_ = machine.sh(f"zpool get -H -o value compatibility {pool}").strip()
        checks.that(f"{when}: {pool} is limited to OpenZFS {machine.zfs}", set_.startswith(f"openzfs-{machine.zfs}"), set_)
        reserved = machine.sh(f"zfs get -Hp -o value refreservation {pool}/reserved").strip()
        checks.that(f"{when}: {pool} keeps space back", reserved.isdigit() and int(reserved) > 0, reserved)


def tree(status):
    """The vdevs in `zpool status -P`, as Host.tree says them."""
    found, heading = [], None
    lines = status.split("config:", 1)[1].split("errors:")[0].splitlines()
    for line in lines:
        words, depth = line.split(), (len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip()) - 8) // 2
        if not words or words[0] == "NAME":
            continue
        if depth == 0:
            heading, found_group = words[0], None
        elif words[0].startswith("/"):
            if depth == 1:
                found_group = (heading, "", [])
                found.append(found_group)
            found_group[2].append(words[0])
        else:
            found_group = (heading, words[0].rsplit("-", 1)[0], [])
            found.append(found_group)
    return found


def markers(machine, write):
    text = []
    for path in machine.host.mounts():
        place = f"/mnt{path.rstrip('/')}/marker-of-this-mount"
        text.append(f"echo 'in {path}' > {place}" if write else f"grep -qxF 'in {path}' {place}")
    return machine.run(" && ".join(text))


def second_run(checks, machine, when):
    """With everything there: neither script may change a disk."""
    machine.release()
    heads = machine.heads()
    status, said = machine.script("partition", machine.yes())
    checks.that(f"{when}: partition.sh leaves the disks as they are", status == 0 and "left as it is" in said, said)
    status, said = machine.script("pools")
    checks.that(f"{when}: pools.sh refuses while the pools are on the disks", status != 0 and "is on the disks" in said, said)
    checks.same(f"{when}: tables and labels are as they were", machine.heads(), heads)
    status, said = machine.script("mount")
    checks.that(f"{when}: mount.sh mounts", status == 0, said)
    layout = machine.describe()
    status, said = machine.script("pools")
    checks.that(f"{when}: pools.sh completes its own pools", status == 0 and "was made by an earlier run" in said, said)
    checks.same(f"{when}: the layout is as it was", machine.describe(), layout)


def examine(name, options):
    with tempfile.TemporaryDirectory() as folder:
        fleet = os.path.join(folder, "fleet")
        copy_fleet(options.fleet, fleet, options.zfs)
        host = Host(fleet, name)
        scripts = build(options.hostwright, fleet, os.path.join(folder, "out"), name)
        checks = Checks(name)
        machine = Machine(host, options.zfs)
        print(f"== {name}: {len(host.disks)} disks, OpenZFS {options.zfs}", flush=True)
        for disk in machine.renamed:
            print(f"  note     {disk}: QEMU has no such model, udev gives the name", flush=True)
        with machine:
            machine.prepare(scripts)
            other = machine.bystander()
            counts = []
            if "refusals" not in options.without:
                refusals(checks, machine)
            if "layout" not in options.without:
                live(checks, machine, options)
            if options.kills != "none":
                counts = sweep(checks, machine, options.kills)
            checks.same("another disk of the machine is as it was", machine.bystander(), other)
        return {"host": name, "zfs": options.zfs, "checks": checks, "kills": counts, "times": machine.times}


def live(checks, machine, options):
    """Install, reboot, and everything again."""
    lay_out(checks, machine, "refusals" not in options.without)
    compare(checks, machine, "laid out")
    status, said = markers(machine, True)
    checks.that("markers are written", status == 0, said)
    layout = machine.describe()
    status, said = machine.script("install", "--system /nix/store/system")
    checks.that("install.sh runs to its end", status == 0, said)
    checks.same("install.sh leaves no pool imported", machine.sh("zpool list -H -o name"), "")
    machine.reboot()
    for pool in machine.host.pools:
        status, said = machine.run(f"zpool import -N -d /dev/disk/by-id -o cachefile=none {pool}")
        checks.that(f"after the reboot {pool} imports without force", status == 0, said)
    status, said = machine.script("mount")
    checks.that("after the reboot mount.sh mounts", status == 0, said)
    compare(checks, machine, "after the reboot")
    checks.same("after the reboot the layout is the same", machine.describe(), layout)
    status, said = markers(machine, False)
    checks.that("after the reboot the markers are there", status == 0, said)
    status, said = machine.run("ls /mnt/etc/ssh/ssh_host_ed25519_key && cat /mnt/nix/store/system/marker")
    checks.that("after the reboot host keys and system are there", status == 0, said)
    second_run(checks, machine, "a second run")
    if options.reset and machine.host.pools:
        machine.reset()
        status, said = machine.script("mount")
        checks.that("after the reset button mount.sh imports without force", status == 0, said)


def report(path, date, results):
    lines = ["| host | OpenZFS | checks passed | failed | seconds |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {one['host']} | {one['zfs']} | {one['checks'].passed} | {len(one['checks'].failures)} | {one['checks'].seconds()} |"
              for one in results]
    lines += ["", "| host | script | commands | kill points | of them in the midst | same layout after |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [f"| {one['host']} | {row['script']} | {row['commands']} | {row['points']} | {row['midst']} | {row['same']} |"
              for one in results for row in one["kills"]]
    failures = [f"- {one['host']}: {promise}" for one in results for promise in one["checks"].failures]
    text = "\n".join(lines + (["", "Failed:", "", *failures] if failures else [])) + "\n"
    if path:
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(f"# Install scripts run in virtual machines\n\n{date}: see tests/vm/layouts.py.\n\n{text}")
    print(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zfs", choices=("2.1", "2.3"), default="2.1")
    parser.add_argument("--fleet", default=ROOT)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--kills", choices=("none", "sample", "all"), default="none")
    parser.add_argument("--without", action="append", default=[], choices=("refusals", "layout"), help="leave a part out")
    parser.add_argument("--reset", action="store_true", help="press the reset button with the pools imported, too")
    parser.add_argument("--date", default="", help="the day that the report bears")
    parser.add_argument("--report", help="a file for the numbers, in Markdown")
    parser.add_argument("host", nargs="+")
    options = parser.parse_args()
    results, broken = [], 0
    for name in options.host:
        try:
            results.append(examine(name, options))
        except Broken as error:
            broken += 1
            print(f"  BROKEN   {name}: {error}", flush=True)
    report(options.report, options.date, results)
    failed = sum(len(one["checks"].failures) for one in results) + broken
    print(f"layouts: {sum(one['checks'].passed for one in results)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
