//! Datasets that are promised more than their pool holds.

use crate::check::capacity::{self, Capacity};
use crate::check::promises;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::migration::MovedClaim;
use crate::fleet::schema::zfs::Dataset;
use crate::resolve::{MountSource, ResolvedPool};
use crate::source::{Level, Place, Spanned};
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

/// How much of a dataset's limit data may fill that moves there, in per cent: what is full on its first day stops on its second.
const MOST: u64 = 90;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    moved_data(cx, found);
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

/// Reports data of a cluster for which there is no room where it goes.
fn moved_data(cx: &HostCx<'_>, found: &mut Findings) {
    for (moved, used) in whole_claims(cx) {
        let Some(mount) = cx.host.mount_of(moved.to.value.as_str()) else { continue };
        let MountSource::Dataset { pool, name, def } = &mount.source else { continue };
        let dataset = format!("{pool}/{name}");
        let Some((limit, place)) = limit(cx, pool, def, &dataset) else { continue };
        let bytes = used.bytes();
        if u128::from(bytes) * 100 <= u128::from(limit) * u128::from(MOST) {
            continue;
        }
        let message = format!(
            "`{}` holds {}, `{dataset}` may hold {}",
            moved.claim.as_str(),
            Size::human(bytes),
            Size::human(limit)
        );
        found.report(
            Finding::at(used.place, message)
                .label(format!("more than {MOST} % of what there will be"))
                .related(place.unwrap_or(mount.place), "the limit")
                .why("a volume that is full stops who writes it, and a dataset that is full when it gets its data does the same on the host")
                .help(format!("a quota of {} or more", Size::human(bytes.saturating_mul(2))))
                .help("`paths` or `exclude`, where not all of it has to move"),
        );
    }
}

/// Returns the claims of which all moves by copying, with what they hold.
fn whole_claims<'a>(cx: &HostCx<'a>) -> impl Iterator<Item = (&'a MovedClaim, &'a Spanned<Size>)> {
    let moves = cx.host.services.iter().filter_map(|service| service.def.migrates_from.as_ref());
    let whole = moves.flat_map(|from| &from.volumes);
    let whole = whole.filter(|moved| moved.paths.is_empty() && moved.exclude.is_empty() && moved.dump.is_none());
    whole.filter_map(|moved| Some((moved, moved.used.as_ref()?)))
}

/// Returns the most that a dataset may hold, with where that is written: by its quotas, else what its pool holds.
fn limit(cx: &HostCx<'_>, pool: &str, def: &Dataset, dataset: &str) -> Option<(u64, Option<Place>)> {
    let written = def.quota.iter().chain(&def.refquota).min_by_key(|size| size.bytes());
    if let Some(size) = written {
        return Some((size.bytes(), Some(size.place)));
    }
    if let Some(bytes) = cx.host.size_of_state(dataset) {
        return Some((bytes, None));
    }
    let pool = cx.host.pools.iter().find(|known| known.name == pool)?;
    Some((capacity::capacity(pool)?.usable(), Some(pool.def.key)))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn data_that_fills_where_it_goes_is_reported_where_all_of_it_moves() {
        let of = |used: &str, more: &str, dataset: &str| {
            let host = format!(
                "disks.d0 = {{ id = 'ata-D0', size = '1TiB' }}\nzfs.pools.tank.vdevs = [{{ type = 'stripe', members = ['d0'] }}]\n\
                 zfs.pools.tank.datasets.data = {{ mount = '/srv/data', {dataset} }}\n\
                 [services.app]\nkind = 'command'\nexec = ['/run/current-system/sw/bin/x']\n\
                 migrates-from = {{ cluster = 'home', workload = 'a/Deployment/app', volumes = [{{ claim = 'data', to = '/srv/data/app', used = '{used}'{more} }}] }}\n"
            );
            said("capacity-exceeded", &host)
        };
        assert!(of("9GiB", "", "quota = '10GiB'").is_empty());
        assert_eq!(of("9.1GiB", "", "quota = '10GiB'"), ["error: `data` holds 9.1 GiB, `tank/data` may hold 10 GiB"]);
        assert_eq!(of("11GiB", "", "refquota = '10GiB', quota = '20GiB'").len(), 1);
        assert!(of("11GiB", "", "").is_empty(), "the pool is the limit");
        assert_eq!(of("2TiB", "", ""), ["error: `data` holds 2 TiB, `tank/data` may hold 992 GiB"]);
        for part in [", paths = ['key']", ", exclude = ['*.log']", ", dump = 'postgresql'"] {
            assert!(of("11GiB", part, "quota = '10GiB'").is_empty(), "{part}");
        }
    }

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
