//! A host that asks nobody but itself for names.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{addresses, nixos};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "nameserver-is-self",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the only name server is the host itself",
    doc: include_str!("nameserver_is_self.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(network) = &cx.host.def.network else { return };
    let own = |address: std::net::IpAddr| {
        address.is_loopback() || addresses::of(cx.host).any(|(_, own)| own.address == address)
    };
    let Some(first) = network.nameservers.first() else { return };
    if !network.nameservers.iter().all(|server| own(server.value))
        || nixos::is_set(cx.host, &["networking", "nameservers"])
    {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["nameservers", "resolv"]) {
        found.unchecked(format!("{} may name another name server", quoted(file)));
        return;
    }
    found.report(
        Finding::at(first.place, format!("`{}` asks nobody but itself for names", cx.host.name))
            .label("the host itself")
            .why("until its own name service runs no name resolves, and if that fails nothing does: no time, no certificate, no way to fetch the repair")
            .help("a second name server that is another machine: that of the provider or of the router"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn one_server_elsewhere_is_enough() {
        let of = |servers: &str| said("nameserver-is-self", &format!("network.nameservers = [{servers}]\n")).len();
        assert_eq!(of("'127.0.0.1'"), 1);
        assert_eq!(of("'192.0.2.10', '::1'"), 1);
        assert_eq!(of("'127.0.0.1', '192.0.2.53'"), 0);
        assert_eq!(of("'192.0.2.53'"), 0);
        assert_eq!(of(""), 0);
    }
}
