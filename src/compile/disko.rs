//! disko.nix: the same layout for users of disko and nixos-anywhere. Nobody imports it: file systems are stated in disks.nix,
//! and a disko that writes them too would say everything twice.

use super::settings::Settings;
use super::{HostCx, compatibility};
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::KernelWord;
use crate::fleet::schema::disks::{Format, Table};
use crate::fleet::schema::zfs::VdevType;
use crate::nix::{Attrs, Value};
use crate::resolve::{
    Base, BlockDevice, BootPlaces, Content, Mirror, MountSource, ResolvedMember, ResolvedPartition, ResolvedPool,
    VdevClass,
};
use crate::source::Spanned;

/// Returns what disko.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let places = BootPlaces::of(cx.host);
    // What is only described is not laid out.
    for disk in cx.host.disks.iter().filter(|disk| disk.def.table.value == Table::Gpt) {
        let mut partitions = Attrs::new();
        for partition in &disk.partitions {
            partitions.set(&[partition.name], self::partition(cx, &places, partition));
        }
        let mut content = Attrs::from_iter([("type", "gpt")]);
        content.set(&["partitions"], partitions);
        let value = Attrs::from_iter([
            ("type", Value::from("disk")),
            ("device", Value::from(disk.device())),
            ("content", Value::from(content)),
        ]);
        out.set_below("disko.devices.disk", &[disk.name], value, disk.def.key);
    }
    for array in &cx.host.arrays {
        let mut value = Attrs::from_iter([("type", Value::from("mdadm"))]);
        value.set(&["level"], u32::from(array.def.level.number()));
        value.set(&["metadata"], array.metadata.word());
        value.set(&["extraArgs"], vec![format!("--homehost={}", cx.host.name)]);
        let device = cx.host.devices.iter().find(|device| device.base == Base::Array { name: array.name });
        if let Some(content) = device.and_then(|device| content(device, None)) {
            value.set(&["content"], content);
        }
        out.set_below("disko.devices.mdadm", &[array.name], value, array.def.key);
    }
    for mount in &cx.host.mounts {
        let MountSource::Foreign(def) = &mount.source else { continue };
        let Some(words) = mount.words().filter(|_| def.kind.as_str() == "tmpfs") else { continue };
        let mut value = Attrs::from_iter([("fsType", words.kind.as_str())]);
        value.set(&["mountOptions"], words.options);
        out.set_below("disko.devices.nodev", &[mount.path], value, mount.place);
    }
    // disko has no word for dRAID: such a pool is made by pools.sh.
    for pool in cx.host.pools.iter().filter(|pool| !has_draid(pool)) {
        out.set_below("disko.devices.zpool", &[pool.name], self::pool(cx, pool), pool.def.key);
    }
    out
}

fn partition(cx: &HostCx<'_>, places: &BootPlaces<'_>, partition: &ResolvedPartition<'_>) -> Value {
    let rest =
        partition.def.is_none_or(|def| matches!(def.size.value, crate::fleet::schema::disks::PartitionSize::Rest));
    let size = match partition.bytes.filter(|_| !rest) {
        Some(bytes) => format!("{}M", bytes >> 20),
        None => "100%".to_owned(),
    };
    let mut attrs = Attrs::from_iter([
        ("label", Value::from(partition.label.as_str())),
        ("priority", Value::from(partition.number)),
        ("size", Value::from(size)),
        ("type", Value::from(super::install::type_code(partition.role))),
    ]);
    let device = cx.host.devices.iter().find(
        |device| matches!(device.base, Base::Partition { disk, name } if disk == partition.disk && name == partition.name),
    );
    let content = device.and_then(|device| match device.content {
        Content::ArrayMember => cx
            .host
            .arrays
            .iter()
            .find(|array| array.members.iter().any(|member| is_member(member, partition)))
            .map(|array| Attrs::from_iter([("type", "mdraid"), ("name", array.name)])),
        Content::PoolMember => {
            let holds = |pool: &&ResolvedPool<'_>| {
                !has_draid(pool) && pool.members().any(|member| is_member(member, partition))
            };
            let pool = cx.host.pools.iter().find(holds);
            pool.map(|pool| around(device, Attrs::from_iter([("type", "zfs"), ("pool", pool.name)])))
        }
        _ => content(device, places.unmounted().find(|mirror| mirror.device == device.raw)),
    });
    if let Some(content) = content {
        attrs.set(&["content"], content);
    }
    attrs.into()
}

fn is_member(member: &ResolvedMember, partition: &ResolvedPartition<'_>) -> bool {
    member.disk == partition.disk && member.partition == partition.name
}

/// Returns what a block device holds, LUKS around it included; nothing where it is left empty. A mirror of a boot partition is
/// mounted where the loader's installer writes it.
fn content(device: &BlockDevice<'_>, mirror: Option<&Mirror>) -> Option<Attrs> {
    let words = |options: &[Spanned<KernelWord>]| -> Vec<String> {
        options.iter().map(|option| option.as_str().to_owned()).collect()
    };
    let inner = match device.content {
        Content::Swap => {
            let mut attrs = Attrs::from_iter([("type", "swap")]);
            if device.random_encryption.is_some() {
                attrs.set(&["randomEncryption"], true);
            }
            attrs
        }
        Content::FileSystem(Some(Format::Btrfs)) => {
            let mut attrs = Attrs::from_iter([("type", "btrfs")]);
            if let Some(mount) = device.mount {
                attrs.set(&["mountpoint"], mount.as_str());
                attrs.set(&["mountOptions"], words(device.options));
            }
            for (name, def) in device.subvolumes {
                let mut subvolume = Attrs::new();
                if let Some(mount) = &def.mount {
                    subvolume.set(&["mountpoint"], mount.as_str());
                    let mut options = words(device.options);
                    options.extend(words(&def.options));
                    subvolume.set(&["mountOptions"], options);
                }
                attrs.set(&["subvolumes", name], subvolume);
            }
            attrs
        }
        Content::FileSystem(Some(format)) => {
            let mut attrs = Attrs::from_iter([("type", "filesystem"), ("format", format.word())]);
            let mirror = mirror.map(|mirror| mirror.path.as_str());
            if let Some(path) = device.mount.map(|mount| mount.as_str()).or(mirror) {
                attrs.set(&["mountpoint"], path);
                let mut options = words(device.options);
                if format == Format::Vfat {
                    super::disks::private(&mut options);
                }
                if !options.is_empty() {
                    attrs.set(&["mountOptions"], options);
                }
            }
            attrs
        }
        Content::Core | Content::ArrayMember | Content::PoolMember | Content::FileSystem(None) => return None,
    };
    Some(around(device, inner))
}

/// Puts LUKS around what a block device holds, where it has any.
fn around(device: &BlockDevice<'_>, inner: Attrs) -> Attrs {
    let Some(luks) = device.luks else { return inner };
    let mut attrs = Attrs::from_iter([("type", "luks"), ("name", luks.name.as_str())]);
    let mut settings = Attrs::new();
    if luks.allow_discards.value {
        settings.set(&["allowDiscards"], true);
    }
    if let Some(key) = &luks.key_file {
        settings.set(&["keyFile"], key.as_str());
    }
    if !settings.is_empty() {
        attrs.set(&["settings"], settings);
    }
    attrs.set(&["content"], inner);
    attrs
}

/// disko names members by the label of their partition.
fn members<'a>(members: impl IntoIterator<Item = &'a ResolvedMember>, cx: &HostCx<'_>) -> Vec<String> {
    let label = |member: &ResolvedMember| {
        let disk = cx.host.disks.iter().find(|disk| disk.name == member.disk)?;
        let partition = disk.partitions.iter().find(|partition| partition.name == member.partition)?;
        Some(format!("/dev/disk/by-partlabel/{}", partition.label))
    };
    members.into_iter().filter_map(label).collect()
}

/// Tells whether a pool has a vdev that disko cannot describe (lib/types/zpool.nix, `modeOptions`).
pub(super) fn has_draid(pool: &ResolvedPool<'_>) -> bool {
    pool.vdevs.iter().any(|vdev| vdev.def.kind.is_draid())
}

fn pool(cx: &HostCx<'_>, pool: &ResolvedPool<'_>) -> Value {
    let mut topology = Attrs::from_iter([("type", "topology")]);
    for class in [VdevClass::Data, VdevClass::Log, VdevClass::Special, VdevClass::Dedup] {
        let vdevs: Vec<Value> = pool
            .vdevs
            .iter()
            .filter(|vdev| vdev.class == class)
            .map(|vdev| {
                let kind = vdev.def.kind.value;
                let mode = if kind == VdevType::Stripe { "" } else { kind.word() };
                let members = members(&vdev.members, cx);
                Attrs::from_iter([("mode", Value::from(mode)), ("members", Value::from(members))]).into()
            })
            .collect();
        if !vdevs.is_empty() {
            topology.set(&[class.word().unwrap_or("vdev")], Value::List(vdevs));
        }
    }
    for (name, list) in [("cache", &pool.cache), ("spare", &pool.spares)] {
        if !list.is_empty() {
            topology.set(&[name], members(list, cx));
        }
    }
    let mut mode = Attrs::new();
    mode.set(&["topology"], topology);
    let plan = super::install::PoolPlan::of(cx, pool, &compatibility::for_pool(cx.host, pool, cx.facts));
    let strings = |pairs: &[(String, String)]| -> Value {
        let attrs: Attrs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        attrs.into()
    };
    let mut datasets = Attrs::new();
    for dataset in &plan.datasets {
        let kind = if dataset.volume.is_some() { "zfs_volume" } else { "zfs_fs" };
        let mut attrs = Attrs::from_iter([("type", kind)]);
        if let Some(bytes) = dataset.volume {
            attrs.set(&["size"], bytes.to_string());
        }
        // What is imported by hand is mounted by hand.
        if let Some(mount) = dataset.mount.as_ref().filter(|_| !plan.manual) {
            attrs.set(&["mountpoint"], mount.as_str());
        }
        if !dataset.options.is_empty() {
            attrs.set(&["options"], strings(&dataset.options));
        }
        if let Some(blank) = &dataset.blank {
            let whole = format!("{}@{blank}", dataset.name);
            let word = crate::text::ShellWord::new(&whole);
            let hook = format!("zfs list -t snapshot {word} > /dev/null 2>&1 || zfs snapshot {word}\n");
            attrs.set(&["postCreateHook"], hook);
        }
        datasets.set(&[&dataset.relative], attrs);
    }
    // Where the size of a disk is not stated, only the script can work it out.
    if let Some(bytes) = plan.reserve.filter(|bytes| *bytes > 0) {
        let options = Attrs::from_iter([("mountpoint", "none".to_owned()), ("refreservation", bytes.to_string())]);
        let dataset = Attrs::from_iter([("type", Value::from("zfs_fs")), ("options", options.into())]);
        datasets.set(&["reserved"], dataset);
    }
    let mut options = plan.options.clone();
    if let Some(set) = &plan.compatibility {
        options.insert(0, ("compatibility".to_owned(), set.clone()));
    }
    Attrs::from_iter([
        ("type", Value::from("zpool")),
        ("mode", Value::from(mode)),
        ("options", strings(&options)),
        ("rootFsOptions", strings(&plan.root_options)),
        ("datasets", Value::from(datasets)),
    ])
    .into()
}
