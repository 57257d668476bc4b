"""A virtual machine with the disks of a host: its install scripts run there, and what is on the disks is looked at.

What a layout is, and what it must be, is not known here (`compare.py`, `layouts.py`).
"""
import os

from definition import TARGET, bytes_of
from guest import HERE, Guest

SCRIPTS = "/root/install"
# Keys that the host is to have: a slow processor takes half a minute to make them.
HOST_KEYS = "/root/host-keys"
INSTALL = "--system /nix/store/system"
# Another disk of the machine, which nothing may ever change.
BYSTANDER = "bystander"
# What is typed where a script asks for a passphrase; a new one is asked for twice.
PASSPHRASE = "correct horse battery"
STAND_IN = """#!/bin/sh
# Does of nixos-install what a layout sees of it: files below --root, and a loader's menu wherever one may be wanted.
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/nix/store/system" "$2/etc" && echo installed > "$2/nix/store/system/marker" || exit 1
for place in "$2"/boot "$2"/boot-* "$2"/boot/efi* "$2"/efi*; do
  if [ -d "$place" ]; then
    mkdir -p "$place/grub" "$place/loader" && echo menu > "$place/grub/grub.cfg" && echo menu > "$place/loader/loader.conf" || exit 1
  fi
done
"""


class Machine(Guest):
    """A machine with the disks of a host."""

    def __init__(self, host, zfs, name):
        self.host, self.ids = host, [disk["id"] for disk in host.disks.values()]
        disks, self.rules, self.renamed, ata = [], [], [], 0
        for disk_name, disk in host.disks.items():
            kind, _, rest = disk["id"].partition("-")
            model, _, serial = rest.rpartition("_")
            size = bytes_of(disk["size"]) // 512 * 512
            if kind == "ata" and model and ata < 4:
                ata += 1
                disks.append(f"{disk_name}:{size},bus=ata,model={model.replace('_', ' ')},serial={serial}")
                continue
            # QEMU cannot give such a disk its model: udev in the guest gives it the name besides QEMU's own.
            bus = "nvme" if kind == "nvme" else "virtio"
            disks.append(f"{disk_name}:{size},bus={bus},serial={disk_name}")
            key = "ID_SERIAL_SHORT" if bus == "nvme" else "ID_SERIAL"
            match = f'SUBSYSTEM=="block", ENV{{{key}}}=="{disk_name}"'
            self.rules += [f'{match}, ENV{{DEVTYPE}}=="disk", SYMLINK+="disk/by-id/{disk["id"]}"',
                           f'{match}, ENV{{DEVTYPE}}=="partition", SYMLINK+="disk/by-id/{disk["id"]}-part%n"']
            self.renamed.append(disk["id"])
        super().__init__(name, zfs, [*disks, f"{BYSTANDER}:64M,bus=virtio"])

    def prepare(self, scripts):
        self.write("/etc/udev/rules.d/99-names.rules", "\n".join(self.rules) + "\n")
        self.put(scripts, SCRIPTS)
        self.sh(f"mkdir -p /root/bin && ln -sfn /root/bin/nixos-install /usr/local/bin/nixos-install && chmod 755 {SCRIPTS}/*.sh")
        self.write("/root/bin/nixos-install", STAND_IN, "0755")
        self.sh(f"mkdir -p {HOST_KEYS}; [ -e {HOST_KEYS}/ssh_host_ed25519_key ] || "
                f"ssh-keygen -q -t ed25519 -N '' -f {HOST_KEYS}/ssh_host_ed25519_key")
        for name in ("describe.sh", "kill.bash"):
            with open(os.path.join(HERE, name), encoding="utf-8") as handle:
                self.write(f"/root/{name}", handle.read())
        if self.host.needs_efi_variables:
            # A guest that was started without firmware: install.sh refuses rightly, and only its loader would use them.
            self.sh("mount -t tmpfs none /sys/firmware && mkdir -p /sys/firmware/efi/efivars; ln -sfn /bin/true /usr/local/bin/efibootmgr")
        # The first copy of terabytes within an array would take the only processor for itself.
        self.sh(f"""modprobe raid1; echo 'dev.raid.speed_limit_max = 1000' > /etc/sysctl.d/arrays.conf; sysctl -qp /etc/sysctl.d/arrays.conf
            echo raid1 > /etc/modules-load.d/arrays.conf
            udevadm control --reload; udevadm trigger --settle
            sgdisk --clear --new=1:2M:0 /dev/disk/by-id/virtio-{BYSTANDER} > /dev/null; udevadm settle
            mkfs.ext4 -q -L bystander /dev/disk/by-id/virtio-{BYSTANDER}-part1""")

    def script(self, name, words="", env=""):
        given = f"{PASSPHRASE}\n{PASSPHRASE}\n" if self.host.secret and name != "install" else None
        return self.run(f"cd /root && {env} {SCRIPTS}/{name}.sh {words}", given)

    def yes(self):
        return " ".join(f"--yes {disk}" for disk in self.ids)

    def describe(self):
        return self.sh(f"bash /root/describe.sh {' '.join(self.ids)}")

    def open(self):
        """What a rescue system does to see everything: mount.sh, and by hand the pools that no boot imports."""
        status, said = self.script("mount")
        for pool, definition in self.host.pools.items():
            if pool not in self.host.automatic:
                folder = definition.get("dev-nodes", "/dev/disk/by-id")
                self.sh(f"zpool list {pool} > /dev/null 2>&1 || zpool import -N -o cachefile=none -R {TARGET} -d {folder} {pool}")
        return status, said

    def heads(self):
        """A digest of what a layout would change first: tables, and both ends of each partition, array and open LUKS device.

        A member of an array is left out: its superblock changes whenever the array is assembled.
        """
        members = " ".join(f"{device} " for _, _, devices in self.host.members().values() for device in devices)
        upper = " ".join(self.host.upper())
        return self.sh(f"""members=' {members}'
            for dev in {' '.join(f'/dev/disk/by-id/{one} /dev/disk/by-id/{one}-part*' for one in self.ids)} {upper}; do
            [ -b $dev ] || continue; case "$members" in *" $dev "*) continue;; esac; size=$(blockdev --getsize64 $dev)
            echo "${{dev##*/}} $({{ dd if=$dev bs=64k count=16; dd if=$dev bs=64k skip=$((size / 65536 - 16)); }} 2> /dev/null | md5sum)"
            done""")

    def bystander(self):
        return self.sh(f"md5sum < /dev/disk/by-id/virtio-{BYSTANDER}")

    def unmount(self):
        self.sh(f"umount -R {TARGET} 2> /dev/null || true")

    def release(self):
        """Everything unmounted, exported, closed and stopped; disks as they are."""
        self.unmount()
        close = "".join(f"[ ! -e /dev/mapper/{name} ] || cryptsetup close {name}\n" for name in self.host.luks)
        stop = "".join(f"[ ! -b {device} ] || mdadm --stop --quiet {device}\n" for device in map(self.host.array_device, self.host.arrays))
        self.sh(f"for pool in $(zpool list -H -o name); do zpool export -f $pool; done\n{close}{stop}udevadm settle")

    def wipe(self, ids=None):
        """Disks as they came from the shop: these, or all."""
        self.release()
        ids = " ".join(self.ids if ids is None else ids)
        self.sh(f"""for id in {ids}; do
            partx -d /dev/disk/by-id/$id 2> /dev/null || true; blkdiscard -f /dev/disk/by-id/$id; done
            udevadm settle; for id in {ids}; do blockdev --rereadpt /dev/disk/by-id/$id; done; udevadm settle""")

    def empty(self, devices):
        """These partitions without anything on them."""
        self.sh(f"for dev in {' '.join(devices)}; do blkdiscard -f $dev; done; udevadm settle")
