//! disks.nix: what is mounted and from where, swap, and the upkeep of pools (`zfs`).
//!
//! `neededForBoot` is written where a root that forgets or ZFS asks for it; NixOS itself mounts `/nix`, `/var`, `/var/lib`, `/etc`
//! and the like in the initrd (`utils.pathsNeededForBoot`), and nothing else that is laid out here is wanted before stage 2.

use super::settings::Settings;
use super::{HostCx, zfs};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::{Format, Zram};
use crate::nix::{Attrs, Value};
use crate::resolve::{BootPlaces, Content, MountSource};

/// Returns what disks.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    mounts(cx, &mut out);
    swap(cx, &mut out);
    super::layers::settings(cx, &mut out);
    zfs::upkeep(cx, &mut out);
    out
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
            MountSource::Dataset { .. } => {
                let Some(value) = zfs::filesystem(cx, mount) else { continue };
                value
            }
        };
        out.set_below("fileSystems", &[mount.path], value, mount.place);
        if cx.host.is_needed_early(mount) {
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
