//! disks.nix: what is mounted and from where, swap, and the upkeep of pools (`zfs`).
//!
//! `neededForBoot` is written where ZFS asks for it alone: NixOS itself mounts `/nix`, `/var`, `/var/lib`, `/etc` and the like in the initrd
//! (`utils.pathsNeededForBoot`), and nothing else that is laid out here is wanted before stage 2.

use super::settings::Settings;
use super::{HostCx, zfs};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::{Format, Role};
use crate::nix::{Attrs, Value};
use crate::resolve::BootPlaces;
use crate::resolve::MountSource;

/// Returns what disks.nix sets.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    mounts(cx, &mut out);
    swap(cx, &mut out);
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
            MountSource::Partition { device, def, format, .. } => {
                let mut options: Vec<String> =
                    def.mount_options.iter().map(|option| option.as_str().to_owned()).collect();
                if *format == Format::Vfat {
                    private(&mut options);
                }
                // The host boots from another disk when this one is gone.
                if places.is_mirrored(mount.path) {
                    options.push("nofail".to_owned());
                }
                filesystem(device, format.word(), options)
            }
            MountSource::Dataset { .. } => {
                let Some(value) = zfs::filesystem(cx, mount) else { continue };
                value
            }
        };
        out.set_below("fileSystems", &[mount.path], value, mount.place);
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
    for partition in cx.host.disks.iter().flat_map(|disk| &disk.partitions) {
        if partition.role == Role::Swap {
            let device = Attrs::from_iter([("device", partition.device.as_str())]);
            out.list("swapDevices", [device], partition.place);
        }
    }
    if let Some(zram) = cx.host.def.swap.as_ref().and_then(|swap| swap.zram.as_ref()) {
        out.set("zramSwap.enable", true, zram.place);
        out.set("zramSwap.memoryPercent", zram.0, zram.place);
    }
}
