//! What is mounted where.

use super::{ResolvedDisk, ResolvedPool};
use crate::fleet::schema::disks::{Format, Partition};
use crate::fleet::schema::zfs::Dataset;
use crate::source::Place;

/// Something that is mounted.
#[derive(Debug)]
pub struct Mount<'f> {
    /// Where.
    pub path: &'f str,
    /// What.
    pub source: MountSource<'f>,
    /// Where the mount is written.
    pub place: Place,
}

/// What is mounted.
#[derive(Debug)]
pub enum MountSource<'f> {
    /// A partition's file system.
    Partition {
        /// Its path below /dev/disk/by-id.
        device: String,
        /// Its definition.
        def: &'f Partition,
        /// Its file system; ext4 when none is written.
        format: Format,
        /// The disk it is on.
        disk: &'f str,
    },
    /// A dataset.
    Dataset {
        /// The pool.
        pool: &'f str,
        /// The dataset, relative to the pool.
        name: &'f str,
        /// Its definition.
        def: &'f Dataset,
    },
}

/// Returns what a host mounts, parents before what lies below them. Of mirrored ESPs the one on the first disk is mounted.
pub(in crate::resolve) fn mounts<'f>(disks: &[ResolvedDisk<'f>], pools: &[ResolvedPool<'f>]) -> Vec<Mount<'f>> {
    let mut mounts = Vec::new();
    for disk in disks {
        for partition in &disk.partitions {
            let Some(def) = partition.def else { continue };
            let Some(path) = &def.mount else { continue };
            let format = partition.format().unwrap_or(Format::Ext4);
            let source = MountSource::Partition { device: partition.device.clone(), def, format, disk: disk.name };
            mounts.push(Mount { path: path.as_str(), source, place: path.place });
        }
    }
    for pool in pools {
        for (name, dataset) in pool.def.value.datasets.iter() {
            let Some((path, place)) = dataset.value.mounted_at() else { continue };
            let source = MountSource::Dataset { pool: pool.name, name, def: &dataset.value };
            mounts.push(Mount { path, source, place });
        }
    }
    mounts.sort_by(|a, b| depth(a.path).cmp(&depth(b.path)).then(a.path.cmp(b.path)));
    mounts
}

fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}
