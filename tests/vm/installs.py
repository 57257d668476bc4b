#!/usr/bin/env python3
"""A machine from blank disks to a host that comes back by itself: probe, new, check, build, plan and apply over real ssh.

  installs.py [--record] [CASE...]

  install   two blank disks in a rescue system; at the end the host boots from them through GRUB, its root on ZFS, baseline boots and
            reboot test passed
  incident  a pool that ZFS 2.3 made without `compatibility`, and a next generation with 2.1: refused; forced past that, the trial
            fails, the machine comes back on the old generation, and no step after it has run

The steps that need Nix are carried by stand-ins: `nix` on the deployer (closures.py), nixos-install, nix-env, nix-store and the
loader's installer on the machine (standin/). The deployer is this machine in a network of its own, so that ssh's port is free.
"""
import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import closures  # noqa: E402
from guest import HERE, MACHINES, PATIENCE, Broken, Guest, drive  # noqa: E402
from generations import standin  # noqa: E402
from images import guests_folder  # noqa: E402
from probe import FLEET  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
TODAY = ["--today", "2026-11-21"]
HOST = "lab"
TOML = f"hosts/{HOST}/host.toml"
ADDRESS = "127.0.0.1"
# Of an emulated machine on shared processors.
LIMITS = """
[deploy.reboot-test]
give-up-after = "15min"
initrd-give-up-after = "5min"
max-downtime = "20min"
settle = "5s"
"""
RESTARTS = b"reboot: Restarting system"


def alone():
    """Runs this program again in a network, a store and a /root/.ssh of its own."""
    if os.environ.get("HOSTWRIGHT_ALONE"):
        with contextlib.closing(socket.socket()) as link:
            request = struct.pack("16sh", b"lo", 0x1 | 0x40)
            fcntl.ioctl(link, 0x8914, request)  # SIOCSIFFLAGS: up
        return
    for folder in ("/nix/store", os.path.expanduser("~/.ssh")):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    environment = dict(os.environ, HOSTWRIGHT_ALONE="yes")
    os.execvpe("unshare", ["unshare", "--net", "--mount", "--propagation=private", sys.executable, "-B", *sys.argv], environment)


def mount(source, target):
    """Binds a folder over another one, in this program's own view."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), None, 4096, None):  # MS_BIND
        raise OSError(ctypes.get_errno(), f"mount {source} {target}")


class Lab(Guest):
    """The machine: a rescue system, and two disks that nothing is on."""

    def __init__(self):
        super().__init__(HOST, "2.3", ["left:16G,bus=virtio,serial=lab-left", "right:16G,bus=virtio,serial=lab-right"])

    def _machine(self, verb, *words, check=True):
        more = ["--ssh-port", "22"] if verb == "run" else []
        return super()._machine(verb, *words, *more, check=check)

    def console(self):
        with open(os.path.join(MACHINES, self.name, "console.log"), "rb") as handle:
            return handle.read()

    def trust(self, line):
        """Takes a host key for the machine's, as the harness knows it: `ssh-ed25519 AAAA...`."""
        with open(os.path.join(MACHINES, self.name, "known_hosts"), "a", encoding="utf-8") as handle:
            handle.write(f"machine {line}\n")

    def become_rescue(self, deployer):
        """What a rescue system has besides ZFS and sgdisk: Nix, and somebody's nixos-install."""
        closures.take(self, os.path.join(deployer.folder, f"zfs-{self.zfs}"))
        for name in ("nixos-install", "nix-store"):
            self.write(f"/usr/local/bin/{name}", standin(name), "0755")
        self.in_rescue = True

    @contextlib.contextmanager
    def medium_taken_out(self, deployer):
        """While this lasts, a restart leads to the disks: what a person does who takes the installer's medium out."""
        seen, over = self.console().count(RESTARTS), threading.Event()

        def watch():
            while not over.is_set():
                if self.console().count(RESTARTS) > seen:
                    self._hang_up()
                    self._machine("stop", self.name, "--hard")
                    for line in deployer.read(f"state/{HOST}/known_hosts").splitlines():
                        if line.startswith(f"{HOST} ssh-ed25519 "):
                            self.trust(line.partition(" ")[2])
                    self.in_rescue = False
                    self._machine("start", self.name, "--boot", "disk:left", "--timeout", str(PATIENCE), check=False)
                    return
                time.sleep(0.3)
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Deployer:
    """The fleet's folder, and `hostwright` as a person types it."""

    def __init__(self, folder, hostwright, checks):
        self.folder, self.hostwright, self.checks = folder, hostwright, checks
        self.fleet, self.bin = os.path.join(folder, "fleet"), os.path.join(folder, "bin")
        for path in (self.fleet, self.bin, os.path.join(folder, "store"), os.path.join(folder, "ssh")):
            os.makedirs(path)
        mount(os.path.join(folder, "store"), "/nix/store")
        mount(os.path.join(folder, "ssh"), os.path.expanduser("~/.ssh"))
        shutil.copyfile(os.path.join(guests_folder(), "keys/login"), os.path.join(folder, "ssh/id_ed25519"))
        os.chmod(os.path.join(folder, "ssh/id_ed25519"), 0o600)
        self.settings = {"folder": folder, "fleet": self.fleet, "zfs": "2.3", "userland": "2.3"}
        self.write("../bin/nix", f"#!/bin/sh\nexec {sys.executable} -B {HERE}/closures.py \"$@\"\n")
        os.symlink(hostwright, os.path.join(self.bin, "hostwright"))
        os.chmod(os.path.join(self.bin, "nix"), 0o755)
        self.write("fleet.toml", FLEET)
        with open(os.path.join(guests_folder(), "keys/login.pub"), encoding="utf-8") as handle:
            self.write("key.pub", handle.read())

    def write(self, name, text):
        path = os.path.join(self.fleet, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)

    def read(self, name):
        with open(os.path.join(self.fleet, name), encoding="utf-8") as handle:
            return handle.read()

    def edit(self, name, pattern, text):
        """What a person changes in a file; the pattern must be there."""
        before = self.read(name)
        after, count = re.subn(pattern, lambda _: text, before, flags=re.MULTILINE)
        if not count:
            raise Broken(f"{name} has nothing like {pattern}:\n{before}")
        self.write(name, after)

    def run(self, *words, given=None, folder=None):
        with open(os.path.join(self.folder, "settings.json"), "w", encoding="utf-8") as handle:
            json.dump(self.settings, handle)
        environment = dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}")
        environment[closures.SETTINGS] = os.path.join(self.folder, "settings.json")
        done = subprocess.run([self.hostwright, *words], cwd=folder or self.fleet, env=environment, input=given, stdin=None if given else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        return done.returncode, done.stdout

    def well(self, *words):
        status, said = self.run(*words)
        if not self.checks.that(f"hostwright {' '.join(words)}", status == 0, f"status {status}\n{said}"):
            raise Broken(f"hostwright {words[0]} failed")
        return said

    def knows(self, lab):
        """The person has seen the machine's key."""
        key = lab.sh("cat /etc/ssh/ssh_host_ed25519_key.pub").split()
        self.write("../ssh/known_hosts", f"{ADDRESS} {key[0]} {key[1]}\n")

    def learn(self, lab):
        """What the last step of an installation leaves to the person."""
        self.knows(lab)
        self.well("probe", HOST, "--host", HOST)

    def status(self, *words):
        return json.loads(self.run("apply", HOST, "--status", "--format", "json", *words, *TODAY)[1])

    def apply(self, *words):
        began = time.monotonic()
        status, said = self.run("apply", HOST, "--non-interactive", *words, *TODAY)
        for line in said.splitlines():
            print(f"    apply: {line}", flush=True)
        print(f"    apply: status {status} after {time.monotonic() - began:.0f} s", flush=True)
        return status, said

    def calls(self):
        with open(os.path.join(self.folder, "nix-calls"), encoding="utf-8") as handle:
            return handle.read().splitlines()


def define(deployer, lab):
    """probe, new, the answers to what the definition asks, check, build, plan."""
    lab.write("/etc/resolv.conf", "nameserver 10.0.2.3\n")
    deployer.knows(lab)
    facts = deployer.well("probe", f"root@{ADDRESS}")
    deployer.write("facts.json", facts[facts.index("{"):])
    deployer.well("new", HOST, "--facts", "facts.json", "--key", "key.pub")
    asked = [line for line in deployer.read(TOML).splitlines() if "# EDIT" in line]
    for pattern, text in ((r'^method = .*', 'method = "rescue"'), (r'^target = .*', f'target = "root@{ADDRESS}"'),
                          (r'^watch = .*', "watch = [{ ssh = true }]\n" + LIMITS)):
        deployer.edit(TOML, pattern, text)
    deployer.checks.same("every line that asks something is answered", (len(asked), "# EDIT" in deployer.read(TOML)), (3, False))
    build(deployer)
    deployer.well("plan", HOST, *TODAY)


def build(deployer):
    print(deployer.well("check", "-v", *TODAY), flush=True)
    deployer.well("build", *TODAY)


def carry_out(deployer, lab, *words):
    """Runs `apply` as somebody does who answers where it asks; its last status and words."""
    given = []
    for _ in range(12):
        with lab.medium_taken_out(deployer) if lab.in_rescue else contextlib.nullcontext():
            status, said = deployer.apply(*words, *given)
        if status == 0:
            return status, said
        scenario = words[:2] if words[:1] == ("--scenario",) else ()
        standing = deployer.status(*scenario)
        row = next(row for row in standing["steps"] if row["id"] == standing["next"])
        if status != 3 or row["state"] == "failed":
            return status, said
        if row["id"] == "compare-fingerprint":
            shown = deployer.well("apply", HOST, *scenario, "--log", "scan-installer-key", *TODAY)
            own = lab.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
            deployer.checks.that("the fingerprint that apply shows is the machine's", own in shown, f"{shown}\n{own}")
        # As somebody who types what apply proposes.
        given = re.search(r"^then: hostwright apply \S+ (?:--scenario \S+ )?--non-interactive (.*)$", said, re.MULTILINE)[1].split()
    raise Broken("apply asks for ever")


def carried_out(deployer, lab, promise, *words):
    """The same where nothing else can go on otherwise."""
    status, said = carry_out(deployer, lab, *words)
    if not deployer.checks.that(promise, status == 0, said):
        raise Broken("apply has not come to its end")


def booted(lab):
    return lab.sh("readlink -f /run/booted-system").strip()


def install(options, checks):
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        deployer = Deployer(folder, options.hostwright, checks)
        lab.become_rescue(deployer)
        define(deployer, lab)
        carried_out(deployer, lab, "apply carries the whole plan out")
        standing = deployer.status()
        checks.same("every step is done", {row["state"] for row in standing["steps"]}, {"done"})
        began = {row["id"]: row["attempts"] for row in standing["steps"]}
        checks.same("the disks were partitioned once", began["partition-disks"], 1)
        seconds = {row["id"]: row["seconds"] for row in standing["steps"]}
        first = booted(lab)
        checks.same("the host runs the system that was built", first, os.readlink(os.path.join(deployer.fleet, "state", HOST, "system")))
        checks.same("its root is a dataset of the pool", lab.sh("findmnt -n -o SOURCE /").strip(), "rpool/local/root")
        checks.same("the pool was imported without force", lab.run("grep -qw zfs_force=1 /proc/cmdline")[0], 1)
        checks.that("the pool's features are bound", "openzfs-" in lab.sh("zpool get -H -o value compatibility rpool"))
        calls = lab.sh("cat /var/log/nix-calls")
        checks.that("a trial sits in a profile of its own, and the menu is written by the good system",
                    re.search(r"-p /nix/var/nix/profiles/system-profiles/hostwright --set", calls), calls)
        checks.same("nothing of the trial is left",
                    lab.sh("find /nix/var/nix/profiles/system-profiles /boot*/grub -maxdepth 1 -name 'hostwright*'"), "")
        checks.that("the deployer built and copied once each", [line.split()[1] for line in deployer.calls()] == ["build", "copy"], deployer.calls())
        status, said = deployer.apply()
        checks.that("once more, there is nothing to do", status == 0, said)
        checks.same("the verdict has passed", json.loads(deployer.read(f"state/{HOST}/reboot-test.json"))["outcome"], "passed")
        deployer.learn(lab)
        record(options, checks, "install onto blank disks", "probe, new, check, build, plan, apply", "passed", seconds)
        update(options, checks, deployer, lab, first)


def update(options, checks, deployer, lab, first):
    """A changed definition of the host that runs."""
    began = time.monotonic()
    deployer.edit(TOML, r"^\[boot\]$", '[boot]\nkernel-params = ["quiet"]')
    build(deployer)
    with second_deployer(deployer, lab) as said:
        carried_out(deployer, lab, "apply carries an update out")
    checks.that("a second deployer is refused while the first is at work", said and said[0] == 2 and "another deployer is at work" in said[1], said)
    standing = deployer.status()
    checks.same("it is an update", standing["scenario"], "update")
    checks.that("the host runs another system, which boots by default", booted(lab) != first)
    checks.that("it was built from the changed definition", "quiet" in lab.sh("cat /proc/cmdline"))
    steps = {row["id"]: row["seconds"] for row in standing["steps"]}
    record(options, checks, "update of the host", "check, build, apply", "passed", steps, round(time.monotonic() - began))


@contextlib.contextmanager
def second_deployer(deployer, lab):
    """Somebody else with the same fleet, who begins as soon as the first has taken the machine; yields what came of it."""
    said, other = [], os.path.join(deployer.folder, "second")

    def begin():
        while not said and not over.is_set():
            if lab.run("test -e /var/lib/hostwright/deploy")[0] == 0:
                shutil.copytree(deployer.fleet, other, symlinks=True, ignore=shutil.ignore_patterns("deployer-id", "lock", "journal-*", "logs"))
                said.extend(deployer.run("apply", HOST, "--non-interactive", *TODAY, folder=other))
            time.sleep(1)
    over = threading.Event()
    thread = threading.Thread(target=begin)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join()


def incident(options, checks):
    """Installed from a newer ZFS than what is deployed next."""
    with tempfile.TemporaryDirectory() as folder:
        closures.take_from("2.1", os.path.join(folder, "zfs-2.1"))
        with Lab() as lab:
            deployer = Deployer(folder, options.hostwright, checks)
            lab.become_rescue(deployer)
            define(deployer, lab)
            carried_out(deployer, lab, "apply makes the pool", "--until", "create-pools")
            # Somebody's own hands, as most pools are made: the defaults of the newer ZFS.
            lab.sh(f"""devices=$(ls /dev/disk/by-id/virtio-lab-*-part3); zpool destroy rpool
                zpool create -f -o ashift=12 -O compression=lz4 -O acltype=posixacl -O xattr=sa -O atime=off -O mountpoint=none rpool mirror $devices
                zfs create -p -o mountpoint=legacy rpool/local/root; zfs create -o mountpoint=legacy rpool/local/nix
                zfs create -p -o mountpoint=legacy rpool/safe/home; zfs create -o mountpoint=legacy rpool/safe/var""")
            carried_out(deployer, lab, "the host is installed, and its way back is proven", "--until", "baseline-boot-default")
            old = booted(lab)
            deployer.learn(lab)
            deployer.settings["zfs"] = "2.1"
            deployer.edit("fleet.toml", r'^release = "26.05"$', 'release = "26.05"\nzfs = "2.1"')
            deployer.edit(TOML, r"^\[boot\]$", '[boot]\nkernel = "linuxPackages_6_6"')
            status, said = deployer.run("check", *TODAY)
            checks.that("check refuses the older ZFS, and says which features", status == 1 and "zfs-pool-newer-than-channel" in said
                        and "head_errlog" in said, f"status {status}\n{said}")
            status, said = deployer.run("build", *TODAY)
            checks.same("nothing is built", status, 1)
            # Past the rule: the definition says what the tree does not hold.
            deployer.edit("fleet.toml", r'^zfs = "2.1"$', 'zfs = "2.3"')
            build(deployer)
            began = time.monotonic()
            status, said = carry_out(deployer, lab, "--scenario", "update")
            checks.same("apply stops", status, 3)
            standing = deployer.status("--scenario", "update")
            state = {row["id"]: row["state"] for row in standing["steps"]}
            checks.same("the reboot test has failed", state["reboot-test"], "failed")
            after = [row["id"] for row in standing["steps"]]
            after = after[after.index("reboot-test") + 1:]
            checks.same("no step after it has begun", {state[step] for step in after}, {"open"})
            checks.same("the machine came back on the old generation by itself", booted(lab), old)
            checks.same("which boots by default", lab.sh("readlink -f /nix/var/nix/profiles/system").strip(), old)
            seen = lab.console().decode(errors="replace")
            checks.that("the older ZFS could not import the pool", "not supported" in seen or "unsupported" in seen or "cannot import" in seen, seen[-3000:])
            verdict = json.loads(deployer.read(f"state/{HOST}/reboot-test.json"))
            checks.same("the verdict says what happened", verdict["outcome"], "came-back-on-old")
            checks.that("and names the features", "head_errlog" in json.dumps(verdict), json.dumps(verdict, indent=1))
            steps = {row["id"]: row["seconds"] for row in standing["steps"]}
            record(options, checks, "a pool of ZFS 2.3, then a generation with 2.1", "check, build, apply", verdict["outcome"], steps,
                   round(time.monotonic() - began))


def record(options, checks, subject, what, verdict, steps, seconds=None):
    print(f"  seconds  {json.dumps(steps)}", flush=True)
    if options.record:
        keep("installs", subject, checks, {"what": what, "verdict": verdict}, seconds)


CASES = {"install": install, "incident": incident}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("case", nargs="*", default=list(CASES))
    options = parser.parse_args()
    options.hostwright = os.path.abspath(options.hostwright)
    alone()
    return drive("installs", options.case, lambda name, checks: CASES[name](options, checks))


if __name__ == "__main__":
    sys.exit(main())
