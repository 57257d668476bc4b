//! The throw-away machine: what QEMU is started with.

use std::path::Path;

use super::Refused;
use super::network::{Net, Way, cards_below, main_interface, net, ways};
use crate::fleet::schema::host::System;
use crate::fleet::schema::machine::Firmware;
use crate::fleet::schema::network::{Link, Match};
use crate::resolve::{ResolvedHost, ResolvedPool};
use crate::source::quoted;
use crate::text::ShellCommand;

/// The least and the most memory of the machine, in bytes: NixOS's installer needs the one, nobody's deployer has much more than the other to spare.
const MEMORY: (u64, u64) = (3 << 30, 8 << 30);

/// The bytes of a disk whose size is not stated.
const DISK: u64 = 64 << 30;

/// The most bytes of a serial number of virtio (VIRTIO 1.2, 5.2.6: 20).
const SERIAL: usize = 20;

/// The socket of QEMU's monitor in the machine's folder.
pub const MONITOR: &str = "monitor";

/// What is said to it so that the disks boot from the next boot on.
pub const DISKS_FIRST: &str = "qom-set /machine/peripheral/installer bootindex 99\n";

/// A disk of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The name of the disk in the definition.
    pub name: String,
    /// Its serial number: that of no real disk.
    pub serial: String,
    /// Its size.
    pub bytes: u64,
}

impl Drive {
    /// Returns the name that udev gives it below /dev/disk/by-id.
    pub fn id(&self) -> String {
        format!("virtio-{}", self.serial)
    }

    /// Returns the name of its file.
    pub fn file(&self) -> String {
        format!("{}.qcow2", self.serial)
    }
}

/// A card of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The name of its interface.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
}

/// Ports of the deployer's loopback address that lead to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// To the installer's ssh.
    pub installer: u16,
    /// To that of the host's own system.
    pub system: u16,
}

/// A machine on which a recovery is rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its disks, in the order of the definition: the first of those that boot comes first.
    pub drives: Vec<Drive>,
    /// Its cards; the first is that by which it is reached.
    pub cards: Vec<Card>,
    /// The network of the first card.
    pub net: Net,
    /// Where that leads to, beside the deployer.
    pub ways: Vec<Way>,
    /// Bytes of memory.
    pub memory: u64,
    /// Whether it boots through UEFI.
    pub uefi: bool,
    /// The port on which the host's own ssh listens.
    pub ssh: u16,
}

/// What runs the machine's processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// Those of the deployer.
    Kvm,
    /// A translator, which is many times slower.
    Emulation,
}

impl Accelerator {
    /// Returns the words of QEMU for it.
    pub fn words(self) -> [&'static str; 6] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host", "-smp", "2"],
            // QEMU 7.2's translator spoils the flags of cmpxchg16b, which Linux looks at in every allocation.
            Self::Emulation => ["-accel", "tcg,thread=multi", "-cpu", "max,cx16=off", "-smp", "1"],
        }
    }
}

/// The files that a machine is made of.
#[derive(Debug)]
pub struct Files<'a> {
    /// What runs its processors.
    pub accelerator: Accelerator,
    /// The folder of its disks and sockets.
    pub folder: &'a Path,
    /// The installer: an image of a CD or of a disk.
    pub installer: &'a Path,
    /// The port on which its ssh listens.
    pub installer_port: u16,
    /// The UEFI firmware and the machine's variables of it.
    pub firmware: Option<(&'a Path, &'a Path)>,
    /// The program, which leads connections out.
    pub program: &'a Path,
    /// While this file exists, nothing is led out.
    pub closed: &'a Path,
}

/// Returns the machine of a host, or all that stands in the way of one.
pub fn machine(host: &ResolvedHost<'_>) -> Result<Machine, Vec<Refused>> {
    let mut refused = Vec::new();
    if host.def.system.value != System::X86_64 {
        refused.push(Refused::new(
            "the rehearsal's machine is an x86-64 one, and the host is not",
            "rehearse it on such a machine: docs/recover.md says how",
        ));
    }
    let asks = host.devices.iter().any(|device| device.luks.is_some_and(|luks| luks.key_file.is_none()))
        || host
            .pools
            .iter()
            .flat_map(ResolvedPool::encryption_roots)
            .any(|root| root.def.key_location.file().is_none());
    if asks {
        refused.push(Refused::new(
            "the disks open with a passphrase that somebody types, and nobody sits at the rehearsal's machine",
            "rehearse it in a virtual machine whose console you see: docs/recover.md says how",
        ));
    }
    let ssh = host.def.access.as_ref().and_then(|access| access.ssh.as_ref()).map_or(22, |ssh| ssh.port.value);
    if host.disks.is_empty() {
        refused.push(Refused::new(
            "the definition names no disks",
            "describe them below `[disks]`: a recovery lays them out anew",
        ));
    }
    let network = main_interface(host).ok_or_else(|| {
        Refused::new(
            "no interface of the host has an address of IPv4",
            "the rehearsal's network is one of IPv4: rehearse it in a virtual machine of a hypervisor",
        )
    });
    let network = network.and_then(|(name, interface)| {
        let below = cards_below(host, name)?;
        if below.is_empty() {
            return Err(Refused::new(format!("the interface {} stands on no card", quoted(name)), "give it one"));
        }
        Ok((net(host, interface, name)?, below))
    });
    let (net, below) = match network {
        Ok(found) => found,
        Err(why) => {
            refused.push(why);
            return Err(refused);
        }
    };
    let ways = match ways(host, &net) {
        Ok(ways) => ways,
        Err(more) => {
            refused.extend(more);
            return Err(refused);
        }
    };
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(Machine {
        drives: drives(host),
        cards: cards(host, &below),
        net,
        ways,
        memory: host.def.machine.memory.as_ref().map_or(MEMORY.1, |memory| memory.bytes()).clamp(MEMORY.0, MEMORY.1),
        uefi: host.def.machine.firmware.value == Firmware::Uefi,
        ssh,
    })
}

fn drives(host: &ResolvedHost<'_>) -> Vec<Drive> {
    let drive = |(at, disk): (usize, &crate::resolve::ResolvedDisk<'_>)| {
        let mut serial = format!("rehearsal{at}-{}", disk.name);
        serial.truncate(SERIAL);
        Drive {
            name: disk.name.to_owned(),
            serial: serial.trim_end_matches('-').to_owned(),
            bytes: disk.bytes().unwrap_or(DISK),
        }
    };
    host.disks.iter().enumerate().map(drive).collect()
}

/// The cards of a host, those by which it is reached first. Of a card that the definition does not know by its address, one is made up.
fn cards(host: &ResolvedHost<'_>, first: &[&str]) -> Vec<Card> {
    let all = host.interfaces().filter_map(|(name, interface)| match &interface.link {
        Link::Ethernet(matches) => Some((name, &matches.value)),
        _ => None,
    });
    let mut cards: Vec<Card> = all
        .enumerate()
        .map(|(at, (name, matches))| Card {
            name: name.to_owned(),
            mac: match matches {
                Match::Mac(mac) => mac.to_string(),
                Match::Name(_) | Match::Path(_) => format!("52:54:00:72:65:{:02x}", at % 256),
            },
        })
        .collect();
    cards.sort_by_key(|card| first.iter().position(|name| *name == card.name).unwrap_or(usize::MAX));
    cards
}

impl Machine {
    /// Returns the words that QEMU is called with, its name left out.
    pub fn words(&self, ports: Ports, files: &Files<'_>) -> Vec<String> {
        let mut words: Vec<String> = [
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-machine",
            "pc",
            "-rtc",
            "base=utc",
            "-device",
            "virtio-rng-pci",
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(files.accelerator.words().map(str::to_owned));
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        add("-m", format!("{}M", self.memory >> 20));
        add("-serial", format!("file:{}", value(&files.folder.join("console.log"))));
        add("-pidfile", value(&files.folder.join("qemu.pid")));
        if let Some((code, variables)) = files.firmware {
            add("-drive", format!("if=pflash,format=raw,unit=0,readonly=on,file={}", value(code)));
            add("-drive", format!("if=pflash,format=raw,unit=1,file={}", value(variables)));
        }
        add("-monitor", format!("unix:{},server=on,wait=off", value(&files.folder.join(MONITOR))));
        // A BIOS boots the first disk and no other: the installer is that until it runs.
        for (at, drive) in self.drives.iter().enumerate() {
            let file = value(&files.folder.join(drive.file()));
            add("-drive", format!("if=none,id=d{at},format=qcow2,cache=unsafe,discard=unmap,file={file}"));
            add("-device", format!("virtio-blk-pci,drive=d{at},serial={},bootindex={}", drive.serial, at + 2));
        }
        let image = value(files.installer);
        if files.installer.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("iso")) {
            add("-drive", format!("if=none,id=image,format=raw,media=cdrom,readonly=on,file={image}"));
            add("-device", "virtio-scsi-pci".to_owned());
            add("-device", "scsi-cd,id=installer,drive=image,bootindex=1".to_owned());
        } else {
            add("-drive", format!("if=none,id=image,snapshot=on,file={image}"));
            add("-device", "virtio-blk-pci,id=installer,drive=image,serial=installer,bootindex=1".to_owned());
        }
        for (at, card) in self.cards.iter().enumerate() {
            let net = if at == 0 {
                self.first_net(ports, files)
            } else {
                format!("user,id=n{at},restrict=on,net=10.{}.0.0/24", 200 + at % 50)
            };
            add("-netdev", net);
            add("-device", format!("virtio-net-pci,netdev=n{at},romfile=,mac={}", card.mac));
        }
        words
    }

    fn first_net(&self, ports: Ports, files: &Files<'_>) -> String {
        let Net { network, own, gateway, names, dhcp } = &self.net;
        let own = own.map_or_else(String::new, |own| own.to_string());
        let mut net = format!(
            "user,id=n0,restrict=on,net={network},host={gateway},dns={names},dhcpstart={dhcp},hostfwd=tcp:127.0.0.1:{}-{own}:{},hostfwd=tcp:127.0.0.1:{}-{own}:{}",
            ports.installer, files.installer_port, ports.system, self.ssh
        );
        for way in &self.ways {
            // A process a connection: QEMU splits the command into words as a shell does.
            let lead = ShellCommand::new(files.program.display().to_string()).args([
                "lead-out",
                &files.closed.display().to_string(),
                &way.host,
                &way.port.to_string(),
            ]);
            net += &format!(",guestfwd=tcp:{}:{}-cmd:{}", way.address, way.port, escaped(lead.as_str()));
        }
        net
    }
}

fn value(path: &Path) -> String {
    escaped(&path.display().to_string())
}

/// Returns a text as a value among QEMU's options, in which a comma is written twice.
fn escaped(text: &str) -> String {
    text.replace(',', ",,")
}
