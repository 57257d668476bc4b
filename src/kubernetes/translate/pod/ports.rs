//! Ports of containers: those of the node that they take, and how this machine reaches the others.

use super::{Container, Role, Workload};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, PortDraft, Protocol};
use crate::kubernetes::ports::{FIRST, port_number};
use crate::kubernetes::tree::Node;

/// Settles names of ports, `hostPort`, and the ports of a pod that has the network of the host. All ports of a pod are those of its
/// main service, since the others share its network. What only Services lead to is settled with them.
pub(super) fn translate<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>) {
    let owner = if container.role == Role::Init || workload.has_host_network() {
        container.service.as_str()
    } else {
        workload.service.as_str()
    };
    for (index, node) in container.node.list("ports").iter().enumerate() {
        if let Some(name) = node.get("name") {
            cx.books.replaced(name, "the port's number stands wherever its name is used");
        }
        let inside = node.get("containerPort").and_then(port_number);
        let outside = node.get("hostPort").filter(|port| !port.is_null() && port.int() != Some(0));
        let shown = format!("services.{owner}.ports");
        let is_public = outside.is_some() || workload.has_host_network();
        let Some(inside) = inside else {
            if let Some(port) = node.get("containerPort") {
                let text = "this is no port: at which one does it listen?";
                cx.ask(workload.object, port, &container.question(&format!("ports.{index}")), text, false);
            }
            continue;
        };
        if !is_public {
            continue;
        }
        let port = match outside.map(port_number) {
            Some(None) => {
                let text = "this is no port of the host: which one is it?";
                cx.ask(
                    workload.object,
                    outside.unwrap_or(node),
                    &container.question(&format!("ports.{index}")),
                    text,
                    false,
                );
                continue;
            }
            Some(Some(port)) => port,
            None => inside,
        };
        let protocol = match node.str_at("protocol") {
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => {
                let text = "SCTP is not published: does anything use this port?";
                cx.ask(workload.object, node, &container.question(&format!("ports.{index}")), text, false);
                continue;
            }
            _ => Protocol::Tcp,
        };
        let listen = node.get("hostIP").and_then(Node::text).and_then(|text| text.parse::<std::net::IpAddr>().ok());
        let listen = listen.filter(|address| !address.is_unspecified());
        let is_absent = |address: &std::net::IpAddr| {
            let addresses = cx.spot(owner).map_or(&cx.target.addresses, |spot| &spot.addresses);
            !address.is_loopback() && addresses.as_ref().is_some_and(|own| !own.contains(address))
        };
        if let Some(node) = node.get("hostIP").filter(|_| listen.as_ref().is_some_and(is_absent)) {
            let text = "this is no address of the host: at which one should the port be reached?";
            cx.ask(workload.object, node, &container.question(&format!("ports.{index}")), text, false);
            continue;
        }
        let is_local = listen.is_some_and(|address| address.is_loopback());
        let to = (port != inside).then_some(inside);
        let name = node.str_at("name").map(str::to_owned);
        let listen = listen.filter(|address| !address.is_loopback() || address.is_ipv6());
        let draft = PortDraft {
            port,
            to,
            protocol,
            name,
            public: !is_local,
            listen: listen.iter().map(ToString::to_string).collect(),
        };
        let own = |known: &PortDraft| (known.port, known.protocol) == (port, protocol);
        let has_it = cx.host.services.get(owner).is_some_and(|service| service.ports.iter().any(own));
        if let Some(other) = cx.owner_of_port(owner, protocol, port).filter(|_| !has_it) {
            let text =
                format!("port {port} of the host belongs to {other} already: at which one should this be reached?");
            let key = container.question(&format!("ports.{index}"));
            cx.ask(workload.object, outside.or(node.get("containerPort")).unwrap_or(node), &key, text, false);
            continue;
        }
        if !has_it {
            cx.add_port(owner, draft);
        }
        if outside.is_some() {
            cx.books.translated(node, shown);
        } else {
            cx.books.translated_as(node, shown, "the firewall opens it, since everybody reaches it at the node");
        }
    }
}

/// Returns the address and port at which this machine reaches a TCP port of a service's container; one on the loopback address is
/// added where there is none. None where there is no such service.
///
/// Added ports lie between 20000 and 29999: above those that programs like, below those that node ports and the kernel use.
pub fn reach(cx: &mut Cx<'_, '_>, service: &str, inside: u16) -> Option<(String, u16)> {
    let draft = cx.host.services.get(service)?;
    if draft.as_container().is_some_and(|work| work.host_network) {
        return Some(("127.0.0.1".to_owned(), inside));
    }
    if let Some(known) = known(draft, inside) {
        let address = known.listen.iter().find(|address| *address == "127.0.0.1").or_else(|| known.listen.first());
        return Some((address.cloned().unwrap_or_else(|| "127.0.0.1".to_owned()), known.port));
    }
    let first = FIRST + inside % 10_000;
    let free = cx.free_port(service, Protocol::Tcp, first..30_000);
    let port = free.or_else(|| cx.free_port(service, Protocol::Tcp, FIRST..first))?;
    let added =
        PortDraft { port, to: Some(inside), protocol: Protocol::Tcp, name: None, public: false, listen: Vec::new() };
    cx.add_port(service, added);
    Some(("127.0.0.1".to_owned(), port))
}

/// Returns the port of a service that leads to a TCP port of its container.
fn known(draft: &Draft, inside: u16) -> Option<&PortDraft> {
    draft.ports.iter().find(|port| port.protocol == Protocol::Tcp && port.to.unwrap_or(port.port) == inside)
}

/// Tells whether a TCP port of a container is the first of its service.
pub(super) fn is_first(draft: &Draft, inside: u16) -> bool {
    let first = draft.ports.iter().find(|port| port.protocol == Protocol::Tcp);
    first.is_some_and(|port| port.to.unwrap_or(port.port) == inside)
}
