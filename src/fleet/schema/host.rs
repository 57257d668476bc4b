//! host.toml: the parts of a host and what belongs to none of them.

use super::access::Access;
use super::backup::Backup;
use super::deploy::Deploy;
use super::disks::{Disk, Swap};
use super::external::External;
use super::fleet_file::Allow;
use super::machine::{Boot, Installer, Machine};
use super::monitoring::Monitoring;
use super::network::Network;
use super::secrets::Secrets;
use super::services::Service;
use super::storage::{FileSystem, Mdraid, Persistence};
use super::web::Web;
use super::zfs::Zfs;
use crate::fleet::decode::{Named, Setting, choice, table};
use crate::fleet::scalar::{Name, NameKey, PathKey};
use crate::source::{Node, Spanned};
use crate::units::Release;

choice! {
    /// Nix's name of a machine's system.
    pub enum System {
        /// 64-bit x86.
        X86_64 = "x86_64-linux",
        /// 64-bit ARM.
        Aarch64 = "aarch64-linux",
    }
}

table! {
    /// The whole of a host.toml, imports and defaults merged in.
    pub struct HostFile {
        /// Findings that are accepted here, each with its reason.
        "allow" => allow: Vec<Allow>,
        /// Modules and profiles to merge in.
        "imports" => imports: Vec<Spanned<Name>>,
        /// The channel that this host runs.
        "channel" => channel: Spanned<Name>,
        /// Nix's name of the machine's system.
        "system" => system: Spanned<System>,
        /// The release whose defaults for stateful data this machine began with (`system.stateVersion`).
        "state-version" => state_version: Option<Spanned<Release>>,
        /// What the machine is for, in free words.
        "role" => role: Option<Spanned<String>>,
        /// Time zone of the machine.
        "time-zone" => time_zone: Setting<String> = "UTC".to_owned(),
        /// Locale of the machine.
        "locale" => locale: Setting<String> = "en_US.UTF-8".to_owned(),
        /// The hardware and how a person reaches it.
        "machine" => machine: Machine,
        /// What puts the first system on the disks.
        "installer" => installer: Option<Installer>,
        /// Boot loader, generations, kernel.
        "boot" => boot: Boot,
        /// The disks, by name.
        "disks" => disks: Named<NameKey, Disk>,
        /// Linux software RAID arrays, by name.
        "mdraid" => mdraid: Named<NameKey, Mdraid>,
        /// File systems that are not laid out here, by the path they are mounted on.
        "filesystems" => filesystems: Named<PathKey, FileSystem>,
        /// What of a root that forgets survives.
        "persistence" => persistence: Option<Persistence>,
        /// Swap that is no partition.
        "swap" => swap: Option<Swap>,
        /// Pools and what concerns all of them.
        "zfs" => zfs: Option<Zfs>,
        /// Interfaces, addresses, firewall.
        "network" => network: Option<Network>,
        /// Who may log in.
        "access" => access: Option<Access>,
        /// What runs here, by name.
        "services" => services: Named<NameKey, Service>,
        /// What serves virtual hosts.
        "web" => web: Option<Web>,
        /// Secrets, by name.
        "secrets" => secrets: Option<Secrets>,
        /// Backups, by name.
        "backup" => backup: Named<NameKey, Backup>,
        /// What is measured, and who hears of it.
        "monitoring" => monitoring: Option<Monitoring>,
        /// How the host is deployed and watched.
        "deploy" => deploy: Option<Deploy>,
        /// Where its NixOS configuration is when hostwright does not compile it.
        "external" => external: Option<External>,
        /// Any NixOS option, checked against the channel's option index.
        "nixos" => nixos: Option<Node>,
    }
}
