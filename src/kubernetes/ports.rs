//! Ports of the host: who has which, and which are free.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::OnceLock;

use super::context::Cx;
use super::draft::{PortDraft, Protocol, WorkDraft};
use super::reach::{number_of, protocol_of};
use super::tree::Node;

/// The first port that is given to what asked for none: above those that programs like.
pub(super) const FIRST: u16 = 20_000;

/// The ports of containers.
#[derive(Debug, Default)]
pub(super) struct Ports {
    taken: BTreeMap<(Protocol, u16), Vec<String>>,
    /// From [`FIRST`] on, once somebody asked for one.
    free: OnceLock<BTreeMap<Protocol, BTreeSet<u16>>>,
}

impl Ports {
    pub(super) fn take(&mut self, service: &str, port: &PortDraft) {
        let owners = self.taken.entry((port.protocol, port.port)).or_default();
        if !owners.iter().any(|owner| owner == service) {
            owners.push(service.to_owned());
        }
        if let Some(free) = self.free.get_mut().and_then(|free| free.get_mut(&port.protocol)) {
            free.remove(&port.port);
        }
    }

    fn free(&self, protocol: Protocol) -> Option<&BTreeSet<u16>> {
        let free = self.free.get_or_init(|| {
            let of =
                |protocol| (FIRST..=u16::MAX).filter(|port| !self.taken.contains_key(&(protocol, *port))).collect();
            [Protocol::Tcp, Protocol::Udp].map(|protocol| (protocol, of(protocol))).into()
        });
        free.get(&protocol)
    }
}

impl Cx<'_, '_> {
    /// Adds a port to a service.
    pub fn add_port(&mut self, service: &str, port: PortDraft) {
        if let Some(draft) = self.host.services.get_mut(service) {
            self.ports.take(service, &port);
            draft.ports.push(port);
        }
    }

    /// Returns who has a port of the host, as far as `service` cannot have it.
    pub fn owner_of_port(&self, service: &str, protocol: Protocol, port: u16) -> Option<String> {
        let drafted = self.ports.taken.get(&(protocol, port)).into_iter().flatten().map(String::as_str);
        let drafted = drafted.rev().find(|owner| self.is_beside(service, owner));
        let ports = self.spot(service).map_or(&self.target.ports, |spot| &spot.ports);
        let own = || ports.get(&(port, protocol)).filter(|owner| *owner != service).map(String::as_str);
        if let Some(owner) = drafted.or_else(|| self.native_at(service, protocol, port)).or_else(own) {
            return Some(format!("`{owner}`"));
        }
        let known = match (protocol, port) {
            _ if self.is_open(service, port, protocol) => "the host",
            (Protocol::Tcp, 22) => "the host's own ssh",
            (Protocol::Tcp, 80 | 443) => "the host's web server",
            _ => return None,
        };
        Some(known.to_owned())
    }

    /// Returns the first of some ports from [`FIRST`] on that nobody has.
    pub fn free_port(&self, service: &str, protocol: Protocol, among: impl RangeBounds<u16>) -> Option<u16> {
        let mut free = self.ports.free(protocol)?.range(among);
        free.find(|port| self.owner_of_port(service, protocol, **port).is_none()).copied()
    }

    /// Returns the service of a module that listens at a port of the host of a service.
    fn native_at(&self, beside: &str, protocol: Protocol, port: u16) -> Option<&str> {
        let named = self.natives.values().flatten().filter(|name| self.is_beside(beside, name)).find(|name| {
            let Some(WorkDraft::Native(native)) = self.host.services.get(*name).map(|draft| &draft.work) else {
                return false;
            };
            let module = self.target.modules.get(&native.module);
            let mut ports = module.into_iter().flat_map(|module| &module.file.ports);
            ports.any(|known| protocol_of(known) == protocol && number_of(known, &native.options) == port)
        });
        named.map(String::as_str)
    }
}

/// Returns a port, written as a number or as a string of digits.
pub(super) fn port_number(node: &Node<'_>) -> Option<u16> {
    let number = node.int().or_else(|| node.text()?.parse().ok())?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}
