//! What workloads ask for, from the definitions in the making: memory and storage, hardware, company.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chosen, Demand, Gift, Load, Pin, Talk, Tie};
use crate::fleet::schema::service_parts::Provision;
use crate::kubernetes::claims::PODS;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, Protocol, WorkDraft};
use crate::kubernetes::graph::{Edge, in_secret, is_store};
use crate::kubernetes::object::{Object, ObjectId};
use crate::kubernetes::reach::Leads;
use crate::kubernetes::translate::pod::is_place_label;
use crate::kubernetes::tree::Node;
use crate::units::{Size, lies_in};

/// What a known talk counts; what may be one counts one.
const KNOWN: u32 = 3;

/// Folders that every machine has: sharing one is no company.
const OF_THE_SYSTEM: &[&str] =
    &["/dev", "/proc", "/sys", "/run", "/var/run", "/etc", "/lib/modules", "/usr", "/boot", "/var/log", "/tmp"];

/// Devices that every machine has.
const USUAL_DEVICES: &[&str] = &["/dev/net/tun", "/dev/fuse", "/dev/shm", "/dev/null", "/dev/urandom", "/dev/random"];

/// Returns what the workloads of the input ask for; `talks` is who speaks with whom.
pub(in crate::kubernetes) fn demand(cx: &Cx<'_, '_>, talks: &[Edge]) -> Demand {
    let mut of: BTreeMap<ObjectId, Vec<(&String, &Draft)>> = BTreeMap::new();
    for (name, draft) in &cx.host.services {
        of.entry(draft.object).or_default().push((name, draft));
    }
    let ids: BTreeMap<ObjectId, String> =
        of.keys().filter_map(|id| Some((*id, cx.world.object(*id)?.identity()))).collect();
    let id_of = |service: &str| Some(ids.get(&cx.host.services.get(service)?.object)?.clone());
    let mut demand = Demand::default();
    for (object, services) in &of {
        if let Some(object) = cx.world.object(*object) {
            demand.loads.push(load(cx, object, services));
        }
    }
    claims(cx, &ids, &mut demand);
    folders(cx, &ids, &mut demand.ties);
    for (name, draft) in &cx.host.services {
        for other in &draft.requires {
            if let (Some(a), Some(b)) = (id_of(name), id_of(other))
                && a != b
            {
                demand.ties.push(Tie { a, b, why: format!("`{name}` does not run without `{other}`") });
            }
        }
    }
    for edge in talks {
        let (Some(from), Some(to)) = (id_of(&edge.from), id_of(&edge.to)) else { continue };
        if from == to {
            continue;
        }
        let is_native = cx.host.services.get(&edge.to).is_some_and(|draft| draft.as_container().is_none());
        if is_native && is_store(cx, &edge.to) {
            let why = format!("`{}` keeps its data in `{}`, a service of the host itself", edge.from, edge.to);
            demand.ties.push(Tie { a: from.clone(), b: to.clone(), why });
        }
        demand.talks.push(Talk { from, to, weight: KNOWN });
    }
    // What stands in a secret is not looked into: whoever has one may speak with the stores of its namespace.
    for (namespace, speakers) in in_secret(cx) {
        let stores = cx.reach.services.iter().filter(|((own, _), _)| *own == namespace);
        let stores: BTreeSet<&String> = stores
            .filter_map(|(_, service)| if let Leads::To(services) = &service.leads { services.first() } else { None })
            .filter(|service| is_store(cx, service))
            .collect();
        for (speaker, store) in speakers.iter().flat_map(|speaker| stores.iter().map(move |store| (speaker, store))) {
            if let (Some(from), Some(to)) = (id_of(speaker), id_of(store)) {
                demand.talks.push(Talk { from, to, weight: 1 });
            }
        }
    }
    demand.ties.sort();
    demand.ties.dedup();
    demand.talks.retain(|talk| talk.from != talk.to);
    demand.talks.sort();
    demand.talks.dedup();
    demand
}

fn load(cx: &Cx<'_, '_>, object: &Object<'_>, services: &[(&String, &Draft)]) -> Load {
    let id = object.identity();
    let defined = cx.target.spread.stands.get(&id).map(|host| Chosen { host: host.clone(), defined: true });
    let answer = || cx.target.answers.get(&format!("{id}#host")).map(|host| host.trim().to_owned());
    let chosen = defined.or_else(|| Some(Chosen { host: answer()?, defined: false }));
    let pod = pod_of(object);
    let containers = || pod.into_iter().flat_map(|pod| pod.list("containers"));
    let running = services.iter().filter(|(_, draft)| draft.enable && !is_init(draft));
    let memory: Vec<u64> = running.filter_map(|(_, draft)| memory(cx, draft)).collect();
    let cpu = containers()
        .filter_map(|container| {
            container.at(&["resources", "requests", "cpu"])?.text()?.parse::<crate::units::Quantity>().ok()
        })
        .filter_map(|quantity| quantity.milli())
        .fold(0, u64::saturating_add);
    Load {
        memory: (!memory.is_empty()).then(|| memory.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))),
        storage: 0,
        cpu,
        // Who chose the host has answered what it needs of it.
        pins: if chosen.is_some() { Vec::new() } else { pins(cx, pod, services) },
        chosen,
        near: BTreeSet::new(),
        gives: services.iter().flat_map(|(_, draft)| gives(cx, draft)).collect(),
        id,
    }
}

/// Returns the pod of a workload.
pub(in crate::kubernetes) fn pod_of<'w, 's>(object: &'w Object<'s>) -> Option<&'w Node<'s>> {
    let (_, route) = PODS.iter().find(|(kind, _)| *kind == object.kind)?;
    object.tree().at(route)
}

fn is_init(draft: &Draft) -> bool {
    draft.as_container().is_some_and(|container| container.oneshot && container.schedule.is_empty())
}

/// Returns the memory of a service as `memory-overcommitted` counts it: what it is promised, else its limit, else what its module needs.
fn memory(cx: &Cx<'_, '_>, draft: &Draft) -> Option<u64> {
    let said = draft.memory_low.as_ref().or(draft.memory.as_ref()).and_then(|size| size.parse::<Size>().ok());
    let sizing = || {
        let WorkDraft::Native(native) = &draft.work else { return None };
        Some(cx.target.modules.get(&native.module)?.file.sizing.as_ref()?.memory.as_ref()?.bytes())
    };
    said.map(|size| size.bytes()).or_else(sizing)
}

/// Returns what a workload needs of a machine.
fn pins(cx: &Cx<'_, '_>, pod: Option<&Node<'_>>, services: &[(&String, &Draft)]) -> Vec<Pin> {
    let mut all = Vec::new();
    let Some(pod) = pod else { return all };
    if let Some(node) = pod.str_at("nodeName").filter(|name| !name.is_empty()) {
        all.push(Pin::Nodes(vec![node.to_owned()]));
    }
    for pair in pod.map("nodeSelector") {
        all.extend(label(cx, &pair.key, &pair.node.text().into_iter().map(str::to_owned).collect::<Vec<_>>()));
    }
    let required = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
    // Of several terms each is enough: nothing follows from one alone.
    if let [term] = pod.at(&required).map_or(&[][..], Node::items) {
        for expression in term.list("matchExpressions").iter().chain(term.list("matchFields")) {
            let values: Vec<String> =
                expression.list("values").iter().filter_map(Node::text).map(str::to_owned).collect();
            if ["In", "Exists"].contains(&expression.str_at("operator").unwrap_or("")) {
                all.extend(label(cx, expression.str_at("key").unwrap_or(""), &values));
            }
        }
    }
    for container in services.iter().filter_map(|(_, draft)| draft.as_container()) {
        let volumes = container.volumes.iter().map(|volume| &volume.source);
        let devices = container.devices.iter().filter_map(|device| device.split(':').next().map(str::to_owned));
        for device in devices.chain(volumes.cloned()).filter(|path| path.starts_with("/dev/")) {
            if !USUAL_DEVICES.iter().any(|usual| lies_in(&device, usual)) {
                all.push(Pin::Hardware(format!("the device `{device}`")));
            }
        }
    }
    for container in pod.list("containers") {
        for pair in container.at(&["resources", "limits"]).map_or(&[][..], Node::pairs) {
            if pair.key.contains('/') {
                all.push(Pin::Hardware(format!("the resource `{}`", pair.key)));
            }
        }
    }
    // A node that is named has the hardware.
    if all.iter().any(|pin| matches!(pin, Pin::Nodes(_))) {
        all.retain(|pin| !matches!(pin, Pin::Hardware(_)));
    }
    all.sort();
    all.dedup();
    all
}

/// Returns what a label that a node has to have stands for; an empty list of values is any.
fn label(cx: &Cx<'_, '_>, key: &str, values: &[String]) -> Option<Pin> {
    match key {
        "kubernetes.io/hostname" | "metadata.name" if !values.is_empty() => Some(Pin::Nodes(values.to_vec())),
        "kubernetes.io/arch" | "beta.kubernetes.io/arch" if !values.is_empty() => Some(Pin::Machines(values.to_vec())),
        _ if is_place_label(key) => None,
        _ => {
            let has = |node: &&Object<'_>| {
                node.label(key).is_some_and(|value| values.is_empty() || values.iter().any(|wanted| wanted == value))
            };
            let nodes: Vec<String> = cx.world.of_kind("Node").filter(has).map(|node| node.name().to_owned()).collect();
            if nodes.is_empty() {
                return Some(Pin::Hardware(format!("what the label `{key}` of a node stands for")));
            }
            Some(Pin::Nodes(nodes))
        }
    }
}

/// Beginnings of images that give addresses and names.
const SERVERS: &[&str] = &["dnsmasq", "dhcpd", "kea", "pihole"];

/// Returns what the network gets from a service.
fn gives(cx: &Cx<'_, '_>, draft: &Draft) -> Vec<Gift> {
    let mut all = Vec::new();
    match &draft.work {
        WorkDraft::Native(native) => {
            let Some(module) = cx.target.modules.get(&native.module) else { return all };
            for provision in module.file.provides.iter().map(|provision| &provision.value) {
                match provision {
                    Provision::Dhcp(_) => all.push(Gift::Dhcp),
                    Provision::Dns => all.push(Gift::Dns),
                    _ => {}
                }
            }
            if module.file.dhcp_on.is_some() {
                all.push(Gift::Dhcp);
            }
        }
        WorkDraft::Container(container) => {
            let has = |number: u16| {
                draft
                    .ports
                    .iter()
                    .any(|port| port.to.unwrap_or(port.port) == number && port.protocol == Protocol::Udp && port.public)
            };
            // Who answers broadcasts needs the network of the host, and says no port where it has it.
            let image = container.image.rsplit('/').next().unwrap_or_default();
            let is_server = SERVERS.iter().any(|server| image.starts_with(server));
            if has(67) || is_server && container.host_network {
                all.push(Gift::Dhcp);
            }
            if has(53) || is_server && container.host_network {
                all.push(Gift::Dns);
            }
        }
    }
    all
}

/// Adds what claims ask for, the nodes that hold their data, and that who shares one must be together.
fn claims(cx: &Cx<'_, '_>, ids: &BTreeMap<ObjectId, String>, demand: &mut Demand) {
    let mut storage: BTreeMap<&str, u64> = BTreeMap::new();
    let mut near: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((namespace, name), claim) in cx.claims.iter() {
        let users: Vec<&str> = claim.users.iter().filter_map(|user| ids.get(user)).map(String::as_str).collect();
        let Some(first) = users.iter().min() else { continue };
        // An export of a file server is mounted wherever somebody wants it.
        if claim.bound.export.is_some() || claim.left.is_some() {
            continue;
        }
        let used = cx.target.used.get(&format!("{namespace}/{name}")).map_or(0, Size::bytes);
        let bytes = storage.entry(first).or_default();
        *bytes = bytes.saturating_add(claim.requested.unwrap_or(0).max(used));
        for user in &users {
            near.entry(user).or_default().extend(claim.bound.node.clone());
        }
        for user in users.iter().filter(|user| *user != first) {
            let why = format!("they share the claim `{namespace}/{name}`");
            demand.ties.push(Tie { a: (*first).to_owned(), b: (*user).to_owned(), why });
        }
    }
    for load in &mut demand.loads {
        load.storage = storage.get(load.id.as_str()).copied().unwrap_or(0);
        load.near = near.remove(load.id.as_str()).unwrap_or_default();
    }
}

/// Adds that who shares a folder of a node must be together.
fn folders(cx: &Cx<'_, '_>, ids: &BTreeMap<ObjectId, String>, ties: &mut Vec<Tie>) {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // Who shares a claim is together already, and an export is wherever it is mounted.
    let claims = cx.claims.iter().filter_map(|(_, claim)| claim.place.as_ref()?.mount());
    let known: Vec<&str> = cx.host.filesystems.keys().map(String::as_str).chain(claims).collect();
    for draft in cx.host.services.values() {
        let (Some(container), Some(id)) = (draft.as_container(), ids.get(&draft.object)) else { continue };
        for volume in &container.volumes {
            let source = volume.source.as_str();
            let is_usual = source == "/" || OF_THE_SYSTEM.iter().any(|folder| lies_in(source, folder));
            if source.starts_with('/') && !is_usual && !known.iter().any(|mount| lies_in(source, mount)) {
                users.entry(source).or_default().insert(id);
            }
        }
    }
    for (folder, own) in &users {
        let others = users.iter().filter(|(other, _)| lies_in(other, folder)).flat_map(|(_, others)| others);
        let all: BTreeSet<&str> = own.iter().chain(others).copied().collect();
        let Some(first) = all.first() else { continue };
        for other in all.iter().skip(1) {
            let why = format!("they share the folder `{folder}`");
            ties.push(Tie { a: (*first).to_owned(), b: (*other).to_owned(), why });
        }
    }
}
