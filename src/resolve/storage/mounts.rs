//! What is mounted where, each after what it stands on.

use super::{Base, BlockDevice, Content, ResolvedArray, ResolvedDisk, ResolvedPool};
use crate::fleet::Host;
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::{AbsPath, KernelWord};
use crate::fleet::schema::disks::{Format, Partition, Subvolume};
use crate::fleet::schema::storage::{FileSystem, Mdraid, PersistedDirectory};
use crate::fleet::schema::zfs::Dataset;
use crate::source::{Place, Spanned};
use crate::units::lies_in;

/// Where hostwright keeps its lock and the state of a trial on a host: it survives every boot, whatever the root does.
pub const STATE: &str = "/var/lib/hostwright";

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
        /// Its path: below /dev/disk/by-id, or below /dev/mapper where LUKS is around it.
        device: String,
        /// Its definition.
        def: &'f Partition,
        /// Its file system; ext4 when none is written.
        format: Format,
        /// The disk it is on.
        disk: &'f str,
        /// The subvolume of it that is mounted.
        subvolume: Option<(&'f str, &'f Subvolume)>,
    },
    /// An array's file system.
    Array {
        /// Its path: below /dev/disk/by-id, or below /dev/mapper where LUKS is around it.
        device: String,
        /// Its definition.
        def: &'f Mdraid,
        /// Its file system.
        format: Format,
        /// Its name.
        name: &'f str,
        /// The subvolume of it that is mounted.
        subvolume: Option<(&'f str, &'f Subvolume)>,
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
    /// A file system that is not laid out here.
    Foreign(&'f FileSystem),
    /// A directory that survives a root which forgets.
    Persisted {
        /// Where it is kept.
        kept: String,
        /// Its entry; none for hostwright's own.
        def: Option<&'f PersistedDirectory>,
    },
}

impl MountSource<'_> {
    /// Returns the dataset with its pool, of a mounted dataset.
    pub fn dataset(&self) -> Option<String> {
        match self {
            Self::Dataset { pool, name, .. } => Some(format!("{pool}/{name}")),
            _ => None,
        }
    }
}

/// A mount as mount(8) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountWords {
    /// What is mounted.
    pub source: String,
    /// The type; `none` of a bind mount.
    pub kind: String,
    /// The options.
    pub options: Vec<String>,
}

impl Mount<'_> {
    /// Returns the mount as mount(8) takes it; none of a dataset, whose pool decides.
    pub fn words(&self) -> Option<MountWords> {
        let texts = |words: &[Spanned<KernelWord>]| -> Vec<String> {
            words.iter().map(|word| word.as_str().to_owned()).collect()
        };
        let of = |device: &str, format: Format, own: &[Spanned<KernelWord>], sub: Option<(&str, &Subvolume)>| {
            let options = match sub {
                Some((name, def)) => {
                    let mut options = vec![format!("subvol={name}")];
                    options.extend(texts(own));
                    options.extend(texts(&def.options));
                    options
                }
                None => texts(own),
            };
            MountWords { source: device.to_owned(), kind: format.word().to_owned(), options }
        };
        Some(match &self.source {
            MountSource::Partition { device, def, format, subvolume, .. } => {
                of(device, *format, &def.mount_options, *subvolume)
            }
            MountSource::Array { device, def, format, subvolume, .. } => {
                of(device, *format, &def.mount_options, *subvolume)
            }
            MountSource::Dataset { .. } => return None,
            MountSource::Foreign(def) => foreign(def, texts(&def.options), self.path),
            MountSource::Persisted { kept, .. } => {
                MountWords { source: kept.clone(), kind: "none".to_owned(), options: vec!["bind".to_owned()] }
            }
        })
    }

    /// Returns the path on the host that a bind mount shows at another one.
    pub fn bound(&self) -> Option<&str> {
        match &self.source {
            MountSource::Persisted { kept, .. } => Some(kept),
            MountSource::Foreign(def) if def.kind.as_str() == "bind" => def.device.as_ref().map(|d| d.as_str()),
            _ => None,
        }
    }
}

fn foreign(def: &FileSystem, mut options: Vec<String>, path: &str) -> MountWords {
    let kind = def.kind.as_str();
    if let Some(size) = &def.size {
        options.insert(0, format!("size={}", size.bytes()));
    }
    if kind == "tmpfs" && path == "/" && !options.iter().any(|option| option.starts_with("mode=")) {
        // Without it everybody may write to the root.
        options.push("mode=0755".to_owned());
    }
    let bind = kind == "bind";
    if bind && !options.iter().any(|option| option == "bind" || option == "rbind") {
        options.insert(0, "bind".to_owned());
    }
    let source = def.device.as_ref().map_or(kind, |device| device.as_str()).to_owned();
    MountWords { source, kind: if bind { "none" } else { kind }.to_owned(), options }
}

/// Returns what a host mounts, each after what it stands on. Of mirrored ESPs the one on the first disk is mounted.
pub(in crate::resolve) fn mounts<'f>(
    host: &'f Host,
    disks: &[ResolvedDisk<'f>],
    arrays: &[ResolvedArray<'f>],
    devices: &[BlockDevice<'f>],
    pools: &[ResolvedPool<'f>],
) -> Vec<Mount<'f>> {
    let mut mounts = Vec::new();
    for device in devices {
        let Content::FileSystem(format) = device.content else {
            continue_with_mount(device, disks, &mut mounts);
            continue;
        };
        let format = format.unwrap_or(Format::Ext4);
        let own = device.mount.map(|mount| (mount, None));
        let below = device
            .subvolumes
            .iter()
            .filter_map(|(name, subvolume)| Some((subvolume.mount.as_ref()?, Some((name.as_str(), &subvolume.value)))));
        for (path, subvolume) in own.into_iter().chain(below) {
            let path_device = device.device();
            let source = match device.base {
                Base::Partition { disk, name } => {
                    let Some(def) = partition(disks, disk, name) else { continue };
                    MountSource::Partition { device: path_device, def, format, disk, subvolume }
                }
                Base::Array { name } => {
                    let Some(array) = arrays.iter().find(|array| array.name == name) else { continue };
                    MountSource::Array { device: path_device, def: &array.def.value, format, name, subvolume }
                }
            };
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
    for (path, def) in host.def.filesystems.iter() {
        mounts.push(Mount { path, source: MountSource::Foreign(&def.value), place: def.key });
    }
    if let Some(persistence) = &host.def.persistence {
        let kept = |path: &str| format!("{}{path}", persistence.root.as_str().trim_end_matches('/'));
        for entry in &persistence.directories {
            let path = entry.0.path.as_str();
            let source = MountSource::Persisted { kept: kept(path), def: Some(&entry.value.0) };
            mounts.push(Mount { path, source, place: entry.0.path.place });
        }
        let holds = |mount: &Mount<'_>| mount.path != "/" && lies_in(STATE, mount.path);
        if !mounts.iter().any(holds) {
            let source = MountSource::Persisted { kept: kept(STATE), def: None };
            mounts.push(Mount { path: STATE, source, place: persistence.root.place });
        }
    }
    ordered(mounts, pools)
}

/// A mount on a partition without a file system is wrong, and a rule says so: it takes part all the same.
fn continue_with_mount<'f>(device: &BlockDevice<'f>, disks: &[ResolvedDisk<'f>], mounts: &mut Vec<Mount<'f>>) {
    let (Some(path), Base::Partition { disk, name }) = (device.mount, device.base) else { return };
    let Some(def) = partition(disks, disk, name) else { return };
    let source = MountSource::Partition { device: device.device(), def, format: Format::Ext4, disk, subvolume: None };
    mounts.push(Mount { path: path.as_str(), source, place: path.place });
}

fn partition<'f>(disks: &[ResolvedDisk<'f>], disk: &str, name: &str) -> Option<&'f Partition> {
    disks.iter().find(|known| known.name == disk)?.partitions.iter().find(|part| part.name == name)?.def
}

/// Sorts mounts: each after those that hold its path, a bind mount after the one that holds what it shows, a dataset after
/// the one that holds its key. What stands in a circle comes last, in the order of paths.
fn ordered<'f>(mut mounts: Vec<Mount<'f>>, pools: &[ResolvedPool<'f>]) -> Vec<Mount<'f>> {
    mounts.sort_by(|a, b| depth(a.path).cmp(&depth(b.path)).then(a.path.cmp(b.path)));
    let mut sorted: Vec<Mount<'_>> = Vec::with_capacity(mounts.len());
    while !mounts.is_empty() {
        let waits = |mount: &Mount<'_>| {
            let wanted = [Some(mount.path), mount.bound(), key_file(mount, pools)];
            let lies_elsewhere = |other: &Mount<'_>| wanted.into_iter().flatten().any(|path| lies_in(path, other.path));
            mounts.iter().any(|other| other.path != mount.path && lies_elsewhere(other))
        };
        let next = mounts.iter().position(|mount| !waits(mount)).unwrap_or(0);
        sorted.push(mounts.remove(next));
    }
    sorted
}

/// Returns the file with the key of a dataset.
fn key_file<'f>(mount: &Mount<'f>, pools: &[ResolvedPool<'f>]) -> Option<&'f str> {
    let MountSource::Dataset { pool, name, .. } = &mount.source else { return None };
    let root = pools.iter().find(|known| known.name == *pool)?.encryption_root_of(name)?;
    root.def.key_location.value.file().map(AbsPath::as_str)
}

fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}
