//! Flash that wears out faster than it has to, with nobody looking.

use std::collections::BTreeMap;

use crate::check::nixos;
use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::Cpu;
use crate::fleet::schema::module_file::StateKind;
use crate::resolve::{Base, BlockDevice, Content, Mount, MountSource, ResolvedHost};
use crate::source::{Kind, Level, Node, Place};

pub(super) static RULE: Rule = Rule {
    id: "ssd-write-wear",
    group: Group::Disk,
    level: Level::Note,
    allowable: true,
    needs: &["option index"],
    summary: "flash is written to without trim, limit or anybody who watches its wear",
    doc: include_str!("ssd_write_wear.md"),
    check: Check::Host(check),
};

/// Where the journal and most logs are.
const LOGS: &str = "/var/log";

/// How much of a file system a journal may take before it is more than a few weeks of a server.
const LARGE_JOURNAL: u64 = 10 << 30;

/// Settings that watch the wear of disks.
const WATCHED: [&[&str]; 4] = [
    &["services", "smartd", "enable"],
    &["services", "scrutiny", "enable"],
    &["services", "prometheus", "exporters", "smartctl", "enable"],
    &["services", "netdata", "enable"],
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    // A guest's disks are its hypervisor's to care for.
    if host.def.machine.cpu.as_ref().is_some_and(|cpu| cpu.value == Cpu::Virtual) {
        return;
    }
    let writers = writers(host);
    untrimmed(cx, &writers, found);
    if writers.iter().any(|writer| writer.database.is_none()) {
        unlimited(host, found);
    }
    unwatched(cx, &writers, found);
}

/// Something that writes much to a file system on flash.
struct Writer<'a> {
    /// What it is, in words.
    what: String,
    mount: &'a Mount<'a>,
    /// The service whose database it is.
    database: Option<Place>,
}

fn writers<'a>(host: &'a ResolvedHost<'a>) -> Vec<Writer<'a>> {
    let logs = [(format!("`{LOGS}`"), LOGS, None)];
    let running = host.running();
    let databases = running.flat_map(|service| {
        let state = service.state.iter().filter(|state| state.kind == StateKind::Database);
        state.map(|state| (format!("the database of `{}`", service.name), state.path.as_str(), Some(service.def.key)))
    });
    let all = logs.into_iter().chain(databases);
    all.filter_map(|(what, path, database)| {
        let mount = holder(host, path)?;
        host.disks_of(mount).any(|disk| host.is_flash(disk)).then_some(Writer { what, mount, database })
    })
    .collect()
}

/// Returns the mount on whose device a path lies, bind mounts followed.
fn holder<'a>(host: &'a ResolvedHost<'a>, path: &str) -> Option<&'a Mount<'a>> {
    let mut mount = host.mount_of(path)?;
    // A circle of bind mounts ends somewhere.
    for _ in 0..8 {
        match mount.bound() {
            Some(shown) => mount = host.mount_of(shown)?,
            None => break,
        }
    }
    Some(mount)
}

/// What is written to, and where trim is switched off.
fn untrimmed(cx: &HostCx<'_>, writers: &[Writer<'_>], found: &mut Findings) {
    let mut by_place: BTreeMap<Place, Vec<String>> = BTreeMap::new();
    for writer in writers {
        if let Some(place) = untrimmed_at(cx, writer.mount) {
            by_place.entry(place).or_default().push(writer.what.clone());
        }
    }
    for (place, what) in by_place {
        found.report(
            Finding::at(place, format!("flash below {} is never trimmed", joined(&what)))
                .label("no trim")
                .why("a disk that is not told what is free copies it along when it makes room: it writes more than it is given, and gets slow")
                .help("`services.fstrim.enable = true` in `[nixos]` for ext4, XFS and btrfs; `[zfs] trim = true` for pools"),
        );
    }
}

/// Returns where it is written that a file system on flash is not trimmed; none where it is, or where encryption keeps to itself what
/// is free.
fn untrimmed_at(cx: &HostCx<'_>, mount: &Mount<'_>) -> Option<Place> {
    let discards = |options: &[crate::source::Spanned<crate::fleet::scalar::KernelWord>]| {
        options.iter().any(|option| option.as_str().split(',').any(|word| word.starts_with("discard")))
    };
    match &mount.source {
        MountSource::Dataset { pool, .. } => {
            let pool = cx.host.pools.iter().find(|known| known.name == *pool)?;
            let auto = pool.def.properties.get("autotrim");
            let auto = auto.is_some_and(|value| value.value.value.as_str() == "on");
            let trim = cx.host.def.zfs.as_ref()?.trim.as_ref()?;
            return (!trim.value && !auto).then_some(trim.place);
        }
        MountSource::Partition { def, .. } if def.luks.is_some() || discards(&def.mount_options) => return None,
        MountSource::Array { def, .. } if def.luks.is_some() || discards(&def.mount_options) => return None,
        MountSource::Foreign(_) | MountSource::Persisted { .. } => return None,
        MountSource::Partition { .. } | MountSource::Array { .. } => {}
    }
    let option = ["services", "fstrim", "enable"];
    if let Some(node) = nixos::setting(cx.host, &option) {
        return (node.kind == Kind::Bool(false)).then_some(node.place);
    }
    if nixos::file_with(cx, &["fstrim"]).is_some() {
        return None;
    }
    let index = cx.facts.options(cx.host.channel.channel.release.value)?;
    let off = index.option(&option)?.default() == Some("false");
    off.then_some(mount.place)
}

/// Logs whose limits are switched off or raised beyond sense.
fn unlimited(host: &ResolvedHost<'_>, found: &mut Findings) {
    let journald = |key: &str| nixos::setting(host, &["services", "journald", key]);
    let zero = |node: &Node| match &node.kind {
        Kind::Int(number) => *number == 0,
        Kind::Str(text) => is_zero(text),
        _ => false,
    };
    let switched_off = ["rateLimitBurst", "rateLimitInterval"].into_iter().filter_map(journald).find(|node| zero(node));
    let config = journald("extraConfig");
    let of_config = config.filter(|node| node.as_str().is_some_and(lifts_limits));
    for node in switched_off.into_iter().chain(of_config).take(1) {
        found.report(
            Finding::at(node.place, "the journal may write to flash without limit")
                .label("a limit switched off")
                .why("one program that logs in a loop writes hundreds of gigabytes a day, and nobody sees it")
                .help("leave journald's limits, 10,000 lines in 30 s of each service and 4 GiB in all")
                .help("`LogRateLimitBurst` for the one service that needs more"),
        );
    }
}

/// Tells whether lines of journald.conf(5) switch a limit off, or let the journal grow beyond sense.
fn lifts_limits(text: &str) -> bool {
    text.lines().filter_map(|line| line.trim().split_once('=')).any(|(key, value)| match key.trim() {
        "RateLimitBurst" | "RateLimitIntervalSec" | "RateLimitInterval" => is_zero(value),
        "SystemMaxUse" => bytes(value).is_some_and(|bytes| bytes > LARGE_JOURNAL),
        _ => false,
    })
}

fn is_zero(value: &str) -> bool {
    matches!(value.trim(), "0" | "0s" | "0min")
}

/// Reads a size of journald.conf(5): K, M, G, T to the base of 1024.
fn bytes(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match value.get(digits.len()..)? {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Swap or databases on flash that nobody watches.
fn unwatched(cx: &HostCx<'_>, writers: &[Writer<'_>], found: &mut Findings) {
    let host = cx.host;
    let by_key = host.def.monitoring.as_ref().is_some_and(|monitoring| monitoring.smartd.value);
    if by_key || WATCHED.iter().any(|route| nixos::is_set(host, route)) {
        return;
    }
    let swap = host.devices.iter().filter(|device| device.content == Content::Swap && is_on_flash(host, device));
    let swap = swap.map(|device| (device.place, format!("swap on `{}`", device.base)));
    let databases = writers.iter().filter_map(|writer| Some((writer.database?, writer.what.clone())));
    let all: Vec<(Place, String)> = swap.chain(databases).collect();
    let Some((place, _)) = all.first() else { return };
    if let Some(file) = nixos::file_with(cx, &["smartd", "scrutiny", "smartctl", "netdata"]) {
        found.unchecked(format!("{file} may watch the disks"));
        return;
    }
    let what: Vec<String> = all.iter().map(|(_, what)| what.clone()).collect();
    let mut finding = Finding::at(*place, format!("nobody watches how far the flash below {} is worn", joined(&what)));
    for (other, what) in all.iter().skip(1).take(3) {
        finding = finding.related(*other, what.clone());
    }
    found.report(
        finding
            .label("written to all day")
            .why("flash takes a number of writes and then fails, two of a mirror at about the same time; its own counter tells months before")
            .help("`[monitoring] smartd = true`, with `mail` to somebody"),
    );
}

fn is_on_flash(host: &ResolvedHost<'_>, device: &BlockDevice<'_>) -> bool {
    let on = |name: &str| host.disks.iter().any(|disk| disk.name == name && host.is_flash(disk));
    match device.base {
        Base::Partition { disk, .. } => on(disk),
        Base::Array { name } => {
            let arrays = host.arrays.iter().filter(|array| array.name == name);
            arrays.flat_map(|array| &array.members).any(|member| on(&member.disk))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::sample::said;

    fn host(disk: &str, parts: &str, more: &str) -> Vec<String> {
        let text = format!(
            "{more}\n[disks]\nmain = {{ id = '{disk}', size = '512GB', partitions = [{{ name = 'bios', role = 'bios-boot', size = '1MiB' }}, \
             {parts} {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }}] }}\n"
        );
        said("ssd-write-wear", &text)
    }

    const SWAP: &str = "{ name = 'swap', role = 'swap', size = '8GiB' },";

    #[test]
    fn flash_that_is_trimmed_limited_and_watched_is_no_finding() {
        assert!(host("nvme-A", "", "").is_empty());
        assert!(host("ata-HDD", SWAP, "nixos.services.fstrim.enable = false").is_empty(), "a disk that turns");
        assert_eq!(
            host("nvme-A", "", "nixos.services.fstrim.enable = false"),
            ["note: flash below `/var/log` is never trimmed"]
        );
        assert_eq!(
            host("nvme-A", SWAP, ""),
            ["note: nobody watches how far the flash below swap on `main.swap` is worn"]
        );
        assert!(host("nvme-A", SWAP, "nixos.services.smartd.enable = true").is_empty());
        assert!(host("nvme-A", SWAP, "monitoring.smartd = true").is_empty());
        assert!(host("nvme-A", SWAP, "machine.cpu = 'virtual'").is_empty());
    }

    #[test]
    fn a_limit_that_is_switched_off_is_said_once() {
        for lines in [
            "nixos.services.journald.rateLimitBurst = 0",
            "nixos.services.journald.rateLimitInterval = '0s'",
            "nixos.services.journald.extraConfig = 'RateLimitBurst=0'",
            "nixos.services.journald.extraConfig = 'SystemMaxUse = 50G'",
        ] {
            assert_eq!(host("nvme-A", "", lines), ["note: the journal may write to flash without limit"], "{lines}");
            assert!(host("ata-HDD", "", lines).is_empty(), "{lines}");
        }
        assert!(host("nvme-A", "", "nixos.services.journald.extraConfig = 'SystemMaxUse=500M'").is_empty());
        assert_eq!(bytes("1T"), Some(1 << 40));
        assert_eq!((bytes("x"), bytes("99999999999T"), bytes("4 G")), (None, None, None));
    }
}
