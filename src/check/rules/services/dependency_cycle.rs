//! Services that wait for each other.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::services::{Dependency, dependencies};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "dependency-cycle",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "services that wait for each other",
    doc: include_str!("dependency_cycle.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let edges = dependencies(cx.host);
    let mut said: Vec<&str> = Vec::new();
    for edge in &edges {
        // A cycle is told once, where its first service names the next.
        if said.contains(&edge.from) {
            continue;
        }
        let Some(way) = way_back(&edges, edge) else { continue };
        said.extend(way.iter().map(|edge| edge.from));
        let names: Vec<String> = way.iter().map(|edge| format!("`{}`", edge.from)).collect();
        let message =
            format!("{} → {} wait for each other", names.join(" → "), names.first().map_or("", String::as_str));
        let mut finding = Finding::at(edge.place, message).label("waits for it");
        for other in way.iter().skip(1) {
            finding = finding.related(other.place, format!("`{}` waits for `{}`", other.from, other.to));
        }
        found.report(
            finding
                .why(
                    "systemd breaks a cycle by leaving one of its services out: which one may change from boot to boot",
                )
                .help("take one of them out of `after` or `requires`"),
        );
    }
}

/// Returns the shortest way from a service over one of its dependencies back to itself.
fn way_back<'a>(edges: &'a [Dependency<'a>], first: &'a Dependency<'a>) -> Option<Vec<&'a Dependency<'a>>> {
    let mut ways: Vec<Vec<&Dependency<'_>>> = vec![vec![first]];
    let mut seen = vec![first.to];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let Some(last) = way.last() else { continue };
            if last.to == first.from {
                return Some(way);
            }
            for next in edges.iter().filter(|edge| edge.from == last.to) {
                if next.to == first.from || !seen.contains(&next.to) {
                    seen.push(next.to);
                    longer.push(way.iter().copied().chain([next]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_cycle_is_told_once_and_a_diamond_is_none() {
        let host = |words: &[(&str, &str)]| -> String {
            let one = |(name, after): &(&str, &str)| {
                format!("services.{name} = {{ kind = 'command', exec = '/bin/x', after = [{after}] }}\n")
            };
            words.iter().map(one).collect()
        };
        let of = |words: &[(&str, &str)]| said("dependency-cycle", &host(words)).len();
        assert_eq!(of(&[("a", "'b'"), ("b", "'c'"), ("c", "'a'")]), 1);
        assert_eq!(of(&[("a", "'a'")]), 1);
        assert_eq!(of(&[("a", "'b', 'c'"), ("b", "'d'"), ("c", "'d'"), ("d", "")]), 0);
        assert_eq!(of(&[("a", "'b'"), ("b", "'a'"), ("c", "'d'"), ("d", "'c'")]), 2);
    }

    #[test]
    fn a_container_waits_for_the_one_whose_network_it_shares() {
        let image = "kind = 'container', image = 'docker.io/library/redis:7.4'";
        let host = format!(
            "services.main = {{ {image}, after = ['side'] }}\nservices.side = {{ {image}, network-of = 'main' }}\n"
        );
        assert_eq!(said("dependency-cycle", &host).len(), 1);
        assert_eq!(said("dependency-cycle", &host.replace(", after = ['side']", "")).len(), 0);
    }
}
