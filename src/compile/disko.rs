//! disko.nix: the same layout for users of disko and nixos-anywhere. Nobody imports it: file systems are stated in disks.nix,
//! and a disko that writes them too would say everything twice.

use super::settings::Settings;
use super::{HostCx, compatibility};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::zfs::VdevType;
use crate::nix::{Attrs, Value};
use crate::resolve::{ResolvedMember, ResolvedPartition, ResolvedPool, VdevClass};

/// Returns what disko.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    for disk in &cx.host.disks {
        let mut partitions = Attrs::new();
        for partition in &disk.partitions {
            partitions.set(&[partition.name], self::partition(cx, partition));
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
    // disko has no word for dRAID: such a pool is made by pools.sh.
    for pool in cx.host.pools.iter().filter(|pool| !has_draid(pool)) {
        out.set_below("disko.devices.zpool", &[pool.name], self::pool(cx, pool), pool.def.key);
    }
    out
}

fn partition(cx: &HostCx<'_>, partition: &ResolvedPartition<'_>) -> Value {
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
    let mount = || partition.def.and_then(|def| def.mount.as_ref());
    let content: Option<Attrs> = match partition.role {
        Role::BiosBoot => None,
        Role::Swap => Some(Attrs::from_iter([("type", "swap")])),
        Role::Zfs => cx
            .host
            .pools
            .iter()
            .find(|pool| {
                !has_draid(pool)
                    && pool.members().any(|member| member.disk == partition.disk && member.partition == partition.name)
            })
            .map(|pool| Attrs::from_iter([("type", "zfs"), ("pool", pool.name)])),
        Role::Esp | Role::Filesystem => partition.format().map(|format| {
            let mut attrs = Attrs::from_iter([("type", "filesystem"), ("format", format.word())]);
            if let Some(mount) = mount() {
                attrs.set(&["mountpoint"], mount.as_str());
                let options: Vec<&str> = partition
                    .def
                    .into_iter()
                    .flat_map(|def| &def.mount_options)
                    .map(|option| option.as_str())
                    .collect();
                if !options.is_empty() {
                    attrs.set(&["mountOptions"], options);
                } else if partition.role == Role::Esp {
                    attrs.set(&["mountOptions"], vec!["umask=0077"]);
                }
            }
            attrs
        }),
    };
    if let Some(content) = content {
        attrs.set(&["content"], content);
    }
    attrs.into()
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
        if let Some(mount) = &dataset.mount {
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
