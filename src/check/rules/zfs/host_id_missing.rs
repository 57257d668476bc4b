//! A host with ZFS whose host id somebody took away.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Kind, Level, Node};

pub(super) static RULE: Rule = Rule {
    id: "host-id-missing",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a host with pools has no host id",
    doc: include_str!("host_id_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.pools.is_empty() {
        return;
    }
    // Without one of its own a host gets one that follows from its name; only a setting takes it away.
    let Some(node) = nixos::setting(cx.host, &["networking", "hostId"]).filter(|node| is_none(node)) else { return };
    found.report(
        Finding::at(node.place, format!("`{}` has pools and no host id", cx.host.name))
            .label("no host id")
            .why("ZFS tells machines apart by it: without one the next boot does not know the pools for its own")
            .help("remove the setting: a host id follows from the host's name")
            .help("`network.host-id`, for pools that were made under another one"),
    );
}

fn is_none(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Nix(text) => text.trim() == "null",
        Kind::Str(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn only_what_takes_the_id_from_a_host_with_pools_is_reported() {
        let pool = "disks.d0 = { id = 'ata-D0', size = '2TB' }\nzfs.pools.tank.vdevs = [{ type = 'stripe', members = ['d0'] }]\n";
        let none = "nixos.networking.hostId = { literalExpression = 'null' }\n";
        assert_eq!(said("host-id-missing", &format!("{none}{pool}")).len(), 1);
        assert_eq!(said("host-id-missing", &format!("nixos.networking.hostId = ''\n{pool}")).len(), 1);
        assert_eq!(said("host-id-missing", &format!("nixos.networking.hostId = '2487cd1f'\n{pool}")).len(), 0);
        assert_eq!(said("host-id-missing", pool).len(), 0);
        assert_eq!(said("host-id-missing", none).len(), 0);
    }
}
