//! A root in memory that forgets what has to survive.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{Mount, MountSource, ResolvedHost};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "ephemeral-root-loses",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a root that is wiped loses what must survive",
    doc: include_str!("ephemeral_root_loses.md"),
    check: Check::Host(check),
};

/// What must survive: path, level, what is lost without it.
const WANTED: [(&str, Level, &str); 4] = [
    ("/var/lib/nixos", Level::Error, "the numbers of users and groups: files get other owners at the next boot"),
    ("/etc/machine-id", Level::Warning, "the machine's id: its journal and its DHCP leases are a stranger's"),
    ("/etc/ssh/ssh_host_ed25519_key", Level::Error, "the ssh host keys: no known_hosts fits any more"),
    ("/var/log", Level::Warning, "the journal: nothing says why the boot before has failed"),
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(root) = host.mounts.iter().find(|mount| mount.path == "/" && is_memory(mount)) else { return };
    for (path, level, lost) in WANTED {
        if survives(host, path) {
            continue;
        }
        let place = host.def.persistence.as_ref().map_or(root.place, |persistence| persistence.place);
        let finding = Finding::at(place, format!("`{path}` does not survive a boot of `{}`", host.name))
            .label("nothing here keeps it")
            .why(format!("lost is {lost}"));
        let finding = if place == root.place { finding } else { finding.related(root.place, "the root forgets") };
        let key = if path.starts_with("/etc/") { "files" } else { "directories" };
        found.report_as(level, finding.help(format!("`\"{path}\"` in `persistence.{key}`")));
    }
    let Some(persistence) = &host.def.persistence else { return };
    let kept = persistence.root.as_str();
    if !survives(host, kept) {
        found.report(
            Finding::at(persistence.root.place, format!("`{kept}` is itself in memory"))
                .label("nothing is mounted that holds it")
                .related(root.place, "the root forgets")
                .why("what is kept there is lost with the root")
                .help(format!("a file system on a disk with `mount = \"{kept}\"`")),
        );
    }
}

fn is_memory(mount: &Mount<'_>) -> bool {
    matches!(&mount.source, MountSource::Foreign(def) if matches!(def.kind.as_str(), "tmpfs" | "ramfs"))
}

/// Tells whether something that is not in memory holds a path.
fn survives(host: &ResolvedHost<'_>, path: &str) -> bool {
    let linked = host.def.persistence.iter().flat_map(|persistence| &persistence.files);
    linked.into_iter().any(|file| file.as_str() == path) || host.mount_of(path).is_some_and(|mount| !is_memory(mount))
}
