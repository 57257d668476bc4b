//! A pool that two hosts import, or that a host imports and does not have.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::phrase::listed;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::check::{nixos, pools, probed};
use crate::resolve::{ResolvedHost, ResolvedPool};
use crate::source::{Level, Node, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "pool-imported-elsewhere",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &["probed pools"],
    summary: "two hosts import a pool at boot, or one that does not have it",
    doc: include_str!("pool_imported_elsewhere.md"),
    check: Check::Fleet(check),
};

/// The option by which NixOS imports pools that no file system needs.
const EXTRA: [&str; 3] = ["boot", "zfs", "extraPools"];

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let claims: Vec<Claim<'_>> = cx.fleet.hosts.iter().flat_map(claims).collect();
    shared(cx, &claims, found);
    for host in cx.subjects() {
        strange(cx, host, &claims, found);
    }
}

/// A pool that a host imports.
struct Claim<'a> {
    host: &'a str,
    pool: &'a str,
    /// Where that is written.
    place: Place,
    at_boot: bool,
    /// What tells the pool from others of its name: the ids of its members' disks, its number.
    marks: BTreeSet<String>,
}

fn claims<'a>(host: &'a ResolvedHost<'a>) -> Vec<Claim<'a>> {
    let extra = extra_pools(host);
    let defined = host.pools.iter().map(|pool| {
        let import = &pool.def.value.import;
        let by_option = extra.iter().find(|(name, _)| *name == pool.name).map(|(_, place)| *place);
        let own = if import.written { import.place } else { pool.def.key };
        let at_boot = pool.is_imported_at_boot();
        let place = if at_boot { own } else { by_option.unwrap_or(own) };
        Claim {
            host: host.name,
            pool: pool.name,
            place,
            at_boot: at_boot || by_option.is_some(),
            marks: marks(host, pool.name),
        }
    });
    let others = extra.iter().filter(|(name, _)| host.pools.iter().all(|pool| pool.name != *name));
    let others = others.map(|(name, place)| Claim {
        host: host.name,
        pool: name,
        place: *place,
        at_boot: true,
        marks: marks(host, name),
    });
    defined.chain(others).collect()
}

/// Returns the pools that `boot.zfs.extraPools` names, with their places.
fn extra_pools<'a>(host: &ResolvedHost<'a>) -> Vec<(&'a str, Place)> {
    let list = nixos::setting(host, &EXTRA).and_then(Node::as_list).unwrap_or_default();
    list.iter().filter_map(|item| Some((item.node.as_str()?, item.node.place))).collect()
}

fn marks(host: &ResolvedHost<'_>, name: &str) -> BTreeSet<String> {
    let members = host.pools.iter().filter(|pool| pool.name == name).flat_map(ResolvedPool::members);
    let of_disk = |disk: &str| host.disks.iter().find(|known| known.name == disk).map(|disk| disk.def.id.to_string());
    let mut marks: BTreeSet<String> = members.filter_map(|member| of_disk(&member.disk)).collect();
    let guid = pools::probed(host, name).and_then(|probed| probed.guid.as_ref());
    marks.extend(guid.map(|guid| format!("guid {}", &*guid.value)));
    marks
}

/// Two hosts and one pool.
fn shared(cx: &FleetCx<'_>, claims: &[Claim<'_>], found: &mut Findings) {
    let mut group_of: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Claim<'_>>> = Vec::new();
    for claim in claims {
        let keys = || claim.marks.iter().map(|mark| (claim.pool, mark.as_str()));
        let known = keys().find_map(|key| group_of.get(&key).copied());
        let at = known.unwrap_or(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(claim),
            None => groups.push(vec![claim]),
        }
        for key in keys() {
            group_of.entry(key).or_insert(at);
        }
    }
    let subjects: BTreeSet<&str> = cx.subjects().map(|host| host.name).collect();
    for group in &groups {
        let is_subject = |claim: &&&Claim<'_>| subjects.contains(claim.host);
        let hosts: BTreeSet<&str> = group.iter().map(|claim| claim.host).collect();
        let at_boot = group.iter().filter(|claim| claim.at_boot).count();
        // Told once, of the last of those who are asked about; one who imports it at boot before one who does not.
        let teller = || group.iter().filter(is_subject);
        let Some(claim) = teller().rfind(|claim| claim.at_boot).or_else(|| teller().next_back()) else { continue };
        if hosts.len() < 2 {
            continue;
        }
        let others = || group.iter().filter(|other| other.host != claim.host);
        let names = listed(others().map(|other| other.host));
        let when = if at_boot > 1 { "at boot" } else { "by hand" };
        let message = format!("`{}` of `{}` is also a pool of {names}", claim.pool, claim.host);
        let mut finding = Finding::at(claim.place, message).of_host(claim.host);
        finding = finding.label(if claim.at_boot { "imported at boot" } else { "imported by hand" });
        for other in others().take(3) {
            let how = if other.at_boot { "at boot" } else { "by hand" };
            finding = finding.related(other.place, format!("`{}` imports it {how}", other.host));
        }
        if at_boot > 1 {
            found.report(
                finding
                    .why(
                        "a pool that two machines write to is lost. Where both reach its disks, only the host id stands between; where \
                         the disks move from one to the other, the one without them waits for them at every boot",
                    )
                    .help(format!("`import = \"manual\"` for `{}` on all hosts but one", claim.pool))
                    .help("another name and other disks, where they are not one pool"),
            );
        } else {
            found.report_as(
                Level::Note,
                finding.why(format!(
                    "whoever imports it {when} must know that the other has exported it: `zpool export {}`",
                    claim.pool
                )),
            );
        }
    }
}

/// A pool that only `boot.zfs.extraPools` knows.
fn strange(cx: &FleetCx<'_>, host: &ResolvedHost<'_>, claims: &[Claim<'_>], found: &mut Findings) {
    let file = host.source.nix.iter().find(|(_, file)| cx.sources.text(*file).contains("extraPools"));
    if let Some((file, _)) = file {
        found.unchecked_of(host.name, format!("{} speaks of `extraPools`", quoted(file)));
    }
    for (name, place) in extra_pools(host) {
        if host.pools.iter().any(|pool| pool.name == name) || pools::probed(host, name).is_some() {
            continue;
        }
        let seen = host.source.facts.as_ref().map(|facts| facts.pools.is_some());
        let why = match seen {
            None => probed::NO_FACTS,
            Some(false) => "the facts of the machine list no pools",
            Some(true) => "",
        };
        if !why.is_empty() {
            found.unchecked_of(host.name, why);
            continue;
        }
        let mut finding =
            Finding::at(place, format!("`{}` imports {}, which it does not have", host.name, quoted(name)))
                .label("neither defined here nor seen on the machine")
                .of_host(host.name);
        if let Some(other) = claims.iter().find(|claim| claim.pool == name && claim.host != host.name) {
            finding = finding.related(other.place, format!("`{}` has a pool of that name", other.host));
        }
        found.report(
            finding
                .why("every boot looks for its disks for a minute, and ends with a unit that failed")
                .help("remove the name")
                .help(format!("define it below `[zfs.pools.{name}]`, with its disks"))
                .help("take the facts again, where it came after them: `hostwright probe`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn host(disk: &str, pool: &str, more: &str) -> String {
        format!(
            "disks.d0 = {{ id = '{disk}', size = '2TB' }}\n\
             zfs.pools.{pool} = {{ vdevs = [{{ type = 'stripe', members = ['d0'] }}]{more} }}\n"
        )
    }

    fn levels(files: &[(&str, &str)]) -> Vec<String> {
        let said = said_of("pool-imported-elsewhere", files);
        said.iter().map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect()
    }

    #[test]
    fn two_hosts_with_one_pool_are_told_once_and_two_pools_of_one_name_are_none() {
        let a = host("ata-A", "tank", "");
        let of = |b: &str| levels(&[("hosts/a/host.toml", &a), ("hosts/b/host.toml", b)]);
        assert_eq!(of(&host("ata-A", "tank", "")), ["error"]);
        assert_eq!(of(&host("ata-A", "tank", ", import = 'manual'")), ["note"]);
        assert!(of(&host("ata-B", "tank", "")).is_empty());
        let by_option =
            format!("{}nixos.boot.zfs.extraPools = ['tank']\n", host("ata-A", "tank", ", import = 'manual'"));
        assert_eq!(of(&by_option), ["error"]);
        let manual = host("ata-A", "tank", ", import = 'manual'");
        assert_eq!(levels(&[("hosts/a/host.toml", &manual), ("hosts/b/host.toml", &manual)]), ["note"]);
        let third = [("hosts/a/host.toml", a.as_str()), ("hosts/b/host.toml", &a), ("hosts/c/host.toml", &a)];
        assert_eq!(levels(&third), ["error"]);
    }

    #[test]
    fn a_pool_is_known_by_its_number_too() {
        let facts = |guid: &str| format!(r#"{{ "version": 1, "pools": [{{ "name": "tank", "guid": "{guid}" }}] }}"#);
        let (a, b) = (host("ata-A", "tank", ""), host("ata-B", "tank", ""));
        let of = |first: &str, second: &str| {
            levels(&[
                ("hosts/a/host.toml", &a),
                ("hosts/a/facts.json", &facts(first)),
                ("hosts/b/host.toml", &b),
                ("hosts/b/facts.json", &facts(second)),
            ])
        };
        assert_eq!(of("17", "17"), ["error"]);
        assert!(of("17", "18").is_empty());
    }

    #[test]
    fn a_pool_that_only_an_option_names_is_looked_for_in_the_facts() {
        let of = |facts: Option<&str>| {
            let mut files = vec![("hosts/a/host.toml", "nixos.boot.zfs.extraPools = ['tank']\n")];
            files.extend(facts.map(|facts| ("hosts/a/facts.json", facts)));
            levels(&files)
        };
        assert_eq!(of(None), ["unchecked"]);
        assert_eq!(of(Some(r#"{ "version": 1 }"#)), ["unchecked"]);
        assert_eq!(of(Some(r#"{ "version": 1, "pools": [] }"#)), ["error"]);
        assert!(of(Some(r#"{ "version": 1, "pools": [{ "name": "tank" }] }"#)).is_empty());
    }
}
