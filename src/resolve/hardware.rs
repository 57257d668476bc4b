//! Which kernel modules the hardware needs: as the definition says, else as the machine said.
//!
//! A module's name goes into lists that a shell and modprobe read: what a machine said counts only where it is the form of one.

use super::{Mount, MountSource, ResolvedDisk, ResolvedHost};
use crate::fleet::schema::facts_file::{FactsInterface, Said};
use crate::fleet::schema::network::{Interface, Match};
use crate::source::{Place, Spanned};

/// A kernel module that a device needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver<'a> {
    /// Its name as modprobe takes it.
    pub module: &'a str,
    /// Where it is said: in the definition or in the machine's facts.
    pub place: Place,
    /// Whether the machine said it, not the definition.
    pub probed: bool,
}

/// Mounts that stage 1 makes: NixOS mounts these before anything else (`utils.pathsNeededForBoot`).
const FIRST: [&str; 9] = ["/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"];

/// Tells whether text has the form of a module's name.
fn is_module(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// Brings a module's name into one form: modprobe takes hyphens for underscores.
pub fn module_name(text: &str) -> String {
    text.replace('-', "_")
}

/// Returns the module of a driver whose name in /sys is another than its module's.
fn of_driver(driver: &str) -> &str {
    match driver {
        "mmcblk" => "mmc_block",
        "sd" => "sd_mod",
        "sr" => "sr_mod",
        "vbd" => "xen_blkfront",
        "vif" => "xen_netfront",
        other => other,
    }
}

fn said(said: Option<&Spanned<Said>>) -> Option<Driver<'_>> {
    let said = said?;
    is_module(&said.value).then_some(Driver { module: of_driver(&said.value), place: said.place, probed: true })
}

impl<'f> ResolvedHost<'f> {
    /// Returns the module of a disk's controller.
    pub fn disk_driver(&self, disk: &ResolvedDisk<'f>) -> Option<Driver<'f>> {
        let disk = disk.def;
        if let Some(driver) = &disk.driver {
            return Some(Driver { module: driver.as_str(), place: driver.place, probed: false });
        }
        self.probed_disk_driver(disk.id.as_str())
    }

    /// Returns the module of a disk's controller as the machine said it.
    pub fn probed_disk_driver(&self, id: &str) -> Option<Driver<'f>> {
        let disks = self.source.facts.as_ref()?.disks.as_ref()?;
        let probed = disks.iter().find(|probed| probed.is_called(id))?;
        said(probed.driver.as_ref())
    }

    /// Returns the module of an interface.
    pub fn interface_driver(&self, interface: &'f Interface) -> Option<Driver<'f>> {
        if let Some(driver) = &interface.driver {
            return Some(Driver { module: driver.as_str(), place: driver.place, probed: false });
        }
        let interfaces = self.source.facts.as_ref()?.interfaces.as_ref()?;
        let matches = &interface.matches()?.value;
        let is_it = |probed: &&FactsInterface| match matches {
            Match::Mac(mac) => {
                let said = probed.mac.as_ref().map(|mac| mac.value.replace('-', ":"));
                said.is_some_and(|said| said.eq_ignore_ascii_case(&mac.to_string()))
            }
            Match::Name(name) => *probed.name.value == *name.as_str(),
            Match::Path(_) => false,
        };
        let probed = interfaces.iter().find(is_it)?;
        said(probed.driver.as_ref())
    }

    /// Tells whether a disk is flash: by what the machine said, else by its name.
    pub fn is_flash(&self, disk: &ResolvedDisk<'_>) -> bool {
        let id = disk.def.id.as_str();
        let facts = self.source.facts.as_ref().and_then(|facts| facts.disks.as_ref());
        let probed = facts.into_iter().flatten().find(|probed| probed.is_called(id));
        match probed.and_then(|probed| probed.rotational.as_ref()) {
            Some(rotational) => !rotational.value,
            None => id.starts_with("nvme-") || id.to_ascii_uppercase().contains("SSD"),
        }
    }

    /// Returns the disks that hold what is mounted.
    pub fn disks_of<'a>(&'a self, mount: &'a Mount<'_>) -> impl Iterator<Item = &'a ResolvedDisk<'f>> {
        let members = |disk: &ResolvedDisk<'f>| match &mount.source {
            MountSource::Partition { disk: name, .. } => disk.name == *name,
            MountSource::Array { name, .. } => {
                let mut arrays = self.arrays.iter().filter(|array| array.name == *name);
                arrays.any(|array| array.members.iter().any(|member| member.disk == disk.name))
            }
            MountSource::Dataset { pool, .. } => {
                let mut pools = self.pools.iter().filter(|known| known.name == *pool);
                pools.any(|pool| pool.data().any(|vdev| vdev.members.iter().any(|member| member.disk == disk.name)))
            }
            MountSource::Foreign(_) | MountSource::Persisted { .. } => false,
        };
        self.disks.iter().filter(move |disk| members(disk))
    }

    /// Returns the disks without which stage 1 cannot go on: those that hold `/` and what is mounted with it.
    pub fn root_disks(&self) -> Vec<&ResolvedDisk<'f>> {
        let mut names: Vec<&str> = Vec::new();
        for mount in self.mounts.iter().filter(|mount| FIRST.contains(&mount.path)) {
            match &mount.source {
                MountSource::Partition { disk, .. } => names.push(disk),
                MountSource::Array { name, .. } => {
                    let members =
                        self.arrays.iter().filter(|array| array.name == *name).flat_map(|array| &array.members);
                    names.extend(members.map(|member| member.disk.as_str()));
                }
                MountSource::Foreign(_) | MountSource::Persisted { .. } => {}
                MountSource::Dataset { pool, .. } => {
                    let pools = self.pools.iter().filter(|known| known.name == *pool);
                    names.extend(
                        pools
                            .flat_map(|pool| pool.vdevs.iter())
                            .flat_map(|vdev| &vdev.members)
                            .map(|member| member.disk.as_str()),
                    );
                }
            }
        }
        self.disks.iter().filter(|disk| names.contains(&disk.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_module_is_taken_from_a_machine() {
        for module in ["ahci", "mpt3sas", "virtio_blk", "sdhci-pci", "8139too"] {
            assert!(is_module(module), "{module}");
        }
        for text in ["", "-a", "a b", "$(x)", "a\nb", "../x"] {
            assert!(!is_module(text), "{text}");
        }
    }
}
