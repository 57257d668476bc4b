//! disks.nix: what is mounted and from where, swap, scrubs, trims, snapshots, who owns a mount point.
//!
//! `neededForBoot` is written of what a root that forgets gets back; NixOS itself mounts `/nix`, `/var`, `/var/lib`, `/etc`
//! and the like in the initrd (`utils.pathsNeededForBoot`), and nothing else that is laid out here is wanted before stage 2.

use std::collections::BTreeMap;

use super::HostCx;
use super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::{Format, Zram};
use crate::fleet::schema::machine::SwitchOr;
use crate::fleet::schema::zfs::{Dataset, Import, Scrub};
use crate::nix::{Attrs, Value};
use crate::resolve::{BootPlaces, Content};
use crate::resolve::{MountSource, ResolvedDisk, ResolvedHost, ResolvedPool};

/// Returns what disks.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    mounts(cx, &mut out);
    swap(cx, &mut out);
    super::layers::settings(cx, &mut out);
    upkeep(cx, &mut out);
    snapshots(cx, &mut out);
    owners(cx, &mut out);
    out
}

/// Tells whether a pool is imported by itself; what lies on others is mounted by hand.
pub(super) fn is_imported(host: &ResolvedHost<'_>, pool: &str) -> bool {
    host.pools.iter().any(|known| known.name == pool && known.def.import.value == Import::Boot)
}

fn filesystem(device: &str, kind: &str, options: Vec<String>) -> Value {
    let mut attrs = Attrs::new();
    attrs.set(&["device"], device);
    attrs.set(&["fsType"], kind);
    if !options.is_empty() {
        attrs.set(&["options"], options);
    }
    attrs.into()
}

fn mounts(cx: &HostCx<'_>, out: &mut Settings) {
    let places = BootPlaces::of(cx.host);
    for mount in &cx.host.mounts {
        let value = match &mount.source {
            MountSource::Partition { .. }
            | MountSource::Array { .. }
            | MountSource::Foreign(_)
            | MountSource::Persisted { .. } => {
                let Some(mut words) = mount.words() else { continue };
                if words.kind == Format::Vfat.word() {
                    private(&mut words.options);
                }
                // The host boots from another disk when this one is gone.
                if places.is_mirrored(mount.path) {
                    words.options.push("nofail".to_owned());
                }
                filesystem(&words.source, &words.kind, words.options)
            }
            MountSource::Dataset { pool, name, .. } if is_imported(cx.host, pool) => {
                filesystem(&format!("{pool}/{name}"), "zfs", Vec::new())
            }
            MountSource::Dataset { .. } => continue,
        };
        out.set_below("fileSystems", &[mount.path], value, mount.place);
        if super::layers::is_needed_early(cx.host, mount) {
            out.set_below("fileSystems", &[mount.path, "neededForBoot"], true, mount.place);
        }
    }
    for mirror in places.unmounted() {
        let mut options = Vec::new();
        if mirror.format == Format::Vfat {
            private(&mut options);
        }
        options.push("nofail".to_owned());
        let value = filesystem(&mirror.device, mirror.format.word(), options);
        out.set_below("fileSystems", &[&mirror.path], value, mirror.place);
    }
}

/// FAT knows no owners: what lies there (a random seed, kernels, secrets of the initrd) is for root alone.
pub(super) fn private(options: &mut Vec<String>) {
    if !options.iter().any(|option| option.contains("mask=")) {
        options.push("umask=0077".to_owned());
    }
}

fn swap(cx: &HostCx<'_>, out: &mut Settings) {
    for device in cx.host.devices.iter().filter(|device| device.content == Content::Swap) {
        let mut swap = Attrs::from_iter([("device", device.device())]);
        if device.random_encryption.is_some() {
            swap.set(&["randomEncryption", "enable"], true);
        }
        out.list("swapDevices", [swap], device.place);
    }
    let Some(swap) = &cx.host.def.swap else { return };
    if let Some(file) = &swap.file {
        let mut value = Attrs::from_iter([("device", file.path.as_str())]);
        // NixOS takes MiB, and makes the file where it is not there.
        value.set(&["size"], i64::try_from(file.size.bytes().div_ceil(1 << 20)).unwrap_or(i64::MAX));
        out.list("swapDevices", [value], file.place);
    }
    if let Some(zram) = &swap.zram {
        out.set("zramSwap.enable", true, zram.place);
        match &zram.value {
            Zram::Share(share) => out.set("zramSwap.memoryPercent", share.0, zram.place),
            Zram::Size(size) => {
                // The smaller one of share and size counts.
                out.set("zramSwap.memoryPercent", 100u32, zram.place);
                out.set("zramSwap.memoryMax", i64::try_from(size.bytes()).unwrap_or(i64::MAX), zram.place);
            }
        }
    }
}

/// Tells whether a disk is flash: by what the machine said, else by its name.
fn is_flash(host: &ResolvedHost<'_>, disk: &ResolvedDisk<'_>) -> bool {
    let id = disk.def.id.as_str();
    let facts = host.source.facts.as_ref().and_then(|facts| facts.disks.as_ref());
    let probed = facts.into_iter().flatten().find(|probed| probed.ids.iter().any(|known| known.value.0 == id));
    match probed.and_then(|probed| probed.rotational.as_ref()) {
        Some(rotational) => !rotational.value,
        None => id.starts_with("nvme-") || id.to_ascii_uppercase().contains("SSD"),
    }
}

fn upkeep(cx: &HostCx<'_>, out: &mut Settings) {
    let Some(zfs) = cx.host.def.zfs.as_ref().filter(|_| !cx.host.pools.is_empty()) else { return };
    match zfs.scrub.value {
        Scrub::None => out.keyed("services.zfs.autoScrub.enable", &zfs.scrub, false),
        interval => {
            out.keyed("services.zfs.autoScrub.enable", &zfs.scrub, true);
            out.keyed("services.zfs.autoScrub.interval", &zfs.scrub, interval.word());
        }
    }
    let members = || cx.host.pools.iter().flat_map(ResolvedPool::members);
    let flash =
        cx.host.disks.iter().any(|disk| members().any(|member| member.disk == disk.name) && is_flash(cx.host, disk));
    match &zfs.trim {
        Some(trim) => out.set("services.zfs.trim.enable", trim.value, trim.place),
        None => out.derive("services.zfs.trim.enable", flash, zfs.place),
    }
}

/// How many snapshots of each age are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Counts {
    hourly: u32,
    daily: u32,
    weekly: u32,
    monthly: u32,
}

impl Counts {
    /// Returns the counts of a dataset; none where no snapshots are wanted.
    fn of(dataset: &Dataset) -> Option<Self> {
        match &dataset.snapshots.as_ref()?.value {
            SwitchOr::Switch(false) => None,
            SwitchOr::Switch(true) => Some(Self { hourly: 24, daily: 30, weekly: 0, monthly: 3 }),
            SwitchOr::Detail(counts) => Some(Self {
                hourly: counts.hourly.value,
                daily: counts.daily.value,
                weekly: counts.weekly.value,
                monthly: counts.monthly.value,
            }),
        }
    }

    /// Returns the name of sanoid's template: `24h-30d-3m`.
    fn name(self) -> String {
        let parts = [(self.hourly, "h"), (self.daily, "d"), (self.weekly, "w"), (self.monthly, "m")];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join("-") }
    }

    /// Returns them as sanoid's keys, without the weekly ones. Its own defaults keep more than was asked for: each age
    /// is stated.
    fn to_attrs(self) -> Attrs {
        Attrs::from_iter([
            ("hourly", Value::from(self.hourly)),
            ("daily", Value::from(self.daily)),
            ("monthly", Value::from(self.monthly)),
            ("yearly", Value::from(0u32)),
            ("autosnap", Value::from(true)),
            ("autoprune", Value::from(true)),
        ])
    }
}

fn snapshots(cx: &HostCx<'_>, out: &mut Settings) {
    let mut templates = BTreeMap::new();
    let mut datasets = Vec::new();
    for pool in &cx.host.pools {
        for (name, dataset) in pool.def.datasets.iter() {
            let (Some(counts), Some(written)) = (Counts::of(dataset), &dataset.snapshots) else { continue };
            templates.entry(counts).or_insert(written.place);
            datasets.push((format!("{}/{name}", pool.name), counts, written.place));
        }
    }
    let Some((_, _, first)) = datasets.first() else { return };
    out.set("services.sanoid.enable", true, *first);
    if !cx.spelling.sanoid_templates() {
        for (name, counts, place) in &datasets {
            out.set_below("services.sanoid.datasets", &[name], counts.to_attrs(), *place);
            if counts.weekly > 0 {
                out.set_below("services.sanoid.settings", &[name, "weekly"], counts.weekly, *place);
            }
        }
        return;
    }
    for (counts, place) in &templates {
        let mut template = counts.to_attrs();
        template.set(&["weekly"], counts.weekly);
        out.set_below("services.sanoid.templates", &[&counts.name()], template, *place);
    }
    for (name, counts, place) in &datasets {
        out.set_below("services.sanoid.datasets", &[name, "useTemplate"], vec![counts.name()], *place);
    }
}

/// Gives mount points of datasets to their owners.
///
/// Type `z` adjusts what is there and creates nothing, so that a service finds no empty directory where its dataset
/// should be, and it goes along with the `d` line that a service's own module may have for the path (tmpfiles.d(5)).
fn owners(cx: &HostCx<'_>, out: &mut Settings) {
    for mount in &cx.host.mounts {
        let MountSource::Dataset { pool, def, .. } = &mount.source else { continue };
        let place = [
            def.owner.as_ref().map(|owner| owner.place),
            def.group.as_ref().map(|group| group.place),
            def.mode.as_ref().map(|mode| mode.place),
        ];
        let Some(place) = place.into_iter().flatten().next().filter(|_| is_imported(cx.host, pool)) else { continue };
        let owner = def.owner.as_ref().map_or("root", |owner| owner.as_str());
        let group = def.group.as_ref().map_or("root", |group| group.as_str());
        let mode = def.mode.as_ref().map_or("0755", |mode| mode.as_str());
        if cx.spelling.tmpfiles_settings() {
            let rule = Attrs::from_iter([("user", owner), ("group", group), ("mode", mode)]);
            out.set_below("systemd.tmpfiles.settings", &["hostwright", mount.path, "z"], rule, place);
        } else {
            out.list(
                "systemd.tmpfiles.rules",
                [format!("z {} {mode} {owner} {group} -", tmpfiles_path(mount.path))],
                place,
            );
        }
    }
}

/// Returns a path as tmpfiles.d(5) reads it: quoted where needed, `%` doubled.
pub(super) fn tmpfiles_path(path: &str) -> String {
    let doubled = path.replace('%', "%%");
    if doubled.contains([' ', '"', '\'', '\\']) {
        format!("\"{}\"", doubled.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        doubled
    }
}
