//! Claims that nobody speaks of.

use std::collections::BTreeSet;

use crate::check::migrations::{self, MANIFESTS, Move, shown};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, nearest, printable};

pub(super) static RULE: Rule = Rule {
    id: "claim-unaccounted",
    group: Group::Services,
    level: Level::Error,
    allowable: false,
    needs: &[MANIFESTS],
    summary: "a claim of a workload that moves is neither moved nor left behind",
    doc: include_str!("claim_unaccounted.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    unknown(cx, found);
    for one in migrations::of(cx) {
        let mut said: BTreeSet<&str> = BTreeSet::new();
        for used in &one.workload.claims {
            if !said.insert(used.name.as_str()) || is_accounted(cx, &one, &used.name) {
                continue;
            }
            let name = shown(&used.name);
            found.report(
                Finding::at(one.place(), format!("{name} of `{}` is neither moved nor left behind", one.identity()))
                    .related(used.place, "the claim")
                    .why("what nobody speaks of is lost with the cluster, and nobody has decided that")
                    .help(format!(
                        "`{{ claim = \"{}\", to = \"/var/lib/…\" }}` in `volumes` of `migrates-from`",
                        printable(&used.name)
                    ))
                    .help(format!(
                        "`{{ claim = \"{}\", reason = \"…\" }}` in `leave` of `migrates-from`, where it is not needed",
                        printable(&used.name)
                    )),
            );
        }
    }
}

/// Tells whether a service of the fleet moves a claim, or says that it stays behind.
fn is_accounted(cx: &HostCx<'_>, one: &Move<'_>, name: &str) -> bool {
    let services = cx.fleet.hosts.iter().flat_map(|host| &host.services);
    let mut others = services.filter_map(|service| service.def.migrates_from.as_ref());
    others.any(|from| {
        from.cluster.as_str() == one.from.cluster.as_str()
            && from.workload.namespace == one.workload.namespace
            && (from.volumes.iter().any(|moved| moved.claim.as_str() == name)
                || from.leave.iter().any(|left| left.claim.as_str() == name))
    })
}

/// Says of which workloads nothing is known.
fn unknown(cx: &HostCx<'_>, found: &mut Findings) {
    let mut clusters: BTreeSet<&str> = BTreeSet::new();
    for service in &cx.host.services {
        let Some(from) = &service.def.migrates_from else { continue };
        let (name, identity) = (from.cluster.as_str(), from.workload.to_string());
        let Some(cluster) = cx.clusters.get(name) else {
            found.unchecked(format!("the claims of `{identity}`: there are no manifests of the cluster `{name}`"));
            continue;
        };
        if !cluster.workloads.contains_key(&identity) {
            let near = nearest(&identity, cluster.workloads.keys().map(String::as_str));
            let near = near.first().map_or_else(String::new, |near| format!("; nearest: {}", shown(near)));
            found.unchecked(format!("the claims of `{identity}`: it is not among the manifests of `{name}`{near}"));
        }
        if clusters.insert(name) {
            for unread in &cluster.unread {
                found.unchecked(format!("what cannot be read among the manifests of `{name}`: {unread}"));
            }
        }
    }
}
