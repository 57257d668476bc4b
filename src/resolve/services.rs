//! Services with their modules and the ports that they end up on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reference;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::module_file::{Exposure, ModulePort};
use crate::fleet::schema::services::{Protocol, Service};
use crate::fleet::{Fleet, Host, Module};
use crate::source::{Diagnostic, Diagnostics, Kind, Node, Place, Spanned};

/// A service with its module.
#[derive(Debug)]
pub struct ResolvedService<'f> {
    /// Its name.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Service>,
    /// The module's name.
    pub module_name: &'f str,
    /// The module that describes it.
    pub module: &'f Module,
    /// The ports it listens on.
    pub ports: Vec<ServicePort>,
}

/// On which addresses a port is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On every address.
    All,
    /// On these.
    Only(Vec<IpAddr>),
}

impl Listen {
    /// Tells whether two programs on one port would meet.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Only(a), Self::Only(b)) => a.iter().any(|address| b.contains(address)),
        }
    }

    /// Tells whether it is reached from this machine only.
    pub fn is_loopback(&self) -> bool {
        matches!(self, Self::Only(addresses) if addresses.iter().all(IpAddr::is_loopback))
    }

    /// Returns the listener of a list of addresses; an unspecified address is every address.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses: Vec<IpAddr> = addresses.into_iter().collect();
        if addresses.iter().any(IpAddr::is_unspecified) { Self::All } else { Self::Only(addresses) }
    }
}

/// A port that something listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// What it is for.
    pub name: String,
    /// On which addresses.
    pub listen: Listen,
    /// Whom it is for.
    pub exposure: Exposure,
    /// Whether the firewall opens it.
    pub public: bool,
    /// Where it is written; the service's name when the module alone says it.
    pub place: Place,
}

/// Returns the services of a host with their modules; what nothing defines is reported.
pub(super) fn services<'f>(fleet: &'f Fleet, host: &'f Host, found: &mut Diagnostics) -> Vec<ResolvedService<'f>> {
    let known = &host.def.services;
    let mut services = Vec::new();
    for (name, def) in known.iter() {
        for other in def.after.iter().chain(&def.requires) {
            reference("service", other.as_str(), other.place, known.keys().map(String::as_str), found);
        }
        let (module_name, place) = match &def.module {
            Some(module) => (module.value.as_str(), module.place),
            None => (name.as_str(), def.key),
        };
        let Some(module) = fleet.modules.get(module_name) else {
            let mut modules: Vec<&str> = fleet.modules.keys().map(String::as_str).collect();
            for name in crate::modules::names() {
                modules.push(name);
            }
            let message = format!("there is no service module `{module_name}`");
            let near = crate::source::nearest(module_name, modules);
            let finding = Diagnostic::error("reference-unknown", place, message);
            found.push(match near.first() {
                Some(near) => finding.help(format!("nearest: `{near}`")),
                None => finding.help(format!(
                    "describe it in modules/{module_name}/module.toml, or set its NixOS options under `[nixos]`"
                )),
            });
            continue;
        };
        if module.file.prefix.is_none() {
            let message = format!("the module `{module_name}` is a profile and describes no service");
            let help = "name a service module, or import the profile with `imports`";
            found.push(Diagnostic::error("reference-unknown", place, message).help(help));
            continue;
        }
        let ports = ports(def, &module.file.ports);
        services.push(ResolvedService { name, def, module_name, module, ports });
    }
    services
}

fn ports(def: &Keyed<Service>, of_module: &[ModulePort]) -> Vec<ServicePort> {
    let option = |path: Option<&Spanned<crate::fleet::scalar::OptionPath>>| -> Option<&Node> {
        let route: Vec<&str> = path?.as_str().split('.').collect();
        def.options.as_ref()?.at(&route)
    };
    let mut ports = Vec::new();
    for port in of_module {
        let moved = option(port.option.as_ref());
        let number = moved.and_then(|node| match node.kind {
            Kind::Int(number) => u16::try_from(number).ok(),
            _ => None,
        });
        let address = |node: &Node| node.as_str().and_then(|text| text.parse::<IpAddr>().ok());
        let listen = match option(port.listen_option.as_ref()) {
            // A name or a socket cannot be judged here: the port then counts as local, the form that hurts least.
            Some(node) => Listen::of(address(node).or(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)))),
            None => port.listen.as_ref().map_or(Listen::All, |listen| Listen::of([listen.value])),
        };
        ports.push(ServicePort {
            port: number.unwrap_or(port.port.value),
            protocol: port.proto.value,
            name: port.name.to_string(),
            listen,
            exposure: port.exposure.value,
            public: false,
            place: moved.map_or(def.key, |node| node.place),
        });
    }
    for port in &def.ports {
        let listen = if port.listen.is_empty() && port.public.value {
            Listen::All
        } else if port.listen.is_empty() {
            Listen::Only(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)])
        } else {
            Listen::of(port.listen.iter().map(|address| address.value))
        };
        ports.push(ServicePort {
            port: port.port.value,
            protocol: port.proto.value,
            name: port.name.as_ref().map_or_else(|| def.kind.to_string(), |name| name.to_string()),
            listen,
            exposure: if port.public.value { Exposure::Public } else { Exposure::Local },
            public: port.public.value,
            place: port.port.place,
        });
    }
    ports
}
