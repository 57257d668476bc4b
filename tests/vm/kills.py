"""Install scripts that are killed on the way, and run again.

A script's undisturbed run is written down command by command. What a killed run leaves behind depends on the last command that
changed something, so there is one kill before the first of these and one after each (`all`; `sample` takes every third), and
one in the midst of each that takes long. Running again to the end must give the layout of an undisturbed run.
"""
import random
import re

# What may change a disk, a mount or a file; everything else in the scripts looks, compares and speaks.
CHANGES = re.compile(r'^"\$@"|^(modprobe|blockdev --reread|udevadm|rm|mkdir|printf .*> |cryptsetup|mdadm|zpool|zfs) ?')
SCRIPTS = ("partition", "pools", "mount", "install")


def words_of(machine, name):
    return {"partition": machine.yes(), "install": "--system /nix/store/system"}.get(name, "")


def before(machine, name):
    """Brings the machine to where a script begins."""
    order = SCRIPTS.index(name)
    if order == 0:
        machine.wipe()
        return
    if order == 1:
        machine.wipe()
    elif order == 2:
        machine.release()
        return
    for earlier in SCRIPTS[:order] if order == 1 else ("mount",):
        finish(machine, earlier)


def finish(machine, name):
    status, said = machine.script(name, words_of(machine, name))
    return status, said


def trace(machine, name):
    before(machine, name)
    machine.sh("rm -f /root/trace")
    machine.script(name, words_of(machine, name), f"BASH_ENV=/root/kill.bash KILL_SCRIPT={name}.sh KILL_TRACE=/root/trace")
    lines = machine.sh("cat /root/trace").splitlines()
    return [line.split("\t", 2) for line in lines]


def points(steps, how):
    """Kill points: (number of the command, seconds after its start or None)."""
    changing = [int(number) for number, _, command in steps if CHANGES.match(command)]
    dice = random.Random(len(steps))
    found = [(at, None) for at in changing] + ([(changing[-1] + 1, None)] if changing else [])
    found += [(at, round(dice.uniform(0.02, 0.4), 2)) for at in changing]
    return found if how == "all" else found[::max(1, len(found) // 4)][:5]


def sweep(checks, machine, how):
    """Kills each script in turn; what was done, a row a script."""
    rows = []
    for name in SCRIPTS:
        steps = trace(machine, name)
        wanted = machine.describe()
        chosen, same = points(steps, how), 0
        for at, delay in chosen:
            before(machine, name)
            env = f"BASH_ENV=/root/kill.bash KILL_SCRIPT={name}.sh KILL_AT={at}" + (f" KILL_AFTER={delay}" if delay else "")
            machine.run(f"cd /root && setsid -w env {env} /root/install/{name}.sh {words_of(machine, name)}; udevadm settle")
            if name == "install":
                finish(machine, "mount")
            status, said = finish(machine, name)
            seen = machine.describe()
            where = f"{name}.sh killed at command {at} of {len(steps)}" + (f", {delay} s after its start" if delay else "")
            if status == 0 and seen == wanted:
                same += 1
            else:
                command = next((line for line in steps if int(line[0]) == at), ["", "", ""])
                checks.that(f"{where}: the next run ends it", False,
                            f"line {command[1]}: {command[2]}\n{said}\nis\n{seen}\nwanted\n{wanted}" if status == 0 else
                            f"line {command[1]}: {command[2]}\n{said}")
        checks.that(f"{name}.sh killed at {len(chosen)} points of {len(steps)} commands: {same} gave the same layout",
                    same == len(chosen))
        rows.append({"script": f"{name}.sh", "commands": len(steps), "points": len(chosen),
                     "midst": sum(1 for _, delay in chosen if delay), "same": same})
    return rows
