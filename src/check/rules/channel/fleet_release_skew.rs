//! Hosts that depend on each other and are more than one release apart.

use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "fleet-release-skew",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "hosts that depend on each other are more than one release apart",
    doc: include_str!("fleet_release_skew.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for host in cx.subjects() {
        let ends = host.tunnels.iter().flat_map(|tunnel| &tunnel.peers).filter_map(|peer| peer.fleet.as_ref());
        for end in ends {
            let Some(other) = cx.fleet.hosts.iter().find(|other| other.name == end.host) else { continue };
            let (own, theirs) = (&host.channel.channel.release, &other.channel.channel.release);
            // Said once of a pair, of the host that stays behind.
            let steps = own.value.half_years_to(theirs.value);
            if steps <= 1 {
                continue;
            }
            let message = format!(
                "`{}` is on {}, and `{}`, which it talks to, on {}",
                host.name, own.value, other.name, theirs.value
            );
            found.report(
                Finding::at(host.channel.at, message)
                    .label(format!("{steps} releases behind"))
                    .related(other.channel.at, format!("the channel of `{}`", other.name))
                    .why("protocols, ciphers and formats that the two share are tried within a release of each other, and no further")
                    .help(format!("bring `{}` to {}, one release at a time", host.name, theirs.value))
                    .of_host(host.name),
            );
        }
    }
}
