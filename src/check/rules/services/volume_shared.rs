//! Volumes that several workloads have.

use std::collections::BTreeSet;

use crate::check::migrations::{self, MANIFESTS};
use crate::check::phrase::listed;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "volume-shared",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a volume that moves is shared with other workloads",
    doc: include_str!("volume_shared.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let moves = migrations::of_fleet(cx);
    let mut said: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for one in moves.iter().filter(|one| cx.scope.has(one.host.name)) {
        for (moved, claim) in one.moved() {
            let name = moved.claim.as_str();
            let Some(claim) = claim.filter(|claim| claim.is_shared()) else { continue };
            // Who stays and writes is an error of its own.
            let others: Vec<_> = claim
                .workloads
                .iter()
                .filter(|other| **other != one.identity())
                .filter_map(|other| Some((other, one.cluster.workloads.get(other)?)))
                .filter_map(|(other, workload)| Some((other, workload.claims.iter().find(|own| own.name == name)?)))
                .filter(|(other, used)| used.read_only || migrations::takes_over(&moves, one, other))
                .collect();
            let key = (one.from.cluster.as_str(), one.workload.namespace.as_str(), name);
            if others.is_empty() || !said.insert(key) {
                continue;
            }
            let names = listed(others.iter().map(|(other, _)| other));
            let mut finding = Finding::at(moved.claim.place, format!("`{name}` is a volume of {names} as well"));
            for (_, used) in &others {
                finding = finding.related(used.place, "mounted here");
            }
            found.report(
                finding
                    .of_host(one.host.name)
                    .why("what they exchanged through it they only exchange on one host, and only where they have the same directory")
                    .help(format!("mount `{}` in the services that take their places, all on this host", moved.to.value))
                    .help("allow `volume-shared`, with what each of them does with it"),
            );
        }
    }
}
