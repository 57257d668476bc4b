//! Services with their modules and the ports that they end up on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reference;
use super::secrets::{CREDENTIAL_STORE, ResolvedSecret};
use super::service_state::{ServiceState, state};
use super::storage::Mount;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::module_file::{Exposure, ModuleFile, ModulePort, ModuleSecret, When};
use crate::fleet::schema::service_parts::{Protocol, Provision, SecretAs, ServiceSecret};
use crate::fleet::schema::services::{Service, Work};
use crate::fleet::schema::workloads::Native;
use crate::fleet::{Fleet, Host};
use crate::source::{Diagnostic, Diagnostics, Kind, Node, Place, Spanned};
use crate::units::{Release, lies_in};

/// A service with what describes it.
#[derive(Debug)]
pub struct ResolvedService<'f> {
    /// Its name.
    pub name: &'f str,
    /// Its definition.
    pub def: &'f Keyed<Service>,
    /// The module that describes it, of a native one.
    pub module: Option<ServiceModule<'f>>,
    /// The ports it listens on.
    pub ports: Vec<ServicePort>,
    /// Its units under systemd without suffix, the one that others wait for first; none of files that a web server hands out.
    pub units: Vec<String>,
    /// Where its state lies, in the order of the module and then of the definition.
    pub state: Vec<ServiceState<'f>>,
}

/// The module of a native service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceModule<'f> {
    /// Its name.
    pub name: &'f str,
    /// What it says.
    pub file: &'f ModuleFile,
    /// The option prefix that it stands on.
    pub prefix: &'f str,
}

impl<'f> ServiceModule<'f> {
    /// Returns what it says of a secret that a service gets, by the key that the service calls it by.
    pub fn secret(self, given: &ServiceSecret) -> Option<&'f ModuleSecret> {
        let key = given.key.as_ref()?.as_str();
        self.file.secrets.iter().find(|known| known.key.as_str() == key)
    }

    /// Returns the name of the option that takes another package.
    pub fn package_option(&self) -> String {
        let named = self.file.package_option.as_ref().map(|option| option.value.to_string());
        named.unwrap_or_else(|| format!("{}.package", self.prefix))
    }
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
pub(super) fn services<'f>(
    fleet: &'f Fleet,
    host: &'f Host,
    mounts: &[Mount<'f>],
    found: &mut Diagnostics,
) -> Vec<ResolvedService<'f>> {
    let known = &host.def.services;
    let mut services: Vec<ResolvedService<'f>> = Vec::new();
    for (name, def) in known.iter() {
        for other in def.after.iter().chain(&def.requires) {
            reference("service", other.as_str(), other.place, known.keys().map(String::as_str), found);
        }
        network_of(host, def, found);
        if let Some(from) = &def.migrates_from {
            let clusters = fleet.file.clusters.keys().map(String::as_str);
            reference("cluster", from.cluster.as_str(), from.cluster.place, clusters, found);
        }
        let module = match def.native() {
            Some(native) => match module(fleet, name, def, native, found) {
                Some(module) => Some(module),
                None => continue,
            },
            None => None,
        };
        let ports = ports(def, module.map_or(&[], |module| &module.file.ports));
        let state = state(def, module, mounts, found);
        let service = ResolvedService { name, def, module, ports, units: units(name, &def.work, module), state };
        secrets(host, &service, found);
        services.push(service);
    }
    services
}

/// Reports a container that shares the network of what has none that could be shared.
fn network_of(host: &Host, def: &Keyed<Service>, found: &mut Diagnostics) {
    let Some(name) = def.container().and_then(|container| container.network_of.as_ref()) else { return };
    let known = &host.def.services;
    reference("service", name.as_str(), name.place, known.keys().map(String::as_str), found);
    let Some(other) = known.get(name.as_str()) else { return };
    let (what, why, help) = match other.container() {
        None => ("is no container", "only containers have a network of their own", "name a container"),
        Some(container) if container.network_of.is_some() => (
            "has no network of its own",
            "it shares that of another container itself",
            "name the container that it names in `network-of`",
        ),
        Some(_) if other.is_oneshot_container() => (
            "runs to its end",
            "it counts as started when it is over, and its network is gone then",
            "name a container that keeps running",
        ),
        Some(_) => return,
    };
    let message = format!("`{}` {what}: its network cannot be shared", name.as_str());
    found.push(
        Diagnostic::error("value-invalid", name.place, message).related(other.key, "the service").why(why).help(help),
    );
}

fn module<'f>(
    fleet: &'f Fleet,
    name: &'f str,
    def: &'f Keyed<Service>,
    native: &'f Native,
    found: &mut Diagnostics,
) -> Option<ServiceModule<'f>> {
    let (name, place) = match &native.module {
        Some(module) => (module.value.as_str(), module.place),
        None => (name, def.key),
    };
    let Some(module) = fleet.modules.get(name) else {
        // What is wrong with it was reported where it stands.
        if fleet.unread_modules.contains(name) {
            return None;
        }
        let mut modules: Vec<&str> = fleet.modules.keys().map(String::as_str).collect();
        for embedded in crate::modules::names() {
            modules.push(embedded);
        }
        let message = format!("there is no service module `{name}`");
        let near = crate::source::nearest(name, modules);
        let finding = Diagnostic::error("reference-unknown", place, message);
        found.push(match near.first() {
            Some(near) => finding.help(format!("nearest: `{near}`")),
            None => finding
                .help(format!("describe it in modules/{name}/module.toml, or set its NixOS options under `[nixos]`")),
        });
        return None;
    };
    let Some(prefix) = &module.file.prefix else {
        let message = format!("the module `{name}` is a profile and describes no service");
        let help = "name a service module, or import the profile with `imports`";
        found.push(Diagnostic::error("reference-unknown", place, message).help(help));
        return None;
    };
    Some(ServiceModule { name, file: &module.file, prefix: prefix.as_str() })
}

/// Reports the secrets without which a service does not start and which nothing gives it. What a NixOS module of the user's own
/// sets is not known.
fn secrets(host: &Host, service: &ResolvedService<'_>, found: &mut Diagnostics) {
    let Some(module) = service.module.filter(|_| service.runs() && host.nix.is_empty()) else { return };
    for secret in module.file.secrets.iter().filter(|secret| secret.required.value) {
        let key = secret.key.as_str();
        let given = service.def.secrets.iter().any(|own| own.key.as_ref().is_some_and(|own| own.as_str() == key));
        let needed = secret.when.as_ref().is_none_or(|when| service.holds(when));
        let route: Vec<&str> = module.prefix.split('.').chain(secret.option.as_str().split('.')).collect();
        let by_nix = host.def.nixos.as_ref().is_some_and(|nixos| nixos.at(&route).is_some());
        if given || !needed || by_nix || service.def.option(secret.option.as_str()).is_some() {
            continue;
        }
        let message = format!("`{}` lacks the secret `{key}`: {}", service.name, secret.about.value);
        let finding = Diagnostic::error("key-missing", service.def.key, message);
        let line = format!("`secrets = [{{ name = \"NAME\", key = \"{key}\" }}]`, with NAME in `[secrets.items]`");
        found.push(finding.label(format!("does not start without `{}`", secret.option.value)).help(line));
    }
}

/// Reports the secrets that a service reads as its own account and that belong to somebody else.
pub(super) fn readers(services: &[ResolvedService<'_>], secrets: &[ResolvedSecret<'_>], found: &mut Diagnostics) {
    for service in services.iter().filter(|service| service.runs()) {
        for given in &service.def.secrets {
            let reader = service.module.and_then(|module| module.secret(given));
            let Some(reader) = reader.and_then(|known| known.read_by.as_ref()) else { continue };
            let Some(secret) = secrets.iter().find(|secret| secret.name == given.name.as_str()) else { continue };
            // A file of its own belongs to the service.
            if given.how.value == SecretAs::File {
                continue;
            }
            // Only root enters the folder in which systemd looks for credentials.
            let closed = lies_in(&secret.path, CREDENTIAL_STORE);
            let for_others = secret.mode.bytes().rev().take(2).any(|digit| digit >= b'4');
            if !closed && (secret.owner == reader.as_str() || for_others) {
                continue;
            }
            let (name, reader) = (secret.name, reader.as_str());
            let message = match closed {
                true => format!("`{}` reads the secret `{name}`, which lies in {CREDENTIAL_STORE}", service.name),
                false => format!("`{}` reads the secret `{name}`, which belongs to `{}`", service.name, secret.owner),
            };
            let path = if closed { format!("path = \"/var/lib/secrets/{name}\", ") } else { String::new() };
            found.push(
                Diagnostic::error("value-invalid", given.name.place, message)
                    .related(secret.place, "the secret")
                    .why(format!("the account `{reader}` reads the file while the service runs"))
                    .help(format!("`[secrets.items]`: `{name} = {{ {path}owner = \"{reader}\" }}`")),
            );
        }
    }
}

/// Returns the units of a service: of a module those it names, else the one that its prefix ends with.
fn units(name: &str, work: &Work, module: Option<ServiceModule<'_>>) -> Vec<String> {
    match work {
        Work::Native(_) => module.map_or_else(Vec::new, |module| {
            let named: Vec<String> = module.file.units.iter().map(|unit| unit.value.0.clone()).collect();
            let own = || vec![module.prefix.rsplit('.').next().unwrap_or(module.prefix).to_owned()];
            if named.is_empty() { own() } else { named }
        }),
        Work::Container(_) => vec![format!("podman-{name}")],
        Work::Command(_) => vec![name.to_owned()],
        Work::Site(_) => Vec::new(),
    }
}

impl ResolvedService<'_> {
    /// Tells whether an option of its module has a value, as set or by default.
    pub fn holds(&self, when: &When) -> bool {
        match self.def.option(when.option.as_str()) {
            Some(node) => match (&node.kind, &when.is.value.0.kind) {
                (Kind::Str(a), Kind::Str(b)) => a == b,
                (Kind::Int(a), Kind::Int(b)) => a == b,
                (Kind::Bool(a), Kind::Bool(b)) => a == b,
                _ => false,
            },
            None => when.default.value,
        }
    }

    /// Returns the nixpkgs attribute that it is made of under a state version: the one that its definition names, else the one that
    /// NixOS takes.
    pub fn package(&self, state_version: Option<Release>) -> Option<&str> {
        if let Some(package) = self.def.native().and_then(|native| native.package.as_ref()) {
            return Some(package.as_str());
        }
        let file = self.module?.file;
        let by_state = file.packages.iter().find(|known| state_version.is_some_and(|state| state >= known.since.value));
        by_state.map(|known| &known.package).or(file.package.as_ref()).map(|package| package.as_str())
    }

    /// Tells whether it runs.
    pub fn runs(&self) -> bool {
        self.def.enable.value
    }

    /// Returns what other machines, or this one's boot, may need from it, each with where that is written: as the definition
    /// says, else as the module, which may read the interfaces of DHCP from an option.
    pub fn provides(&self) -> Vec<(Provision, Place)> {
        let said = |all: &[Spanned<Provision>]| all.iter().map(|one| (one.value.clone(), one.place)).collect();
        let Some(module) = self.module.filter(|_| self.def.provides.is_empty()) else {
            return said(&self.def.provides);
        };
        let mut all: Vec<(Provision, Place)> =
            module.file.provides.iter().map(|one| (one.value.clone(), self.def.key)).collect();
        let interfaces = module.file.dhcp_on.as_ref().and_then(|option| self.def.option(option.as_str()));
        for item in interfaces.and_then(Node::as_list).unwrap_or_default() {
            // Kea takes an interface, or one with the address to answer on: `lan/192.0.2.1`.
            let name = item.node.as_str().and_then(|text| text.split('/').next()?.parse().ok());
            all.extend(name.map(|name| (Provision::Dhcp(name), item.node.place)));
        }
        all
    }
}

/// Returns where a program listens by the value of an option: one address or several, each with a port or without, or whether it
/// does on every one; none where the value leaves that at its default.
fn listens(node: &Node) -> Option<Listen> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match &node.kind {
        Kind::Bool(everywhere) => everywhere.then_some(Listen::All),
        Kind::List(items) => Some(Listen::of(items.iter().filter_map(|item| address(item.node.as_str()?)))),
        // A name or a socket cannot be judged here: the port then counts as local, the form that hurts least.
        _ => Some(match node.as_str().map(|text| text.strip_prefix(':').map_or(text, |_| "::")) {
            Some("" | "*") => Listen::All,
            text => Listen::of(text.and_then(address).or(Some(local))),
        }),
    }
}

/// Reads an address: `127.0.0.1`, `127.0.0.1:80`, `[::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

fn ports(def: &Keyed<Service>, of_module: &[ModulePort]) -> Vec<ServicePort> {
    let option = |path: Option<&Spanned<crate::fleet::scalar::OptionPath>>| def.option(path?.as_str());
    let mut ports = Vec::new();
    for port in of_module {
        let moved = option(port.option.as_ref());
        let number = moved.and_then(|node| match &node.kind {
            Kind::Int(number) => u16::try_from(*number).ok(),
            // An address with its port, such as `localhost:8080`, or the port alone as a variable of the environment has it.
            Kind::Str(text) => text.rsplit(':').next()?.parse().ok(),
            _ => None,
        });
        // A server that is told port 0 does not listen.
        if number == Some(0) {
            continue;
        }
        let by_default = || port.listen.as_ref().map_or(Listen::All, |listen| Listen::of([listen.value]));
        let listen = match option(port.listen_option.as_ref()) {
            Some(node) => listens(node).unwrap_or_else(by_default),
            None => by_default(),
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
