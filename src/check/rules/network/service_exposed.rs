//! A database or a port for administrators that everybody reaches.

use crate::check::addresses;
use crate::check::ports::{self, Firewall, Listener, Reach};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::module_file::{Exposure, StateKind};
use crate::resolve::{Listen, ResolvedHost};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "service-exposed",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a database or admin port is open to everybody",
    doc: include_str!("service_exposed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let firewall = Firewall::of(cx.host);
    for listener in ports::listeners(cx.host) {
        let Some(what) = sensitive(&listener) else { continue };
        if !reaches_out(&listener.listen) || !is_open(cx.host, &firewall, &listener) {
            continue;
        }
        let (port, program) = (listener.port, &listener.program);
        let mut finding = Finding::at(listener.place, format!("{program} is open to everybody on port {port}, {what}"))
            .label(format!("listens {}", ports::on(&listener.listen)))
            .why("such ports are found within hours and tried with every known password and flaw");
        let opening = firewall
            .openings
            .iter()
            .find(|opening| opening.protocol == listener.protocol && (opening.first..=opening.last).contains(&port));
        let opened = opening.map(|opening| opening.place).or(firewall.off);
        let own_ports = listener.service.iter().flat_map(|service| &service.def.ports);
        let by_service = own_ports.into_iter().find(|own| own.port.value == port && own.public.value);
        if let Some(place) = opened.or(by_service.map(|own| own.public.place)) {
            finding = finding.related(place, "lets everybody in");
        }
        let local = match listener.service {
            Some(service) => service.module.and_then(|module| {
                let of_module = module.file.ports.iter().find(|own| *own.name.value.as_str() == *listener.name)?;
                let option = of_module.listen_option.as_ref()?;
                Some(format!("`[services.{}] options.{} = \"127.0.0.1\"`", service.name, option.value))
            }),
            None => Some("an address of an inner network in `[monitoring] listen`".to_owned()),
        };
        if let Some(local) = local {
            finding = finding.help(local);
        }
        found.report(
            finding
                .help(format!("take {port} out of `[network.firewall]`"))
                .help("`[network.firewall.interfaces.NAME]`, to open it on an inner network only"),
        );
    }
}

/// Says why a port is not for everybody; none where it may be.
fn sensitive(listener: &Listener<'_>) -> Option<&'static str> {
    let is_database = || {
        let state = listener.service?.module?.file.state.iter();
        Some(state.map(|state| state.kind.value).any(|kind| kind == StateKind::Database))
    };
    match listener.exposure {
        Exposure::Admin => Some("which is for its administrators"),
        Exposure::Local if is_database() == Some(true) => Some("and is a database"),
        _ => None,
    }
}

/// Tells whether others than this machine and inner networks can address it.
fn reaches_out(listen: &Listen) -> bool {
    match listen {
        Listen::All => true,
        Listen::Only(addresses) => addresses.iter().any(|address| !addresses::is_internal(*address)),
    }
}

/// Tells whether the firewall lets the internet in: on every interface, or on one that has a gateway or a public address.
fn is_open(host: &ResolvedHost<'_>, firewall: &Firewall<'_>, listener: &Listener<'_>) -> bool {
    match firewall.reach(listener.port, listener.protocol) {
        Reach::Everywhere => true,
        Reach::Closed => false,
        Reach::Through(names) => host.interfaces().filter(|(name, _)| names.contains(name)).any(|(_, interface)| {
            let public = interface.addresses.iter().any(|address| !addresses::is_internal(address.address));
            public || !interface.gateways.is_empty()
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn of(exposure: &str, kind: &str, host: &str) -> usize {
        let module = format!(
            "kind = 'service'\nsummary = 'x'\nprefix = 'services.postgresql'\nstate = [{{ path = '/var/lib/x', kind = '{kind}' }}]\n\
             ports = [{{ name = 'sql', port = 5432, listen-option = 'settings.listen_addresses', exposure = '{exposure}' }}]\n"
        );
        said_of("service-exposed", &[("modules/db/module.toml", module.as_str()), ("hosts/a/host.toml", host)]).len()
    }

    #[test]
    fn what_is_not_for_everybody_must_not_be_reached_by_everybody() {
        let host = |options: &str, firewall: &str| {
            format!(
                "services.db = {{ kind = 'native', options = {{ {options} }} }}\nnetwork.firewall = {{ {firewall} }}\n\
                 network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, addresses = ['192.0.2.10/24'], gateways = ['192.0.2.1'] }}\n\
                 network.interfaces.inner = {{ match = {{ mac = '02:00:00:00:00:02' }}, addresses = ['10.0.0.1/24'] }}\n"
            )
        };
        let open = "tcp = [22, '5000-6000']";
        for (exposure, kind, findings) in
            [("local", "database", 1), ("admin", "data", 1), ("local", "data", 0), ("public", "database", 0)]
        {
            assert_eq!(of(exposure, kind, &host("", open)), findings, "{exposure} {kind}");
        }
        let database = |options: &str, firewall: &str| of("local", "database", &host(options, firewall));
        assert_eq!(database("", "tcp = [22]"), 0);
        assert_eq!(database("", "enable = false"), 1);
        assert_eq!(database("settings.listen_addresses = '127.0.0.1'", open), 0);
        assert_eq!(database("settings.listen_addresses = '10.0.0.1'", open), 0);
        assert_eq!(database("", "tcp = [22], interfaces.inner.tcp = [5432]"), 0);
        assert_eq!(database("", "tcp = [22], interfaces.lan.tcp = [5432]"), 1);
        assert_eq!(database("", "tcp = [22], udp = [5432]"), 0);
    }

    #[test]
    fn figures_of_the_machine_are_for_its_administrators() {
        let of = |listen: &str, port: u16| {
            let host = format!(
                "monitoring = {{ node-exporter = true, listen = [{listen}] }}\nnetwork.firewall.tcp = {{ mkForce = [22, {port}] }}\n"
            );
            said_of("service-exposed", &[("hosts/a/host.toml", &host)]).len()
        };
        assert_eq!(of("'0.0.0.0'", 9100), 1);
        assert_eq!(of("'0.0.0.0'", 9134), 0, "another port");
        assert_eq!(of("", 9100), 0, "this machine only");
    }
}
