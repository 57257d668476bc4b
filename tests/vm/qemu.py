"""One virtual machine: its disks, qemu's arguments, power, and whether it answers on ssh."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from common import PROGRAM, Failure, lock, run, write
from images import guest_path, guest_ready

# QEMU 7.2's translator spoils the flags of cmpxchg16b: the memory allocator of Linux 6.12 then takes a failure for a success, and
# the guest crashes in most boots.
BROKEN = "cx16=off"
NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9-]{0,30}$")
SERIAL_PATTERN = re.compile(r"^[A-Za-z0-9._-]{1,20}$")
SIZE_PATTERN = re.compile(r"^(\d+)([MGT]?)$")


def accelerator(cache, version, wanted):
    """kvm only where a guest kernel really runs under it: /dev/kvm alone proves nothing inside another VM."""
    if wanted in ("kvm", "tcg"):
        return wanted
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as handle:
        boot = handle.read().strip()
    known = os.path.join(cache, "accelerator.json")
    with lock(os.path.join(cache, "accelerator.lock"), wait=True):
        try:
            with open(known, encoding="utf-8") as handle:
                seen = json.load(handle)
            if seen["boot_id"] == boot:
                return seen["accelerator"]
        except (FileNotFoundError, ValueError, KeyError):
            pass
        guest = guest_path(cache, version)
        try:
            done = subprocess.run(
                ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-machine", "pc", "-accel",
                 "kvm", "-cpu", "max", "-m", "512", "-display", "none", "-serial", "stdio", "-kernel",
                 f"{guest}/vmlinuz", "-initrd", f"{guest}/initramfs", "-append",
                 "console=ttyS0 panic=-1 guest.fail=initramfs"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=15, check=False)
            works = b"initramfs: told to fail in the initramfs" in done.stdout
        except subprocess.TimeoutExpired:
            works = False
        result = "kvm" if works else "tcg"
        write(known, json.dumps({"boot_id": boot, "accelerator": result}) + "\n")
        return result


def vm_path(state, name):
    if not NAME_PATTERN.match(name):
        raise Failure(f"bad name {name!r}: lower-case letters, digits and dashes, 31 at most")
    return os.path.join(state, name)


def load(state, name):
    try:
        with open(os.path.join(vm_path(state, name), "vm.json"), encoding="utf-8") as handle:
            return json.load(handle)
    except FileNotFoundError:
        raise Failure(f"no machine called {name} in {state}") from None


def save(state, vm):
    write(os.path.join(vm_path(state, vm["name"]), "vm.json"), json.dumps(vm, indent=1) + "\n")


def process_start(pid):
    """When a process started, in ticks: with the pid it names one process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
            fields = handle.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def running(vm):
    process = vm.get("process")
    return bool(process) and process_start(process["pid"]) == process["start"]


def wait_gone(vm, seconds):
    deadline = time.monotonic() + seconds
    while running(vm):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill(vm):
    """End the one process that this machine is."""
    for signal_number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if not running(vm):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(vm["process"]["pid"], signal_number)
        if wait_gone(vm, patience):
            return
    raise Failure(f"process {vm['process']['pid']} of {vm['name']} does not end")


def qmp(state, vm, command):
    """Say one thing to qemu's control socket."""
    folder = os.open(vm_path(state, vm["name"]), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(f"/proc/self/fd/{folder}/qmp.sock")  # the real path may be too long for a socket
            stream = link.makefile("rw", encoding="utf-8")
            stream.readline()
            for name in ("qmp_capabilities", command):
                stream.write(json.dumps({"execute": name}) + "\n")
                stream.flush()
                while True:
                    answer = stream.readline()
                    if not answer:
                        raise Failure(f"qemu of {vm['name']} closed its control socket")
                    answer = json.loads(answer)
                    if "error" in answer:
                        raise Failure(f"qemu refused {command}: {answer['error'].get('desc')}")
                    if "return" in answer:
                        break
            return answer["return"]
    except OSError as error:
        raise Failure(f"no answer from the control socket of {vm['name']}: {error}") from None
    finally:
        os.close(folder)


def parse_disk(text, serials):
    """NAME:SIZE[,bus=scsi|nvme|ata|virtio][,serial=S][,model=M][,wwn=HEX][,sector=512|512e|4096][,ssd=0|1]"""
    head, *rest = text.split(",")
    name, _, size = head.partition(":")
    match = SIZE_PATTERN.match(size)
    if not NAME_PATTERN.match(name) or not match:
        raise Failure(f"bad disk {text!r}: want NAME:SIZE, such as hdd0:4G")
    disk = {"name": name, "size": int(match[1]) * {"": 1, "M": 2**20, "G": 2**30, "T": 2**40}[match[2]],
            "bus": "scsi", "serial": serials.get(name, name), "sector": "512", "ssd": name.startswith(("ssd", "nvme"))}
    for word in rest:
        key, _, value = word.partition("=")
        if key == "ssd" and value in ("0", "1"):
            disk["ssd"] = value == "1"
        elif key in ("bus", "serial", "model", "wwn", "sector"):
            disk[key] = value
        else:
            raise Failure(f"bad word {word!r} in disk {name}")
    if disk["bus"] not in ("scsi", "nvme", "ata", "virtio"):
        raise Failure(f"bad bus {disk['bus']!r} of disk {name}: scsi, nvme, ata or virtio")
    if disk["sector"] not in ("512", "512e", "4096"):
        raise Failure(f"bad sector {disk['sector']!r} of disk {name}: 512, 512e or 4096")
    if not SERIAL_PATTERN.match(disk["serial"]):
        raise Failure(f"bad serial {disk['serial']!r} of disk {name}: at most 20 letters, digits, dots and dashes")
    if not re.match(r"^[A-Za-z0-9 ._-]{0,40}$", disk.get("model", "")):
        raise Failure(f"bad model of disk {name}: at most 40 letters, digits, spaces, dots and dashes")
    if disk["bus"] == "ata" and disk["sector"] == "4096":
        raise Failure(f"disk {name}: an ata disk has sectors of 512 or 512e")
    return disk


def disk_arguments(disks, boot_disk):
    """qemu's arguments for the data disks."""
    arguments = ["-device", "virtio-scsi-pci,id=scsi"] if any(disk["bus"] == "scsi" for disk in disks) else []
    ata = 0
    for disk in disks:
        arguments += ["-drive", f"if=none,id=d-{disk['name']},file=disks/{disk['name']}.img,format=raw,"
                      "cache=unsafe,discard=unmap,detect-zeroes=unmap"]
        logical, physical = {"512": (512, 512), "512e": (512, 4096), "4096": (4096, 4096)}[disk["sector"]]
        common = f"drive=d-{disk['name']},serial={disk['serial']},logical_block_size={logical}," \
                 f"physical_block_size={physical}"
        if disk["name"] == boot_disk:
            common += ",bootindex=1"
        rotation = 1 if disk["ssd"] else 7200
        model = disk.get("model")
        wwn = f",wwn={disk['wwn']}" if disk.get("wwn") else ""
        if disk["bus"] == "scsi":
            named = f",product={model[:16]}" if model else ""
            arguments += ["-device", f"scsi-hd,bus=scsi.0,{common},rotation_rate={rotation}{named}{wwn}"]
        elif disk["bus"] == "nvme":
            arguments += ["-device", f"nvme,{common}"]
        elif disk["bus"] == "virtio":
            arguments += ["-device", f"virtio-blk-pci,{common}"]
        else:
            if ata == 4:
                raise Failure("at most 4 ata disks")
            named = f",model={model}" if model else ""
            arguments += ["-device", f"ide-hd,bus=ide.{ata // 2},unit={ata % 2},{common},"
                          f"rotation_rate={rotation}{named}{wwn}"]
            ata += 1
    return arguments


def firmware_arguments(folder):
    """OVMF with variables of the machine's own, so that boot entries and counters survive."""
    for code, variables in (("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd")):
        if os.path.exists(f"/usr/share/OVMF/{code}"):
            own = os.path.join(folder, "uefi-variables.fd")
            if not os.path.exists(own):
                shutil.copyfile(f"/usr/share/OVMF/{variables}", own)
            return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/{code}",
                    "-drive", "if=pflash,format=raw,unit=1,file=uefi-variables.fd"]
    raise Failure("UEFI needs the package ovmf")


def qemu_arguments(options, vm, folder):
    guest = guest_path(vm["cache"], vm["zfs"])
    kvm = vm["accelerator"] == "kvm"
    arguments = [
        "qemu-system-x86_64", "-name", vm["name"], "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "pc", "-accel", "kvm" if kvm else "tcg,thread=multi,tb-size=512", "-cpu", "host" if kvm else f"max,{BROKEN}",
        "-smp", str(vm["cpus"]), "-m", str(vm["memory"]), "-uuid", vm["uuid"], "-rtc", "base=utc",
        "-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console",
        "-chardev", "socket,id=qmp,path=qmp.sock,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
        "-pidfile", "qemu.pid", "-device", "virtio-rng-pci",
        "-drive", f"if=none,id=root,file=root-{vm['zfs']}.qcow2,format=qcow2,cache=unsafe,discard=unmap",
        "-device", "virtio-blk-pci,drive=root,serial=guest-root",
    ]
    forwards = [(vm["ssh_port"], 22), *vm["forwards"]]
    network = [f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in forwards]
    # What the guest may reach: one port of this machine at an address of its network, a process a connection.
    network += [f"guestfwd=tcp:{address}:{port}-cmd:{sys.executable} -B {os.path.join(os.path.dirname(os.path.abspath(__file__)), 'repository.py')} --pipe {port}"
                for address, port in vm.get("reaches", [])]
    arguments += ["-netdev", "user,id=net,restrict=on," + ",".join(network)]
    arguments += ["-device", f"virtio-net-pci,netdev=net,romfile=,mac={vm['mac']}"]
    disks = [disk for disk in vm["disks"] if disk["name"] not in (options.without or [])]
    kind, _, disk = vm["boot"].partition(":")
    arguments += disk_arguments(disks, disk)
    if kind == "uefi":
        arguments += firmware_arguments(folder)
    if kind == "kernel":
        arguments += ["-kernel", f"{guest}/vmlinuz", "-initrd", f"{guest}/initramfs", "-append", " ".join(
            ["root=/dev/vda rw console=ttyS0 loglevel=4 audit=0 mitigations=off no_timer_check", *vm["append"]])]
    return arguments


def check_port(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failure(f"port 127.0.0.1:{port}: {error.strerror}") from None
        return probe.getsockname()[1]


def console_tail(state, vm):
    """The last words on the machine's console, for an error message."""
    try:
        with open(os.path.join(vm_path(state, vm["name"]), "console.log"), "rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - 4000))
            lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", b"", handle.read()).decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return "nothing"
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1][:200] if lines else "nothing"


def ssh_arguments(state, vm, command):
    return ["ssh", "-F", os.path.join(vm_path(state, vm["name"]), "ssh_config"), "-T", vm["name"], command]


def ssh_output(state, vm, command, timeout=20):
    """What a command prints in the guest, or None when the guest cannot be asked."""
    try:
        done = subprocess.run(ssh_arguments(state, vm, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def boot_id(state, vm):
    answer = ssh_output(state, vm, "cat /proc/sys/kernel/random/boot_id")
    return answer.strip() if answer else None


def banner(port):
    """Whether an ssh server speaks; qemu accepts connections long before there is one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.settimeout(2)
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_ssh(state, vm, timeout, not_boot=None):
    """Wait for ssh of a boot other than `not_boot`; the new boot id and the seconds without an answer."""
    started = time.monotonic()
    silent_since = None
    while True:
        now = time.monotonic()
        if not running(vm):
            words = last_line(os.path.join(vm_path(state, vm["name"]), "qemu.log")) or console_tail(state, vm)
            raise Failure(f"qemu of {vm['name']} ended while it booted; its last words: {words}")
        # A kernel that reboots after a panic never says the first of these; the second is systemd's last word.
        if any(word in console_tail(state, vm) for word in ("end Kernel panic", "Freezing execution")):
            raise Failure(f"{vm['name']} crashed while it booted; console: {console_tail(state, vm)}")
        if now - started > timeout:
            raise Failure(f"{vm['name']} did not answer on ssh within {timeout} s; console: {console_tail(state, vm)}")
        if banner(vm["ssh_port"]):
            seen = boot_id(state, vm)
            if seen and seen != not_boot:
                return seen, time.monotonic() - (silent_since or started)
        elif silent_since is None:
            silent_since = now
        time.sleep(0.1)


def last_line(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            lines = [line.strip() for line in handle if line.strip()]
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""


def power_on(options, vm):
    """Start qemu and wait for ssh. On any failure no process is left."""
    state, folder = options.state, vm_path(options.state, vm["name"])
    guest = guest_ready(vm["cache"], vm["zfs"])
    if not guest:
        raise Failure(f"no guest for zfs {vm['zfs']} in {vm['cache']}: run `{PROGRAM} build --zfs {vm['zfs']}`")
    image = os.path.join(guest_path(vm["cache"], vm["zfs"]), "root.img")
    overlay = os.path.join(folder, f"root-{vm['zfs']}.qcow2")
    stamp = f"{guest['zfs_package']}@{os.stat(image).st_mtime_ns}"
    if os.path.exists(overlay) and vm["roots"].get(vm["zfs"]) != stamp:
        raise Failure(f"the guest for zfs {vm['zfs']} was built again since {vm['name']} was made: destroy it first")
    if not os.path.exists(overlay):
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", os.path.abspath(image), overlay],
            why="qemu-img")
        vm["roots"][vm["zfs"]] = stamp
    vm["accelerator"] = accelerator(vm["cache"], vm["zfs"], options.accel)
    for port in [vm["ssh_port"], *(here for here, _ in vm["forwards"])]:
        check_port(port)
    for name in ("qmp.sock", "qemu.pid"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, name))
    arguments = qemu_arguments(options, vm, folder)
    started = time.monotonic()
    wrapper, pid = None, None
    try:
        with open(os.path.join(folder, "qemu.log"), "w", encoding="utf-8") as log:
            # `timeout` ends a machine that everybody has forgotten.
            wrapper = subprocess.Popen(["timeout", "--kill-after=10", str(options.max_life), *arguments], cwd=folder,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        while pid is None:
            if wrapper.poll() is not None:
                raise Failure(f"qemu did not start: {last_line(os.path.join(folder, 'qemu.log'))}")
            if time.monotonic() - started > 30:
                raise Failure("qemu did not start within 30 s")
            with contextlib.suppress(FileNotFoundError, ValueError):
                with open(os.path.join(folder, "qemu.pid"), encoding="utf-8") as handle:
                    pid = int(handle.read())
            time.sleep(0.02)
        vm["process"] = {"pid": pid, "start": process_start(pid)}
        save(state, vm)
        vm["boot_id"], _ = wait_ssh(state, vm, options.timeout)
    except BaseException:
        if wrapper and wrapper.poll() is None:
            wrapper.terminate()
            try:
                wrapper.wait(12)
            except subprocess.TimeoutExpired:
                wrapper.kill()
        if vm.get("process"):
            kill(vm)
        vm["process"] = None
        save(state, vm)
        raise
    vm["boot_seconds"] = round(time.monotonic() - started, 1)
    save(state, vm)


def power_off(options, vm):
    """Ask the guest to power off; pull the plug when it does not."""
    if not running(vm):
        vm["process"] = None
        save(options.state, vm)
        return "was off"
    how = "pulled the plug"
    if not getattr(options, "hard", False) and banner(vm["ssh_port"]):
        ssh_output(options.state, vm, "systemctl poweroff --no-block || poweroff -f")
        if wait_gone(vm, options.timeout):
            how = "powered off"
    kill(vm)
    vm["process"] = None
    save(options.state, vm)
    return how


def report(options, vm, text, **more):
    if options.json:
        print(json.dumps({"name": vm["name"], "zfs": vm["zfs"], "accelerator": vm.get("accelerator"),
                          "ssh_port": vm["ssh_port"], "pid": (vm.get("process") or {}).get("pid"), **more}))
    else:
        print(f"{vm['name']}: {text}")


def write_ssh_files(state, vm):
    folder, keys = vm_path(state, vm["name"]), os.path.join(vm["cache"], "keys")
    with open(f"{keys}/host.pub", encoding="utf-8") as handle:
        kind, key = handle.read().split()[:2]
    write(f"{folder}/known_hosts", f"{PROGRAM} {kind} {key}\n")
    write(f"{folder}/ssh_config", f"""Host {vm['name']}
  HostName 127.0.0.1
  Port {vm['ssh_port']}
  User root
  IdentityFile "{keys}/login"
  IdentitiesOnly yes
  HostKeyAlias {PROGRAM}
  UserKnownHostsFile "{os.path.abspath(folder)}/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 6
  LogLevel ERROR
""")


def check_boot(boot, disks):
    kind, _, disk = boot.partition(":")
    if boot != "kernel" and (kind not in ("disk", "uefi") or disk not in disks):
        raise Failure(f"bad --boot {boot!r}: kernel, disk:NAME or uefi:NAME with one of the disks {', '.join(disks)}")
