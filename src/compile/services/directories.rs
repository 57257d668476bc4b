//! Directories of services: those that nobody else makes, and the owners of what lies on datasets.
//!
//! podman makes no folder of the host that a volume comes from: without one the container does not start.

use std::collections::BTreeSet;

use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::compile::tmpfiles::{self, Rule};
use crate::fleet::schema::services::Work;
use crate::fleet::schema::workloads::Container;
use crate::resolve::{Mount, MountSource, ResolvedService, volume_path};
use crate::units::lies_in;

/// Where the system puts things itself.
const OF_THE_SYSTEM: &[&str] = &["/boot", "/dev", "/etc", "/nix", "/proc", "/run", "/sys", "/var/run"];

/// Makes directories that nobody else makes, and gives what lies on datasets to its owner.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    // A NixOS module makes its own directories.
    let own: Vec<&str> = service.def.state.iter().map(|state| state.path.as_str()).collect();
    for state in &service.state {
        let is_mount = is_mount(cx, &state.path);
        if is_mount && state.owner.is_none() && state.mode.is_none() {
            continue;
        }
        let is_stated = own.contains(&state.path.as_str());
        let is_volume = service.def.container().is_some() && !looks_like_a_file(&state.path);
        if !(is_stated || is_volume && makes(cx, service, &state.path)) {
            continue;
        }
        let owner =
            state.owner.or(service.module.and_then(|module| module.file.user.as_ref()).map(|user| user.as_str()));
        let group =
            state.group.or(service.module.and_then(|module| module.file.group.as_ref()).map(|group| group.as_str()));
        // Type `z` creates nothing: a service must find no empty directory where its dataset should be.
        let kind = if is_mount { "z" } else { "d" };
        let mode = state.mode.or((!is_mount).then_some("0750"));
        let (own_user, own_group) = match &service.def.work {
            Work::Command(command) => {
                let user = command.user.as_ref().map_or(service.name, |user| user.as_str());
                (Some(user), Some(user))
            }
            Work::Container(container) if !is_mount => numbers(container),
            _ => (None, None),
        };
        let user = owner.or(own_user).or((!is_mount).then_some("root"));
        let group = group.or(own_group).or((!is_mount).then_some("root"));
        let rule = Rule { mode, user, group, ..Rule::new(kind, &state.path) };
        tmpfiles::add(cx, "services", rule, state.place, out);
    }
    if service.module.is_some() {
        below_state(cx, service, out);
    }
    for volume in service.def.container().iter().flat_map(|container| &container.volumes) {
        let Some(path) = volume_path(volume, &cx.host.mounts, &mut Vec::new()).filter(|_| volume.read_only.value)
        else {
            continue;
        };
        let is_ours = !OF_THE_SYSTEM.iter().any(|at| lies_in(&path, at)) && !looks_like_a_file(&path);
        if is_ours && !is_mount(cx, &path) && makes(cx, service, &path) {
            // What is there already keeps its owner and its permissions.
            tmpfiles::add(cx, "services", Rule::new("d", &path), volume.source.place, out);
        }
    }
}

/// Gives to a module what is mounted below a directory of its own, with the folders on the way: the mount makes these, as root's.
fn below_state(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    let mut done: BTreeSet<String> = BTreeSet::new();
    for state in &service.state {
        let file = service.module.map(|module| module.file);
        let user = state.owner.or_else(|| file?.user.as_ref().map(|user| user.as_str()));
        let group = state.group.or_else(|| file?.group.as_ref().map(|group| group.as_str()));
        if user.is_none() || state.path == "/" {
            continue;
        }
        let below = cx.host.mounts.iter().filter(|mount| mount.path != state.path && lies_in(mount.path, &state.path));
        for mount in below.filter(|mount| !has_owner(mount) && is_of(cx, service, mount.path)) {
            let mut path = mount.path;
            while lies_in(path, &state.path) && done.insert(path.to_owned()) {
                if !is_stated(cx, path) {
                    let rule = Rule { user, group, ..Rule::new("z", path) };
                    tmpfiles::add(cx, "services", rule, mount.place, out);
                }
                path = path.rsplit_once('/').map_or("", |(above, _)| above);
            }
        }
    }
}

/// Tells whether a definition names a directory, and so has its owner set already.
fn is_stated(cx: &HostCx<'_>, path: &str) -> bool {
    cx.host.running().flat_map(|service| &service.def.state).any(|state| state.path.as_str() == path)
}

/// Tells whether a dataset says whose it is.
fn has_owner(mount: &Mount<'_>) -> bool {
    matches!(&mount.source, MountSource::Dataset { def, .. } if def.owner.is_some())
}

/// Tells whether a service is the one whose state lies nearest around a path.
fn is_of(cx: &HostCx<'_>, service: &ResolvedService<'_>, path: &str) -> bool {
    let states = cx.host.running().flat_map(|other| other.state.iter().map(move |state| (other.name, &state.path)));
    let nearest = states.filter(|(_, state)| lies_in(path, state)).max_by_key(|(_, state)| state.len());
    nearest.is_some_and(|(name, state)| name == service.name && state != path)
}

fn is_mount(cx: &HostCx<'_>, path: &str) -> bool {
    cx.host.mounts.iter().any(|mount| mount.path == path)
}

fn looks_like_a_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.trim_start_matches('.').contains('.'))
}

/// Returns the user and group of a container, where these are numbers: names are those of its image.
fn numbers(container: &Container) -> (Option<&str>, Option<&str>) {
    let number = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    let Some(user) = &container.user else { return (None, None) };
    let (user, group) =
        user.as_str().split_once(':').map_or((user.as_str(), None), |(user, group)| (user, Some(group)));
    (Some(user).filter(number), group.filter(number))
}

/// Tells whether a service makes the folder that a volume of it comes from: of several that have it the one that says whose it is,
/// else the first that writes there, else the first.
fn makes(cx: &HostCx<'_>, service: &ResolvedService<'_>, path: &str) -> bool {
    let says = |other: &ResolvedService<'_>| {
        let is_stated = other.def.state.iter().any(|state| state.path.as_str() == path);
        is_stated || other.def.container().is_none() && other.state.iter().any(|state| state.path == path)
    };
    let writes = |other: &ResolvedService<'_>| other.state.iter().any(|state| state.path == path);
    let has = |other: &ResolvedService<'_>| {
        let mut volumes = other.def.container().into_iter().flat_map(|container| &container.volumes);
        volumes.any(|volume| volume_path(volume, &cx.host.mounts, &mut Vec::new()).as_deref() == Some(path))
    };
    let first_of = |chosen: &dyn Fn(&ResolvedService<'_>) -> bool| cx.host.running().find(|other| chosen(other));
    let maker = first_of(&says).or_else(|| first_of(&writes)).or_else(|| first_of(&has));
    maker.is_some_and(|maker| maker.name == service.name)
}
