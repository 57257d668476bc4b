//! What is mounted where, and what is swapped to.

use super::outcome::{Comparison, Difference, Group};
use super::{Cx, NOT_ASKED};
use crate::resolve::{Content, Mount, MountSource};

const GROUP: Group = Group::Mounts;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    let swap = || cx.host.devices.iter().filter(|device| device.content == Content::Swap);
    if cx.host.mounts.is_empty() && swap().next().is_none() {
        return;
    }
    let Some(live) = &cx.machine.live else {
        out.unknown(GROUP, "mounts", NOT_ASKED);
        return;
    };
    match &live.mounts {
        Some(mounts) => {
            for mount in &cx.host.mounts {
                // What was mounted last is what one sees; an automount waits below it.
                let found = mounts.iter().rev().find(|found| found.path == mount.path);
                one(cx, mount, found.map(|found| (found.source.as_str(), found.kind.as_str())), out);
            }
        }
        None => out.unknown(GROUP, "mounts", "/proc/mounts could not be read"),
    }
    for device in swap() {
        let path = device.device();
        let what = format!("swap on {}", device.base);
        // With a new key at each boot it has a name that systemd makes.
        let Some(swaps) = live.swaps.as_ref().filter(|_| device.random_encryption.is_none()) else {
            out.unknown(GROUP, what, "its name is made at each boot, or /proc/swaps could not be read");
            continue;
        };
        match cx.machine.real(&path) {
            Some(real) => out.hold(swaps.iter().any(|swap| *swap == real || *swap == path), || {
                Difference::new(GROUP, what.as_str(), "the swap is not used")
                    .defined(path.as_str(), device.place)
                    .live(if swaps.is_empty() { "no swap".to_owned() } else { swaps.join(", ") })
                    .why("memory that runs out ends programs at once")
                    .help("`systemctl --failed` and `swapon --show` on the machine")
            }),
            None => out.unknown(GROUP, what, "the device is not there"),
        }
    }
}

fn one(cx: &Cx<'_>, mount: &Mount<'_>, found: Option<(&str, &str)>, out: &mut Comparison) {
    let source = match &mount.source {
        MountSource::Partition { device, .. } | MountSource::Array { device, .. } => Some(device.clone()),
        MountSource::Dataset { pool, name, .. } => {
            if cx.host.pools.iter().any(|known| known.name == *pool && !known.is_imported_at_boot()) {
                return;
            }
            Some(format!("{pool}/{name}"))
        }
        MountSource::Foreign(def) => {
            // What waits until it is asked for need not be there.
            if def.options.iter().any(|option| matches!(option.as_str(), "noauto" | "x-systemd.automount" | "nofail")) {
                return;
            }
            None
        }
        MountSource::Persisted { .. } => None,
    };
    let Some((live, kind)) = found else {
        out.differ(
            Difference::new(GROUP, mount.path, "nothing is mounted there")
                .defined(source.as_deref().unwrap_or("a mount"), mount.place)
                .live("no mount")
                .why("what is written there lands in the file system below, and is hidden or lost later")
                .help("`systemctl --failed` and `findmnt --verify` on the machine say why"),
        );
        return;
    };
    if kind == "autofs" {
        out.same();
        return;
    }
    let Some(source) = source else {
        out.same();
        return;
    };
    let real = cx.machine.real(&source);
    let is_device = source.starts_with("/dev/");
    let same = live == source
        || (is_device && real.as_deref() == Some(live))
        || (is_device && real.is_some() && cx.machine.real(live) == real);
    if !same && is_device && real.is_none() {
        out.unknown(GROUP, mount.path, format!("{source} is not there to be compared with {live}"));
        return;
    }
    out.hold(same, || {
        Difference::new(GROUP, mount.path, "something else is mounted there")
            .defined(source.as_str(), mount.place)
            .live(live)
            .why("what is written there lands in the wrong place")
            .help("`findmnt` on the machine; define what is there, if it is right")
    });
}
