//! Names, time, firewall, address translation; the interfaces are in a file of their own.

use std::net::IpAddr;

use crate::fleet::decode::{Named, Setting, table};
use crate::fleet::scalar::{AddressKey, DnsName, HostId, Name, NameKey, Ports};
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::words::{DnsKey, NftRules, ServerName};
use crate::source::Spanned;
use crate::units::{SocketAddress, TimeSpan};

pub use super::interfaces::{
    Bond, BondMode, DeviceWord, Interface, InterfaceKind, InterfaceTable, Link, Match, MatchTable, Mtu, TransmitHash,
    VlanId,
};
pub use super::routes::{Dhcp, DhcpFamily, Gateway, GatewayTable, Route};
pub use super::wireguard::{Peer, PeerEnd, PeerTable, Wireguard, WireguardKey};

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
        "ntp" => ntp: Vec<Spanned<ServerName>>,
        /// Address -> names, for /etc/hosts.
        "hosts" => hosts: Named<AddressKey, Vec<Spanned<DnsName>>>,
        /// Interfaces that the boot waits for; those with a default route when absent.
        "wait-online" => wait_online: Vec<Spanned<Name>>,
        /// The interfaces, by name.
        "interfaces" => interfaces: Named<NameKey, Interface>,
        /// Public DNS names that this host serves, by name.
        "names" => names: Named<DnsKey, PublicName>,
        /// The firewall.
        "firewall" => firewall: Option<Firewall>,
        /// Address translation for networks behind this host.
        "nat" => nat: Option<Nat>,
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
        /// Further rules of nftables, for what comes in and is not let in yet.
        "rules" => rules: Option<Spanned<NftRules>>,
    }
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

table! {
    /// A public DNS name that this host serves.
    pub struct PublicName {
        /// The address that it points to; the host's own when absent.
        "address" => address: Option<Spanned<IpAddr>>,
        /// How long resolvers keep it.
        "ttl" => ttl: Option<Spanned<TimeSpan>>,
        /// Where it points before a migration.
        "from" => from: Option<Spanned<IpAddr>>,
    }
}

table! {
    /// Address translation for networks behind this host.
    pub struct Nat {
        /// The interface that leads out.
        "external" => external: Spanned<Name>,
        /// The interfaces of the networks behind.
        "internal" => internal: Vec<Spanned<Name>>,
        /// Ports that are handed on to machines behind.
        "forward" => forward: Vec<Forward>,
    }
}

table! {
    /// A port that is handed on to a machine behind.
    pub struct Forward {
        /// Its protocol.
        "proto" => proto: Setting<Protocol> = Protocol::Tcp,
        /// The port outside.
        "port" => port: Spanned<u16>,
        /// Address and port inside.
        "to" => to: Spanned<SocketAddress>,
    }
}
