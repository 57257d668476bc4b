//! What a definition refers to and what follows from it: channels, partitions with their offsets, pool members with their
//! devices, ports of services, the systems that may import a pool.
//!
//! `check`, `compile` and `plan` take these values, so that each thing is worked out once and in one way. Not here: whether
//! the result is wise (`check`), how it is written in Nix (`compile`).
//!
//! Invariant: every reference of a [`ResolvedHost`] leads somewhere; one that does not is a finding `reference-unknown`, and
//! that host is left out.

mod backup;
mod boot;
mod boot_files;
mod boot_places;
mod copies;
mod hardware;
mod network;
mod persistent;
mod sealed;
mod secrets;
mod service_state;
mod services;
mod storage;
mod tunnels;
mod vhosts;
mod zfs;

use std::net::IpAddr;

use rayon::prelude::*;

use crate::facts::Facts;
use crate::fleet::schema::deploy::{RebootTest, RebootTestTable};
use crate::fleet::schema::fleet_file::{BuildOn, Channel, Deployer, WatchTimer};
use crate::fleet::schema::host::{HostFile, System};
use crate::fleet::schema::machine::Firmware;
use crate::fleet::schema::network::Interface;
use crate::fleet::{Fleet, Host};
use crate::source::{Diagnostic, Diagnostics, Place, Spanned, nearest, quoted, sha256};
use crate::units::lies_in;

pub use backup::{ACCOUNTS, Dump};
pub use boot::{NoWayBack, Obstacle};
pub use boot_files::{BootFile, BootFileKind, boot_files};
pub use boot_places::{BootPlaces, Mirror, grub_disks};
pub use copies::{FleetCopy, named_files};
pub use hardware::{Driver, module_name};
pub use network::{DeviceName, InitrdNetwork, LONGEST_NAME, is_kernel_name, named_in_rules};
pub use persistent::persistent_path;
pub use sealed::SopsForm;
pub use secrets::{COPIES, CREDENTIAL_STORE, ResolvedSecret, Sealed, SecretFile};
pub use service_state::{ServiceState, volume_path};
pub use services::{Listen, ResolvedService, ServiceModule, ServicePort};
pub use storage::{
    ALIGNMENT, ArrayUse, Base, BlockDevice, Content, EncryptionRoot, MemberUse, Mount, MountSource, MountWords,
    ResolvedArray, ResolvedDisk, ResolvedMember, ResolvedPartition, ResolvedPool, ResolvedVdev, STATE, VdevClass,
    is_needed_for_boot,
};
pub use tunnels::{FleetEnd, Tunnel, TunnelPeer, reached_at};
pub use zfs::{SystemRole, ZfsSystem};

/// A fleet whose references lead somewhere.
#[derive(Debug)]
pub struct Resolved<'f> {
    /// The fleet as read.
    pub fleet: &'f Fleet,
    /// The deployer and its channel.
    pub deployer: Option<ResolvedDeployer<'f>>,
    /// The hosts, by name.
    pub hosts: Vec<ResolvedHost<'f>>,
}

/// The deployer and its channel.
#[derive(Debug, Clone, Copy)]
pub struct ResolvedDeployer<'f> {
    /// The deployer.
    pub def: &'f Deployer,
    /// What it evaluates with, or has itself.
    pub channel: ChannelRef<'f>,
}

/// A channel, and where it is named.
#[derive(Debug, Clone, Copy)]
pub struct ChannelRef<'f> {
    /// Its name.
    pub name: &'f str,
    /// The channel.
    pub channel: &'f Channel,
    /// Where it is named.
    pub at: Place,
}

/// A host whose references lead somewhere.
#[derive(Debug)]
pub struct ResolvedHost<'f> {
    /// Its name.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f HostFile,
    /// Its files: facts, own modules.
    pub source: &'f Host,
    /// The start of its host.toml, for what concerns it as a whole.
    pub place: Place,
    /// The channel it runs.
    pub channel: ChannelRef<'f>,
    /// The channel its installer was built from.
    pub installer: Option<ChannelRef<'f>>,
    /// The channel its rescue system was built from.
    pub rescue: Option<ChannelRef<'f>>,
    /// Its host id.
    pub host_id: HostIdOf,
    /// Its disks, in the order of the file.
    pub disks: Vec<ResolvedDisk<'f>>,
    /// Its arrays, in the order of the file.
    pub arrays: Vec<ResolvedArray<'f>>,
    /// Its block devices that carry something: partitions, then arrays.
    pub devices: Vec<BlockDevice<'f>>,
    /// Its pools, in the order of the file.
    pub pools: Vec<ResolvedPool<'f>>,
    /// What it mounts, parents first.
    pub mounts: Vec<Mount<'f>>,
    /// Its services, in the order of the file.
    pub services: Vec<ResolvedService<'f>>,
    /// Its secrets, in the order of the file.
    pub secrets: Vec<ResolvedSecret<'f>>,
    /// The files and folders of the fleet that it carries, by path.
    pub copies: Vec<FleetCopy>,
    /// Its wireguard interfaces with their other ends.
    pub tunnels: Vec<Tunnel<'f>>,
    /// The systems that may import its pools, the one to be deployed first.
    pub systems: Vec<ZfsSystem>,
}

/// A host id and whether it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdOf {
    /// Eight hexadecimal digits.
    pub id: String,
    /// Where it is written; none when it follows from the host's name.
    pub place: Option<Place>,
}

impl<'f> ResolvedHost<'f> {
    /// Returns where derivations for this host are built.
    pub fn build_on(&self, fleet: &Resolved<'_>) -> BuildOn {
        let own = self.def.deploy.as_ref().and_then(|deploy| deploy.build_on.as_ref()).map(|build_on| build_on.value);
        let deployer = fleet.deployer.map(|deployer| {
            let same = deployer.def.system.value.as_str() == crate::fleet::decode::Word::word(self.def.system.value);
            let default = if same { BuildOn::Deployer } else { BuildOn::Target };
            deployer.def.build_on.as_ref().map_or(default, |build_on| build_on.value)
        });
        own.or(deployer).unwrap_or(BuildOn::Deployer)
    }

    /// Tells whether the machine may boot through UEFI.
    pub fn has_uefi(&self) -> bool {
        self.def.machine.firmware.value != Firmware::Bios
    }

    /// Tells whether the machine may boot through BIOS.
    pub fn has_bios(&self) -> bool {
        self.def.machine.firmware.value != Firmware::Uefi
    }

    /// Returns the interfaces by name.
    pub fn interfaces(&self) -> impl Iterator<Item = (&'f str, &'f Interface)> {
        let interfaces = self.def.network.as_ref().map(|network| &network.interfaces.map);
        interfaces.into_iter().flatten().map(|(name, interface)| (name.as_str(), &interface.value))
    }

    /// Returns the folder in which the members of a pool are looked for.
    pub fn dev_nodes<'a>(&'a self, pool: &'a ResolvedPool<'_>) -> &'a str {
        let own = pool.def.dev_nodes.as_ref().map(|nodes| nodes.as_str());
        own.unwrap_or_else(|| self.def.zfs.as_ref().map_or("/dev/disk/by-id", |zfs| zfs.dev_nodes.value.as_str()))
    }

    /// Returns the services that are not switched off.
    pub fn running(&self) -> impl Iterator<Item = &ResolvedService<'f>> {
        self.services.iter().filter(|service| service.runs())
    }

    /// Returns a secret by its name.
    pub fn secret(&self, name: &str) -> Option<&ResolvedSecret<'f>> {
        self.secrets.iter().find(|secret| secret.name == name)
    }

    /// Returns the address on which the machine is reached from outside: its first static address, IPv4 first, not that of
    /// a tunnel.
    pub fn main_address(&self) -> Option<IpAddr> {
        let mut addresses: Vec<IpAddr> = self
            .interfaces()
            .filter(|(_, interface)| interface.wireguard().is_none())
            .flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.address))
            .collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.first().copied()
    }

    /// Returns the reboot test as tuned; none when it is left at its defaults or written as a mere switch.
    pub fn reboot_test(&self) -> Option<&'f RebootTestTable> {
        match self.def.deploy.as_ref()?.reboot_test.as_ref()? {
            RebootTest::Tuned(table) => Some(table),
            RebootTest::Switch(_) => None,
        }
    }

    /// Returns the most that a dataset may hold by the `size` of a state whose place it is, in bytes; none where it has a limit of its own.
    pub fn size_of_state(&self, dataset: &str) -> Option<u64> {
        // Few states have a size, while every dataset is asked for.
        let states = self.services.iter().flat_map(|service| &service.state);
        let mut sized = states.filter_map(|state| Some((&state.path, state.size.as_ref()?.value)));
        let is_asked_for = |source: &MountSource<'_>| match source {
            MountSource::Dataset { def, .. } => {
                def.quota.is_none() && def.refquota.is_none() && source.dataset().as_deref() == Some(dataset)
            }
            _ => false,
        };
        let holds = |path: &str| self.mounts.iter().any(|mount| mount.path == path && is_asked_for(&mount.source));
        sized.find(|(path, _)| holds(path)).map(|(_, size)| size)
    }

    /// Returns the mount that holds a path.
    pub fn mount_of(&self, path: &str) -> Option<&Mount<'f>> {
        self.mounts.iter().filter(|mount| lies_in(path, mount.path)).max_by_key(|mount| mount.path.len())
    }

    /// Returns Nix's name of the machine's system.
    pub fn system(&self) -> System {
        self.def.system.value
    }
}

impl Resolved<'_> {
    /// Returns the host of the fleet that is the deployer, where one is.
    pub fn deployer_host(&self) -> Option<&ResolvedHost<'_>> {
        let deployer = self.fleet.file.deployer.as_ref()?;
        self.hosts.iter().find(|host| host.name == deployer.name.as_str())
    }

    /// Returns the timer that the deployer looks at hosts on.
    pub fn timer(&self) -> Option<&WatchTimer> {
        self.fleet.file.deployer.as_ref()?.timer.as_ref()
    }

    /// Returns the name of the secret with the webhook's URL, and where it lies on the deployer; that is not known of a deployer that is
    /// no host of the fleet.
    pub fn webhook(&self) -> Option<(&str, Option<&str>)> {
        let name = self.timer()?.webhook.as_ref()?.as_str();
        let secret = self.deployer_host().and_then(|host| host.secret(name));
        Some((name, secret.map(|secret| secret.path.as_str())))
    }
}

/// Resolves a fleet; what leads nowhere is reported.
pub fn resolve<'f>(
    fleet: &'f Fleet,
    facts: &Facts,
    sources: &crate::source::Sources,
    found: &mut Diagnostics,
) -> Resolved<'f> {
    let deployer = fleet.file.deployer.as_ref().and_then(|def| {
        let channel = channel(fleet, &def.channel, found)?;
        Some(ResolvedDeployer { def, channel })
    });
    inputs(fleet, found);
    let resolved: Vec<(Option<ResolvedHost<'f>>, Diagnostics)> = fleet
        .hosts
        .par_iter()
        .map(|(name, host)| {
            let mut said = Diagnostics::new();
            let resolved = resolve_host(fleet, host, deployer, facts, sources, &mut said);
            for finding in &mut said {
                finding.host = Some(name.clone());
            }
            (resolved.filter(|_| said.is_empty()), said)
        })
        .collect();
    let mut hosts = Vec::with_capacity(resolved.len());
    for (host, mut said) in resolved {
        found.append(&mut said);
        hosts.extend(host);
    }
    secrets::webhook(fleet, found);
    Resolved { fleet, deployer, hosts }
}

fn resolve_host<'f>(
    fleet: &'f Fleet,
    host: &'f Host,
    deployer: Option<ResolvedDeployer<'f>>,
    facts: &Facts,
    sources: &crate::source::Sources,
    found: &mut Diagnostics,
) -> Option<ResolvedHost<'f>> {
    let def = &host.def;
    let channel_of_host = channel(fleet, &def.channel, found);
    let optional = |named: Option<&'f Spanned<crate::fleet::scalar::Name>>, found: &mut Diagnostics| {
        named.and_then(|named| channel(fleet, named, found))
    };
    let installer = optional(def.installer.as_ref().and_then(|installer| installer.channel.as_ref()), found);
    let rescue = optional(def.machine.rescue.as_ref().and_then(|rescue| rescue.channel.as_ref()), found);
    network::interfaces(def, found);
    let secrets = secrets::secrets(fleet, def, found);
    let copies = copies::copies(def, sources, found);
    let tunnels = tunnels::tunnels(fleet, host, found);
    let disks = storage::disks(host);
    for mirror in &def.boot.mirrors {
        reference("disk", mirror.as_str(), mirror.place, def.disks.keys().map(String::as_str), found);
    }
    let arrays = storage::arrays(host, &disks, found);
    let devices = storage::devices(host, &disks, &arrays);
    let pools = storage::pools(host, &disks, found);
    for (_, filesystem) in def.filesystems.iter().filter(|(_, filesystem)| filesystem.kind.as_str() == "zfs") {
        let Some(device) = &filesystem.device else { continue };
        let pool = device.as_str().split('/').next().unwrap_or_default();
        reference("pool", pool, device.place, pools.iter().map(|pool| pool.name), found);
    }
    let mounts = storage::mounts(host, &disks, &arrays, &devices, &pools);
    let services = services::services(fleet, host, &mounts, found);
    services::readers(&services, &secrets, found);
    vhosts::judge(&services, found);
    service_state::sizes(&services, &mounts, found);
    let channel = channel_of_host?;
    let systems = zfs::systems(host, channel, deployer, installer, rescue, facts, sources);
    let place = sources.start(host.file);
    Some(ResolvedHost {
        name: &host.name,
        def,
        source: host,
        place,
        channel,
        installer,
        rescue,
        host_id: host_id(host),
        disks,
        arrays,
        devices,
        pools,
        mounts,
        services,
        secrets,
        copies,
        tunnels,
        systems,
    })
}

/// Reports inputs with names that out/flake.nix needs for something else.
fn inputs(fleet: &Fleet, found: &mut Diagnostics) {
    for (name, input) in fleet.file.inputs.iter() {
        let taken = match name.strip_prefix("nixpkgs-") {
            Some(channel) if fleet.channel(channel).is_some() => format!("that is the channel `{channel}`"),
            _ if name == "self" => "that is the flake itself".to_owned(),
            _ if name == "nixpkgs" => "that is the channel of the host that it is used for".to_owned(),
            _ => continue,
        };
        let message = format!("an input cannot be called {}", quoted(name));
        found.push(
            Diagnostic::error("name-invalid", input.key, message)
                .label(taken)
                .help("name it after its project, such as `sops-nix`"),
        );
    }
}

/// Returns the host id that is written, else one that follows from the name and so never changes by itself.
fn host_id(host: &Host) -> HostIdOf {
    if let Some(id) = host.def.network.as_ref().and_then(|network| network.host_id.as_ref()) {
        return HostIdOf { id: id.to_string(), place: Some(id.place) };
    }
    let id = sha256(format!("hostwright host id of {}", host.name)).chars().take(8).collect();
    HostIdOf { id, place: None }
}

fn channel<'f>(
    fleet: &'f Fleet,
    named: &'f Spanned<crate::fleet::scalar::Name>,
    found: &mut Diagnostics,
) -> Option<ChannelRef<'f>> {
    let known = fleet.channels();
    reference("channel", named.as_str(), named.place, known.keys().map(String::as_str), found);
    let channel = fleet.channel(named.as_str())?;
    Some(ChannelRef { name: named.as_str(), channel, at: named.place })
}

/// Reports a name that nothing defines, with the nearest ones.
fn reference<'a>(what: &str, name: &str, place: Place, known: impl Iterator<Item = &'a str>, found: &mut Diagnostics) {
    let known: Vec<&str> = known.collect();
    if known.contains(&name) {
        return;
    }
    let finding = Diagnostic::error("reference-unknown", place, format!("there is no {what} {}", quoted(name)));
    let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let near = nearest(name, known.iter().copied());
    found.push(if !near.is_empty() {
        finding.help(format!("nearest: {}", listed(&near)))
    } else if known.is_empty() {
        finding.help(format!("define it: this definition has no {what} at all"))
    } else {
        finding.help(format!("there are {}", listed(&known)))
    });
}
