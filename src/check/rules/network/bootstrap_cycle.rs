//! Hosts that wait for themselves or for each other when they start.

use crate::check::bootstrap::{Need, Start, Thing, What};
use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "bootstrap-cycle",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a host needs, while it starts, what only itself or a host that waits for it provides",
    doc: include_str!("bootstrap_cycle.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for circle in Start::of(cx.fleet).circles() {
        let Some(at) = circle.iter().position(|need| cx.scope.has(need.of.host)) else { continue };
        let (before, from) = circle.split_at(at);
        let Some((first, rest)) = from.split_first() else { continue };
        let hosts: std::collections::BTreeSet<&str> = circle.iter().map(|need| need.of.host).collect();
        let names: Vec<String> = hosts.iter().map(|name| format!("`{name}`")).collect();
        let message = match names.as_slice() {
            [name] => format!("{name} waits for itself when it starts: {}", said(first)),
            names => format!("{} wait for each other when they start: {}", joined(names), said(first)),
        };
        let mut finding = Finding::at(first.place, message).of_host(first.of.host);
        for need in rest.iter().chain(before).filter(|need| need.of.what != What::Network) {
            finding = finding.related(need.place, said(need));
        }
        let finding = finding.why(
            "while everything runs nothing is seen of it; after a power cut none of these comes up before the other, and the \
             machines stay dark until somebody stands before them",
        );
        found.report(match first.of.what {
            What::Disks => {
                finding.help("`unlock = \"tpm2\"` for one of them, or somebody who types its passphrase and knows so")
            }
            What::Address(name) => finding
                .help(format!(
                    "a static address: `addresses` of `{name}`, in a range that no server of DHCP gives away"
                ))
                .help("another server of DHCP, on a machine that does not wait for this one"),
            What::Time => finding.help("a server of time outside of the fleet"),
            What::Names => finding
                .help("a further name server that is none of these machines: that of the provider or of the router"),
            What::Network | What::Service(_) => {
                finding.help("a copy of the image on the machine itself and `pull = \"never\"`, or another registry")
            }
        });
    }
}

/// Says what waits for what.
fn said(need: &Need<'_>) -> String {
    let from = need.by.first();
    let by = from.map_or_else(String::new, named);
    match (need.of.what, from.map(|thing| thing.what)) {
        (What::Disks, _) => format!("the keys of the disks of `{}` come from {by}", need.of.host),
        (What::Address(name), Some(What::Disks)) => format!("`{name}` comes up with the disks"),
        (What::Address(name), _) => format!("`{name}` of `{}` gets its address from {by}", need.of.host),
        (What::Network, _) => format!("`{}` is reached with {by}", need.of.host),
        (What::Time, _) => format!("`{}` gets the time from {by}", need.of.host),
        (What::Names, _) => format!("`{}` finds names with {by}", need.of.host),
        (What::Service(name), Some(What::Names)) => {
            format!("the image of `{name}` comes from a registry that is found by its name")
        }
        (What::Service(name), Some(What::Address(_))) => format!("`{name}` answers there once that has an address"),
        (What::Service(name), Some(What::Network)) => format!("`{name}` is reached once `{}` is", need.of.host),
        // Nothing else of a service leads to the service itself.
        (What::Service(name), Some(_)) if from == Some(&need.of) => {
            format!("the image of `{name}` is fetched from `{name}`")
        }
        (What::Service(name), _) => format!("`{name}` needs {by}"),
    }
}

/// Names what comes up.
fn named(thing: &Thing<'_>) -> String {
    let host = thing.host;
    match thing.what {
        What::Disks => format!("the disks of `{host}`"),
        What::Address(name) => format!("the address of `{name}` on `{host}`"),
        What::Network | What::Time => format!("`{host}`"),
        What::Names => format!("the names that `{host}` finds"),
        What::Service(name) => format!("`{name}` on `{host}`"),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{said, said_of};

    const KEA: &str = "[services.kea]\nkind = 'native'\noptions.settings.interfaces-config.interfaces = ['lan']\n";

    fn lan(keys: &str) -> String {
        format!("[network.interfaces.lan]\nmatch = {{ mac = '02:00:00:00:aa:01' }}\n{keys}\n")
    }

    #[test]
    fn a_server_of_dhcp_does_not_give_its_own_host_an_address() {
        let of = |keys: &str| said("bootstrap-cycle", &format!("{}{KEA}", lan(keys))).len();
        assert_eq!(of("dhcp = true"), 1);
        assert_eq!(of("addresses = ['192.168.1.2/24']"), 0);
        assert_eq!(of("dhcp = true\naddresses = ['192.168.1.2/24']"), 0, "it has one besides");
    }

    #[test]
    fn what_listens_on_the_port_of_dhcp_serves_what_has_a_fixed_address_and_else_what_there_is() {
        let dnsmasq = "[services.dnsmasq]\nkind = 'command'\nexec = '/bin/dnsmasq'\nports = [{ port = 67, proto = 'udp', public = true }]\n";
        let of = |more: &str| said("bootstrap-cycle", &format!("{}{more}{dnsmasq}", lan("dhcp = true"))).len();
        assert_eq!(of(""), 1);
        assert_eq!(of("[network.interfaces.inner]\nmatch = { name = 'enp2s0' }\naddresses = ['10.0.0.1/24']\n"), 0);
    }

    #[test]
    fn a_server_of_another_host_counts_where_it_knows_the_card() {
        let host = |own: &str, other: &str| {
            format!(
                "[network.interfaces.lan]\nmatch = {{ mac = '{own}' }}\ndhcp = true\n\
                 [network.interfaces.inner]\nmatch = {{ name = 'enp2s0' }}\naddresses = ['10.0.0.1/24']\n\
                 [services.kea]\nkind = 'native'\n[services.kea.options.settings]\n\
                 interfaces-config.interfaces = ['lan']\nsubnet4 = [{{ reservations = [{{ hw-address = '{other}' }}] }}]\n"
            )
        };
        let (a, b) = ("02:00:00:00:aa:01", "02:00:00:00:aa:02");
        let of = |by_b: &str| {
            let (of_a, of_b) = (host(a, b), host(b, by_b));
            said_of("bootstrap-cycle", &[("hosts/a/host.toml", &of_a), ("hosts/b/host.toml", &of_b)])
        };
        assert_eq!(of("02:00:00:00:AA:01").len(), 1, "each could have it from the other, which waits too");
        let only_a = of("02:00:00:00:aa:07");
        assert!(only_a.len() == 1 && only_a[0].contains("`a` waits for itself"), "`b` has it from `a`: {only_a:?}");
        // Without a server that knows the card, what gives it an address is outside.
        let alone = [("hosts/a/host.toml", host(a, b).replace("['lan']", "['inner']"))];
        assert!(said_of("bootstrap-cycle", &alone).is_empty());
    }

    #[test]
    fn two_hosts_that_ask_each_other_for_the_time_have_none() {
        let host = |own: &str, other: &str| {
            format!(
                "network.ntp = ['{other}']\n[network.interfaces.lan]\nmatch = {{ name = 'enp1s0' }}\naddresses = ['{own}/24']\n\
                 [services.ntpd]\nkind = 'command'\nexec = '/bin/ntpd'\nprovides = ['ntp']\n"
            )
        };
        let of = |a: &str, b: &str| {
            let files = [("hosts/a/host.toml", host("192.0.2.2", a)), ("hosts/b/host.toml", host("192.0.2.3", b))];
            said_of("bootstrap-cycle", &files)
        };
        assert_eq!(of("192.0.2.3", "192.0.2.2").len(), 1, "once for both");
        assert_eq!(of("192.0.2.3", "0.pool.ntp.org").len(), 0);
        assert_eq!(of("192.0.2.2", "0.pool.ntp.org").len(), 1, "its own clock");
    }

    #[test]
    fn a_name_server_in_a_container_cannot_find_its_image_by_names_that_wait_for_it() {
        let host = |own: &str, other: &str, pull: &str| {
            format!(
                "network.nameservers = ['{own}', '{other}']\n[network.interfaces.lan]\nmatch = {{ name = 'enp1s0' }}\naddresses = ['{own}/24']\n\
                 [services.dns]\nkind = 'container'\nimage = 'docker.io/adguard/adguardhome:v1'\nprovides = ['dns']\npull = '{pull}'\n"
            )
        };
        let of = |pull: &str, other: &str| {
            let files = [
                ("hosts/a/host.toml", host("192.0.2.2", other, pull)),
                ("hosts/b/host.toml", host("192.0.2.3", "192.0.2.2", "missing")),
            ];
            said_of("bootstrap-cycle", &files).len()
        };
        assert_eq!(of("missing", "192.0.2.3"), 1);
        assert_eq!(of("never", "192.0.2.3"), 0, "one of them starts without names");
        assert_eq!(of("missing", "192.0.2.53"), 0, "a server that is none of them");
    }

    #[test]
    fn a_registry_is_not_fetched_from_itself() {
        let of = |image: &str| {
            let host = format!(
                "[services.registry]\nkind = 'container'\nimage = '{image}'\nports = [{{ port = 5000 }}]\nprovides = ['registry']\n"
            );
            said("bootstrap-cycle", &format!("{}{host}", lan("addresses = ['192.0.2.2/24']")))
        };
        let said = of("localhost:5000/registry:2.8.3");
        assert!(said.len() == 1 && said[0].contains("the image of `registry` is fetched from `registry`"), "{said:?}");
        assert!(of("docker.io/library/registry:2.8.3").is_empty());
    }

    #[test]
    fn hosts_that_send_each_other_the_keys_of_their_disks_wait() {
        let host = |own: &str, unlock: &str| {
            format!(
                "boot.unlock = '{unlock}'\n[network.interfaces.lan]\nmatch = {{ name = 'enp1s0' }}\naddresses = ['{own}/24']\n\
                 [services.keys]\nkind = 'command'\nexec = '/bin/keys'\nprovides = ['unlock']\n"
            )
        };
        let of = |b: &str| {
            let files = [("hosts/a/host.toml", host("192.0.2.2", "ssh")), ("hosts/b/host.toml", host("192.0.2.3", b))];
            said_of("bootstrap-cycle", &files).len()
        };
        assert_eq!(of("ssh"), 1);
        assert_eq!(of("tpm2"), 0);
    }
}
