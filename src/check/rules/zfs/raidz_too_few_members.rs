//! A vdev with fewer members than its kind works with.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::zfs::VdevType;
use crate::resolve::VdevClass;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "raidz-too-few-members",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a vdev has fewer members than its kind needs",
    doc: include_str!("raidz_too_few_members.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        if pool.data().next().is_none() {
            found.report(
                Finding::at(pool.def.key, format!("`{}` has no vdev for data", pool.name))
                    .label("`vdevs` is empty")
                    .why("`zpool create` refuses a pool without one")
                    .help("`vdevs = [{ type = \"mirror\", members = [\"DISK\", \"DISK\"] }]`"),
            );
        }
        for vdev in &pool.vdevs {
            let kind = vdev.def.kind.value;
            let (has, fewest) = (vdev.members.len(), vdev.def.fewest());
            if vdev.class == VdevClass::Log && (kind.is_raidz() || kind.is_draid()) {
                found.report(
                    Finding::at(vdev.def.kind.place, format!("the log of `{}` cannot be a {}", pool.name, kind.word()))
                        .label("no parity for a log")
                        .why("`zpool create` takes single devices and mirrors for the intent log, and refuses others")
                        .help("`type = \"mirror\"`"),
                );
                continue;
            }
            if has >= fewest {
                continue;
            }
            let members = |number: usize| if number == 1 { "1 member".to_owned() } else { format!("{number} members") };
            let message = format!("a {} of `{}` has {}, it needs {fewest}", kind.word(), pool.name, members(has));
            let why = match kind {
                VdevType::Stripe => "`zpool create` refuses a vdev without members",
                _ if kind.is_draid() => {
                    "a dRAID needs its parity, the data devices of one group and its distributed spares"
                }
                VdevType::Mirror => "a mirror of one disk holds no second copy, and `zpool create` refuses it",
                _ => "parity needs as many members as may be lost, and one for data: `zpool create` refuses fewer",
            };
            let mut finding = Finding::at(vdev.def.kind.place, message).label(members(has)).why(why);
            if let Some(other) = fitting(has) {
                finding = finding.help(format!("`type = \"{}\"` for what is there", other.word()));
            }
            found.report(finding.help(format!("{} more", members(fewest - has))));
        }
    }
}

/// Returns the kind that a number of members is enough for.
fn fitting(members: usize) -> Option<VdevType> {
    match members {
        0 => None,
        1 => Some(VdevType::Stripe),
        2 => Some(VdevType::Mirror),
        _ => Some(VdevType::Raidz1),
    }
}
