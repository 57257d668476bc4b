#!/usr/bin/env python3
"""A host that is gone comes back, and one that goes leaves nothing.

  recovers.py [--record] [CASE...]

  recover   installed, filled, backed up; its disks destroyed; rebuilt from its definition and its backup by another deployer
  wipe      the script that wipes the disks of a host that is retired: what is in use is refused, what is wiped cannot be read

What is real: restic and its repository over the network, ZFS, GRUB, ssh, the plan and every script of it. What stands in is that of
installs.py, with two units that NixOS would have made of the definition: the service's and its backup's.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from guest import HERE, Broken, Guest, drive  # noqa: E402
from installs import HOST, TODAY, TOML, Deployer, Lab, alone, carried_out, define  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
# An address of the guest's network behind which the repository is.
REPOSITORY, PORT = "10.0.2.100", 8000
SECRET = "a passphrase that nobody guesses"
DEFINED = f"""
[secrets.items]
restic-password = {{}}

[backup.house]
kind = "restic"
repository = "rest:http://{REPOSITORY}:{PORT}/lab"
password = "restic-password"
schedule = "daily"
paths = ["/home"]

[services.notes]
kind = "command"
exec = ["notes"]
state = [{{ path = "/var/lib/notes" }}]
"""
# The service: an empty place is made its own, as most programs do at their first start.
NOTES = """[Service]
ExecStart=/bin/sh -c '[ -e /var/lib/notes/database ] || { mkdir -p /var/lib/notes && echo empty > /var/lib/notes/database; }; exec sleep infinity'
[Install]
WantedBy=multi-user.target
"""
BACKUP = f"""[Service]
Type=oneshot
Environment=RESTIC_REPOSITORY=rest:http://{REPOSITORY}:{PORT}/lab RESTIC_PASSWORD_FILE=/etc/credstore/restic-password HOME=/root
ExecStart=/run/current-system/sw/bin/restic backup --host {HOST} /home /var/lib/nixos /var/lib/notes
"""
FILL = r"""
systemctl stop notes.service
cd /var/lib/notes
echo 'what must come back' > database
mkdir -p 'a folder/below' empty
head -c 3000000 /dev/urandom > 'a folder/below/random bytes'
printf 'x' > "$(printf 'a name\twith a tab')"
truncate -s 20M sparse && printf end >> sparse
ln database 'the same file'
ln -s 'a folder/below' link
echo secret > owned; chown 33:8 owned; chmod 4750 owned
touch -d '2024-05-06 07:08:09.123456789' owned 'a folder/below/random bytes'
mkdir -p /var/lib/nixos; echo '{"root":0,"www-data":33}' > /var/lib/nixos/uid-map; echo '{"root":0,"mail":8}' > /var/lib/nixos/gid-map
echo dear > /home/letter
systemctl start notes.service
"""
LIST = r"""cd /var/lib/notes && find . -mindepth 1 ! -type d -printf '%P|%y|%m|%U:%G|%s|%T@|%n|%l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; cat /home/letter"""


class House(Lab):
    """A machine that reaches the repository."""

    def _machine(self, verb, *words, check=True):
        more = ["--reach", f"{REPOSITORY}:{PORT}"] if verb == "run" else []
        return super()._machine(verb, *words, *more, check=check)


def new_deployer(folder, options, checks):
    deployer = Deployer(folder, options.hostwright, checks)
    deployer.settings.update(units={"notes.service": NOTES, "restic-backups-house.service": BACKUP}, programs={"restic": shutil.which("restic")})
    return deployer


def place_secret(deployer):
    deployer.write(f"state/{HOST}/secrets/restic-password", SECRET)
    os.chmod(os.path.join(deployer.fleet, "state", HOST), 0o700)


def restic(folder, *words):
    environment = dict(os.environ, RESTIC_REPOSITORY=f"rest:http://{REPOSITORY}:{PORT}/lab", RESTIC_PASSWORD=SECRET, RESTIC_CACHE_DIR=f"{folder}/cache")
    subprocess.run(["restic", "-q", *words], env=environment, check=True)


def recover(options, checks):
    subprocess.run(["ip", "address", "add", f"{REPOSITORY}/32", "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.mkdir(f"{folder}/repository")
        server = subprocess.Popen([sys.executable, "-B", f"{HERE}/repository.py", f"{folder}/repository", str(PORT), REPOSITORY])
        try:
            whole(options, checks, folder)
        finally:
            server.kill()


def whole(options, checks, folder):
    first = os.path.join(folder, "first")
    os.mkdir(first)
    with House() as lab:
        deployer = new_deployer(first, options, checks)
        lab.become_rescue(deployer)
        define(deployer, lab)
        deployer.write(TOML, deployer.read(TOML) + DEFINED)
        deployer.well("check", *TODAY)
        deployer.well("build", *TODAY)
        place_secret(deployer)
        restic(folder, "init")
        carried_out(deployer, lab, "the host is installed")
        checks.same("its service has begun empty", lab.sh("cat /var/lib/notes/database"), "empty\n")
        lab.sh(FILL)
        lab.sh("systemctl start restic-backups-house.service")
        there = lab.sh(LIST)
        checks.that("the data is there", "random bytes" in there and "dear" in there, there)
        # What people keep elsewhere: the definition in git, the secrets with their passwords.
        kept = {name: deployer.read(name) for name in ("fleet.toml", TOML, "key.pub")}
    # The machine is gone with its disks, and so is the deployer's folder of state.
    second = os.path.join(folder, "second")
    os.mkdir(second)
    with House() as lab:
        deployer = new_deployer_of(second, first, options, checks, kept)
        lab.become_rescue(deployer)
        checks.that("nothing is on the new disks", "part" not in lab.sh("lsblk -nro TYPE /dev/disk/by-id/virtio-lab-left"))
        deployer.knows(lab)
        deployer.well("build", *TODAY)
        said = deployer.well("plan", HOST, "--scenario", "recover", *TODAY)
        expected = re.search(r"recover · \d+ steps · about ([^\n·]+)", said)[1].strip()
        refusals(deployer, lab, checks, folder)
        place_secret(deployer)
        words = ("--scenario", "recover")
        carried_out(deployer, lab, "apply brings the host back", *words)
        status, said = deployer.apply(*words)
        checks.that("once more, there is nothing to do", status == 0, said)
        took = re.search(r"^took +(.*?) in its steps", said, re.MULTILINE)
        back = re.search(r"^back +the services answered (.*?) after", said, re.MULTILINE)
        checks.that("the time is printed", took and back, said)
        checks.same("every file is as it was, with owner, mode, time, links and bytes", lab.sh(LIST), there)
        checks.same("the service runs on it", lab.sh("systemctl is-active notes.service").strip(), "active")
        checks.same("nothing of the empty start is left", lab.sh("find / -xdev -name .hostwright-before 2> /dev/null; true"), "")
        calls = lab.sh("systemctl show -p ConditionResult restic-backups-house.service; ls /run/systemd/system | grep restic-backups-house.service.d/hostwright || true")
        lab.sh("systemctl start restic-backups-house.service")
        checks.that("backups are made again", True, calls)
        seconds = {row["id"]: row["seconds"] for row in deployer.status(*words)["steps"]}
        print(f"  seconds  {json.dumps(seconds)}", flush=True)
        if options.record:
            more = {"what": f"{len(there.splitlines())} entries by restic", "expected": expected, "measured": took[1] if took else "-", "back": back[1] if back else "-"}
            keep("recoveries", "both disks destroyed, another deployer", checks, more)


def new_deployer_of(folder, first, options, checks, kept):
    # The places of the first one are mounted still; a new one is mounted over them.
    deployer = new_deployer(folder, options, checks)
    for name, text in kept.items():
        deployer.write(name, text)
    shutil.copytree(os.path.join(first, "zfs-2.3"), os.path.join(folder, "zfs-2.3"), dirs_exist_ok=True)
    return deployer


def refusals(deployer, lab, checks, folder):
    """What is wrong with the backup is found before a disk is touched."""
    words = ("--scenario", "recover", "--until", "look-at-backup-house")
    status, said = deployer.apply(*words)
    checks.that("a secret that is missing is named", status == 3 and "restic-password is missing or empty" in said, said)
    deployer.write(f"state/{HOST}/secrets/restic-password", "another one")
    status, said = deployer.apply(*words)
    checks.that("a passphrase that does not open it is told", status == 3 and "does not open the repository" in said, said)
    place_secret(deployer)
    repository = os.path.join(folder, "repository/lab")
    os.rename(repository, repository + ".away")
    status, said = deployer.apply(*words)
    checks.that("a repository that is gone is told", status == 3 and "there is no repository at" in said, said)
    os.rename(repository + ".away", repository)
    checks.that("the disks are as they were", "part" not in lab.sh("lsblk -nro TYPE /dev/disk/by-id/virtio-lab-left"))


def wipe(options, checks):
    with tempfile.TemporaryDirectory() as folder:
        fleet = os.path.join(folder, "fleet")
        shutil.copytree(os.path.join(ROOT, "tests/fleets/recovered"), fleet)
        host = os.path.join(fleet, "hosts/lighthouse/host.toml")
        with open(host, encoding="utf-8") as handle:
            text = handle.read()
        for letter, name in (("A", "left"), ("B", "right")):
            text = text.replace(f"nvme-Samsung_SSD_980_PRO_500GB_S5GYNX0R00004{letter}", f"virtio-old-{name}")
        with open(host, "w", encoding="utf-8") as handle:
            handle.write(text)
        subprocess.run([options.hostwright, "build", *TODAY], cwd=fleet, check=True, stdout=subprocess.DEVNULL)
        with Guest("wipe", "2.3", ["left:1G,bus=virtio,serial=old-left", "right:1G,bus=virtio,serial=old-right", "other:1G,bus=virtio,serial=not-ours"]) as guest:
            guest.put(os.path.join(fleet, "out/hosts/lighthouse/install"), "/root/install")
            script = "bash /root/install/wipe.sh"
            guest.sh("""zpool create -f tank /dev/disk/by-id/virtio-old-left; head -c 5000000 /dev/urandom > /tank/file; sync
                mkfs.ext4 -q /dev/disk/by-id/virtio-old-right; mount /dev/disk/by-id/virtio-old-right /mnt; cp /tank/file /mnt; sync
                head -c 1000000 /dev/urandom | dd of=/dev/disk/by-id/virtio-not-ours status=none""")
            for name, why in (("old-left", "the pool tank is imported from it"), ("old-right", "is mounted from it"),
                              ("not-ours", "is no disk of lighthouse"), ("old-none", "is no disk of lighthouse")):
                for mode in ("--dry-run", "--yes"):
                    status, said = guest.run(f"{script} {mode} virtio-{name}")
                    checks.that(f"{name} {mode}: {why}", status != 0 and why in said, said)
            checks.that("nothing was touched", guest.run("zpool scrub -w tank && cmp /tank/file /mnt/file")[0] == 0)
            guest.sh("zpool export tank; umount /mnt")
            status, said = guest.run(f"{script} --wiped virtio-old-left")
            checks.that("what is not wiped is not called so", status != 0 and "is not wiped" in said, said)
            guest.run(f"timeout -s KILL 0.7 {script} --yes virtio-old-left")
            for name in ("old-left", "old-right"):
                guest.sh(f"{script} --dry-run virtio-{name}")
                said = guest.sh(f"{script} --yes virtio-{name}")
                checks.that(f"{name} is wiped", f"virtio-{name} is wiped" in said and "100 %" in said, said)
                checks.that("and looked at", guest.run(f"{script} --wiped virtio-{name}")[0] == 0)
                checks.same("every byte of it", guest.run(f"cmp -n 1073741824 /dev/disk/by-id/virtio-{name} /dev/zero")[0], 0)
            checks.that("no pool is found", "tank" not in guest.run("zpool import")[1])
            checks.that("another disk is as it was", guest.run("cmp -s -n 1000000 /dev/disk/by-id/virtio-not-ours /dev/zero")[0] == 1)
            if options.record:
                keep("recoveries", "two disks of a retired host", checks, {"what": "nothing", "expected": "-", "measured": "-", "back": "-"})


CASES = {"recover": recover, "wipe": wipe}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("case", nargs="*", default=list(CASES))
    options = parser.parse_args()
    options.hostwright = os.path.abspath(options.hostwright)
    if not shutil.which("restic"):
        raise Broken("restic is not installed")
    alone()
    return drive("recovers", options.case, lambda name, checks: CASES[name](options, checks))


if __name__ == "__main__":
    sys.exit(main())
