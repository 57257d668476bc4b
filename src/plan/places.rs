//! Where a host's boot menu lies: one folder a disk that can boot.

use crate::fleet::schema::machine::Loader;
use crate::resolve::{self, ResolvedHost};

/// The boot menu of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BootPlaces {
    /// The boot loader.
    pub(super) loader: Loader,
    /// Where the file systems with the menu are mounted, the one that boots first, then its mirrors.
    pub(super) mounts: Vec<String>,
}

impl BootPlaces {
    /// Finds the boot menus of a host.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Self {
        let loader = host.def.boot.loader.value;
        Self { loader, mounts: resolve::BootPlaces::of(host).menus(loader) }
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
