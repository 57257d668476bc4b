"""Install scripts that are killed on the way, and run again.

A script's undisturbed run is written down command by command. What a killed run leaves behind depends on the last command that
changed something, so there is one kill before the first of these and one after each (`lines`; `sample` takes a few), and with `all`
one in the midst of each that takes its time. The next run must give the layout of an undisturbed run, or refuse and say how to undo what is
there; then that is done, and the run after it must give the layout.
"""
import random
import re
import time

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


def before(machine, name):
    """Brings the machine to where a script begins, from wherever it is; the scripts before it have run once at least."""
    if name == "partition":
        machine.wipe()
    elif name == "pools":
        machine.release()
        machine.empty(device for device, (_, _, kind) in machine.host.labels().items() if kind == "zfs_member")
        # Members without a pool: what is below them is opened again.
        if machine.host.luks or machine.host.arrays:
            complete(machine, "partition")
    elif name == "mount":
        machine.release()
    else:
        machine.release()
        complete(machine, "mount")
        machine.sh("rm -rf /mnt/etc/ssh /mnt/nix/store")


def trace(machine, name):
    """The commands of an undisturbed run: number, line, text, and the seconds until the next one."""
    before(machine, name)
    machine.sh("rm -f /root/trace")
    status, said = machine.script(name, words_of(machine, name), f"BASH_ENV=/root/kill.bash KILL_SCRIPT={name}.sh KILL_TRACE=/root/trace")
    if status:
        raise RuntimeError(f"{name}.sh: {said}")
    rows = [line.split("\t", 3) for line in machine.sh("cat /root/trace").splitlines()]
    steps = []
    for at, (number, clock, line, command) in enumerate(rows):
        # The command at the head of a pipe is waited for where its tail is.
        after = next((row for row in rows[at + 1:] if not row[3].startswith("tee ")), rows[-1])
        steps.append((int(number), line, command, float(after[1]) - float(clock)))
    return steps


def points(steps, how):
    """Kill points: (number of the command, seconds after its start or None)."""
    changing = [(number, seconds) for number, _, command, seconds in steps if CHANGES.match(command)]
    dice = random.Random(len(steps))
    found = [(number, None) for number, _ in changing] + ([(changing[-1][0] + 2, None)] if changing else [])
    if how == "lines":
        return found
    found += [(number, round(dice.uniform(0.1, 0.9) * seconds, 2)) for number, seconds in changing if seconds > QUICK]
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


def sweep(checks, machine, how, scripts):
    """Kills scripts in turn; yields what was done, a row a script."""
    before(machine, "partition")
    for name in (*machine.host.scripts, "install"):
        if name not in scripts:
            complete(machine, name)
            continue
        steps = trace(machine, name)
        if name == "install":
            complete(machine, "mount")
        wanted = machine.describe()
        chosen, same, undone, began = points(steps, how), 0, 0, time.monotonic()
        print(f"  note     {name}.sh: {len(steps)} commands, to be killed at {len(chosen)} points", flush=True)
        for number, (at, delay) in enumerate(chosen, 1):
            print(f"  note     {number} of {len(chosen)}: {name}.sh, {time.monotonic() - began:.0f} s", flush=True)
            before(machine, name)
            env = f"BASH_ENV=/root/kill.bash KILL_SCRIPT={name}.sh KILL_AT={at}" + (f" KILL_AFTER={delay}" if delay else "")
            machine.script(name, words_of(machine, name), f"setsid -w env {env}")
            machine.sh("udevadm settle")
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
            if status == 0 and seen == wanted:
                same += 1
                continue
            where = f"{name}.sh killed at command {at} of {len(steps)}" + (f", {delay} s after its start" if delay else "")
            command = next((step for step in steps if step[0] == at), (at, "", "the end", 0))
            checks.that(f"{where}: the next run ends it", False, f"line {command[1]}: {command[2]}\n{said}"
                        + (f"\nis\n{seen}\nwanted\n{wanted}" if status == 0 else ""))
        seconds = round(time.monotonic() - began)
        checks.that(f"{name}.sh killed at {len(chosen)} points of {len(steps)} commands: {same} gave the same layout ({seconds} s)",
                    same == len(chosen))
        yield {"script": f"{name}.sh", "commands": len(steps), "points": len(chosen),
                     "midst": sum(1 for _, delay in chosen if delay), "same": same, "undone": undone}
