"""Generations of a machine that looks like NixOS to the scripts of a reboot test: store paths with kernel, initrd, units and loader.

What a generation carries is what `hostwright build` wrote for the host: the dead-man's script and units, the kernel's words, what
the loader's menu gets. Files of standin/ stand in for the rest of NixOS; loader, kernel, systemd and ZFS are real ones.
"""
import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
import tomllib

from guest import HERE, Broken
from images import guests_folder

STANDIN = os.path.join(HERE, "standin")
# What NixOS puts into the PATH of a unit that names nothing else: Debian's packages of the same programs.
PACKAGES = "coreutils findutils grep sed systemd"
EMULATED = ("audit=0", "mitigations=off", "no_timer_check", "systemd.show_status=error")
# Of the guest's own units what no case needs, and what an emulated processor does for minutes.
BESIDE = {name: None for name in ("zfs-zed.service", "zfs-share.service", "zfs-volume-wait.service", "zfs-mount.service", "systemd-pstore.service",
                                  "systemd-tpm2-setup.service", "systemd-tpm2-setup-early.service", "systemd-hwdb-update.service", "ldconfig.service",
                                  # These write to grubenv.
                                  "grub-common.service", "grub-initrd-fallback.service")}
SLOW = ("DefaultTimeoutStartSec=15min", "DefaultDeviceTimeoutSec=15min")
NETWORK = {"systemd-networkd.service": None, "systemd-networkd.socket": None}
# Case -> units of its generation; None masks.
UNITS = {
    "hangs-in-stage-2": {"hangs.service": "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
                         "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n"},
    "has-no-network": NETWORK,
    "sshd-is-masked": {"ssh.service": None, "ssh.socket": None},
    "is-damaged": {"fails.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n"},
}
# These can never be confirmed: their definition lets them live for four minutes only.
NEVER_UP = ("hangs-in-stage-2", "has-no-network", "sshd-is-masked")
WANTED = {"hangs-in-stage-2": ("sysinit.target", "hangs.service"), "is-damaged": ("multi-user.target", "fails.service")}


def nix_string(text, key):
    """The string that a compiled Nix file sets `key` to, behind `lib.mkIf (...)` or the line that sets PATH, if there is one."""
    found = re.search(rf"\b{re.escape(key)}\s*=\s*(?:lib\.mkIf \([^)]*\)\s*|\"export PATH=.*?:\$PATH\\n\"\s*\+\s*)?(''|\")", text, re.DOTALL)
    if not found:
        raise Broken(f"the compiled files do not set {key}")
    if found[1] == '"':
        return re.match(r'((?:[^"\\]|\\.)*)"', text[found.end():])[1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    lines = re.match(r"\n?(.*?)''(?!['$\\])", text[found.end():], re.DOTALL)[1].split("\n")
    indent = min(len(line) - len(line.lstrip(" ")) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines).replace("''$", "$").replace("'''", "''")


def nix_list(text, key):
    found = re.search(rf"\b{key} = \[(.*?)\]", text, re.DOTALL)
    return re.findall(r'"([^"]*)"', found[1]) if found else []


class Compiled:
    """What the program made of a host, as far as its generations hold it."""

    def __init__(self, fleet, out, host):
        self.host, self.folder = host, os.path.join(out, "hosts", host)
        boot, test = (self.read(f"{name}.nix") for name in ("boot", "reboot-test"))
        with open(os.path.join(fleet, "hosts", host, "host.toml"), "rb") as handle:
            self.toml = tomllib.load(handle)
        self.loader = self.toml["boot"]["loader"]
        self.disks = {name: f"/dev/disk/by-id/{disk['id']}" for name, disk in self.toml["disks"].items()}
        self.pool = next(iter(self.toml["zfs"]["pools"]))
        # NixOS adds the first of these itself; the others make an emulated processor bearable.
        self.params = [*nix_list(boot, "kernelParams"), *nix_list(test, "kernelParams"), "loglevel=4", *EMULATED]
        self.limit = re.search(r"configurationLimit = (?:lib\.mkDefault )?(\d+);", boot)[1]
        self.stage_1 = nix_string(test, "preDeviceCommands")
        of_initrd = test[test.index("        services.hostwright-deadman"):]
        self.systemd_stage_1 = nix_string(of_initrd, "script")
        self.stage_1_unit = [f"{key}={value}" for key, value in re.findall(r'(\w+) = "?([\w.]+)"?;', of_initrd[of_initrd.index("unitConfig"):of_initrd.index("}")])]
        self.pre_switch_check = nix_string(test, "preSwitchChecks.hostwright")
        unit = test[test.index("\n    services.hostwright-deadman"):]
        self.dead_man, self.type = nix_string(unit, "script"), re.search(r'Type = "(\w+)"', unit)[1]
        timer = test[test.index("timers.hostwright-deadman"):]
        self.timer = [f"{key}={re.search(rf'{key} = .([^;]*).;', timer)[1]}" for key in ("OnBootSec", "AccuracySec")]
        manager = test[test.index("settings.Manager = {"):]
        self.manager = [f"{key}={re.search(rf'{key} = lib.mkDefault .([^;]*).;', manager)[1]}"
                        for key in ("RuntimeWatchdogSec", "RebootWatchdogSec")]
        grub = self.loader == "grub"
        self.menus = "".join(f"{path} {disk}\n" for path, disk in re.findall(r'path = "(.*?)";\s*devices = \[ "(.*?)" \]', boot))
        self.prepare = nix_string(boot, "extraPrepareConfig") if grub else ""
        self.install_commands = nix_string(boot, "extraInstallCommands")
        self.extra_config = nix_string(boot, "extraConfig") if grub else ""
        self.extra_entries = nix_string(boot, "extraEntries") if grub else ""

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as handle:
            return handle.read()


def systemd_stage_1(compiled, case):
    """What a generation adds to an initrd whose stage 1 is systemd: the compiled dead-man, NixOS' panic, and the root."""
    text = f"[Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\nExecStart={{}}\n"
    load = "/bin/busybox sh -c 'for one in $$(/bin/busybox cat /boot-modules); do /bin/busybox insmod $$one; done'"
    mount = {"panics-in-stage-1": "/bin/busybox false", "hangs-in-stage-1": "/usr/bin/sleep infinity",
             "asks-for-a-key": "/bin/busybox sh -c 'read key < /dev/console'"}.get(
        case, "/bin/busybox sh -c 'until /bin/busybox mount -t ext4 -o rw /dev/vda /sysroot; do /bin/busybox sleep 1; done'")
    say = "/bin/busybox sh -c 'echo \"stage 1: $$(/bin/busybox cat /proc/cmdline)\" > /dev/console'"
    script = "#!/usr/bin/bash\nset -e\n\n{}\n"
    units = {
        "modules.service": "[Unit]\nDefaultDependencies=no\n" + text.format(load) + f"ExecStart={say}\n",
        "mount-root.service": "[Unit]\nDefaultDependencies=no\nRequires=modules.service\nAfter=modules.service\n"
                              "Before=initrd-root-fs.target\n" + text.format(mount),
        "hostwright-deadman.service": "[Unit]\n" + "".join(f"{line}\n" for line in compiled.stage_1_unit) +
                                      "\n[Service]\nExecStart=/usr/bin/hostwright-deadman-start\n",
        "emergency.target": "[Unit]\nDefaultDependencies=no\n",
        "panic-on-fail.service": "[Unit]\nDefaultDependencies=no\nConditionKernelCommandLine=boot.panic_on_fail\n"
                                 "[Service]\nType=oneshot\nExecStart=/usr/bin/panic-on-fail\n",
    }
    folder, regular, program = "usr/lib/systemd/system", stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
    files = {f"{folder}/{name}": (regular, unit) for name, unit in units.items()}
    files["usr/bin/hostwright-deadman-start"] = (program, script.format(compiled.systemd_stage_1))
    files["usr/bin/panic-on-fail"] = (program, script.format("echo c > /proc/sysrq-trigger"))
    for place, unit in (("sysinit.target.wants", "hostwright-deadman.service"), ("emergency.target.wants", "panic-on-fail.service"),
                        ("initrd-root-fs.target.requires", "mount-root.service"), ("initrd.target.wants", "initrd-cleanup.service")):
        files[f"{folder}/{place}"] = (stat.S_IFDIR | 0o755, "")
        files[f"{folder}/{place}/{unit}"] = (stat.S_IFLNK | 0o777, f"../{unit}")
    return files


def hashed(name):
    """A path of the store for something of this name, the same in every run."""
    return f"/nix/store/{hashlib.sha256(name.encode()).hexdigest()[:32]}-{name}"


def standin(name, **words):
    with open(os.path.join(STANDIN, name), encoding="utf-8") as handle:
        text = handle.read()
    for key, value in words.items():
        text = text.replace(f"@{key}@", value)
    return text


def archive(files):
    """A cpio archive as the kernel unpacks it over another one: path -> (mode, text or bytes)."""
    out = io.BytesIO()
    for number, (path, (mode, text)) in enumerate([*files.items(), ("TRAILER!!!", (0, ""))], 1):
        data, name = text if isinstance(text, bytes) else text.encode(), path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))
    return gzip.compress(out.getvalue(), mtime=0)


class Generations:
    """The generations of one machine; makes each where it is wanted."""

    def __init__(self, guest, compiled, hasty):
        self.guest, self.compiled, self.hasty = guest, compiled, hasty

    def prepare(self):
        """What is under all generations: the store, the kernel, the initrd's lower half, Nix."""
        self.guest.sh(f"""mkdir -p /nix/store /nix/var/nix/gcroots /nix/var/nix/profiles/system-profiles {hashed('linux-6')} {hashed('linux-6-other')}
            cp /boot/vmlinuz {hashed('linux-6')}/bzImage; cp /boot/vmlinuz {hashed('linux-6-other')}/bzImage; cp /boot/initramfs /nix/initramfs
            mkdir -p {hashed('system-path')}/bin {hashed('unit-path')}/bin
            ln -s /usr/bin/* /usr/sbin/* {hashed('system-path')}/bin 2> /dev/null || true
            ln -sfn -t {hashed('unit-path')}/bin $(dpkg -L {PACKAGES} | grep -E '^(/usr)?/s?bin/')""")
        with open(os.path.join(guests_folder(), f"modules-{self.guest.zfs}", "busybox"), "rb") as handle:
            self.guest.sh("cat > /nix/busybox; chmod 755 /nix/busybox", handle.read())
        self.guest.write("/nix/initrd", standin("initrd"), "0755")
        self.guest.sh("/nix/initrd systemd /nix/busybox /nix/initrd-systemd")
        for name in ("nix-env", "nix-store"):
            self.guest.write(f"{hashed('system-path')}/bin/{name}", standin(name), "0755")

    def path(self, number):
        return hashed(f"nixos-system-{self.compiled.host}-26.05.{number}")

    def make(self, number, case="", stage_1="scripted"):
        """Makes a generation with the fault of a case; returns its path."""
        compiled, system = self.hasty if case in NEVER_UP else self.compiled, self.path(number)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            def put(path, text, mode=0o644):
                data = text.encode() if isinstance(text, str) else text
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(data), mode
                tar.addfile(entry, io.BytesIO(data))

            def link(path, target):
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)

            # A kernel that goes missing is one that no other generation needs.
            kernel = hashed("linux-6-other" if case == "kernel-is-missing" else "linux-6")
            initrd = hashed(f"initrd-linux-6-{number}")
            scripted = {"init": (stat.S_IFREG | 0o755, standin("stage-1", preDeviceCommands=compiled.stage_1)),
                        "case": (stat.S_IFREG | 0o644, case)}
            put(f"{initrd}/upper", archive(scripted if stage_1 == "scripted" else systemd_stage_1(compiled, case)))
            link(f"{system}/initrd", f"{initrd}/initrd")
            describe(compiled, put, link, system, kernel, f"26.05.{number}", case)
        self.guest.sh("tar -C / -x --no-same-owner", packed.getvalue())
        middle = "" if stage_1 == "scripted" else "/nix/initrd-systemd"
        self.guest.sh(f"cat /nix/initramfs {middle} {initrd}/upper > {initrd}/initrd")
        return system


def describe(compiled, put, link, system, kernel, version, case=""):
    """A system as it lies in the store, but for its initrd: what the scripts of a reboot test and the loader's installer read of it."""
    link(f"{system}/kernel", f"{kernel}/bzImage")
    link(f"{system}/sw", hashed("system-path"))
    put(f"{system}/kernel-params", " ".join(compiled.params))
    put(f"{system}/nixos-version", version)
    put(f"{system}/init", standin("init", system=system), 0o755)
    put(f"{system}/bin/switch-to-configuration", standin("switch-to-configuration", system=system), 0o755)
    settings = {"kind": compiled.loader, "limit": compiled.limit, "menus": compiled.menus, "prepare": compiled.prepare,
                "extra-config": compiled.extra_config, "extra-entries": compiled.extra_entries,
                "install-commands": compiled.install_commands, "pre-switch-check": compiled.pre_switch_check}
    for name, text in settings.items():
        put(f"{system}/loader/{name}", text)
    units(compiled, put, link, f"{system}/etc/systemd", case)


def units(compiled, put, link, folder, case):
    """The units of a generation: the dead-man as compiled, and what is wrong with it."""
    start = f"{hashed('unit-script-hostwright-deadman-start')}/bin/hostwright-deadman-start"
    # As NixOS makes the program of a unit's `script`.
    put(start, f"#!/bin/bash\nset -e\n\n{compiled.dead_man}\n", 0o755)
    put(f"{folder}/system/hostwright-deadman.service",
        "[Unit]\nDefaultDependencies=false\nDescription=resets a trial boot that nobody confirms\n\n"
        f"[Service]\nEnvironment=\"PATH={hashed('unit-path')}/bin\"\nExecStart={start}\nType={compiled.type}\n")
    put(f"{folder}/system/hostwright-deadman.timer", "[Unit]\nDefaultDependencies=false\n\n[Timer]\n" + "\n".join(compiled.timer) + "\n")
    link(f"{folder}/system/sysinit.target.wants/hostwright-deadman.timer", "../hostwright-deadman.timer")
    put(f"{folder}/system.conf.d/manager.conf", "[Manager]\n" + "\n".join([*compiled.manager, *SLOW]) + "\n")
    # `systemd.enableEmergencyMode = false`: NixOS then has no such units.
    for name, text in {"emergency.target": None, "emergency.service": None, **BESIDE, **UNITS.get(case, {})}.items():
        if text is None:
            link(f"{folder}/system/{name}", "/dev/null")
        else:
            put(f"{folder}/system/{name}", text)
    if case in WANTED:
        target, name = WANTED[case]
        link(f"{folder}/system/{target}.wants/{name}", f"../{name}")
