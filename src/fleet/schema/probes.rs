//! How it is known that a service answers.

use crate::fleet::decode::{Cx, Decode, Setting, table};
use crate::fleet::scalar::HttpUrl;
use crate::fleet::schema::service_parts::Words;
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Diagnostic, Kind, Node, Place, Spanned};
use crate::units::{SocketAddress, TimeSpan};

table! {
    /// A gate or check: exactly one of `http`, `tcp` and `command`.
    pub struct ProbeTable {
        /// A URL that must answer with a status below 400, or a path at the service's first port.
        "http" => http: Option<Spanned<HttpProbe>>,
        /// A port, or an address and port, that must accept connections.
        "tcp" => tcp: Option<Spanned<TcpProbe>>,
        /// A command that must succeed: one list item is one argument.
        "command" => command: Option<Spanned<Words>>,
        /// How long it may take until it succeeds.
        "timeout" => timeout: Setting<TimeSpan> = TimeSpan::of_seconds(60),
        /// How long to wait between two tries.
        "interval" => interval: Setting<TimeSpan> = TimeSpan::of_seconds(2),
        /// health: how many failures in a row count as one.
        "retries" => retries: Setting<u32> = 3u32,
    }
}

/// A gate that those wait for who come after a service, or a check while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Where its table stands.
    pub place: Place,
    /// What is asked.
    pub kind: ProbeKind,
    /// How long it may take until it succeeds.
    pub timeout: Setting<TimeSpan>,
    /// How long to wait between two tries.
    pub interval: Setting<TimeSpan>,
    /// How many failures in a row count as one.
    pub retries: Setting<u32>,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeKind {
    /// A URL or a path.
    Http(HttpProbe),
    /// A port.
    Tcp(TcpProbe),
    /// A command.
    Command(Words),
}

/// What a probe over HTTP asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpProbe {
    /// A URL.
    Url(HttpUrl),
    /// A path at the service's first port.
    Path(String),
}

impl Decode for HttpProbe {
    fn shape() -> Shape {
        let pattern = Some("^(https?://|/)");
        Shape::Scalar(Scalar {
            form: "url or path",
            json: "string",
            pattern,
            wanted: "a URL, or a path such as `/healthz`",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a URL, or a path at the service's first port, such as `/api/healthz`";
        match node.as_str() {
            Some(path) if path.starts_with('/') => {
                let fits = |c: char| c.is_ascii_graphic() && !"\"\\'`$".contains(c);
                if path.chars().all(fits) {
                    Some(Self::Path(path.to_owned()))
                } else {
                    cx.refused(node.place, path, wanted)
                }
            }
            Some(_) => HttpUrl::decode(node, cx).map(Self::Url),
            None => cx.invalid(node, wanted),
        }
    }
}

/// Where a probe over TCP connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpProbe {
    /// A port on the loopback address.
    Port(u16),
    /// An address and port.
    Address(SocketAddress),
}

impl Decode for TcpProbe {
    fn shape() -> Shape {
        Shape::OneOf(vec![u16::shape(), SocketAddress::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Int(_) => u16::decode(node, cx).map(Self::Port),
            _ => SocketAddress::decode(node, cx).map(Self::Address),
        }
    }
}

impl Decode for Probe {
    fn shape() -> Shape {
        ProbeTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = ProbeTable::decode(node, cx)?;
        let kinds = [
            table.http.map(|http| ProbeKind::Http(http.value)),
            table.tcp.map(|tcp| ProbeKind::Tcp(tcp.value)),
            table.command.map(|command| ProbeKind::Command(command.value)),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return cx.invalid(node, "exactly one of `http`, `tcp` and `command` is wanted");
        };
        let (timeout, interval, retries) = (table.timeout, table.interval, table.retries);
        if interval.value.seconds() == 0 {
            cx.found.push(
                Diagnostic::error("value-invalid", interval.place, format!("{} asks without a pause", cx.route()))
                    .help("`interval = \"2s\"`: a second at least"),
            );
            return None;
        }
        Some(Self { place: table.place, kind, timeout, interval, retries })
    }
}
