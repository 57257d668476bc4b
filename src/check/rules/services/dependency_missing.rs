//! A service that needs one which does not run.

use std::collections::BTreeSet;

use crate::check::migrations::{self, shown};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "dependency-missing",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a service needs one that is switched off, or that has no unit",
    doc: include_str!("dependency_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    left_behind(cx, found);
    for service in cx.host.running() {
        let shared = service.def.container().and_then(|container| container.network_of.as_ref());
        let needed = service.def.requires.iter().map(|name| (name, "requires"));
        for (name, key) in needed.chain(shared.map(|name| (name, "network-of"))) {
            let Some(other) = cx.host.services.iter().find(|other| other.name == name.as_str()) else { continue };
            let what = if !other.runs() {
                "is switched off"
            } else if other.units.is_empty() {
                "is files that the web server hands out"
            } else {
                continue;
            };
            found.report(
                Finding::at(name.place, format!("`{}` needs `{}`, which {what}", service.name, other.name))
                    .related(other.def.key, "the service")
                    .why("there is nothing to wait for: it starts as if it needed nothing")
                    .help(format!("switch `{}` on, or take it out of `{key}`", other.name)),
            );
        }
    }
}

/// Reports workloads of a cluster that a service spoke with, and that nothing takes the place of.
fn left_behind(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx).into_iter().filter(|one| one.service.runs()) {
        let mut said: BTreeSet<&str> = BTreeSet::new();
        for talk in &one.workload.talks {
            let is_moved = cx.fleet.hosts.iter().flat_map(|host| &host.services).any(|service| {
                let from = service.def.migrates_from.as_ref();
                from.is_some_and(|from| {
                    from.cluster.as_str() == one.from.cluster.as_str() && from.workload.to_string() == talk.to
                })
            });
            let Some(other) = one.cluster.workloads.get(&talk.to).filter(|_| !is_moved) else { continue };
            if !said.insert(talk.to.as_str()) {
                continue;
            }
            let to = shown(&talk.to);
            found.report(
                Finding::at(
                    one.place(),
                    format!("`{}` speaks with {to}, which nothing takes the place of", one.service.name),
                )
                .label(format!("{} of the manifest says so: `{}`", printable(&talk.at), printable(&talk.key)))
                .related(other.place, "the workload that stays")
                .about(talk.to.clone())
                .why("what stays in the cluster does not have its name on the host, and is gone with the cluster")
                .help(format!(
                    "a service with `migrates-from.workload = \"{}\"`, on any host of the fleet",
                    printable(&talk.to)
                ))
                .help("allow `dependency-missing` for the host, with where it is found instead"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_container_needs_the_one_whose_network_it_shares() {
        let image = "kind = 'container', image = 'docker.io/library/redis:7.4'";
        let host = |enable: bool| {
            format!(
                "services.main = {{ {image}, enable = {enable} }}\nservices.side = {{ {image}, network-of = 'main' }}\n"
            )
        };
        assert_eq!(said("dependency-missing", &host(false)), ["error: `side` needs `main`, which is switched off"]);
        assert!(said("dependency-missing", &host(true)).is_empty());
    }
}
