//! Endpoints and EndpointSlice: where a Service without a selector leads, or what Kubernetes found out itself.

use std::net::IpAddr;

use super::service::address;
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::ports::port_number;
use crate::kubernetes::tree::Node;
use crate::kubernetes::world::World;

pub(super) static ENDPOINTS: Translator = Translator { kind: "Endpoints", groups: &[""], stage: Stage::Routes, run };
pub(super) static ENDPOINT_SLICE: Translator =
    Translator { kind: "EndpointSlice", groups: &["discovery.k8s.io"], stage: Stage::Routes, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let name = service_of(object);
    let service = cx.world.find("Service", object.namespace(), name);
    let selects = service.is_some_and(|service| !service.tree().at(&["spec", "selector"]).is_none_or(Node::is_leaf));
    for key in ["subsets", "endpoints", "ports", "addressType"] {
        let Some(node) = object.tree().get(key) else { continue };
        if selects {
            cx.books.dropped(node, format!("found out by Kubernetes from the selector of the Service `{name}`"));
        } else if let Some(service) = service {
            by_hand(cx, object, (key, node), addresses(cx.world, service).len());
        } else {
            let question =
                format!("the Service `{name}` that these addresses belong to is not among the input: who needs them?");
            cx.ask(object, node, "service", question, false);
        }
    }
}

/// Settles what a person wrote of the other ends of a Service. A name of the host leads to one address.
fn by_hand<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, (key, node): (&str, &'w Node<'s>), count: usize) {
    if count > 1 {
        let question =
            format!("the Service leads to {count} addresses, and a name leads to one here: which one is it?");
        cx.ask(object, node, "addresses", question, false);
        return;
    }
    node.each_leaf(&mut |path, leaf| {
        let knows = ["targetRef", "conditions", "nodeName", "hints", "zone", "deprecatedTopology"];
        if path.contains("notReadyAddresses") {
            cx.books.dropped(leaf, "a Service sends nothing to an address that is not ready");
        } else if knows.iter().any(|word| path.contains(word)) {
            cx.books.dropped(leaf, "what Kubernetes knew of the other end when this was written");
        } else if path.ends_with("hostname") {
            cx.books.dropped(leaf, "a further name of the one address: that of the Service leads there");
        } else if key == "addressType" {
            cx.books.dropped(leaf, "the address itself says so");
        } else if path.contains("addresses") {
            cx.books.translated(leaf, "network.hosts");
        } else {
            cx.books.replaced(leaf, "this port stands where routes and workloads speak of the Service");
        }
    });
}

fn service_of<'a>(object: &'a Object<'_>) -> &'a str {
    object.label("kubernetes.io/service-name").unwrap_or_else(|| object.name())
}

fn all<'w, 's>(world: &'w World<'s>, service: &Object<'_>) -> Vec<&'w Object<'s>> {
    let both = world.of_kind("Endpoints").chain(world.of_kind("EndpointSlice"));
    both.filter(|object| object.namespace() == service.namespace() && service_of(object) == service.name()).collect()
}

/// Returns the addresses that a Service without a selector leads to, each once.
pub(super) fn addresses(world: &World<'_>, service: &Object<'_>) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for object in all(world, service) {
        let tree = object.tree();
        let old =
            tree.list("subsets").iter().flat_map(|subset| subset.list("addresses")).filter_map(|one| one.str_at("ip"));
        let new = tree.list("endpoints").iter().flat_map(|one| one.list("addresses")).filter_map(Node::str);
        for address in old.chain(new).filter_map(address) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

/// Returns the port of those addresses, by its name.
pub(super) fn port(world: &World<'_>, service: &Object<'_>, name: Option<&str>) -> Option<u16> {
    all(world, service).into_iter().find_map(|object| {
        let tree = object.tree();
        let mut ports: Vec<&Node<'_>> = tree.list("subsets").iter().flat_map(|subset| subset.list("ports")).collect();
        ports.extend(tree.list("ports"));
        let same = |port: &&&Node<'_>| port.str_at("name").filter(|name| !name.is_empty()) == name;
        let port = ports.iter().find(same).or_else(|| ports.first().filter(|_| ports.len() == 1))?;
        port_number(port.get("port")?)
    })
}
