#!/usr/bin/env python3
"""`hostwright apply` that is killed, and a machine that loses its power, over real ssh: nothing is lost, and nothing is destroyed twice.

  disaster.py [--kills N] [--cuts N] [--skip N] [--seed N] [--base FOLDER] [--record] [CASE...]

  kills  an installation onto two blank disks, whose `apply` is killed (kill -9) at step boundaries and at random moments within steps
  cuts   an update of the host that was installed, whose machine loses its power while the system is copied, while the trial is armed
         and while the candidate is promoted

Each is resumed until its end, and the end is held against that of an undisturbed run. `--base` keeps the installed host between runs.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import closures  # noqa: E402
from guest import HERE, MACHINES, PATIENCE, Broken, drive  # noqa: E402
from installs import HOST, TODAY, TOML, Deployer, Lab, alone, booted, build, carried_out, define  # noqa: E402
from records import keep  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
# The last step whose work lies below /mnt of the rescue system.
INSTALLED = "install-system"
# Runs the install scripts, and writes down when each begins and ends.
SHIM = """#!/bin/sh
case "$*" in
  *--dry-run*) exec /bin/bash "$@" ;;
  */install/*.sh*) ;;
  *) exec /bin/bash "$@" ;;
esac
echo "begin $*" >> /var/log/scripts
/bin/bash "$@"
status=$?
echo "end $status $*" >> /var/log/scripts
exit $status
"""
# Everything below a folder that a run is to leave the same: kind, mode, owner, path, and what it holds. What is made by chance (keys,
# ids of file systems) and by the clock is left out.
TREE = r"""cd {0}
find . ! -path './proc/*' ! -path './sys/*' ! -path './dev/*' ! -path './run/*' ! -path './tmp/*' ! -path './var/log/*' ! -type s \
  -printf '%y %m %U %G %n %p %l\n' | sort
find . -type f ! -path './proc/*' ! -path './sys/*' ! -path './dev/*' ! -path './run/*' ! -path './tmp/*' ! -path './var/log/*' \
  ! -path './var/lib/hostwright/deploy' ! -path '*/etc/ssh/ssh_host_*' ! -name grub.cfg ! -name load.cfg ! -name core.img ! -name grubenv ! -path './etc/fstab' \
  -print0 | sort -z | xargs -0 sha256sum
"""


class Machine(Lab):
    """The machine of installs.py, which can be put away and brought back."""

    def __init__(self, base=None):
        super().__init__()
        self.base = base

    def __enter__(self):
        if self.base is None:
            return super().__enter__()
        self.restore()
        return self

    def restore(self):
        """The machine as it was put away, powered on."""
        self._hang_up()
        self._machine("destroy", self.name, check=False)
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", os.path.join(self.base, "machine"), os.path.join(MACHINES, self.name)], check=True)
        self.in_rescue = False
        self.on()

    def put_away(self, folder):
        self.sh("sync")
        self._hang_up()
        self._machine("stop", self.name, "--timeout", str(PATIENCE))
        shutil.rmtree(os.path.join(folder, "machine"), ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", os.path.join(MACHINES, self.name), os.path.join(folder, "machine")], check=True)

    def on(self):
        self._machine("start", self.name, "--boot", "disk:left", "--timeout", str(PATIENCE))

    def off(self):
        """The plug is pulled: what the machine has not given to its disks is lost."""
        self._hang_up()
        self._machine("stop", self.name, "--hard")

    def tree(self, folder):
        return self.sh(TREE.format(folder), timeout=1800)


class Desk(Deployer):
    """The deployer of installs.py, which can take over from one that was put away, and whose runs can be ended from outside."""

    def __init__(self, folder, hostwright, checks, base=None, fleet=""):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        super().__init__(folder, hostwright, checks)
        if base:
            for name in ("store", "ssh", f"zfs-{self.settings['zfs']}"):
                subprocess.run(["cp", "-a", f"{base}/deployer/{name}/.", f"{folder}/{name}"], check=True)
            self.take(os.path.join(base, fleet))

    def take(self, fleet):
        """The fleet's files as they were put away."""
        shutil.rmtree(self.fleet)
        shutil.copytree(fleet, self.fleet, symlinks=True)

    def environment(self):
        with open(os.path.join(self.folder, "settings.json"), "w", encoding="utf-8") as handle:
            json.dump(self.settings, handle)
        return dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}", **{closures.SETTINGS: os.path.join(self.folder, "settings.json")})

    def begin(self, *words):
        """Starts `apply` in a process group of its own; its words go to a file."""
        with open(os.path.join(self.folder, "apply.log"), "ab") as log:
            return subprocess.Popen([self.hostwright, "apply", HOST, "--non-interactive", *words, *TODAY], cwd=self.fleet, env=self.environment(),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def last_words(self):
        with open(os.path.join(self.folder, "apply.log"), encoding="utf-8", errors="replace") as handle:
            return handle.read()[-3000:]

    def journal(self, scenario):
        """What the journal holds, as records."""
        try:
            with open(os.path.join(self.fleet, f"state/{HOST}/journal-{scenario}.log"), "rb") as handle:
                lines = handle.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line.split(b" ", 2)[2]) for line in lines]


def prepared(options, folder, checks):
    """Puts a host away below `folder` that was installed and has proven its way back, with a definition that has changed since."""
    if os.path.exists(os.path.join(folder, "made")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with Machine() as lab:
        desk = Desk(os.path.join(folder, "deployer"), options.hostwright, checks)
        lab.become_rescue(desk)
        define(desk, lab)
        carried_out(desk, lab, "the host is installed, and its way back is proven", "--until", "baseline-boot-default")
        desk.learn(lab)
        desk.edit(TOML, r"^\[boot\]$", '[boot]\nkernel-params = ["quiet"]')
        build(desk)
        lab.put_away(folder)
        shutil.copytree(desk.fleet, os.path.join(folder, "installed"), symlinks=True)
    with open(os.path.join(folder, "made"), "w", encoding="utf-8") as handle:
        handle.write("yes\n")


class Place:
    """A moment of a run: some seconds behind a record of its journal."""

    def __init__(self, what, step, line, after):
        self.what, self.step, self.line, self.after = what, step, line, after

    def __str__(self):
        line = "" if self.line is None else f", line {self.line + 1}"
        return f"{self.after:.1f} s behind {self.what} of {self.step}{line}"

    def key(self):
        return self.what, self.step, self.line

    def comes(self, desk, run, scenario, seen, order):
        """Waits for it, or for what comes next where a run goes on behind it; whether that came before the run ended."""
        while True:
            now = [key_of(record) for record in desk.journal(scenario)[seen:]]
            if any(key in order and order.index(key) >= order.index(self.key()) for key in now):
                time.sleep(self.after)
                return run.poll() is None
            if run.poll() is not None:
                return False
            time.sleep(0.05)


def key_of(record):
    return record["what"], record.get("step"), record.get("line")


def at(desk, scenario, place, order):
    """Starts `apply` and waits for a moment of it; the run, and whether the moment came."""
    seen = len(desk.journal(scenario))
    run = desk.begin(*ANSWERS[scenario])
    return run, place.comes(desk, run, scenario, seen, order)


def boundaries(records, steps):
    """Every beginning and end of these steps and of their lines."""
    keys = dict.fromkeys(key_of(record) for record in records
                         if record.get("step") in steps and record["what"] in ("began", "line-began", "line-done", "done"))
    return [Place(*key, 0) for key in keys]


def within(records, steps, dice):
    """A moment within each line of these steps."""
    return [Place("line-began", record["step"], record["line"], dice.uniform(0.02, 0.98) * record["millis"] / 1000) for record in records
            if record.get("step") in steps and record["what"] == "line-done"]


def kills(options, checks):
    """An installation whose `apply` is killed."""
    dice = random.Random(options.seed)
    with Machine() as lab:
        desk = Desk(os.path.join(MACHINES, "desk"), options.hostwright, checks)
        lab.become_rescue(desk)
        lab.write("/usr/local/bin/bash", SHIM, "0755")
        define(desk, lab)
        defined = os.path.join(MACHINES, "defined")
        shutil.rmtree(defined, ignore_errors=True)
        shutil.copytree(desk.fleet, defined, symlinks=True)
        carried_out(desk, lab, "apply installs, undisturbed", "--until", INSTALLED)
        records, wanted = desk.journal("install"), laid(lab, desk)
        started = lab.sh("cat /var/log/scripts")
        blank(lab)
        desk.take(defined)
        # Each run begins with the definition anew.
        steps = list(dict.fromkeys(record["step"] for record in records if record["what"] == "began" and record["step"] != "check-definition"))
        steps = steps[steps.index("copy-install-scripts"):]
        places = boundaries(records, steps)
        moments = [place for place in within(records, steps, dice) if place.after > 0.3]
        half = options.kills // 2
        chosen = dice.sample(places, min(half, len(places))) + dice.sample(moments, min(options.kills - half, len(moments)))
        order = [key_of(record) for record in records]
        chosen.sort(key=lambda place: (order.index(place.key()), place.after))
        killed, group = 0, 0
        for place in chosen:
            run, came = at(desk, "install", place, order)
            if came:
                with contextlib.suppress(ProcessLookupError):
                    (os.killpg if killed % 2 else os.kill)(run.pid, signal.SIGKILL)
                    killed, group = killed + 1, group + killed % 2
            status = run.wait()
            print(f"  note     {'killed' if came else f'status {status}'}: {place}", flush=True)
        said = resumed(desk, "install", checks)
        checks.that(f"{killed} kills of apply, {group} of them with its process group, and the last run comes to its end", said == 0, desk.last_words())
        checks.same("the disks and what lies on them are those of an undisturbed installation", laid(lab, desk), wanted)
        counts = lab.sh("cat /var/log/scripts")
        checks.same("every install script began and ended as often as undisturbed", counts, started)
        record(options, checks, "kill -9 of apply, installation", "from copying the scripts to the boot loader", killed, said)


def resumed(desk, scenario, checks):
    """Runs `apply` until nothing is left to do; the last status."""
    for _ in range(4):
        run = desk.begin(*ANSWERS[scenario])
        if run.wait() == 0:
            return 0
        print("".join(f"    apply: {line}\n" for line in desk.last_words().splitlines()[-12:]), end="", flush=True)
    return run.returncode


def laid(lab, desk):
    """What an installation has left on the disks, which it has exported."""
    folder = f"/root/hostwright/hosts/{HOST}/install"
    text = lab.sh(f"/bin/bash {folder}/mount.sh > /dev/null 2>&1; {TREE.format('/mnt')}", timeout=1800)
    lab.sh("umount -R /mnt; zpool export -a")
    return text


def blank(lab):
    """Blank disks, and a rescue system that has just been started."""
    lab.sh("""for disk in /dev/disk/by-id/virtio-lab-left /dev/disk/by-id/virtio-lab-right; do
          for part in "$disk"-part*; do zpool labelclear -f "$part" > /dev/null 2>&1 || true; wipefs -qa "$part" || true; done
          wipefs -qa "$disk"; blkdiscard -f "$disk"
        done; udevadm settle
        rm -rf /root/hostwright* /var/log/scripts /var/lib/hostwright /run/hostwright /mnt/* /etc/hostid; cp /root/hostid /etc/hostid 2> /dev/null || true""")


def cuts(options, checks):
    """An update of a host whose power is cut."""
    dice = random.Random(options.seed)
    base = options.base or os.path.join(MACHINES, "disaster-base")
    prepared(options, base, checks)
    desk = Desk(os.path.join(MACHINES, "desk"), options.hostwright, checks, base, "installed")
    lab = Machine(base)
    try:
        lab.restore()
        build(desk)
        defined = os.path.join(MACHINES, "changed")
        shutil.rmtree(defined, ignore_errors=True)
        shutil.copytree(desk.fleet, defined, symlinks=True)
        old = booted(lab)
        checks.same("apply updates, undisturbed", resumed(desk, "update", checks), 0)
        records, wanted = desk.journal("update"), runs(lab)
        lab.restore()
        desk.take(defined)
        new = os.path.realpath(os.path.join(desk.fleet, f"state/{HOST}/system"))
        took = {(record["step"], record["line"]): record["millis"] / 1000 for record in records if record["what"] == "line-done"}
        arm, promote = (next(number for (step, number) in took if step == "reboot-test" and number == line) for line in (1, 8))
        of = {"copy": [("copy-system", 0)] * 5 + [("copy-reboot-scripts", 0)] * 2, "activation and loader": [("reboot-test", arm)] * 8,
              "promotion": [("reboot-test", promote)] * 5}
        done = {name: 0 for name in of}
        chosen = [(name, place) for name, places in of.items() for place in places]
        chosen = chosen[options.skip:]
        # As many as there is to be, of each kind in its share.
        count = min(options.cuts, len(chosen))
        chosen = [chosen[number * len(chosen) // count] for number in range(count)]
        for name, (step, line) in chosen:
            place = Place("line-began", step, line, dice.uniform(0.05, 0.95) * took[step, line])
            run, came = at(desk, "update", place, [place.key()])
            if not came:
                print(f"  note     status {run.wait()}: {place}", flush=True)
                continue
            lab.off()
            began = time.monotonic()
            lab.on()
            done[name] += 1
            status = run.wait()
            checks.that(f"power cut {place}: apply stops in order", status in (0, 3), f"status {status}\n{desk.last_words()}")
            said = back(lab, checks, old, new, place)
            print(f"  note     power cut {place}: {said}, apply's status {status}, {time.monotonic() - began:.0f} s", flush=True)
        said = resumed(desk, "update", checks)
        cut = sum(done.values())
        checks.that(f"{cut} power cuts, and the last run comes to its end", said == 0, desk.last_words())
        checks.same("the machine is as after an undisturbed update", runs(lab), wanted)
        for name, count in ((name, count) for name, count in done.items() if count):
            record(options, checks, f"power cut, {name}, seed {options.seed}", ", ".join(sorted({step for step, _ in of[name]})), count, said)
    finally:
        lab.__exit__()


def back(lab, checks, old, new, place):
    """What the machine came up with after a power cut."""
    system = booted(lab)
    if "hostwright.trial=" in lab.sh("cat /proc/cmdline"):
        # It was armed already: the trial is spent, and the next boot leads back.
        checks.same(f"power cut {place}: an armed candidate boots", system, new)
        lab.reset()
        checks.same(f"power cut {place}: and is left by the next boot", booted(lab), old)
        return "the armed candidate, once"
    checks.that(f"power cut {place}: one of the two good systems boots", system in (old, new), system)
    return "the old system" if system == old else "the new system"


# What is on the machine after an update: the store, the menus without dates and numbers of generations, the scripts.
RUNS = r"""readlink -f /run/booted-system /nix/var/nix/profiles/system /nix/var/nix/gcroots/hostwright-last-good
ls /nix/var/nix/profiles/system-profiles
cd /nix/store; find . -printf '%y %m %p %l
' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum
sha256sum /var/lib/hostwright/reboot/*; ls /var/lib/hostwright/verdicts
for boot in /boot /boot-*; do
  [ -d $boot/grub ] || continue
  grub-editenv $boot/grub/grubenv list | sed -n 's/^next_entry/armed &/p'; ls $boot/grub | grep -v new; sha256sum $boot/kernels/*
  sed 's/Configuration [0-9]* ([-0-9]* /Configuration (/' $boot/grub/grub.cfg | sort -u
done
"""


def runs(lab):
    return lab.sh(RUNS, timeout=1800)


def record(options, checks, subject, what, count, status):
    if options.record:
        keep("disaster", subject, checks, {"what": what, "times": count, "verdict": "the same end" if status == 0 and not checks.failures else "another end"})


CASES = {"kills": kills, "cuts": cuts}
ANSWERS = {"install": [*("--confirm=" + step for step in ("prove-access", "start-installer", "compare-fingerprint", "confirm-disks")),
                       "--yes-destroy=virtio-lab-left", "--yes-destroy=virtio-lab-right", "--until", INSTALLED],
           "update": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostwright", default=os.path.join(ROOT, "target/debug/hostwright"))
    parser.add_argument("--kills", type=int, default=20, help="how often apply is killed [20]")
    parser.add_argument("--cuts", type=int, default=20, help="how often the power is cut [20]")
    parser.add_argument("--skip", type=int, default=0, help="power cuts of an earlier run, which are not made again [0]")
    parser.add_argument("--seed", type=int, default=1, help="the same moments for the same number [1]")
    parser.add_argument("--base", help="where the installed host is kept between runs")
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/evidence/ (records.py)")
    parser.add_argument("case", nargs="*", default=list(CASES))
    options = parser.parse_args()
    options.hostwright = os.path.abspath(options.hostwright)
    alone()
    return drive("disaster", options.case, lambda name, checks: CASES[name](options, checks))


if __name__ == "__main__":
    sys.exit(main())
