//! A separate intent log on one device.

use crate::check::pools;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::VdevClass;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "log-not-mirrored",
    group: Group::Zfs,
    level: Level::Note,
    allowable: true,
    needs: &[],
    summary: "the separate intent log is on one device",
    doc: include_str!("log_not_mirrored.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let logs = pool.vdevs.iter().filter(|vdev| vdev.class == VdevClass::Log);
        for vdev in logs.filter(|vdev| pools::losses(vdev) == 0) {
            let on = crate::check::phrase::listed(vdev.members.iter().map(|member| member.name.clone()));
            found.report(
                Finding::at(vdev.def.kind.place, format!("the log of `{}` is not mirrored", pool.name))
                    .label(format!("only on {on}"))
                    .why(
                        "while the machine runs, a lost log device costs nothing. Lost in the moment of a crash or power cut, it takes \
                         the last seconds of synchronous writes along, and the pool imports with `zpool import -m` only, by hand",
                    )
                    .help("a mirror of two devices, where databases must not lose their last seconds")
                    .help("leave it: no log at all is safe too, only slower"),
            );
        }
    }
}
