//! Members of one vdev, or of one array, that lie on one disk and are lost together.

use std::collections::BTreeMap;

use crate::check::phrase::listed;
use crate::check::pools;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::ResolvedMember;
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "members-on-one-disk",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "members that are to replace each other lie on one disk",
    doc: include_str!("members_on_one_disk.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for vdev in cx.host.pools.iter().flat_map(|pool| &pool.vdevs) {
        let losses = pools::losses(vdev);
        members(&vdev.members, losses, vdev.def.kind.place, found);
    }
    for array in &cx.host.arrays {
        members(&array.members, array.def.level.value.parity(array.members.len()), array.def.level.place, found);
    }
}

/// Reports a disk that holds several members of something that survives the loss of some.
fn members(members: &[ResolvedMember], losses: usize, place: Place, found: &mut Findings) {
    // What survives no loss promises none.
    if losses == 0 {
        return;
    }
    let mut on_disk: BTreeMap<&str, Vec<&ResolvedMember>> = BTreeMap::new();
    for member in members {
        on_disk.entry(member.disk.as_str()).or_default().push(member);
    }
    for (disk, together) in on_disk {
        let [_, second, ..] = together.as_slice() else { continue };
        let names = listed(together.iter().map(|member| member.name.as_str()));
        // One member named twice is `disk-used-twice`.
        if together.iter().any(|member| member.name != second.name) {
            let all = together.len() > losses;
            let level = if all { Level::Error } else { Level::Warning };
            let message = format!("{names} lie on one disk and are lost together");
            let finding = Finding::at(second.place, message).label(format!("on `{disk}` too"));
            found.report_as(
                level,
                finding
                    .related(place, format!("survives the loss of {losses}"))
                    .why(if all {
                        "when this one disk fails, everything is gone, and until then the data is written twice to it"
                    } else {
                        "when this one disk fails, less is left than the layout promises"
                    })
                    .help("members on different disks")
                    .help("one member on this disk, and `type = \"stripe\"` or no array where there is no other disk"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    fn levels(rest: &str) -> Vec<String> {
        let parts = "partitions = [{ name = 'x', role = 'ROLE', size = '10GiB' }, { name = 'y', role = 'ROLE', size = '10GiB' }]";
        let disk = |name: &str| format!("{name} = {{ id = 'ata-{name}', size = '1TB', {parts} }}\n");
        let main = "main = { id = 'ata-M', size = '512GB', partitions = [{ name = 'bios', role = 'bios-boot', size = '1MiB' }, \
                    { name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }] }\n";
        let role = if rest.contains("mdraid") { "mdraid" } else { "zfs" };
        let host = format!("[disks]\n{main}{}{}{}{rest}", disk("a"), disk("b"), disk("c")).replace("ROLE", role);
        let said = said("members-on-one-disk", &host);
        said.iter().map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect()
    }

    #[test]
    fn what_one_disk_takes_with_it_is_weighed_against_what_the_layout_survives() {
        let pool = |vdev: &str| format!("[zfs.pools.tank]\nvdevs = [{{ {vdev} }}]\n");
        for (rest, wanted) in [
            (pool("type = 'mirror', members = ['a.x', 'b.x']"), &[][..]),
            (pool("type = 'mirror', members = ['a.x', 'a.y']"), &["error"]),
            (pool("type = 'mirror', members = ['a.x', 'a.y', 'b.x']"), &["warning"]),
            (pool("type = 'raidz1', members = ['a.x', 'b.x', 'a.y']"), &["error"]),
            (pool("type = 'raidz2', members = ['a.x', 'a.y', 'b.x', 'b.y']"), &["warning", "warning"]),
            (pool("type = 'stripe', members = ['a.x', 'a.y']"), &[]),
            ("mdraid.data = { level = 1, members = ['a.x', 'a.y'], mount = '/data' }\n".to_owned(), &["error"]),
            ("mdraid.data = { level = 1, members = ['a.x', 'b.x'], mount = '/data' }\n".to_owned(), &[]),
        ] {
            // An array stands beside the disks, not below them.
            let rest = rest.replace("mdraid.data", "[mdraid]\ndata");
            assert_eq!(levels(&rest), wanted, "{rest}");
        }
    }
}
