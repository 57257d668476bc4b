//! Interfaces, addresses, names, firewall.

use std::net::IpAddr;

use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AddressKey, DnsName, HostId, Name, NameKey, Ports};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Kind, Node, Spanned};
use crate::units::{Cidr, Mac};

table! {
    /// Interfaces, addresses, firewall.
    pub struct Network {
        /// The host id of ZFS; from the host's name when absent.
        "host-id" => host_id: Option<Spanned<HostId>>,
        /// Name servers.
        "nameservers" => nameservers: Vec<Spanned<IpAddr>>,
        /// Domains that short names are looked for in.
        "search" => search: Vec<Spanned<DnsName>>,
        /// Time servers; NixOS's own pool when empty.
        "ntp" => ntp: Vec<Spanned<DnsName>>,
        /// Address -> names, for /etc/hosts.
        "hosts" => hosts: Named<AddressKey, Vec<Spanned<DnsName>>>,
        /// Interfaces that the boot waits for; those with a default route when absent.
        "wait-online" => wait_online: Vec<Spanned<Name>>,
        /// The interfaces, by name.
        "interfaces" => interfaces: Named<NameKey, Interface>,
        /// The firewall.
        "firewall" => firewall: Option<Firewall>,
    }
    later { "names", "nat" }
}

choice! {
    /// The kinds of interface.
    pub enum InterfaceKind {
        /// A network card.
        Ethernet = "ethernet",
    }
}

choice! {
    /// Which addresses DHCP brings.
    pub enum DhcpFamily {
        /// IPv4 only.
        Ipv4 = "ipv4",
        /// IPv6 only.
        Ipv6 = "ipv6",
    }
}

/// Whether and for what DHCP is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dhcp {
    /// For both families, or none.
    Both(bool),
    /// For one family.
    One(DhcpFamily),
}

impl Dhcp {
    /// Tells whether DHCP brings IPv4 addresses.
    pub fn ipv4(self) -> bool {
        matches!(self, Self::Both(true) | Self::One(DhcpFamily::Ipv4))
    }

    /// Tells whether DHCP brings IPv6 addresses.
    pub fn ipv6(self) -> bool {
        matches!(self, Self::Both(true) | Self::One(DhcpFamily::Ipv6))
    }
}

impl crate::fleet::shape::Shown for Dhcp {
    fn shown(self) -> serde_json::Value {
        match self {
            Self::Both(value) => serde_json::Value::Bool(value),
            Self::One(family) => serde_json::Value::from(crate::fleet::decode::Word::word(family)),
        }
    }
}

impl Decode for Dhcp {
    fn shape() -> Shape {
        Shape::OneOf(vec![bool::shape(), DhcpFamily::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Bool(value) => Some(Self::Both(value)),
            Kind::Str(_) => DhcpFamily::decode(node, cx).map(Self::One),
            _ => cx.invalid(node, "`true`, `false`, `\"ipv4\"` or `\"ipv6\"` is wanted"),
        }
    }
}

/// How an interface is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// By its hardware address.
    Mac(Mac),
    /// By its name.
    Name(String),
    /// By the path of its device, as udev's `ID_PATH`.
    Path(String),
}

impl Decode for Match {
    fn shape() -> Shape {
        MatchTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = MatchTable::decode(node, cx)?;
        match (table.mac, table.name, table.path) {
            (Some(mac), None, None) => Some(Self::Mac(mac.value)),
            (None, Some(name), None) => Some(Self::Name(name.value.0)),
            (None, None, Some(path)) => Some(Self::Path(path.value.0)),
            _ => cx.invalid(node, "exactly one of `mac`, `name` and `path` is wanted"),
        }
    }
}

table! {
    /// How an interface is recognised: exactly one of these.
    pub struct MatchTable {
        /// Its hardware address.
        "mac" => mac: Option<Spanned<Mac>>,
        /// Its name, with shell patterns.
        "name" => name: Option<Spanned<DeviceWord>>,
        /// The path of its device, as udev's `ID_PATH`, with shell patterns.
        "path" => path: Option<Spanned<DeviceWord>>,
    }
}

/// A name or path of a device as systemd.link(5) matches it: no spaces, not negated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceWord(pub String);

impl Decode for DeviceWord {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "word",
            json: "string",
            pattern: Some("^[!-~]+$"),
            wanted: "a device's name or path",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a device's name or path is wanted, without spaces, quotes and `%`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let fits = |c: char| c.is_ascii_graphic() && !"\"'\\%$`;".contains(c);
        if !text.is_empty() && text.len() <= 255 && !text.starts_with(['-', '!']) && text.chars().all(fits) {
            Some(Self(text.to_owned()))
        } else {
            cx.refused(node.place, text, wanted)
        }
    }
}

table! {
    /// An interface.
    pub struct Interface {
        /// Its kind.
        "kind" => kind: Setting<InterfaceKind> = InterfaceKind::Ethernet,
        /// How the card is recognised.
        "match" => matches: Spanned<Match>,
        /// Addresses with prefix length.
        "addresses" => addresses: Vec<Spanned<Cidr>>,
        /// Default gateways.
        "gateways" => gateways: Vec<Spanned<Gateway>>,
        /// Further routes.
        "routes" => routes: Vec<Route>,
        /// Whether DHCP brings addresses.
        "dhcp" => dhcp: Setting<Dhcp> = Dhcp::Both(false),
        /// Whether IPv6 router advertisements are accepted; not with a static IPv6 gateway.
        "accept-ra" => accept_ra: Option<Spanned<bool>>,
        /// Largest packet in bytes.
        "mtu" => mtu: Option<Spanned<u32>>,
        /// Hardware address to take instead of its own.
        "mac" => mac: Option<Spanned<Mac>>,
        /// Kernel module of the card, for the initrd.
        "driver" => driver: Option<Spanned<crate::fleet::scalar::KernelWord>>,
    }
    later { "id", "link", "members", "mode", "transmit-hash", "min-links", "stp", "private-key", "listen-port", "public-key", "peers" }
}

/// A default gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub via: IpAddr,
    /// Whether it is reached though no network of the interface holds it.
    pub on_link: bool,
    /// Metric of the route.
    pub metric: Option<u32>,
}

table! {
    /// A default gateway in detail.
    pub struct GatewayTable {
        /// Its address.
        "via" => via: Spanned<IpAddr>,
        /// Whether it is reached though no network of the interface holds it.
        "on-link" => on_link: Setting<bool> = false,
        /// Metric of the route.
        "metric" => metric: Option<Spanned<u32>>,
    }
}

impl Decode for Gateway {
    fn shape() -> Shape {
        Shape::OneOf(vec![IpAddr::shape(), GatewayTable::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Table(_) = node.kind {
            let table = GatewayTable::decode(node, cx)?;
            let metric = table.metric.map(|metric| metric.value);
            return Some(Self { via: table.via.value, on_link: table.on_link.value, metric });
        }
        IpAddr::decode(node, cx).map(|via| Self { via, on_link: false, metric: None })
    }
}

table! {
    /// A route.
    pub struct Route {
        /// The network it leads to.
        "to" => to: Spanned<Cidr>,
        /// The router; none: the network is on the link.
        "via" => via: Option<Spanned<IpAddr>>,
        /// Whether the router is reached though no network of the interface holds it.
        "on-link" => on_link: Setting<bool> = false,
        /// Metric of the route.
        "metric" => metric: Option<Spanned<u32>>,
    }
}

table! {
    /// The firewall (nftables).
    pub struct Firewall {
        /// Whether there is one.
        "enable" => enable: Setting<bool> = true,
        /// Open TCP ports.
        "tcp" => tcp: Vec<Spanned<Ports>>,
        /// Open UDP ports.
        "udp" => udp: Vec<Spanned<Ports>>,
        /// Whether echo requests are answered; neighbour discovery and path MTU messages always pass.
        "icmp" => icmp: Setting<bool> = true,
        /// Openings of single interfaces.
        "interfaces" => interfaces: Named<NameKey, FirewallInterface>,
    }
    later { "rules" }
}

table! {
    /// Openings of one interface.
    pub struct FirewallInterface {
        /// Open TCP ports.
        "tcp" => tcp: Vec<Spanned<Ports>>,
        /// Open UDP ports.
        "udp" => udp: Vec<Spanned<Ports>>,
        /// Whether everything is let in.
        "trusted" => trusted: Setting<bool> = false,
    }
}
