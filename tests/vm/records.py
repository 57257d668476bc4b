"""What the drivers saw, kept from run to run, and written as docs/evidence/*.md.

A record is one row of one page: it is made by a run and replaced by the next run of the same thing, so that a page holds only what
ran, each row with its day and the commit that it ran with.
"""
import datetime
import glob
import json
import os
import subprocess

from guest import HERE

ROOT = os.path.dirname(os.path.dirname(HERE))
RECORDS = os.environ.get("HOSTWRIGHT_RECORDS") or os.path.join(ROOT, "target/evidence")
PAGES = os.path.join(ROOT, "docs/evidence")
LAYOUTS = ("Install scripts in a virtual machine with OpenZFS {0}",
           "`tests/vm/layouts.py`: each host's generated scripts on virtual disks of the host's ids and sizes, with OpenZFS {0}.",
           [("host", "subject"), ("what ran", "what")])
KILLS = ("Install scripts that are killed and run again",
         "`tests/vm/layouts.py --kills`: a script is killed before its first command that changes something, after each such "
         "command, and with `all` in the midst of each; the next run must give the layout of an undisturbed run.",
         [("host", "host"), ("OpenZFS", "zfs"), ("script", "script"), ("commands", "commands"), ("kill points", "of"), ("killed", "points"),
          ("in the midst", "midst"), ("same layout after the next run", "same"), ("after what the script asks for", "undone")])
FEATURES = ("Every pool feature that OpenZFS 2.3 knows and 2.1 does not",
            "`tests/vm/features.py`: one pool a feature, made by 2.3 with that feature active, then imported by 2.1. The prediction is "
            "that of `hostwright check` (`zfs-pool-newer-than-channel`). Rows of a host's scripts are its pool as those laid it out with 2.3.",
            [("pool", "subject"), ("active", "active"), ("2.1: predicted", "predicted"), ("2.1: real", "real"),
             ("what 2.1 names", "named")])
PROBE = ("From blank disks to a compiled fleet",
         "`tests/vm/probe.py`: the printed probe script in a guest with blank disks, then `new`, `check` and `build`.",
         [("machine", "subject"), ("OpenZFS", "zfs"), ("what ran", "what"), ("lines that ask the person something", "questions")])
BOOTS = ("The reboot test on real loaders",
         "`tests/vm/boots.py`: the compiled scripts of the reboot test in a guest with a real GRUB (BIOS, a /boot on each of two disks) and "
         "a real systemd-boot (OVMF, two ESPs). What stands in for NixOS is in tests/vm/standin. `seconds away` is what wait.sh says, in an "
         "emulated machine on busy processors, where one boot takes two to five minutes. The limits there are 1 min for stage 1, 15 min for a "
         "trial, and a few minutes for a trial that nobody can confirm. Stage 1 of the candidates that fail is a scripted one with GRUB and "
         "systemd with systemd-boot; good candidates have systemd. A case without a row has not run to its end.",
         [("loader", "loader"), ("case", "case"), ("verdict", "verdict"), ("seconds away", "away")])
INSTALLS = ("Plans carried out on a real machine",
            "`tests/vm/installs.py`: `hostwright` over real ssh to a guest with two blank disks and real ZFS, from `probe` to a host whose root is "
            "on the pool, booted by GRUB. The steps that need Nix are carried by stand-ins (closures.py, standin/). A processor of the guest is "
            "emulated, so that a boot takes minutes.",
            [("what", "subject"), ("commands", "what"), ("verdict", "verdict")])
RECOVERIES = ("Hosts that are gone, and come back from definition and backup",
              "`tests/vm/recovers.py`: a host is installed, filled and backed up with real restic; its disks are destroyed, and `hostwright apply "
              "--scenario recover` brings it back onto blank ones from another deployer. Nix is carried by stand-ins as in installs.py. A processor "
              "of the guest is emulated, so that a boot takes minutes.",
              [("what", "subject"), ("what came back", "what"), ("expected", "expected"), ("measured", "measured"), ("services back after", "back")])
DISASTER = ("Plans that are killed, and machines that lose their power",
            "`tests/vm/disaster.py`: `hostwright apply` over real ssh is killed (kill -9, every second time with its process group) at boundaries of steps and "
            "within them while a guest with real ZFS and GRUB is installed, and the guest loses its power while it is updated. Each run is resumed to its end. "
            "The same end: what lies on the disks is what an undisturbed run leaves, file by file, and each install script began and ended once.",
            [("what", "subject"), ("during", "what"), ("times", "times"), ("verdict", "verdict")])
KINDS = {"disaster": DISASTER, "recoveries": RECOVERIES, "boots": BOOTS, "installs": INSTALLS, "layouts-2.1": LAYOUTS, "layouts-2.3": LAYOUTS, "kills": KILLS, "features": FEATURES, "probe": PROBE}


def commit():
    """The commit of the tree, marked where something but what is written here is changed since."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False).stdout.strip()
    said = git("rev-parse", "--short=8", "HEAD")
    if said and git("status", "--porcelain", "--", ".", ":!docs/evidence"):
        said += "-dirty"
    return said or "unknown"


# What a run began with: the tree may be changed while it goes on.
COMMIT = commit()


def keep(page, subject, checks, figures, seconds=None):
    """Keeps one row and writes its page anew."""
    os.makedirs(os.path.join(RECORDS, page), exist_ok=True)
    row = {"subject": subject, "day": datetime.datetime.now(datetime.timezone.utc).date().isoformat(), "commit": COMMIT,
           "passed": checks.passed, "failures": checks.failures, "seconds": checks.seconds() if seconds is None else seconds, **figures}
    name = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in subject)
    replace(os.path.join(RECORDS, page, f"{name}.json"), json.dumps(row, indent=1))
    write(page)


def replace(path, text):
    """Writes a file whole: other drivers, running beside this one, read it."""
    made = f"{path}.{os.getpid()}"
    with open(made, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(made, path)


def write(page):
    rows = []
    for path in sorted(glob.glob(os.path.join(glob.escape(RECORDS), page, "*.json"))):
        with open(path, encoding="utf-8") as handle:
            rows.append(json.load(handle))
    title, about, columns = KINDS[page]
    version = page.removeprefix("layouts-")
    columns = [*columns, ("day", "day"), ("commit", "commit")]
    if page not in ("boots", "features", "kills"):
        columns[-2:-2] = [("checks passed", "passed"), ("failed", "failed"), ("seconds", "seconds")]
    lines = [f"# {title.format(version)}", "", about.format(version), "",
             "| " + " | ".join(heading for heading, _ in columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        row["failed"] = len(row["failures"])
        lines.append("| " + " | ".join(str(row.get(key, "-")) for _, key in columns) + " |")
    failures = sorted({f"- {row['subject']}: {one}" for row in rows for one in row["failures"]})
    lines += ["", "Failed:", "", *failures] if failures else []
    os.makedirs(PAGES, exist_ok=True)
    replace(os.path.join(PAGES, f"{page}.md"), "\n".join(lines) + "\n")
