//! Something for everybody behind a closed firewall.

use crate::check::phrase::joined;
use crate::check::ports::{self, Firewall, Reach};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::module_file::Exposure;
use crate::fleet::schema::service_parts::Protocol;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "port-not-open",
    group: Group::Network,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "something for everybody is behind the closed firewall",
    doc: include_str!("port_not_open.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let firewall = Firewall::of(cx.host);
    let is_closed = |port: u16, protocol: Protocol| firewall.reach(port, protocol) == Reach::Closed;
    if let Some(web) = ports::web_server(cx.host) {
        let closed: Vec<u16> = web.ports().into_iter().filter(|port| is_closed(*port, Protocol::Tcp)).collect();
        if !closed.is_empty() {
            let numbers: Vec<String> = closed.iter().map(ToString::to_string).collect();
            let shown = joined(&numbers);
            let finding = Finding::at(
                web.place,
                format!("`{}` is served behind a firewall that is closed for tcp {shown}", web.name),
            )
            .label("nobody outside gets here");
            let finding = if closed.contains(&80) && web.tls {
                finding.why("browsers do not get through, and neither does the challenge by which the certificate is given out (port 80)")
            } else {
                finding.why("browsers do not get through")
            };
            found.report(finding.help(format!("{} in `[network.firewall] tcp`", numbers.join(", "))));
        }
    }
    for tunnel in &cx.host.tunnels {
        let Some(listen) = &tunnel.wireguard.listen_port else { continue };
        if !is_closed(listen.value, Protocol::Udp) {
            continue;
        }
        found.report(
            Finding::at(
                listen.place,
                format!("`{}` listens on udp port {}, and the firewall is closed", tunnel.name, listen.value),
            )
            .label("no other end gets here")
            .why("who begins sends to this port: the tunnel comes up only if this host happens to begin itself")
            .help(format!("{} in `[network.firewall] udp`", listen.value))
            .help("leave `listen-port` out, if this end always begins"),
        );
    }
    for listener in ports::listeners(cx.host) {
        let Some(service) = listener.service else { continue };
        let public = listener.exposure == Exposure::Public && !listener.listen.is_loopback();
        if !public || !is_closed(listener.port, listener.protocol) {
            continue;
        }
        let (port, protocol) = (listener.port, listener.protocol.word());
        found.report(
            Finding::at(
                listener.place,
                format!("`{}` serves everybody on {protocol} port {port}, and the firewall is closed", service.name),
            )
            .label("nobody outside gets here")
            .why("it runs, and no one can use it")
            .help(format!("{port} in `[network.firewall] {protocol}`"))
            .help(format!(
                "`ports = [{{ port = {port}, proto = \"{protocol}\", public = true }}]` for the service, which opens it"
            )),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn what_is_for_everybody_is_told_from_what_is_local_or_open_somewhere() {
        let of = |exposure: &str, service: &str, host: &str| {
            let module = format!(
                "kind = 'service'\nsummary = 'x'\nprefix = 'services.gitea'\n\
                 ports = [{{ name = 'http', port = 3000, exposure = '{exposure}' }}]\n"
            );
            let host =
                format!("services.forge = {{ kind = 'native'{service} }}\nweb.acme-email = 'a@example.org'\n{host}");
            said_of(
                "port-not-open",
                &[("modules/forge/module.toml", module.as_str()), ("hosts/a/host.toml", host.as_str())],
            )
        };
        assert!(of("local", "", "").is_empty());
        assert_eq!(
            of("public", "", ""),
            ["warning: `forge` serves everybody on tcp port 3000, and the firewall is closed"]
        );
        assert!(of("public", "", "network.firewall.tcp = [22, 3000]\n").is_empty());
        assert!(of("public", "", "network.firewall = { tcp = [22], interfaces.lan.tcp = [3000] }\n").is_empty());
        assert!(of("public", ", ports = [{ port = 3000, public = true }]", "").is_empty());
        assert!(of("public", ", enable = false", "").is_empty());
        let closed =
            |ports: &str| format!("warning: `x.example` is served behind a firewall that is closed for tcp {ports}");
        assert_eq!(of("local", ", vhost = { name = 'x.example' }", ""), [closed("80 and 443")]);
        assert_eq!(of("local", ", vhost = { name = 'x.example', tls = 'none' }", ""), [closed("80")]);
        assert_eq!(
            of("local", ", vhost = { name = 'x.example' }", "network.firewall.tcp = [22, 80]\n"),
            [closed("443")]
        );
    }
}
