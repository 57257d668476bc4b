"""Systems as the deployer builds and copies them: store paths on this side, made of what `hostwright build` wrote.

Run as a program this is the deployer's `nix`, as far as a plan calls it: `build` makes the closure of a host from out/, `copy` sends
what the other side lacks over the ssh that it is told. Kernel, modules and ZFS are those of a guest (`take`); the rest is standin/.
"""
import glob
import io
import json
import lzma
import os
import shlex
import stat
import subprocess
import sys
import tarfile
import urllib.parse

sys.dont_write_bytecode = True
from definition import Host  # noqa: E402
from generations import PACKAGES, Compiled, archive, describe, hashed, standin  # noqa: E402
from guest import Broken, Guest  # noqa: E402
from images import guest_path, guests_folder  # noqa: E402

SETTINGS = "HOSTWRIGHT_CLOSURES"
# What NixOS mounts in stage 1 wherever it is defined (pathsNeededForBoot in nixos/lib/utils.nix).
NEEDED_FOR_BOOT = ("/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr")


def take(guest, folder):
    """Keeps what closures hold of a running guest: its stage 1 with ZFS, zpool and zfs with their libraries, names of programs."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(guests_folder(), f"modules-{guest.zfs}", "busybox"), "rb") as handle:
        guest.sh("cat > /root/busybox; chmod 755 /root/busybox", handle.read())
    guest.write("/root/initrd", standin("initrd"), "0755")
    guest.sh("""/root/initrd zfs /root/busybox /root/stage-1
        mkdir -p /root/commands/lib; cd /root/commands
        for name in zpool zfs; do
          cp "$(readlink -f "$(command -v $name)")" ./$name
          for lib in $(ldd ./$name | grep -o '/[^ ]*'); do cp -L $lib lib/; done
        done""")
    files = {"stage-1": "cat /root/stage-1", "commands.tar": "tar -C /root/commands -c .", "programs": "ls -d /usr/sbin/* /usr/bin/*",
             "unit-programs": f"dpkg -L {PACKAGES} | grep -E '^(/usr)?/s?bin/'", "zfs-version": "zfs version | sed -n 1p"}
    for name, command in files.items():
        with open(os.path.join(folder, name), "wb") as handle:
            subprocess.run([*guest._ssh(), command], stdin=subprocess.DEVNULL, stdout=handle, check=True)


def take_from(zfs, folder):
    """The same of a guest of another ZFS, which runs for that long."""
    with Guest(f"closure-{zfs.replace('.', '-')}", zfs) as guest:
        take(guest, folder)


class Store:
    """The deployer's store; remembers the paths of one closure."""

    def __init__(self):
        self.paths = set()

    def put(self, path, content, mode=0o644):
        self._make(path)
        with open(path, "wb") as handle:
            handle.write(content.encode() if isinstance(content, str) else content)
        os.chmod(path, mode)

    def link(self, path, target):
        self._make(path)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)

    def _make(self, path):
        self.paths.add("/".join(path.split("/")[:4]))
        os.makedirs(os.path.dirname(path), exist_ok=True)


def read(*path, mode="r"):
    with open(os.path.join(*path), mode) as handle:
        return handle.read()


def make(settings, out, name):
    """Makes the closure of a host; the same inputs give the same path."""
    fleet, zfs = settings["fleet"], settings["zfs"]
    kept = os.path.join(settings["folder"], f"zfs-{zfs}")
    compiled, host, store = Compiled(fleet, out, name), Host(fleet, name), Store()
    inputs = sorted(os.path.join(folder, file) for folder, _, files in os.walk(os.path.join(out, "hosts", name)) for file in files
                    if file.endswith(".nix"))
    # What this closure has besides: units that NixOS would have made of a definition, programs of this machine.
    units, programs = settings.get("units", {}), settings.get("programs", {})
    version = hashed("".join(read(path) for path in inputs) + zfs + json.dumps([units, programs]))[11:19]
    system = hashed(f"nixos-system-{name}-26.05.{version}")
    kernel, initrd, commands = (hashed(part) for part in (f"linux-{zfs}", f"initrd-{name}-{version}", read(kept, "zfs-version").strip().replace("zfs-", "zfs-user-")))
    # What says which features this ZFS knows; the guest has no program that unpacks it.
    for module in glob.glob(os.path.join(guests_folder(), f"modules-{zfs}", "updates", "z*.ko*")):
        content, name = read(module, mode="rb"), os.path.basename(module).removesuffix(".xz")
        store.put(f"{kernel}-modules/lib/modules/{zfs}/extra/{name}", lzma.decompress(content) if module.endswith(".xz") else content)
    store.link(f"{system}/kernel-modules", f"{kernel}-modules")
    store.put(f"{kernel}/bzImage", read(guest_path(guests_folder(), zfs), "vmlinuz", mode="rb"))
    with tarfile.open(os.path.join(kept, "commands.tar")) as tar:
        for entry in tar.getmembers():
            if entry.isfile():
                store.put(os.path.join(commands, "libexec", entry.name.removeprefix("./")), tar.extractfile(entry).read(), 0o755)
    mounts = [(path, source) for path, (kind, source, _) in host.mounts().items() if kind == "zfs" and path in NEEDED_FOR_BOOT]
    upper = {"init": (stat.S_IFREG | 0o755, standin("stage-1", preDeviceCommands=compiled.stage_1)),
             "case": (stat.S_IFREG | 0o644, ""),
             "zfs/mounts": (stat.S_IFREG | 0o644, "".join(f"{path} {source}\n" for path, source in mounts)),
             "zfs/pools": (stat.S_IFREG | 0o644, "".join(f"{pool}\n" for pool in sorted({source.split("/")[0] for _, source in mounts}))),
             "etc/hostid": (stat.S_IFREG | 0o644, host_id(host))}
    lower = read(guest_path(guests_folder(), zfs), "initramfs", mode="rb")
    store.put(f"{initrd}/initrd", lower + read(kept, "stage-1", mode="rb") + archive(upper))
    path = hashed(f"system-path-{zfs}")
    userland = os.path.join(settings["folder"], f"zfs-{settings['userland']}")
    for program in read(userland, "programs").split():
        store.link(f"{path}/bin/{os.path.basename(program)}", program)
    for program in ("nix-env", "nix-store"):
        store.link(f"{path}/bin/{program}", f"{hashed('nix')}/bin/{program}")
        store.put(f"{hashed('nix')}/bin/{program}", standin(program), 0o755)
    for program in ("zpool", "zfs"):
        store.put(f"{commands}/bin/{program}", f"#!/bin/sh\nexec {commands}/libexec/lib/ld-linux-x86-64.so.2 --library-path {commands}/libexec/lib "
                  f"{commands}/libexec/{program} \"$@\"\n", 0o755)
        store.link(f"{path}/bin/{program}", f"{commands}/bin/{program}")
    for program in read(userland, "unit-programs").split():
        store.link(f"{hashed('unit-path')}/bin/{os.path.basename(program)}", program)
    # What the harness reads of a machine that does not answer.
    compiled.params.append("console=ttyS0")
    describe(compiled, store.put, store.link, system, kernel, f"26.05.{version}")
    store.link(f"{system}/initrd", f"{initrd}/initrd")
    store.link(f"{system}/sw", path)
    store.put(f"{system}/etc/hostid", host_id(host))
    for unit, text in units.items():
        store.put(f"{system}/etc/systemd/system/{unit}", text)
        if "[Install]" in text:
            store.link(f"{system}/etc/systemd/system/multi-user.target.wants/{unit}", f"../{unit}")
    for program, source in programs.items():
        store.put(f"{hashed(program)}/bin/{program}", read(source, mode="rb"), 0o755)
        store.link(f"{path}/bin/{program}", f"{hashed(program)}/bin/{program}")
    store.put(f"{system}/closure", "".join(f"{one}\n" for one in sorted(store.paths)))
    return system


def host_id(host):
    """The host id as /etc/hostid holds it."""
    return int(host.toml["network"]["host-id"], 16).to_bytes(4, "little")


def copy(words):
    """`nix copy`: what the other side lacks, through one ssh."""
    url = urllib.parse.urlparse(words[words.index("--to") + 1])
    root = urllib.parse.parse_qs(url.query).get("remote-store", ["local"])[0].partition("root=")[2]
    system = os.path.realpath(words[-1])
    ssh = ["ssh", *shlex.split(os.environ.get("NIX_SSHOPTS", "")), url.netloc]
    asked = "".join(f"test -e {shlex.quote(root + path)} || echo {shlex.quote(path)}\n" for path in read(system, "closure").split())
    lacking = subprocess.run([*ssh, "sh -s"], input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if lacking:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path in lacking:
                tar.add(path)
        # As Nix, which knows a path only when it is there whole: a copy that is cut off leaves none of them.
        store = f"{root}/nix/store"
        subprocess.run([*ssh, f"rm -rf {store}/.copied; mkdir -p {store}/.copied && tar -C {store}/.copied -x --no-same-owner && sync && "
                        f"for path in {store}/.copied/nix/store/*; do mv -T \"$path\" \"{store}/${{path##*/}}\" || exit 1; done && "
                        f"sync && rm -rf {store}/.copied"], input=packed.getvalue(), check=True)
    print(f"copied {len(lacking)} paths")


def main():
    settings = json.loads(read(os.environ[SETTINGS]))
    words = [word for word in sys.argv[1:] if word not in ("--extra-experimental-features", "nix-command")]
    with open(os.path.join(settings["folder"], "nix-calls"), "a", encoding="utf-8") as handle:
        handle.write(f"nix {shlex.join(words)}\n")
    if words[0] == "build" and words[3].startswith("nixosConfigurations."):
        link = words[words.index("--out-link") + 1]
        system = make(settings, words[words.index("--file") + 1], words[3].split(".")[1])
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(system, link)
    elif words[0] == "copy":
        copy(words)
    else:
        raise Broken(f"nix: the stand-in knows no: {shlex.join(words)}")


if __name__ == "__main__":
    main()
