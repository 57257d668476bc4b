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
        let Some(service) = listener.service else { continue };
        let port = listener.port;
        let mut finding =
            Finding::at(listener.place, format!("`{}` is open to everybody on port {port}, {what}", service.name))
                .label(format!("listens {}", ports::on(&listener.listen)))
                .why("such ports are found within hours and tried with every known password and flaw");
        let opening = firewall
            .openings
            .iter()
            .find(|opening| opening.protocol == listener.protocol && (opening.first..=opening.last).contains(&port));
        let opened = opening.map(|opening| opening.place).or(firewall.off);
        let by_service = service.def.ports.iter().find(|own| own.port.value == port && own.public.value);
        if let Some(place) = opened.or(by_service.map(|own| own.public.place)) {
            finding = finding.related(place, "lets everybody in");
        }
        let of_module =
            service.module.file.ports.iter().find(|of_module| *of_module.name.value.as_str() == *listener.name);
        if let Some(option) = of_module.and_then(|of_module| of_module.listen_option.as_ref()) {
            finding = finding.help(format!("`[services.{}] options.{} = \"127.0.0.1\"`", service.name, option.value));
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
    let module = &listener.service?.module.file;
    let database = module.state.iter().any(|state| state.kind.value == StateKind::Database);
    match listener.exposure {
        Exposure::Admin => Some("which is for its administrators"),
        Exposure::Local if database => Some("and is a database"),
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
