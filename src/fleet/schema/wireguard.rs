//! Wireguard: the keys of an interface and its other ends.

use crate::fleet::decode::{Cx, Decode, table};
use crate::fleet::scalar::Name;
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Diagnostic, Node, Place, Spanned};
use crate::units::{Cidr, SocketAddress, TimeSpan};

/// What is particular to a wireguard interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Wireguard {
    /// The private key, by the name of its secret.
    pub private_key: Spanned<SecretName>,
    /// UDP port; one of the kernel's choice when absent.
    pub listen_port: Option<Spanned<u16>>,
    /// The public key of the private one.
    pub public_key: Spanned<WireguardKey>,
    /// The other ends.
    pub peers: Vec<Peer>,
}

/// A public key of wireguard: 32 bytes in Base64 (wg(8)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireguardKey(String);

impl WireguardKey {
    /// Returns the key in Base64.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for WireguardKey {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "wg key",
            json: "string",
            pattern: Some("^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"),
            wanted: "a public key of wireguard, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a public key of wireguard is 32 bytes in Base64, 44 characters with `=` at the end: what `wg pubkey` prints";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if is_key(text) { Some(Self(text.to_owned())) } else { cx.refused(node.place, text, wanted) }
    }
}

/// Tells whether a text is 32 bytes in Base64, as keys of wireguard are written.
pub(crate) fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |b: &u8| b.is_ascii_alphanumeric() || *b == b'+' || *b == b'/';
    // The last character before the padding carries four bits, so two of its six are 0.
    let last = |b: &u8| b"AEIMQUYcgkosw048".contains(b);
    matches!(bytes, [front @ .., end, b'='] if front.len() == 42 && front.iter().all(fits) && last(end))
}

table! {
    /// The other end of a wireguard interface: a host of the fleet, or any other by its key.
    pub struct PeerTable {
        /// The host at the other end: key, endpoint and addresses are read from its definition.
        "host" => host: Option<Spanned<Name>>,
        /// That host's interface; of the same name as here when absent.
        "interface" => interface: Option<Spanned<Name>>,
        /// The public key of an end that is no host of the fleet.
        "public-key" => public_key: Option<Spanned<WireguardKey>>,
        /// Where the other end is reached; of a host of the fleet instead of what follows from its definition.
        "endpoint" => endpoint: Option<Spanned<SocketAddress>>,
        /// The networks behind the other end; of a host of the fleet beside its own addresses.
        "allowed-ips" => allowed_ips: Vec<Spanned<Cidr>>,
        /// A further key that both ends share.
        "preshared-key" => preshared_key: Option<Spanned<SecretName>>,
        /// How often a packet keeps the way through a NAT open.
        "keepalive" => keepalive: Option<Spanned<TimeSpan>>,
    }
}

/// The other end of a wireguard interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// Where its table stands.
    pub place: Place,
    /// Who it is.
    pub end: PeerEnd,
    /// Where it is reached, as written.
    pub endpoint: Option<Spanned<SocketAddress>>,
    /// The networks behind it, as written.
    pub allowed_ips: Vec<Spanned<Cidr>>,
    /// A further key that both ends share.
    pub preshared_key: Option<Spanned<SecretName>>,
    /// How often a packet keeps the way open; 1 to 65535 seconds.
    pub keepalive: Option<Spanned<u16>>,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEnd {
    /// A host of the fleet.
    Host {
        /// The host.
        host: Spanned<Name>,
        /// Its interface, where it has another name than the one here.
        interface: Option<Spanned<Name>>,
    },
    /// Somebody else, by the public key.
    Key(Spanned<WireguardKey>),
}

impl Decode for Peer {
    fn shape() -> Shape {
        PeerTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = PeerTable::decode(node, cx)?;
        let end = match (table.host, table.public_key) {
            (Some(host), None) => PeerEnd::Host { host, interface: table.interface },
            (None, Some(_)) if table.interface.is_some() => {
                return cx.invalid(
                    node,
                    "`interface` belongs to `host`; an end with a `public-key` is no host of the fleet",
                );
            }
            (None, Some(key)) => PeerEnd::Key(key),
            _ => {
                return cx.invalid(
                    node,
                    "exactly one of `host` (a host of the fleet) and `public-key` (somebody else) is wanted",
                );
            }
        };
        if matches!(end, PeerEnd::Key(_)) && table.allowed_ips.is_empty() {
            let message = format!("{} lacks the key `allowed-ips`", cx.route());
            let help = "add `allowed-ips`: the addresses of the other end; without them nothing is sent to it or taken from it";
            cx.found.push(Diagnostic::error("key-missing", node.place, message).help(help));
            return None;
        }
        let keepalive = match &table.keepalive {
            None => None,
            Some(span) => match u16::try_from(span.seconds()) {
                Ok(seconds) if seconds > 0 => Some(Spanned::new(seconds, span.place)),
                _ => {
                    return cx.refused(
                        span.place,
                        &span.value.to_string(),
                        "a time span from 1 second to 65535 seconds is wanted; 25 seconds are usual",
                    );
                }
            },
        };
        Some(Self {
            place: table.place,
            end,
            endpoint: table.endpoint,
            allowed_ips: table.allowed_ips,
            preshared_key: table.preshared_key,
            keepalive,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_whole_or_none() {
        assert!(is_key("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="));
        for bad in [
            "",
            "=",
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D=",
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=",
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZq\n8Dg=",
        ] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
