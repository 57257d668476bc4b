//! Network addresses in the forms that definitions use.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with its prefix length, `10.0.0.1/24`. The host bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// The address.
    pub address: IpAddr,
    /// The prefix length in bits.
    pub prefix: u8,
}

impl Cidr {
    /// Returns the network of one address alone.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv6() { 128 } else { 32 } }
    }

    /// Returns the network without the host's part: its first address.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            // A mask of 32 bits leaves nothing above them.
            IpAddr::V4(a) => {
                let bits = masked(u128::from(a.to_bits()), self.prefix, 32);
                IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(0)))
            }
            IpAddr::V6(a) => IpAddr::V6(std::net::Ipv6Addr::from_bits(masked(a.to_bits(), self.prefix, 128))),
        };
        Self { address, prefix: self.prefix }
    }

    /// Tells whether every address of another network lies in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Tells whether an address lies in this network.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                masked(u128::from(a.to_bits()), self.prefix, 32) == masked(u128::from(b.to_bits()), self.prefix, 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                masked(a.to_bits(), self.prefix, 128) == masked(b.to_bits(), self.prefix, 128)
            }
            _ => false,
        }
    }

    /// Tells whether the address is the network's own (all host bits 0) in a network that has one.
    pub fn is_network_address(&self) -> bool {
        match self.address {
            IpAddr::V4(a) => {
                self.prefix <= 30 && masked(u128::from(a.to_bits()), self.prefix, 32) == u128::from(a.to_bits())
            }
            IpAddr::V6(a) => self.prefix <= 126 && masked(a.to_bits(), self.prefix, 128) == a.to_bits(),
        }
    }

    /// Tells whether the address is the IPv4 broadcast address of its network.
    pub fn is_broadcast_address(&self) -> bool {
        match self.address {
            IpAddr::V4(a) => {
                self.prefix <= 30 && u64::from(a.to_bits()) | ((1 << (32 - self.prefix)) - 1) == u64::from(a.to_bits())
            }
            IpAddr::V6(_) => false,
        }
    }
}

/// Tells whether an address has a meaning on one link only (RFC 3927, RFC 4291).
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Tells whether the internet has no way to an address: private, shared, link-local and loopback ones (RFC 1918, RFC 6598,
/// RFC 4193).
pub fn is_internal(address: IpAddr) -> bool {
    let shared = |octets: [u8; 4]| matches!(octets, [100, 64..=127, ..]);
    address.is_loopback()
        || is_link_local(address)
        || match address {
            IpAddr::V4(address) => address.is_private() || shared(address.octets()),
            IpAddr::V6(address) => address.is_unique_local(),
        }
}

/// Returns the network part of an address of `width` bits.
fn masked(bits: u128, prefix: u8, width: u8) -> u128 {
    let host = u32::from(width.saturating_sub(prefix));
    bits.checked_shr(host).and_then(|kept| kept.checked_shl(host)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "an address here has its prefix length: `192.0.2.10/24`, `2001:db8::1/64`".to_owned();
        let (address, prefix) = text.split_once('/').ok_or_else(wanted)?;
        let address: IpAddr = address.parse().map_err(|_| wanted())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wanted());
        }
        match prefix.parse::<u8>() {
            Ok(prefix) if prefix <= longest => Ok(Self { address, prefix }),
            _ => Err(format!("the prefix length of such an address is {longest} at most")),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A hardware address, kept in lower case with colons.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(String);

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split([':', '-']).collect();
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if parts.len() == 6 && parts.iter().all(hex) {
            Ok(Self(parts.join(":").to_ascii_lowercase()))
        } else {
            Err("a hardware address is six pairs of hex digits: `a8:a1:59:0f:2d:69`".to_owned())
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host and a port, `192.0.2.1:443`, `[2001:db8::1]:443` or `example.org:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketAddress {
    /// Address or name, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for SocketAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted =
            || "an address and a port are wanted: `192.0.2.1:443`, `[2001:db8::1]:443`, `example.org:443`".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wanted)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| wanted())?.to_string(),
            None if is_host_name(host) => host.to_owned(),
            None => return Err(wanted()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Tells whether a text can be a DNS name or an IPv4 address; such a text never begins with `-`.
pub(crate) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any network of either family.
    fn any_cidr() -> impl Strategy<Value = Cidr> {
        let v4 = (any::<u32>(), 0u8..=32)
            .prop_map(|(bits, prefix)| (IpAddr::from(std::net::Ipv4Addr::from_bits(bits)), prefix));
        let v6 = (any::<u128>(), 0u8..=128)
            .prop_map(|(bits, prefix)| (IpAddr::from(std::net::Ipv6Addr::from_bits(bits)), prefix));
        prop_oneof![v4, v6].prop_map(|(address, prefix)| Cidr { address, prefix })
    }

    /// An address with some of its lower bits turned over: within the network, or next to it.
    fn near(cidr: &Cidr, bits: u128, width: u8) -> IpAddr {
        let flip = bits.checked_shr(u32::from(128 - width.min(128))).unwrap_or(0);
        match cidr.address {
            IpAddr::V4(a) => {
                std::net::Ipv4Addr::from_bits(a.to_bits() ^ u32::try_from(flip & u128::from(u32::MAX)).unwrap()).into()
            }
            IpAddr::V6(a) => std::net::Ipv6Addr::from_bits(a.to_bits() ^ flip).into(),
        }
    }

    proptest! {
        #[test]
        fn a_network_is_its_own_covers_what_it_contains_and_nothing_more(cidr in any_cidr(), bits in any::<u128>(), width in 0u8..=128) {
            let network = cidr.network();
            prop_assert_eq!(network.network(), network);
            prop_assert!(network.covers(&cidr) && cidr.covers(&network), "the host's bits change no network");
            prop_assert!(cidr.contains(network.address) && cidr.contains(cidr.address));
            prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
            let widest = if cidr.address.is_ipv4() { 30 } else { 126 };
            prop_assert!(network.is_network_address() || cidr.prefix > widest);

            let other = near(&cidr, bits, width);
            let alone = Cidr::host(other);
            prop_assert_eq!(cidr.contains(other), cidr.covers(&alone));
            let same = Cidr { address: other, ..cidr }.network() == network;
            prop_assert_eq!(cidr.contains(other), same);
            prop_assert_eq!(alone.covers(&cidr), alone == cidr);
        }

        #[test]
        fn networks_cover_each_other_in_an_order(cidr in any_cidr(), first in 0u8..=128, second in 0u8..=128) {
            let longest = if cidr.address.is_ipv4() { 32 } else { 128 };
            let of = |prefix: u8| Cidr { prefix: prefix.min(longest), ..cidr };
            let (wide, narrow) = (of(first.min(second)), of(first.max(second)));
            prop_assert!(wide.covers(&narrow));
            prop_assert_eq!(narrow.covers(&wide), wide.prefix == narrow.prefix);
        }
    }

    #[test]
    fn a_network_contains_its_addresses_whatever_the_prefix() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(cidr("135.181.162.99/26").contains(ip("135.181.162.65")));
        assert!(!cidr("135.181.162.99/26").contains(ip("135.181.162.129")));
        assert!(cidr("0.0.0.0/0").contains(ip("255.1.2.3")) && cidr("::/0").contains(ip("ff::1")));
        assert!(!cidr("10.0.0.1/32").contains(ip("10.0.0.2")));
        assert!(cidr("10.0.0.0/24").is_network_address() && cidr("10.0.0.255/24").is_broadcast_address());
        assert!(!cidr("10.0.0.0/31").is_network_address() && cidr("0.0.0.0/0").is_network_address());
        for bad in ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/", "x/8", "10.0.0.1/+8", "::1/129"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn words_that_become_arguments_never_begin_with_a_dash() {
        for bad in ["-oProxyCommand=x:22", "a b:1", ":22", "[::1:22", "a:0", "a:99999"] {
            assert!(bad.parse::<SocketAddress>().is_err(), "{bad}");
        }
        assert_eq!("[2001:db8::1]:443".parse::<SocketAddress>().unwrap().to_string(), "[2001:db8::1]:443");
    }
}
