//! Native encryption of ZFS: where it begins, which datasets share a key, and what is opened in the initrd.

use super::{Mount, MountSource, ResolvedPool};
use crate::fleet::schema::zfs::{Encryption, Import};
use crate::source::Place;

/// Paths that NixOS mounts in the initrd (`pathsNeededForBoot` in nixos/lib/utils.nix).
const NEEDED: [&str; 9] = ["/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"];

/// Tells whether NixOS mounts a path in the initrd by itself.
pub fn is_needed_for_boot(path: &str) -> bool {
    NEEDED.contains(&path)
}

/// A dataset at which encryption begins; what lies below shares its key.
#[derive(Debug, Clone, PartialEq)]
pub struct EncryptionRoot<'f> {
    /// Its whole name, the pool's first.
    pub name: String,
    /// What its key is.
    pub def: &'f Encryption,
    /// Where its name is written.
    pub place: Place,
}

impl<'f> ResolvedPool<'f> {
    /// Returns the datasets at which encryption begins, the pool itself first.
    pub fn encryption_roots(&self) -> Vec<EncryptionRoot<'f>> {
        let pool = self.def.encryption.as_ref().map(|def| EncryptionRoot {
            name: self.name.to_owned(),
            def,
            place: self.def.key,
        });
        let own = self.def.datasets.iter().filter_map(|(name, dataset)| {
            let def = dataset.encryption.as_ref()?;
            Some(EncryptionRoot { name: format!("{}/{name}", self.name), def, place: dataset.key })
        });
        pool.into_iter().chain(own).collect()
    }

    /// Returns the encryption root of a dataset, by its name below the pool; none where it is not encrypted.
    pub fn encryption_root_of(&self, dataset: &str) -> Option<EncryptionRoot<'f>> {
        let roots = self.encryption_roots();
        let mut name = dataset;
        loop {
            let whole = format!("{}/{name}", self.name);
            if let Some(root) = roots.iter().find(|root| root.name == whole) {
                return Some(root.clone());
            }
            let def = self.def.datasets.get(name);
            if def
                .and_then(|def| def.properties.get("encryption"))
                .is_some_and(|value| value.value.value.as_str() == "off")
            {
                return None;
            }
            let Some((parent, _)) = name.rsplit_once('/') else { break };
            name = parent;
        }
        roots.into_iter().find(|root| root.name == self.name)
    }

    /// Tells whether it is imported at every boot.
    pub fn is_imported_at_boot(&self) -> bool {
        self.def.import.value == Import::Boot
    }

    /// Tells whether a mount of one of its datasets happens in the initrd: NixOS needs it there, it is rolled back first, or
    /// somebody has to type its key, which is asked for where `boot.unlock` works.
    pub fn mounts_in_initrd(&self, mount: &Mount<'_>) -> bool {
        let MountSource::Dataset { pool, name, def } = &mount.source else { return false };
        let typed = || self.encryption_root_of(name).is_some_and(|root| root.def.key_location.file().is_none());
        *pool == self.name && (is_needed_for_boot(mount.path) || def.rollback.is_some() || typed())
    }
}
