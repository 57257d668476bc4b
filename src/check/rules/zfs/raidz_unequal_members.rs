//! A raidz whose members differ in size, of which the larger ones are used in part.

use crate::check::capacity;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::zfs::VdevType;
use crate::source::Level;
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "raidz-unequal-members",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "the members of a raidz differ in size",
    doc: include_str!("raidz_unequal_members.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        for vdev in &pool.vdevs {
            let kind = vdev.def.kind.value;
            if !matches!(kind, VdevType::Raidz1 | VdevType::Raidz2 | VdevType::Raidz3) {
                continue;
            }
            let Some(sizes) = capacity::sizes(vdev) else {
                let unknown = vdev.members.iter().filter(|member| member.bytes.is_none());
                for member in unknown {
                    found.unchecked(format!("nothing says how large `{}` is", member.disk));
                }
                continue;
            };
            let Some(lost) = lost(&sizes) else { continue };
            let with_sizes = || vdev.members.iter().zip(&sizes);
            let (Some((smallest, least)), Some((_, most))) =
                (with_sizes().min_by_key(|(_, size)| **size), with_sizes().max_by_key(|(_, size)| **size))
            else {
                continue;
            };
            let message = format!(
                "the members of a {} of `{}` differ in size: {} are lost",
                kind.word(),
                pool.name,
                Size::human(lost)
            );
            found.report(
                Finding::at(vdev.def.kind.place, message)
                    .label(format!("from {} to {}", Size::human(*least), Size::human(*most)))
                    .related(smallest.place, "the smallest")
                    .why(format!("a raidz takes {} of every member, as much as the smallest has", Size::human(*least)))
                    .help("members of one size")
                    .help("vdevs of their own for the larger disks")
                    .help("partitions for what is left of them"),
            );
        }
    }
}

/// Returns the bytes that the smallest member makes unusable on the others; none where sizes differ by less than 1 %, as disks
/// of one size as sold do.
fn lost(sizes: &[u64]) -> Option<u64> {
    let least = sizes.iter().copied().min()?;
    let most = sizes.iter().copied().max()?;
    let lost = sizes.iter().map(|size| size - least).fold(0, u64::saturating_add);
    (u128::from(most - least) * 100 > u128::from(most)).then_some(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_what_each_member_has_beyond_the_smallest() {
        let table: [(&[u64], Option<u64>); 6] = [
            (&[], None),
            (&[5], None),
            (&[1000, 1000, 991], None),
            (&[1000, 1000, 989], Some(22)),
            (&[2000, 4000, 4000], Some(4000)),
            (&[0, u64::MAX, u64::MAX], Some(u64::MAX)),
        ];
        for (sizes, wanted) in table {
            assert_eq!(lost(sizes), wanted, "{sizes:?}");
        }
    }
}
