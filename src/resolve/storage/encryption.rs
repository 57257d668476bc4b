//! What is mounted in the initrd, and native encryption of ZFS: where it begins, which datasets share a key, what is opened there.

use super::{Mount, MountSource, ResolvedPool};
use crate::fleet::schema::zfs::{Encryption, Import};
use crate::resolve::ResolvedHost;
use crate::source::Place;

/// Paths that NixOS mounts in the initrd (`pathsNeededForBoot` in nixos/lib/utils.nix).
const NEEDED: [&str; 9] = ["/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"];

/// Tells whether NixOS mounts a path in the initrd by itself.
pub fn is_needed_for_boot(path: &str) -> bool {
    NEEDED.contains(&path)
}

impl ResolvedHost<'_> {
    /// Tells whether a mount has to be there before stage 2, and NixOS does not know it from the path: what is kept of a root
    /// that forgets is wanted by the first program that runs, and a dataset that is rolled back, or whose key is typed, is
    /// mounted where that happens.
    pub fn is_needed_early(&self, mount: &Mount<'_>) -> bool {
        let is_kept = self.def.persistence.as_ref().is_some_and(|persistence| {
            let holds_kept = mount.path != "/" && persistence.root.is_below(mount.path);
            holds_kept || matches!(mount.source, MountSource::Persisted { .. })
        });
        let of_pool = |pool: &ResolvedPool<'_>| pool.is_imported_at_boot() && pool.mounts_in_initrd(mount);
        !is_needed_for_boot(mount.path) && (is_kept || self.pools.iter().any(of_pool))
    }

    /// Tells whether a mount is made in the initrd.
    pub fn is_early(&self, mount: &Mount<'_>) -> bool {
        is_needed_for_boot(mount.path) || self.is_needed_early(mount)
    }
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
