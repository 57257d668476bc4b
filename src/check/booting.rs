//! Which disks the firmware starts a host from.

use crate::fleet::schema::disks::Role;
use crate::resolve::{Mount, MountSource, ResolvedDisk, ResolvedHost, ResolvedPool, VdevClass};
use crate::source::Place;

/// A disk that must be able to boot, and what says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct BootDisk<'a> {
    /// The disk.
    pub(super) disk: &'a ResolvedDisk<'a>,
    /// Where it is said: a mount, or an entry of `boot.mirrors`.
    pub(super) place: Place,
    /// Whether it is an entry of `boot.mirrors`.
    pub(super) mirror: bool,
}

impl BootDisk<'_> {
    /// Tells whether the disk has a partition of a role.
    pub(super) fn has(&self, role: Role) -> bool {
        self.disk.partitions.iter().any(|partition| partition.role == role)
    }
}

/// Returns the mount that holds kernels and the loader's menu: that of `/boot`, else `/`.
pub(super) fn boot_mount<'a>(host: &'a ResolvedHost<'_>) -> Option<&'a Mount<'a>> {
    let at = |path: &str| host.mounts.iter().find(|mount| mount.path == path);
    at("/boot").or_else(|| at("/"))
}

/// Returns the EFI system partitions that are mounted, with the disk that each is on.
pub(super) fn mounted_esps<'a>(host: &'a ResolvedHost<'_>) -> impl Iterator<Item = (&'a Mount<'a>, &'a str)> {
    host.mounts.iter().filter_map(|mount| match &mount.source {
        MountSource::Partition { def, disk, .. } if def.role.value == Role::Esp => Some((mount, *disk)),
        _ => None,
    })
}

/// Returns the disks of `boot.mirrors`.
pub(super) fn mirrors<'a>(host: &'a ResolvedHost<'a>) -> impl Iterator<Item = BootDisk<'a>> {
    host.def.boot.mirrors.iter().filter_map(|mirror| {
        let disk = disk(host, mirror.as_str())?;
        Some(BootDisk { disk, place: mirror.place, mirror: true })
    })
}

/// Returns the disks that a mount is read from: that of its partition, or those of its pool's data.
pub(super) fn disks_of<'a>(host: &'a ResolvedHost<'a>, mount: &'a Mount<'a>) -> Vec<BootDisk<'a>> {
    let names: Vec<&str> = match &mount.source {
        MountSource::Partition { disk, .. } => vec![disk],
        MountSource::Dataset { pool, .. } => {
            let pool = host.pools.iter().find(|known| known.name == *pool);
            let data = pool.into_iter().flat_map(ResolvedPool::data).filter(|vdev| vdev.class == VdevClass::Data);
            data.flat_map(|vdev| &vdev.members).map(|member| member.disk.as_str()).collect()
        }
    };
    let boot_disk = |name| Some(BootDisk { disk: disk(host, name)?, place: mount.place, mirror: false });
    names.into_iter().filter_map(boot_disk).collect()
}

fn disk<'a>(host: &'a ResolvedHost<'a>, name: &str) -> Option<&'a ResolvedDisk<'a>> {
    host.disks.iter().find(|disk| disk.name == name)
}
