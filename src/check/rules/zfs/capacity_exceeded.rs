//! Datasets that are promised more than their pool holds.

use crate::check::capacity::{self, Capacity};
use crate::check::promises;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::ResolvedPool;
use crate::source::{Level, Spanned};
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "capacity-exceeded",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "datasets are promised more than their pool holds",
    doc: include_str!("capacity_exceeded.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        let datasets = || pool.def.datasets.iter().map(|(name, dataset)| (name.as_str(), &dataset.value));
        let promised = promises::promised(cx.host, pool);
        let limits = datasets().flat_map(|(name, dataset)| {
            [("quota", &dataset.quota), ("refquota", &dataset.refquota)]
                .into_iter()
                .filter_map(move |(property, size)| Some((name, property, size.as_ref()?)))
        });
        let limits: Vec<(&str, &str, &Spanned<Size>)> = limits.collect();
        if promised.bytes == 0 && limits.is_empty() && pool.def.reserve.is_none() {
            continue;
        }
        let Some(held) = capacity::capacity(pool) else {
            found.unchecked(format!("nothing says how large the disks of `{}` are", pool.name));
            continue;
        };
        let usable = held.usable();
        let reserve = pool.reserve_bytes().unwrap_or(0);
        let sum = promised.bytes + u128::from(reserve);
        if sum > u128::from(usable) {
            report_sum(pool, &promised, reserve, held, found);
        }
        for (name, property, size) in limits.into_iter().filter(|(_, _, size)| size.bytes() > usable) {
            let message = format!("the {property} of `{}/{name}` is larger than its pool", pool.name);
            found.report(
                Finding::at(size.place, message)
                    .label(format!("{}, the pool holds {}", Size::human(size.bytes()), Size::human(usable)))
                    .related(pool.def.key, "the pool")
                    .why(format!(
                        "the dataset can fill the pool before it meets its {property}: {}",
                        capacity::arithmetic(pool, held)
                    ))
                    .help(format!("a {property} below {}", Size::human(usable)))
                    .help("larger or more disks"),
            );
        }
    }
}

fn report_sum(
    pool: &ResolvedPool<'_>,
    promised: &promises::Sum<'_>,
    reserve: u64,
    held: Capacity,
    found: &mut Findings,
) {
    let usable = held.usable();
    let sum = u64::try_from(promised.bytes).unwrap_or(u64::MAX).saturating_add(reserve);
    let message = format!("`{}` promises {}, it holds {}", pool.name, Size::human(sum), Size::human(usable));
    let mut finding = Finding::at(pool.def.key, message).label(format!("{} too little", Size::human(sum - usable)));
    for (name, bytes) in promised.by.iter().take(6) {
        if let Some(dataset) = pool.def.datasets.get(*name) {
            finding = finding.related(dataset.key, format!("promised {}", Size::human(*bytes)));
        }
    }
    let kept = format!("{} for datasets and {} in reserve", Size::human(sum - reserve), Size::human(reserve));
    found.report(
        finding
            .why(format!("{kept}; {}", capacity::arithmetic(pool, held)))
            .help("smaller reservations: a quota limits a dataset without taking space from the others")
            .help("larger or more disks"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    fn of(datasets: &str) -> Vec<String> {
        let host = format!(
            "disks.d0 = {{ id = 'ata-D0', size = '1TiB' }}\ndisks.d1 = {{ id = 'ata-D1', size = '1TiB' }}\n\
             zfs.pools.tank.reserve = '10GiB'\nzfs.pools.tank.vdevs = [{{ type = 'mirror', members = ['d0', 'd1'] }}]\n{datasets}"
        );
        said("capacity-exceeded", &host)
    }

    #[test]
    fn what_fits_to_the_last_gibibyte_is_not_reported_and_one_more_is() {
        // 1 TiB less 2 MiB of table and 4.5 MiB of labels, less 32 GiB of slop and 10 GiB of reserve: 981.99 GiB.
        assert!(of("zfs.pools.tank.datasets.a = { reservation = '981GiB' }\n").is_empty());
        assert_eq!(
            of("zfs.pools.tank.datasets.a = { reservation = '982GiB' }\n"),
            ["error: `tank` promises 992 GiB, it holds 992 GiB"]
        );
        assert!(of("zfs.pools.tank.datasets.a = { quota = '991GiB' }\n").is_empty());
        assert_eq!(
            of("zfs.pools.tank.datasets.a = { quota = '1TiB', refquota = '993GiB' }\n"),
            [
                "error: the quota of `tank/a` is larger than its pool",
                "error: the refquota of `tank/a` is larger than its pool"
            ]
        );
        assert_eq!(of("zfs.pools.tank.datasets.a = { volume = '983GiB' }\n").len(), 1);
    }
}
