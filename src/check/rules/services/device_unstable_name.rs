//! A device by a name that changes with the order of discovery.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::workloads::VolumeSource;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "device-unstable-name",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a service uses a device by a name that changes with the order of discovery",
    doc: include_str!("device_unstable_name.md"),
    check: Check::Host(check),
};

/// Names that the kernel counts up, with the folder in which udev keeps stable ones.
const COUNTED: &[(&str, &str)] = &[
    ("/dev/ttyUSB", "/dev/serial/by-id"),
    ("/dev/ttyACM", "/dev/serial/by-id"),
    ("/dev/video", "/dev/v4l/by-id"),
    ("/dev/sd", "/dev/disk/by-id"),
    ("/dev/nvme", "/dev/disk/by-id"),
    ("/dev/input/event", "/dev/input/by-id"),
    ("/dev/hidraw", "a symlink by a rule of udev"),
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for service in &cx.host.services {
        let Some(container) = service.def.container() else { continue };
        let devices = container.devices.iter().map(|device| (device.value.as_str(), device.place));
        let volumes = container.volumes.iter().filter_map(|volume| match &volume.source.value {
            VolumeSource::Path(path) => Some((path.as_str(), volume.source.place)),
            VolumeSource::Dataset(_) => None,
        });
        for (path, place) in devices.chain(volumes) {
            let counted = COUNTED.iter().find(|(name, _)| {
                path.strip_prefix(name)
                    .is_some_and(|rest| !rest.is_empty() && !rest.contains('/') && ends_counted(name, rest))
            });
            let Some((_, stable)) = counted else { continue };
            found.report(
                Finding::at(
                    place,
                    format!("`{}` uses `{path}`, which may be another device after the next boot", service.name),
                )
                .label("counted in the order of discovery")
                .why("the kernel gives these names in the order in which devices answer, and a second stick changes it")
                .help(format!("its name below {stable}")),
            );
        }
    }
}

/// Tells whether what follows a name is what the kernel appends: a number, of disks letters.
fn ends_counted(name: &str, rest: &str) -> bool {
    match name {
        "/dev/sd" => rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "/dev/nvme" => rest.bytes().all(|b| b.is_ascii_digit() || b"np".contains(&b)),
        _ => rest.bytes().all(|b| b.is_ascii_digit()),
    }
}
