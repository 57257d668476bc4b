//! What is mounted below the target, in which order, and which key comes first.

use serde::Serialize;

use super::pools::KeyPlan;
use crate::compile::HostCx;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::Format;
use crate::resolve::{BootPlaces, MountSource};

#[derive(Serialize)]
pub(super) struct MountPlan {
    path: String,
    source: String,
    /// The type as mount(8) takes it, or `bind`.
    kind: String,
    options: String,
    /// The key that must be there first.
    key: Option<KeyPlan>,
}

pub(super) fn mounts(cx: &HostCx<'_>) -> Vec<MountPlan> {
    let mut mounts: Vec<MountPlan> = cx
        .host
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            // What the installed system needs before its network is up; all else has no part in an installation.
            MountSource::Foreign(_) if !cx.host.is_early(mount) => None,
            MountSource::Partition { .. }
            | MountSource::Array { .. }
            | MountSource::Foreign(_)
            | MountSource::Persisted { .. } => {
                let mut words = mount.words()?;
                if words.kind == Format::Vfat.word() {
                    crate::compile::disks::private(&mut words.options);
                }
                let (source, kind) = match mount.bound() {
                    Some(bound) => (bound.to_owned(), "bind".to_owned()),
                    None => (words.source, words.kind),
                };
                Some(MountPlan {
                    path: mount.path.to_owned(),
                    source,
                    kind,
                    options: words.options.join(","),
                    key: None,
                })
            }
            MountSource::Dataset { pool, name, def } if crate::compile::zfs::is_imported(cx.host, pool) => {
                let resolved = cx.host.pools.iter().find(|known| known.name == *pool);
                let root = resolved.and_then(|pool| pool.encryption_root_of(name));
                Some(MountPlan {
                    path: mount.path.to_owned(),
                    source: format!("{pool}/{name}"),
                    kind: "zfs".to_owned(),
                    options: if def.mounts_itself() { "zfsutil" } else { "" }.to_owned(),
                    key: root.map(|root| KeyPlan::of(&root.name, root.def)),
                })
            }
            MountSource::Dataset { .. } => None,
        })
        .collect();
    // The loader is installed on the mirrors as well.
    mounts.extend(BootPlaces::of(cx.host).unmounted().map(|mirror| MountPlan {
        path: mirror.path.clone(),
        source: mirror.device.clone(),
        kind: mirror.format.word().to_owned(),
        options: if mirror.format == Format::Vfat { "umask=0077" } else { "" }.to_owned(),
        key: None,
    }));
    mounts
}
