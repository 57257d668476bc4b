//! Hosts with pools that share a host id.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::phrase::listed;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::fleet::schema::zfs::Import;
use crate::resolve::{ResolvedHost, ResolvedPool};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "host-id-duplicate",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "hosts with pools share a host id",
    doc: include_str!("host_id_duplicate.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let mut by_id: BTreeMap<&str, Vec<&ResolvedHost<'_>>> = BTreeMap::new();
    for host in &cx.fleet.hosts {
        if !host.pools.is_empty() {
            by_id.entry(&host.host_id.id).or_default().push(host);
        }
    }
    for (id, mut hosts) in by_id {
        // The first has it, every further one is a finding; of hosts that are not looked at nothing would be said.
        hosts.sort_by_key(|host| cx.scope.has(host.name));
        for host in hosts.iter().skip(1) {
            let others: Vec<&ResolvedHost<'_>> =
                hosts.iter().filter(|other| other.name != host.name).copied().collect();
            let meeting = others.iter().find_map(|other| Some((*other, meeting(host, other)?)));
            let names = listed(others.iter().map(|other| other.name));
            let message = format!("`{}` has the host id `{id}`, as {names}", host.name);
            let mut finding = Finding::at(host.host_id.place.unwrap_or(host.place), message)
                .label(if host.host_id.place.is_some() { "not its own" } else { "follows from its name" })
                .of_host(host.name);
            for other in others.iter().take(3) {
                finding =
                    finding.related(other.host_id.place.unwrap_or(other.place), format!("`{}` has it too", other.name));
            }
            let help = "remove `host-id` from one of them, before its pools are made: one of its own follows from the host's name";
            match meeting {
                Some((other, how)) => found.report_as(
                    Level::Error,
                    finding
                        .why(format!(
                            "`{}` and `{}` {how}: each imports without force what the other has imported, and both write to it",
                            host.name, other.name,
                        ))
                        .help(help),
                ),
                None => found.report(
                    finding
                        .why("the day a disk of one is put into the other, nothing keeps it from importing a pool that is in use")
                        .help(help)
                        .help("where the pools exist: export them, change the id, and import them once by hand"),
                ),
            }
        }
    }
}

/// Says how the pools of two hosts can come to one machine: over a disk that both define, or as a pool that is moved by hand.
fn meeting(a: &ResolvedHost<'_>, b: &ResolvedHost<'_>) -> Option<String> {
    let (disks, others) = (member_ids(a), member_ids(b));
    if let Some(disk) = disks.intersection(&others).next() {
        return Some(format!("both have the disk `{disk}`"));
    }
    let pool = a.pools.iter().find(|pool| {
        let manual = |import: Import| import == Import::Manual;
        let same = b.pools.iter().find(|other| other.name == pool.name);
        same.is_some_and(|other| manual(pool.def.import.value) || manual(other.def.import.value))
    })?;
    Some(format!("both import `{}`, by hand on one of them", pool.name))
}

/// Returns the ids of the disks that hold members of a host's pools.
fn member_ids<'a>(host: &'a ResolvedHost<'_>) -> BTreeSet<&'a str> {
    let members: BTreeSet<&str> =
        host.pools.iter().flat_map(ResolvedPool::members).map(|member| member.disk.as_str()).collect();
    host.disks.iter().filter(|disk| members.contains(disk.name)).map(|disk| disk.def.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn hosts_whose_pools_can_meet_are_told_from_those_that_share_an_id_only() {
        let host = |disk: &str, pool: &str, more: &str| {
            format!(
                "disks.d0 = {{ id = '{disk}', size = '2TB' }}\nnetwork.host-id = '2487cd1f'\n\
                 zfs.pools.{pool} = {{ vdevs = [{{ type = 'stripe', members = ['d0'] }}]{more} }}\n"
            )
        };
        let of = |b: &str| {
            let a = host("ata-A", "tank", "");
            let said = said_of("host-id-duplicate", &[("hosts/a/host.toml", a.as_str()), ("hosts/b/host.toml", b)]);
            said.iter().map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&host("ata-B", "tank", "")), ["warning"]);
        assert_eq!(of(&host("ata-B", "other", ", import = 'manual'")), ["warning"]);
        assert_eq!(of(&host("ata-A", "other", "")), ["error"]);
        assert_eq!(of(&host("ata-B", "tank", ", import = 'manual'")), ["error"]);
        assert!(of("network.host-id = '2487cd1f'\n").is_empty());
        assert!(of(&host("ata-A", "tank", "").replace("2487cd1f", "2487cd20")).is_empty());
    }
}
