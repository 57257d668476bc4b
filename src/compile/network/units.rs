//! Units of systemd-networkd: what is made (netdevs), what a card is called (links), what an interface is given (networks).
//!
//! The initrd gets the same units of the interfaces that it needs.

use super::super::HostCx;
use super::super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::network::{Bond, Dhcp, Gateway, Interface, Link, Match, Network};
use crate::nix::{Attrs, Value};
use crate::resolve::{DeviceName, named_in_rules};
use crate::source::{Place, Spanned};
use crate::units::Cidr;

/// How often the kernel looks whether a bond's members have a link.
const LINK_CHECK: &str = "100ms";

/// Where the units of one stage of the boot are set.
pub(super) struct Stage<'a> {
    /// The option below which they are.
    pub(super) option: &'static str,
    /// Addresses and gateways of one interface that are other ones in this stage.
    pub(super) instead: Option<Instead<'a>>,
    /// The interfaces that there are; all of them when absent.
    pub(super) only: Option<Vec<&'a str>>,
    /// Those that the boot waits for.
    pub(super) waited: Vec<&'a str>,
}

/// Addresses and gateways that an interface has in place of its own.
pub(super) struct Instead<'a> {
    pub(super) name: &'a str,
    pub(super) addresses: &'a [Spanned<Cidr>],
    pub(super) gateways: &'a [Spanned<Gateway>],
}

impl Stage<'_> {
    fn has(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&name))
    }
}

/// Sets the units of all interfaces of the running system.
pub(super) fn interfaces(cx: &HostCx<'_>, network: &Network, out: &mut Settings) {
    let stage = Stage { option: "systemd.network", instead: None, only: None, waited: super::waits_for(network) };
    for (name, interface) in network.interfaces.iter() {
        unit(cx, &stage, name, interface, interface.key, out);
    }
    let in_rules = named_in_rules(network);
    for (name, interface) in network.interfaces.iter().filter(|(name, _)| in_rules.contains(&name.as_str())) {
        if let (Some(matches), DeviceName::Given(new)) = (interface.matches(), DeviceName::of(name, interface)) {
            let link = Attrs::from_iter([
                ("matchConfig", Value::from(match_config(&matches.value))),
                ("linkConfig", Value::from(Attrs::from_iter([("Name", new)]))),
            ]);
            out.set_below("systemd.network.links", &[&file(name)], link, matches.place);
        }
    }
}

/// Returns the name of an interface's units without ending.
fn file(name: &str) -> String {
    format!("10-{name}")
}

fn match_config(matches: &Match) -> Attrs {
    match matches {
        // The permanent address: VLANs and bridges above the card carry its current one as well.
        Match::Mac(mac) => Attrs::from_iter([("PermanentMACAddress", mac.to_string())]),
        Match::Name(name) => Attrs::from_iter([("Name", name.as_str())]),
        Match::Path(path) => Attrs::from_iter([("Path", path.as_str())]),
    }
}

/// Sets the units of one interface.
pub(super) fn unit(
    cx: &HostCx<'_>,
    stage: &Stage<'_>,
    name: &str,
    interface: &Interface,
    key: Place,
    out: &mut Settings,
) {
    netdev(cx, stage, name, interface, key, out);
    let unit = file(name);
    let option = format!("{}.networks", stage.option);
    let mut set = |path: &[&str], value: Value, place: Place| {
        let path: Vec<&str> = std::iter::once(unit.as_str()).chain(path.iter().copied()).collect();
        out.set_below(&option, &path, value, place);
    };
    match interface.matches() {
        Some(matches) => set(&["matchConfig"], match_config(&matches.value).into(), matches.place),
        None => set(&["matchConfig", "Name"], name.into(), key),
    }
    let master = cx.host.master(name).filter(|(master, _)| stage.has(master));
    if let Some((master, of)) = master {
        let kind = if matches!(of.link, Link::Bond(_)) { "bond" } else { "bridge" };
        set(&[kind], vec![master].into(), of.place);
    }
    let vlans: Vec<&str> = cx.host.vlans_on(name).map(|(vlan, _)| vlan).filter(|vlan| stage.has(vlan)).collect();
    let carries = !vlans.is_empty();
    if carries {
        set(&["vlan"], vlans.into(), key);
    }
    let instead = stage.instead.as_ref().filter(|instead| instead.name == name);
    let own_addresses = instead.map_or(interface.addresses.as_slice(), |instead| instead.addresses);
    let own_gateways = instead.map_or(interface.gateways.as_slice(), |instead| instead.gateways);
    if let Some(first) = own_addresses.first() {
        let addresses: Vec<String> = own_addresses.iter().map(|address| address.value.to_string()).collect();
        set(&["address"], addresses.into(), first.place);
    }
    let plain = |gateway: &&Spanned<Gateway>| !gateway.on_link && gateway.metric.is_none();
    if let Some(first) = own_gateways.iter().find(plain) {
        let gateways: Vec<String> = own_gateways.iter().filter(plain).map(|gateway| gateway.via.to_string()).collect();
        set(&["gateway"], gateways.into(), first.place);
    }
    let routes = routes(cx, name, interface, own_gateways);
    if let Some((_, first)) = routes.first() {
        let first = *first;
        let nested = |route: Attrs| -> Value {
            if cx.spelling.flat_routes() { route.into() } else { Attrs::from_iter([("routeConfig", route)]).into() }
        };
        let routes: Vec<Value> = routes.into_iter().map(|(route, _)| nested(route)).collect();
        set(&["routes"], routes.into(), first);
    }
    let dhcp = match interface.dhcp.value {
        Dhcp::Both(true) => "yes",
        Dhcp::Both(false) => "no",
        other if other.ipv4() => "ipv4",
        _ => "ipv6",
    };
    set(&["networkConfig", "DHCP"], dhcp.into(), interface.dhcp.place);
    // What only carries others takes no address of its own from a network that is not the host's.
    let bare = own_addresses.is_empty() && !interface.leads_out() && interface.accept_ra.is_none();
    let carrier = master.is_some()
        || (bare && (carries || !interface.members().is_empty() || matches!(interface.link, Link::Bridge { .. })));
    let accept = interface.accepts_ra()
        && !carrier
        && !own_gateways.iter().any(|gateway| gateway.via.is_ipv6() && interface.accept_ra.is_none());
    let place = interface.accept_ra.as_ref().map_or(key, |written| written.place);
    set(&["networkConfig", "IPv6AcceptRA"], accept.into(), place);
    if carrier {
        set(&["networkConfig", "LinkLocalAddressing"], "no".into(), key);
    }
    if matches!(interface.link, Link::Bridge { .. }) && !own_addresses.is_empty() {
        // A bridge has no carrier until a guest or a cable is there; services bind to its address before.
        set(&["networkConfig", "ConfigureWithoutCarrier"], true.into(), key);
    }
    let waited = stage.waited.contains(&name);
    set(&["linkConfig", "RequiredForOnline"], if waited { "routable" } else { "no" }.into(), key);
    if let Some(mtu) = &interface.mtu {
        set(&["linkConfig", "MTUBytes"], mtu.value.0.to_string().into(), mtu.place);
    }
    if let Some(mac) = interface.mac.as_ref().filter(|_| interface.matches().is_some()) {
        set(&["linkConfig", "MACAddress"], mac.value.to_string().into(), mac.place);
    }
}

/// Sets the unit that makes an interface; cards are there by themselves.
fn netdev(cx: &HostCx<'_>, stage: &Stage<'_>, name: &str, interface: &Interface, key: Place, out: &mut Settings) {
    if interface.matches().is_some() {
        return;
    }
    let option = format!("{}.netdevs", stage.option);
    let unit = file(name);
    let mut set = |path: &[&str], value: Value, place: Place| {
        let path: Vec<&str> = std::iter::once(unit.as_str()).chain(path.iter().copied()).collect();
        out.set_below(&option, &path, value, place);
    };
    set(&["netdevConfig", "Name"], name.into(), key);
    set(&["netdevConfig", "Kind"], interface.kind.value.word().into(), interface.kind.place);
    if let Some(mac) = &interface.mac {
        set(&["netdevConfig", "MACAddress"], mac.value.to_string().into(), mac.place);
    }
    if let Some(mtu) = &interface.mtu {
        set(&["netdevConfig", "MTUBytes"], mtu.value.0.to_string().into(), mtu.place);
    }
    match &interface.link {
        Link::Ethernet(_) => {}
        Link::Vlan { id, .. } => set(&["vlanConfig", "Id"], i64::from(id.value.0).into(), id.place),
        Link::Bond(bond) => set(&["bondConfig"], bond_config(bond).into(), bond.mode.place),
        Link::Bridge { stp, .. } => set(&["bridgeConfig", "STP"], stp.value.into(), stp.place),
        Link::Wireguard(_) => {
            if let Some(tunnel) = cx.host.tunnels.iter().find(|tunnel| tunnel.name == name) {
                for (section, value) in super::wireguard::sections(cx, tunnel) {
                    set(&[section], value, key);
                }
            }
        }
    }
}

fn bond_config(bond: &Bond) -> Attrs {
    let mut attrs = Attrs::from_iter([("Mode", bond.mode.value.word())]);
    if let Some(hash) = &bond.transmit_hash {
        attrs.set(&["TransmitHashPolicy"], hash.value.word());
    }
    if let Some(least) = &bond.min_links {
        attrs.set(&["MinLinks"], least.value);
    }
    // Without it a member whose cable is out goes on being used.
    attrs.set(&["MIIMonitorSec"], LINK_CHECK);
    attrs
}

/// Returns the routes that are written with a section of their own, with the place of each.
fn routes(cx: &HostCx<'_>, name: &str, interface: &Interface, gateways: &[Spanned<Gateway>]) -> Vec<(Attrs, Place)> {
    let mut routes = Vec::new();
    for gateway in gateways.iter().filter(|gateway| gateway.on_link || gateway.metric.is_some()) {
        routes.push((route(None, Some(gateway.via.to_string()), gateway.on_link, gateway.metric), gateway.place));
    }
    for defined in &interface.routes {
        let via = defined.via.as_ref().map(|via| via.value.to_string());
        let metric = defined.metric.as_ref().map(|metric| metric.value);
        let to = Some(defined.to.value.to_string());
        routes.push((route(to, via, defined.on_link.value, metric), defined.place));
    }
    if let Some(tunnel) = cx.host.tunnels.iter().find(|tunnel| tunnel.name == name) {
        for (to, place) in super::wireguard::routes(tunnel) {
            routes.push((route(Some(to.to_string()), None, false, None), place));
        }
    }
    routes
}

fn route(to: Option<String>, via: Option<String>, on_link: bool, metric: Option<u32>) -> Attrs {
    let mut attrs = Attrs::new();
    if let Some(to) = to {
        attrs.set(&["Destination"], to);
    }
    if let Some(via) = via {
        attrs.set(&["Gateway"], via);
    }
    if on_link {
        attrs.set(&["GatewayOnLink"], true);
    }
    if let Some(metric) = metric {
        attrs.set(&["Metric"], metric);
    }
    attrs
}
