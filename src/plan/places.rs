//! Where a host's boot menu lies: one folder a disk that can boot.

use crate::fleet::schema::disks::Role;
use crate::fleet::schema::machine::Loader;
use crate::resolve::{MountSource, ResolvedHost};

/// The boot menu of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BootPlaces {
    /// The boot loader.
    pub(super) loader: Loader,
    /// Where the file systems with the menu are mounted, the one that boots first, then its mirrors.
    pub(super) mounts: Vec<String>,
}

impl BootPlaces {
    /// Finds the boot menus of a host. A mirror that the definition does not mount lies at `MOUNT-DISK`, as in boot.nix.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Self {
        let loader = host.def.boot.loader.value;
        let main = match loader {
            Loader::Grub => host.mounts.iter().find(|mount| mount.path == "/boot"),
            Loader::SystemdBoot => host.mounts.iter().find(
                |mount| matches!(&mount.source, MountSource::Partition { def, .. } if def.role.value == Role::Esp),
            ),
            Loader::Other => None,
        };
        let mut mounts = vec![main.map_or("/boot", |mount| mount.path).to_owned()];
        if let Some(main) = main
            && let MountSource::Partition { def, disk: main_disk, .. } = &main.source
        {
            for mirror in host.def.boot.mirrors.iter().filter(|mirror| mirror.as_str() != *main_disk) {
                let Some(disk) = host.disks.iter().find(|disk| disk.name == mirror.as_str()) else { continue };
                let mut alike = disk.partitions.iter().filter(|part| part.role == def.role.value);
                let same_name = alike.clone().find(|part| part.name == def.name.as_str());
                let part = same_name.or_else(|| alike.next().filter(|part| part.role == Role::Esp));
                let Some(part) = part else { continue };
                let written = part.def.and_then(|def| def.mount.as_ref()).map(|mount| mount.as_str().to_owned());
                mounts.push(
                    written.unwrap_or_else(|| format!("{}-{}", main.path.trim_end_matches('/'), mirror.as_str())),
                );
            }
        }
        Self { loader, mounts }
    }

    /// Returns the loader's name as the scripts tell it apart.
    pub(super) fn loader_word(&self) -> &'static str {
        match self.loader {
            Loader::Grub => "grub",
            Loader::SystemdBoot => "systemd-boot",
            Loader::Other => "other",
        }
    }
}
