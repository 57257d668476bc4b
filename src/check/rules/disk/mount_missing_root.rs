//! A host that mounts nothing on `/`.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "mount-missing-root",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "nothing is mounted on `/`",
    doc: include_str!("mount_missing_root.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    if host.mounts.iter().any(|mount| mount.path == "/") || nixos::is_set(host, &["fileSystems", "/"]) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["fileSystems"]) {
        found.unchecked(format!("{} may mount `/`", quoted(file)));
        return;
    }
    found.report(
        Finding::at(host.place, format!("`{}` mounts nothing on `/`", host.name))
            .label("no partition and no dataset has `mount = \"/\"`")
            .why("NixOS refuses a system without a root file system")
            .help("`mount = \"/\"` for the dataset or partition that is the root")
            .help("`[nixos] fileSystems.\"/\"`, for a root that is none of the two"),
    );
}
