//! Words by which a service with the network of the host speaks of a container: the host does not know names of podman's networks, so that
//! the container's port is published at the loopback address, and stands in the word.

use super::words::Word;
use super::{Done, joined};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Protocol;
use crate::kubernetes::reach::{Service, publish};

/// Returns what becomes of a word that leads to a container. `beside` is the variable that holds the port, with the port.
pub(super) fn at(
    cx: &mut Cx<'_, '_>,
    word: &Word,
    service: &Service,
    owner: &str,
    beside: Option<(String, u16)>,
) -> Done {
    let only = service.ports.first().filter(|_| service.ports.len() == 1).map(|port| port.port);
    let said = word.port.or(beside.as_ref().map(|(_, port)| *port)).or(word.default_port);
    let number = said.or(only);
    let known = number.and_then(|number| service.ports.iter().find(|port| port.port == number));
    let inside = known.map(|port| (port.target, port.protocol)).or(number.map(|number| (number, Protocol::Tcp)));
    // Who says no port knows which one it is: here it has to be the same.
    let wanted = only.filter(|_| said.is_none());
    let published =
        inside.and_then(|(inside, protocol)| publish(cx, owner, inside, protocol, wanted, false).ok().flatten());
    let Some(port) = published else {
        return Done { to: vec![owner.to_owned()], ..Done::default() };
    };
    let beside = beside.filter(|(_, said)| *said != port).map(|(key, said)| (key, said, port));
    let text = joined("127.0.0.1", word.port, word.default_port, Some(port));
    Done { to: vec![owner.to_owned()], port: Some(port), text: Some(text), beside, ..Done::default() }
}
