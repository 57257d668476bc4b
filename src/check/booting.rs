//! Which disks the firmware starts a host from.

use crate::fleet::schema::disks::Role;
use crate::resolve::{Mount, MountSource, ResolvedDisk, ResolvedHost};
use crate::source::Place;

/// A disk of `boot.mirrors`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MirrorDisk<'a> {
    /// The disk.
    pub(super) disk: &'a ResolvedDisk<'a>,
    /// Where it is named.
    pub(super) place: Place,
}

impl MirrorDisk<'_> {
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
pub(super) fn mirrors<'a>(host: &'a ResolvedHost<'a>) -> impl Iterator<Item = MirrorDisk<'a>> {
    host.def.boot.mirrors.iter().filter_map(|mirror| {
        let disk = disk(host, mirror.as_str())?;
        Some(MirrorDisk { disk, place: mirror.place })
    })
}

pub(super) fn disk<'a>(host: &'a ResolvedHost<'a>, name: &str) -> Option<&'a ResolvedDisk<'a>> {
    host.disks.iter().find(|disk| disk.name == name)
}
