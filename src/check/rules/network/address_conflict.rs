//! An address that is used twice in the fleet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::check::addresses;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "address-conflict",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "one address is used twice",
    doc: include_str!("address_conflict.md"),
    check: Check::Fleet(check),
};

/// A use of an address.
#[derive(Debug, Clone, Copy)]
struct Use<'a> {
    host: &'a str,
    interface: &'a str,
    place: Place,
}

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    let mut uses: BTreeMap<IpAddr, Vec<Use<'_>>> = BTreeMap::new();
    for host in &cx.fleet.hosts {
        for (interface, address) in addresses::of(host) {
            // Each link has its own link-local addresses, and each host its own loopback.
            if !addresses::is_link_local(address.address) && !address.address.is_loopback() {
                uses.entry(address.address).or_default().push(Use { host: host.name, interface, place: address.place });
            }
        }
    }
    for (address, mut uses) in uses {
        // The first has it, every further one is a finding; of hosts that are not looked at nothing would be said.
        uses.sort_by_key(|this| cx.scope.has(this.host));
        for (at, this) in uses.iter().enumerate().skip(1) {
            let earlier = || uses.iter().take(at);
            let same_host = earlier().find(|other| other.host == this.host);
            let Some(other) = same_host.or_else(|| earlier().next()) else { continue };
            let message = match same_host {
                Some(_) => format!("`{}` has the address {address} twice", this.host),
                None => format!("`{}` and `{}` have the address {address}", other.host, this.host),
            };
            found.report(
                Finding::at(this.place, message)
                    .label(format!("on `{}` of `{}`", this.interface, this.host))
                    .related(other.place, format!("on `{}` of `{}`", other.interface, other.host))
                    .why("of two machines with one address, now the one and now the other answers, ssh and the deployment included")
                    .help("another address for one of the two")
                    .of_host(this.host),
            );
        }
    }
}
