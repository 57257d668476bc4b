//! A host with static addresses and no name server.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{addresses, nixos, ports};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "nameserver-missing",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "static addresses and no name server",
    doc: include_str!("nameserver_missing.md"),
    check: Check::Host(check),
};

/// Resolvers that NixOS asks first when they run on the host itself.
const RESOLVERS: &[&str] = &[
    "adguardhome",
    "bind",
    "blocky",
    "coredns",
    "dnscrypt-proxy",
    "dnscrypt-proxy2",
    "dnsmasq",
    "knot-resolver",
    "kresd",
    "pdns-recursor",
    "stubby",
    "unbound",
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some((_, place)) = addresses::first_static(host) else { return };
    let network = host.def.network.as_ref();
    let written = network.is_some_and(|network| !network.nameservers.is_empty());
    let brought = host.interfaces().any(|(_, interface)| {
        let advertised = interface.accept_ra.as_ref().is_some_and(|accept| accept.value);
        interface.dhcp.ipv4() || interface.dhcp.ipv6() || advertised
    });
    if written || brought || in_nix(cx) || ports::listeners(host).iter().any(|listener| listener.port == 53) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["nameservers", "resolv", "unbound", "dnsmasq"]) {
        found.unchecked(format!("{} may name a name server", quoted(file)));
        return;
    }
    found.report(
        Finding::at(place, format!("`{}` has static addresses and no name server", host.name))
            .label("nothing brings one")
            .why("without one no name resolves: no package, no certificate, no backup, though the host answers pings")
            .help("`[network] nameservers = [\"…\"]`: those of the provider or of the router"),
    );
}

fn in_nix(cx: &HostCx<'_>) -> bool {
    let routes = [
        &["networking", "nameservers"][..],
        &["networking", "resolvconf"],
        &["networking", "networkmanager", "enable"],
        &["services", "resolved", "fallbackDns"],
        &["services", "resolved", "settings"],
        &["systemd", "network", "networks"],
        &["environment", "etc", "resolv.conf"],
    ];
    let resolver = RESOLVERS.iter().any(|name| nixos::is_set(cx.host, &["services", *name, "enable"]));
    resolver || routes.iter().any(|route| nixos::is_set(cx.host, route))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_resolver_from_anywhere_counts() {
        let of = |more: &str| said("nameserver-missing", &format!("network.nameservers = []\n{more}")).len();
        let fixed = |rest: &str| {
            format!(
                "network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, addresses = ['192.0.2.10/24'], {rest} }}\n"
            )
        };
        assert_eq!(of(""), 1);
        assert_eq!(of(&fixed("gateways = ['192.0.2.1']")), 1);
        assert_eq!(of(&fixed("dhcp = 'ipv6'")), 0);
        assert_eq!(of(&fixed("accept-ra = true")), 0);
        assert_eq!(of("nixos.services.unbound.enable = true\n"), 0);
        assert_eq!(of("nixos.services.unbound.enable = false\n"), 1);
        assert_eq!(of("nixos.networking.nameservers = ['192.0.2.53']\n"), 0);
    }
}
