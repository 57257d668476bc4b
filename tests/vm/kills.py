"""Install scripts that are killed on the way, and run again.

A script's undisturbed run is written down command by command. What a killed run leaves behind depends on the last command that
changed something, so there is one kill before the first of these and one after each (`lines`; `sample` takes a few), and with `all`
one in the midst of each that takes its time. The next run must give the layout of an undisturbed run, or refuse and say how to undo what is
there; then that is done, and the run after it must give the layout.
"""
import collections
import random
import re
import shlex
import time
import typing

from disks import HOST_KEYS, INSTALL

# What may change a disk, a mount or a file; everything else in the scripts looks, compares and speaks.
CHANGES = re.compile(r'^does (?!udevadm |sync\b)|^(modprobe|blockdev --reread|rm|mkdir|mount|umount|mv|printf .*> (/etc|"\$parameter)|cryptsetup|mdadm|zpool (create|import)|zfs (create|set)) ?')
SCRIPTS = ("partition", "pools", "mount", "install")
# A command that is over within this time (seconds) is not killed in its midst.
QUICK = 0.1
# What a refusal says of a run that was cut off, and what a person then does.
UNDO = re.compile(r"(?P<device>/dev/\S+) holds .* where that is a run that was cut off, wipefs --all it"
                  r"|(?P<array>\S+): \d+ of \d+ members .* where that is a run that was cut off, mdadm --zero-superblock them")


def words_of(machine, name):
    return {"partition": machine.yes(), "install": f"{INSTALL} --host-keys {HOST_KEYS}"}.get(name, "")


def finish(machine, name):
    return machine.script(name, words_of(machine, name))


def complete(machine, name):
    """Runs a script that has to succeed."""
    status, said = finish(machine, name)
    if status:
        raise RuntimeError(f"{name}.sh: {said}")


def before(machine, name, first=0):
    """Brings the machine to where a script begins, from wherever it is; the scripts before it have run once at least.

    With `first`, partition.sh's disks before that one stay as they are, laid out: it finds what it had made by then.
    """
    if name == "partition":
        machine.wipe(machine.ids[first:])
    elif name == "pools":
        machine.release()
        machine.empty(device for device, (_, _, kind) in machine.host.labels().items() if kind in (None, "zfs_member"))
        # Members without a pool: what is below them is opened again.
        if machine.host.upper():
            complete(machine, "partition")
    elif name == "mount":
        machine.release()
    else:
        machine.release()
        complete(machine, "mount")
        machine.sh("rm -rf /mnt/etc/ssh /mnt/nix/store")


class Step(typing.NamedTuple):
    """A command of an undisturbed run."""

    line: str
    command: str
    time: int
    """How many times the same command had been run, this one included."""
    seconds: float
    disk: int
    """The disk that it works on, where those before it are done with."""


def trace(machine, name):
    """The commands of an undisturbed run."""
    before(machine, name)
    machine.sh("rm -f /root/trace")
    status, said = machine.script(name, words_of(machine, name), f"BASH_ENV=/root/kill.bash KILL_SCRIPT={name}.sh KILL_TRACE=/root/trace")
    if status:
        raise RuntimeError(f"{name}.sh: {said}")
    rows = [line.split("\t", 2) for line in machine.sh("cat /root/trace").splitlines()]
    steps, times = [], collections.Counter()
    for at, (clock, line, command) in enumerate(rows):
        # The command at the head of a pipe is waited for where its tail is.
        after = next((row for row in rows[at + 1:] if not row[2].startswith("tee ")), rows[-1])
        times[command] += 1
        steps.append(Step(line, command, times[command], float(after[0]) - float(clock), disk_of(machine, name, rows[at:])))
    return steps


def disk_of(machine, name, rows):
    """The disk that partition.sh cuts at the first of these commands; 0 where it cuts none, or more lies on the disks together."""
    if name != "partition" or machine.host.upper():
        return 0
    # The call that ends each disk names it.
    last = next((command for _, _, command in rows if command.startswith("does sgdisk --disk-guid=R ")), "")
    return next((at for at, disk in enumerate(machine.ids) if last.endswith(f"/{disk}")), 0)


def points(steps, how):
    """Kill points: (step, seconds after its start or None)."""
    at = [number for number, step in enumerate(steps) if CHANGES.match(step.command)]
    dice = random.Random(len(steps))
    found = [(steps[number], None) for number in at]
    # After the last change: before the next command that is the script's own.
    found += [(next(step for step in steps[at[-1] + 1:] if not step.command.startswith("tee ")), None)] if at else []
    if how == "lines":
        return found
    found += [(steps[number], round(dice.uniform(0.1, 0.9) * steps[number].seconds, 2)) for number in at
              if steps[number].seconds > QUICK]
    return found if how == "all" else found[::max(1, len(found) // 4)][:5]


def undo(machine, said):
    """Does what a refusal says; whether it said anything."""
    match = UNDO.search(said)
    if not match:
        return False
    if match["device"]:
        machine.sh(f"wipefs -qa {match['device']}")
    else:
        machine.release()
        machine.sh(f"mdadm --zero-superblock {' '.join(machine.host.members()[match['array']][2])} 2>&1 || true")
    return True


def killed(machine, name, step, delay):
    """Runs a script that is killed at a step; whether it was."""
    env = {"BASH_ENV": "/root/kill.bash", "KILL_SCRIPT": f"{name}.sh", "KILL_COMMAND": step.command, "KILL_TIME": step.time}
    if delay:
        env["KILL_AFTER"] = delay
    words = " ".join(f"{key}={shlex.quote(str(value))}" for key, value in env.items())
    status, _ = machine.script(name, words_of(machine, name), f"setsid -w env {words}")
    machine.sh("udevadm settle")
    return status != 0 or bool(delay)


def sweep(checks, machine, how, scripts, shard=(1, 1)):
    """Kills scripts in turn; yields what was done, a row a script. A shard takes each n-th point."""
    before(machine, "partition")
    for name in (*machine.host.scripts, "install"):
        if name not in scripts:
            complete(machine, name)
            continue
        steps = trace(machine, name)
        if name == "install":
            complete(machine, "mount")
        wanted = machine.describe()
        every = points(steps, how)
        chosen, same, undone, began = every[shard[0] - 1::shard[1]], 0, 0, time.monotonic()
        print(f"  note     {name}.sh: {len(steps)} commands, to be killed at {len(chosen)} points", flush=True)
        for number, (step, delay) in enumerate(chosen, 1):
            print(f"  note     {number} of {len(chosen)}: {name}.sh, {time.monotonic() - began:.0f} s: {step.command[:80]}", flush=True)
            before(machine, name, step.disk)
            hit = killed(machine, name, step, delay)
            if name == "install":
                finish(machine, "mount")
            status, said = finish(machine, name)
            # What one undoing leaves, the next refusal names: a few devices at most.
            for _ in range(3):
                if status and undo(machine, said):
                    undone += 1
                    status, said = finish(machine, name)
            if name == "install" and status == 0:
                status, said = finish(machine, "mount")
            seen = machine.describe()
            if hit and status == 0 and seen == wanted:
                same += 1
            else:
                where = f"{name}.sh killed in line {step.line}" + (f", {delay} s after its start" if delay else "")
                checks.same(f"{where}: the next run ends it", f"killed: {hit}\nstatus: {status}\n{said if status else seen}",
                            f"killed: True\nstatus: 0\n{wanted}")
            yield {"script": f"{name}.sh", "commands": len(steps), "points": number, "of": len(every),
                   "midst": sum(1 for _, late in chosen[:number] if late), "same": same, "undone": undone}
        checks.that(f"{name}.sh killed at {len(chosen)} points of {len(steps)} commands: {same} gave the same layout "
                    f"({time.monotonic() - began:.0f} s)", same == len(chosen))
