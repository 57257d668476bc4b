"""What a definition asks of a layout, read from its TOML alone: a second opinion beside the compiler's.

Knows partitions with GPT labels, arrays, LUKS, file systems with subvolumes, ZFS pools and their datasets; a host with other
storage is turned away.
"""
import os
import re
import shutil
import subprocess
import tomllib

# `zfs get` says another name than the one that is usually set.
SHOWN_AS = {"posixacl": "posix"}
TARGET = "/mnt"
UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
         "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
# The vdevs that a guest's `zpool status` shows under a heading of their own.
CLASSES = {"dedup": "dedup", "special": "special", "log": "logs"}
MEMBERS = {"cache": "cache", "spares": "spares"}
SIZES = ("quota", "refquota", "reservation", "refreservation")


def bytes_of(size):
    number, unit = re.fullmatch(r"([0-9.]+) *([A-Za-z]*)", str(size)).groups()
    return int(float(number) * UNITS[unit])


def shown(value):
    """A property's value as `zfs get -p` says it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    size = re.fullmatch(r"(\d+)([KMGT])", str(value))
    return str(bytes_of(f"{size[1]} {size[2]}iB")) if size else SHOWN_AS.get(value, str(value))


def below_target(path):
    """Where a dataset with a mount point of its own shows up while its pool is imported below the target."""
    return (TARGET + path).rstrip("/") if path.startswith("/") else path


# A kernel that a ZFS supports where a channel's own is too new for it: what `kernel-unsupported-by-zfs` would refuse.
KERNELS = {"2.1": "linuxPackages_6_6"}


def copy_fleet(source, target, zfs):
    """Copies a fleet with every channel's ZFS set to the guest's: a pool is made for the ZFS that is to import it."""
    shutil.copytree(source, target, ignore=lambda folder, names: [
        name for name in names if folder == source and name not in ("fleet.toml", "hosts", "modules")])
    path = os.path.join(target, "fleet.toml")
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    text = re.sub(r"(?m)^(\[channels\.[^]]+\])$", rf'\1\nzfs = "{zfs}"', text)
    if zfs in KERNELS:
        text = re.sub(r"(?m)^\[defaults\]$", f'[defaults]\nboot.kernel = {{ mkDefault = "{KERNELS[zfs]}" }}', text)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def build(hostwright, fleet, out, host):
    done = subprocess.run([hostwright, "build", "--fleet", fleet, "--out", out, "--today", "2026-11-21", host],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hostwright build {host}: {done.stdout}{done.stderr}")
    return os.path.join(out, "hosts", host, "install")


def unforced(value):
    """A value without the priorities that it says of itself."""
    if isinstance(value, dict):
        return unforced(value["mkForce"]) if list(value) == ["mkForce"] else {key: unforced(one) for key, one in value.items()}
    return [unforced(one) for one in value] if isinstance(value, list) else value


class Host:
    """A host as its host.toml says."""

    def __init__(self, fleet, name):
        with open(os.path.join(fleet, "hosts", name, "host.toml"), "rb") as handle:
            self.toml = unforced(tomllib.load(handle))
        self.name = name
        self.disks = self.toml["disks"]
        self.pools = self.toml.get("zfs", {}).get("pools", {})
        other = [key for key in ("filesystems", "persistence") if key in self.toml]
        if other:
            raise SystemExit(f"{name}: this driver does not know {', '.join(other)}")
        # Array -> its definition; the device has the name that udev gives it on every machine.
        self.arrays = self.toml.get("mdraid", {})
        # LUKS device -> what lies below it.
        self.luks = {upper["luks"]["name"]: device for device, upper in self.storage() if "luks" in upper}
        # The pools that a boot imports.
        self.automatic = [pool for pool, definition in self.pools.items() if definition.get("import") != "manual"]
        boots = (self.toml.get("machine", {}).get("firmware"), self.toml.get("boot", {}).get("loader"))
        self.needs_efi_variables = boots == ("uefi", "grub")
        # What is run before install.sh, in this order.
        self.scripts = ["partition", "pools", "mount"] if self.pools else ["partition", "mount"]
        self.secret = bool(self.luks) or any("encryption" in one for one in self.pools.values())

    def partitions(self):
        """Device, label and definition of each partition; a disk without any has one for what takes the whole of it."""
        members = {member for array in self.arrays.values() for member in array["members"]}
        for name, disk in self.disks.items():
            whole = "mdraid" if name in members else "zfs"
            for number, part in enumerate(disk.get("partitions", [{"name": whole, "size": "rest", "role": whole}]), 1):
                yield f"/dev/disk/by-id/{disk['id']}-part{number}", f"{self.name}-{name}-{part['name']}", part

    def array_device(self, array):
        return f"/dev/disk/by-id/md-name-{self.name}:{array}"

    def storage(self):
        """Device and definition of what may hold a file system or swap: partitions and arrays."""
        yield from ((device, part) for device, _, part in self.partitions() if part["role"] in ("esp", "filesystem", "swap"))
        yield from ((self.array_device(name), array) for name, array in self.arrays.items())

    def partition(self, member):
        """The path below by-id of a pool's or an array's member."""
        disk, _, name = member.partition(".")
        parts = self.disks[disk].get("partitions", [])
        number = next((at for at, part in enumerate(parts, 1) if part["name"] == name), 1)
        return f"/dev/disk/by-id/{self.disks[disk]['id']}-part{number}"

    def labels(self):
        """The partitions' device -> label, bytes (None: the rest) and content (None: not to be seen, as of spares and caches)."""
        found = {}
        bare = {self.partition(member) for pool in self.pools.values() for key in MEMBERS for member in pool.get(key, [])}
        for device, label, part in self.partitions():
            size = None if part["size"] == "rest" else bytes_of(part["size"])
            if "luks" in part:
                kind = "crypto_LUKS"
            elif part.get("random-encryption"):
                kind = ""
            else:
                kind = {"esp": "vfat", "swap": "swap", "zfs": "zfs_member", "bios-boot": "", "mdraid": "linux_raid_member"}.get(
                    part["role"], part.get("format"))
            if device in bare:
                kind = None
            found[device] = (label, size, kind)
        return found

    def upper(self):
        """What lies on partitions: device -> what it holds, for arrays and open LUKS devices."""
        found = {}
        for device, part in self.storage():
            kind = "swap" if part.get("role") == "swap" else part.get("format")
            if device.startswith("/dev/disk/by-id/md-name-"):
                found[device] = "crypto_LUKS" if "luks" in part else kind
            if "luks" in part:
                found[f"/dev/mapper/{part['luks']['name']}"] = kind
        return found

    def members(self):
        """Array -> level, metadata and members."""
        return {name: (f"raid{array['level']}", "1.0" if array.get("mount") == "/boot" else "1.2",
                       sorted(self.partition(member) for member in array["members"])) for name, array in self.arrays.items()}

    def mounts(self):
        """Mount point -> (file system, source, subvolume), for all that a boot mounts."""
        found = {}
        for device, part in self.storage():
            source = f"/dev/mapper/{part['luks']['name']}" if "luks" in part else device
            kind = "vfat" if part.get("role") == "esp" else part.get("format")
            if "mount" in part:
                found[part["mount"]] = (kind, source, "")
            for name, subvolume in part.get("subvolumes", {}).items():
                if "mount" in subvolume:
                    found[subvolume["mount"]] = (kind, source, f"/{name}")
        for pool in self.automatic:
            for name, dataset in self.pools[pool].get("datasets", {}).items():
                path = dataset.get("mount") or dataset.get("mountpoint", "none")
                if path.startswith("/"):
                    found[path] = ("zfs", f"{pool}/{name}", "")
        return dict(sorted(found.items()))

    def tree(self, pool):
        """The pool's vdevs as `zpool status -P` names them: heading, kind, members."""
        definition, found = self.pools[pool], []
        for key, heading in (("vdevs", pool), *CLASSES.items()):
            for vdev in definition.get(key, []):
                members = [self.partition(member) for member in vdev["members"]]
                kind = vdev["type"]
                if kind == "stripe":
                    found += [(heading, "", [member]) for member in members]
                    continue
                if kind.startswith("draid"):
                    kind += f":{vdev['data']}d:{len(members)}c:{vdev.get('spares', 0)}s"
                found.append((heading, kind, members))
        for key, heading in MEMBERS.items():
            for member in definition.get(key, []):
                found.append((heading, "", [self.partition(member)]))
        return sorted(found)

    def properties(self):
        """ZFS object -> property -> value as `zfs get -Hp` and `zpool get -Hp` say it."""
        pools, datasets = {}, {}
        for pool, definition in self.pools.items():
            pools[pool] = {"ashift": "12", **{key: shown(value) for key, value in definition.get("properties", {}).items()}}
            root = {key: shown(value) for key, value in definition.get("root-properties", {}).items()}
            datasets[pool] = {"mountpoint": "none", **root, **encryption_of(definition)}
            for name, dataset in definition.get("datasets", {}).items():
                if "volume" in dataset:
                    wanted = {"type": "volume", "volsize": str(bytes_of(dataset["volume"]))}
                else:
                    path = "legacy" if "mount" in dataset else dataset.get("mountpoint", "none")
                    wanted = dict(root, type="filesystem", mountpoint=below_target(path))
                    if "can-mount" in dataset or path.startswith("/"):
                        wanted["canmount"] = dataset.get("can-mount", "noauto")
                wanted.update({key: str(bytes_of(dataset[key])) for key in SIZES if key in dataset})
                wanted.update({key: shown(value) for key, value in dataset.get("properties", {}).items()})
                datasets[f"{pool}/{name}"] = {**wanted, **encryption_of(dataset)}
        return pools, datasets

    def swap_file(self):
        """Path and bytes of the swap file, or nothing."""
        file = self.toml.get("swap", {}).get("file")
        return (file["path"], bytes_of(file["size"])) if file else None

    def snapshots(self):
        """The snapshots that boots roll back to."""
        return sorted(f"{pool}/{name}@{dataset['rollback']}" for pool, definition in self.pools.items()
                      for name, dataset in definition.get("datasets", {}).items() if "rollback" in dataset)


def encryption_of(definition):
    """The properties of an encryption root; of what is not one, nothing."""
    if "encryption" not in definition:
        return {}
    return {"encryption": "aes-256-gcm", "keyformat": definition["encryption"]["key-format"],
            "keylocation": definition["encryption"]["key-location"]}
