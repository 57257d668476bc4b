//! Service: names that workloads are reached by, and ports that others may reach.
//!
//! Its ports are settled in the end, by `graph`, when it is known which routes lead to them and who speaks of them.

use std::net::IpAddr;

use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Protocol, WorkDraft};
use crate::kubernetes::object::Object;
use crate::kubernetes::ports::port_number;
use crate::kubernetes::reach::{self, Leads, Service, ServicePort, is_on_host, listed, network_owner, publish};
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
    let is_elsewhere = matches!(leads, Leads::Addresses(_));
    let service = Service { object: object.id, leads, ports };
    if let Leads::To(services) = &service.leads {
        for name in services {
            names(cx, object.namespace(), object.name(), name);
        }
    }
    if let Leads::Addresses(addresses) = &service.leads
        && let [address] = addresses.as_slice()
    {
        know(cx, None, &address.to_string(), object.namespace(), object.name());
    }
    public(cx, object, spec, &service);
    cx.reach.services.insert((object.namespace().to_owned(), object.name().to_owned()), service);
    kind(cx, object, spec, (target.as_deref(), is_elsewhere));
    for (key, reason) in LEFT {
        if let Some(node) = spec.get(key) {
            cx.books.dropped(node, *reason);
        }
    }
}

/// Settles what a Service is, beyond its ports.
fn kind<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    (to, is_elsewhere): (Option<&str>, bool),
) {
    let to = to.map_or_else(|| "network.hosts".to_owned(), str::to_owned);
    if let Some(node) = spec.get("clusterIP") {
        match node.text() {
            Some("None" | "") if is_elsewhere => cx.books.replaced(node, "the name leads to the address itself"),
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
            let question = "clients know this service by this address: does this machine take it over (`network`), or do they learn another?";
            cx.ask(object, node, "address", question, false);
        }
    }
    if let Some(node) = spec.get("loadBalancerSourceRanges") {
        cx.ask(
            object,
            node,
            "source-ranges",
            "only these networks could reach the port, and the host's firewall opens it for all: should it be closed to others \
             (`public = false` of the port, and a rule in `network.firewall.rules`)?",
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
    for id in reach::selected(cx, object.namespace(), selector) {
        let Some(service) = cx.services.get(&id).filter(|name| cx.host.services.contains_key(*name)) else { continue };
        if !found.contains(service) {
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

/// Returns the containers of the pods of a workload.
pub(in crate::kubernetes) fn containers<'w, 's>(object: &'w Object<'s>) -> impl Iterator<Item = &'w Node<'s>> {
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
        let Some(number) = port.and_then(port_number) else {
            let question = "this is no port: at which port should it answer?";
            cx.ask(object, port.unwrap_or(node), &format!("port-{index}"), question, false);
            continue;
        };
        let target = match node.get("targetPort").filter(|target| !target.is_null()) {
            None => Some(number),
            Some(target) => port_number(target).or_else(|| named_port(cx, leads, target.text()?)),
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
                    let Some(known) = answer.and_then(|answer| answer.trim().parse().ok()) else { continue };
                    known
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
        reached(cx, leads, target);
        all.push(ServicePort { name: named.map(str::to_owned), port: number, target, protocol });
    }
    all
}

/// Settles the port of a container that a Service leads to: the service answers there by its name.
fn reached(cx: &mut Cx<'_, '_>, leads: &Leads, target: u16) {
    let Leads::To(services) = leads else { return };
    for service in services {
        let world = cx.world;
        let object = cx.host.services.get(service).and_then(|draft| world.object(draft.object));
        let ports = object.into_iter().flat_map(containers).flat_map(|container| container.list("ports"));
        for port in ports.filter(|port| port.get("containerPort").and_then(port_number) == Some(target)) {
            cx.books.translated_as(port, format!("services.{service}"), "it answers there by its name");
        }
    }
}

/// Returns the number of a port that a container gives a name.
fn named_port(cx: &Cx<'_, '_>, leads: &Leads, name: &str) -> Option<u16> {
    let Leads::To(services) = leads else { return None };
    services.iter().find_map(|service| {
        let object = cx.world.object(cx.host.services.get(service)?.object)?;
        let mut ports = containers(object).flat_map(|container| container.list("ports"));
        port_number(ports.find(|port| port.str_at("name") == Some(name))?.get("containerPort")?)
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
pub(in crate::kubernetes) fn is_only(cx: &mut Cx<'_, '_>, namespace: &str, name: &str, service: Option<&str>) -> bool {
    let is_other = service != Some(name) && cx.host.services.contains_key(name);
    !is_other && !reach::is_elsewhere(cx, namespace, name)
}

/// Lets a service be reached as a Service that a chart makes, which is no object of the input.
pub fn offer(cx: &mut Cx<'_, '_>, object: &Object<'_>, name: &str, service: &str, ports: Vec<ServicePort>) {
    let namespace = object.namespace().to_owned();
    reach::is_offered(cx, &namespace, name);
    names(cx, &namespace, name, service);
    let leads = Leads::To(vec![service.to_owned()]);
    cx.reach.services.insert((namespace, name.to_owned()), Service { object: object.id, leads, ports });
}

/// Gives a service the names of a Service.
fn names(cx: &mut Cx<'_, '_>, namespace: &str, name: &str, service: &str) {
    let owner = network_owner(cx, service);
    let only = is_only(cx, namespace, name, Some(&owner));
    if is_on_host(cx, &owner) {
        know(cx, Some(&owner), "127.0.0.1", namespace, name);
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

/// Lets the host know the names of a Service: of several hosts that of the service which answers, and all where none of them does.
fn know(cx: &mut Cx<'_, '_>, service: Option<&str>, address: &str, namespace: &str, name: &str) {
    let only = is_only(cx, namespace, name, None) || is_only(cx, namespace, name, Some(name));
    let host = match service {
        Some(service) => cx.of_host_of(service),
        None => &mut cx.host,
    };
    let known = host.hosts.entry(address.to_owned()).or_default();
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
            node.get("port").and_then(port_number) == Some(port.port)
                && (node.str_at("protocol") == Some("UDP")) == (port.protocol == Protocol::Udp)
        });
        let Some(node) = node else { continue };
        let node_port = node.get("nodePort");
        let number_of_node = node_port.and_then(port_number).filter(|_| kind == "NodePort");
        let key = format!("services.{owner}.ports");
        // A module has the port that its options say.
        let is_native = cx.host.services.get(&owner).is_some_and(|draft| matches!(draft.work, WorkDraft::Native(_)));
        let wanted = match (number_of_node, node_port) {
            (Some(number), Some(at)) if is_native => {
                cx.books.replaced(at, "the port that the program itself has");
                number
            }
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
            Err(_) if is_native => {
                let question = format!(
                    "everybody could reach `{}` at port {wanted}, which is not for everybody: who needs it from elsewhere, if anybody, and by \
                     which way (a `vhost`, `network.firewall`)?",
                    object.name()
                );
                cx.ask(object, at, &format!("port-{}", port.port), question, true);
            }
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

#[cfg(test)]
mod tests {
    use crate::kubernetes::Inventory;
    use crate::kubernetes::draft::Draft;
    use crate::kubernetes::sample::{leaf, reached, workload};

    fn aliases<'a>(inventory: &'a Inventory, service: &str) -> Vec<&'a str> {
        let container = inventory.host.services.get(service).and_then(Draft::as_container).unwrap();
        container.aliases.iter().map(String::as_str).collect()
    }

    fn ports(inventory: &Inventory, service: &str) -> Vec<String> {
        let ports = &inventory.host.services.get(service).unwrap().ports;
        let shown = ports.iter().map(|port| {
            format!(
                "{}->{} {:?}{}",
                port.port,
                port.to.unwrap_or(port.port),
                port.protocol,
                if port.public { " public" } else { "" }
            )
        });
        shown.collect()
    }

    /// A Service of the workload `web`, whose container listens on 8080, with what its `spec` says.
    fn service(spec: &str) -> String {
        let all = workload("web");
        let (workload, _) = all.split_once("---\napiVersion: v1").unwrap();
        format!(
            "{workload}---\napiVersion: v1\nkind: Service\nmetadata: {{ name: front }}\nspec: {{ selector: {{ app: web }}, {spec} }}\n"
        )
    }

    #[test]
    fn a_service_gives_its_workload_every_form_of_its_name() {
        let inventory = reached(&service("ports: [{ port: 80, targetPort: 8080 }]"), &[]);
        assert_eq!(
            aliases(&inventory, "web"),
            ["front", "front.default", "front.default.svc", "front.default.svc.cluster.local"]
        );
        assert_eq!(ports(&inventory, "web"), Vec::<String>::new());
        assert_eq!(leaf(&inventory, "Service", "spec.selector.app"), "replaced the names of `web`");
        assert!(leaf(&inventory, "Service", "spec.ports[0].port").starts_with("translated services.web|"));
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    }

    #[test]
    fn a_short_name_that_two_namespaces_have_is_no_alias() {
        let both = workload("web") + &workload("web").replace("name: web }", "name: web, namespace: other }");
        let inventory = reached(&both, &[]);
        assert_eq!(aliases(&inventory, "web"), ["web.default", "web.default.svc", "web.default.svc.cluster.local"]);
        assert_eq!(aliases(&inventory, "other-web"), ["web.other", "web.other.svc", "web.other.svc.cluster.local"]);
    }

    #[test]
    fn only_what_everybody_could_reach_is_public() {
        let of = |spec: &str| {
            let inventory = reached(&service(spec), &[]);
            (
                ports(&inventory, "web").join(" "),
                inventory.questions.iter().map(|question| question.id.clone()).collect::<Vec<_>>().join(" "),
            )
        };
        let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
        assert_eq!(of("ports: [{ port: 80, targetPort: http }]"), pair("", ""));
        assert_eq!(of("clusterIP: None, ports: [{ port: 80, targetPort: http }]"), pair("", ""));
        assert_eq!(
            of("type: LoadBalancer, ports: [{ port: 8081, targetPort: http }]"),
            pair("8081->8080 Tcp public", "")
        );
        assert_eq!(of("type: LoadBalancer, ports: [{ port: 8080, protocol: UDP }]"), pair("8080->8080 Udp public", ""));
        assert_eq!(
            of("type: NodePort, ports: [{ port: 80, targetPort: http, nodePort: 30080 }]"),
            pair("30080->8080 Tcp public", "default/Service/front#node-port-80")
        );
        assert_eq!(
            of("type: LoadBalancer, ports: [{ port: 80, targetPort: http }]"),
            pair("", "default/Service/front#port-80")
        );
        let answered = reached(
            &service("type: LoadBalancer, ports: [{ port: 80, targetPort: http }]"),
            &[("default/Service/front#port-80", "8090")],
        );
        assert_eq!(ports(&answered, "web"), ["8090->8080 Tcp public"]);
        let kept = reached(
            &service("type: NodePort, ports: [{ port: 80, targetPort: http, nodePort: 30080 }]"),
            &[("default/Service/front#node-port-80", "8081")],
        );
        assert_eq!(ports(&kept, "web"), ["8081->8080 Tcp public"]);
    }

    #[test]
    fn a_port_of_a_module_that_is_not_for_everybody_is_asked_about_once() {
        let all = service("type: NodePort, ports: [{ port: 80, targetPort: http, nodePort: 30080 }]")
            .replace("{ name: web }", "{ name: web, labels: { native: gitea } }");
        let ids = |answers: &[(&str, &str)]| -> Vec<String> {
            reached(&all, answers).questions.iter().map(|question| question.id.clone()).collect()
        };
        assert_eq!(ids(&[]), ["default/Service/front#port-80"]);
        assert_eq!(ids(&[("default/Service/front#port-80", "by its virtual host")]), Vec::<String>::new());
    }

    #[test]
    fn a_module_is_reached_by_the_names_at_the_host() {
        let all = service("ports: [{ port: 80, targetPort: http }]")
            .replace("{ name: web }", "{ name: web, labels: { native: gitea } }");
        let inventory = reached(&all, &[]);
        let known = inventory.host.hosts.get("127.0.0.1").unwrap();
        assert_eq!(known, &["front", "front.default", "front.default.svc", "front.default.svc.cluster.local"]);
    }

    #[test]
    fn a_service_without_a_selector_leads_where_its_endpoints_say() {
        let yaml = "apiVersion: v1\nkind: Service\nmetadata: { name: nas }\nspec: { ports: [{ port: 80 }] }\n---\napiVersion: v1\nkind: Endpoints\nmetadata: { name: nas }\nsubsets: [{ addresses: [{ ip: 192.0.2.7 }], ports: [{ port: 5000 }] }]\n";
        let inventory = reached(yaml, &[]);
        assert_eq!(inventory.host.hosts.get("192.0.2.7").map(Vec::len), Some(4));
        assert_eq!(leaf(&inventory, "Endpoints", "subsets[0].addresses[0].ip"), "translated network.hosts");
        let slice = yaml.replace("kind: Endpoints\nmetadata: { name: nas }\nsubsets: [{ addresses: [{ ip: 192.0.2.7 }], ports: [{ port: 5000 }] }]", "kind: EndpointSlice\nmetadata: { name: nas-x, labels: { kubernetes.io/service-name: nas } }\naddressType: IPv4\nendpoints: [{ addresses: [192.0.2.7] }]\nports: [{ port: 5000 }]");
        let slice = slice
            .replace("apiVersion: v1\nkind: EndpointSlice", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice");
        assert_eq!(reached(&slice, &[]).host.hosts.get("192.0.2.7").map(Vec::len), Some(4));
    }

    #[test]
    fn what_cannot_be_found_out_is_a_question() {
        for (spec, id) in [
            ("ports: [{ port: 80, targetPort: unheard-of }]", "default/Service/front#target-port-80"),
            ("ports: [{ port: '${PORT}', targetPort: 8080 }]", "default/Service/front#port-0"),
            ("ports: [{ port: 80, targetPort: 8080, protocol: SCTP }]", "default/Service/front#protocol-80"),
            ("type: Odd, ports: [{ port: 8080 }]", "default/Service/front#type"),
            (
                "type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], ports: [{ port: 8080 }]",
                "default/Service/front#source-ranges",
            ),
        ] {
            let inventory = reached(&service(spec), &[]);
            assert!(inventory.questions.iter().any(|question| question.id == id), "{spec}: {:?}", inventory.questions);
        }
        let nobody = service("ports: [{ port: 80 }]").replace("selector: { app: web }", "selector: { app: nobody }");
        assert!(reached(&nobody, &[]).questions.iter().any(|question| question.id.ends_with("#selector")));
    }
}
