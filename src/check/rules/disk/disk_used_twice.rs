//! A disk or partition that has two uses.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::zfs::MemberName;
use crate::resolve::{ArrayUse, MemberUse, ResolvedDisk};
use crate::source::{Level, quoted};
use crate::units::by_id_name;

pub(super) static RULE: Rule = Rule {
    id: "disk-used-twice",
    group: Group::Disk,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "one disk or partition has two uses",
    doc: include_str!("disk_used_twice.md"),
    check: Check::Host(check),
};

const WHY: &str = "each of the two overwrites what the other has written";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    one_id(cx, found);
    let uses = MemberUse::all(cx.host.source);
    let cut: Vec<&ResolvedDisk<'_>> = cx.host.disks.iter().filter(|disk| !disk.def.partitions.is_empty()).collect();
    members(&uses, &cut, found);
    arrays(cx, &uses, &cut, found);
    luks_names(cx, found);
    partitions(&uses, &cut, found);
}

/// Two disks of the definition that are one.
fn one_id(cx: &HostCx<'_>, found: &mut Findings) {
    let probed = cx.host.source.facts.as_ref().and_then(|facts| facts.disks.as_deref()).unwrap_or_default();
    for (at, disk) in cx.host.disks.iter().enumerate() {
        let id = disk.def.id.as_str();
        let is_same = |other: &&ResolvedDisk<'_>| {
            let (id, other) = (whole(id), whole(other.def.id.as_str()));
            let alias = || probed::disk(probed, id).is_some_and(|disk| disk.is_called(other));
            id == other || alias()
        };
        let Some(first) = cx.host.disks.iter().take(at).find(is_same) else { continue };
        let message = format!("`{}` and `{}` are one disk", first.name, disk.name);
        let label = if first.def.id.as_str() == id {
            "the same id".to_owned()
        } else {
            format!("the same disk as {}", quoted(first.def.id.as_str()))
        };
        found.report(
            Finding::at(disk.def.id.place, message)
                .label(label)
                .related(first.def.id.place, format!("`{}` has it already", first.name))
                .why(WHY)
                .help(format!("remove `{}`, and give its partitions to `{}`", disk.name, first.name))
                .help(format!("the id of another disk for `{}`", disk.name)),
        );
    }
}

/// Returns a disk's name without the number of a partition.
fn whole(id: &str) -> &str {
    let id = by_id_name(id);
    match id.rsplit_once("-part") {
        Some((disk, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => disk,
        _ => id,
    }
}

/// Members that are named twice, and whole disks that are cut into partitions.
fn members(uses: &[MemberUse], cut: &[&ResolvedDisk<'_>], found: &mut Findings) {
    for (at, used) in uses.iter().enumerate() {
        let partitioned = cut.iter().find(|disk| disk.name == used.member.disk);
        let earlier = uses.iter().take(at).find(|earlier| {
            let same = earlier.member.partition == used.member.partition;
            // Of a disk that is not cut, the one partition that ZFS gets is the disk.
            earlier.member.disk == used.member.disk && (same || partitioned.is_none())
        });
        if let Some(earlier) = earlier {
            let message = format!("`{}` is a member twice: of `{}` and of `{}`", used.member, earlier.pool, used.pool);
            found.report(
                Finding::at(used.place, message)
                    .label("again")
                    .related(earlier.place, format!("already in `{}`", earlier.pool))
                    .why("a member holds data of one vdev only: copies on one disk are lost together, and two pools overwrite each other")
                    .help("name another disk or partition")
                    .help("remove one of the two"),
            );
        } else if let (Some(disk), None) = (partitioned, &used.member.partition) {
            let first = disk.def.partitions.first().map_or(disk.def.key, |partition| partition.place);
            let message =
                format!("`{}` is a member of `{}` as a whole, and is cut into partitions", disk.name, used.pool);
            found.report(
                Finding::at(used.place, message)
                    .label("the whole disk")
                    .related(first, "its partitions")
                    .why(WHY)
                    .help(format!("name a partition with `role = \"zfs\"`: `{}.NAME`", disk.name))
                    .help(format!("remove the partitions of `{}`", disk.name)),
            );
        }
    }
}

/// Members of arrays that another array or a pool has too, or that are something else.
fn arrays(cx: &HostCx<'_>, pools: &[MemberUse], cut: &[&ResolvedDisk<'_>], found: &mut Findings) {
    let uses = ArrayUse::all(cx.host.source);
    for (at, used) in uses.iter().enumerate() {
        let partitioned = cut.iter().find(|disk| disk.name == used.member.disk);
        let same = |member: &MemberName| {
            member.disk == used.member.disk && (member.partition == used.member.partition || partitioned.is_none())
        };
        let earlier = uses.iter().take(at).find(|earlier| same(&earlier.member));
        let earlier = earlier.map(|earlier| (earlier.place, format!("array `{}`", earlier.array)));
        let of_pool = || pools.iter().find(|pool| same(&pool.member));
        let earlier = earlier.or_else(|| of_pool().map(|pool| (pool.place, format!("pool `{}`", pool.pool))));
        let partition = partitioned.and_then(|disk| {
            disk.def.partitions.iter().find(|part| Some(part.name.as_str()) == used.member.partition.as_deref())
        });
        let finding = match (earlier, partitioned, partition) {
            (Some((place, first)), _, _) => {
                let message = format!("`{}` is a member of array `{}` and of {first}", used.member, used.array);
                Finding::at(used.place, message)
                    .label("again")
                    .related(place, format!("already in {first}"))
                    .help("name another disk or partition")
                    .help("remove one of the two")
            }
            (None, Some(disk), None) if used.member.partition.is_none() => {
                let message = format!(
                    "`{}` is a member of array `{}` as a whole, and is cut into partitions",
                    disk.name, used.array
                );
                Finding::at(used.place, message)
                    .label("the whole disk")
                    .help(format!("name a partition with `role = \"mdraid\"`: `{}.NAME`", disk.name))
            }
            (None, _, Some(part)) if part.role.value != Role::Mdraid => {
                let message = format!(
                    "`{}` is a member of array `{}`, and its role is `{}`",
                    used.member,
                    used.array,
                    part.role.value.word()
                );
                Finding::at(used.place, message)
                    .label(format!("a member of `{}`", used.array))
                    .related(part.role.place, format!("set up as `{}`", part.role.value.word()))
                    .help("`role = \"mdraid\"` for the partition")
                    .help("another partition as the member")
            }
            _ => continue,
        };
        found.report(finding.why(WHY));
    }
}

/// Two LUKS devices of one name.
fn luks_names(cx: &HostCx<'_>, found: &mut Findings) {
    let named = || cx.host.devices.iter().filter_map(|device| Some((device, &device.luks?.value.name)));
    for (at, (device, name)) in named().enumerate() {
        let Some((first, place)) =
            named().take(at).find(|(_, other)| other.value == name.value).map(|(first, other)| (first, other.place))
        else {
            continue;
        };
        found.report(
            Finding::at(
                name.place,
                format!("`{}` and `{}` are both opened as `{}`", first.base, device.base, name.value),
            )
            .label("again")
            .related(place, "opened under this name already")
            .why("only the first of the two opens: the other one is looked for under the name of the first")
            .help("a name of its own for each LUKS device"),
        );
    }
}

/// Partitions that are something else beside what their role says.
fn partitions(uses: &[MemberUse], cut: &[&ResolvedDisk<'_>], found: &mut Findings) {
    for disk in cut {
        for partition in &disk.def.partitions {
            let name = partition.name.as_str();
            let role = partition.role.value;
            let used = uses
                .iter()
                .find(|used| used.member.disk == disk.name && used.member.partition.as_deref() == Some(name));
            let mounted = partition.mount.as_ref();
            let subject = format!("`{}.{name}`", disk.name);
            let finding = match (used, mounted) {
                (Some(used), Some(mount)) => {
                    let message =
                        format!("{subject} is a member of `{}`, and is mounted on `{}`", used.pool, mount.value);
                    Finding::at(used.place, message)
                        .label(format!("a member of `{}`", used.pool))
                        .related(mount.place, "mounted here")
                        .help("a partition of its own for the mount")
                        .help("mount a dataset of the pool instead of the partition")
                }
                (Some(used), None) if role != Role::Zfs => {
                    let message =
                        format!("{subject} is a member of `{}`, and its role is `{}`", used.pool, role.word());
                    Finding::at(used.place, message)
                        .label(format!("a member of `{}`", used.pool))
                        .related(partition.role.place, format!("set up as `{}`", role.word()))
                        .help("`role = \"zfs\"` for the partition")
                        .help("another partition as the member")
                }
                (None, Some(mount)) if !matches!(role, Role::Esp | Role::Filesystem) => {
                    let message =
                        format!("{subject} is mounted on `{}`, and its role is `{}`", mount.value, role.word());
                    Finding::at(mount.place, message)
                        .label("mounted here")
                        .related(partition.role.place, format!("set up as `{}`", role.word()))
                        .help("`role = \"filesystem\"` for the partition")
                        .help("remove `mount` from the partition")
                }
                _ => continue,
            };
            found.report(finding.why(WHY));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{said, said_of};

    use super::*;

    #[test]
    fn a_partition_of_a_disk_is_the_disk() {
        assert_eq!(whole("/dev/disk/by-id/ata-X_1-part12"), "ata-X_1");
        assert_eq!(whole("ata-X_1-part"), "ata-X_1-part");
        assert_eq!(whole("ata-X-party1"), "ata-X-party1");
    }

    const RULE: &str = "disk-used-twice";

    fn disks(extra: &str) -> String {
        format!(
            "disks.main = {{ id = 'ata-M', size = '512GB', partitions = [\n\
             {{ name = 'bios', role = 'bios-boot', size = '1MiB' }},\n\
             {{ name = 'boot', role = 'filesystem', size = '2GiB', format = 'ext4', mount = '/boot' }},\n\
             {{ name = 'spare', role = 'filesystem', size = '2GiB' }},\n\
             {{ name = 'fast', role = 'zfs', size = '2GiB' }},\n\
             {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }},\n] }}\n\
             disks.d0 = {{ id = 'ata-D0', size = '2TB' }}\ndisks.d1 = {{ id = 'ata-D1', size = '2TB' }}\n{extra}"
        )
    }

    #[test]
    fn every_second_use_is_named_once() {
        let mirror = |members: &str| format!("zfs.pools.tank.vdevs = [{{ type = 'mirror', members = [{members}] }}]\n");
        let table = [
            (mirror("'d0', 'd1'"), None),
            (mirror("'d0', 'main.fast'"), None),
            (mirror("'d0', 'd0'"), Some("`d0` is a member twice: of `tank` and of `tank`")),
            (mirror("'d0', 'd0.zfs'"), Some("`d0.zfs` is a member twice: of `tank` and of `tank`")),
            (
                format!("{}zfs.pools.other.vdevs = [{{ type = 'stripe', members = ['d1'] }}]\n", mirror("'d0', 'd1'")),
                Some("`d1` is a member twice: of `tank` and of `other`"),
            ),
            (mirror("'d0', 'main'"), Some("`main` is a member of `tank` as a whole, and is cut into partitions")),
            (mirror("'d0', 'main.spare'"), Some("`main.spare` is a member of `tank`, and its role is `filesystem`")),
            (mirror("'d0', 'main.boot'"), Some("`main.boot` is a member of `tank`, and is mounted on `/boot`")),
        ];
        for (pools, wanted) in table {
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("error: {wanted}")).collect();
            assert_eq!(said(RULE, &disks(&pools)), wanted, "{pools}");
        }
    }

    #[test]
    fn a_mount_needs_a_role_that_has_a_file_system() {
        let host = disks("").replace("role = 'zfs', size = '2GiB'", "role = 'zfs', size = '2GiB', mount = '/fast'");
        assert_eq!(said(RULE, &host), ["error: `main.fast` is mounted on `/fast`, and its role is `zfs`"]);
    }

    #[test]
    fn arrays_and_names_of_luks_devices_are_uses_too() {
        let array = |name: &str, members: &str| format!("mdraid.{name} = {{ level = 1, members = [{members}] }}\n");
        let zfs = "zfs.pools.tank.vdevs = [{ type = 'mirror', members = ['d0', 'd1'] }]\n";
        let table = [
            (disks(&array("x", "'d0', 'd1'")), None),
            (disks(&format!("{}{zfs}", array("x", "'d0'"))), Some("`d0` is a member of array `x` and of pool `tank`")),
            (disks(&array("x", "'d0', 'd0'")), Some("`d0` is a member of array `x` and of array `x`")),
            (
                disks(&array("x", "'d0', 'main'")),
                Some("`main` is a member of array `x` as a whole, and is cut into partitions"),
            ),
            (
                disks(&array("x", "'d0', 'main.spare'")),
                Some("`main.spare` is a member of array `x`, and its role is `filesystem`"),
            ),
            (
                disks("").replace("size = '2GiB' },", "size = '2GiB', luks = { name = 'a' } },"),
                Some("`main.spare` and `main.fast` are both opened as `a`"),
            ),
        ];
        for (host, wanted) in table {
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("error: {wanted}")).collect();
            assert_eq!(said(RULE, &host), wanted, "{host}");
        }
    }

    #[test]
    fn two_names_of_one_disk_are_known_from_the_facts() {
        let host = disks("");
        let facts = |ids: &str| format!("{{ \"version\": 1, \"disks\": [{{ \"ids\": [{ids}] }}] }}");
        let said = |ids: &str| {
            said_of(RULE, &[("hosts/a/host.toml", host.as_str()), ("hosts/a/facts.json", facts(ids).as_str())])
        };
        assert_eq!(said("\"ata-D0\", \"ata-D1\""), ["error: `d0` and `d1` are one disk"]);
        assert!(said("\"ata-D0\", \"wwn-0x1\"").is_empty());
        let part = host.replace("'ata-D1'", "'ata-D0-part1'");
        assert_eq!(said_of(RULE, &[("hosts/a/host.toml", &part)]), ["error: `d0` and `d1` are one disk"]);
    }
}
