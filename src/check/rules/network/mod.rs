//! Addresses, routes, ports. These rules know what a definition says of interfaces, firewall and services, and what was
//! probed; what DHCP, router advertisements or own .nix files bring is not known to them.
//!
//! What they guarantee: where something unknown may bring what they miss, they are silent or say that they could not
//! check.

mod address_conflict;
mod address_family_missing;
mod address_invalid;
mod bootstrap_cycle;
mod default_route_missing;
mod dns_mismatch;
mod firewall_disabled;
mod gateway_unreachable;
mod icmp_blocked;
mod interface_name_unpredictable;
mod interface_not_found;
mod link_conflict;
mod listen_address_absent;
mod mtu_mismatch;
mod nameserver_is_self;
mod nameserver_missing;
mod port_conflict;
mod port_not_open;
mod port_open_unused;
mod service_exposed;
mod wireguard_peer_mismatch;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &address_conflict::RULE,
    &address_family_missing::RULE,
    &address_invalid::RULE,
    &bootstrap_cycle::RULE,
    &default_route_missing::RULE,
    &dns_mismatch::RULE,
    &firewall_disabled::RULE,
    &gateway_unreachable::RULE,
    &icmp_blocked::RULE,
    &interface_name_unpredictable::RULE,
    &interface_not_found::RULE,
    &link_conflict::RULE,
    &listen_address_absent::RULE,
    &mtu_mismatch::RULE,
    &nameserver_is_self::RULE,
    &nameserver_missing::RULE,
    &port_conflict::RULE,
    &port_not_open::RULE,
    &port_open_unused::RULE,
    &service_exposed::RULE,
    &wireguard_peer_mismatch::RULE,
];
