//! The order in which services come back: what others need first.

use crate::fleet::schema::service_parts::Provision;
use crate::resolve::{ResolvedHost, ResolvedService};

/// Returns the running services: names first, then addresses, time, keys and images, then the rest; each behind what it needs.
pub(super) fn by_need<'h, 'f>(host: &'h ResolvedHost<'f>) -> Vec<&'h ResolvedService<'f>> {
    let mut wanted: Vec<&ResolvedService<'f>> = host.running().collect();
    // Stable: among equals the order of the definition stays.
    wanted.sort_by_key(|service| rank(service));
    let mut order = Vec::with_capacity(wanted.len());
    for service in wanted {
        visit(host, service, &mut Vec::new(), &mut order);
    }
    order
}

/// Tells whether others need a service before everything else.
pub(super) fn is_first(service: &ResolvedService<'_>) -> bool {
    rank(service) < LATER
}

/// The rank of what nobody needs to come up.
const LATER: usize = 5;

/// Returns how early others need what a service gives, from 0.
fn rank(service: &ResolvedService<'_>) -> usize {
    let of = |provision: &Provision| match provision {
        Provision::Dns => 0,
        Provision::Dhcp(_) => 1,
        Provision::Ntp => 2,
        Provision::Unlock => 3,
        Provision::Registry => 4,
    };
    service.provides().iter().map(|(provision, _)| of(provision)).min().unwrap_or(LATER)
}

/// Returns the services that one names as needed or as earlier.
pub(super) fn needs<'h, 'f>(host: &'h ResolvedHost<'f>, service: &ResolvedService<'f>) -> Vec<&'h ResolvedService<'f>> {
    let shared = service.def.container().and_then(|container| container.network_of.as_ref());
    let names = service.def.after.iter().chain(&service.def.requires).chain(shared);
    names.filter_map(|name| host.running().find(|other| other.name == name.as_str())).collect()
}

fn visit<'h, 'f>(
    host: &'h ResolvedHost<'f>,
    service: &'h ResolvedService<'f>,
    open: &mut Vec<&'h str>,
    order: &mut Vec<&'h ResolvedService<'f>>,
) {
    if open.contains(&service.name) || order.iter().any(|done| done.name == service.name) {
        return;
    }
    open.push(service.name);
    for need in needs(host, service) {
        visit(host, need, open, order);
    }
    open.pop();
    order.push(service);
}
