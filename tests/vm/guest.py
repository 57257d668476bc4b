"""One virtual machine of `machine.py` as the drivers use it: shell text in, output out, power.

A driver's check is a line: `ok` or `FAILED` with what was there. Nothing here knows what a layout or a pool is.
"""
import difflib
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINES = os.environ.get("HOSTWRIGHT_MACHINES") or "/tmp/hostwright-machines"
# Other work may share the processors: deadlines are for machines that hang, not for slow ones.
PATIENCE = 900


# A driver that is told to end destroys its machine first.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class Broken(Exception):
    """A command that had to succeed did not: the driver cannot go on."""


class Checks:
    """What was checked, and how it went; printed as it comes."""

    def __init__(self, subject):
        self.subject, self.passed, self.failures, self.began = subject, 0, [], time.monotonic()

    def that(self, promise, holds, seen=""):
        if holds:
            self.passed += 1
            print(f"  ok       {promise}", flush=True)
        else:
            self.failures.append(promise)
            print(f"  FAILED   {promise}", flush=True)
            for line in str(seen).strip().splitlines()[-40:]:
                print(f"    | {line}", flush=True)
        return holds

    def same(self, promise, seen, wanted):
        if isinstance(seen, str) and isinstance(wanted, str):
            lines = difflib.unified_diff(wanted.splitlines(), seen.splitlines(), "wanted", "is", lineterm="", n=0)
            return self.that(promise, seen == wanted, "\n".join(lines))
        return self.that(promise, seen == wanted, f"is     {seen!r}\nwanted {wanted!r}")

    def seconds(self):
        return round(time.monotonic() - self.began)


def drive(driver, cases, run):
    """Runs the cases of a driver, each with checks of its own: an exit status, with a line a case and one in all."""
    passed, failed = 0, 0
    for name in cases:
        checks = Checks(name)
        print(f"== {name}", flush=True)
        try:
            run(name, checks)
        except Broken as error:
            checks.failures.append(f"it went on to its end: {error}")
            print(f"  BROKEN   {name}: {error}", flush=True)
        passed, failed = passed + checks.passed, failed + len(checks.failures)
        print(f"{name}: {checks.passed} passed, {len(checks.failures)} failed, {checks.seconds()} s", flush=True)
    print(f"{driver}: {passed} passed, {failed} failed")
    return 1 if failed else 0


class Guest:
    """A machine, from power-on to destruction."""

    def __init__(self, name, zfs, disks=(), memory=2048):
        self.name, self.zfs, self.disks, self.memory = name, zfs, list(disks), memory
        self.times = []

    def __enter__(self):
        self._machine("destroy", self.name, check=False)
        words = [word for disk in self.disks for word in ("--disk", disk)]
        words += ["--zfs", self.zfs, "--memory", str(self.memory), "--timeout", str(PATIENCE)]
        # QEMU's translator crashes some guests while they boot (README): nothing that is tested has run by then.
        for left in (3, 2, 1, 0):
            try:
                self._machine("run", self.name, *words)
                return self
            except SystemExit:
                self._machine("destroy", self.name, check=False)
                raise
            except Broken as crash:
                if "crashed while it booted" not in str(crash) or not left:
                    raise
                print(f"  note     {crash}; once more", flush=True)

    def __exit__(self, *_):
        self._hang_up()
        self._machine("destroy", self.name, check=False)

    def _machine(self, verb, *words, check=True):
        began = time.monotonic()
        command = [sys.executable, f"{HERE}/machine.py", verb, *words]
        environment = dict(os.environ, HOSTWRIGHT_MACHINES=MACHINES)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=environment)
        if check:
            if done.returncode:
                raise Broken(f"{verb} {self.name}: {done.stderr.strip() or done.stdout.strip()}")
            self.times.append((verb, round(time.monotonic() - began)))
        return done

    def _ssh(self, *options):
        folder = os.path.join(MACHINES, self.name)
        # One connection for many commands: a handshake takes a slow guest a second.
        return ["ssh", "-F", f"{folder}/ssh_config", "-T", "-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/ssh",
                "-o", "ControlPersist=120", *options, self.name]

    def _hang_up(self):
        subprocess.run(self._ssh("-O", "exit"), capture_output=True, check=False)

    def run(self, text, given=None, timeout=PATIENCE):
        """Runs shell text as root: the exit status, and both outputs as one."""
        data = given.encode() if isinstance(given, str) else given
        try:
            done = subprocess.run([*self._ssh(), text], input=data if data is not None else b"", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Broken(f"no answer within {timeout} s to: {text}") from None
        return done.returncode, done.stdout.decode(errors="replace")

    def sh(self, text, given=None, timeout=PATIENCE):
        """Runs shell text that must succeed; returns what it says."""
        status, said = self.run(f"set -e\n{text}", given, timeout)
        if status:
            raise Broken(f"status {status} from: {text}\n{said}")
        return said

    def put(self, source, folder):
        """Copies a folder's files into a folder of the guest."""
        packed = subprocess.run(["tar", "-C", source, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
        self.sh(f"rm -rf {folder}; mkdir -p {folder}; tar -C {folder} -x --no-same-owner", packed)

    def write(self, path, text, mode="0644"):
        self.sh(f"mkdir -p $(dirname {path}); cat > {path}; chmod {mode} {path}", text)

    def reboot(self):
        self._hang_up()
        self._machine("reboot", self.name, "--timeout", str(PATIENCE))

    def reset(self):
        self._hang_up()
        self._machine("reset", self.name, "--timeout", str(PATIENCE))

    def swap_root(self, zfs):
        self._hang_up()
        self._machine("swap-root", self.name, "--zfs", zfs, "--timeout", str(PATIENCE))
        self.zfs = zfs
