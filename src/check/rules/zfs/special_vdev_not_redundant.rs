//! A vdev for metadata or deduplication tables whose loss loses the pool.

use crate::check::pools;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::VdevClass;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "special-vdev-not-redundant",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "losing one disk of a special vdev loses the pool",
    doc: include_str!("special_vdev_not_redundant.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let metadata = pool.vdevs.iter().filter(|vdev| matches!(vdev.class, VdevClass::Special | VdevClass::Dedup));
        for vdev in metadata.filter(|vdev| pools::losses(vdev) == 0) {
            let class = vdev.class.word().unwrap_or_default();
            let holds = if vdev.class == VdevClass::Special { "metadata" } else { "deduplication tables" };
            let members = vdev.members.iter().map(|member| member.name.clone());
            let on = crate::check::phrase::listed(members);
            found.report(
                Finding::at(vdev.def.kind.place, format!("the {class} vdev of `{}` survives no loss", pool.name))
                    .label(format!("only on {on}"))
                    .related(pool.def.key, "lost with it")
                    .why(format!(
                        "the {holds} of the pool is there and nowhere else: without it no file is found again"
                    ))
                    .help(format!("`type = \"mirror\"` with a second disk for the {class} vdev"))
                    .help("leave it out: a cache device can be lost without harm"),
            );
        }
    }
}
