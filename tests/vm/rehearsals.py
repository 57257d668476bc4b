#!/usr/bin/env python3
"""A recovery that is rehearsed: `hostwright apply --scenario recover --rehearse` with real QEMU, restic, ZFS, GRUB and ssh.

  rehearsals.py [--record]

The machine is hostwright's own; its installer is a disk that boots, made here once of the harness's guest with the stand-ins of
installs.py. The backup is one of this machine's own folders.
"""
import argparse
import contextlib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import closures  # noqa: E402
from generations import standin  # noqa: E402
from guest import HERE, MACHINES, Broken, Guest, drive  # noqa: E402
from images import guest_path, guests_folder  # noqa: E402
from installs import HOST, LIMITS, TODAY, TOML, alone, mount  # noqa: E402
from recovers import DEFINED, FILL, PORT, REPOSITORY, new_deployer, place_secret, restic  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
ADDRESS, FOREIGN = "10.0.2.15", "ata-A_disk_of_the_house_0001"
HOST_TOML = f"""
system = "x86_64-linux"
state-version = "26.05"

[machine]
cpu = "amd"
memory = "2GiB"
firmware = "bios"
console = "ip-kvm"
hooks = {{ power-cycle = "touch power-was-cycled" }}

[installer]
channel = "stable"
method = "kexec"

[boot]
loader = "grub"
mirrors = ["right"]

[disks.left]
id = "{FOREIGN}"
size = "16GB"
partitions = [{{ name = "bios", role = "bios-boot", size = "1MiB" }}, {{ name = "boot", role = "filesystem", size = "2GiB", format = "ext4", mount = "/boot" }}, {{ name = "pool", role = "zfs", size = "rest" }}]

[disks.right]
id = "nvme-Another_disk_of_the_house_0002"
size = "16GB"
partitions = [{{ name = "bios", role = "bios-boot", size = "1MiB" }}, {{ name = "boot", role = "filesystem", size = "2GiB", format = "ext4" }}, {{ name = "pool", role = "zfs", size = "rest" }}]

[zfs.pools.rpool]
vdevs = [{{ type = "mirror", members = ["left.pool", "right.pool"] }}]

[zfs.pools.rpool.datasets]
"local/root" = {{ mount = "/" }}
"local/nix" = {{ mount = "/nix" }}
"safe/home" = {{ mount = "/home", snapshots = true, backup = true }}
"safe/var" = {{ mount = "/var", snapshots = true, backup = true }}

[network]
host-id = "2487cd1f"
nameservers = ["10.0.2.3"]

[network.interfaces.lan]
match = {{ name = "eno1" }}
driver = "igc"
addresses = ["{ADDRESS}/24"]
gateways = ["10.0.2.2"]

[network.firewall]
tcp = [22]

[access]
root-keys = ["KEY"]

[deploy]
target = "root@192.0.2.77"
watch = [{{ ping = "192.0.2.77" }}]
{LIMITS}{DEFINED}"""
MENU = "set timeout=0\nlinux /boot/vmlinuz root=/dev/vdc2 rw console=ttyS0 loglevel=4 audit=0 mitigations=off no_timer_check\ninitrd /boot/initramfs\nboot\n"


def installer(folder):
    """A disk that boots into the rescue system of installs.py; with it what closures take of a guest."""
    path = os.path.join(folder, "installer.img")
    with Guest("installer", "2.3", ["left:3G,bus=virtio,serial=installer"]) as guest:
        closures.take(guest, os.path.join(folder, "zfs-2.3"))
        for name in ("nixos-install", "nix-store"):
            guest.write(f"/usr/local/bin/{name}", standin(name), "0755")
        disk = "/dev/disk/by-id/virtio-installer"
        guest.sh(f"""sgdisk -n 1:0:+2M -t 1:ef02 -n 2:0:0 {disk}; udevadm settle; mkfs.ext4 -q {disk}-part2; mount {disk}-part2 /mnt
            cd /; tar -c --one-file-system --exclude=./mnt --exclude=./root/stage-1 . | tar -C /mnt -x
            mkdir -p /mnt/mnt /mnt/proc /mnt/sys /mnt/dev /mnt/run /mnt/tmp /mnt/boot; rm -f /mnt/etc/machine-id; touch /mnt/etc/machine-id""", timeout=1800)
        for name in ("vmlinuz", "initramfs"):
            with open(os.path.join(guest_path(guests_folder(), "2.3"), name), "rb") as handle:
                guest.sh(f"cat > /mnt/boot/{name}", handle.read())
        guest.sh(f"grub-install --target=i386-pc --recheck --boot-directory=/mnt/boot $(readlink -f {disk}); cat > /mnt/boot/grub/grub.cfg", MENU)
        guest.sh("umount /mnt; sync")
        guest._machine("stop", guest.name)
        shutil.copyfile(os.path.join(MACHINES, guest.name, "disks/left.img"), path)
    return path


def listens():
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection((REPOSITORY, PORT), timeout=1):
            return
        time.sleep(0.1)
    raise Broken("the repository does not answer")


def fill(folder):
    """The data of the host, in folders of this machine that only this program sees."""
    for name in ("home", "lib"):
        os.mkdir(f"{folder}/{name}")
    mount(f"{folder}/home", "/home")
    mount(f"{folder}/lib", "/var/lib")
    text = "\n".join(line for line in FILL.splitlines() if "systemctl" not in line)
    subprocess.run(["sh", "-e"], input=f"mkdir -p /var/lib/notes\n{text}", text=True, check=True)
    restic(folder, "init")
    restic(folder, "backup", "--host", HOST, "/home", "/var/lib/nixos", "/var/lib/notes")


def archives(folder):
    environment = dict(os.environ, RESTIC_REPOSITORY=f"rest:http://{REPOSITORY}:{PORT}/lab", RESTIC_PASSWORD_FILE=f"{folder}/password", RESTIC_CACHE_DIR=f"{folder}/cache")
    return json.loads(subprocess.run(["restic", "-q", "snapshots", "--json"], env=environment, check=True, stdout=subprocess.PIPE).stdout)


def machines_left():
    return subprocess.run(["pgrep", "-fa", "qemu-system.*rehearsal"], stdout=subprocess.PIPE, text=True, check=False).stdout


def rehearse(options, checks):
    subprocess.run(["ip", "address", "add", f"{REPOSITORY}/32", "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        deployer = new_deployer(folder, options, checks)
        os.mkdir(f"{folder}/repository")
        server = subprocess.Popen([sys.executable, "-B", f"{HERE}/repository.py", f"{folder}/repository", str(PORT), REPOSITORY])
        try:
            image = options.installer or installer(folder)
            if options.installer:
                shutil.copytree(os.path.join(os.path.dirname(image), "zfs-2.3"), os.path.join(folder, "zfs-2.3"))
            listens()
            fill(folder)
            whole(options, checks, folder, deployer, image)
        finally:
            server.kill()


def whole(options, checks, folder, deployer, image):
    with open(os.path.join(guests_folder(), "keys/login.pub"), encoding="utf-8") as handle:
        deployer.write(TOML, HOST_TOML.replace("KEY", handle.read().strip()))
    # Where the stand-in for Nix looks for definitions: the rehearsed fleet.
    deployer.settings["fleet"] = os.path.join(deployer.fleet, "state", HOST, "rehearsal/fleet")
    deployer.well("check", *TODAY)
    words = ("apply", HOST, "--scenario", "recover", "--rehearse", "--installer", image, *TODAY)
    deployer.write(f"state/{HOST}/secrets/restic-password", "another one")
    os.chmod(os.path.join(deployer.fleet, "state", HOST), 0o700)
    status, said = deployer.run(*words)
    checks.that("a backup that cannot be opened is told before there is a machine", status == 3 and "does not open the repository" in said, said)
    place_secret(deployer)
    with open(f"{folder}/password", "w", encoding="utf-8") as handle:
        handle.write("a passphrase that nobody guesses")
    before = [archive["id"] for archive in archives(folder)]
    status, said = deployer.run(*words)
    print("\n".join(f"    apply: {line}" for line in said.splitlines()), flush=True)
    place = os.path.join(deployer.fleet, "state", HOST, "rehearsal")
    if not checks.that("the host comes back on a machine of its own", status == 0, f"status {status}"):
        for name in ("console.log",):
            with open(os.path.join(place, name), errors="replace", encoding="utf-8") as handle:
                print("".join(f"    console: {line}" for line in handle.readlines()[-60:]), flush=True)
        raise Broken("the rehearsal has not come to its end")
    checks.that("it says so", "rehearsed " in said, said)
    took = re.search(r"^took +(.*?) in its steps; (.*?) were expected", said, re.MULTILINE)
    back = re.search(r"^back +the services answered (.*?) after", said, re.MULTILINE)
    checks.that("the time is printed", took and back, said)
    fleet = os.path.join(place, "fleet")
    standing = json.loads(deployer.run("apply", HOST, "--status", "--format", "json", "--scenario", "recover", *TODAY, folder=fleet)[1])
    states = {row["id"]: row["state"] for row in standing["steps"]}
    checks.same("every step of the recovery is done", set(states.values()), {"done"})
    checks.that("with its data compared and its service asked for", {"verify-service-notes", "start-service-notes", "reboot-test-after-data"} <= set(states), states)
    checks.same("nothing was added to the repository", [archive["id"] for archive in archives(folder)], before)
    checks.same("no hook of the host was run", os.path.exists(os.path.join(fleet, "power-was-cycled")) or os.path.exists(os.path.join(deployer.fleet, "power-was-cycled")), False)
    checks.same("of the host's own state nothing is touched", sorted(os.listdir(os.path.join(deployer.fleet, "state", HOST))), ["rehearsal", "secrets"])
    checks.same("no machine is left", machines_left(), "")
    secret = subprocess.run(["grep", "-rlF", "a passphrase that nobody guesses", place], stdout=subprocess.PIPE, text=True, check=False).stdout
    checks.same("and no secret", secret, "")
    checks.same("nor a disk", glob.glob(f"{place}/**/*.qcow2", recursive=True), [])
    checks.that("no plan was made for the disks of the house", FOREIGN not in open(os.path.join(fleet, "out/hosts", HOST, "plan.json"), encoding="utf-8").read())
    if options.record:
        more = {"what": "rehearsed on a machine that is thrown away", "expected": took[2], "measured": took[1], "back": back[1]}
        keep("recoveries", "rehearsal of a recovery", checks, more)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("--installer", help="an image that an earlier run made; what closures take of a guest lies beside it")
    parser.add_argument("--make", metavar="FOLDER", help="make the image there, and end")
    options = parser.parse_args()
    options.hostwright = os.path.abspath(options.hostwright)
    if options.make:
        os.makedirs(options.make, exist_ok=True)
        print(installer(options.make))
        return 0
    if not shutil.which("restic"):
        raise Broken("restic is not installed")
    alone()
    return drive("rehearsals", ["rehearse"], lambda _, checks: rehearse(options, checks))


if __name__ == "__main__":
    sys.exit(main())
