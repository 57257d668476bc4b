#!/usr/bin/env python3
"""Throw-away virtual machines with a real ZFS, for tests that partition disks, make pools and reboot.

  machine.py build      --zfs 2.1|2.3                    make (once) the guest: kernel, initramfs, root image
  machine.py run NAME   --zfs V --disk ssd:8G [...]      start it with its disks, wait for ssh
  machine.py ssh NAME   -- CMD...                        run a command as root; its exit status is ours
  machine.py reboot NAME                                 reboot the guest; the qemu process stays
  machine.py reset NAME                                  the same without warning: the reset button
  machine.py swap-root NAME --zfs V                      same disks, the other root image
  machine.py start NAME / stop NAME                      power on and off; disks stay
  machine.py status [NAME]                               what runs
  machine.py destroy NAME                                power off and delete its disks

Every failure is one line on stderr and a non-zero exit status.
"""
import argparse
import contextlib
import fcntl
import hashlib
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

PROGRAM = "machine"

# A release of ZFS stands for a Debian suite that carries it in `contrib`.
GUESTS = {
    # Without debug information the modules compile faster. Linux 6.12 needs it: it makes BTF out of it.
    "2.1": {"suite": "bookworm", "KCFLAGS": "-g0"},  # zfs 2.1.11, Linux 6.1
    "2.3": {"suite": "trixie", "KCFLAGS": ""},       # zfs 2.3.x, Linux 6.12
}

HOST_PACKAGES = {  # program -> Debian package, installed by `build` where the program is missing
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "zstd": "zstd",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
BUILD_PACKAGES = [
    "linux-headers-cloud-amd64", "dkms", "gcc", "make", "libc6-dev", "file", "lsb-release", "python3", "openssl",
    "xz-utils", "kmod", "busybox-static",
]
# Runs in the build chroot when all of its packages are set up. zfs-dkms is unpacked, not installed: its own script
# would compile in the midst of the installation, and throw the log away when that fails.
MODULES_HOOK = r"""chroot "$1" sh -euc '
  cd /var/tmp
  kernel=$(ls /lib/modules | grep cloud)
  apt-get -q download zfs-dkms "linux-image-$kernel"
  dpkg-deb -x zfs-dkms_*.deb /
  version=$(ls -d /usr/src/zfs-*); version=${version##*/zfs-}
  dkms add "zfs/$version" || true
  dkms build "zfs/$version" -k "$kernel" || {
    tail -n 30 "/var/lib/dkms/zfs/$version/build/config.log" "/var/lib/dkms/zfs/$version/build/make.log" || true
    exit 1
  }
'"""
GUEST_PACKAGES = [
    "systemd", "systemd-sysv", "udev", "kmod", "openssh-server", "zfsutils-linux", "parted", "gdisk", "fdisk",
    "dosfstools", "e2fsprogs", "util-linux", "curl", "iproute2", "iputils-ping", "procps", "grub-pc-bin",
    "grub-efi-amd64-bin", "grub2-common", "efibootmgr", "systemd-boot", "nvme-cli", "cryptsetup-bin", "mdadm",
    "btrfs-progs", "xfsprogs", "attr",
]
# What the initramfs must load before it can mount the root image.
BOOT_MODULES = ["virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "crc32c-intel"]
# Driver families that no virtual disk or card here needs; the image is a third smaller without them.
PRUNED_MODULES = [
    "sound", "drivers/net/ethernet", "drivers/infiniband", "drivers/gpu", "drivers/media", "drivers/staging",
    "drivers/net/wireless", "drivers/net/can", "drivers/isdn", "drivers/hid", "drivers/iio", "net/bluetooth",
    "net/sctp", "net/tipc", "net/openvswitch", "net/netfilter/ipset", "fs/ocfs2", "fs/cifs", "fs/smb", "fs/nfs",
    "fs/nfsd", "fs/ceph", "fs/gfs2", "fs/jfs", "fs/reiserfs", "fs/f2fs", "fs/bcachefs",
]
HOST_ID = 0x2487CD1F  # both guests are "the same machine": pools do not look foreign after swap-root

NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9-]{0,30}$")
SERIAL_PATTERN = re.compile(r"^[A-Za-z0-9._-]{1,20}$")
SIZE_PATTERN = re.compile(r"^(\d+)([MGT]?)$")


def guests_folder():
    """Where built guests are kept, unless said otherwise."""
    return os.environ.get("HOSTWRIGHT_GUESTS") or os.path.expanduser("~/.cache/hostwright/guests")


class Failure(Exception):
    """Something that the user is told in one line."""


def say(text):
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


def run(argv, *, log=None, why=None, **kwargs):
    """Run a program to its end; its output goes to `log` and, if it fails, its last line into the error."""
    try:
        done = subprocess.run(argv, stdin=kwargs.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed") from None
    if log:
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(f"$ {shlex.join(argv)}\n{done.stdout}\n")
    if done.returncode:
        lines = [line for line in done.stdout.strip().splitlines() if line.strip()]
        detail = lines[-1] if lines else "no output"
        where = f" (log: {log})" if log else ""
        raise Failure(f"{why or argv[0]} failed with status {done.returncode}: {detail}{where}")
    return done.stdout


def write(path, text, mode=0o644):
    """Write a file whole or not at all."""
    data = text if isinstance(text, bytes) else text.encode()
    temporary = f"{path}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as handle:
        handle.write(data)
    os.chmod(temporary, mode)
    os.replace(temporary, path)


@contextlib.contextmanager
def lock(path, *, wait):
    """Hold an exclusive lock; two runs of this program never touch the same guest or VM at once."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Failure(f"another {PROGRAM} command holds {path}") from None
        yield


# --- build ------------------------------------------------------------------------------------------------------------


def apt_sources(suite):
    """The Debian mirror that apt is set up with here, as lines for the guest's suite."""
    mirror = os.environ.get("HOSTWRIGHT_DEBIAN_MIRROR")
    if not mirror:
        listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)|$(LABEL)|$(COMPONENT)",
                      "Created-By: Packages"])
        found = [line.split("|")[0] for line in listed.splitlines() if line.endswith("|Debian|main")]
        if not found:
            raise Failure("apt has no Debian mirror set up (or `apt-get update` has not run): set HOSTWRIGHT_DEBIAN_MIRROR")
        mirror = found[0]
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    signed = f"[signed-by={keyring}] " if os.path.exists(keyring) else ""
    return [f"deb {signed}{mirror} {name} main contrib" for name in (suite, f"{suite}-updates")], mirror


def install_host_packages(log):
    missing = sorted({package for program, package in HOST_PACKAGES.items() if not shutil.which(program)})
    if not missing:
        return
    if os.geteuid() != 0:
        raise Failure(f"install these packages first: {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends", "install", *missing]
    with contextlib.suppress(Failure):  # another apt may hold the lists; what they say now may do
        run(["apt-get", "update"], log=log, why="apt-get update", env=environment)
    try:
        run(install, log=log, why="apt-get install", env=environment)
    except Failure as first:
        # A machine that already has a part of qemu from backports needs the rest from there too.
        release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line)
        suite = release.get("VERSION_CODENAME", "").strip('"')
        _, mirror = apt_sources(suite)
        private = os.path.join(os.path.dirname(log), "apt")
        os.makedirs(f"{private}/lists/partial", exist_ok=True)
        os.makedirs(f"{private}/parts", exist_ok=True)
        write(f"{private}/parts/backports.list", "".join(
            f"deb {mirror} {name} main\n" for name in (suite, f"{suite}-updates", f"{suite}-backports")))
        options = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={private}/parts",
                   "-o", f"Dir::State::Lists={private}/lists"]
        try:
            run(["apt-get", *options, "update"], log=log, env=environment)
            run([install[0], *options, "-t", f"{suite}-backports", *install[1:]], log=log, env=environment)
        except Failure:
            raise first from None
    finally:
        shutil.rmtree(os.path.join(os.path.dirname(log), "apt"), ignore_errors=True)


def make_keys(cache):
    """One login key and one host key for all guests: the same machine keeps its host key over swap-root."""
    keys = os.path.join(cache, "keys")
    os.makedirs(keys, mode=0o700, exist_ok=True)
    for name in ("login", "host"):
        if not os.path.exists(f"{keys}/{name}.pub"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{keys}/{name}")
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{PROGRAM}-{name}", "-f", f"{keys}/{name}"])
    return keys


def guest_path(cache, version):
    return os.path.join(cache, f"guest-{version}")


def modules_recipe(version):
    """What the compiled modules follow from: another value, and they are compiled again."""
    return digest(GUESTS[version], BUILD_PACKAGES, MODULES_HOOK)


def guest_recipe(version):
    """What a guest follows from, the functions that make it included: another value, and it is built again."""
    makers = (bootstrap, build_root, configure_guest, build_initramfs, module_order, make_image)
    return digest(modules_recipe(version), GUEST_PACKAGES, BOOT_MODULES, PRUNED_MODULES, HOST_ID, INIT,
                  [inspect.getsource(maker) for maker in makers])


def digest(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def guest_ready(cache, version):
    try:
        with open(os.path.join(guest_path(cache, version), "guest.json"), encoding="utf-8") as handle:
            guest = json.load(handle)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return guest if guest.get("recipe") == guest_recipe(version) else None


INIT = r"""#!/bin/busybox sh
# Mounts the root image and hands over to it. When that is impossible this program ends, and the kernel panics:
# with panic=N on the command line the machine then reboots by itself.
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
root=/dev/vda init=/sbin/init
for word in $(/bin/busybox cat /proc/cmdline); do
  case "$word" in
    root=*) root="${word#root=}" ;;
    init=*) init="${word#init=}" ;;
    guest.fail=initramfs) echo "initramfs: told to fail in the initramfs"; exit 1 ;;
  esac
done
for module in $(/bin/busybox cat /boot-modules); do /bin/busybox insmod "$module"; done
tries=0
while [ ! -b "$root" ]; do
  tries=$((tries + 1))
  [ "$tries" -gt 100 ] && { echo "initramfs: no root device $root"; exit 1; }
  /bin/busybox usleep 50000
done
/bin/busybox mount -o rw -t ext4 "$root" /root || { echo "initramfs: cannot mount $root"; exit 1; }
/bin/busybox umount /proc /sys
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root "$init"
"""


def module_order(base, names):
    """The files to load for these modules, dependencies first."""
    paths, needs = {}, {}
    with open(f"{base}/modules.dep", encoding="utf-8") as handle:
        for line in handle:
            path, _, rest = line.partition(":")
            paths[re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")] = path
            needs[path] = rest.split()
    order = []

    def add(path):
        for need in reversed(needs[path]):
            if need not in order:
                add(need)
        if path not in order:
            order.append(path)

    for name in names:
        path = paths.get(name.replace("-", "_"))
        if path:
            add(path)
    return order


def build_initramfs(root, kernel, busybox, output, work, log):
    tree = os.path.join(work, "initramfs-tree")
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(f"{tree}/bin")
    os.makedirs(f"{tree}/modules")
    shutil.copy2(busybox, f"{tree}/bin/busybox")
    base = f"{root}/lib/modules/{kernel}"
    loaded = []
    for path in module_order(base, BOOT_MODULES):
        name = re.sub(r"\.ko(\.\w+)?$", ".ko", os.path.basename(path))
        target = f"{tree}/modules/{name}"
        if path.endswith(".xz"):
            with open(target, "wb") as handle:
                subprocess.run(["xz", "-dc", f"{base}/{path}"], stdout=handle, check=True)
        else:
            shutil.copy2(f"{base}/{path}", target)
        loaded.append(f"/modules/{name}")
    write(f"{tree}/boot-modules", "".join(f"{path}\n" for path in loaded))
    write(f"{tree}/init", INIT, 0o755)
    run(["sh", "-c", f"cd {shlex.quote(tree)} && find . -print0 | cpio --null -o -H newc --quiet --owner=0:0 | "
         f"gzip -9 > {shlex.quote(output)}"], log=log, why="initramfs")


def configure_guest(root, keys):
    """Everything in the root image that is not a package."""
    def put(path, text, mode=0o644):
        target = f"{root}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write(target, text, mode)

    def unit_link(path, target):
        link = f"{root}/etc/systemd/system/{path}"
        os.makedirs(os.path.dirname(link), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(target, link)

    put("etc/hostname", f"{PROGRAM}\n")
    put("etc/hosts", f"127.0.0.1 localhost {PROGRAM}\n::1 localhost {PROGRAM}\n")
    put("etc/fstab", "/dev/vda / ext4 rw,noatime 0 0\n")
    put("etc/hostid", struct.pack("<I", HOST_ID))
    put("etc/machine-id", "")  # systemd takes the machine's uuid, which is the VM's own
    put("etc/resolv.conf", "")
    put("etc/systemd/network/10-uplink.network",
        "[Match]\nName=en* eth*\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n")
    put("etc/modules-load.d/zfs.conf", "zfs\n")
    # A quarter of a small machine's memory is enough for test pools.
    put("etc/modprobe.d/zfs.conf", "options zfs zfs_arc_max=268435456\n")
    put("etc/ssh/sshd_config.d/guest.conf",
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\nUsePAM no\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n")
    for name in os.listdir(f"{root}/etc/ssh"):
        if name.startswith("ssh_host_"):
            os.unlink(f"{root}/etc/ssh/{name}")
    with open(f"{keys}/host", encoding="utf-8") as handle:
        put("etc/ssh/ssh_host_ed25519_key", handle.read(), 0o600)
    with open(f"{keys}/host.pub", encoding="utf-8") as handle:
        put("etc/ssh/ssh_host_ed25519_key.pub", handle.read())
    os.makedirs(f"{root}/root/.ssh", mode=0o700, exist_ok=True)
    with open(f"{keys}/login.pub", encoding="utf-8") as handle:
        put("root/.ssh/authorized_keys", handle.read(), 0o600)
    os.makedirs(f"{root}/var/log/journal", exist_ok=True)
    put("etc/systemd/system.conf.d/guest.conf", "[Manager]\nDefaultTimeoutStopSec=10s\nDefaultTimeoutStartSec=30s\n")
    unit_link("multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/systemd-networkd.service")
    unit_link("multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service")
    unit_link("default.target", "/lib/systemd/system/multi-user.target")
    for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
                 "e2scrub_reap.service", "fstrim.timer", "systemd-networkd-wait-online.service",
                 "systemd-timesyncd.service", "getty.target", "getty@tty1.service", "getty-static.service",
                 "serial-getty@ttyS0.service", "nvmefc-boot-connections.service", "nvmf-autoconnect.service",
                 "systemd-binfmt.service", "uuidd.socket"):
        unit_link(name, "/dev/null")


def make_image(root, image, log):
    """A root image without partitions, made from a folder without mounting anything."""
    used = int(run(["du", "-s", "--block-size=1M", "--apparent-size", root]).split()[0])
    megabytes = used * 5 // 4 + 512  # room to work in; the file is sparse
    with contextlib.suppress(FileNotFoundError):
        os.unlink(image)
    run(["mke2fs", "-q", "-t", "ext4", "-L", "guest-root", "-O", "^has_journal", "-m", "0", "-E",
         "lazy_itable_init=0", "-d", root, image, f"{megabytes}M"], log=log, why="mke2fs")
    return used


def bootstrap(target, packages, hooks, version, log, why):
    """A Debian root folder. In namespaces of its own, so that nothing stays mounted or running when interrupted."""
    suite = GUESTS[version]["suite"]
    sources, _ = apt_sources(suite)
    words = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc",
             "mmdebstrap", "--mode=root", "--variant=minbase", "--aptopt=Acquire::Languages \"none\"",
             f"--include={','.join(packages)}"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale", "info")]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", KCFLAGS=GUESTS[version]["KCFLAGS"])
    run([*words, *(f"--customize-hook={hook}" for hook in hooks), suite, target, *sources], log=log, why=why,
        env=environment)


def build_modules(cache, version, log):
    """The slow half, kept apart: a kernel with the ZFS modules for it, compiled by dkms in a chroot."""
    done = os.path.join(cache, f"modules-{version}")
    recipe = modules_recipe(version)
    with contextlib.suppress(FileNotFoundError):
        with open(os.path.join(done, "recipe"), encoding="utf-8") as handle:
            if handle.read().strip() == recipe:
                return done
    maker, fresh = f"{done}.maker", f"{done}.new"
    try:
        for path in (maker, fresh, done):
            shutil.rmtree(path, ignore_errors=True)
        bootstrap(maker, BUILD_PACKAGES, [MODULES_HOOK], version, log, "building the ZFS modules")
        kernels = [name for name in os.listdir(f"{maker}/lib/modules") if "cloud" in name]
        if len(kernels) != 1:
            raise Failure(f"expected one kernel in the build chroot, found {kernels}")
        kernel = kernels[0]
        source = next(name for name in os.listdir(f"{maker}/usr/src") if name.startswith("zfs-"))[4:]
        built = f"{maker}/var/lib/dkms/zfs/{source}/{kernel}/x86_64/module"
        os.makedirs(f"{fresh}/updates")
        for name in os.listdir(built):
            shutil.copy2(f"{built}/{name}", f"{fresh}/updates/{name}")
        if not any(name.startswith("zfs.ko") for name in os.listdir(f"{fresh}/updates")):
            raise Failure("dkms made no zfs.ko")
        package = next(name for name in os.listdir(f"{maker}/var/tmp") if name.startswith("linux-image-"))
        shutil.copy2(f"{maker}/var/tmp/{package}", f"{fresh}/linux-image.deb")
        shutil.copy2(f"{maker}/bin/busybox", f"{fresh}/busybox")
        write(f"{fresh}/kernel", kernel)
        write(f"{fresh}/recipe", f"{recipe}\n")
        os.replace(fresh, done)
    finally:
        shutil.rmtree(maker, ignore_errors=True)
    return done


def build_root(root, version, modules, keys, log):
    """The guest's root folder: Debian without compiler, the kernel's modules, ours on top."""
    with open(f"{modules}/kernel", encoding="utf-8") as handle:
        kernel = handle.read()
    bootstrap(root, GUEST_PACKAGES, ["rm -rf \"$1\"/usr/share/grub/*.pf2"], version, log, "installing the guest")
    unpacked = f"{root}/kernel-package"
    run(["dpkg-deb", "-x", f"{modules}/linux-image.deb", unpacked], log=log)
    base = f"{root}/lib/modules/{kernel}"
    os.makedirs(os.path.dirname(base), exist_ok=True)
    shutil.rmtree(base, ignore_errors=True)
    shutil.move(next(path for path in (f"{unpacked}/usr/lib/modules/{kernel}", f"{unpacked}/lib/modules/{kernel}")
                     if os.path.isdir(path)), base)
    shutil.move(f"{unpacked}/boot/vmlinuz-{kernel}", f"{root}/boot/vmlinuz")
    shutil.rmtree(unpacked)
    for name in PRUNED_MODULES:
        shutil.rmtree(f"{base}/kernel/{name}", ignore_errors=True)
    shutil.copytree(f"{modules}/updates", f"{base}/updates")
    run(["chroot", root, "depmod", kernel], log=log)
    configure_guest(root, keys)
    for name in ("etc", "var"):  # nothing was updated since: the first boot need not rebuild caches
        write(f"{root}/{name}/.updated", "")
    return kernel


def build(options):
    cache, version = options.cache, options.zfs
    os.makedirs(cache, exist_ok=True)
    with lock(os.path.join(cache, f"build-{version}.lock"), wait=True):
        guest = guest_ready(cache, version)
        if guest and not options.force:
            return guest
        if os.geteuid() != 0:
            raise Failure("building a guest needs root (it runs a chroot)")
        started = time.monotonic()
        steps = {}
        target = guest_path(cache, version)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        root = os.path.join(target, "root")
        log = os.path.join(cache, f"build-{version}.log")
        write(log, "")

        def step(name, since):
            steps[name] = round(time.monotonic() - since, 1)
            say(f"{name}: {steps[name]} s")
            return time.monotonic()

        try:
            since = time.monotonic()
            with lock(os.path.join(cache, "packages.lock"), wait=True):
                install_host_packages(log)
                keys = make_keys(cache)
            since = step("host packages", since)
            modules = build_modules(cache, version, log)
            since = step("kernel modules", since)
            kernel = build_root(root, version, modules, keys, log)
            since = step("guest root", since)
            build_initramfs(root, kernel, f"{modules}/busybox", f"{target}/initramfs", target, log)
            shutil.copy2(f"{root}/boot/vmlinuz", f"{target}/vmlinuz")
            shutil.copy2(f"{target}/initramfs", f"{root}/boot/initramfs")
            used = make_image(root, f"{target}/root.img", log)
            step("images", since)
            zfs = run(["chroot", root, "dpkg-query", "-W", "-f", "${Version}", "zfsutils-linux"]).strip()
        finally:
            for name in ("root", "initramfs-tree"):
                shutil.rmtree(os.path.join(target, name), ignore_errors=True)
        guest = {
            "recipe": guest_recipe(version), "zfs": version, "suite": GUESTS[version]["suite"], "kernel": kernel,
            "zfs_package": zfs, "root_used_mib": used, "seconds": round(time.monotonic() - started, 1), "steps": steps,
            "size_mib": {name: round(os.stat(f"{target}/{name}").st_blocks / 2048, 1)
                         for name in ("vmlinuz", "initramfs", "root.img")},
        }
        write(os.path.join(target, "guest.json"), json.dumps(guest, indent=1) + "\n")
        return guest


# --- accelerator ------------------------------------------------------------------------------------------------------


def accelerator(cache, version, wanted):
    """kvm only where a guest kernel really runs under it: /dev/kvm alone proves nothing inside another VM."""
    if wanted in ("kvm", "tcg"):
        return wanted
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as handle:
        boot = handle.read().strip()
    known = os.path.join(cache, "accelerator.json")
    with lock(os.path.join(cache, "accelerator.lock"), wait=True):
        try:
            with open(known, encoding="utf-8") as handle:
                seen = json.load(handle)
            if seen["boot_id"] == boot:
                return seen["accelerator"]
        except (FileNotFoundError, ValueError, KeyError):
            pass
        guest = guest_path(cache, version)
        try:
            done = subprocess.run(
                ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-machine", "pc", "-accel",
                 "kvm", "-cpu", "max", "-m", "512", "-display", "none", "-serial", "stdio", "-kernel",
                 f"{guest}/vmlinuz", "-initrd", f"{guest}/initramfs", "-append",
                 "console=ttyS0 panic=-1 guest.fail=initramfs"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=15, check=False)
            works = b"initramfs: told to fail in the initramfs" in done.stdout
        except subprocess.TimeoutExpired:
            works = False
        result = "kvm" if works else "tcg"
        write(known, json.dumps({"boot_id": boot, "accelerator": result}) + "\n")
        return result


# --- virtual machines -------------------------------------------------------------------------------------------------


def vm_path(state, name):
    if not NAME_PATTERN.match(name):
        raise Failure(f"bad name {name!r}: lower-case letters, digits and dashes, 31 at most")
    return os.path.join(state, name)


def load(state, name):
    try:
        with open(os.path.join(vm_path(state, name), "vm.json"), encoding="utf-8") as handle:
            return json.load(handle)
    except FileNotFoundError:
        raise Failure(f"no machine called {name} in {state}") from None


def save(state, vm):
    write(os.path.join(vm_path(state, vm["name"]), "vm.json"), json.dumps(vm, indent=1) + "\n")


def process_start(pid):
    """When a process started, in ticks: with the pid it names one process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
            fields = handle.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def running(vm):
    process = vm.get("process")
    return bool(process) and process_start(process["pid"]) == process["start"]


def wait_gone(vm, seconds):
    deadline = time.monotonic() + seconds
    while running(vm):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill(vm):
    """End the one process that this machine is."""
    for signal_number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if not running(vm):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(vm["process"]["pid"], signal_number)
        if wait_gone(vm, patience):
            return
    raise Failure(f"process {vm['process']['pid']} of {vm['name']} does not end")


def qmp(state, vm, command):
    """Say one thing to qemu's control socket."""
    folder = os.open(vm_path(state, vm["name"]), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(f"/proc/self/fd/{folder}/qmp.sock")  # the real path may be too long for a socket
            stream = link.makefile("rw", encoding="utf-8")
            stream.readline()
            for name in ("qmp_capabilities", command):
                stream.write(json.dumps({"execute": name}) + "\n")
                stream.flush()
                while True:
                    answer = stream.readline()
                    if not answer:
                        raise Failure(f"qemu of {vm['name']} closed its control socket")
                    answer = json.loads(answer)
                    if "error" in answer:
                        raise Failure(f"qemu refused {command}: {answer['error'].get('desc')}")
                    if "return" in answer:
                        break
            return answer["return"]
    except OSError as error:
        raise Failure(f"no answer from the control socket of {vm['name']}: {error}") from None
    finally:
        os.close(folder)


def parse_disk(text, serials):
    """NAME:SIZE[,bus=scsi|nvme|ata|virtio][,serial=S][,model=M][,wwn=HEX][,sector=512|512e|4096][,ssd=0|1]"""
    head, *rest = text.split(",")
    name, _, size = head.partition(":")
    match = SIZE_PATTERN.match(size)
    if not NAME_PATTERN.match(name) or not match:
        raise Failure(f"bad disk {text!r}: want NAME:SIZE, such as hdd0:4G")
    disk = {"name": name, "size": int(match[1]) * {"": 1, "M": 2**20, "G": 2**30, "T": 2**40}[match[2]],
            "bus": "scsi", "serial": serials.get(name, name), "sector": "512", "ssd": name.startswith(("ssd", "nvme"))}
    for word in rest:
        key, _, value = word.partition("=")
        if key == "ssd" and value in ("0", "1"):
            disk["ssd"] = value == "1"
        elif key in ("bus", "serial", "model", "wwn", "sector"):
            disk[key] = value
        else:
            raise Failure(f"bad word {word!r} in disk {name}")
    if disk["bus"] not in ("scsi", "nvme", "ata", "virtio"):
        raise Failure(f"bad bus {disk['bus']!r} of disk {name}: scsi, nvme, ata or virtio")
    if disk["sector"] not in ("512", "512e", "4096"):
        raise Failure(f"bad sector {disk['sector']!r} of disk {name}: 512, 512e or 4096")
    if not SERIAL_PATTERN.match(disk["serial"]):
        raise Failure(f"bad serial {disk['serial']!r} of disk {name}: at most 20 letters, digits, dots and dashes")
    if not re.match(r"^[A-Za-z0-9 ._-]{0,40}$", disk.get("model", "")):
        raise Failure(f"bad model of disk {name}: at most 40 letters, digits, spaces, dots and dashes")
    if disk["bus"] == "ata" and disk["sector"] == "4096":
        raise Failure(f"disk {name}: an ata disk has sectors of 512 or 512e")
    return disk


def disk_arguments(disks, boot_disk):
    """qemu's arguments for the data disks."""
    arguments = ["-device", "virtio-scsi-pci,id=scsi"] if any(disk["bus"] == "scsi" for disk in disks) else []
    ata = 0
    for disk in disks:
        arguments += ["-drive", f"if=none,id=d-{disk['name']},file=disks/{disk['name']}.img,format=raw,"
                      "cache=unsafe,discard=unmap,detect-zeroes=unmap"]
        logical, physical = {"512": (512, 512), "512e": (512, 4096), "4096": (4096, 4096)}[disk["sector"]]
        common = f"drive=d-{disk['name']},serial={disk['serial']},logical_block_size={logical}," \
                 f"physical_block_size={physical}"
        if disk["name"] == boot_disk:
            common += ",bootindex=1"
        rotation = 1 if disk["ssd"] else 7200
        model = disk.get("model")
        wwn = f",wwn={disk['wwn']}" if disk.get("wwn") else ""
        if disk["bus"] == "scsi":
            named = f",product={model[:16]}" if model else ""
            arguments += ["-device", f"scsi-hd,bus=scsi.0,{common},rotation_rate={rotation}{named}{wwn}"]
        elif disk["bus"] == "nvme":
            arguments += ["-device", f"nvme,{common}"]
        elif disk["bus"] == "virtio":
            arguments += ["-device", f"virtio-blk-pci,{common}"]
        else:
            if ata == 4:
                raise Failure("at most 4 ata disks")
            named = f",model={model}" if model else ""
            arguments += ["-device", f"ide-hd,bus=ide.{ata // 2},unit={ata % 2},{common},"
                          f"rotation_rate={rotation}{named}{wwn}"]
            ata += 1
    return arguments


def firmware_arguments(folder):
    """OVMF with variables of the machine's own, so that boot entries and counters survive."""
    for code, variables in (("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd")):
        if os.path.exists(f"/usr/share/OVMF/{code}"):
            own = os.path.join(folder, "uefi-variables.fd")
            if not os.path.exists(own):
                shutil.copyfile(f"/usr/share/OVMF/{variables}", own)
            return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/{code}",
                    "-drive", "if=pflash,format=raw,unit=1,file=uefi-variables.fd"]
    raise Failure("UEFI needs the package ovmf")


def qemu_arguments(options, vm, folder):
    guest = guest_path(vm["cache"], vm["zfs"])
    kvm = vm["accelerator"] == "kvm"
    arguments = [
        "qemu-system-x86_64", "-name", vm["name"], "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "pc", "-accel", "kvm" if kvm else "tcg,thread=multi,tb-size=512", "-cpu", "host" if kvm else "max",
        "-smp", str(vm["cpus"]), "-m", str(vm["memory"]), "-uuid", vm["uuid"], "-rtc", "base=utc",
        "-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console",
        "-chardev", "socket,id=qmp,path=qmp.sock,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
        "-pidfile", "qemu.pid", "-device", "virtio-rng-pci",
        "-drive", f"if=none,id=root,file=root-{vm['zfs']}.qcow2,format=qcow2,cache=unsafe,discard=unmap",
        "-device", "virtio-blk-pci,drive=root,serial=guest-root",
    ]
    forwards = [(vm["ssh_port"], 22), *vm["forwards"]]
    arguments += ["-netdev", "user,id=net,restrict=on," + ",".join(
        f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in forwards)]
    arguments += ["-device", f"virtio-net-pci,netdev=net,romfile=,mac={vm['mac']}"]
    disks = [disk for disk in vm["disks"] if disk["name"] not in (options.without or [])]
    kind, _, disk = vm["boot"].partition(":")
    arguments += disk_arguments(disks, disk)
    if kind == "uefi":
        arguments += firmware_arguments(folder)
    if kind == "kernel":
        arguments += ["-kernel", f"{guest}/vmlinuz", "-initrd", f"{guest}/initramfs", "-append", " ".join(
            ["root=/dev/vda rw console=ttyS0 loglevel=4 audit=0 mitigations=off no_timer_check", *vm["append"]])]
    return arguments


def check_port(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failure(f"port 127.0.0.1:{port}: {error.strerror}") from None
        return probe.getsockname()[1]


def console_tail(state, vm):
    """The last words on the machine's console, for an error message."""
    try:
        with open(os.path.join(vm_path(state, vm["name"]), "console.log"), "rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - 4000))
            lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", b"", handle.read()).decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return "nothing"
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1][:200] if lines else "nothing"


def ssh_arguments(state, vm, command):
    return ["ssh", "-F", os.path.join(vm_path(state, vm["name"]), "ssh_config"), "-T", vm["name"], command]


def ssh_output(state, vm, command, timeout=20):
    """What a command prints in the guest, or None when the guest cannot be asked."""
    try:
        done = subprocess.run(ssh_arguments(state, vm, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def boot_id(state, vm):
    answer = ssh_output(state, vm, "cat /proc/sys/kernel/random/boot_id")
    return answer.strip() if answer else None


def banner(port):
    """Whether an ssh server speaks; qemu accepts connections long before there is one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.settimeout(2)
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_ssh(state, vm, timeout, not_boot=None):
    """Wait for ssh of a boot other than `not_boot`; the new boot id and the seconds without an answer."""
    started = time.monotonic()
    silent_since = None
    while True:
        now = time.monotonic()
        if not running(vm):
            words = last_line(os.path.join(vm_path(state, vm["name"]), "qemu.log")) or console_tail(state, vm)
            raise Failure(f"qemu of {vm['name']} ended while it booted; its last words: {words}")
        # A kernel that reboots after a panic never says the first of these; the second is systemd's last word.
        if any(word in console_tail(state, vm) for word in ("end Kernel panic", "Freezing execution")):
            raise Failure(f"{vm['name']} crashed while it booted; console: {console_tail(state, vm)}")
        if now - started > timeout:
            raise Failure(f"{vm['name']} did not answer on ssh within {timeout} s; console: {console_tail(state, vm)}")
        if banner(vm["ssh_port"]):
            seen = boot_id(state, vm)
            if seen and seen != not_boot:
                return seen, time.monotonic() - (silent_since or started)
        elif silent_since is None:
            silent_since = now
        time.sleep(0.1)


def last_line(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            lines = [line.strip() for line in handle if line.strip()]
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""


def power_on(options, vm):
    """Start qemu and wait for ssh. On any failure no process is left."""
    state, folder = options.state, vm_path(options.state, vm["name"])
    guest = guest_ready(vm["cache"], vm["zfs"])
    if not guest:
        raise Failure(f"no guest for zfs {vm['zfs']} in {vm['cache']}: run `{PROGRAM} build --zfs {vm['zfs']}`")
    image = os.path.join(guest_path(vm["cache"], vm["zfs"]), "root.img")
    overlay = os.path.join(folder, f"root-{vm['zfs']}.qcow2")
    stamp = f"{guest['zfs_package']}@{os.stat(image).st_mtime_ns}"
    if os.path.exists(overlay) and vm["roots"].get(vm["zfs"]) != stamp:
        raise Failure(f"the guest for zfs {vm['zfs']} was built again since {vm['name']} was made: destroy it first")
    if not os.path.exists(overlay):
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", os.path.abspath(image), overlay],
            why="qemu-img")
        vm["roots"][vm["zfs"]] = stamp
    vm["accelerator"] = accelerator(vm["cache"], vm["zfs"], options.accel)
    for port in [vm["ssh_port"], *(here for here, _ in vm["forwards"])]:
        check_port(port)
    for name in ("qmp.sock", "qemu.pid"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, name))
    arguments = qemu_arguments(options, vm, folder)
    started = time.monotonic()
    wrapper, pid = None, None
    try:
        with open(os.path.join(folder, "qemu.log"), "w", encoding="utf-8") as log:
            # `timeout` ends a machine that everybody has forgotten.
            wrapper = subprocess.Popen(["timeout", "--kill-after=10", str(options.max_life), *arguments], cwd=folder,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        while pid is None:
            if wrapper.poll() is not None:
                raise Failure(f"qemu did not start: {last_line(os.path.join(folder, 'qemu.log'))}")
            if time.monotonic() - started > 30:
                raise Failure("qemu did not start within 30 s")
            with contextlib.suppress(FileNotFoundError, ValueError):
                with open(os.path.join(folder, "qemu.pid"), encoding="utf-8") as handle:
                    pid = int(handle.read())
            time.sleep(0.02)
        vm["process"] = {"pid": pid, "start": process_start(pid)}
        save(state, vm)
        vm["boot_id"], _ = wait_ssh(state, vm, options.timeout)
    except BaseException:
        if wrapper and wrapper.poll() is None:
            wrapper.terminate()
            try:
                wrapper.wait(12)
            except subprocess.TimeoutExpired:
                wrapper.kill()
        if vm.get("process"):
            kill(vm)
        vm["process"] = None
        save(state, vm)
        raise
    vm["boot_seconds"] = round(time.monotonic() - started, 1)
    save(state, vm)


def power_off(options, vm):
    """Ask the guest to power off; pull the plug when it does not."""
    if not running(vm):
        vm["process"] = None
        save(options.state, vm)
        return "was off"
    how = "pulled the plug"
    if not getattr(options, "hard", False) and banner(vm["ssh_port"]):
        ssh_output(options.state, vm, "systemctl poweroff --no-block || poweroff -f")
        if wait_gone(vm, options.timeout):
            how = "powered off"
    kill(vm)
    vm["process"] = None
    save(options.state, vm)
    return how


def report(options, vm, text, **more):
    if options.json:
        print(json.dumps({"name": vm["name"], "zfs": vm["zfs"], "accelerator": vm.get("accelerator"),
                          "ssh_port": vm["ssh_port"], "pid": (vm.get("process") or {}).get("pid"), **more}))
    else:
        print(f"{vm['name']}: {text}")


# --- commands ---------------------------------------------------------------------------------------------------------


def command_build(options):
    guest = build(options)
    if options.json:
        print(json.dumps(guest))
    else:
        sizes = ", ".join(f"{name} {size} MiB" for name, size in guest["size_mib"].items())
        print(f"zfs {guest['zfs_package']}, Linux {guest['kernel']}: {sizes}; built in {guest['seconds']} s")


def command_run(options):
    folder = vm_path(options.state, options.name)
    serials = {}
    for pair in (options.serials or "").split(","):
        if pair:
            name, equals, serial = pair.partition("=")
            if not equals:
                raise Failure(f"bad --serials {pair!r}: want NAME=SERIAL,...")
            serials[name] = serial
    disks = [parse_disk(text, serials) for text in options.disk]
    names = [disk["name"] for disk in disks]
    if len(set(names)) != len(names):
        raise Failure("two disks have the same name")
    unknown = sorted(set(serials) - set(names))
    if unknown:
        raise Failure(f"--serials names a disk that is not there: {unknown[0]}")
    check_boot(options.boot, names)
    forwards = []
    for text in options.forward:
        match = re.match(r"^(\d+):(\d+)$", text)
        if not match:
            raise Failure(f"bad --forward {text!r}: want HERE:GUEST, such as 8080:80")
        forwards.append([int(match[1]), int(match[2])])
    os.makedirs(options.state, exist_ok=True)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if os.path.exists(os.path.join(folder, "vm.json")):
            raise Failure(f"{options.name} exists: start it, or destroy it first")
        build(options)
        port = check_port(options.ssh_port)
        shutil.rmtree(folder, ignore_errors=True)  # what a killed command may have left
        os.makedirs(os.path.join(folder, "disks"))
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{PROGRAM}:{options.name}")
        vm = {
            "name": options.name, "zfs": options.zfs, "cache": os.path.abspath(options.cache), "uuid": str(identity),
            "mac": "52:54:00:" + ":".join(f"{byte:02x}" for byte in identity.bytes[:3]), "disks": disks,
            "ssh_port": port, "forwards": forwards, "memory": options.memory,
            "cpus": options.cpus, "boot": options.boot, "append": options.append, "roots": {}, "process": None,
        }
        try:
            for disk in disks:
                with open(os.path.join(folder, "disks", f"{disk['name']}.img"), "wb") as handle:
                    handle.truncate(disk["size"])
            write_ssh_files(options.state, vm)
            save(options.state, vm)
            power_on(options, vm)
        except BaseException:
            if not options.keep:
                with contextlib.suppress(OSError):
                    shutil.copyfile(os.path.join(folder, "console.log"),
                                    os.path.join(options.state, f"{options.name}.failed-console.log"))
                shutil.rmtree(folder, ignore_errors=True)
            raise
        report(options, vm, f"booted in {vm['boot_seconds']} s (zfs {vm['zfs']}, {vm['accelerator']}, "
               f"ssh 127.0.0.1:{vm['ssh_port']})", boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def write_ssh_files(state, vm):
    folder, keys = vm_path(state, vm["name"]), os.path.join(vm["cache"], "keys")
    with open(f"{keys}/host.pub", encoding="utf-8") as handle:
        kind, key = handle.read().split()[:2]
    write(f"{folder}/known_hosts", f"{PROGRAM} {kind} {key}\n")
    write(f"{folder}/ssh_config", f"""Host {vm['name']}
  HostName 127.0.0.1
  Port {vm['ssh_port']}
  User root
  IdentityFile "{keys}/login"
  IdentitiesOnly yes
  HostKeyAlias {PROGRAM}
  UserKnownHostsFile "{os.path.abspath(folder)}/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 6
  LogLevel ERROR
""")


def check_boot(boot, disks):
    kind, _, disk = boot.partition(":")
    if boot != "kernel" and (kind not in ("disk", "uefi") or disk not in disks):
        raise Failure(f"bad --boot {boot!r}: kernel, disk:NAME or uefi:NAME with one of the disks {', '.join(disks)}")


def command_start(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if running(vm):
            raise Failure(f"{vm['name']} runs already")
        names = [disk["name"] for disk in vm["disks"]]
        if options.boot:
            check_boot(options.boot, names)
            vm["boot"] = options.boot
        for name in options.without:
            if name not in names:
                raise Failure(f"--without {name}: no such disk")
        if options.append is not None:
            vm["append"] = options.append
        power_on(options, vm)
        report(options, vm, f"booted in {vm['boot_seconds']} s (zfs {vm['zfs']}, {vm['accelerator']})",
               boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def command_swap_root(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        build(options)
        started = time.monotonic()
        power_off(options, vm)
        off = round(time.monotonic() - started, 1)
        vm["zfs"] = options.zfs
        power_on(options, vm)
        report(options, vm, f"off in {off} s, booted with zfs {vm['zfs']} in {vm['boot_seconds']} s",
               off_seconds=off, boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def restart(options, act, word):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if not running(vm):
            raise Failure(f"{vm['name']} is off")
        before = boot_id(options.state, vm)
        if before is None and word == "rebooted":
            raise Failure(f"{vm['name']} does not answer on ssh")
        pid = vm["process"]["pid"]
        started = time.monotonic()
        act(vm)
        after, down = wait_ssh(options.state, vm, options.timeout, not_boot=before)
        seconds = round(time.monotonic() - started, 1)
        if vm["process"]["pid"] != pid:
            raise Failure("qemu was replaced")
        vm["boot_id"] = after
        save(options.state, vm)
        report(options, vm, f"{word} in {seconds} s, {down:.1f} s of them without ssh", seconds=seconds,
               down_seconds=round(down, 1), boot_id_before=before, boot_id=after)


def command_reboot(options):
    restart(options, lambda vm: ssh_output(options.state, vm, "systemctl reboot --no-block"), "rebooted")


def command_reset(options):
    restart(options, lambda vm: qmp(options.state, vm, "system_reset"), "reset")


def command_wait(options):
    """For reboots that somebody else began: the program under test."""
    vm = load(options.state, options.name)
    if not running(vm):
        raise Failure(f"{vm['name']} is off")
    started = time.monotonic()
    after, _ = wait_ssh(options.state, vm, options.timeout, not_boot=options.not_boot)
    report(options, vm, f"up after {time.monotonic() - started:.1f} s, boot id {after}", boot_id=after)


def command_stop(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        report(options, vm, power_off(options, vm))


def command_destroy(options):
    folder = vm_path(options.state, options.name)
    if not os.path.isdir(folder):
        raise Failure(f"no machine called {options.name} in {options.state}")
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if os.path.exists(os.path.join(folder, "vm.json")):
            kill(load(options.state, options.name))
        shutil.rmtree(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(options.state, f".{options.name}.lock"))
    print(json.dumps({"name": options.name}) if options.json else f"{options.name}: destroyed")


def command_status(options):
    names = [options.name] if options.name else sorted(
        name for name in (os.listdir(options.state) if os.path.isdir(options.state) else [])
        if os.path.exists(os.path.join(options.state, name, "vm.json")))
    rows = []
    for name in names:
        vm = load(options.state, name)
        up = running(vm)
        rows.append({"name": name, "running": up, "pid": vm["process"]["pid"] if up else None, "zfs": vm["zfs"],
                     "accelerator": vm.get("accelerator"), "ssh_port": vm["ssh_port"], "boot": vm["boot"],
                     "ssh_config": os.path.join(os.path.abspath(vm_path(options.state, name)), "ssh_config"),
                     "disks": [{"name": disk["name"], "bus": disk["bus"], "serial": disk["serial"],
                                "bytes": disk["size"],
                                "used_bytes": os.stat(os.path.join(vm_path(options.state, name), "disks",
                                                                   f"{disk['name']}.img")).st_blocks * 512}
                               for disk in vm["disks"]]})
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        process = f"pid {row['pid']}, ssh 127.0.0.1:{row['ssh_port']}" if row["running"] else "off"
        print(f"{row['name']}: {process}, zfs {row['zfs']}, {row['accelerator']}, "
              f"disks {' '.join(disk['name'] for disk in row['disks']) or 'none'}")


def command_ssh(options):
    vm = load(options.state, options.name)
    if not running(vm):
        raise Failure(f"{vm['name']} is off")
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not words:
        raise Failure("ssh: no command; write: ssh NAME -- CMD")
    # One word is shell text; several words are one command with its arguments.
    command = words[0] if len(words) == 1 else shlex.join(words)
    os.execvp("ssh", ssh_arguments(options.state, vm, command))


def parser():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            print(f"{PROGRAM}: {message}", file=sys.stderr)
            sys.exit(2)

    top = Parser(prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="one JSON value instead of a line of text")
    cached = argparse.ArgumentParser(add_help=False)
    cached.add_argument("--cache", default=guests_folder(),
                        help="where built guests are kept ($HOSTWRIGHT_GUESTS, else ~/.cache/hostwright/guests)")
    stated = argparse.ArgumentParser(add_help=False)
    stated.add_argument("--state", default=os.environ.get("HOSTWRIGHT_MACHINES"), help="where machines are kept ($HOSTWRIGHT_MACHINES)")
    waits = argparse.ArgumentParser(add_help=False)
    waits.add_argument("--timeout", type=float, default=240, help="seconds to wait for the guest (240)")
    powers = argparse.ArgumentParser(add_help=False)
    powers.add_argument("--accel", choices=["auto", "kvm", "tcg"], default=os.environ.get("HOSTWRIGHT_ACCEL", "auto"),
                        help="auto: kvm where a guest really boots under it, else tcg")
    powers.add_argument("--max-life", type=int, default=7200, help="seconds after which qemu ends by itself (7200)")
    powers.add_argument("--without", action="append", default=[], metavar="DISK", help="leave a disk unplugged")

    def add(name, function, parents, named=True, **kwargs):
        sub = commands.add_parser(name, parents=[shared, *parents], **kwargs)
        if named:
            sub.add_argument("name")
        sub.set_defaults(function=function)
        return sub

    sub = add("build", command_build, [cached], named=False, help="make a guest, once")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--force", action="store_true", help="make it again")
    sub = add("run", command_run, [cached, stated, waits, powers], help="make and start a machine")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--disk", action="append", default=[], help=parse_disk.__doc__)
    sub.add_argument("--serials", help="NAME=SERIAL,...")
    sub.add_argument("--ssh-port", type=int, default=0, help="on 127.0.0.1; 0: any free one")
    sub.add_argument("--forward", action="append", default=[], metavar="HERE:GUEST", help="another TCP port")
    sub.add_argument("--memory", type=int, default=1536, help="MiB (1536)")
    sub.add_argument("--cpus", type=int, default=1, help="2 makes the 2.3 guest panic under QEMU 7.2 (README)")
    sub.add_argument("--boot", default="kernel", help="kernel (default), disk:NAME or uefi:NAME")
    sub.add_argument("--append", action="append", default=[], help="words for the kernel command line")
    sub.add_argument("--keep", action="store_true", help="keep the disks when the first boot fails")
    sub.set_defaults(force=False)
    sub = add("start", command_start, [stated, waits, powers], help="power on")
    sub.add_argument("--boot", help="from now on boot: kernel, disk:NAME or uefi:NAME")
    sub.add_argument("--append", action="append", help="replaces the words given to run")
    sub = add("swap-root", command_swap_root, [stated, waits, powers], help="same disks, other root image")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--hard", action="store_true", help="pull the plug instead of powering off")
    sub.set_defaults(force=False)
    add("reboot", command_reboot, [stated, waits], help="reboot the guest")
    add("reset", command_reset, [stated, waits], help="press the reset button")
    sub = add("wait", command_wait, [stated, waits], help="wait for ssh")
    sub.add_argument("--not-boot", metavar="BOOT_ID", help="wait for a boot other than this one")
    sub = add("stop", command_stop, [stated, waits], help="power off")
    sub.add_argument("--hard", action="store_true", help="pull the plug")
    add("destroy", command_destroy, [stated], help="power off and delete")
    sub = add("status", command_status, [stated], named=False, help="what runs")
    sub.add_argument("name", nargs="?")
    sub = add("ssh", command_ssh, [stated], help="run a command as root")
    sub.add_argument("command", nargs=argparse.REMAINDER)
    return top


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    options = parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if hasattr(options, "state"):
            if not options.state:
                raise Failure("say where machines are kept: --state DIR or $HOSTWRIGHT_MACHINES")
            options.state = os.path.abspath(options.state)
        if options.verb == "swap-root":
            options.cache = load(options.state, options.name)["cache"]
        if hasattr(options, "cache"):
            options.cache = os.path.abspath(options.cache)
        options.function(options)
    except Failure as failure:
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"{PROGRAM}: interrupted{f' by {stop}' if str(stop) else ''}", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
