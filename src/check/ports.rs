//! What listens on a host, and what its firewall lets in.
//!
//! Known are the ssh server, what serves virtual hosts, exporters, and the services with their modules' ports. What a user starts through
//! `[nixos]` or own .nix files is not known here; `nixos::may_listen` tells whether there may be such a thing.

use super::nixos;
use super::phrase::joined;
use crate::fleet::schema::access::Ssh;
use crate::fleet::schema::module_file::Exposure;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::web::{Tls, WebServer as Server};
use crate::resolve::{Listen, ResolvedHost, ResolvedService};
use crate::source::{Kind, Node, Place};

/// A program on a port.
#[derive(Debug, Clone)]
pub(super) struct Listener<'a> {
    /// What it is, for messages.
    pub(super) program: String,
    /// What the port is for; empty of the ssh and the web server.
    pub(super) name: &'a str,
    /// The service, where it is one.
    pub(super) service: Option<&'a ResolvedService<'a>>,
    /// Its port.
    pub(super) port: u16,
    /// The protocol.
    pub(super) protocol: Protocol,
    /// On which addresses it listens.
    pub(super) listen: Listen,
    /// Whom it is for.
    pub(super) exposure: Exposure,
    /// Where it is written.
    pub(super) place: Place,
}

/// Returns what listens on a host: the ssh server, the web server, tunnels, exporters, then the services in the order of the file.
pub(super) fn listeners<'a>(host: &'a ResolvedHost<'a>) -> Vec<Listener<'a>> {
    let mut listeners = Vec::new();
    let ssh = Sshd::of(host);
    if ssh.enabled {
        listeners.push(Listener {
            program: "the ssh server".to_owned(),
            name: "",
            service: None,
            port: ssh.port,
            protocol: Protocol::Tcp,
            listen: ssh.listen,
            exposure: Exposure::Public,
            place: ssh.port_place,
        });
    }
    if let Some(web) = web_server(host) {
        // The same server may be there as a service, whose module has its ports.
        let is_service = |port: u16| {
            host.running()
                .filter(|service| service.module.is_some_and(|module| module.prefix == web.prefix))
                .any(|service| service.ports.iter().any(|own| own.port == port))
        };
        for port in web.ports().into_iter().filter(|port| !is_service(*port)) {
            listeners.push(Listener {
                program: "the web server".to_owned(),
                name: "",
                service: None,
                port,
                protocol: Protocol::Tcp,
                listen: Listen::All,
                exposure: Exposure::Public,
                place: web.place,
            });
        }
    }
    for tunnel in &host.tunnels {
        let Some(port) = &tunnel.wireguard.listen_port else { continue };
        listeners.push(Listener {
            program: format!("`{}`", tunnel.name),
            name: "",
            service: None,
            port: port.value,
            protocol: Protocol::Udp,
            listen: Listen::All,
            exposure: Exposure::Public,
            place: port.place,
        });
    }
    if let Some(monitoring) = &host.def.monitoring {
        listeners.extend(monitoring.exporters().map(|(name, port, place)| Listener {
            program: format!("the {name} exporter"),
            name: "",
            service: None,
            port,
            protocol: Protocol::Tcp,
            listen: Listen::of(monitoring.addresses()),
            exposure: Exposure::Admin,
            place,
        }));
    }
    for service in host.running() {
        for port in &service.ports {
            listeners.push(Listener {
                program: format!("`{}`", service.name),
                name: &port.name,
                service: Some(service),
                port: port.port,
                protocol: port.protocol,
                listen: port.listen.clone(),
                exposure: port.exposure,
                place: port.place,
            });
        }
    }
    listeners
}

/// Says on which addresses something listens.
pub(super) fn on(listen: &Listen) -> String {
    match listen {
        Listen::All => "on every address".to_owned(),
        Listen::Only(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("on {}", joined(&addresses))
        }
    }
}

/// The ssh server as defined, with its defaults.
#[derive(Debug)]
pub(super) struct Sshd {
    /// Whether it runs.
    pub(super) enabled: bool,
    /// Its port.
    pub(super) port: u16,
    /// On which addresses it listens.
    pub(super) listen: Listen,
    /// Where the port is written; of the default the nearest table.
    pub(super) port_place: Place,
    /// Where it is switched on or off; of the default the nearest table.
    pub(super) enable_place: Place,
}

impl Sshd {
    /// Returns the ssh server of a host.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Self {
        let ssh: Option<&Ssh> = host.def.access.as_ref().and_then(|access| access.ssh.as_ref());
        let fallback = host.def.access.as_ref().map_or(host.place, |access| access.place);
        let Some(ssh) = ssh else {
            return Self { enabled: true, port: 22, listen: Listen::All, port_place: fallback, enable_place: fallback };
        };
        let listen = if ssh.listen.is_empty() {
            Listen::All
        } else {
            Listen::of(ssh.listen.iter().map(|address| address.value))
        };
        Self {
            enabled: ssh.enable.value,
            port: ssh.port.value,
            listen,
            port_place: ssh.port.place,
            enable_place: ssh.enable.place,
        }
    }
}

/// What serves the virtual hosts of a host.
#[derive(Debug)]
pub(super) struct WebServer<'a> {
    /// The first virtual host's name.
    pub(super) name: &'a str,
    /// Where that is written.
    pub(super) place: Place,
    /// Whether one of them has a certificate.
    pub(super) tls: bool,
    /// The option prefix of the server.
    pub(super) prefix: &'static str,
}

impl WebServer<'_> {
    /// Returns its ports. Plain HTTP is there with TLS too: it redirects, and ACME's challenge comes to it.
    pub(super) fn ports(&self) -> Vec<u16> {
        if self.tls { vec![80, 443] } else { vec![80] }
    }
}

/// Returns what serves virtual hosts, where there are any.
pub(super) fn web_server<'a>(host: &'a ResolvedHost<'a>) -> Option<WebServer<'a>> {
    let vhosts = || host.running().flat_map(|service| &service.def.vhost.0);
    let first = vhosts().next()?;
    let tls = vhosts().any(|vhost| vhost.tls.value != Tls::None);
    let server = host.def.web.as_ref().map_or(Server::Nginx, |web| web.server.value);
    let prefix = match server {
        Server::Nginx => "services.nginx",
        Server::Caddy => "services.caddy",
    };
    Some(WebServer { name: first.name.as_str(), place: first.name.place, tls, prefix })
}

/// Something that the firewall lets in.
#[derive(Debug, Clone)]
pub(super) struct Opening<'a> {
    /// The first port.
    pub(super) first: u16,
    /// The last port.
    pub(super) last: u16,
    /// The protocol.
    pub(super) protocol: Protocol,
    /// The interface; every one when absent.
    pub(super) interface: Option<&'a str>,
    /// Where it is written.
    pub(super) place: Place,
}

/// From where a port is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// From everywhere.
    Everywhere,
    /// Through these interfaces only.
    Through(Vec<&'a str>),
    /// From nowhere outside.
    Closed,
}

/// The firewall of a host.
#[derive(Debug)]
pub(super) struct Firewall<'a> {
    /// Where it is switched off; none while it is on.
    pub(super) off: Option<Place>,
    /// Its openings, those under `[nixos]` included.
    pub(super) openings: Vec<Opening<'a>>,
    /// Openings that services bring by `public = true`.
    public: Vec<(u16, Protocol)>,
    trusted: Vec<&'a str>,
}

impl<'a> Firewall<'a> {
    /// Returns the firewall of a host.
    pub(super) fn of(host: &'a ResolvedHost<'a>) -> Self {
        let def = host.def.network.as_ref().and_then(|network| network.firewall.as_ref());
        let by_key = def.filter(|firewall| !firewall.enable.value).map(|firewall| firewall.enable.place);
        let by_nix = nixos::switch(host, &["networking", "firewall", "enable"]);
        let off = by_key.or_else(|| by_nix.filter(|(on, _)| !on).map(|(_, node)| node.place));
        let mut openings = Vec::new();
        let mut trusted = Vec::new();
        if let Some(def) = def {
            let mut typed = |interface: Option<&'a str>, list: &'a [crate::source::Spanned<_>], protocol: Protocol| {
                for ports in list {
                    let ports: &crate::source::Spanned<crate::fleet::scalar::Ports> = ports;
                    let (first, last) = (ports.first, ports.last);
                    openings.push(Opening { first, last, protocol, interface, place: ports.place });
                }
            };
            typed(None, &def.tcp, Protocol::Tcp);
            typed(None, &def.udp, Protocol::Udp);
            for (name, of_interface) in def.interfaces.iter() {
                typed(Some(name), &of_interface.tcp, Protocol::Tcp);
                typed(Some(name), &of_interface.udp, Protocol::Udp);
                if of_interface.trusted.value {
                    trusted.push(name.as_str());
                }
            }
        }
        for (option, protocol) in [("allowedTCPPorts", Protocol::Tcp), ("allowedUDPPorts", Protocol::Udp)] {
            let list = nixos::setting(host, &["networking", "firewall", option]).and_then(Node::as_list);
            for item in list.into_iter().flatten() {
                if let Some(port) = port(&item.node) {
                    let place = item.node.place;
                    openings.push(Opening { first: port, last: port, protocol, interface: None, place });
                }
            }
        }
        for (option, protocol) in [("allowedTCPPortRanges", Protocol::Tcp), ("allowedUDPPortRanges", Protocol::Udp)] {
            let list = nixos::setting(host, &["networking", "firewall", option]).and_then(Node::as_list);
            for item in list.into_iter().flatten() {
                let end = |name: &str| item.node.at(&[name]).and_then(port);
                if let (Some(first), Some(last)) = (end("from"), end("to")) {
                    openings.push(Opening { first, last, protocol, interface: None, place: item.node.place });
                }
            }
        }
        let public = host
            .running()
            .flat_map(|service| &service.ports)
            .filter(|port| port.public)
            .map(|port| (port.port, port.protocol))
            .collect();
        Self { off, openings, public, trusted }
    }

    /// Returns from where a port is reached.
    pub(super) fn reach(&self, port: u16, protocol: Protocol) -> Reach<'a> {
        let mut through = self.trusted.clone();
        for opening in &self.openings {
            if opening.protocol == protocol && (opening.first..=opening.last).contains(&port) {
                match opening.interface {
                    None => return Reach::Everywhere,
                    Some(interface) => through.push(interface),
                }
            }
        }
        if self.off.is_some() || self.public.contains(&(port, protocol)) {
            return Reach::Everywhere;
        }
        through.sort_unstable();
        through.dedup();
        if through.is_empty() { Reach::Closed } else { Reach::Through(through) }
    }
}

fn port(node: &Node) -> Option<u16> {
    match node.kind {
        Kind::Int(port) => u16::try_from(port).ok(),
        _ => None,
    }
}
