//! Interfaces: cards and what is made of them (VLANs, bonds, bridges, wireguard), with addresses and routes.

use crate::fleet::decode::{Cx, Decode, OfKinds, Setting, choice, decode_integer, foreign_keys, lacks, table};
use crate::fleet::scalar::{KernelWord, Name};
use crate::fleet::schema::routes::{Dhcp, Gateway, Route};
use crate::fleet::schema::wireguard::{Peer, Wireguard, WireguardKey};
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Diagnostic, Node, Place, Spanned};
use crate::units::{Cidr, Mac};

choice! {
    /// The kinds of interface.
    pub enum InterfaceKind {
        /// A network card.
        Ethernet = "ethernet",
        /// A tagged network on another interface (IEEE 802.1Q).
        Vlan = "vlan",
        /// Several interfaces as one.
        Bond = "bond",
        /// A switch between interfaces and guests.
        Bridge = "bridge",
        /// An encrypted tunnel.
        Wireguard = "wireguard",
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

choice! {
    /// How a bond uses its members (systemd.netdev(5), `Mode=`).
    pub enum BondMode {
        /// In turn.
        BalanceRr = "balance-rr",
        /// One at a time.
        ActiveBackup = "active-backup",
        /// By a hash of the addresses.
        BalanceXor = "balance-xor",
        /// All at once.
        Broadcast = "broadcast",
        /// LACP: the switch takes part.
        Lacp = "802.3ad",
        /// Outgoing by load.
        BalanceTlb = "balance-tlb",
        /// Both ways by load.
        BalanceAlb = "balance-alb",
    }
}

choice! {
    /// What decides by which member a packet leaves (systemd.netdev(5), `TransmitHashPolicy=`).
    pub enum TransmitHash {
        /// Hardware addresses.
        Layer2 = "layer2",
        /// Addresses and ports.
        Layer34 = "layer3+4",
        /// Hardware addresses and addresses.
        Layer23 = "layer2+3",
        /// As `layer2+3`, of what a tunnel carries.
        Encap23 = "encap2+3",
        /// As `layer3+4`, of what a tunnel carries.
        Encap34 = "encap3+4",
    }
}

/// The number of a VLAN, 1 to 4094 (IEEE 802.1Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VlanId(pub u16);

/// The largest packet of a link in bytes, from what IPv4 needs (RFC 791) to what fits a length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtu(pub u32);

/// Reads whole numbers of a range into a type of their own.
macro_rules! ranged {
    ($($name:ident($type:ty), $form:literal, $range:expr;)*) => {$(
        impl Decode for $name {
            fn shape() -> Shape {
                Shape::Scalar(Scalar { form: $form, json: "integer", pattern: None, wanted: "a whole number" })
            }

            fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
                decode_integer(node, cx, $range).and_then(|value| <$type>::try_from(value).ok()).map(Self)
            }
        }
    )*};
}

ranged! {
    VlanId(u16), "1..4094", 1..=4094;
    Mtu(u32), "int", 68..=65_535;
}

table! {
    /// An interface, in the keys of all kinds.
    pub struct InterfaceTable {
        /// Its kind.
        "kind" => kind: Setting<InterfaceKind> = InterfaceKind::Ethernet,
        /// ethernet, **required**: how the card is recognised.
        "match" => matches: Option<Spanned<Match>>,
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
        "mtu" => mtu: Option<Spanned<Mtu>>,
        /// Hardware address to take instead of its own.
        "mac" => mac: Option<Spanned<Mac>>,
        /// ethernet: kernel module of the card, for the initrd; from the facts when there.
        "driver" => driver: Option<Spanned<KernelWord>>,
        /// vlan, **required**: its number.
        "id" => id: Option<Spanned<VlanId>>,
        /// vlan, **required**: the interface that carries it.
        "link" => link: Option<Spanned<Name>>,
        /// bond (**required**), bridge: the interfaces that it is made of.
        "members" => members: Vec<Spanned<Name>>,
        /// bond: how it uses its members.
        "mode" => mode: Setting<BondMode> = BondMode::Lacp,
        /// bond: what decides by which member a packet leaves.
        "transmit-hash" => transmit_hash: Option<Spanned<TransmitHash>>,
        /// bond: how many members must be up for the bond to be.
        "min-links" => min_links: Option<Spanned<u32>>,
        /// bridge: whether it takes part in the spanning tree protocol.
        "stp" => stp: Setting<bool> = false,
        /// wireguard, **required**: the private key.
        "private-key" => private_key: Option<Spanned<SecretName>>,
        /// wireguard: UDP port; a port of the kernel's choice when absent.
        "listen-port" => listen_port: Option<Spanned<u16>>,
        /// wireguard, **required**: the public key of the private one.
        "public-key" => public_key: Option<Spanned<WireguardKey>>,
        /// wireguard: the other ends.
        "peers" => peers: Vec<Peer>,
    }
}

/// An interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Where its table stands.
    pub place: Place,
    /// Its kind.
    pub kind: Setting<InterfaceKind>,
    /// What is particular to the kind.
    pub link: Link,
    /// Addresses with prefix length.
    pub addresses: Vec<Spanned<Cidr>>,
    /// Default gateways.
    pub gateways: Vec<Spanned<Gateway>>,
    /// Further routes.
    pub routes: Vec<Route>,
    /// Whether DHCP brings addresses.
    pub dhcp: Setting<Dhcp>,
    /// Whether IPv6 router advertisements are accepted.
    pub accept_ra: Option<Spanned<bool>>,
    /// Largest packet in bytes.
    pub mtu: Option<Spanned<Mtu>>,
    /// Hardware address to take instead of its own.
    pub mac: Option<Spanned<Mac>>,
    /// Kernel module of the card.
    pub driver: Option<Spanned<KernelWord>>,
}

/// What is particular to a kind of interface.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// A card.
    Ethernet(Spanned<Match>),
    /// A tagged network.
    Vlan {
        /// Its number.
        id: Spanned<VlanId>,
        /// The interface that carries it.
        link: Spanned<Name>,
    },
    /// Several interfaces as one.
    Bond(Bond),
    /// A switch.
    Bridge {
        /// The interfaces that it joins.
        members: Vec<Spanned<Name>>,
        /// Whether it takes part in the spanning tree protocol.
        stp: Setting<bool>,
    },
    /// An encrypted tunnel.
    Wireguard(Box<Wireguard>),
}

/// What is particular to a bond.
#[derive(Debug, Clone, PartialEq)]
pub struct Bond {
    /// The interfaces that it is made of.
    pub members: Vec<Spanned<Name>>,
    /// How it uses them.
    pub mode: Setting<BondMode>,
    /// What decides by which member a packet leaves.
    pub transmit_hash: Option<Spanned<TransmitHash>>,
    /// How many members must be up.
    pub min_links: Option<Spanned<u32>>,
}

impl Interface {
    /// Returns how the card is recognised; none of what is no card.
    pub fn matches(&self) -> Option<&Spanned<Match>> {
        match &self.link {
            Link::Ethernet(matches) => Some(matches),
            _ => None,
        }
    }

    /// Returns the members of a bond or bridge.
    pub fn members(&self) -> &[Spanned<Name>] {
        match &self.link {
            Link::Bond(bond) => &bond.members,
            Link::Bridge { members, .. } => members,
            _ => &[],
        }
    }

    /// Returns the interfaces that this one stands on: of a VLAN its link, of a bond or bridge the members.
    pub fn stands_on(&self) -> Vec<&Spanned<Name>> {
        match &self.link {
            Link::Vlan { link, .. } => vec![link],
            _ => self.members().iter().collect(),
        }
    }

    /// Returns what is particular to wireguard.
    pub fn wireguard(&self) -> Option<&Wireguard> {
        match &self.link {
            Link::Wireguard(wireguard) => Some(wireguard),
            _ => None,
        }
    }

    /// Returns the hardware address that other machines see, where it is written.
    pub fn hardware_address(&self) -> Option<&Mac> {
        let matched = || match self.matches().map(|matches| &matches.value) {
            Some(Match::Mac(mac)) => Some(mac),
            _ => None,
        };
        self.mac.as_ref().map(|mac| &mac.value).or_else(matched)
    }

    /// Tells whether it leads to every address of a family or both: a gateway, DHCP, or a route to everywhere.
    pub fn leads_out(&self) -> bool {
        !self.gateways.is_empty()
            || self.dhcp.value != Dhcp::Both(false)
            || self.routes.iter().any(|route| route.to.prefix == 0)
    }

    /// Tells whether router advertisements are accepted: as written, else not beside a static IPv6 gateway, and not in tunnels.
    pub fn accepts_ra(&self) -> bool {
        match &self.accept_ra {
            Some(written) => written.value,
            None => self.wireguard().is_none() && !self.gateways.iter().any(|gateway| gateway.via.is_ipv6()),
        }
    }

    /// Tells whether it has, or may get, addresses of a family.
    pub fn may_have(&self, ipv6: bool) -> bool {
        let fixed = self.addresses.iter().any(|address| address.address.is_ipv6() == ipv6);
        fixed || if ipv6 { self.dhcp.ipv6() || self.accepts_ra() } else { self.dhcp.ipv4() }
    }
}

/// The keys that not every kind has, with the kinds that do.
const OF_KINDS: &OfKinds<InterfaceKind> = &[
    ("match", &[InterfaceKind::Ethernet]),
    ("driver", &[InterfaceKind::Ethernet]),
    ("dhcp", &[InterfaceKind::Ethernet, InterfaceKind::Vlan, InterfaceKind::Bond, InterfaceKind::Bridge]),
    ("mac", &[InterfaceKind::Ethernet, InterfaceKind::Vlan, InterfaceKind::Bond, InterfaceKind::Bridge]),
    ("id", &[InterfaceKind::Vlan]),
    ("link", &[InterfaceKind::Vlan]),
    ("members", &[InterfaceKind::Bond, InterfaceKind::Bridge]),
    ("mode", &[InterfaceKind::Bond]),
    ("transmit-hash", &[InterfaceKind::Bond]),
    ("min-links", &[InterfaceKind::Bond]),
    ("stp", &[InterfaceKind::Bridge]),
    ("private-key", &[InterfaceKind::Wireguard]),
    ("listen-port", &[InterfaceKind::Wireguard]),
    ("public-key", &[InterfaceKind::Wireguard]),
    ("peers", &[InterfaceKind::Wireguard]),
];

impl Decode for Interface {
    fn shape() -> Shape {
        InterfaceTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = InterfaceTable::decode(node, cx)?;
        let kind = table.kind.value;
        let foreign = foreign_keys(node, kind, OF_KINDS, "interface", cx);
        let lacks = |key: &str, cx: &mut Cx<'_>| lacks::<InterfaceTable>(key, node.place, cx);
        let link = match kind {
            InterfaceKind::Ethernet => match table.matches {
                Some(matches) => Some(Link::Ethernet(matches)),
                None => {
                    lacks("match", cx);
                    None
                }
            },
            InterfaceKind::Vlan => {
                for (key, there) in [("id", table.id.is_some()), ("link", table.link.is_some())] {
                    if !there {
                        lacks(key, cx);
                    }
                }
                table.id.zip(table.link).map(|(id, link)| Link::Vlan { id, link })
            }
            InterfaceKind::Bond => bond(
                node,
                Bond {
                    members: table.members,
                    mode: table.mode,
                    transmit_hash: table.transmit_hash,
                    min_links: table.min_links,
                },
                cx,
            ),
            InterfaceKind::Bridge => Some(Link::Bridge { members: table.members, stp: table.stp }),
            InterfaceKind::Wireguard => {
                for (key, there) in
                    [("private-key", table.private_key.is_some()), ("public-key", table.public_key.is_some())]
                {
                    if !there {
                        lacks(key, cx);
                    }
                }
                let (listen_port, peers) = (table.listen_port, table.peers);
                table.private_key.zip(table.public_key).map(|(private_key, public_key)| {
                    Link::Wireguard(Box::new(Wireguard { private_key, listen_port, public_key, peers }))
                })
            }
        };
        let link = link.filter(|_| !foreign)?;
        Some(Self {
            place: table.place,
            kind: table.kind,
            link,
            addresses: table.addresses,
            gateways: table.gateways,
            routes: table.routes,
            dhcp: table.dhcp,
            accept_ra: table.accept_ra,
            mtu: table.mtu,
            mac: table.mac,
            driver: table.driver,
        })
    }
}

fn bond(node: &Node, bond: Bond, cx: &mut Cx<'_>) -> Option<Link> {
    if bond.members.is_empty() {
        let place = node.at(&["members"]).map_or(node.place, |members| members.place);
        let message = format!("{} is a bond without members", cx.route());
        let help = "`members = [\"…\", \"…\"]`: the interfaces that the bond is made of";
        cx.found.push(Diagnostic::error("value-invalid", place, message).help(help));
        return None;
    }
    if let Some(least) = bond
        .min_links
        .as_ref()
        .filter(|least| usize::try_from(least.value).is_ok_and(|least| least > bond.members.len()))
    {
        let message = format!("{} wants {} members up and has {}", cx.route(), least.value, bond.members.len());
        let help = "a number up to that of the members; with more the bond never comes up";
        cx.found.push(Diagnostic::error("value-invalid", least.place, message).help(help));
        return None;
    }
    Some(Link::Bond(bond))
}
