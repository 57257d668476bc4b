"""Guests as images: kernel, initramfs and root, made once from Debian's packages and kept under a digest of their recipe.

What runs them is in `qemu.py`.
"""
import contextlib
import hashlib
import inspect
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import time

from common import PROGRAM, Failure, lock, run, say, write

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
    "btrfs-progs", "xfsprogs", "attr", "dbus",
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


def guests_folder():
    """Where built guests are kept, unless said otherwise."""
    return os.environ.get("HOSTWRIGHT_GUESTS") or os.path.expanduser("~/.cache/hostwright/guests")


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
