//! An interface that is not among those that were probed.

use crate::check::phrase::joined;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::facts_file::FactsInterface;
use crate::fleet::schema::network::Match;
use crate::source::{Level, printable, quoted};

pub(super) static RULE: Rule = Rule {
    id: "interface-not-found",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &["probed interfaces"],
    summary: "the interface is not among the probed ones",
    doc: include_str!("interface_not_found.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.interfaces().next().is_none() {
        return;
    }
    let Some(probed) = probed::interfaces(cx, found) else { return };
    let is_nixos = cx.host.source.facts.as_ref().is_some_and(|facts| facts.system.is_some());
    for (name, interface) in cx.host.interfaces() {
        // What is made of cards is not there when facts are taken.
        let Some(matches) = interface.matches() else { continue };
        let (there, wanted) = match &matches.value {
            Match::Mac(mac) => {
                let mac = mac.to_string();
                let has = |probed: &FactsInterface| {
                    probed.mac.as_ref().is_some_and(|other| other.value.replace('-', ":").eq_ignore_ascii_case(&mac))
                };
                (probed.iter().any(has), format!("hardware address {}", quoted(&mac)))
            }
            Match::Name(_) if !is_nixos => {
                found.unchecked("the facts were not taken under NixOS, which names interfaces in its own way");
                continue;
            }
            Match::Name(pattern) => {
                (probed.iter().any(|probed| fits(pattern, &probed.name.value)), format!("name {}", quoted(pattern)))
            }
            Match::Path(_) => {
                found.unchecked("the facts do not hold the paths of interfaces");
                continue;
            }
        };
        if there {
            continue;
        }
        let known: Vec<String> = probed.iter().filter(|probed| *probed.name.value != *"lo").map(shown).collect();
        found.report(
            Finding::at(matches.place, format!("no interface of the machine has the {wanted} of `{name}`"))
                .label("not among the probed interfaces")
                .why("what is set for an interface that is not there is set for none: the host comes up without this network")
                .help(format!("one of those that were probed: {}", joined(&known)))
                .help("take the facts again if the card was put in later: `hostwright probe`"),
        );
    }
}

fn shown(probed: &FactsInterface) -> String {
    match &probed.mac {
        Some(mac) => format!("`{}` with `{}`", printable(&probed.name.value), printable(&mac.value)),
        None => format!("`{}`", printable(&probed.name.value)),
    }
}

/// Tells whether a name fits a shell pattern (fnmatch(3): `*`, `?`, `[a-z]`, `[!a-z]`).
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last `*` stands, and up to where it has taken the name so far.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match one(pattern.get(p..).unwrap_or_default(), name.get(n).copied()) {
            Some(length) => {
                p += length;
                n += 1;
            }
            None if pattern.get(p) == Some(&'*') => {
                star = Some((p, n));
                p += 1;
            }
            None => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// Returns how many characters of the pattern the next character fits; none when it does not fit, or when a `*` is next.
fn one(pattern: &[char], next: Option<char>) -> Option<usize> {
    let next = next?;
    match pattern {
        ['*', ..] | [] => None,
        ['?', ..] => Some(1),
        ['[', rest @ ..] => {
            let (negated, set) = match rest {
                ['!' | '^', set @ ..] => (true, set),
                set => (false, set),
            };
            // A `]` that comes first is a member.
            let end = set.iter().skip(1).position(|c| *c == ']')? + 1;
            let members = set.get(..end)?;
            let mut inside = false;
            let mut at = 0;
            while let Some(first) = members.get(at) {
                if let (Some('-'), Some(last)) = (members.get(at + 1), members.get(at + 2)) {
                    inside |= (*first..=*last).contains(&next);
                    at += 3;
                } else {
                    inside |= *first == next;
                    at += 1;
                }
            }
            (inside != negated).then_some(pattern.len() - rest.len() + (rest.len() - set.len()) + end + 1)
        }
        [literal, ..] => (*literal == next).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_matched_as_the_shell_does() {
        let yes = [
            ("en*", "enp3s0"),
            ("*", ""),
            ("e?h0", "eth0"),
            ("eth[0-3]", "eth2"),
            ("eth[!0-3]", "eth4"),
            ("*p*s0*", "enp3s0f1"),
            ("[]e]th0", "eth0"),
            ("eth0", "eth0"),
        ];
        let no = [
            ("en*", "eth0"),
            ("?", ""),
            ("eth[0-3]", "eth4"),
            ("eth[!0-3]", "eth2"),
            ("*s1", "enp3s0"),
            ("eth", "eth0"),
            ("eth[0", "eth0"),
            ("", "x"),
        ];
        for (pattern, name) in yes {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in no {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_star_stands_for_any_part_of_a_name(front in "[a-z0-9]{0,6}", part in "[a-z0-9]{0,6}", end in "[a-z0-9]{0,6}") {
            let (pattern, name) = (format!("{front}*{end}"), format!("{front}{part}{end}"));
            prop_assert!(fits(&pattern, &name));
        }

        #[test]
        fn no_pattern_runs_for_ever(pattern in "[ab\\[\\]*?!^-]{0,24}", name in "[ab]{0,24}") {
            fits(&pattern, &name);
        }
    }
}
