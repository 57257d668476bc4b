//! A raidz with more members than its parity is good for.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::zfs::VdevType;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "raidz-wide",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a raidz with more than 12 members",
    doc: include_str!("raidz_wide.md"),
    check: Check::Host(check),
};

/// The most members that are not reported.
const WIDEST: usize = 12;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        for vdev in &pool.vdevs {
            let kind = vdev.def.kind.value;
            let width = vdev.members.len();
            let raidz = matches!(kind, VdevType::Raidz1 | VdevType::Raidz2 | VdevType::Raidz3);
            if !raidz || width <= WIDEST {
                continue;
            }
            found.report(
                Finding::at(vdev.def.kind.place, format!("a {} of `{}` has {width} members", kind.word(), pool.name))
                    .label(format!("{width} members, {} may be lost", kind.parity(width)))
                    .why(
                        "every member takes part in every large read and write, so the vdev is as fast as one disk; a replaced disk \
                         is rebuilt from all the others, for days in which a further one may fail",
                    )
                    .help(format!("vdevs of {WIDEST} members at most, several in one pool")),
            );
        }
    }
}
