//! The scripts of the reboot test, for `out/hosts/HOST/reboot/`.
//!
//! They come from the embedded templates alone: a fleet can tune the test, and replace none of it. The plan names the
//! digest of each, so that an edited script stops it.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanError;
use super::memory::Memory;
use super::places::BootPlaces;
use super::reach::{Reach, Who};
use crate::fleet::cluster::ClusterFacts;
use crate::fleet::schema::module_file::Exposure;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::web::{Tls, Vhost, WebServer};
use crate::resolve::{MountSource, Resolved, ResolvedHost};
use crate::text::Templates;

/// A file that `build` writes below `out/hosts/HOST/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path below `out/hosts/HOST/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Script {
    /// Tells whether the file is a script; the installer's image is described by a Nix file.
    pub fn is_executable(&self) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, ending)| ending == "sh")
    }
}

/// The scripts that run on the host, by name.
pub(super) const ON_HOST: [&str; 13] = [
    "arm.sh",
    "baseline.sh",
    "changes.sh",
    "confirm.sh",
    "contract.sh",
    "disarm.sh",
    "evidence.sh",
    "judge.sh",
    "promote.sh",
    "ready.sh",
    "record.sh",
    "snapshot.sh",
    "take.sh",
];

/// The script that runs on the deployer.
pub(super) const WAIT: &str = "wait.sh";

/// What the scripts know of a host.
#[derive(serde::Serialize)]
struct Values<'a> {
    loader: &'static str,
    boots: &'a [String],
    first_boot_menu: &'a str,
    generations: u32,
    settle: u64,
    pools: Vec<&'a str>,
    mounts: Vec<MountValues<'a>>,
    addresses: Vec<String>,
    gateways: Vec<String>,
    tcp: Vec<u16>,
    udp: Vec<u16>,
    boot_id: String,
    ssh: Vec<String>,
    /// Prints the settings of ssh for the host; none where the machine is the deployer itself.
    control: Vec<String>,
    certificates: Vec<&'a str>,
    memory: Option<Memory>,
}

#[derive(serde::Serialize)]
struct MountValues<'a> {
    path: &'a str,
    source: String,
}

/// Returns the files that a host's plans work with: the scripts of its reboot test, the installer's image, and what moves
/// services off a cluster. `clusters` is what manifests say of clusters that are left.
///
/// The error covers a host without `[deploy] target`.
pub fn files(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    clusters: &BTreeMap<String, ClusterFacts>,
) -> Result<Vec<Script>, PlanError> {
    let mut files = scripts(host)?;
    files.extend(super::scenarios::migrate::files(fleet, host, clusters)?);
    files.extend(super::scenarios::recover::files(host)?);
    files.extend(wipe(host)?);
    files.extend(super::installer_image::file(host)?);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Returns the scripts of a host's reboot test.
pub(super) fn scripts(host: &ResolvedHost<'_>) -> Result<Vec<Script>, PlanError> {
    let reach = Reach::of(host).ok_or_else(|| PlanError::NoTarget(host.name.to_owned()))?;
    let places = BootPlaces::of(host);
    let mut ssh = reach.ssh_words(Who::System);
    let mut control = Vec::new();
    if reach.is_local() {
        ssh = vec!["sh".to_owned(), "-c".to_owned()];
    } else {
        control.clone_from(&ssh);
        control.insert(1, "-G".to_owned());
        // A machine that is away must not hold the watch up.
        ssh.splice(1..1, ["-o", "ConnectTimeout=5", "-o", "BatchMode=yes"].map(str::to_owned));
    }
    // What is not compiled here is judged by what was seen before the boot: its definition says nothing of it.
    let is_compiled = host.def.external.is_none();
    let (tcp, udp) = if is_compiled { ports(host) } else { (Vec::new(), Vec::new()) };
    let values = Values {
        loader: places.loader_word(),
        boots: &places.mounts,
        first_boot_menu: places.mounts.first().map_or("/boot", String::as_str),
        generations: host.def.boot.generations.value,
        settle: host.reboot_test().map_or(30, |test| test.settle.seconds()),
        pools: host.pools.iter().filter(|_| is_compiled).map(|pool| pool.name).collect(),
        mounts: if is_compiled { mounts(host) } else { Vec::new() },
        addresses: host
            .interfaces()
            .filter(|_| is_compiled)
            .flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.value.to_string()))
            .collect(),
        gateways: host
            .interfaces()
            .filter(|_| is_compiled)
            .flat_map(|(_, interface)| interface.gateways.iter().map(|gateway| gateway.via.to_string()))
            .collect(),
        tcp,
        udp,
        boot_id: reach.state("boot-id"),
        certificates: certificates_to_come(host),
        memory: Memory::of(host),
        ssh,
        control,
    };
    let templates = templates()?;
    let mut scripts = Vec::new();
    for name in ON_HOST.iter().chain([&WAIT]) {
        let text = templates.render(&format!("reboot/{name}.tera"), &values)?;
        scripts.push(Script { path: format!("reboot/{name}"), text });
    }
    Ok(scripts)
}

/// Returns the embedded templates.
pub(super) fn templates() -> Result<&'static Templates, PlanError> {
    Ok(Templates::embedded()?)
}

/// Returns the script that wipes the disks of a host that is retired; none of a host without disks.
fn wipe(host: &ResolvedHost<'_>) -> Result<Option<Script>, PlanError> {
    #[derive(serde::Serialize)]
    struct Values<'a> {
        host: &'a str,
        disks: Vec<&'a str>,
    }
    let disks: Vec<&str> = host.disks.iter().map(|disk| disk.def.id.as_str()).collect();
    if disks.is_empty() || host.def.external.is_some() {
        return Ok(None);
    }
    let text = templates()?.render("install/wipe.sh.tera", &Values { host: host.name, disks })?;
    Ok(Some(Script { path: "install/wipe.sh".to_owned(), text }))
}

/// Returns the certificates that a host cannot have yet: of names of services that move to it, which lead elsewhere until traffic is
/// switched. Proofs through DNS need no name that leads here, and Caddy's certificates are no units.
pub(super) fn certificates_to_come<'a>(host: &'a ResolvedHost<'_>) -> Vec<&'a str> {
    let web = host.def.web.as_ref();
    if web.is_some_and(|web| web.server.value == WebServer::Caddy || web.acme_dns.is_some()) {
        return Vec::new();
    }
    let certified = vhosts_to_come(host).filter(|vhost| vhost.tls.value == Tls::Acme);
    sorted(certified.map(|vhost| vhost.name.as_str()))
}

/// Returns the names of services that move to a host: they lead elsewhere until traffic is switched.
pub(super) fn names_to_come<'a>(host: &'a ResolvedHost<'_>) -> Vec<&'a str> {
    sorted(vhosts_to_come(host).flat_map(Vhost::names))
}

/// Returns the virtual hosts of services that move to a host.
fn vhosts_to_come<'a>(host: &'a ResolvedHost<'_>) -> impl Iterator<Item = &'a Vhost> {
    host.running().filter(|service| service.def.migrates_from.is_some()).flat_map(|service| &service.def.vhost.0)
}

/// Returns names in their order, each once.
fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.collect::<BTreeSet<&str>>().into_iter().collect()
}

/// Returns what is mounted where, as `findmnt` names it.
fn mounts<'a>(host: &'a ResolvedHost<'_>) -> Vec<MountValues<'a>> {
    let source = |mount: &MountSource<'_>| match mount {
        MountSource::Partition { device, .. } | MountSource::Array { device, .. } => Some(device.clone()),
        MountSource::Dataset { pool, name, .. } => Some(format!("{pool}/{name}")),
        // A bind mount shows the device that it is on, a network file system may be slow to come.
        MountSource::Foreign(_) | MountSource::Persisted { .. } => None,
    };
    let values =
        |mount: &'a crate::resolve::Mount<'_>| Some(MountValues { path: mount.path, source: source(&mount.source)? });
    host.mounts.iter().filter_map(values).collect()
}

/// Returns the TCP and UDP ports on which something listens: ssh, the services', those of virtual hosts.
fn ports(host: &ResolvedHost<'_>) -> (Vec<u16>, Vec<u16>) {
    let ssh = host.def.access.as_ref().and_then(|access| access.ssh.as_ref());
    let mut tcp = match ssh {
        Some(ssh) if !ssh.enable.value => Vec::new(),
        Some(ssh) => vec![ssh.port.value],
        None => vec![22],
    };
    let mut udp = Vec::new();
    for service in host.running() {
        for port in &service.ports {
            // What only people who run the host use may be started by hand.
            match (port.protocol, port.exposure) {
                (_, Exposure::Admin) => {}
                (Protocol::Tcp, _) => tcp.push(port.port),
                (Protocol::Udp, _) => udp.push(port.port),
            }
        }
        for vhost in &service.def.vhost.0 {
            tcp.push(80);
            if vhost.tls.value == Tls::Acme {
                tcp.push(443);
            }
        }
    }
    for list in [&mut tcp, &mut udp] {
        list.sort_unstable();
        list.dedup();
    }
    (tcp, udp)
}
