//! What runs on the host, and what serves its virtual hosts.

use crate::fleet::decode::{Cx, Decode, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, DnsName, Name, PackageAttr};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Kind, Node, Spanned};
use crate::units::SocketAddress;

choice! {
    /// The kinds of service.
    pub enum ServiceKind {
        /// A NixOS module, described by a module.toml.
        Native = "native",
    }
}

table! {
    /// A service.
    pub struct Service {
        /// Its kind.
        "kind" => kind: Spanned<ServiceKind>,
        /// Whether it runs.
        "enable" => enable: Setting<bool> = true,
        /// The module that describes it; the one of its own name when absent.
        "module" => module: Option<Spanned<Name>>,
        /// Options below the module's prefix.
        "options" => options: Option<Node>,
        /// A package other than the channel's default.
        "package" => package: Option<Spanned<PackageAttr>>,
        /// Services that start before it.
        "after" => after: Vec<Spanned<Name>>,
        /// Services that it needs; it stops with them.
        "requires" => requires: Vec<Spanned<Name>>,
        /// Ports beyond those of the module.
        "ports" => ports: Vec<Port>,
        /// Virtual hosts that lead to it.
        "vhost" => vhost: OneOrMore<Vhost>,
    }
    later {
        "ready", "health", "state", "limits", "secrets", "environment", "files", "provides", "migrates-from", "image", "command",
        "args", "user", "volumes", "tmpfs", "networks", "hostname", "aliases", "devices", "capabilities", "read-only-root",
        "privileged", "host-network", "stop-timeout", "pull", "registry-login", "init", "shm-size", "sysctls", "root", "source",
        "index", "spa", "cache", "exec", "working-directory", "type", "restart", "packages", "sandbox", "schedule", "persistent",
        "time-zone"
    }
}

choice! {
    /// A transport protocol.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

table! {
    /// A port that a service listens on.
    pub struct Port {
        /// The port.
        "port" => port: Spanned<u16>,
        /// Its protocol.
        "proto" => proto: Setting<Protocol> = Protocol::Tcp,
        /// What it is for.
        "name" => name: Option<Spanned<Name>>,
        /// Addresses it listens on; `127.0.0.1` when empty.
        "listen" => listen: Vec<Spanned<std::net::IpAddr>>,
        /// Whether the firewall opens it.
        "public" => public: Setting<bool> = false,
    }
    later { "to" }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T: Decode> Decode for OneOrMore<T> {
    fn shape() -> Shape {
        Shape::OneOf(vec![T::shape(), Shape::List(Box::new(T::shape()))])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Vec::decode(node, cx).map(Self),
            _ => T::decode(node, cx).map(|one| Self(vec![one])),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

choice! {
    /// How a virtual host gets its certificate.
    pub enum Tls {
        /// From an ACME provider.
        Acme = "acme",
        /// It has none.
        None = "none",
    }
}

table! {
    /// A virtual host.
    pub struct Vhost {
        /// Its DNS name.
        "name" => name: Spanned<DnsName>,
        /// Further names.
        "aliases" => aliases: Vec<Spanned<DnsName>>,
        /// The path below which the service answers.
        "path" => path: Setting<AbsPath> = AbsPath::known("/"),
        /// Port or address it leads to; the first port of the service when absent.
        "to" => to: Option<Spanned<Upstream>>,
        /// How it gets its certificate.
        "tls" => tls: Setting<Tls> = Tls::Acme,
        /// Whether plain HTTP is redirected to HTTPS.
        "redirect" => redirect: Setting<bool> = true,
        /// Whether web sockets pass.
        "websockets" => websockets: Setting<bool> = true,
        /// The largest request body.
        "max-body" => max_body: Option<Spanned<crate::units::Size>>,
    }
    later { "timeout", "auth", "headers" }
}

/// Where a virtual host leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A port on the loopback address.
    Port(u16),
    /// An address and port.
    Address(SocketAddress),
}

impl Decode for Upstream {
    fn shape() -> Shape {
        let address = Scalar { form: "ip:port", json: "string", pattern: None, wanted: "an address and a port" };
        Shape::OneOf(vec![u16::shape(), Shape::Scalar(address)])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Int(_) => u16::decode(node, cx).map(Self::Port),
            _ => SocketAddress::decode(node, cx).map(Self::Address),
        }
    }
}

choice! {
    /// What serves virtual hosts.
    pub enum WebServer {
        /// nginx.
        Nginx = "nginx",
    }
}

table! {
    /// What serves virtual hosts.
    pub struct Web {
        /// The server.
        "server" => server: Setting<WebServer> = WebServer::Nginx,
        /// Address of the ACME account; required by virtual hosts with `tls = "acme"`.
        "acme-email" => acme_email: Option<Spanned<String>>,
    }
    later { "acme-dns" }
}
