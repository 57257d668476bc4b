//! Where the firmware finds a boot loader: the partition that is mounted, and its mirrors on further disks.

use super::{ResolvedDisk, ResolvedHost, ResolvedPartition};
use crate::fleet::schema::disks::{Format, Role};
use crate::fleet::schema::machine::Loader;
use crate::source::Place;

/// A mount point without a trailing slash, for names derived from it.
fn stem(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// A copy of a boot partition on another disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The partition's path below /dev/disk/by-id.
    pub device: String,
    /// Its disk's path below /dev/disk/by-id.
    pub disk_device: String,
    /// Its disk's name.
    pub disk: String,
    /// Its number on the disk.
    pub number: u32,
    /// Its file system.
    pub format: Format,
    /// Where it is mounted.
    pub path: String,
    /// Whether the definition mounts it already.
    pub mounted: bool,
    /// Where the mirror is asked for.
    pub place: Place,
}

/// The boot partitions of a host.
#[derive(Debug, Default)]
pub struct BootPlaces<'a> {
    /// The partition that holds `/boot`: its own or that of `/`; none when that is a dataset.
    pub boot: Option<(&'a ResolvedDisk<'a>, &'a ResolvedPartition<'a>, &'a str)>,
    /// The EFI system partition that is mounted.
    pub esp: Option<(&'a ResolvedDisk<'a>, &'a ResolvedPartition<'a>, &'a str)>,
    /// Mirrors of `boot`, one a disk of `boot.mirrors` that has a partition for it.
    pub boot_mirrors: Vec<Mirror>,
    /// Mirrors of `esp`.
    pub esp_mirrors: Vec<Mirror>,
}

impl<'a> BootPlaces<'a> {
    /// Finds the boot partitions of a host.
    pub fn of(host: &'a ResolvedHost<'a>) -> Self {
        let partitions = || host.disks.iter().flat_map(|disk| disk.partitions.iter().map(move |part| (disk, part)));
        let mounted = |wanted: &str| {
            partitions().find_map(|(disk, part)| {
                let def = part.def?;
                let below = def.subvolumes.values().filter_map(|subvolume| subvolume.mount.as_ref());
                let mount = def.mount.iter().chain(below).find(|mount| mount.as_str() == wanted)?;
                Some((disk, part, mount.as_str()))
            })
        };
        let own_boot = host.mounts.iter().any(|mount| mount.path == "/boot");
        let boot = if own_boot { mounted("/boot") } else { mounted("/") };
        let mut esps = partitions().filter(|(_, part)| part.role == Role::Esp);
        let esp = esps.find_map(|(disk, part)| Some((disk, part, part.def?.mount.as_ref()?.as_str())));
        let mut places = Self { boot, esp, ..Self::default() };
        let same = places.is_one_partition();
        for mirror in &host.def.boot.mirrors {
            let Some(disk) = host.disks.iter().find(|disk| disk.name == mirror.as_str()) else { continue };
            if let Some((_, main, mount)) = esp {
                places.esp_mirrors.extend(copy(disk, main, mount, mirror.place));
            }
            if let Some((_, main, mount)) = boot.filter(|_| !same && own_boot) {
                places.boot_mirrors.extend(copy(disk, main, mount, mirror.place));
            }
        }
        places
    }

    /// Returns where the file systems with the boot menu are mounted: the one that boots first, then its mirrors.
    pub fn menus(&self, loader: Loader) -> Vec<String> {
        // GRUB's menu lies below /boot whatever holds that; a FAT partition that is both has its mirrors among the ESPs.
        let (main, mirrors) = match loader {
            Loader::SystemdBoot => (self.esp.map_or("/boot", |(_, _, mount)| mount), &self.esp_mirrors),
            Loader::Grub if self.is_one_partition() => ("/boot", &self.esp_mirrors),
            Loader::Grub | Loader::Other => ("/boot", &self.boot_mirrors),
        };
        let mirrors = mirrors.iter().filter(|_| loader != Loader::Other).map(|mirror| mirror.path.clone());
        std::iter::once(main.to_owned()).chain(mirrors).collect()
    }

    /// Tells whether one FAT partition is `/boot` and ESP at once.
    fn is_one_partition(&self) -> bool {
        self.boot.zip(self.esp).is_some_and(|((_, boot, _), (_, esp, _))| boot.device == esp.device)
    }

    /// Returns the mirrors that the definition does not mount itself.
    pub fn unmounted(&self) -> impl Iterator<Item = &Mirror> {
        self.boot_mirrors.iter().chain(&self.esp_mirrors).filter(|mirror| !mirror.mounted)
    }

    /// Tells whether losing the disk behind a mount point must not keep the host from booting.
    pub fn is_mirrored(&self, path: &str) -> bool {
        let main = |place: &Option<(&ResolvedDisk<'_>, &ResolvedPartition<'_>, &str)>| {
            place.as_ref().is_some_and(|(_, _, mount)| *mount == path)
        };
        (main(&self.boot) && !self.boot_mirrors.is_empty())
            || (main(&self.esp) && !self.esp_mirrors.is_empty())
            || self.boot_mirrors.iter().chain(&self.esp_mirrors).any(|mirror| mirror.path == path)
    }
}

/// Finds the partition of a disk that mirrors another: of the same role, of the same name if there is one.
fn copy(disk: &ResolvedDisk<'_>, main: &ResolvedPartition<'_>, mount: &str, place: Place) -> Option<Mirror> {
    if disk.name == main.disk {
        return None;
    }
    let of_role = || disk.partitions.iter().filter(|part| part.role == main.role);
    let found = of_role().find(|part| part.name == main.name).or_else(|| match main.role {
        Role::Esp => of_role().next(),
        _ => None,
    })?;
    let written = found.def.and_then(|def| def.mount.as_ref()).map(|mount| mount.as_str().to_owned());
    Some(Mirror {
        device: found.device.clone(),
        disk_device: disk.device(),
        disk: disk.name.to_owned(),
        number: found.number,
        format: found.format().unwrap_or(Format::Ext4),
        mounted: written.is_some(),
        path: written.unwrap_or_else(|| format!("{}-{}", stem(mount), disk.name)),
        place,
    })
}

/// Returns the disks that GRUB's core image is written to, without those that mirror `/boot` by a partition of their own.
pub fn grub_disks<'a>(host: &'a ResolvedHost<'a>, places: &BootPlaces<'a>) -> Vec<&'a ResolvedDisk<'a>> {
    let has_core = |disk: &ResolvedDisk<'_>| disk.partitions.iter().any(|part| part.role == Role::BiosBoot);
    let own = |disk: &ResolvedDisk<'_>| places.boot_mirrors.iter().any(|mirror| mirror.disk == disk.name);
    let is_mirror = |disk: &ResolvedDisk<'_>| host.def.boot.mirrors.iter().any(|name| name.as_str() == disk.name);
    let main = places.boot.map(|(disk, _, _)| disk);
    let mut disks: Vec<&ResolvedDisk<'_>> = match main {
        Some(disk) if has_core(disk) => vec![disk],
        _ => host.disks.iter().filter(|disk| has_core(disk) && !is_mirror(disk)).collect(),
    };
    if disks.is_empty() {
        disks.extend(main.or_else(|| host.disks.first()));
    }
    let known: Vec<&str> = disks.iter().map(|disk| disk.name).collect();
    disks.extend(host.disks.iter().filter(|disk| is_mirror(disk) && !own(disk) && !known.contains(&disk.name)));
    disks
}
