//! install/*.sh: partitions, pools, mounts and the installation itself, for any rescue system.
//!
//! Here the values are put together; the scripts are templates, which quote every value. Nothing here decides to destroy:
//! the scripts look at the disks and refuse, or ask.

use serde::Serialize;

use super::compatibility::{self, PoolCompatibility};
use super::layers_plan::LayersPlan;
use super::{HostCx, OutFile};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::{Format, PartitionSize, Role, Table};
use crate::fleet::schema::machine::Loader;
use crate::fleet::schema::zfs::{CIPHER, CanMount, Dataset, Encryption, VdevType};
use crate::resolve::{BootFile, BootPlaces, boot_files, persistent_path};
use crate::resolve::{MountSource, ResolvedDisk, ResolvedMember, ResolvedPool, ResolvedVdev, SystemRole, VdevClass};
use crate::source::Diagnostics;
use crate::units::Version;

/// Returns sgdisk's type code of a partition (sgdisk(8), `-L`).
pub(super) fn type_code(role: Role) -> &'static str {
    match role {
        Role::BiosBoot => "EF02",
        Role::Esp => "EF00",
        Role::Filesystem => "8300",
        Role::Swap => "8200",
        Role::Zfs => "BF01",
        Role::Mdraid => "FD00",
    }
}

/// The values of all scripts.
#[derive(Serialize)]
struct Install<'a> {
    host: &'a str,
    host_id: &'a str,
    disks: Vec<DiskPlan<'a>>,
    pools: Vec<PoolPlan<'a>>,
    mounts: Vec<MountPlan>,
    /// The files of keys that the installed system is to have.
    key_files: Vec<String>,
    /// Whether there is any key.
    has_keys: bool,
    /// Whether any dataset is rolled back at boot.
    has_blank: bool,
    /// The datasets that ZFS itself mounts once all is in place.
    at_last: Vec<String>,
    layers: LayersPlan<'a>,
    /// Where the host's ssh keys are kept.
    ssh_folder: String,
    /// What else is placed before the installation.
    files: Vec<FilePlan>,
    /// Where a secret goes that nothing names.
    credentials: String,
    /// What the boot loader's installer must have left, on each disk that boots.
    loaders: Vec<String>,
    /// Whether the loader's installer fails where the firmware shows no variables.
    needs_efi_variables: bool,
    /// Whether the firmware is to start the loader by an entry of its own.
    uefi: bool,
}

/// A file that is placed before the installation.
#[derive(Serialize)]
struct FilePlan {
    name: String,
    path: String,
    mode: String,
    owner: String,
    /// `key` for one that can be made on the machine, else nothing.
    make: &'static str,
}

#[derive(Serialize)]
struct DiskPlan<'a> {
    name: &'a str,
    id: &'a str,
    device: String,
    /// 0 where the size is not stated.
    bytes: u64,
    disposable: bool,
    /// Whether it is only described, and never laid out.
    described: bool,
    partitions: Vec<PartitionPlan<'a>>,
}

#[derive(Serialize)]
struct PartitionPlan<'a> {
    number: u32,
    /// First and last place as sgdisk takes them, in MiB.
    span: String,
    code: &'static str,
    label: &'a str,
    device: &'a str,
}

/// A pool as it is created.
#[derive(Debug, Serialize)]
pub(super) struct PoolPlan<'a> {
    pub(super) name: &'a str,
    /// Properties for `-o`.
    pub(super) options: Vec<(String, String)>,
    /// Properties for `-O`.
    pub(super) root_options: Vec<(String, String)>,
    /// The value of `compatibility`.
    pub(super) compatibility: Option<String>,
    /// For a ZFS without that property.
    pub(super) features: Vec<String>,
    pub(super) because: String,
    /// Words that describe the vdevs, in zpool-create(8)'s order.
    pub(super) vdevs: Vec<String>,
    pub(super) members: Vec<String>,
    /// Whether zpool refuses the layout without `-f`: members of unequal size, or vdevs of unequal kind.
    pub(super) uneven: bool,
    pub(super) datasets: Vec<DatasetPlan>,
    /// Bytes of the `reserved` dataset; none: to be worked out from the pool. A definition with a dataset of that name has 0.
    pub(super) reserve: Option<u64>,
    pub(super) manual: bool,
    /// The key of its root dataset.
    pub(super) key: Option<KeyPlan>,
    /// Where its members are looked for.
    pub(super) dev_nodes: String,
}

/// A key of native encryption: which dataset, and where the key comes from. Never the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct KeyPlan {
    /// The encryption root.
    pub(super) dataset: String,
    pub(super) format: &'static str,
    /// The file; none: it is typed.
    pub(super) file: Option<String>,
}

impl KeyPlan {
    fn of(dataset: &str, encryption: &Encryption) -> Self {
        Self {
            dataset: dataset.to_owned(),
            format: encryption.key_format.value.word(),
            file: encryption.key_location.file().map(ToString::to_string),
        }
    }
}

/// Returns the properties that make a dataset an encryption root.
fn encryption_options(encryption: &Encryption) -> [(String, String); 3] {
    [
        ("encryption".to_owned(), CIPHER.to_owned()),
        ("keyformat".to_owned(), encryption.key_format.value.word().to_owned()),
        ("keylocation".to_owned(), encryption.key_location.value.to_string()),
    ]
}

/// Returns where the members of a pool are looked for.
fn dev_nodes<'a>(cx: &HostCx<'a>, pool: &'a ResolvedPool<'_>) -> &'a str {
    let own = pool.def.dev_nodes.as_ref().map(|nodes| nodes.as_str());
    own.unwrap_or_else(|| cx.host.def.zfs.as_ref().map_or("/dev/disk/by-id", |zfs| zfs.dev_nodes.value.as_str()))
}

/// A dataset as it is created.
#[derive(Debug, Serialize)]
pub(super) struct DatasetPlan {
    /// Its whole name.
    pub(super) name: String,
    /// Its name below the pool.
    pub(super) relative: String,
    pub(super) mount: Option<String>,
    pub(super) volume: Option<u64>,
    pub(super) options: Vec<(String, String)>,
    /// The snapshot that is made while it is empty.
    pub(super) blank: Option<String>,
    /// Its key, where encryption begins with it.
    pub(super) key: Option<KeyPlan>,
    /// Whether it is created as a file system that nothing mounts by itself, and becomes `canmount=on` once all is mounted.
    pub(super) can_mount_at_last: bool,
}

#[derive(Serialize)]
struct MountPlan {
    path: String,
    source: String,
    /// The type as mount(8) takes it, or `bind`.
    kind: String,
    options: String,
    /// The key that must be there first.
    key: Option<KeyPlan>,
}

impl<'a> PoolPlan<'a> {
    /// Puts together how a pool is created.
    pub(super) fn of(cx: &HostCx<'_>, pool: &'a ResolvedPool<'a>, compatibility: &PoolCompatibility) -> Self {
        let def = &pool.def.value;
        let written = |name: &str| def.properties.contains_key(name);
        let mut options = Vec::new();
        for (name, value) in [("ashift", "12"), ("cachefile", "none")] {
            if !written(name) {
                options.push((name.to_owned(), value.to_owned()));
            }
        }
        // The key `compatibility` decides, and says so where it is wrong.
        let own = def.properties.iter().filter(|(name, _)| *name != "compatibility");
        options.extend(own.map(|(name, value)| (name.clone(), value.as_str().to_owned())));
        let mut root_options = Vec::new();
        match def.root_properties.get("mountpoint") {
            None => root_options.push(("mountpoint".to_owned(), "none".to_owned())),
            // Else it would be mounted over the rescue system in the moment the pool is made.
            Some(_) if !def.root_properties.contains_key("canmount") => {
                root_options.push(("canmount".to_owned(), "noauto".to_owned()));
            }
            Some(_) => {}
        }
        if let Some(encryption) = &def.encryption {
            root_options.extend(encryption_options(encryption));
        }
        root_options.extend(def.root_properties.iter().map(|(name, value)| (name.clone(), value.as_str().to_owned())));
        // Lets a second run know its own pool.
        root_options.push(("hostwright:host".to_owned(), cx.host.name.to_owned()));
        let mut datasets: Vec<DatasetPlan> =
            def.datasets.iter().map(|(name, dataset)| DatasetPlan::of(pool, name, dataset)).collect();
        // `zfs create -p` makes parents without their options: those that are defined come first.
        datasets.sort_by_key(|dataset| dataset.relative.matches('/').count());
        let reserve = if def.datasets.contains_key("reserved") { Some(0) } else { pool.reserve_bytes() };
        Self {
            name: pool.name,
            options,
            root_options,
            compatibility: compatibility.set.clone(),
            features: if makes_sets(cx) { Vec::new() } else { compatibility.features.clone() },
            because: compatibility.because.clone(),
            vdevs: vdevs(pool),
            members: pool.members().map(|member| member.device.clone()).collect(),
            uneven: is_uneven(pool),
            datasets,
            key: def.encryption.as_ref().map(|encryption| KeyPlan::of(pool.name, encryption)),
            dev_nodes: dev_nodes(cx, pool).to_owned(),
            reserve,
            manual: !super::zfs::is_imported(cx.host, pool.name),
        }
    }
}

/// Tells whether the installer is known to have the property `compatibility`, which came with OpenZFS 2.1.
fn makes_sets(cx: &HostCx<'_>) -> bool {
    let installer = cx.host.systems.iter().find(|system| system.role == SystemRole::Installer);
    let version = installer.and_then(|system| system.at_least);
    version.is_some_and(|version| "2.1".parse().is_ok_and(|first: Version| version >= first))
}

impl DatasetPlan {
    fn of(pool: &ResolvedPool<'_>, name: &str, dataset: &Dataset) -> Self {
        let mut options = Vec::new();
        let mut set = |name: &str, value: String| options.push((name.to_owned(), value));
        let mountpoint = dataset.mountpoint.as_ref().map(|mountpoint| mountpoint.path());
        match mountpoint {
            _ if dataset.mount.is_some() => set("mountpoint", "legacy".to_owned()),
            Some(path) => set("mountpoint", path.unwrap_or("none").to_owned()),
            None => {}
        }
        let can_mount = dataset.can_mount.as_ref().map(|can| can.value);
        // What mounts itself would be mounted over the rescue system in the moment it is made.
        let by_itself = dataset.mount.is_none()
            && dataset.volume.is_none()
            && (mountpoint.flatten().is_some() || (mountpoint.is_none() && inherits_mountpoint(pool, name)));
        match can_mount {
            Some(CanMount::Off) => set("canmount", "off".to_owned()),
            Some(CanMount::Noauto) => set("canmount", "noauto".to_owned()),
            _ if by_itself => set("canmount", "noauto".to_owned()),
            Some(CanMount::On) | None => {}
        }
        if let Some(encryption) = &dataset.encryption {
            for (name, value) in encryption_options(encryption) {
                set(&name, value);
            }
        }
        let sizes = [
            ("quota", &dataset.quota),
            ("refquota", &dataset.refquota),
            ("reservation", &dataset.reservation),
            ("refreservation", &dataset.refreservation),
        ];
        for (name, size) in sizes {
            if let Some(size) = size {
                set(name, size.bytes().to_string());
            }
        }
        for (name, value) in dataset.properties.iter() {
            set(name, value.as_str().to_owned());
        }
        // A volume's size is a multiple of its block size.
        let volume = dataset.volume.as_ref().map(|size| size.bytes().div_ceil(1 << 20) << 20);
        let whole = format!("{}/{name}", pool.name);
        Self {
            relative: name.to_owned(),
            mount: dataset.mounted_at().map(|(path, _)| path.to_owned()),
            volume,
            options,
            blank: dataset.rollback.as_ref().map(|snapshot| snapshot.to_string()),
            key: dataset.encryption.as_ref().map(|encryption| KeyPlan::of(&whole, encryption)),
            can_mount_at_last: by_itself && can_mount == Some(CanMount::On),
            name: whole,
        }
    }
}

/// Tells whether a dataset that says nothing of its mount point inherits a path from one above it.
fn inherits_mountpoint(pool: &ResolvedPool<'_>, name: &str) -> bool {
    let mut above = name;
    while let Some((parent, _)) = above.rsplit_once('/') {
        above = parent;
        let Some(def) = pool.def.datasets.get(parent) else { continue };
        if def.mount.is_some() {
            return false;
        }
        if let Some(mountpoint) = &def.mountpoint {
            return mountpoint.path().is_some();
        }
    }
    pool.def.root_properties.get("mountpoint").is_some_and(|value| value.value.value.as_str().starts_with('/'))
}

fn vdevs(pool: &ResolvedPool<'_>) -> Vec<String> {
    let mut words = Vec::new();
    let devices = |members: &[ResolvedMember], words: &mut Vec<String>| {
        words.extend(members.iter().map(|member| member.device.clone()));
    };
    for vdev in &pool.vdevs {
        words.extend(vdev.class.word().map(str::to_owned));
        words.extend(vdev.def.word());
        devices(&vdev.members, &mut words);
    }
    for (word, members) in [("cache", &pool.cache), ("spare", &pool.spares)] {
        if !members.is_empty() {
            words.push(word.to_owned());
            devices(members, &mut words);
        }
    }
    words
}

fn is_uneven(pool: &ResolvedPool<'_>) -> bool {
    let unequal = |vdev: &ResolvedVdev<'_>| {
        let redundant = vdev.def.kind.value != VdevType::Stripe;
        redundant && vdev.members.windows(2).any(|pair| pair.first().map(|m| m.bytes) != pair.last().map(|m| m.bytes))
    };
    let form = |vdev: &ResolvedVdev<'_>| (vdev.def.kind.value, vdev.members.len());
    let mixed = || {
        let counted =
            |vdev: &&ResolvedVdev<'_>| vdev.class != VdevClass::Log && vdev.def.kind.value != VdevType::Stripe;
        let mut forms = pool.vdevs.iter().filter(counted).map(form);
        let first = forms.next();
        let stripe = pool.data().any(|vdev| vdev.def.kind.value == VdevType::Stripe);
        first.is_some_and(|first| stripe || forms.any(|other| other != first))
    };
    // A log or special device without the redundancy of the data is refused too.
    let weaker = || {
        pool.is_redundant()
            && pool.vdevs.iter().any(|vdev| {
                matches!(vdev.class, VdevClass::Special | VdevClass::Dedup)
                    && vdev.def.kind.value.parity(vdev.members.len()) == 0
            })
    };
    let different = || {
        let data = pool.data().map(|vdev| vdev.def.kind.value).next();
        pool.vdevs.iter().any(|vdev| {
            matches!(vdev.class, VdevClass::Special | VdevClass::Dedup) && Some(vdev.def.kind.value) != data
        })
    };
    pool.vdevs.iter().any(unequal) || mixed() || weaker() || different()
}

fn disk_plan<'a>(disk: &'a ResolvedDisk<'a>) -> DiskPlan<'a> {
    let partitions = disk.partitions.iter().map(|partition| {
        let rest = partition.def.is_none_or(|def| matches!(def.size.value, PartitionSize::Rest));
        let end = match partition.bytes.filter(|_| !rest) {
            Some(bytes) => format!("+{}M", bytes >> 20),
            None => "0".to_owned(),
        };
        PartitionPlan {
            number: partition.number,
            span: format!("{}M:{end}", partition.start >> 20),
            code: type_code(partition.role),
            label: &partition.label,
            device: &partition.device,
        }
    });
    DiskPlan {
        name: disk.name,
        id: disk.def.id.as_str(),
        device: disk.device(),
        bytes: disk.bytes().unwrap_or(0),
        disposable: disk.def.disposable.value,
        described: disk.def.table.value == Table::Mbr,
        partitions: partitions.collect(),
    }
}

fn mounts(cx: &HostCx<'_>) -> Vec<MountPlan> {
    let mut mounts: Vec<MountPlan> = cx
        .host
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            // What the installed system needs before its network is up; all else has no part in an installation.
            MountSource::Foreign(_) if !super::layers::is_early(cx.host, mount) => None,
            MountSource::Partition { .. }
            | MountSource::Array { .. }
            | MountSource::Foreign(_)
            | MountSource::Persisted { .. } => {
                let mut words = mount.words()?;
                if words.kind == Format::Vfat.word() {
                    super::disks::private(&mut words.options);
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
            MountSource::Dataset { pool, name, def } if super::zfs::is_imported(cx.host, pool) => {
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
    in_order(mounts)
}

/// Returns mounts in an order in which each finds what it needs: the one its path lies in, and the one that holds its key.
fn in_order(mut waiting: Vec<MountPlan>) -> Vec<MountPlan> {
    let below = |path: &str, of: &str| {
        of == "/" || path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut ordered: Vec<MountPlan> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |mount: &MountPlan| {
            let file = mount.key.as_ref().and_then(|key| key.file.as_deref());
            !waiting.iter().any(|other| {
                other.path != mount.path
                    && (below(&mount.path, &other.path) || file.is_some_and(|file| below(file, &other.path)))
            })
        };
        // Where each waits for another (`dataset-mount-conflict`) the order of the paths has to do.
        let next = waiting.iter().position(is_ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

impl From<BootFile> for FilePlan {
    fn from(file: BootFile) -> Self {
        let make = if file.host_key { "key" } else { "" };
        Self { name: file.name, path: file.path, mode: file.mode, owner: file.owner, make }
    }
}

/// Returns the menus that the boot loader's installer writes, on each disk that boots.
fn loaders(cx: &HostCx<'_>) -> Vec<String> {
    let loader = cx.host.def.boot.loader.value;
    let menu = match loader {
        Loader::Grub => "grub/grub.cfg",
        Loader::SystemdBoot => "loader/loader.conf",
        Loader::Other => return Vec::new(),
    };
    let places = BootPlaces::of(cx.host).menus(loader);
    places.into_iter().map(|place| format!("{}/{menu}", place.trim_end_matches('/'))).collect()
}

/// The scripts, by template.
const SCRIPTS: [&str; 4] = ["install", "mount", "partition", "pools"];

/// Returns the scripts of a host, for its folder in out/; without pools there is none that makes them.
pub(super) fn scripts(cx: &HostCx<'_>, found: &mut Diagnostics) -> Vec<OutFile> {
    let pools: Vec<PoolPlan<'_>> = cx
        .host
        .pools
        .iter()
        .map(|pool| PoolPlan::of(cx, pool, &compatibility::for_pool(cx.host, pool, cx.facts)))
        .collect();
    let loader = cx.host.def.boot.loader.value;
    let datasets = || pools.iter().flat_map(|pool| &pool.datasets);
    let keys: Vec<KeyPlan> = pools
        .iter()
        .flat_map(|pool| pool.key.iter().chain(pool.datasets.iter().filter_map(|dataset| dataset.key.as_ref())))
        .cloned()
        .collect();
    let mut key_files: Vec<String> = keys.iter().filter_map(|key| key.file.clone()).collect();
    key_files.sort_unstable();
    key_files.dedup();
    let has_blank = datasets().any(|dataset| dataset.blank.is_some());
    let at_last = datasets().filter(|dataset| dataset.can_mount_at_last).map(|dataset| dataset.name.clone()).collect();
    let values = Install {
        has_keys: !keys.is_empty(),
        has_blank,
        at_last,
        key_files,
        host: cx.host.name,
        host_id: &cx.host.host_id.id,
        disks: cx.host.disks.iter().filter(|disk| !disk.partitions.is_empty()).map(disk_plan).collect(),
        pools,
        mounts: mounts(cx),
        layers: LayersPlan::of(cx),
        ssh_folder: persistent_path(cx.host, "/etc/ssh"),
        files: boot_files(cx.host).into_iter().map(FilePlan::from).collect(),
        credentials: persistent_path(cx.host, "/etc/credstore"),
        loaders: loaders(cx),
        needs_efi_variables: loader == Loader::Grub && cx.host.has_uefi() && !cx.host.has_bios(),
        uefi: cx.host.has_uefi() && !cx.host.has_bios() && loader != Loader::Other,
    };
    SCRIPTS
        .iter()
        .filter(|name| **name != "pools" || !values.pools.is_empty())
        .filter_map(|name| {
            let text = cx.render(&format!("install/{name}.sh.tera"), &values, found)?;
            Some(OutFile { path: format!("install/{name}.sh"), text, executable: true })
        })
        .collect()
}
