"""What every part of the virtual machines uses: failures told in one line, programs run to their end, files written whole, locks."""
import contextlib
import fcntl
import os
import shlex
import subprocess
import sys

PROGRAM = "machine"


class Failure(Exception):
    """Something that the user is told in one line."""


def say(text):
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


def run(argv, *, log=None, why=None, **kwargs):
    """Run a program to its end; its output goes to `log` and, if it fails, its last line into the error."""
    try:
        done = subprocess.run(argv, stdin=kwargs.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed") from None
    if log:
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(f"$ {shlex.join(argv)}\n{done.stdout}\n")
    if done.returncode:
        lines = [line for line in done.stdout.strip().splitlines() if line.strip()]
        detail = lines[-1] if lines else "no output"
        where = f" (log: {log})" if log else ""
        raise Failure(f"{why or argv[0]} failed with status {done.returncode}: {detail}{where}")
    return done.stdout


def write(path, text, mode=0o644):
    """Write a file whole or not at all."""
    data = text if isinstance(text, bytes) else text.encode()
    temporary = f"{path}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as handle:
        handle.write(data)
    os.chmod(temporary, mode)
    os.replace(temporary, path)


@contextlib.contextmanager
def lock(path, *, wait):
    """Hold an exclusive lock; two runs of this program never touch the same guest or VM at once."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Failure(f"another {PROGRAM} command holds {path}") from None
        yield
