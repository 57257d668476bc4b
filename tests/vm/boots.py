#!/usr/bin/env python3
"""The reboot test's scripts on real loaders: GRUB and systemd-boot boot good and bad candidates once, and come back by themselves.

  boots.py [--zfs 2.3] [--record] [--only TEXT] [HOST...]

Each host of tests/fleets/boots is one loader. A guest gets that host's disks, a menu, and generations (`generations.py`); the
compiled scripts record, arm, wait, judge, confirm, promote and disarm as the plan runs them. Every candidate that fails must lead
back to the last good generation without anybody's help; what would not come back must be refused before it is armed.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from definition import build  # noqa: E402
from generations import Compiled, Generations, hashed  # noqa: E402
from guest import HERE, MACHINES, PATIENCE, Broken, Checks, Guest, drive  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
FLEET = os.path.join(os.path.dirname(HERE), "fleets/boots")
HOSTS = ("legacy", "modern")
SCRIPTS = "/var/lib/hostwright/reboot"
MENUS = ("/boot", "/boot-right")
# What a candidate fails with, in words; each must come back to the last good generation.
FAULTS = {
    "panics-in-stage-1": "panics in stage 1: the root cannot be mounted",
    "hangs-in-stage-1": "hangs in stage 1: a device that never comes",
    "asks-for-a-key": "asks for a key in stage 1, and nobody answers",
    "kernel-is-missing": "its kernel is gone from /boot after it was armed",
    "hangs-in-stage-2": "hangs in stage 2, before the network",
    "has-no-network": "comes up without network",
    "sshd-is-masked": "comes up without sshd",
}
BACK = "came back on the old generation"
VARIABLES = "uefi-variables.fd"


def last(said):
    """The last line that is for people."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("hostwright-result:")]
    return lines[-1].strip() if lines else ""


class Machine(Guest):
    """A guest with the disks of a host, two of which boot."""

    def __init__(self, compiled, hasty, zfs, deployer):
        self.compiled, self.deployer = compiled, deployer
        self.disks_of = {name: device.rpartition("virtio-")[2] for name, device in compiled.disks.items()}
        super().__init__(f"boots-{compiled.host}", zfs, [f"{serial}:2G,bus=virtio" for serial in self.disks_of.values()])
        self.generations = Generations(self, compiled, hasty)
        self.kind = "disk" if compiled.loader == "grub" else "uefi"

    def lay_out(self):
        """Two disks with a menu and half of a pool each, mounted where the definition says."""
        grub, pool = self.compiled.loader == "grub", self.compiled.pool
        first = "--new=1:0:+1M --typecode=1:ef02 --new=2:0:+300M" if grub else "--new=1:0:+300M --typecode=1:ef00"
        menu, tank = (2, 3) if grub else (1, 2)
        make, kind = ("mkfs.ext4 -q", "ext4") if grub else ("mkfs.vfat -F 32", "vfat")
        devices = list(self.compiled.disks.values())
        lines = [f"{device}-part{menu} {place} {kind} {'defaults' if kind == 'ext4' else 'umask=0077'}{',nofail' * (place != MENUS[0])} 0 0"
                 for device, place in zip(devices, MENUS)]
        lines.append(f"{pool}/data /srv zfs defaults,x-systemd.requires=zfs-import.target 0 0")
        for device in devices:
            self.sh(f"sgdisk {first} --new={tank}:0:0 --typecode={tank}:bf01 {device} > /dev/null; udevadm settle; {make} {device}-part{menu} > /dev/null")
        self.sh(f"""udevadm settle; sleep 1; mkdir -p /boot-right /srv
            zpool create -O mountpoint=none {pool} mirror {' '.join(f'{device}-part{tank}' for device in devices)}
            zfs create -o mountpoint=legacy {pool}/data; systemctl enable -q zfs-import-cache.service zfs-import.target""")
        # Each takes an emulated processor a second at every boot and reload; nothing here needs what they make.
        self.sh(f"""mkdir -p /etc/systemd/system-generators
            for one in $(ls /usr/lib/systemd/system-generators | grep -v fstab); do ln -s /dev/null /etc/systemd/system-generators/$one; done""")
        self.generations.prepare()
        self.sh("cat >> /etc/fstab; systemctl daemon-reload; mount /boot; mount /boot-right; mount /srv", "\n".join(lines) + "\n")
        self.put(os.path.join(self.compiled.folder, "reboot"), SCRIPTS)

    def become(self, disk, number):
        """Makes a generation the installed one, and boots from a disk for the first time."""
        path = self.generations.make(number)
        self.sh(f"""export PATH={hashed('system-path')}/bin:$PATH
            nix-env -p /nix/var/nix/profiles/system --set {path}; NIXOS_INSTALL_BOOTLOADER=1 {path}/bin/switch-to-configuration boot; sync""")
        self.power(disk)
        if self.compiled.loader == "systemd-boot":
            # What the installer does where it can write to the firmware.
            self.sh("NIXOS_INSTALL_BOOTLOADER=1 /run/current-system/bin/switch-to-configuration boot")
        return path

    def power(self, disk, firmware=None):
        """Powers off, and on again with this disk first; the firmware may have its variables back as they were."""
        self._hang_up()
        self._machine("stop", self.name, "--timeout", str(PATIENCE))
        if firmware is not None:
            with open(os.path.join(MACHINES, self.name, VARIABLES), "wb") as handle:
                handle.write(firmware)
        self._machine("start", self.name, "--boot", f"{self.kind}:{self.disks_of[disk]}", "--timeout", str(PATIENCE))

    def script(self, name, *words):
        return self.run(f"sh {SCRIPTS}/{name}.sh {' '.join(words)}")

    def console(self, since=0):
        with open(os.path.join(MACHINES, self.name, "console.log"), "rb") as handle:
            handle.seek(since)
            return handle.read().decode(errors="replace")

    def console_end(self):
        return os.path.getsize(os.path.join(MACHINES, self.name, "console.log"))

    def booted(self):
        return self.sh("readlink -f /run/booted-system").strip()

    def armed(self):
        """What each menu is armed with."""
        if self.compiled.loader == "grub":
            return [self.sh(f"grub-editenv {menu}/grub/grubenv list | sed -n 's/^next_entry=//p'").strip() for menu in MENUS]
        return [self.sh("f=/sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f; "
                        "if [ -e $f ]; then cat $f | tail -c +5 | tr -d '\\000'; fi").strip()]

    def save_boot_id(self):
        folder = os.path.join(self.deployer, "state", self.compiled.host)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "boot-id"), "w", encoding="utf-8") as handle:
            handle.write(self.sh("cat /proc/sys/kernel/random/boot_id"))
        # The plan's ssh knows the host by the definition's name, with a file of host keys of its own.
        with open(os.path.join(MACHINES, self.name, "known_hosts"), encoding="utf-8") as handle:
            keys = handle.read().replace("machine ", f"{self.compiled.host} ")
        with open(os.path.join(folder, "known_hosts"), "w", encoding="utf-8") as handle:
            handle.write(keys)
        with open(os.path.join(MACHINES, self.name, "ssh_config"), encoding="utf-8") as handle:
            config = handle.read().replace(f"Host {self.name}\n", f"Host {self.compiled.host}\n")
        with open(os.path.join(self.deployer, "ssh_config"), "w", encoding="utf-8") as handle:
            handle.write(config)
        with open(os.path.join(self.deployer, "bin", "ssh"), "w", encoding="utf-8") as handle:
            handle.write(f'#!/bin/sh\nexec /usr/bin/ssh -F {self.deployer}/ssh_config "$@"\n')
        os.chmod(os.path.join(self.deployer, "bin", "ssh"), 0o755)

    def wait(self):
        """Runs wait.sh as the deployer does: its exit status, what it says, the seconds that the machine was away."""
        environment = dict(os.environ, PATH=f"{self.deployer}/bin:{os.environ['PATH']}")
        done = subprocess.run(["sh", os.path.join(self.compiled.folder, "reboot/wait.sh"), str(PATIENCE), str(2 * PATIENCE)], cwd=self.deployer,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        away = re.search(r"back after (\d+) s", done.stdout)
        return done.returncode, done.stdout, int(away[1]) if away else None

    def leave(self):
        """Reboots as the plan does: exit status of wait.sh, its words, seconds away, what was on the console meanwhile."""
        self.save_boot_id()
        since = self.console_end()
        self.sh("systemd-run --on-active=2 -- systemctl reboot 2>&1")
        self._hang_up()
        status, said, away = self.wait()
        if status not in (0, 3):
            raise Broken(f"{self.name} did not come back: {said}\n{self.console(since)[-1500:]}")
        return status, said, away, self.console(since)


class Test:
    """The cases of one host, in order."""

    def __init__(self, machine, options, checks):
        self.machine, self.options, self.checks, self.number = machine, options, checks, 1
        self.old = ""

    def next(self, case="", stage_1="scripted"):
        self.number += 1
        return self.machine.generations.make(self.number, case, stage_1)

    def record(self, case, verdict, away, began, failed):
        """Keeps a row; the failures are those that came up in the case."""
        verdict = re.sub(r" of /nix/store/\S+", "", verdict)
        row = Checks(f"{self.machine.compiled.loader} {case}")
        row.passed, row.failures, row.began = self.checks.passed, self.checks.failures[failed:], began
        print(f"  row      {self.machine.compiled.loader}: {case}: {verdict}; {away} s away", flush=True)
        if self.options.record:
            keep("boots", row.subject, row, {"loader": self.machine.compiled.loader, "case": case, "verdict": verdict,
                                             "away": "-" if away is None else away})

    def case(self, name, body):
        """Runs one case unless another one is wanted; it yields its verdict and the seconds away."""
        if not re.search(self.options.only, name):
            return
        print(f" - {name}", flush=True)
        began, failed = time.monotonic(), len(self.checks.failures)
        verdict, away = body()
        self.record(name, verdict, away, began, failed)

    def well(self, name, *words):
        status, said = self.machine.script(name, *words)
        self.checks.that(f"{name}.sh {' '.join(words[:1])}: all is well", status == 0, f"status {status}\n{said}")
        return last(said)

    def arm(self, kind, path):
        """Records and arms; the nonce of the trial."""
        self.well("record")
        status, said = self.machine.script("arm", kind, path)
        if not self.checks.that(f"arm.sh {kind}: armed", status == 0, said):
            raise Broken(f"not armed: {said}")
        return self.machine.sh("sed -n 's/^nonce=//p' /var/lib/hostwright/trial").strip()

    def spent(self):
        self.checks.same("the one-shot is spent on the disk that booted", self.machine.armed()[0], "")

    def first_boot(self):
        self.checks.same("the installed generation runs", self.machine.booted(), self.old)
        said = self.well("judge", "first")
        self.well("ready")
        return said, None

    def baseline(self):
        nonce = self.arm("baseline", "/run/booted-system")
        _, _, away, seen = self.machine.leave()
        self.checks.that("the trial entry was booted", f"hostwright.trial={nonce}" in seen, seen[-3000:])
        said = self.well("judge", "baseline")
        self.spent()
        self.well("confirm")
        self.checks.same("the dead-man's timer is stopped", self.machine.run("systemctl is-active hostwright-deadman.timer")[1].strip(), "inactive")
        self.well("disarm")
        return said, away

    def by_default(self):
        self.well("record")
        _, _, away, seen = self.machine.leave()
        self.checks.that("no trial was booted", "hostwright.trial" not in seen, seen[-3000:])
        return self.well("judge", "default"), away

    def good(self):
        # Its stage 1 may take less time than the boot: what was started there must be gone by then.
        new = self.next(stage_1="systemd")
        self.well("ready", new)
        nonce = self.arm("trial", new)
        _, _, away, seen = self.machine.leave()
        self.checks.that("the trial entry was booted", f"hostwright.trial={nonce}" in seen, seen[-3000:])
        said = self.well("judge", "trial")
        self.checks.same("the candidate runs", self.machine.booted(), new)
        self.spent()
        self.well("confirm")
        self.well("promote")
        self.checks.same("nothing is armed", set(self.machine.armed()), {""})
        self.old = new
        return said, away

    def fault(self, case):
        def body():
            # One loader with each kind of stage 1.
            new = self.next(case, "scripted" if self.machine.compiled.loader == "grub" else "systemd")
            self.well("ready", new)
            nonce = self.arm("trial", new)
            if case == "kernel-is-missing":
                gone = self.machine.sh(f"rm -v $(find {' '.join(MENUS)} -name '*linux-6-other-bzImage*')")
                self.checks.that("the kernel is gone from both menus", gone.count("removed") == 2, gone)
            status, said, away, seen = self.machine.leave()
            if case != "kernel-is-missing":
                self.checks.that("the trial entry was booted", f"hostwright.trial={nonce}" in seen, seen[-3000:])
            else:
                self.checks.that("the loader found no kernel", re.search("not found|Error|error", seen), seen[-3000:])
            self.checks.same("the last good generation runs", self.machine.booted(), self.old)
            status, said = self.machine.script("judge", "trial")
            self.checks.that("judge.sh says that it came back", status == 2 and BACK in said, f"status {status}\n{said}")
            self.spent()
            self.well("disarm")
            self.checks.same("nothing is armed on any disk", set(self.machine.armed()), {""})
            self.well("ready")
            return last(said).split(":")[0], away
        return body

    def damaged(self):
        """A candidate that comes up with a failed unit: nobody confirms it, and it goes by itself."""
        new = self.next("is-damaged")
        self.arm("trial", new)
        _, _, up, _ = self.machine.leave()
        status, said = self.machine.script("judge", "trial")
        self.checks.that("judge.sh names the failed unit", status == 1 and "fails.service" in said, f"status {status}\n{said}")
        self.machine.save_boot_id()
        self.machine._hang_up()
        status, waited, away = self.machine.wait()
        self.checks.same("the last good generation runs", self.machine.booted(), self.old)
        status, said = self.machine.script("judge", "trial")
        self.checks.that("judge.sh says that it came back", status == 2 and BACK in said, f"status {status}\n{said}")
        self.spent()
        self.well("disarm")
        self.well("ready")
        return f"damage, then {BACK}", f"{up}, then {away} after the verdict"

    def refused(self, name, before, saying, after):
        """Something that must be refused before anything is armed: arm.sh asks ready.sh first."""
        def body():
            new = self.next()
            self.machine.sh(before)
            status, said = self.machine.script("arm", "trial", new)
            found = [line for line in said.splitlines() if saying in line]
            refused = self.checks.that("arm.sh refuses, and says why", status != 0 and found, f"status {status}\n{said}")
            self.checks.same("nothing is armed", set(self.machine.armed()), {""})
            self.machine.sh(after)
            return (f"refused: {found[0]}" if refused else "NOT refused"), None
        self.case(name, body)

    def refusals(self):
        fill = "dd if=/dev/zero of={0}/filler bs=1M 2> /dev/null || true; sync -f {0}"
        for menu in MENUS:
            self.refused(f"{menu} is full", fill.format(menu), f"{menu} has", f"rm {menu}/filler; sync -f {menu}")
        self.refused("somebody switched live", f"ln -sfn {self.machine.generations.path(self.number + 1)} /run/current-system",
                     "somebody switched", "ln -sfn $(readlink -f /run/booted-system) /run/current-system")
        # Three newer generations than the one that runs, and a menu that holds three.
        newer = "".join(f"ln -s {self.old} /nix/var/nix/profiles/system-{900 + n}-link\n" for n in range(3))
        if self.machine.compiled.loader == "systemd-boot":
            self.refused("LoaderEntryDefault is set by hand", "bootctl set-default \"$(basename $(ls /boot/loader/entries/nixos-*.conf | head -n 1))\"",
                         "LoaderEntryDefault is set", "bootctl set-default ''")
            other = self.next()
            newer = newer.replace(self.old, other)
            self.refused("the last good generation is outside configurationLimit", newer, "configurationLimit",
                         "rm /nix/var/nix/profiles/system-90?-link; /run/current-system/bin/switch-to-configuration boot")
            return
        copy = "mkdir -p /tmp/menu; cp -a /boot/. /tmp/menu/; umount /boot"
        back = "umount /boot; {0}; mount /boot; rm -rf /tmp/menu"
        fill = "cp -a /tmp/menu/. /boot/"
        self.refused("/boot on ZFS", f"{copy}; zfs create -o mountpoint=legacy {self.machine.compiled.pool}/boot; "
                     f"mount -t zfs {self.machine.compiled.pool}/boot /boot; {fill}",
                     "GRUB cannot write to the file system of /boot", back.format(f"zfs destroy {self.machine.compiled.pool}/boot"))
        loops = "truncate -s 300M /nix/one /nix/two; one=$(losetup -f --show /nix/one); two=$(losetup -f --show /nix/two)"
        self.refused("/boot on mdraid", f"{copy}; {loops}; modprobe raid1; mdadm --create /dev/md7 --run --level=1 --raid-devices=2 --metadata=1.0 "
                     f"$one $two 2> /dev/null; mkfs.ext4 -q /dev/md7; mount /dev/md7 /boot; {fill}", "/boot is not directly on a partition",
                     back.format("mdadm --stop -q /dev/md7; losetup -D; rm /nix/one /nix/two"))
        self.refused("/boot on btrfs", f"{copy}; truncate -s 300M /nix/one; mkfs.btrfs -q /nix/one; mount -o loop /nix/one /boot; {fill}",
                     "GRUB cannot write to the file system of /boot", back.format("losetup -D; rm /nix/one"))
        menu = f"{self.machine.compiled.disks['left']}-part2"
        self.refused("/boot is mounted with data=journal", f"umount /boot; mount -o data=journal {menu} /boot", "data=journal",
                     "umount /boot; mount /boot")

    def swapped(self):
        """The other disk boots first after arming: its own grubenv is armed, too, and only that one is spent."""
        nonce = self.arm("baseline", "/run/booted-system")
        self.machine.save_boot_id()
        since, began = self.machine.console_end(), time.monotonic()
        self.machine.power("right")
        away = round(time.monotonic() - began)
        self.checks.that("the other disk boots the trial entry", f"hostwright.trial={nonce}" in self.machine.console(since))
        armed = self.machine.armed()
        self.checks.same("spent on the disk that booted, not on the other one", armed, ["hostwright-trial", ""])
        status, said = self.machine.script("judge", "baseline")
        self.checks.that("judge.sh says that a one-shot is left", status == 1 and "is still set" in said, f"status {status}\n{said}")
        self.well("disarm")
        self.checks.same("nothing is armed on any disk", set(self.machine.armed()), {""})
        verdict = said.strip().splitlines()[0]
        self.machine.power("left")
        self.checks.same("the last good generation runs", self.machine.booted(), self.old)
        self.well("ready")
        return verdict, away

    def forgotten(self):
        """The firmware loses what was armed: the good system boots by default, and that is no baseline."""
        with open(os.path.join(MACHINES, self.machine.name, VARIABLES), "rb") as handle:
            firmware = handle.read()
        self.arm("baseline", "/run/booted-system")
        began = time.monotonic()
        self.machine.power("left", firmware)
        away = round(time.monotonic() - began)
        self.checks.same("nothing is armed any more", set(self.machine.armed()), {""})
        self.checks.same("the last good generation runs", self.machine.booted(), self.old)
        status, said = self.machine.script("judge", "baseline")
        self.checks.that("judge.sh says that the one-shot was not honoured", status == 3 and "was not honoured" in said, f"status {status}\n{said}")
        self.well("disarm")
        self.well("ready")
        return last(said), away

    def run(self):
        grub = self.machine.compiled.loader == "grub"
        self.machine.lay_out()
        self.old = self.machine.become("left", self.number)
        self.case("first boot", self.first_boot)
        self.case("baseline: the good system once", self.baseline)
        self.case("baseline: the good system by default", self.by_default)
        self.case("a good candidate", self.good)
        self.case("the promoted candidate by default", self.by_default)
        self.refusals()
        for case, words in FAULTS.items():
            self.case(f"a candidate that {words}" if not words.startswith("its") else f"a candidate: {words}", self.fault(case))
        if grub:
            self.case("the other disk boots first", self.swapped)
        else:
            self.case("the firmware forgets what was armed", self.forgotten)
        self.case("a candidate with a failed unit, which nobody confirms", self.damaged)


def hasty(options, folder, name):
    """The host as compiled from a definition whose trials live for four minutes only."""
    fleet, out = os.path.join(folder, "hasty"), os.path.join(folder, "hasty-out")
    shutil.copytree(FLEET, fleet)
    path = os.path.join(fleet, "fleet.toml")
    with open(path, encoding="utf-8") as handle:
        text = re.sub(r' give-up-after = "[^"]*"', ' give-up-after = "4min"', handle.read())
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
    build(options.hostwright, fleet, out, name)
    return Compiled(fleet, out, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zfs", choices=("2.1", "2.3"), default="2.3")
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("--only", default="", help="the cases whose name this expression finds")
    parser.add_argument("host", nargs="*", default=list(HOSTS))
    options = parser.parse_args()

    def run(name, checks):
        with tempfile.TemporaryDirectory() as folder:
            out, deployer = os.path.join(folder, "out"), os.path.join(folder, "deployer")
            os.makedirs(os.path.join(deployer, "bin"))
            build(options.hostwright, FLEET, out, name)
            with Machine(Compiled(FLEET, out, name), hasty(options, folder, name), options.zfs, deployer) as machine:
                Test(machine, options, checks).run()
    return drive("boots", options.host, run)


if __name__ == "__main__":
    sys.exit(main())
