//! What hosts need from others while they start, and who in the fleet brings it.
//!
//! Each thing that comes up names what it needs first; a need is met by any one of those that bring it. What nobody in the fleet
//! brings comes from outside, and is there. What can never come up, were everything switched off at once, waits for itself: that is
//! what [`Start::circles`] finds. Not here: the order of services within a host (`services`), and what is said of it (the rule).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses;
use crate::fleet::schema::interfaces::Interface;
use crate::fleet::schema::machine::Unlock;
use crate::fleet::schema::service_parts::{Protocol, Provision};
use crate::fleet::schema::workloads::Pull;
use crate::resolve::{Resolved, ResolvedHost, ResolvedService};
use crate::source::{Kind, Node, Place};
use crate::units::Mac;

/// What comes up on a host, in the order in which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What<'a> {
    /// Its encrypted disks are open.
    Disks,
    /// An interface has an address that it is given.
    Address(&'a str),
    /// Others reach it.
    Network,
    /// Its clock is right.
    Time,
    /// Names resolve.
    Names,
    /// A service runs.
    Service(&'a str),
}

/// What comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thing<'a> {
    /// On which host.
    pub(super) host: &'a str,
    /// What.
    pub(super) what: What<'a>,
}

/// What has to be there first.
#[derive(Debug, Clone)]
pub(super) struct Need<'a> {
    /// For what.
    pub(super) of: Thing<'a>,
    /// Where the definition says so.
    pub(super) place: Place,
    /// Who brings it, each of them alone.
    pub(super) by: Vec<Thing<'a>>,
}

/// The start of a fleet of which nothing runs.
#[derive(Debug)]
pub(super) struct Start<'a> {
    needs: All<'a>,
}

/// Needs by what has them.
type All<'a> = BTreeMap<Thing<'a>, Vec<Need<'a>>>;

impl<'a> Start<'a> {
    /// Returns what the hosts of a fleet need.
    pub(super) fn of(fleet: &'a Resolved<'a>) -> Self {
        let mut needs = BTreeMap::new();
        let known = Known::of(fleet);
        for host in &fleet.hosts {
            let cx = Needs { known: &known, host };
            // What others of the host build on comes first: a thing that has no needs by then has none at all.
            cx.disks(&mut needs);
            cx.addresses(&mut needs);
            cx.time(&mut needs);
            cx.names(&mut needs);
            for service in host.running() {
                cx.service(service, &mut needs);
            }
        }
        Self { needs }
    }

    /// Returns what waits for itself: needs of which each one's thing brings the one before, that of the first host by name at the
    /// head. What would come up once the circles before it are broken is not told again.
    pub(super) fn circles(&self) -> Vec<Vec<&Need<'a>>> {
        let mut waiting: BTreeSet<Thing<'a>> = self.needs.keys().copied().collect();
        let mut circles = Vec::new();
        loop {
            self.start(&mut waiting);
            let reached: BTreeMap<Thing<'a>, BTreeSet<Thing<'a>>> =
                waiting.iter().map(|thing| (*thing, self.reached(*thing, &waiting))).collect();
            // In a knot everything waits for everything, and for nothing else.
            let is_knot = |all: &BTreeSet<Thing<'a>>| all.iter().all(|other| reached.get(other) == Some(all));
            let knots = reached.iter().filter(|(thing, all)| all.first() == Some(*thing) && is_knot(all));
            let knots: Vec<_> = knots.collect();
            if knots.is_empty() {
                return circles;
            }
            for (first, knot) in knots {
                circles.push(self.circle(*first, knot));
                waiting.retain(|thing| !knot.contains(thing));
            }
        }
    }

    /// Takes from what waits all that comes up.
    fn start(&self, waiting: &mut BTreeSet<Thing<'a>>) {
        loop {
            let waits = |thing: &Thing<'a>| self.unmet(*thing, waiting).next().is_some();
            let still: BTreeSet<Thing<'a>> = waiting.iter().copied().filter(waits).collect();
            if still.len() == waiting.len() {
                return;
            }
            *waiting = still;
        }
    }

    /// Returns the way from a thing of a knot through that knot to where it was before.
    fn circle(&self, first: Thing<'a>, waiting: &BTreeSet<Thing<'a>>) -> Vec<&Need<'a>> {
        let (mut way, mut thing): (Vec<&Need<'a>>, _) = (Vec::new(), first);
        while !way.iter().any(|need| need.of == thing) {
            let Some(need) = self.unmet(thing, waiting).next() else { break };
            way.push(need);
            thing = need.by.first().copied().unwrap_or(thing);
        }
        let from = way.iter().position(|need| need.of == thing).unwrap_or_default();
        let mut circle = way.split_off(from);
        let begin = circle.iter().enumerate().min_by_key(|(_, need)| need.of).map_or(0, |(at, _)| at);
        circle.rotate_left(begin);
        circle
    }

    /// Returns the needs of a thing that only what waits itself could meet.
    fn unmet(&self, thing: Thing<'a>, waiting: &BTreeSet<Thing<'a>>) -> impl Iterator<Item = &Need<'a>> {
        let own = self.needs.get(&thing).into_iter().flatten();
        own.filter(|need| need.by.iter().all(|by| waiting.contains(by)))
    }

    /// Returns everything that a thing waits for.
    fn reached(&self, thing: Thing<'a>, waiting: &BTreeSet<Thing<'a>>) -> BTreeSet<Thing<'a>> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![thing]);
        while let Some(thing) = next.pop() {
            for by in self.unmet(thing, waiting).flat_map(|need| &need.by) {
                if reached.insert(*by) {
                    next.push(*by);
                }
            }
        }
        reached
    }
}

/// Who is who in a fleet.
struct Known<'a> {
    /// Host by address.
    addresses: BTreeMap<IpAddr, &'a str>,
    /// Host by the names that others call it by, those of its virtual hosts too.
    names: BTreeMap<String, &'a str>,
    /// What services bring, by host.
    brought: BTreeMap<&'a str, Vec<(Provision, Thing<'a>)>>,
    /// Who sends keys to encrypted disks, on whichever host.
    unlocking: Vec<Thing<'a>>,
    /// The servers of DHCP whose settings name a network card, by its hardware address in lower case.
    cards: BTreeMap<String, Vec<Thing<'a>>>,
}

impl<'a> Known<'a> {
    fn of(fleet: &'a Resolved<'a>) -> Self {
        let (addresses, names) = (BTreeMap::new(), BTreeMap::new());
        let (brought, unlocking, cards) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut known = Self { addresses, names, brought, unlocking, cards };
        let domain = fleet.fleet.file.fleet.domain.as_ref().map(|domain| domain.as_str());
        for host in &fleet.hosts {
            for (_, address) in addresses::of(host) {
                known.addresses.entry(address.address).or_insert(host.name);
            }
            for name in host.known_as(domain) {
                known.names.entry(name).or_insert(host.name);
            }
            for service in host.running() {
                for vhost in &service.def.vhost.0 {
                    known.names.entry(vhost.name.as_str().to_owned()).or_insert(host.name);
                }
                known.add(host, service);
            }
        }
        known
    }

    fn add(&mut self, host: &'a ResolvedHost<'a>, service: &'a ResolvedService<'a>) {
        let thing = Thing { host: host.name, what: What::Service(service.name) };
        for (provision, _) in provisions(host, service) {
            match &provision {
                Provision::Unlock => self.unlocking.push(thing),
                Provision::Dhcp(_) => {
                    let mut cards = Vec::new();
                    service.def.options().into_iter().for_each(|options| hardware_addresses(options, &mut cards));
                    for card in cards {
                        self.cards.entry(card).or_default().push(thing);
                    }
                }
                Provision::Dns | Provision::Ntp | Provision::Registry => {}
            }
            self.brought.entry(host.name).or_default().push((provision, thing));
        }
    }

    /// Returns the services of a host that bring something.
    fn bring(&self, host: &str, wanted: &Provision) -> Vec<Thing<'a>> {
        let all = self.brought.get(host).into_iter().flatten();
        all.filter(|(provision, _)| provision == wanted).map(|(_, thing)| *thing).collect()
    }
}

/// What one host needs.
struct Needs<'a, 'k> {
    known: &'k Known<'a>,
    host: &'a ResolvedHost<'a>,
}

impl<'a> Needs<'a, '_> {
    fn thing(&self, what: What<'a>) -> Thing<'a> {
        Thing { host: self.host.name, what }
    }

    /// Keys that a service sends, unless somebody sits at the console.
    fn disks(&self, needs: &mut All<'a>) {
        let unlock = &self.host.def.boot.unlock;
        if unlock.value != Unlock::Ssh {
            return;
        }
        let of = self.thing(What::Disks);
        push(needs, of, unlock.place, self.known.unlocking.clone());
    }

    /// Addresses by DHCP, and with them being reached.
    fn addresses(&self, needs: &mut All<'a>) {
        let network = self.thing(What::Network);
        push_own(needs, network, self.host.place, vec![self.thing(What::Disks)]);
        let mut given = Vec::new();
        for (name, interface) in self.host.interfaces() {
            if !interface.dhcp.value.ipv4() || has_ipv4(interface) {
                continue;
            }
            given.push(self.thing(What::Address(name)));
            let of = self.thing(What::Address(name));
            let place = interface.dhcp.place;
            push_own(needs, of, place, vec![self.thing(What::Disks)]);
            push(needs, of, place, self.dhcp_servers(name, interface));
        }
        if addresses::first_static(self.host).is_none() {
            push_own(needs, network, self.host.place, given);
        }
    }

    /// Returns who gives an address to an interface: what serves it on this host, and servers of other hosts that know its card.
    fn dhcp_servers(&self, name: &str, interface: &Interface) -> Vec<Thing<'a>> {
        let own = name.parse().map(|name| self.known.bring(self.host.name, &Provision::Dhcp(name))).unwrap_or_default();
        let card = interface.hardware_address().map(|mac| mac.to_string().to_ascii_lowercase());
        let others = card.and_then(|card| self.known.cards.get(&card)).into_iter().flatten();
        own.into_iter().chain(others.filter(|thing| thing.host != self.host.name).copied()).collect()
    }

    /// The clock, where every server of time is a host of the fleet.
    fn time(&self, needs: &mut All<'a>) {
        let Some(network) = &self.host.def.network else { return };
        let mut by = Vec::new();
        for server in &network.ntp {
            let Some(host) = self.host_called(&server.value.to_string()) else { return };
            if self.known.bring(host, &Provision::Ntp).is_empty() {
                return;
            }
            by.push(Thing { host, what: What::Time });
        }
        let Some(first) = network.ntp.first() else { return };
        push(needs, self.thing(What::Time), first.place, by);
    }

    /// Names, where every name server is another host of the fleet, or this one beside others. One that asks itself alone is told
    /// so by `nameserver-is-self`.
    fn names(&self, needs: &mut All<'a>) {
        let Some(network) = &self.host.def.network else { return };
        let mut by = Vec::new();
        let mut elsewhere = false;
        for server in &network.nameservers {
            let Some(host) = self.host_at(server.value) else { return };
            elsewhere |= host != self.host.name;
            let serving = self.known.bring(host, &Provision::Dns);
            if serving.is_empty() {
                return;
            }
            by.extend(serving);
        }
        if let Some(first) = network.nameservers.first().filter(|_| elsewhere) {
            push(needs, self.thing(What::Names), first.place, by);
        }
    }

    fn service(&self, service: &'a ResolvedService<'a>, needs: &mut All<'a>) {
        let of = self.thing(What::Service(service.name));
        let shared = service.def.container().and_then(|container| container.network_of.as_ref());
        for other in service.def.requires.iter().chain(shared) {
            push(needs, of, other.place, vec![self.thing(What::Service(other.as_str()))]);
        }
        for (provision, place) in provisions(self.host, service) {
            // What gives addresses on an interface has one there itself; others are reached over whatever is up.
            let at = match &provision {
                Provision::Dhcp(on) => self.host.interfaces().find(|(name, _)| *name == on.as_str()),
                _ => None,
            };
            match at {
                Some((name, _)) => push_own(needs, of, place, vec![self.thing(What::Address(name))]),
                None => push_own(needs, of, place, vec![self.thing(What::Network)]),
            }
        }
        let Some(container) = service.def.container().filter(|container| container.pull.value != Pull::Never) else {
            return;
        };
        let place = container.image.place;
        let Some(registry) = container.image.value.registry() else {
            push_own(needs, of, place, vec![self.thing(What::Names)]);
            return;
        };
        if registry.parse::<IpAddr>().is_err() {
            push_own(needs, of, place, vec![self.thing(What::Names)]);
        }
        if let Some(host) = self.host_called(registry) {
            push(needs, of, place, self.known.bring(host, &Provision::Registry));
        }
    }

    /// Returns the host of the fleet that has an address; this one for those that never leave it.
    fn host_at(&self, address: IpAddr) -> Option<&'a str> {
        if address.is_loopback() { Some(self.host.name) } else { self.known.addresses.get(&address).copied() }
    }

    /// Returns the host of the fleet that is meant by a name or an address.
    fn host_called(&self, name: &str) -> Option<&'a str> {
        match name.parse() {
            Ok(address) => self.host_at(address),
            Err(_) if name == "localhost" => Some(self.host.name),
            Err(_) => self.known.names.get(name).copied(),
        }
    }
}

/// Adds a need, unless somebody outside meets it.
fn push<'a>(needs: &mut All<'a>, of: Thing<'a>, place: Place, by: Vec<Thing<'a>>) {
    if !by.is_empty() {
        needs.entry(of).or_default().push(Need { of, place, by });
    }
}

/// Adds a need of things of the same host, whose own needs stand there already: one that has none is there from the start, and meets it.
fn push_own<'a>(needs: &mut All<'a>, of: Thing<'a>, place: Place, by: Vec<Thing<'a>>) {
    if by.iter().all(|thing| needs.contains_key(thing)) {
        push(needs, of, place, by);
    }
}

/// Tells whether an interface has an IPv4 address of its own.
fn has_ipv4(interface: &Interface) -> bool {
    interface.addresses.iter().any(|address| address.address.is_ipv4())
}

/// Returns what a service brings: as it or its module says, else by the UDP ports on which others reach it. What listens on that of
/// DHCP serves the interfaces that have an address of their own, and where there is none those that wait for one.
fn provisions(host: &ResolvedHost<'_>, service: &ResolvedService<'_>) -> Vec<(Provision, Place)> {
    let said = service.provides();
    if !said.is_empty() {
        return said;
    }
    let reached = service.ports.iter().filter(|port| port.protocol == Protocol::Udp && !port.listen.is_loopback());
    let mut all = Vec::new();
    for port in reached {
        match port.port {
            53 => all.push((Provision::Dns, port.place)),
            123 => all.push((Provision::Ntp, port.place)),
            67 => {
                let any_fixed = host.interfaces().any(|(_, interface)| has_ipv4(interface));
                let served = host.interfaces().filter(|(_, interface)| has_ipv4(interface) == any_fixed);
                let names = served.filter_map(|(name, _)| name.parse().ok());
                all.extend(names.map(|name| (Provision::Dhcp(name), port.place)));
            }
            _ => {}
        }
    }
    all
}

/// Collects the hardware addresses that stand anywhere in a value, in lower case.
fn hardware_addresses(node: &Node, all: &mut Vec<String>) {
    match &node.kind {
        Kind::Str(text) => all.extend(text.parse::<Mac>().map(|mac| mac.to_string().to_ascii_lowercase())),
        Kind::List(items) => items.iter().for_each(|item| hardware_addresses(&item.node, all)),
        Kind::Table(table) => table.iter().for_each(|(_, entry)| hardware_addresses(&entry.node, all)),
        _ => {}
    }
}
