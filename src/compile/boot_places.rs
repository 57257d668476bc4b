//! Where the firmware finds a boot loader: the partition that is mounted, and its mirrors on further disks.

use crate::fleet::schema::disks::{Format, Role};
use crate::resolve::{ResolvedDisk, ResolvedHost, ResolvedPartition};
use crate::source::Place;

/// A mount point without a trailing slash, for names derived from it.
fn stem(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// A copy of a boot partition on another disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    /// The partition's path below /dev/disk/by-id.
    pub(super) device: String,
    /// Its disk's path below /dev/disk/by-id.
    pub(super) disk_device: String,
    /// Its disk's name.
    pub(super) disk: String,
    /// Its number on the disk.
    pub(super) number: u32,
    /// Its file system.
    pub(super) format: Format,
    /// Where it is mounted.
    pub(super) path: String,
    /// Whether the definition mounts it already.
    pub(super) mounted: bool,
    /// Where the mirror is asked for.
    pub(super) place: Place,
}

/// The boot partitions of a host.
#[derive(Debug, Default)]
pub(super) struct BootPlaces<'a> {
    /// The partition that holds `/boot`: its own or that of `/`; none when that is a dataset.
    pub(super) boot: Option<(&'a ResolvedDisk<'a>, &'a ResolvedPartition<'a>, &'a str)>,
    /// The EFI system partition that is mounted.
    pub(super) esp: Option<(&'a ResolvedDisk<'a>, &'a ResolvedPartition<'a>, &'a str)>,
    /// Mirrors of `boot`, one a disk of `boot.mirrors` that has a partition for it.
    pub(super) boot_mirrors: Vec<Mirror>,
    /// Mirrors of `esp`.
    pub(super) esp_mirrors: Vec<Mirror>,
}

impl<'a> BootPlaces<'a> {
    /// Finds the boot partitions of a host.
    pub(super) fn of(host: &'a ResolvedHost<'a>) -> Self {
        let partitions = || host.disks.iter().flat_map(|disk| disk.partitions.iter().map(move |part| (disk, part)));
        let mounted = |wanted: &str| {
            partitions().find_map(|(disk, part)| {
                let mount = part.def?.mount.as_ref()?.as_str();
                (mount == wanted).then_some((disk, part, mount))
            })
        };
        let own_boot = host.mounts.iter().any(|mount| mount.path == "/boot");
        let boot = if own_boot { mounted("/boot") } else { mounted("/") };
        let mut esps = partitions().filter(|(_, part)| part.role == Role::Esp);
        let esp = esps.find_map(|(disk, part)| Some((disk, part, part.def?.mount.as_ref()?.as_str())));
        let mut places = Self { boot, esp, ..Self::default() };
        // One FAT partition is both.
        let same = boot.zip(esp).is_some_and(|((_, boot, _), (_, esp, _))| boot.device == esp.device);
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

    /// Returns the mirrors that the definition does not mount itself.
    pub(super) fn unmounted(&self) -> impl Iterator<Item = &Mirror> {
        self.boot_mirrors.iter().chain(&self.esp_mirrors).filter(|mirror| !mirror.mounted)
    }

    /// Tells whether losing the disk behind a mount point must not keep the host from booting.
    pub(super) fn is_mirrored(&self, path: &str) -> bool {
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
pub(super) fn grub_disks<'a>(host: &'a ResolvedHost<'a>, places: &BootPlaces<'a>) -> Vec<&'a ResolvedDisk<'a>> {
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
