//! Service: names that workloads are reached by, and ports that others may reach.
//!
//! Its ports are settled in the end, by `graph`, when it is known which routes lead to them and who speaks of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Protocol;
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::{Leads, Service, ServicePort, is_on_host, listed, network_owner, publish};
use crate::kubernetes::tree::Node;

pub(super) static SERVICE: Translator = Translator { kind: "Service", groups: &[""], stage: Stage::Names, run };

/// Fields without meaning on one host, with the reason.
const LEFT: &[(&str, &str)] = &[
    ("allocateLoadBalancerNodePorts", "a host opens the ports that it is told to"),
    ("clusterIPs", "a service is found by its name, not by an address of the cluster"),
    ("externalTrafficPolicy", "there is one machine: what comes in is answered where it arrives"),
    ("healthCheckNodePort", "no load balancer asks this machine whether it still answers"),
    ("internalTrafficPolicy", "there is one machine: all traffic between services is local"),
    ("ipFamilies", "the host's own addresses decide which families there are"),
    ("ipFamilyPolicy", "the host's own addresses decide which families there are"),
    ("loadBalancerClass", "the host itself takes the place of the load balancer"),
    ("publishNotReadyAddresses", "the name of a container is there as soon as it runs"),
    ("sessionAffinity", "one process answers: every session is with the same one"),
    ("sessionAffinityConfig", "one process answers: every session is with the same one"),
    ("trafficDistribution", "there is one machine"),
];

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    super::annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let leads = leads(cx, object, spec);
    let ports = ports(cx, &leads, object, spec);
    let target = match &leads {
        Leads::To(services) => services.first().map(|service| format!("services.{service}")),
        _ => None,
    };
    let service = Service { object: object.id, leads, ports };
    if let Leads::To(services) = &service.leads {
        for name in services {
            names(cx, object, name);
        }
    }
    if let Leads::Addresses(addresses) = &service.leads
        && let [address] = addresses.as_slice()
    {
        know(cx, &address.to_string(), object.namespace(), object.name());
    }
    public(cx, object, spec, &service);
    cx.reach.services.insert((object.namespace().to_owned(), object.name().to_owned()), service);
    kind(cx, object, spec, target.as_deref());
    for (key, reason) in LEFT {
        if let Some(node) = spec.get(key) {
            cx.books.dropped(node, *reason);
        }
    }
}

/// Settles what a Service is, beyond its ports.
fn kind<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>, to: Option<&str>) {
    let to = to.map_or_else(|| "network.hosts".to_owned(), str::to_owned);
    if let Some(node) = spec.get("clusterIP") {
        match node.text() {
            Some("None" | "") => cx.books.replaced(node, "the name leads to the container itself"),
            _ => cx.books.dropped(node, "a service is found by its name, not by an address of the cluster"),
        }
    }
    if let Some(node) = spec.get("type") {
        match node.text() {
            Some("ClusterIP") => cx.books.replaced(node, "nothing is published but what a route leads to"),
            Some("NodePort" | "LoadBalancer") => cx.books.translated(node, format!("{to}.ports")),
            Some("ExternalName") => cx.books.replaced(node, "the other name is written where this one was"),
            _ => {
                let question = "this is no type of Service that Kubernetes knows: who should reach it?";
                cx.ask(object, node, "type", question, false);
            }
        }
    }
    for key in ["loadBalancerIP", "externalIPs"] {
        if let Some(node) = spec.get(key) {
            cx.books.needs_you(
                node,
                "clients know this service by this address: does this machine take it over (`network`), or do they learn another?",
            );
        }
    }
    if let Some(node) = spec.get("loadBalancerSourceRanges") {
        cx.ask(
            object,
            node,
            "source-ranges",
            "only these networks could reach the port, and the host's firewall opens it for all: should it be closed to others \
             (`network.firewall.extra-input`)?",
            true,
        );
    }
}

/// Returns where the name of a Service leads, and settles what says so.
fn leads<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>) -> Leads {
    if spec.str_at("type") == Some("ExternalName") {
        let Some(node) = spec.get("externalName") else { return Leads::Nowhere };
        let Some(name) = node.text().filter(|name| name.parse::<crate::fleet::scalar::DnsName>().is_ok()) else {
            cx.ask(object, node, "external-name", "this is no DNS name: where should the name lead?", false);
            return Leads::Nowhere;
        };
        cx.books.replaced(node, "written where workloads speak of the Service");
        return Leads::Name(name.trim_end_matches('.').to_owned());
    }
    let selector = spec.map("selector");
    if selector.is_empty() {
        let addresses = super::endpoints::addresses(cx.world, object);
        return if addresses.is_empty() { Leads::Nowhere } else { Leads::Addresses(addresses) };
    }
    let Some(node) = spec.get("selector") else { return Leads::Nowhere };
    let mut found = Vec::new();
    for other in cx.world.objects().iter().filter(|other| other.namespace() == object.namespace()) {
        let Some(service) = cx.services.get(&other.id).filter(|name| cx.host.services.contains_key(*name)) else {
            continue;
        };
        let Some(labels) = pod_labels(other) else { continue };
        let has = |key: &str, value: Option<&str>| value.is_some() && labels.get(key).and_then(Node::text) == value;
        if selector.iter().all(|pair| has(&pair.key, pair.node.text())) && !found.contains(service) {
            found.push(service.clone());
        }
    }
    if found.is_empty() {
        let question = format!(
            "no workload of the input has these labels, so that nothing answers as `{}`: which workload is meant?",
            object.name()
        );
        cx.ask(object, node, "selector", question, false);
        return Leads::Nowhere;
    }
    cx.books.replaced(node, format!("the names of {}", listed(&found)));
    Leads::To(found)
}

/// Returns the labels that the pods of a workload have.
pub(super) fn pod_labels<'w, 's>(object: &'w Object<'s>) -> Option<&'w Node<'s>> {
    let route: &[&str] = match &*object.kind {
        "Pod" => &["metadata", "labels"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "metadata", "labels"],
        _ => &["spec", "template", "metadata", "labels"],
    };
    object.tree().at(route)
}

/// Returns the containers of the pods of a workload.
fn containers<'w, 's>(object: &'w Object<'s>) -> impl Iterator<Item = &'w Node<'s>> {
    let route: &[&str] = match &*object.kind {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    let spec = object.tree().at(route);
    spec.into_iter().flat_map(|spec| spec.list("containers").iter().chain(spec.list("initContainers")))
}

/// Returns the ports of a Service; asks for the number of those that are called by a name which no container has.
fn ports<'w, 's>(cx: &mut Cx<'w, 's>, leads: &Leads, object: &'w Object<'s>, spec: &'w Node<'s>) -> Vec<ServicePort> {
    let mut all = Vec::new();
    for (index, node) in spec.list("ports").iter().enumerate() {
        let port = node.get("port");
        let Some(number) = port.and_then(number) else {
            let question = "this is no port: at which port should it answer?";
            cx.ask(object, port.unwrap_or(node), &format!("port-{index}"), question, false);
            continue;
        };
        let target = match node.get("targetPort").filter(|target| !target.is_null()) {
            None => Some(number),
            Some(target) => self::number(target).or_else(|| named_port(cx, leads, target.text()?)),
        };
        let named = node.str_at("name").filter(|name| !name.is_empty());
        let target = match target {
            Some(target) => target,
            None if matches!(leads, Leads::Addresses(_)) => {
                super::endpoints::port(cx.world, object, named).unwrap_or(number)
            }
            None => {
                if let Some(target) = node.get("targetPort") {
                    let question = "no container of the input calls a port so: which number does it have?";
                    let answer = cx.ask(object, target, &format!("target-port-{number}"), question, false);
                    answer.and_then(|answer| answer.parse().ok()).unwrap_or(number)
                } else {
                    number
                }
            }
        };
        let target = match leads {
            Leads::Addresses(_) => super::endpoints::port(cx.world, object, named).unwrap_or(target),
            _ => target,
        };
        let protocol = match node.str_at("protocol") {
            None | Some("TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some(_) => {
                if let Some(node) = node.get("protocol") {
                    let question = "neither TCP nor UDP, which are all that a port of a service can be: who needs it?";
                    cx.ask(object, node, &format!("protocol-{number}"), question, false);
                }
                continue;
            }
        };
        all.push(ServicePort { name: named.map(str::to_owned), port: number, target, protocol });
    }
    all
}

/// Returns a port, written as a number or as a string of digits.
pub(in crate::kubernetes) fn number(node: &Node<'_>) -> Option<u16> {
    let number = node.int().or_else(|| node.text()?.parse().ok())?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}

/// Returns the number of a port that a container gives a name.
fn named_port(cx: &Cx<'_, '_>, leads: &Leads, name: &str) -> Option<u16> {
    let Leads::To(services) = leads else { return None };
    services.iter().find_map(|service| {
        let object = cx.world.object(cx.host.services.get(service)?.object)?;
        let mut ports = containers(object).flat_map(|container| container.list("ports"));
        number(ports.find(|port| port.str_at("name") == Some(name))?.get("containerPort")?)
    })
}

/// Returns the forms of a Service's name, the longest last.
pub(super) fn forms(namespace: &str, name: &str) -> [String; 4] {
    [
        name.to_owned(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
    ]
}

/// Tells whether a short name can only mean this Service: no other namespace has a Service of the name, and no other service of the host.
pub(in crate::kubernetes) fn is_only(cx: &Cx<'_, '_>, namespace: &str, name: &str, service: Option<&str>) -> bool {
    let others = cx.world.of_kind("Service").filter(|other| other.name() == name && other.group().is_empty());
    let namespaces: BTreeSet<&str> = others.map(Object::namespace).filter(|other| *other != namespace).collect();
    let is_other = |known: &str| known == name && service != Some(known);
    namespaces.is_empty() && !cx.host.services.keys().any(|known| is_other(known))
}

/// Gives a service the names of a Service.
fn names(cx: &mut Cx<'_, '_>, object: &Object<'_>, service: &str) {
    let (namespace, name) = (object.namespace(), object.name());
    let owner = network_owner(cx, service);
    let only = is_only(cx, namespace, name, Some(&owner));
    if is_on_host(cx, &owner) {
        know(cx, "127.0.0.1", namespace, name);
        return;
    }
    let Some(container) = cx.host.services.get_mut(&owner).and_then(|draft| draft.as_container_mut()) else { return };
    for (index, form) in forms(namespace, name).into_iter().enumerate() {
        let wanted = (index > 0 || only && form != owner) && form.parse::<crate::fleet::scalar::DnsName>().is_ok();
        if wanted && !container.aliases.contains(&form) {
            container.aliases.push(form);
        }
    }
}

/// Lets the host know the names of a Service.
fn know(cx: &mut Cx<'_, '_>, address: &str, namespace: &str, name: &str) {
    let only = is_only(cx, namespace, name, None) || is_only(cx, namespace, name, Some(name));
    let known = cx.host.hosts.entry(address.to_owned()).or_default();
    for (index, form) in forms(namespace, name).into_iter().enumerate() {
        let wanted = (index > 0 || only) && form.parse::<crate::fleet::scalar::DnsName>().is_ok();
        if wanted && !known.contains(&form) {
            known.push(form);
        }
    }
}

/// Opens the ports that everybody can reach.
fn public<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>, service: &Service) {
    let kind = spec.str_at("type").unwrap_or("ClusterIP");
    let outside = !spec.list("externalIPs").is_empty();
    if !matches!(kind, "NodePort" | "LoadBalancer") && !outside {
        return;
    }
    let Leads::To(services) = &service.leads else { return };
    let Some(first) = services.first() else { return };
    let owner = network_owner(cx, first);
    for port in &service.ports {
        let node = spec.list("ports").iter().find(|node| {
            node.get("port").and_then(number) == Some(port.port)
                && (node.str_at("protocol") == Some("UDP")) == (port.protocol == Protocol::Udp)
        });
        let Some(node) = node else { continue };
        let node_port = node.get("nodePort");
        let number_of_node = node_port.and_then(number).filter(|_| kind == "NodePort");
        let key = format!("services.{owner}.ports");
        let wanted = match (number_of_node, node_port) {
            (Some(number), Some(at)) => {
                let question = format!(
                    "clients reach `{}` at port {number}, which is kept; {} would be free of the cluster's range: which port should it have?",
                    object.name(),
                    port.port
                );
                let answer = cx.ask(object, at, &format!("node-port-{}", port.port), question, false);
                answer.and_then(|answer| answer.trim().parse().ok()).unwrap_or(number)
            }
            _ => port.port,
        };
        if let (None, Some(at)) = (number_of_node, node_port) {
            cx.books.replaced(at, format!("port {wanted} of the host itself"));
        }
        let Some(at) = node.get("port") else { continue };
        let outcome = publish(cx, &owner, port.target, port.protocol, Some(wanted), true);
        match outcome {
            Ok(Some(real)) if real == wanted => cx.books.translated(at, key),
            Ok(Some(real)) => {
                let question = format!(
                    "clients reach `{}` at port {wanted}, and `{owner}` listens on {real} of the host itself: will they be told?",
                    object.name()
                );
                cx.ask(object, at, &format!("port-{}", port.port), question, false);
            }
            Ok(None) => cx.books.translated(at, key),
            Err(why) => {
                let id = format!("port-{}", port.port);
                let question = format!(
                    "clients reach `{}` at port {wanted}, but {why}: which port should it have?",
                    object.name()
                );
                let answer = cx.ask(object, at, &id, question, true).and_then(|answer| answer.trim().parse().ok());
                if let Some(answer) = answer {
                    // The answer is another port of the host: where that has an owner too, the next run asks again under its id.
                    if publish(cx, &owner, port.target, port.protocol, Some(answer), true).is_err() {
                        let id = format!("port-{}-{answer}", port.port);
                        cx.ask(object, at, &id, format!("port {answer} of the host has an owner too"), true);
                    }
                }
            }
        }
    }
}

/// Returns an address that a text is.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}
