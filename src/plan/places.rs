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
        if host.def.external.is_some() {
            return Self { loader, mounts: vec![seen(host, loader)] };
        }
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

/// Returns where the menu of a host lies that is not compiled here: below what its facts show as mounted, else where NixOS has it.
fn seen(host: &ResolvedHost<'_>, loader: Loader) -> String {
    let disks = host.source.facts.as_ref().and_then(|facts| facts.disks.as_ref());
    let is_mounted = |path: &str| {
        let mounted = disks.into_iter().flatten().filter_map(|disk| disk.mounted.as_ref()).flatten();
        mounted.into_iter().any(|mounted| *mounted.value == *path)
    };
    let places: &[&str] = if loader == Loader::SystemdBoot { &["/boot", "/boot/efi", "/efi"] } else { &["/boot"] };
    // With an ESP of its own, systemd-boot's menu lies there and the kernels may lie below /boot.
    let place = places.iter().rev().find(|place| is_mounted(place));
    (*place.unwrap_or(&"/boot")).to_owned()
}
