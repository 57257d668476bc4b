"""What a definition asks of a layout, read from its TOML alone: a second opinion beside the compiler's.

Knows partitions with GPT labels and file systems, ZFS pools and their datasets; a host with other storage is turned away.
"""
import os
import re
import shutil
import subprocess
import tomllib

# `zfs get` says another name than the one that is usually set.
SHOWN_AS = {"posixacl": "posix"}
UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
         "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
# The vdevs that a guest's `zpool status` shows under a heading of their own.
CLASSES = {"log": "logs", "special": "special", "dedup": "dedup"}


def bytes_of(size):
    number, unit = re.fullmatch(r"([0-9.]+) *([A-Za-z]*)", str(size)).groups()
    return int(float(number) * UNITS[unit])


def copy_fleet(source, target, zfs):
    """Copies a fleet with every channel's ZFS set to the guest's: a pool is made for the ZFS that is to import it."""
    shutil.copytree(source, target, ignore=lambda folder, names: [
        name for name in names if folder == source and name not in ("fleet.toml", "hosts", "modules")])
    path = os.path.join(target, "fleet.toml")
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(re.sub(r"(?m)^(\[channels\.[^]]+\])$", rf'\1\nzfs = "{zfs}"', text))


def build(hostwright, fleet, out, host):
    done = subprocess.run([hostwright, "build", "--fleet", fleet, "--out", out, "--today", "2026-11-21", host],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hostwright build {host}: {done.stdout}{done.stderr}")
    return os.path.join(out, "hosts", host, "install")


class Host:
    """A host as its host.toml says."""

    def __init__(self, fleet, name):
        with open(os.path.join(fleet, "hosts", name, "host.toml"), "rb") as handle:
            self.toml = tomllib.load(handle)
        self.name = name
        self.disks = self.toml["disks"]
        self.pools = self.toml.get("zfs", {}).get("pools", {})
        other = [key for key in ("mdraid", "filesystems", "persistence") if key in self.toml]
        parts = [part for disk in self.disks.values() for part in disk.get("partitions", [])]
        other += [key for key in ("luks", "subvolumes", "random-encryption") if any(key in part for part in parts)]
        if other:
            raise SystemExit(f"{name}: this driver does not know {', '.join(other)}")

    def partition(self, member):
        """The path below by-id and the label of a pool's member."""
        disk, _, name = member.partition(".")
        parts = self.disks[disk].get("partitions", [])
        number = next((at for at, part in enumerate(parts, 1) if part["name"] == name), 1)
        return f"/dev/disk/by-id/{self.disks[disk]['id']}-part{number}"

    def labels(self):
        """The partitions' device -> label, bytes (None: the rest) and file system."""
        found = {}
        for name, disk in self.disks.items():
            for number, part in enumerate(disk.get("partitions", [{"name": "zfs", "size": "rest", "role": "zfs"}]), 1):
                size = None if part["size"] == "rest" else bytes_of(part["size"])
                kind = {"esp": "vfat", "swap": "swap", "zfs": None, "bios-boot": ""}.get(part["role"], part.get("format"))
                found[f"/dev/disk/by-id/{disk['id']}-part{number}"] = (f"{self.name}-{name}-{part['name']}", size, kind)
        return found

    def mounts(self):
        """Mount point -> (file system, source)."""
        found = {}
        for disk in self.disks.values():
            for number, part in enumerate(disk.get("partitions", []), 1):
                if "mount" in part:
                    kind = "vfat" if part["role"] == "esp" else part["format"]
                    found[part["mount"]] = (kind, f"/dev/disk/by-id/{disk['id']}-part{number}")
        for pool, definition in self.pools.items():
            for name, dataset in definition.get("datasets", {}).items():
                if "mount" in dataset:
                    found[dataset["mount"]] = ("zfs", f"{pool}/{name}")
        return dict(sorted(found.items()))

    def tree(self, pool):
        """The pool's vdevs as `zpool status -P` names them: heading, kind, members."""
        definition, found = self.pools[pool], []
        for key, heading in (("vdevs", pool), *CLASSES.items()):
            for vdev in definition.get(key, []):
                members = [self.partition(member) for member in vdev["members"]]
                found.append((heading, "" if vdev["type"] == "stripe" else vdev["type"], members))
        return found

    def properties(self):
        """ZFS object -> property -> value as `zfs get -Hp` and `zpool get -Hp` say it."""
        pools, datasets = {}, {}
        for pool, definition in self.pools.items():
            pools[pool] = {"ashift": "12", **{key: str(value) for key, value in definition.get("properties", {}).items()}}
            root = {key: SHOWN_AS.get(value, str(value)) for key, value in definition.get("root-properties", {}).items()}
            datasets[pool] = {"mountpoint": "none", **root}
            for name, dataset in definition.get("datasets", {}).items():
                wanted = dict(root, mountpoint="legacy")
                for key in ("quota", "refquota", "reservation", "refreservation"):
                    if key in dataset:
                        wanted[key] = str(bytes_of(dataset[key]))
                wanted.update({key: SHOWN_AS.get(value, str(value)) for key, value in dataset.get("properties", {}).items()})
                datasets[f"{pool}/{name}"] = wanted
        return pools, datasets
