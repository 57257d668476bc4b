//! An opening of the firewall with nothing behind it.

use crate::check::nixos;
use crate::check::ports::{self, Firewall};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "port-open-unused",
    group: Group::Network,
    level: Level::Note,
    allowable: true,
    needs: &[],
    summary: "the firewall is open where nothing listens",
    doc: include_str!("port_open_unused.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    // Somebody else's program may listen there.
    if nixos::may_listen(host) {
        return;
    }
    let listeners = ports::listeners(host);
    let firewall = Firewall::of(host);
    for opening in firewall.openings.iter().filter(|_| firewall.off.is_none()) {
        let ports = opening.first..=opening.last;
        let used = listeners.iter().any(|listener| {
            listener.protocol == opening.protocol && ports.contains(&listener.port) && !listener.listen.is_loopback()
        });
        if used {
            continue;
        }
        let protocol = opening.protocol.word();
        let which = if opening.first == opening.last {
            format!("{protocol} port {}", opening.first)
        } else {
            format!("{protocol} ports {} to {}", opening.first, opening.last)
        };
        let on = opening.interface.map_or_else(String::new, |interface| format!(" on `{interface}`"));
        let local =
            listeners.iter().find(|listener| listener.protocol == opening.protocol && ports.contains(&listener.port));
        let mut finding = Finding::at(opening.place, format!("the firewall opens {which}{on}, where nothing listens"));
        finding = match local {
            Some(local) => finding
                .label("nothing that is reached from outside")
                .related(local.place, format!("{} listens on this machine only", local.program)),
            None => finding.label("nothing behind it"),
        };
        found.report(
            finding
                .why("the next program that happens to listen there is open to everybody at once")
                .help("remove the opening")
                .help("describe the program as a service, if there is one: its ports are then known"),
        );
    }
}
