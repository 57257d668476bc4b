//! What stands between disks and mounts: arrays, LUKS, and what of a root that forgets survives. Part of disks.nix.

use super::HostCx;
use super::settings::Settings;
use super::tmpfiles::{self, Argument, Rule};
use crate::fleet::schema::disks::Luks;
use crate::fleet::schema::machine::Unlock;
use crate::nix::{Attrs, Value};
use crate::resolve::{BlockDevice, Content, MountSource, ResolvedHost};
use crate::source::{Place, Spanned};

/// Adds what arrays, LUKS and persistence set.
pub(super) fn settings(cx: &HostCx<'_>, out: &mut Settings) {
    arrays(cx, out);
    luks(cx, out);
    persistence(cx, out);
}

fn arrays(cx: &HostCx<'_>, out: &mut Settings) {
    let Some(first) = cx.host.arrays.first() else { return };
    let place = first.def.key;
    // The monitor of mdadm ends at once where nobody is to be told.
    let config = "MAILADDR root\n";
    if cx.spelling.swraid() {
        out.set("boot.swraid.enable", true, place);
        out.derive("boot.swraid.mdadmConf", config, place);
    } else if cx.spelling.swraid_of_initrd() {
        out.set("boot.initrd.services.swraid.enable", true, place);
        out.derive("boot.initrd.services.swraid.mdadmConf", config, place);
    }
}

/// Tells whether LUKS around a device has to open in the initrd: what it holds is mounted there, is a member of a pool, or is
/// swap, which a hibernated system is read back from.
fn opens_early(host: &ResolvedHost<'_>, device: &BlockDevice<'_>) -> bool {
    match device.content {
        Content::PoolMember | Content::Swap => true,
        Content::FileSystem(_) => {
            let early = |path: &str| host.mounts.iter().any(|mount| mount.path == path && host.is_early(mount));
            // What has no key file of its own is asked for with the others.
            device.luks.is_some_and(|luks| luks.key_file.is_none()) || device.mount_points().any(early)
        }
        Content::Core | Content::ArrayMember => false,
    }
}

fn luks(cx: &HostCx<'_>, out: &mut Settings) {
    let mut late = String::new();
    let mut late_place: Option<Place> = None;
    for device in &cx.host.devices {
        let Some(luks) = device.luks else { continue };
        if opens_early(cx.host, device) {
            let unlock = device.unlock(cx.host.def.boot.unlock.value);
            early(&device.raw, luks, unlock, out);
            continue;
        }
        let Some(key) = &luks.key_file else { continue };
        let discard = if luks.allow_discards.value { ",discard" } else { "" };
        late.push_str(&crypttab(luks.name.as_str(), &device.raw, key.as_str(), discard));
        late_place.get_or_insert(luks.place);
    }
    if let Some(place) = late_place {
        out.set_below("environment.etc", &["crypttab", "text"], late, place);
    }
}

fn early(raw: &str, luks: &Spanned<Luks>, unlock: Option<Unlock>, out: &mut Settings) {
    let name = luks.name.as_str();
    let mut value = Attrs::from_iter([("device", Value::from(raw))]);
    if luks.allow_discards.value {
        value.set(&["allowDiscards"], true);
    }
    if let Some(key) = &luks.key_file {
        value.set(&["keyFile"], key.as_str());
        if !key.is_below("/dev") {
            // The initrd gets the file when the loader is installed; it never passes through the store.
            out.set_below("boot.initrd.secrets", &[key.as_str()], key.as_str(), key.place);
        }
    }
    if unlock == Some(Unlock::Tpm2) {
        value.set(&["crypttabExtraOpts"], vec!["tpm2-device=auto"]);
        // Stage 1 as a script knows no TPM.
        out.derive("boot.initrd.systemd.enable", true, luks.place);
    }
    out.set_below("boot.initrd.luks.devices", &[name], value, luks.place);
}

/// Returns a line of crypttab(5), which has no quoting: a space within a field is refused when it is read.
fn crypttab(name: &str, device: &str, key: &str, discard: &str) -> String {
    format!("{name} {device} {key} luks{discard}\n")
}

fn persistence(cx: &HostCx<'_>, out: &mut Settings) {
    let Some(persistence) = &cx.host.def.persistence else { return };
    for mount in &cx.host.mounts {
        let MountSource::Persisted { kept, def } = &mount.source else { continue };
        let owner = def.and_then(|def| def.owner.as_ref()).map_or("root", |owner| owner.as_str());
        let group = def.and_then(|def| def.group.as_ref()).map_or("root", |group| group.as_str());
        let own = if def.is_none() { "0700" } else { "0755" };
        let mode = def.and_then(|def| def.mode.as_ref()).map_or(own, |mode| mode.as_str());
        let rule = Rule { user: Some(owner), group: Some(group), mode: Some(mode), ..Rule::new("d", kept) };
        tmpfiles::add(cx, "persistence", rule, mount.place, out);
    }
    for file in &persistence.files {
        let kept = format!("{}{}", persistence.root.as_str().trim_end_matches('/'), file.as_str());
        // What lies below /etc is linked before the first unit starts: the machine's id is read that early.
        if let Some(name) = file.as_str().strip_prefix("/etc/") {
            out.set_below("environment.etc", &[name, "source"], kept, file.place);
        } else {
            let rule = Rule { argument: Some(Argument::Text(&kept)), ..Rule::new("L+", file.as_str()) };
            tmpfiles::add(cx, "persistence", rule, file.place, out);
        }
    }
}
