//! A program on an address that the host does not have, or gets late.

use std::net::IpAddr;

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{addresses, nixos, ports};
use crate::resolve::Listen;
use crate::source::{Level, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "listen-address-absent",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "something listens on an address that the host does not have",
    doc: include_str!("listen_address_absent.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    if host.interfaces().next().is_none() {
        return;
    }
    let mut uses: Vec<(String, IpAddr, Place)> = Vec::new();
    let ssh = host.def.access.iter().flat_map(|access| &access.ssh).filter(|ssh| ssh.enable.value);
    uses.extend(
        ssh.flat_map(|ssh| &ssh.listen).map(|address| ("the ssh server".to_owned(), address.value, address.place)),
    );
    let monitoring = host.def.monitoring.iter().filter(|monitoring| monitoring.exporters().next().is_some());
    uses.extend(
        monitoring
            .flat_map(|monitoring| &monitoring.listen)
            .map(|address| ("an exporter".to_owned(), address.value, address.place)),
    );
    for listener in ports::listeners(host).iter().filter(|listener| listener.service.is_some()) {
        let Listen::Only(of) = &listener.listen else { continue };
        uses.extend(of.iter().map(|address| (listener.program.clone(), *address, listener.place)));
    }
    for (program, address, place) in uses {
        if address.is_loopback() || address.is_unspecified() || addresses::is_link_local(address) {
            continue;
        }
        match addresses::of(host).find(|(_, own)| own.address == address) {
            Some((name, own)) => late(cx, &program, address, place, (name, own.place), found),
            None => absent(cx, &program, address, place, found),
        }
    }
}

fn absent(cx: &HostCx<'_>, program: &str, address: IpAddr, place: Place, found: &mut Findings) {
    let host = cx.host;
    if host.interfaces().any(|(_, interface)| {
        let v6 = address.is_ipv6();
        if v6 { interface.dhcp.ipv6() || interface.accepts_ra() } else { interface.dhcp.ipv4() }
    }) {
        found.unchecked(format!(
            "addresses come by DHCP or router advertisements, so whether {address} is among them is not known"
        ));
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["networking.interfaces", "systemd.network", "keepalived"]) {
        found.unchecked(format!("{} may bring {address}", quoted(file)));
        return;
    }
    if nixos::is_set(host, &["networking", "interfaces"]) || nixos::is_set(host, &["systemd", "network"]) {
        return;
    }
    found.report(
        Finding::at(place, format!("{program} listens on {address}, which `{}` does not have", host.name))
            .label("no address of an interface")
            .why("a program cannot take an address that is not there: it does not start, and nobody gets in through it")
            .help("an address of the host")
            .help(format!("{address} in `addresses` of an interface, if the host should have it")),
    );
}

/// An address that is there only after the network is: the boot does not wait for its interface.
fn late(
    cx: &HostCx<'_>,
    program: &str,
    address: IpAddr,
    place: Place,
    (name, own): (&str, Place),
    found: &mut Findings,
) {
    let Some((_, interface)) = cx.host.interface(name) else { return };
    // Addresses of other kinds are set as soon as the link is there, before services start.
    if interface.wireguard().is_none() || nixos::is_set(cx.host, &["boot", "kernel", "sysctl"]) {
        return;
    }
    let waited =
        cx.host.def.network.iter().flat_map(|network| &network.wait_online).any(|waited| waited.as_str() == name);
    if !waited {
        found.report_as(
            Level::Warning,
            Finding::at(place, format!("{program} listens on {address} of `{name}`, which may come up after it"))
                .label("an address of a tunnel")
                .related(own, "here")
                .why("the boot does not wait for tunnels: where the program starts first, the address is not there and it fails")
                .help("listen on all addresses, and open the port for this interface alone: `[network.firewall.interfaces.NAME]`")
                .help(format!("`wait-online = [\"{name}\"]` in `[network]`")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn an_address_is_there_or_known_to_be_unknown() {
        let of = |interface: &str, listen: &str| {
            let host = format!(
                "network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, {interface} }}\naccess.ssh.listen = ['{listen}']\n"
            );
            said("listen-address-absent", &host)
        };
        let fixed = "accept-ra = false, addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1']";
        for good in ["192.0.2.10", "127.0.0.1", "0.0.0.0", "::", "fe80::1"] {
            assert!(of(fixed, good).is_empty(), "{good}");
        }
        assert_eq!(of(fixed, "192.0.2.11"), ["error: the ssh server listens on 192.0.2.11, which `a` does not have"]);
        assert_eq!(of("dhcp = true", "192.0.2.11").len(), 1);
        assert!(of("dhcp = true", "192.0.2.11").iter().all(|line| line.starts_with("unchecked: ")));
        let tunnel = "network.interfaces.wg0 = { kind = 'wireguard', addresses = ['10.0.0.1/24'], private-key = 'k', \
                      public-key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' }\nsecrets.items.k = {}\naccess.ssh.listen = ['10.0.0.1']\n";
        assert_eq!(
            said("listen-address-absent", tunnel),
            ["warning: the ssh server listens on 10.0.0.1 of `wg0`, which may come up after it"]
        );
        assert!(said("listen-address-absent", &format!("{tunnel}network.wait-online = ['wg0']\n")).is_empty());
    }
}
