//! The throw-away machine: its files, its process, whether it answers.
#![allow(clippy::disallowed_methods, reason = "it starts the machine, makes its disks and looks whether it answers")]

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::apply::Stop;
use crate::cli::context::shown;
use crate::cli::process::{self, Unended};
use crate::cli::terminal::Terminal;
use crate::cli::{Failure, output};
use crate::rehearse::{Accelerator, DISKS_FIRST, Files, MONITOR, Machine, Ports};

const QEMU: &str = "qemu-system-x86_64";

/// How long an installer may take to answer: an emulated processor boots for minutes.
const PATIENCE: Duration = Duration::from_mins(20);

/// The UEFI firmwares that distributions have, each with the variables that belong to it.
const FIRMWARES: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/run/current-system/sw/share/qemu/edk2-x86_64-code.fd", "/run/current-system/sw/share/qemu/edk2-i386-vars.fd"),
];

/// What the machine boots while its disks are blank.
pub(super) struct Installer {
    /// The image.
    pub(super) image: PathBuf,
    /// The port on which its ssh listens.
    pub(super) port: u16,
}

/// The machine while it runs; it ends with this value.
pub(super) struct Guest {
    process: Child,
    folder: PathBuf,
    closed: PathBuf,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It has ended already where this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // What is left is removed by the next rehearsal.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Refuses a deployer that cannot run a machine.
pub(super) fn needs() -> Result<(), Failure> {
    for program in [QEMU, "qemu-img"] {
        let mut command = Command::new(program);
        command.arg("--version");
        match process::run(command, Duration::from_secs(20), 1 << 16) {
            Ok(ended) if ended.status.success() => {}
            Ok(_) | Err(Unended::Late | Unended::TooMuch) => {
                return Err(Failure::new(format!("{program} does not work here"))
                    .help("`qemu-system-x86_64 --version` says more"));
            }
            Err(Unended::Missing) => {
                return Err(Failure::new(format!("{program} is not installed, and a rehearsal needs a machine"))
                    .help("install QEMU: `qemu-system-x86` and `qemu-utils` in Debian, `qemu` in Nix"));
            }
            Err(Unended::Broken(why)) => return Err(Failure::new(format!("{program} cannot be run: {why}"))),
        }
    }
    Ok(())
}

/// A boot sector that ends QEMU with a status of its own: `mov al, 16; out 0xf4, al; hlt`.
const ENDS: [u8; 5] = [0xb0, 0x10, 0xe6, 0xf4, 0xf4];

/// Tells what can run a machine here: /dev/kvm alone proves nothing within another virtual machine, so one is run with it.
fn accelerator(folder: &Path) -> Accelerator {
    let mut sector = [0; 512];
    for (to, byte) in sector.iter_mut().zip(ENDS) {
        *to = byte;
    }
    // What a BIOS knows a boot sector by.
    let [.., one, two] = &mut sector;
    (*one, *two) = (0x55, 0xaa);
    let image = folder.join("probe.img");
    if output::replace(&image, &sector).is_err() {
        return Accelerator::Emulation;
    }
    let mut command = Command::new(QEMU);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc", "-no-reboot", "-m", "64M"]);
    command.args(Accelerator::Kvm.words());
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive"]);
    command.arg(format!("format=raw,file={}", image.display().to_string().replace(',', ",,")));
    match process::run(command, Duration::from_secs(20), 1 << 16) {
        Ok(ended) if ended.status.code() == Some(33) => Accelerator::Kvm,
        _ => Accelerator::Emulation,
    }
}

/// Returns two ports that nobody listens on.
pub(super) fn ports() -> Result<Ports, Failure> {
    let failed = |why: std::io::Error| Failure::new(format!("no port of this machine is free: {why}"));
    let (one, two) =
        (TcpListener::bind("127.0.0.1:0").map_err(failed)?, TcpListener::bind("127.0.0.1:0").map_err(failed)?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).map_err(failed);
    Ok(Ports { installer: port(&one)?, system: port(&two)? })
}

impl Guest {
    /// Starts a machine with blank disks in a folder of its own. `closed` is the file that keeps its ways shut.
    pub(super) fn start(
        terminal: &Terminal,
        machine: &Machine,
        ports: Ports,
        installer: &Installer,
        folder: &Path,
        closed: &Path,
    ) -> Result<Self, Failure> {
        let failed = |path: &Path, why: std::io::Error| Failure::new(format!("cannot make {}: {why}", shown(path)));
        crate::apply::private_folder(folder).map_err(|why| failed(folder, why))?;
        for drive in &machine.drives {
            let path = folder.join(drive.file());
            let mut command = Command::new("qemu-img");
            command.args(["create", "-q", "-f", "qcow2"]).arg(&path).arg(drive.bytes.to_string());
            let made = process::run(command, Duration::from_mins(1), 1 << 16);
            if !made.as_ref().is_ok_and(|ended| ended.status.success()) {
                let said =
                    made.map_or_else(|_| String::new(), |ended| String::from_utf8_lossy(&ended.err).trim().to_owned());
                return Err(Failure::new(format!(
                    "cannot make the disk {}: {}",
                    shown(&path),
                    crate::source::printable(&said)
                )));
            }
        }
        let firmware = if machine.uefi { Some(firmware(folder)?) } else { None };
        let program =
            std::env::current_exe().map_err(|why| Failure::new(format!("this program cannot be found: {why}")))?;
        let accelerator = accelerator(folder);
        if accelerator == Accelerator::Emulation {
            terminal.warn(&crate::report::apply::remark(
                "no KVM here: the machine's processor is emulated, and each boot takes minutes",
            ));
        }
        let files = Files {
            accelerator,
            folder,
            installer: &installer.image,
            installer_port: installer.port,
            firmware: firmware.as_ref().map(|(code, variables)| (code.as_path(), variables.as_path())),
            program: &program,
            closed,
        };
        let log = folder.join("qemu.log");
        let said = std::fs::File::create(&log).map_err(|why| failed(&log, why))?;
        let mut command = Command::new(QEMU);
        command.args(machine.words(ports, &files)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        // What somebody types at the terminal stops the rehearsal, which then ends the machine.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let process = command.spawn().map_err(|why| Failure::new(format!("{QEMU} cannot be started: {why}")))?;
        Ok(Self { process, folder: folder.to_owned(), closed: closed.to_owned() })
    }

    /// Waits until the installer's ssh answers; false where somebody stopped it.
    pub(super) fn answers(&mut self, terminal: &Terminal, port: u16, stop: &Stop) -> Result<bool, Failure> {
        let began = Instant::now();
        while !speaks(port) {
            if stop.is_asked() {
                return Ok(false);
            }
            if let Ok(Some(_)) = self.process.try_wait() {
                let said = String::from_utf8_lossy(&output::read(&self.folder.join("qemu.log"))).trim().to_owned();
                return Err(Failure::new(format!("the machine ended by itself: {}", crate::source::printable(&said))));
            }
            let waited = began.elapsed();
            if waited > PATIENCE {
                return Err(Failure::new(format!(
                    "the installer did not answer within {} min",
                    PATIENCE.as_secs() / 60
                ))
                .help("it must have an ssh server, and the keys of `access.root-keys` for root"));
            }
            terminal.progress(&format!("the machine boots its installer · {} s", waited.as_secs()));
            std::thread::sleep(Duration::from_millis(500));
        }
        terminal.progress("");
        self.boot_disks()?;
        Ok(true)
    }

    /// Has the disks boot from the next boot on, as if somebody had taken the installer's medium out.
    #[cfg(unix)]
    fn boot_disks(&self) -> Result<(), Failure> {
        use std::io::Write as _;
        let path = self.folder.join(MONITOR);
        let said = std::os::unix::net::UnixStream::connect(&path).and_then(|mut monitor| {
            monitor.write_all(DISKS_FIRST.as_bytes())?;
            monitor.set_read_timeout(Some(Duration::from_secs(2)))?;
            // What it says is read until it says nothing more: a monitor that is hung up on may not have listened.
            let mut said = Vec::new();
            let _ = monitor.read_to_end(&mut said);
            Ok(String::from_utf8_lossy(&said).into_owned())
        });
        match said {
            Ok(said) if !said.contains("Error") => Ok(()),
            Ok(said) => Err(Failure::new(format!("QEMU does not boot the disks: {}", crate::source::printable(&said)))),
            Err(why) => Err(Failure::new(format!("QEMU's monitor does not answer: {why}"))),
        }
    }

    #[cfg(not(unix))]
    fn boot_disks(&self) -> Result<(), Failure> {
        Err(Failure::new("a rehearsal works from Linux and macOS"))
    }

    /// Lets connections out to the repositories, or no more.
    pub(super) fn lead_out(&self, leads: bool) -> Result<(), Failure> {
        if leads {
            output::remove(&self.closed)?;
        } else {
            output::replace(&self.closed, b"")?;
        }
        Ok(())
    }

    /// Keeps what the machine has said on its console.
    pub(super) fn keep_console(&self, to: &Path) {
        // A rehearsal whose console cannot be kept is still one.
        let _ = output::replace(to, &output::read(&self.folder.join("console.log")));
    }
}

/// Tells whether an ssh server speaks; QEMU takes connections long before there is one.
fn speaks(port: u16) -> bool {
    let Ok(mut link) =
        TcpStream::connect_timeout(&(std::net::Ipv4Addr::LOCALHOST, port).into(), Duration::from_secs(1))
    else {
        return false;
    };
    let mut banner = [0; 4];
    link.set_read_timeout(Some(Duration::from_secs(3))).is_ok()
        && link.read_exact(&mut banner).is_ok()
        && &banner == b"SSH-"
}

/// Returns the UEFI firmware, and a copy of its variables for this machine.
fn firmware(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let found = FIRMWARES.iter().find(|(code, variables)| Path::new(code).exists() && Path::new(variables).exists());
    let Some((code, variables)) = found else {
        return Err(Failure::new("the host boots through UEFI, and there is no firmware for such a machine here")
            .help("install it: `ovmf` in Debian; QEMU of Nix brings it with it"));
    };
    let own = folder.join("uefi-variables.fd");
    output::replace(&own, &output::read(Path::new(variables)))?;
    Ok((PathBuf::from(code), own))
}
