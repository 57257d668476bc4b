//! What an interface gets by DHCP, its default gateways and routes.

use std::net::IpAddr;

use crate::fleet::decode::{Cx, Decode, Setting, choice, table};
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node, Spanned};
use crate::units::Cidr;

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
