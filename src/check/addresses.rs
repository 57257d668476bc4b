//! A host's own addresses, as its definition writes them.

use crate::resolve::ResolvedHost;
use crate::source::{Place, Spanned};
use crate::units::Cidr;
pub(super) use crate::units::{is_internal, is_link_local};

/// Returns the static addresses of a host with the interface that each is on, in the order of the file.
pub(super) fn of<'a>(host: &ResolvedHost<'a>) -> impl Iterator<Item = (&'a str, &'a Spanned<Cidr>)> {
    host.interfaces().flat_map(|(name, interface)| interface.addresses.iter().map(move |address| (name, address)))
}

/// Returns the first interface with a static address that other links can reach, and where it is named.
pub(super) fn first_static<'a>(host: &ResolvedHost<'a>) -> Option<(&'a str, Place)> {
    let interfaces = host.def.network.as_ref()?.interfaces.iter();
    let routed = |address: &Spanned<Cidr>| !is_link_local(address.address);
    interfaces
        .filter(|(_, interface)| interface.addresses.iter().any(routed))
        .map(|(name, interface)| (name.as_str(), interface.key))
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_internet_has_no_way_to_are_told_from_those_it_has() {
        let internal = |text: &str| is_internal(text.parse().unwrap());
        for address in
            ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1", "::1"]
        {
            assert!(internal(address), "{address}");
        }
        for address in ["172.32.0.1", "100.128.0.1", "135.181.162.99", "2a01:4f9::1", "192.0.2.1"] {
            assert!(!internal(address), "{address}");
        }
    }
}
