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

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn an_opening_is_unused_only_where_nothing_unknown_may_use_it() {
        let of = |host: &str| said("port-open-unused", host);
        assert!(of("network.firewall.tcp = [22]\n").is_empty());
        assert!(of("network.firewall.tcp = ['20-30']\n").is_empty());
        assert_eq!(
            of("network.firewall.tcp = [22, 8080]\n"),
            ["note: the firewall opens tcp port 8080, where nothing listens"]
        );
        assert_eq!(
            of("network.firewall = { tcp = [22], udp = [22] }\n"),
            ["note: the firewall opens udp port 22, where nothing listens"]
        );
        assert_eq!(
            of("network.firewall = { tcp = [22], interfaces.lan.tcp = ['8000-8010'] }\n"),
            ["note: the firewall opens tcp ports 8000 to 8010 on `lan`, where nothing listens"]
        );
        let open = "network.firewall.tcp = [22, 8080]\n";
        for unknown in [
            "nixos.services.jellyfin.enable = true\n",
            "nixos.programs.mosh.enable = true\n",
            "nixos.virtualisation.docker.enable = true\n",
        ] {
            assert!(of(&format!("{open}{unknown}")).is_empty(), "{unknown}");
        }
        for quiet in [
            "nixos.services.fail2ban.enable = true\n",
            "nixos.services.jellyfin.enable = false\n",
            "nixos.programs.mosh.enable = false\n",
        ] {
            assert_eq!(of(&format!("{open}{quiet}")).len(), 1, "{quiet}");
        }
    }
}
