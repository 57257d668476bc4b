//! Vdevs of one pool that survive different losses.

use crate::check::pools;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::resolve::ResolvedVdev;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "vdev-redundancy-mixed",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "vdevs of one pool survive different losses",
    doc: include_str!("vdev_redundancy_mixed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let Some(strongest) = pool.data().max_by_key(|vdev| pools::losses(vdev)) else { continue };
        for vdev in pool.data().filter(|vdev| !is_like(vdev, strongest)) {
            let message = format!("`{}` has {} beside {}", pool.name, named(vdev), named(strongest));
            let why = if pools::losses(vdev) < pools::losses(strongest) {
                "data is spread over all vdevs, and the pool is lost with the first of them: it is as safe as its weakest vdev"
            } else {
                "vdevs of different kinds fill and answer unevenly, and `zpool create` refuses them without force"
            };
            found.report(
                Finding::at(vdev.def.kind.place, message)
                    .label(survives(vdev))
                    .related(strongest.def.kind.place, survives(strongest))
                    .why(why)
                    .help(format!("`type = \"{}\"` for this vdev too", strongest.def.kind.value.word()))
                    .help("a pool of its own for the different disks"),
            );
        }
    }
}

fn is_like(a: &ResolvedVdev<'_>, b: &ResolvedVdev<'_>) -> bool {
    a.def.kind.value == b.def.kind.value && pools::losses(a) == pools::losses(b)
}

fn named(vdev: &ResolvedVdev<'_>) -> String {
    let members = vdev.members.len();
    match pools::losses(vdev) {
        0 if members == 1 => "a single disk".to_owned(),
        0 => format!("{members} single disks"),
        _ => format!("a {} of {members}", vdev.def.kind.value.word()),
    }
}

fn survives(vdev: &ResolvedVdev<'_>) -> String {
    match pools::losses(vdev) {
        0 => "survives no loss".to_owned(),
        1 => "survives the loss of 1 disk".to_owned(),
        losses => format!("survives the loss of {losses} disks"),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn every_vdev_that_survives_less_or_is_of_another_kind_is_named() {
        let host = |vdevs: &str| {
            let disks: Vec<String> =
                (0..7).map(|number| format!("disks.d{number} = {{ id = 'ata-{number}', size = '2TB' }}\n")).collect();
            let disks = disks.concat();
            format!("{disks}zfs.pools.tank.vdevs = [{vdevs}]\n")
        };
        let vdev = |kind: &str, members: &str| format!("{{ type = '{kind}', members = [{members}] }},");
        let pair = vdev("mirror", "'d0', 'd1'");
        let table = [
            (format!("{pair}{}", vdev("mirror", "'d2', 'd3'")), None),
            (vdev("stripe", "'d0', 'd1'"), None),
            (format!("{pair}{}", vdev("stripe", "'d2'")), Some("`tank` has a single disk beside a mirror of 2")),
            (
                format!("{pair}{}", vdev("mirror", "'d2', 'd3', 'd4'")),
                Some("`tank` has a mirror of 2 beside a mirror of 3"),
            ),
            (
                format!("{pair}{}", vdev("raidz1", "'d2', 'd3', 'd4'")),
                Some("`tank` has a mirror of 2 beside a raidz1 of 3"),
            ),
            (
                format!("{pair}{}", vdev("raidz2", "'d2', 'd3', 'd4', 'd5'")),
                Some("`tank` has a mirror of 2 beside a raidz2 of 4"),
            ),
        ];
        for (vdevs, wanted) in table {
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("warning: {wanted}")).collect();
            assert_eq!(said("vdev-redundancy-mixed", &host(&vdevs)), wanted, "{vdevs}");
        }
    }
}
