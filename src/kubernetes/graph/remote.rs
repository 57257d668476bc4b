//! Words by which a service speaks of one on another host: the other one's port is published at an address of a network that both hosts
//! have, opened there alone, and the name stands for that address where it is said.

use super::words::Word;
use super::{Done, joined};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{PortDraft, Protocol};
use crate::kubernetes::reach::{Leads, Service, is_on_host, listed, listen_everywhere, publish, real_port};
use crate::kubernetes::spread::Way;

/// Returns what becomes of a word by which `from` speaks of `owner`, on another host. `beside` is the variable that holds the port,
/// with the port.
pub(super) fn at(
    cx: &mut Cx<'_, '_>,
    word: &Word,
    service: &Service,
    (from, owner): (&str, &str),
    beside: Option<(String, u16)>,
) -> Done {
    let unknown = || Done { to: vec![owner.to_owned()], ..Done::default() };
    let (Some(here), Some(there)) = (cx.host_of(from), cx.host_of(owner)) else { return unknown() };
    let Some(way) = cx.spot(owner).and_then(|spot| spot.ways.get(here)) else {
        ask_way(cx, service, word, (from, here), (owner, there));
        return unknown();
    };
    let only = service.ports.first().filter(|_| service.ports.len() == 1).map(|port| port.port);
    let said = word.port.or(beside.as_ref().map(|(_, port)| *port)).or(word.default_port);
    let Some(number) = said.or(only) else { return unknown() };
    let known = service.ports.iter().find(|port| port.port == number);
    let (inside, protocol) = known.map_or((number, Protocol::Tcp), |port| (port.target, port.protocol));
    // Who says no port knows which one it is: here it has to be the same.
    let wanted = if said.is_none() { only } else { None };
    let Some(port) = opened(cx, owner, (inside, protocol), wanted, way) else { return unknown() };
    let (known, address) = (word.spelled.trim_end_matches('.').to_owned(), way.address.to_string());
    if is_on_host(cx, from) {
        let names = cx.of_host_of(from).hosts.entry(address.clone()).or_default();
        if !names.contains(&known) {
            names.push(known.clone());
        }
    }
    let beside = beside.filter(|(_, said)| *said != port).map(|(key, said)| (key, said, port));
    Done {
        to: vec![owner.to_owned()],
        port: Some(port),
        text: Some(joined(&word.spelled, word.port, word.default_port, Some(port))),
        host: vec![(known, address)],
        beside,
        ..Done::default()
    }
}

/// Lets another host reach a port of a service, and returns which one that is.
fn opened(
    cx: &mut Cx<'_, '_>,
    owner: &str,
    (inside, protocol): (u16, Protocol),
    wanted: Option<u16>,
    way: &Way,
) -> Option<u16> {
    let port = if is_on_host(cx, owner) {
        let port = real_port(cx, owner, inside, protocol);
        listen_everywhere(cx, owner, port);
        (wanted.is_none_or(|wanted| wanted == port)).then_some(port)?
    } else {
        publish(cx, owner, inside, protocol, wanted, false).ok().flatten()?
    };
    let draft = cx.host.services.get_mut(owner)?;
    let is_port = |own: &&mut PortDraft| own.port == port && own.protocol == protocol;
    let drafted = draft.ports.iter_mut().find(is_port);
    if drafted.as_ref().is_some_and(|own| own.public) {
        return Some(port);
    }
    if let Some(own) = drafted {
        if own.listen.is_empty() {
            own.listen.push("127.0.0.1".to_owned());
        }
        let address = way.address.to_string();
        if !own.listen.contains(&address) {
            own.listen.push(address);
        }
    }
    let open = cx.of_host_of(owner).open_on.entry(way.interface.clone()).or_default();
    if !open.contains(&(port, protocol)) {
        open.push((port, protocol));
    }
    Some(port)
}

/// Asks how one host reaches the other: nothing is sent through networks that others listen to.
fn ask_way(
    cx: &mut Cx<'_, '_>,
    service: &Service,
    word: &Word,
    (from, here): (&str, &str),
    (owner, there): (&str, &str),
) {
    let world = cx.world;
    let Some(object) = world.object(service.object) else { return };
    let node = object.tree().at(&["metadata", "name"]).unwrap_or(object.tree());
    let text = format!(
        "`{from}` on `{here}` speaks with `{owner}` on `{there}` by the name `{}`, and these hosts have no network of their own: a tunnel \
         between them (`kind = \"wireguard\"`), or both services on one host (`answers = {{ \"host\" = \"{there}\" }}` of the one that moves)?",
        word.spelled
    );
    cx.ask(object, node, &format!("way-{here}-{there}"), text, true);
}

/// Asks whether services speak, in a secret, of one on another host: secrets are never looked into, so that nothing was made for it.
pub(super) fn ask_secrets(cx: &mut Cx<'_, '_>, known: &[super::Edge]) {
    if cx.target.spread.placed.is_empty() {
        return;
    }
    let speakers = super::in_secret(cx);
    let services: Vec<((String, String), Service)> =
        cx.reach.services.iter().map(|(id, service)| (id.clone(), service.clone())).collect();
    let world = cx.world;
    for ((namespace, name), service) in services {
        let Leads::To(owners) = &service.leads else { continue };
        let (Some(owner), Some(object)) = (owners.first(), world.object(service.object)) else { continue };
        let Some(there) = cx.host_of(owner).filter(|_| super::is_store(cx, owner)) else { continue };
        let is_far = |speaker: &&String| {
            cx.host_of(speaker).is_some_and(|here| here != there)
                && !known.iter().any(|edge| edge.from == **speaker && edge.to == *owner)
        };
        let far: Vec<&String> = speakers.get(&namespace).into_iter().flatten().filter(is_far).collect();
        if far.is_empty() {
            continue;
        }
        let text = format!(
            "`{name}` is on `{there}`, and {} on another host may speak of it in a secret: if so, both belong on one host \
             (the answer `host` of one of them)",
            listed(far)
        );
        let node = object.tree().at(&["metadata", "name"]).unwrap_or(object.tree());
        cx.ask(object, node, "spoken-of-elsewhere", text, false);
    }
}
