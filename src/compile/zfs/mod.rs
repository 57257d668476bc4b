//! ZFS as NixOS runs it: import, keys, rollbacks, scrubs, trims, snapshots, mail, who owns a mount point.
//!
//! What concerns booting is printed into boot.nix, the rest into disks.nix. Not here: how pools are made (`install`).

mod keys;
mod rollback;

use std::collections::BTreeMap;

use super::HostCx;
use super::settings::Settings;
use super::tmpfiles::{self, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::PackageAttr;
use crate::fleet::schema::machine::SwitchOr;
use crate::fleet::schema::zfs::{Dataset, Import, Scrub};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::{Mount, MountSource, ResolvedHost, ResolvedPool, is_needed_for_boot};
use crate::source::{Diagnostic, Diagnostics, Spanned};

/// Sets what boot.nix says of pools: the host id, the import, keys, rollbacks.
pub(super) fn boot(cx: &HostCx<'_>, out: &mut Settings, found: &mut Diagnostics) {
    import(cx, out, found);
    keys::settings(cx, out);
    rollback::settings(cx, out);
}

/// Sets what disks.nix says of pools.
pub(super) fn upkeep(cx: &HostCx<'_>, out: &mut Settings) {
    regular(cx, out);
    mail(cx, out);
    snapshots(cx, out);
    owners(cx, out);
}

/// Tells whether a pool is imported by itself; what lies on others is mounted by hand.
pub(super) fn is_imported(host: &ResolvedHost<'_>, pool: &str) -> bool {
    host.pools.iter().any(|known| known.name == pool && known.def.import.value == Import::Boot)
}

/// Tells whether ZFS mounts a dataset without NixOS: it says `can-mount = "on"`, and nothing needs it in the initrd.
fn is_left_to_zfs(mount: &Mount<'_>, def: &Dataset) -> bool {
    def.is_mounted_last() && !is_needed_for_boot(mount.path) && def.rollback.is_none()
}

/// Returns the entry of `fileSystems` for a dataset; none where NixOS does not mount it.
pub(super) fn filesystem(cx: &HostCx<'_>, mount: &Mount<'_>) -> Option<Value> {
    let MountSource::Dataset { pool, name, def } = &mount.source else { return None };
    let pool = cx.host.pools.iter().find(|known| known.name == *pool)?;
    if !pool.is_imported_at_boot() || is_left_to_zfs(mount, def) {
        return None;
    }
    let mut attrs = Attrs::new();
    attrs.set(&["device"], format!("{}/{name}", pool.name));
    attrs.set(&["fsType"], "zfs");
    let mut options = Vec::new();
    if def.mounts_itself() {
        options.push("zfsutil".to_owned());
    }
    options.extend(keys::unit_of(cx, pool, name).map(|unit| format!("x-systemd.requires={unit}.service")));
    if !options.is_empty() {
        attrs.set(&["options"], options);
    }
    Some(attrs.into())
}

fn import(cx: &HostCx<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let id = &cx.host.host_id;
    match id.place {
        Some(place) => out.set("networking.hostId", id.id.as_str(), place),
        None => out.derive("networking.hostId", id.id.as_str(), cx.host.place),
    }
    let Some(zfs) = &cx.host.def.zfs else { return };
    if cx.spelling.filesystem_attributes() {
        out.set("boot.supportedFilesystems.zfs", true, zfs.place);
    } else {
        out.list("boot.supportedFilesystems", ["zfs"], zfs.place);
    }
    out.keyed("boot.zfs.devNodes", &zfs.dev_nodes, zfs.dev_nodes.value.as_str());
    // A pool that another machine wrote last is not taken from it: the import must fail, and be looked at.
    out.set("boot.zfs.forceImportRoot", false, zfs.place);
    out.set("boot.zfs.forceImportAll", false, zfs.place);
    if let Some(package) = &zfs.package {
        self::package(cx, package, out, found);
    }
    for pool in &cx.host.pools {
        let mounted = cx
            .host
            .mounts
            .iter()
            .any(|mount| matches!(&mount.source, MountSource::Dataset { pool: of, def, .. } if *of == pool.name && !is_left_to_zfs(mount, def)));
        if let Some(nodes) = pool.def.dev_nodes.as_ref().filter(|_| cx.spelling.zfs_pools()) {
            out.set_below("boot.zfs.pools", &[pool.name, "devNodes"], nodes.as_str(), nodes.place);
        }
        if pool.def.import.value == Import::Boot && !mounted {
            out.list("boot.zfs.extraPools", [pool.name], pool.def.key);
        }
    }
}

/// Chooses the ZFS. Before there was an option for the package, NixOS knew two: the stable one and `zfsUnstable`.
fn package(cx: &HostCx<'_>, package: &Spanned<PackageAttr>, out: &mut Settings, found: &mut Diagnostics) {
    if cx.spelling.zfs_package() {
        out.set("boot.zfs.package", Expr::select("pkgs", package.as_str()), package.place);
    } else if matches!(package.as_str(), "zfsUnstable" | "zfs_unstable") {
        out.set("boot.zfs.enableUnstable", true, package.place);
    } else if !matches!(package.as_str(), "zfs" | "zfsStable") {
        let message = format!("NixOS {} takes no other ZFS than its own two", cx.host.channel.channel.release.value);
        found.push(
            Diagnostic::error("value-invalid", package.place, message)
                .help("`zfsUnstable` for the newer of the two")
                .help("leave `zfs.package` out for the stable one")
                .help("use a channel from 24.05 on, where any package can be chosen"),
        );
    }
}

fn regular(cx: &HostCx<'_>, out: &mut Settings) {
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
        cx.host.disks.iter().any(|disk| members().any(|member| member.disk == disk.name) && cx.host.is_flash(disk));
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
        let rule = Rule { user: Some(owner), group: Some(group), mode: Some(mode), ..Rule::new("z", mount.path) };
        tmpfiles::add(cx, "", rule, place, out);
    }
}

/// Mail services of NixOS that bring a `sendmail`.
const MAILERS: [&[&str]; 5] = [
    &["programs", "msmtp", "enable"],
    &["services", "nullmailer", "enable"],
    &["services", "opensmtpd", "enable"],
    &["services", "exim", "enable"],
    &["services", "postfix", "enable"],
];

/// Sends what zed reports: the address, and something that delivers mail unless the host has it.
///
/// zed runs the `sendmail` that a mail service of NixOS brings (`services.mail.sendmailSetuidWrapper`); without one it has
/// nothing to send with. Postfix for this machine alone is such a service, at `mkDefault`.
fn mail(cx: &HostCx<'_>, out: &mut Settings) {
    let Some(mail) = cx.host.def.zfs.as_ref().and_then(|zfs| zfs.mail.as_ref()) else { return };
    let place = mail.place;
    out.set("services.zfs.zed.settings.ZED_EMAIL_ADDR", vec![mail.as_str()], place);
    // A scrub that found nothing is told too: silence would not differ from mail that is lost.
    out.derive("services.zfs.zed.settings.ZED_NOTIFY_VERBOSE", true, place);
    let nixos = cx.host.def.nixos.as_ref();
    if !MAILERS.iter().any(|route| nixos.is_some_and(|nixos| nixos.at(route).is_some())) {
        out.derive("services.postfix.enable", true, place);
        let option =
            if cx.spelling.postfix_settings() { "services.postfix.settings.main" } else { "services.postfix.config" };
        out.derive(&format!("{option}.inet_interfaces"), "loopback-only", place);
    }
    if cx.spelling.zed_sendmail() {
        return;
    }
    let sendmail = "/run/wrappers/bin/sendmail";
    out.derive("services.zfs.zed.settings.ZED_EMAIL_PROG", sendmail, place);
    out.derive("services.zfs.zed.settings.ZED_EMAIL_OPTS", "@ADDRESS@", place);
}
