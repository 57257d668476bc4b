"""The layout that is on a machine's disks against what its TOML says (`definition.py`), piece by piece."""
import re

from definition import TARGET


def compare(checks, machine, when):
    host = machine.host
    partitions(checks, machine, when)
    if host.upper():
        uppers = {device: machine.run(f"blkid -p -s TYPE -o value {device}")[1].strip() for device in host.upper()}
        checks.same(f"{when}: what arrays and LUKS devices hold", uppers, host.upper())
    if host.arrays:
        checks.same(f"{when}: arrays", {name: array(machine, name) for name in host.arrays}, host.members())
    checks.same(f"{when}: mounts", mounts(machine), {
        path: [kind, source if kind == "zfs" else machine.sh(f"readlink -f {source}").strip(), subvolume]
        for path, (kind, source, subvolume) in host.mounts().items()})
    if host.swap_file():
        path, size = host.swap_file()
        status, said = machine.run(f"stat -c %s {TARGET}{path} && swapon {TARGET}{path} && swapoff {TARGET}{path}")
        checks.that(f"{when}: the kernel swaps to a file of {size} bytes", status == 0 and said.strip() == str(size), said)
    for pool in host.pools:
        zfs_pool(checks, machine, when, pool)
    if host.snapshots():
        seen = machine.sh("zfs list -H -o name -t snapshot").split()
        checks.same(f"{when}: the snapshots to roll back to", sorted(seen), host.snapshots())


def partitions(checks, machine, when):
    wanted = {device: list(one) for device, one in machine.host.labels().items()}
    said = machine.sh(f"""for device in {' '.join(wanted)}; do echo "DEVICE=$device"
        blkid -p -s PART_ENTRY_NAME -s TYPE -s PART_ENTRY_SIZE -o export $device || true; done""")
    seen = {}
    for block in said.split("DEVICE=")[1:]:
        device, *lines = block.splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        size = int(found.get("PART_ENTRY_SIZE", 0)) * 512 if wanted[device][1] else None
        seen[device] = [found.get("PART_ENTRY_NAME"), size, None if wanted[device][2] is None else found.get("TYPE", "")]
    checks.same(f"{when}: partitions, labels and file systems", seen, wanted)


def array(machine, name):
    said = machine.sh(f"mdadm --detail --export {machine.host.array_device(name)}")
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    # By the names that are stable: the kernel's own change from boot to boot.
    reals = [value for key, value in found.items() if key.startswith("MD_DEVICE_") and key.endswith("_DEV")]
    names = {machine.sh(f"readlink -f {one}").strip(): one for one in machine.host.members()[name][2]}
    return found.get("MD_LEVEL"), found.get("MD_METADATA"), sorted(names.get(real, real) for real in reals)


def mounts(machine):
    paths = list(machine.host.mounts())
    said = machine.sh("".join(f"findmnt -rno FSTYPE,SOURCE --mountpoint {(TARGET + path).rstrip('/')} || echo\n" for path in paths))
    found = {}
    for path, line in zip(paths, said.splitlines()):
        kind, _, source = line.partition(" ")
        source, _, subvolume = source.partition("[")
        real = source if kind == "zfs" or not source else machine.sh(f"readlink -f {source}").strip()
        found[path] = [kind, real, subvolume.rstrip("]")]
    return found


def shown(machine, key, value):
    """A property's value by the name that was set: from 2.3 on `xattr=sa` is printed as `on`, which means it there."""
    return "sa" if (key, value) == ("xattr", "on") and machine.zfs != "2.1" else value


def zfs_pool(checks, machine, when, pool):
    host = machine.host
    status = machine.sh(f"zpool status -P {pool}")
    for device, (label, _, _) in host.labels().items():
        # A pool shows the names that it was last found by.
        status = re.sub(rf"/dev/disk/by-partlabel/{re.escape(label)}\b", device, status)
    checks.same(f"{when}: the vdevs of {pool}", tree(status), host.tree(pool))
    checks.same(f"{when}: {pool} is healthy", machine.sh(f"zpool list -H -o health {pool}").strip(), "ONLINE")
    pools, datasets = host.properties()
    of_pool = values(machine.sh(f"zpool get -Hp -o name,property,value all {pool}"))[pool]
    of_datasets = values(machine.sh(f"zfs get -rHp -t filesystem,volume -o name,property,value all {pool}"))
    checks.same(f"{when}: the properties of {pool}", {key: of_pool.get(key) for key in pools[pool]}, pools[pool])
    wanted = {name: one for name, one in datasets.items() if name.split("/")[0] == pool}
    seen = {name: {key: shown(machine, key, of_datasets.get(name, {}).get(key)) for key in one} for name, one in wanted.items()}
    checks.same(f"{when}: the properties of the datasets in {pool}", seen, wanted)
    limit = of_pool["compatibility"]
    checks.that(f"{when}: {pool} is limited to OpenZFS {machine.zfs}", limit.startswith(f"openzfs-{machine.zfs}"), limit)
    reserved = of_datasets.get(f"{pool}/reserved", {}).get("refreservation", "")
    checks.that(f"{when}: {pool} keeps space back", reserved.isdigit() and int(reserved) > 0, reserved)


def values(text):
    """`zfs get -H -o name,property,value` as name -> property -> value."""
    found = {}
    for line in text.splitlines():
        name, key, value = line.split("\t")
        found.setdefault(name, {})[key] = value
    return found


def tree(status):
    """The vdevs in `zpool status -P`, as Host.tree says them."""
    found, heading, group = [], None, None
    lines = status.split("config:", 1)[1].split("errors:")[0].splitlines()
    for line in lines:
        words, depth = line.split(), (len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip()) - 8) // 2
        # A spare that is spread over a dRAID is part of that vdev's name already.
        if not words or words[0] == "NAME" or re.fullmatch(r"draid\d-\d+-\d+", words[0]):
            continue
        if depth == 0:
            heading, group = words[0], None
        elif words[0].startswith("/"):
            if depth == 1:
                group = (heading, "", [])
                found.append(group)
            group[2].append(words[0])
        else:
            group = (heading, words[0].rsplit("-", 1)[0], [])
            found.append(group)
    # A heading without a member of its own, as for those spares.
    return sorted(found)
