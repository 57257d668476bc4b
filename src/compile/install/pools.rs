//! Pools and datasets as the scripts and disko make them.

use serde::Serialize;

use crate::compile::HostCx;
use crate::compile::compatibility::PoolCompatibility;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::zfs::{CIPHER, CanMount, Dataset, Encryption, VdevType};
use crate::resolve::{ResolvedMember, ResolvedPool, ResolvedVdev, SystemRole, VdevClass};
use crate::units::Version;

/// A pool as it is created.
#[derive(Debug, Serialize)]
pub(in crate::compile) struct PoolPlan<'a> {
    pub(in crate::compile) name: &'a str,
    /// Properties for `-o`.
    pub(in crate::compile) options: Vec<(String, String)>,
    /// Properties for `-O`.
    pub(in crate::compile) root_options: Vec<(String, String)>,
    /// The value of `compatibility`.
    pub(in crate::compile) compatibility: Option<String>,
    /// For a ZFS without that property.
    pub(in crate::compile) features: Vec<String>,
    pub(in crate::compile) because: String,
    /// Words that describe the vdevs, in zpool-create(8)'s order.
    pub(in crate::compile) vdevs: Vec<String>,
    pub(in crate::compile) members: Vec<String>,
    /// Whether zpool refuses the layout without `-f`: members of unequal size, or vdevs of unequal kind.
    pub(in crate::compile) uneven: bool,
    pub(in crate::compile) datasets: Vec<DatasetPlan>,
    /// Bytes of the `reserved` dataset; none: to be worked out from the pool. A definition with a dataset of that name has 0.
    pub(in crate::compile) reserve: Option<u64>,
    pub(in crate::compile) manual: bool,
    /// The key of its root dataset.
    pub(in crate::compile) key: Option<KeyPlan>,
    /// Where its members are looked for.
    pub(in crate::compile) dev_nodes: String,
}

/// A key of native encryption: which dataset, and where the key comes from. Never the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::compile) struct KeyPlan {
    /// The encryption root.
    pub(in crate::compile) dataset: String,
    pub(in crate::compile) format: &'static str,
    /// The file; none: it is typed.
    pub(in crate::compile) file: Option<String>,
}

impl KeyPlan {
    pub(super) fn of(dataset: &str, encryption: &Encryption) -> Self {
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

/// A dataset as it is created.
#[derive(Debug, Serialize)]
pub(in crate::compile) struct DatasetPlan {
    /// Its whole name.
    pub(in crate::compile) name: String,
    /// Its name below the pool.
    pub(in crate::compile) relative: String,
    pub(in crate::compile) mount: Option<String>,
    pub(in crate::compile) volume: Option<u64>,
    pub(in crate::compile) options: Vec<(String, String)>,
    /// The snapshot that is made while it is empty.
    pub(in crate::compile) blank: Option<String>,
    /// Its key, where encryption begins with it.
    pub(in crate::compile) key: Option<KeyPlan>,
    /// Whether it is created as a file system that nothing mounts by itself, and becomes `canmount=on` once all is mounted.
    pub(in crate::compile) can_mount_at_last: bool,
}

impl<'a> PoolPlan<'a> {
    /// Puts together how a pool is created.
    pub(in crate::compile) fn of(
        cx: &HostCx<'_>,
        pool: &'a ResolvedPool<'a>,
        compatibility: &PoolCompatibility,
    ) -> Self {
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
        // What the pool must stay importable by, for whoever looks at it later without its definition.
        if let Some(set) = &compatibility.set {
            root_options.push(("hostwright:importable-by".to_owned(), set.clone()));
            let features = compatibility.features.join(",");
            if !features.is_empty() && features.len() <= LONGEST_PROPERTY {
                root_options.push(("hostwright:features".to_owned(), features));
            }
        }
        let mut datasets: Vec<DatasetPlan> =
            def.datasets.iter().map(|(name, dataset)| DatasetPlan::of(cx, pool, name, dataset)).collect();
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
            dev_nodes: cx.host.dev_nodes(pool).to_owned(),
            reserve,
            manual: !crate::compile::zfs::is_imported(cx.host, pool.name),
        }
    }
}

/// The most bytes of a property's value that the commands of every OpenZFS take (`ZFS_MAXPROPLEN`).
const LONGEST_PROPERTY: usize = 4095;

/// Tells whether the installer is known to have the property `compatibility`, which came with OpenZFS 2.1.
fn makes_sets(cx: &HostCx<'_>) -> bool {
    let installer = cx.host.systems.iter().find(|system| system.role == SystemRole::Installer);
    let version = installer.and_then(|system| system.at_least);
    version.is_some_and(|version| "2.1".parse().is_ok_and(|first: Version| version >= first))
}

impl DatasetPlan {
    fn of(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, name: &str, dataset: &Dataset) -> Self {
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
        let whole = format!("{}/{name}", pool.name);
        if let Some(bytes) = cx.host.size_of_state(&whole) {
            set("quota", bytes.to_string());
        }
        for (name, value) in dataset.properties.iter() {
            set(name, value.as_str().to_owned());
        }
        // A volume's size is a multiple of its block size.
        let volume = dataset.volume.as_ref().map(|size| size.bytes().div_ceil(1 << 20) << 20);
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
