//! A member of a pool that is not found in the folder where the pool is looked for.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{ResolvedMember, ResolvedPool};
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "pool-member-not-in-dev-nodes",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a pool is looked for where its members are not",
    doc: include_str!("pool_member_not_in_dev_nodes.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let nodes = cx.host.dev_nodes(pool);
        let Some((member, why)) = pool.members().find_map(|member| Some((member, absent(cx, pool, nodes, member)?)))
        else {
            continue;
        };
        let message = format!("`{}` of `{}` is not found in `{nodes}`", member.name, pool.name);
        let finding = Finding::at(member.place, message).label(why);
        let finding = match written(cx, pool) {
            Some(place) => finding.related(place, "where the pool is looked for"),
            None => finding,
        };
        let by_id = probed_without_id(cx, member);
        found.report(
            finding
                .why("the pool is not imported at boot, or with a member missing")
                .help(if by_id {
                    "give the virtual disk a serial number in the hypervisor: then it has a name in /dev/disk/by-id"
                } else {
                    "no `dev-nodes`: members are looked for in /dev/disk/by-id, where all of them are"
                })
                .help("`dev-nodes = \"/dev/disk/by-partlabel\"` for members that are partitions without LUKS"),
        );
    }
}

fn written(cx: &HostCx<'_>, pool: &ResolvedPool<'_>) -> Option<Place> {
    let own = pool.def.dev_nodes.as_ref().map(|nodes| nodes.place);
    own.or_else(|| cx.host.def.zfs.as_ref().filter(|zfs| zfs.dev_nodes.written).map(|zfs| zfs.dev_nodes.place))
}

/// Returns why a member has no name in a folder; none where it has one, or where nobody knows.
fn absent(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, nodes: &str, member: &ResolvedMember) -> Option<&'static str> {
    let within_luks = member.device.starts_with("/dev/mapper/");
    match nodes {
        "/dev/disk/by-id" => probed_without_id(cx, member).then_some("the probed disk has no name there"),
        "/dev/disk/by-partlabel" | "/dev/disk/by-partuuid" | "/dev/disk/by-path" if within_luks => {
            Some("within LUKS, whose devices have no name there")
        }
        "/dev/mapper" if !within_luks => Some("a partition, which has no name there"),
        // The label and the number are those of the pool: of all its members one has the name.
        "/dev/disk/by-label" | "/dev/disk/by-uuid" if pool.members().count() > 1 => {
            Some("all members have one name there, and it leads to one of them")
        }
        _ => None,
    }
}

/// Tells whether the facts list a member's disk, found by its kernel name, without any name below /dev/disk/by-id.
fn probed_without_id(cx: &HostCx<'_>, member: &ResolvedMember) -> bool {
    let disk = cx.host.disks.iter().find(|disk| disk.name == member.disk);
    let disks = cx.host.source.facts.as_ref().and_then(|facts| facts.disks.as_deref());
    let probed = disk.zip(disks).and_then(|(disk, disks)| {
        let name = probed::device_name(disk.def.id.as_str());
        probed::disk_of_kernel_name(disks, name)
    });
    probed.is_some_and(|probed| probed.ids.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn count(nodes: &str, luks: bool, members: &str, id: &str, ids: &str) -> usize {
        let luks = if luks { ", luks = { name = 'crypt' }" } else { "" };
        let host = format!(
            "[disks]\nmain = {{ id = '{id}', size = '512GB', partitions = [{{ name = 'bios', role = 'bios-boot', size = '1MiB' }}, \
             {{ name = 'root', role = 'filesystem', size = '50GiB', format = 'ext4', mount = '/' }}, \
             {{ name = 'pool', role = 'zfs', size = 'rest'{luks} }}] }}\nd0 = {{ id = 'ata-D0', size = '1TB' }}\n\
             [zfs.pools.tank]\nvdevs = [{{ type = 'stripe', members = [{members}] }}]\n{nodes}\n"
        );
        let facts = format!("{{ \"version\": 1, \"disks\": [{{ \"path\": \"/dev/vda\", \"ids\": [{ids}] }}] }}");
        let files = [("hosts/a/host.toml", host.as_str()), ("hosts/a/facts.json", &facts)];
        said_of("pool-member-not-in-dev-nodes", &files).len()
    }

    #[test]
    fn each_folder_of_udev_is_known_for_what_it_does_not_hold() {
        let of = |nodes: &str, luks: bool, members: &str| {
            count(&format!("dev-nodes = '/dev/{nodes}'"), luks, members, "ata-M", "")
        };
        let (one, two) = ("'main.pool'", "'main.pool', 'd0'");
        for (nodes, luks, members, findings) in [
            ("disk/by-id", true, two, 0),
            ("disk/by-partlabel", false, two, 0),
            ("disk/by-partlabel", true, two, 1),
            ("disk/by-partuuid", true, one, 1),
            ("disk/by-path", false, two, 0),
            ("disk/by-uuid", false, one, 0),
            ("disk/by-uuid", false, two, 1),
            ("mapper", true, one, 0),
            ("mapper", true, two, 1),
            ("disk/by-vdev", true, two, 0),
        ] {
            assert_eq!(of(nodes, luks, members), findings, "{nodes} {luks} {members}");
        }
    }

    #[test]
    fn a_virtual_disk_without_a_serial_number_has_no_name_by_id() {
        assert_eq!(count("", false, "'main.pool'", "vda", ""), 1);
        assert_eq!(count("", false, "'main.pool'", "vda", "\"virtio-1\""), 0);
        assert_eq!(count("dev-nodes = '/dev/disk/by-partlabel'", false, "'main.pool'", "vda", ""), 0);
        assert_eq!(count("", false, "'main.pool'", "ata-M", ""), 0);
    }
}
