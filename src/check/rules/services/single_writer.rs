//! Volumes that two would write.

use std::collections::BTreeMap;

use crate::check::migrations::{self, MANIFESTS, Move, shown};
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::fleet::schema::migration::MovedClaim;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "single-writer",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a plan would have two writers on one volume",
    doc: include_str!("single_writer.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let moves = migrations::of_fleet(cx);
    two_copies(cx, &moves, found);
    for one in moves.iter().filter(|one| cx.scope.has(one.host.name)) {
        for (moved, claim) in one.moved() {
            let name = moved.claim.as_str();
            for other in claim.iter().flat_map(|claim| &claim.workloads) {
                if *other == one.identity() || migrations::takes_over(&moves, one, other) {
                    continue;
                }
                let used = one.cluster.workloads.get(other);
                let used = used.and_then(|workload| workload.claims.iter().find(|own| own.name == name));
                let Some(used) = used.filter(|used| !used.read_only) else { continue };
                found.report(
                    Finding::at(moved.claim.place, format!("`{name}` moves, and {} stays and writes it", shown(other)))
                        .related(used.place, "the volume of the one that stays")
                        .of_host(one.host.name)
                        .about(format!("{name} {other}"))
                        .why("the copy lacks what is written while and after it is made, and nobody can put the two together")
                        .help("a service that takes its place as well: `hostwright migrate` makes the definition")
                        .help("`readOnly: true` for the volume in the manifest, where it only reads"),
                );
            }
        }
    }
}

/// Reports a claim that two services take to different places: each would go on with a copy of its own.
fn two_copies(cx: &FleetCx<'_>, moves: &[Move<'_>], found: &mut Findings) {
    let mut first: BTreeMap<(&str, &str, &str), (&Move<'_>, &MovedClaim)> = BTreeMap::new();
    for one in moves {
        for (moved, claim) in one.moved() {
            let key = (one.from.cluster.as_str(), one.workload.namespace.as_str(), moved.claim.as_str());
            let Some((before, known)) = first.get(&key).copied() else {
                first.insert(key, (one, moved));
                continue;
            };
            // A volume of which a service takes several folders is named with each of them.
            let folder = |moved: &MovedClaim| moved.sub_path.as_ref().map(|path| path.value.clone());
            if before.identity() == one.identity() && folder(known) != folder(moved) {
                continue;
            }
            let same = before.host.name == one.host.name && known.to.value == moved.to.value;
            if same && claim.is_some_and(crate::fleet::cluster::Claim::is_shared) {
                continue;
            }
            let ((host, at), (other_host, other_at)) = match cx.scope.has(one.host.name) {
                true => ((one.host.name, moved), (before.host.name, known)),
                false => ((before.host.name, known), (one.host.name, moved)),
            };
            found.report(
                Finding::at(at.claim.place, format!("`{}` moves twice", at.claim.as_str()))
                    .related(other_at.claim.place, format!("it moves to `{}` of `{other_host}` here", other_at.to.value))
                    .of_host(host)
                    .why("two services would write what one wrote: in one directory against each other, in two each a copy of its own")
                    .help("name it in the `volumes` of one service, and mount its directory in the other one where both are on one host"),
            );
        }
    }
}
