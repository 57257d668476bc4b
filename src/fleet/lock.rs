//! Channels that are pinned by a node of a flake.lock in the fleet: their pins are read from it.

use super::decode::Keyed;
use super::pin::{self, Pin};
use super::schema::fleet_file::{Channel, FleetFile};
use crate::source::{Diagnostic, Diagnostics, FleetFiles, Spanned, parse_json, quoted};

/// Reads rev, hash and date of every channel with `lock`. They get the place of `lock`; what is wrong within the lock is reported
/// there.
pub(super) fn pins(file: &mut FleetFile, files: &FleetFiles, found: &mut Diagnostics) {
    for (name, channel) in file.channels.iter_mut() {
        let Some(pin) = pin_of(name, channel, files, found) else { continue };
        let Some(place) = channel.lock.as_ref().map(|lock| lock.place) else { continue };
        channel.value.rev = Some(Spanned::new(pin.rev, place));
        channel.value.hash = Some(Spanned::new(pin.hash, place));
        let date = pin.last_modified.and_then(|seconds| u64::try_from(seconds).ok());
        channel.value.last_modified = date.map(|seconds| Spanned::new(seconds, place));
    }
}

fn pin_of(name: &str, channel: &Keyed<Channel>, files: &FleetFiles, found: &mut Diagnostics) -> Option<Pin> {
    let lock = channel.lock.as_ref()?;
    let twice = channel.rev.as_ref().or(channel.hash.as_ref()).map(|said| said.place);
    if let Some(place) = twice.or(channel.last_modified.as_ref().map(|seconds| seconds.place)) {
        let message = format!("the channel {} is pinned twice", quoted(name));
        let finding = Diagnostic::error("value-invalid", lock.place, message).label("by a lock");
        let finding = finding.related(place, "and by hand");
        found.push(finding.help("`lock`, or `rev` with `hash` and `last-modified`: remove one of both"));
        return None;
    }
    let Some(file) = files.files.get(&lock.path) else {
        // What is there and cannot be read is reported by the loader.
        let refused =
            |path: &str| files.found.iter().any(|one| files.sources.file(one.primary.place.file).path() == path);
        if !refused(&lock.path) {
            let message = format!("there is no {} in the fleet", quoted(&lock.path));
            let finding = Diagnostic::error("reference-unknown", lock.place, message);
            found.push(finding.help("a path below the fleet's folder; `nix flake lock` writes the file"));
        }
        return None;
    };
    let node = parse_json(&files.sources, *file, "value-invalid", found)?;
    let pin = pin::of_lock(&node, lock.node.as_deref(), found)?;
    if let Some(other) = pin.other_release(channel.release.value) {
        let message =
            format!("the channel {} is {}, and its lock follows {other}", quoted(name), channel.release.value);
        let finding = Diagnostic::error("value-invalid", lock.place, message).label(format!("nixos-{other}"));
        let finding = finding.related(channel.release.place, "the release");
        found.push(finding.help(format!("`release = \"{other}\"`, or another node of the lock after `#`")));
        return None;
    }
    Some(pin)
}
