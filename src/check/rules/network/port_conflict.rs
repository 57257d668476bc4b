//! Two programs on one port.

use crate::check::ports::{self, Listener};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "port-conflict",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "two programs listen on one port",
    doc: include_str!("port_conflict.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let listeners = ports::listeners(cx.host);
    for (at, listener) in listeners.iter().enumerate() {
        let Some(first) = listeners.iter().take(at).find(|first| conflict(first, listener)) else { continue };
        let protocol = listener.protocol.word();
        let message =
            format!("{} and {} both listen on {protocol} port {}", first.program, listener.program, listener.port);
        let mut finding = Finding::at(listener.place, message)
            .label(ports::on(&listener.listen))
            .related(first.place, format!("{}, {}", first.program, ports::on(&first.listen)))
            .why("the one that starts second fails, and which one that is may change from boot to boot");
        let module = listener.service.and_then(|service| Some((service, &service.module?.file.ports)));
        let option = module.and_then(|(service, ports)| {
            let option = ports.iter().find(|port| port.port.value == listener.port)?.option.as_ref()?;
            Some(format!("`[services.{}] options.{} = …`, to move it", service.name, option.value))
        });
        finding = finding.help(option.unwrap_or_else(|| "another port for one of the two".to_owned()));
        if first.port == 22 && first.service.is_none() {
            finding = finding.help("another `[access.ssh] port`, opened in the firewall before it moves");
        }
        found.report(finding);
    }
}

/// Tells whether two programs cannot run together. Ports that one service has twice are its own affair: a port in the
/// definition may be one that its module lists too.
fn conflict(a: &Listener<'_>, b: &Listener<'_>) -> bool {
    let one_service = match (a.service, b.service) {
        (Some(a), Some(b)) => a.name == b.name,
        (None, None) => a.program == b.program,
        _ => false,
    };
    !one_service && a.port == b.port && a.protocol == b.protocol && a.listen.meets(&b.listen)
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    const FORGE: &str = "kind = 'service'\nsummary = 'x'\nprefix = 'services.gitea'\n\
                         ports = [{ name = 'http', port = 3000, option = 'settings.server.HTTP_PORT', listen-option = 'settings.server.HTTP_ADDR' }]\n";

    fn of(host: &str) -> Vec<String> {
        let files = [
            ("modules/forge/module.toml", FORGE),
            ("modules/other/module.toml", &*FORGE.replace("3000", "3001")),
            ("hosts/a/host.toml", host),
        ];
        said_of("port-conflict", &files)
    }

    #[test]
    fn programs_meet_on_equal_ports_and_protocols_and_on_overlapping_addresses() {
        let two = |options: &str, more: &str| {
            format!(
                "services.forge.kind = 'native'\nservices.other = {{ kind = 'native', options = {{ {options} }}{more} }}\n"
            )
        };
        assert!(of(&two("", "")).is_empty());
        assert_eq!(
            of(&two("settings.server.HTTP_PORT = 3000", "")),
            ["error: `forge` and `other` both listen on tcp port 3000"]
        );
        assert_eq!(of(&two("settings.server.HTTP_PORT = 22", "")).len(), 1);
        assert!(of(&two("settings.server.HTTP_PORT = 3000", ", enable = false")).is_empty());
        assert!(of(&two("", ", ports = [{ port = 3000, proto = 'udp' }]")).is_empty());
        assert_eq!(of(&two("", ", ports = [{ port = 3000, listen = ['::'] }]")).len(), 1);
        let apart = "services.forge = { kind = 'native', options = { settings.server.HTTP_ADDR = '127.0.0.1' } }\n\
                     services.other = { kind = 'native', ports = [{ port = 3000, listen = ['192.0.2.10'] }] }\n";
        assert!(of(apart).is_empty());
        // A service that says its module's port once more.
        assert!(of("services.forge = { kind = 'native', ports = [{ port = 3000, public = true }] }\n").is_empty());
    }
}
