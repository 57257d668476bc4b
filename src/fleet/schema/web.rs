//! Virtual hosts, and what serves them.

use super::service_parts::OneOrMore;
use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, DnsName, HeaderKey, Name};
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Kind, Node, Spanned};
use crate::units::{Cidr, Size, SocketAddress, TimeSpan};

/// How a virtual host gets its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// From an ACME provider.
    Acme,
    /// It has none: plain HTTP.
    None,
    /// One that the host makes and signs itself when it first starts.
    SelfSigned,
    /// Its own.
    Files(Certificate),
}

table! {
    /// A certificate and its key, by paths on the host.
    pub struct CertificateTable {
        /// The certificate with its chain.
        "certificate" => certificate: Spanned<AbsPath>,
        /// The private key.
        "key" => key: Spanned<SecretName>,
    }
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate with its chain.
    pub certificate: AbsPath,
    /// The private key.
    pub key: Spanned<SecretName>,
}

choice! {
    /// How a virtual host gets its certificate.
    enum TlsWord {
        Acme = "acme",
        None = "none",
        SelfSigned = "self",
    }
}

impl Decode for Tls {
    fn shape() -> Shape {
        Shape::OneOf(vec![TlsWord::shape(), CertificateTable::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if matches!(node.kind, Kind::Table(_)) {
            let table = CertificateTable::decode(node, cx)?;
            let (certificate, key) = (table.certificate.value, table.key);
            return Some(Self::Files(Certificate { certificate, key }));
        }
        Some(match TlsWord::decode(node, cx)? {
            TlsWord::Acme => Self::Acme,
            TlsWord::None => Self::None,
            TlsWord::SelfSigned => Self::SelfSigned,
        })
    }
}

impl std::fmt::Display for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Acme => "acme",
            Self::None => "none",
            Self::SelfSigned => "self",
            Self::Files(_) => "{ certificate, key }",
        })
    }
}

table! {
    /// A virtual host.
    pub struct Vhost {
        /// Its DNS name.
        "name" => name: Spanned<DnsName>,
        /// Further names.
        "aliases" => aliases: Vec<Spanned<DnsName>>,
        /// The path at and below which the service answers: `/git` is about `/git/x` and not about `/github`.
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
        "max-body" => max_body: Option<Spanned<Size>>,
        /// How long the service may take for an answer.
        "timeout" => timeout: Option<Spanned<TimeSpan>>,
        /// Who may enter: a secret that holds lines of htpasswd(1).
        "auth" => auth: Option<Spanned<SecretName>>,
        /// Networks whose addresses may enter; everybody when empty.
        "allow" => allow: Vec<Spanned<Cidr>>,
        /// Headers that every answer gets.
        "headers" => headers: Named<HeaderKey, Spanned<String>>,
    }
}

impl Vhost {
    /// Returns its names: its own, then the further ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(|name| name.as_str())
    }
}

/// The virtual hosts of a service.
pub type Vhosts = OneOrMore<Vhost>;

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
        /// Caddy.
        Caddy = "caddy",
    }
}

table! {
    /// What serves virtual hosts.
    pub struct Web {
        /// The server.
        "server" => server: Setting<WebServer> = WebServer::Nginx,
        /// Address of the ACME account; required by virtual hosts with `tls = "acme"`.
        "acme-email" => acme_email: Option<Spanned<String>>,
        /// Proves names to the ACME provider through DNS instead of over port 80.
        "acme-dns" => acme_dns: Option<Spanned<AcmeDns>>,
    }
}

table! {
    /// Proving names through DNS.
    pub struct AcmeDns {
        /// The provider, as lego calls it.
        "provider" => provider: Spanned<Name>,
        /// A secret with the provider's variables, a line each: `NAME=value`.
        "credentials" => credentials: Spanned<SecretName>,
    }
}
