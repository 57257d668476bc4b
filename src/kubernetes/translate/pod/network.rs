//! The network of a pod: that of the host or its own, the names it has and knows.

use super::{Container, Role, Workload};
use crate::fleet::scalar::DnsName;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// Adds what the pod says of its network to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let Some(work) = draft.as_container_mut() else { return };
    work.host_network = workload.has_host_network();
    if container.role == Role::Beside && !work.host_network {
        return;
    }
    aliases(cx, workload, container, &mut work.hosts);
    if container.role != Role::Main || work.host_network {
        return;
    }
    let name = workload.spec.get("hostname").filter(|name| !name.is_null());
    match name.and_then(|name| Some((name, name.text()?))) {
        Some((node, text)) if text.parse::<DnsName>().is_ok() => {
            cx.books.translated(node, container.key("hostname"));
            work.hostname = Some(text.to_owned());
        }
        Some((node, _)) => {
            let text = "this cannot be the name of a host: which name does the program expect to have?";
            let answer = cx.ask(workload.object, node, "hostname", text, false);
            work.hostname = answer.filter(|answer| answer.parse::<DnsName>().is_ok()).map(str::to_owned);
        }
        // "Stable Network ID": programs keep their data below the name that their pod had.
        None if workload.object.kind == "StatefulSet" => {
            let name = workload.object.first_pod();
            work.hostname = name.parse::<DnsName>().is_ok().then_some(name);
        }
        None => {}
    }
    if let Some(node) = workload.spec.get("subdomain").filter(|node| !node.is_null()) {
        let alias = work.hostname.as_ref().zip(node.text()).map(|(name, domain)| format!("{name}.{domain}"));
        match alias.filter(|alias| alias.parse::<DnsName>().is_ok()) {
            Some(alias) => {
                cx.books.translated(node, container.key("aliases"));
                work.aliases.push(alias);
            }
            None => cx.books.dropped(node, "without a host name it gives the pod no name"),
        }
    }
}

/// Names in /etc/hosts of the pod's containers (`hostAliases`).
fn aliases<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    hosts: &mut indexmap::IndexMap<String, String>,
) {
    for alias in workload.spec.list("hostAliases") {
        let address = alias.get("ip").and_then(Node::text).filter(|ip| ip.parse::<std::net::IpAddr>().is_ok());
        let names = alias.list("hostnames");
        let fits = |node: &Node<'_>| node.text().is_some_and(|name| name.parse::<DnsName>().is_ok());
        match address.filter(|_| names.iter().all(fits)) {
            Some(address) => {
                for name in names.iter().filter_map(Node::text) {
                    hosts.entry(name.to_owned()).or_insert_with(|| address.to_owned());
                }
                cx.books.translated(alias, container.key("hosts"));
            }
            None => {
                let text = "this is no address with its names: which names does it have to know?";
                cx.ask(workload.object, alias, "hostAliases", text, false);
            }
        }
    }
}

/// Settles what the pod says of its network.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let spec = workload.spec;
    if let Some(node) = spec.get("hostNetwork") {
        match node.bool() {
            Some(true) => cx.books.translated(node, format!("services.{}.host-network", workload.service)),
            _ => cx.books.dropped(node, "this is the default"),
        }
    }
    if workload.has_host_network() {
        for key in ["hostname", "subdomain"] {
            if let Some(node) = spec.get(key) {
                cx.books.dropped(node, "with the network of the host it has the name of the host");
            }
        }
    }
    let servers = spec.at(&["dnsConfig", "nameservers"]).map_or(&[][..], Node::items);
    for node in servers {
        let text = "it asks this name server instead of the cluster's: should the host ask it, too?";
        cx.ask(workload.object, node, "dnsConfig.nameservers", text, false);
    }
    if let Some(node) = spec.get("dnsPolicy") {
        let by = match workload.has_host_network() {
            true => "with the network of the host it asks the name servers of the host",
            false => "podman's name server answers for services and asks the host's servers for all other names",
        };
        cx.books.replaced(node, by);
    }
    if let Some(node) = spec.get("dnsConfig") {
        if let Some(searches) = node.get("searches") {
            cx.books.dropped(searches, "names of services are found without a search");
        }
        cx.books.dropped(node, "it tunes how names of a cluster are looked up");
    }
}
