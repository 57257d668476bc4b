//! Where services keep their state: as their modules say, in the volumes of containers, as the definition says.

use super::services::{ResolvedService, ServiceModule};
use super::storage::{Mount, MountSource};
use crate::fleet::decode::Keyed;
use crate::fleet::schema::module_file::StateKind;
use crate::fleet::schema::services::Service;
use crate::fleet::schema::workloads::{Volume, VolumeSource};
use crate::source::{Diagnostic, Diagnostics, Place, Spanned};
use crate::units::lies_in;

/// A directory with state of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState<'f> {
    /// Where it is.
    pub path: String,
    /// Where that is written; the service's name when the module alone says it.
    pub place: Place,
    /// Its owner.
    pub owner: Option<&'f str>,
    /// Its group.
    pub group: Option<&'f str>,
    /// Its permissions, octal.
    pub mode: Option<&'f str>,
    /// What it holds.
    pub kind: StateKind,
    /// How much it may hold, in bytes.
    pub size: Option<Spanned<u64>>,
    /// Whether it belongs into a backup.
    pub backup: bool,
    /// Whether it can be made again.
    pub rebuildable: bool,
}

/// Returns where a service keeps its state: as its module says unless an option moves it, in its writable volumes, and as its
/// definition says, which wins where two speak of one path.
pub(super) fn state<'f>(
    def: &'f Keyed<Service>,
    module: Option<ServiceModule<'f>>,
    mounts: &[Mount<'f>],
    found: &mut Diagnostics,
) -> Vec<ServiceState<'f>> {
    let mut all: Vec<ServiceState<'f>> = Vec::new();
    // Where options have moved directories of the module to, for what lies below these and moves with them.
    let mut moves: Vec<(&str, String, Place)> = Vec::new();
    for state in module.iter().flat_map(|module| &module.file.state) {
        let known = state.path.as_str();
        let moved = state.option.as_ref().and_then(|option| {
            let node = def.option(option.as_str())?;
            Some((node.as_str()?.to_owned(), node.place))
        });
        let with_parent = || {
            let (from, to, place) = moves.iter().rev().find(|(from, ..)| lies_in(known, from))?;
            Some((format!("{to}{}", known.strip_prefix(from)?), *place))
        };
        let (path, place) = match moved {
            // A name alone is a directory below /var/lib, as systemd's `StateDirectory=` takes it.
            Some((name, place)) if is_directory_name(&name) && known.starts_with("/var/lib/") => {
                (format!("/var/lib/{name}"), place)
            }
            Some(moved) => moved,
            None => with_parent().unwrap_or_else(|| (known.to_owned(), def.key)),
        };
        // What is no path, such as the name of a socket or an address, is no state on this host.
        if !path.starts_with('/') {
            continue;
        }
        if path != known {
            moves.push((known, path.clone(), place));
        }
        all.push(ServiceState {
            path,
            place,
            owner: state.owner.as_ref().map(|owner| owner.as_str()),
            group: state.group.as_ref().map(|group| group.as_str()),
            mode: state.mode.as_ref().map(|mode| mode.as_str()),
            kind: state.kind.value,
            size: None,
            backup: state.backup.value,
            rebuildable: state.rebuildable.value,
        });
    }
    for volume in def.container().iter().flat_map(|container| &container.volumes) {
        let Some(path) = volume_path(volume, mounts, found) else { continue };
        // What a container only reads belongs to somebody else: the clock, a socket, another one's files.
        let is_state =
            !volume.read_only.value && !["/dev", "/run", "/proc", "/sys", "/etc"].iter().any(|at| lies_in(&path, at));
        if is_state {
            let (place, kind) = (volume.source.place, StateKind::Data);
            let (owner, group, mode, size) = (None, None, None, None);
            all.push(ServiceState { path, place, owner, group, mode, kind, size, backup: true, rebuildable: false });
        }
    }
    for state in &def.state {
        all.retain(|other| other.path != state.path.as_str());
        all.push(ServiceState {
            path: state.path.as_str().to_owned(),
            place: state.path.place,
            owner: state.owner.as_ref().map(|owner| owner.0.as_str()),
            group: state.group.as_ref().map(|group| group.0.as_str()),
            mode: state.mode.as_ref().map(|mode| mode.as_str()),
            kind: if state.rebuildable.value { StateKind::Cache } else { StateKind::Data },
            size: state.size.as_ref().map(|size| Spanned::new(size.bytes(), size.place)),
            backup: state.backup.value,
            rebuildable: state.rebuildable.value,
        });
    }
    all
}

/// Tells whether text is the name of one directory.
fn is_directory_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Returns the path on the host that a volume comes from; a dataset that is not mounted is reported.
pub fn volume_path(volume: &Volume, mounts: &[Mount<'_>], found: &mut Diagnostics) -> Option<String> {
    let dataset = match &volume.source.value {
        VolumeSource::Path(path) => return Some(path.to_string()),
        VolumeSource::Dataset(dataset) => dataset.as_str(),
    };
    let datasets = || mounts.iter().filter_map(|mount| Some((mount.source.dataset()?, mount.path)));
    let at = datasets().find(|(name, _)| name == dataset).map(|(_, path)| path.to_owned());
    if at.is_none() {
        let names: Vec<String> = datasets().map(|(name, _)| name).collect();
        let message = format!("no dataset `{dataset}` is mounted");
        let finding = Diagnostic::error("reference-unknown", volume.source.place, message);
        found.push(match crate::source::nearest(dataset, names.iter().map(String::as_str)).first() {
            Some(near) => finding.help(format!("nearest: `{near}`")),
            None => finding.help("a dataset with `mount`, or the path itself"),
        });
    }
    at
}

/// Reports the sizes of state that nothing can keep: a size is the quota of a dataset of its own.
pub(super) fn sizes(services: &[ResolvedService<'_>], mounts: &[Mount<'_>], found: &mut Diagnostics) {
    for state in services.iter().flat_map(|service| &service.state) {
        let Some(size) = &state.size else { continue };
        let path = &state.path;
        let mount = mounts.iter().find(|mount| mount.path == *path);
        let Some(Mount { source: MountSource::Dataset { def, .. }, .. }) = mount else {
            let message = format!("nothing keeps `{path}` below this size: it is no dataset of its own");
            found.push(
                Diagnostic::error("value-invalid", size.place, message)
                    .why("`size` becomes the quota of the dataset that is mounted there")
                    .help(format!("a dataset with `mount = \"{path}\"`"))
                    .help("leave `size` out"),
            );
            continue;
        };
        let limits = [("quota", &def.quota), ("refquota", &def.refquota)];
        for (name, limit) in limits.iter().filter_map(|(name, limit)| Some((name, limit.as_ref()?))) {
            if limit.bytes() < size.value {
                let message = format!("the dataset of `{path}` has a `{name}` below this size");
                found.push(
                    Diagnostic::error("value-invalid", size.place, message)
                        .related(limit.place, format!("its `{name}`"))
                        .help(format!("leave `size` out, or raise the `{name}`")),
                );
            }
        }
    }
}
