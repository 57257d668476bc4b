//! What rules about services share: who waits for whom, and which state must last.

use crate::fleet::schema::module_file::StateKind;
use crate::resolve::{ResolvedHost, ResolvedService, ServiceState};
use crate::source::Place;

/// A service that comes after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dependency<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) place: Place,
}

/// Returns which running service names which other one in `after`, `requires` and `network-of`, by name: what is said of a cycle must not depend
/// on the order of the file.
pub(super) fn dependencies<'a>(host: &'a ResolvedHost<'a>) -> Vec<Dependency<'a>> {
    let running = || host.running();
    let mut all: Vec<Dependency<'_>> = running()
        .flat_map(|service| {
            let shared = service.def.container().and_then(|container| container.network_of.as_ref());
            let names = service.def.after.iter().chain(&service.def.requires).chain(shared);
            names.map(move |name| Dependency { from: service.name, to: name.as_str(), place: name.place })
        })
        .filter(|edge| running().any(|service| service.name == edge.to))
        .collect();
    all.sort_by_key(|edge| (edge.from, edge.to));
    all
}

/// Returns the state of running services that must last: neither a cache nor what can be made again.
pub(super) fn kept_state<'a>(
    host: &'a ResolvedHost<'a>,
) -> impl Iterator<Item = (&'a ResolvedService<'a>, &'a ServiceState<'a>)> {
    let running = host.running();
    let all = running.flat_map(|service| service.state.iter().map(move |state| (service, state)));
    all.filter(|(_, state)| !state.rebuildable && state.kind != StateKind::Cache)
}
