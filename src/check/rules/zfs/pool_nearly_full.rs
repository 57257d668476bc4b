//! A pool that is nearly full, or that its datasets may fill that far.

use crate::check::probed::NO_FACTS;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{capacity, pools, promises};
use crate::resolve::ResolvedPool;
use crate::source::Level;
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "pool-nearly-full",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &["probed pools"],
    summary: "datasets may take more than four fifths of their pool",
    doc: include_str!("pool_nearly_full.md"),
    check: Check::Host(check),
};

/// How full a pool may get, in per cent.
const MOST: u64 = 80;

const WHY: &str = "ZFS never writes in place: in a pool without much room it looks long for a free piece and leaves files in many, which they \
                   stay in; in one without any, nothing can even be deleted";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        if !is_full(cx, pool, found) {
            may_be_full(cx, pool, found);
        }
    }
    if !cx.host.pools.is_empty() && cx.host.source.facts.is_none() {
        found.unchecked(NO_FACTS);
    }
}

/// Reports a pool that exists and is nearly full.
fn is_full(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, found: &mut Findings) -> bool {
    let Some(probed) = pools::probed(cx.host, pool.name) else { return false };
    let (Some(size), Some(taken)) = (&probed.size_bytes, &probed.allocated_bytes) else { return false };
    let full = per_cent(u128::from(taken.value), size.value);
    if full <= MOST {
        return false;
    }
    found.report(
        Finding::at(pool.def.key, format!("`{}` is {full} % full", pool.name))
            .label(format!("{} of {}, parity included", Size::human(taken.value), Size::human(size.value)))
            .related(taken.place, "what the machine said")
            .why(WHY)
            .help("delete what is not needed, snapshots first: `zfs list -t snapshot -o name,used -s used`")
            .help("larger or more disks"),
    );
    true
}

/// Reports a pool that quotas and reservations let get nearly full.
fn may_be_full(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, found: &mut Findings) {
    let planned = promises::planned(cx.host, pool);
    if planned.bytes == 0 {
        return;
    }
    let Some(held) = capacity::capacity(pool) else {
        found.unchecked(format!("nothing says how large the disks of `{}` are", pool.name));
        return;
    };
    let usable = held.usable();
    let full = per_cent(planned.bytes, usable);
    // What cannot be at all is `capacity-exceeded`.
    if full <= MOST || promises::is_exceeded(cx.host, pool, held) {
        return;
    }
    let sum = Size::human(u64::try_from(planned.bytes).unwrap_or(u64::MAX));
    let room = Size::human(usable / 100 * MOST);
    let message = format!("datasets of `{}` may take {full} % of what it holds", pool.name);
    let mut finding = Finding::at(pool.def.key, message).label(format!("{sum} of {}", Size::human(usable)));
    let mut largest = planned.by.clone();
    largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (name, bytes) in largest.into_iter().take(4) {
        if let Some(dataset) = pool.def.datasets.get(name) {
            finding = finding.related(dataset.key, format!("up to {}", Size::human(bytes)));
        }
    }
    found.report(
        finding
            .why(format!("{WHY}; {}", capacity::arithmetic(pool, held)))
            .help(format!("quotas that come to {room} together, four fifths of it"))
            .help("larger or more disks"),
    );
}

/// Returns how much a part is of a whole, in per cent and rounded up.
fn per_cent(part: u128, whole: u64) -> u64 {
    u64::try_from((part * 100).div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::sample::said_of;

    fn of(datasets: &str, facts: Option<&str>) -> Vec<String> {
        let host = format!(
            "disks.d0 = {{ id = 'ata-D0', size = '1TiB' }}\ndisks.d1 = {{ id = 'ata-D1', size = '1TiB' }}\n\
             disks.d2 = {{ id = 'ata-D2', size = '1TiB' }}\n\
             zfs.pools.tank.vdevs = [{{ type = 'raidz1', members = ['d0', 'd1', 'd2'] }}]\n{datasets}"
        );
        let mut files = vec![("hosts/a/host.toml", host.as_str())];
        files.extend(facts.map(|facts| ("hosts/a/facts.json", facts)));
        let said = said_of("pool-nearly-full", &files);
        said.into_iter().filter(|line| facts.is_some() || !line.ends_with(NO_FACTS)).collect()
    }

    #[test]
    fn four_fifths_are_right_and_more_is_said_once() {
        // 3 TiB, a third of it parity, less 64 GiB of slop: 1982.04 GiB, four fifths of which are 1585.6 GiB.
        let two = |a: &str, b: &str| {
            format!("zfs.pools.tank.datasets = {{ a = {{ quota = '{a}' }}, b = {{ reservation = '{b}' }} }}\n")
        };
        assert!(of(&two("1TiB", "561GiB"), None).is_empty());
        assert_eq!(of(&two("1TiB", "562GiB"), None), ["warning: datasets of `tank` may take 81 % of what it holds"]);
        assert_eq!(of(&two("1.9TiB", "500GiB"), None).len(), 1, "more than all is no promise that is broken");
        assert!(of(&two("2TiB", "500GiB"), None).is_empty(), "a quota larger than the pool is `capacity-exceeded`");
        assert!(of("", None).is_empty());
    }

    #[test]
    fn a_volume_takes_what_its_blocks_take() {
        let volume = |size: &str, block: &str| {
            format!("zfs.pools.tank.datasets.v = {{ volume = '{size}', properties.volblocksize = '{block}' }}\n")
        };
        assert!(of(&volume("1.4TiB", "128K"), None).is_empty());
        // Four sectors and two of parity where 128 KiB have 32 and 16: as many. Two and one, with one of padding: a third more.
        assert!(of(&volume("1.4TiB", "16K"), None).is_empty());
        assert_eq!(of(&volume("1.4TiB", "8K"), None).len(), 1);
    }

    #[test]
    fn a_pool_that_is_there_is_judged_by_what_it_holds() {
        let facts = |taken: u64| {
            format!(
                r#"{{ "version": 1, "pools": [{{ "name": "tank", "size_bytes": 1000, "allocated_bytes": {taken} }}] }}"#
            )
        };
        assert!(of("", Some(&facts(800))).is_empty());
        assert_eq!(of("", Some(&facts(801))), ["warning: `tank` is 81 % full"]);
        let quota = "zfs.pools.tank.datasets.a.quota = '1.9TiB'\n";
        assert_eq!(of(quota, Some(&facts(900))), ["warning: `tank` is 90 % full"]);
        assert_eq!(of(quota, Some(&facts(100))).len(), 1);
    }

    proptest! {
        #[test]
        fn a_part_of_a_whole_is_never_rounded_to_what_is_allowed(part in 0u64.., whole in 1u64..) {
            let full = per_cent(u128::from(part), whole);
            prop_assert_eq!(full <= MOST, u128::from(part) * 100 <= u128::from(whole) * u128::from(MOST));
        }
    }
}
