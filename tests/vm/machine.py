#!/usr/bin/env python3
"""Throw-away virtual machines with a real ZFS, for tests that partition disks, make pools and reboot.

  machine.py build      --zfs 2.1|2.3                    make (once) the guest: kernel, initramfs, root image
  machine.py run NAME   --zfs V --disk ssd:8G [...]      start it with its disks, wait for ssh
  machine.py ssh NAME   -- CMD...                        run a command as root; its exit status is ours
  machine.py reboot NAME                                 reboot the guest; the qemu process stays
  machine.py reset NAME                                  the same without warning: the reset button
  machine.py swap-root NAME --zfs V                      same disks, the other root image
  machine.py start NAME / stop NAME                      power on and off; disks stay
  machine.py status [NAME]                               what runs
  machine.py destroy NAME                                power off and delete its disks

Every failure is one line on stderr and a non-zero exit status.
"""
import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
import time
import uuid

sys.dont_write_bytecode = True
from common import PROGRAM, Failure, lock  # noqa: E402
from images import GUESTS, build, guests_folder  # noqa: E402
from qemu import (  # noqa: E402
    boot_id, check_boot, check_port, kill, load, parse_disk, power_off, power_on, qmp, report, running, save, ssh_arguments,
    ssh_output, vm_path, wait_ssh, write_ssh_files,
)


def command_build(options):
    guest = build(options)
    if options.json:
        print(json.dumps(guest))
    else:
        sizes = ", ".join(f"{name} {size} MiB" for name, size in guest["size_mib"].items())
        print(f"zfs {guest['zfs_package']}, Linux {guest['kernel']}: {sizes}; built in {guest['seconds']} s")


def command_run(options):
    folder = vm_path(options.state, options.name)
    serials = {}
    for pair in (options.serials or "").split(","):
        if pair:
            name, equals, serial = pair.partition("=")
            if not equals:
                raise Failure(f"bad --serials {pair!r}: want NAME=SERIAL,...")
            serials[name] = serial
    disks = [parse_disk(text, serials) for text in options.disk]
    names = [disk["name"] for disk in disks]
    if len(set(names)) != len(names):
        raise Failure("two disks have the same name")
    unknown = sorted(set(serials) - set(names))
    if unknown:
        raise Failure(f"--serials names a disk that is not there: {unknown[0]}")
    check_boot(options.boot, names)
    forwards = []
    for text in options.forward:
        match = re.match(r"^(\d+):(\d+)$", text)
        if not match:
            raise Failure(f"bad --forward {text!r}: want HERE:GUEST, such as 8080:80")
        forwards.append([int(match[1]), int(match[2])])
    reaches = []
    for text in options.reach:
        match = re.match(r"^([\d.]+):(\d+)$", text)
        if not match:
            raise Failure(f"bad --reach {text!r}: want ADDRESS:PORT, such as 10.0.2.100:8000")
        reaches.append([match[1], int(match[2])])
    os.makedirs(options.state, exist_ok=True)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if os.path.exists(os.path.join(folder, "vm.json")):
            raise Failure(f"{options.name} exists: start it, or destroy it first")
        build(options)
        port = check_port(options.ssh_port)
        shutil.rmtree(folder, ignore_errors=True)  # what a killed command may have left
        os.makedirs(os.path.join(folder, "disks"))
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{PROGRAM}:{options.name}")
        vm = {
            "name": options.name, "zfs": options.zfs, "cache": os.path.abspath(options.cache), "uuid": str(identity),
            "mac": "52:54:00:" + ":".join(f"{byte:02x}" for byte in identity.bytes[:3]), "disks": disks,
            "ssh_port": port, "forwards": forwards, "reaches": reaches, "memory": options.memory,
            "cpus": options.cpus, "boot": options.boot, "append": options.append, "roots": {}, "process": None,
        }
        try:
            for disk in disks:
                with open(os.path.join(folder, "disks", f"{disk['name']}.img"), "wb") as handle:
                    handle.truncate(disk["size"])
            write_ssh_files(options.state, vm)
            save(options.state, vm)
            power_on(options, vm)
        except BaseException:
            if not options.keep:
                with contextlib.suppress(OSError):
                    shutil.copyfile(os.path.join(folder, "console.log"),
                                    os.path.join(options.state, f"{options.name}.failed-console.log"))
                shutil.rmtree(folder, ignore_errors=True)
            raise
        report(options, vm, f"booted in {vm['boot_seconds']} s (zfs {vm['zfs']}, {vm['accelerator']}, "
               f"ssh 127.0.0.1:{vm['ssh_port']})", boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def command_start(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if running(vm):
            raise Failure(f"{vm['name']} runs already")
        names = [disk["name"] for disk in vm["disks"]]
        if options.boot:
            check_boot(options.boot, names)
            vm["boot"] = options.boot
        for name in options.without:
            if name not in names:
                raise Failure(f"--without {name}: no such disk")
        if options.append is not None:
            vm["append"] = options.append
        power_on(options, vm)
        report(options, vm, f"booted in {vm['boot_seconds']} s (zfs {vm['zfs']}, {vm['accelerator']})",
               boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def command_swap_root(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        build(options)
        started = time.monotonic()
        power_off(options, vm)
        off = round(time.monotonic() - started, 1)
        vm["zfs"] = options.zfs
        power_on(options, vm)
        report(options, vm, f"off in {off} s, booted with zfs {vm['zfs']} in {vm['boot_seconds']} s",
               off_seconds=off, boot_seconds=vm["boot_seconds"], boot_id=vm["boot_id"])


def restart(options, act, word):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if not running(vm):
            raise Failure(f"{vm['name']} is off")
        before = boot_id(options.state, vm)
        if before is None and word == "rebooted":
            raise Failure(f"{vm['name']} does not answer on ssh")
        pid = vm["process"]["pid"]
        started = time.monotonic()
        act(vm)
        after, down = wait_ssh(options.state, vm, options.timeout, not_boot=before)
        seconds = round(time.monotonic() - started, 1)
        if vm["process"]["pid"] != pid:
            raise Failure("qemu was replaced")
        vm["boot_id"] = after
        save(options.state, vm)
        report(options, vm, f"{word} in {seconds} s, {down:.1f} s of them without ssh", seconds=seconds,
               down_seconds=round(down, 1), boot_id_before=before, boot_id=after)


def command_reboot(options):
    restart(options, lambda vm: ssh_output(options.state, vm, "systemctl reboot --no-block"), "rebooted")


def command_reset(options):
    restart(options, lambda vm: qmp(options.state, vm, "system_reset"), "reset")


def command_wait(options):
    """For reboots that somebody else began: the program under test."""
    vm = load(options.state, options.name)
    if not running(vm):
        raise Failure(f"{vm['name']} is off")
    started = time.monotonic()
    after, _ = wait_ssh(options.state, vm, options.timeout, not_boot=options.not_boot)
    report(options, vm, f"up after {time.monotonic() - started:.1f} s, boot id {after}", boot_id=after)


def command_stop(options):
    vm = load(options.state, options.name)
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        report(options, vm, power_off(options, vm))


def command_destroy(options):
    folder = vm_path(options.state, options.name)
    if not os.path.isdir(folder):
        raise Failure(f"no machine called {options.name} in {options.state}")
    with lock(os.path.join(options.state, f".{options.name}.lock"), wait=False):
        if os.path.exists(os.path.join(folder, "vm.json")):
            kill(load(options.state, options.name))
        shutil.rmtree(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(options.state, f".{options.name}.lock"))
    print(json.dumps({"name": options.name}) if options.json else f"{options.name}: destroyed")


def command_status(options):
    names = [options.name] if options.name else sorted(
        name for name in (os.listdir(options.state) if os.path.isdir(options.state) else [])
        if os.path.exists(os.path.join(options.state, name, "vm.json")))
    rows = []
    for name in names:
        vm = load(options.state, name)
        up = running(vm)
        rows.append({"name": name, "running": up, "pid": vm["process"]["pid"] if up else None, "zfs": vm["zfs"],
                     "accelerator": vm.get("accelerator"), "ssh_port": vm["ssh_port"], "boot": vm["boot"],
                     "ssh_config": os.path.join(os.path.abspath(vm_path(options.state, name)), "ssh_config"),
                     "disks": [{"name": disk["name"], "bus": disk["bus"], "serial": disk["serial"],
                                "bytes": disk["size"],
                                "used_bytes": os.stat(os.path.join(vm_path(options.state, name), "disks",
                                                                   f"{disk['name']}.img")).st_blocks * 512}
                               for disk in vm["disks"]]})
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        process = f"pid {row['pid']}, ssh 127.0.0.1:{row['ssh_port']}" if row["running"] else "off"
        print(f"{row['name']}: {process}, zfs {row['zfs']}, {row['accelerator']}, "
              f"disks {' '.join(disk['name'] for disk in row['disks']) or 'none'}")


def command_ssh(options):
    vm = load(options.state, options.name)
    if not running(vm):
        raise Failure(f"{vm['name']} is off")
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not words:
        raise Failure("ssh: no command; write: ssh NAME -- CMD")
    # One word is shell text; several words are one command with its arguments.
    command = words[0] if len(words) == 1 else shlex.join(words)
    os.execvp("ssh", ssh_arguments(options.state, vm, command))


def parser():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            print(f"{PROGRAM}: {message}", file=sys.stderr)
            sys.exit(2)

    top = Parser(prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="one JSON value instead of a line of text")
    cached = argparse.ArgumentParser(add_help=False)
    cached.add_argument("--cache", default=guests_folder(),
                        help="where built guests are kept ($HOSTWRIGHT_GUESTS, else ~/.cache/hostwright/guests)")
    stated = argparse.ArgumentParser(add_help=False)
    stated.add_argument("--state", default=os.environ.get("HOSTWRIGHT_MACHINES"), help="where machines are kept ($HOSTWRIGHT_MACHINES)")
    waits = argparse.ArgumentParser(add_help=False)
    waits.add_argument("--timeout", type=float, default=240, help="seconds to wait for the guest (240)")
    powers = argparse.ArgumentParser(add_help=False)
    powers.add_argument("--accel", choices=["auto", "kvm", "tcg"], default=os.environ.get("HOSTWRIGHT_ACCEL", "auto"),
                        help="auto: kvm where a guest really boots under it, else tcg")
    powers.add_argument("--max-life", type=int, default=7200, help="seconds after which qemu ends by itself (7200)")
    powers.add_argument("--without", action="append", default=[], metavar="DISK", help="leave a disk unplugged")

    def add(name, function, parents, named=True, **kwargs):
        sub = commands.add_parser(name, parents=[shared, *parents], **kwargs)
        if named:
            sub.add_argument("name")
        sub.set_defaults(function=function)
        return sub

    sub = add("build", command_build, [cached], named=False, help="make a guest, once")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--force", action="store_true", help="make it again")
    sub = add("run", command_run, [cached, stated, waits, powers], help="make and start a machine")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--disk", action="append", default=[], help=parse_disk.__doc__)
    sub.add_argument("--serials", help="NAME=SERIAL,...")
    sub.add_argument("--ssh-port", type=int, default=0, help="on 127.0.0.1; 0: any free one")
    sub.add_argument("--forward", action="append", default=[], metavar="HERE:GUEST", help="another TCP port")
    sub.add_argument("--reach", action="append", default=[], metavar="ADDRESS:PORT", help="what the guest reaches: this port here, at that address there")
    sub.add_argument("--memory", type=int, default=1536, help="MiB (1536)")
    sub.add_argument("--cpus", type=int, default=1, help="processors (1)")
    sub.add_argument("--boot", default="kernel", help="kernel (default), disk:NAME or uefi:NAME")
    sub.add_argument("--append", action="append", default=[], help="words for the kernel command line")
    sub.add_argument("--keep", action="store_true", help="keep the disks when the first boot fails")
    sub.set_defaults(force=False)
    sub = add("start", command_start, [stated, waits, powers], help="power on")
    sub.add_argument("--boot", help="from now on boot: kernel, disk:NAME or uefi:NAME")
    sub.add_argument("--append", action="append", help="replaces the words given to run")
    sub = add("swap-root", command_swap_root, [stated, waits, powers], help="same disks, other root image")
    sub.add_argument("--zfs", choices=sorted(GUESTS), required=True)
    sub.add_argument("--hard", action="store_true", help="pull the plug instead of powering off")
    sub.set_defaults(force=False)
    add("reboot", command_reboot, [stated, waits], help="reboot the guest")
    add("reset", command_reset, [stated, waits], help="press the reset button")
    sub = add("wait", command_wait, [stated, waits], help="wait for ssh")
    sub.add_argument("--not-boot", metavar="BOOT_ID", help="wait for a boot other than this one")
    sub = add("stop", command_stop, [stated, waits], help="power off")
    sub.add_argument("--hard", action="store_true", help="pull the plug")
    add("destroy", command_destroy, [stated], help="power off and delete")
    sub = add("status", command_status, [stated], named=False, help="what runs")
    sub.add_argument("name", nargs="?")
    sub = add("ssh", command_ssh, [stated], help="run a command as root")
    sub.add_argument("command", nargs=argparse.REMAINDER)
    return top


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    options = parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if hasattr(options, "state"):
            if not options.state:
                raise Failure("say where machines are kept: --state DIR or $HOSTWRIGHT_MACHINES")
            options.state = os.path.abspath(options.state)
        if options.verb == "swap-root":
            options.cache = load(options.state, options.name)["cache"]
        if hasattr(options, "cache"):
            options.cache = os.path.abspath(options.cache)
        options.function(options)
    except Failure as failure:
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"{PROGRAM}: interrupted{f' by {stop}' if str(stop) else ''}", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
