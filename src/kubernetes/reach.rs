//! How workloads are reached: the names that Services give them, the ports that have to be there on the host, virtual hosts.
//!
//! Translators of Services fill [`Reach`], translators of routes ask it where a Service leads ([`backend`]) and connect a public name
//! with it ([`connect`]). Who talks to whom by these names is found out by `graph`, after all of them.
//!
//! Invariant: a port of the host has one owner, and one path of a public name leads to one service.

mod elsewhere;
mod index;

use std::collections::{BTreeMap, BTreeSet};

use self::elsewhere::elsewhere;
pub(super) use self::index::{is_elsewhere, is_offered, selected};
use super::context::Cx;
use super::draft::{PortDraft, Protocol, VhostDraft, WorkDraft};
use super::object::ObjectId;
use crate::facts::{Shape, Type, split_name};
use crate::fleet::scalar::{AbsPath, DnsName};
use crate::fleet::schema::module_file::{Exposure, ModulePort};
use crate::source::joined;

/// What Services and routes are there.
#[derive(Debug, Default)]
pub struct Reach {
    /// Services by namespace and name.
    pub services: BTreeMap<(String, String), Service>,
    /// What answers at a public name and path.
    routes: BTreeMap<(String, String), Taken>,
    /// Names whose certificate an ACME provider proves.
    pub proved: BTreeSet<String>,
    /// The namespaces that have a Service of a name; made when it is first asked for.
    namespaces: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What runs, by namespace, label and its value; made when it is first asked for.
    labelled: Option<BTreeMap<(String, String, String), Vec<ObjectId>>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Taken {
    by: String,
    to: Option<String>,
    service: String,
}

/// What a Service is for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The object that says so.
    pub object: ObjectId,
    /// Where its name leads.
    pub leads: Leads,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// Where the name of a Service leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To services of this host.
    To(Vec<String>),
    /// To another name.
    Name(String),
    /// To addresses elsewhere.
    Addresses(Vec<std::net::IpAddr>),
    /// Nowhere that is known.
    Nowhere,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// What it is called.
    pub name: Option<String>,
    /// The port that others speak of.
    pub port: u16,
    /// The port that the program listens on.
    pub target: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// How a route calls a port of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortRef<'a> {
    /// By its number.
    Number(u16),
    /// By its name.
    Name(&'a str),
    /// Not at all.
    Only,
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// A port within a service of this host.
    Here {
        /// The service.
        service: String,
        /// The port that its program listens on.
        port: u16,
    },
    /// An address elsewhere: `192.0.2.7:8080`.
    Elsewhere(String),
}

impl Reach {
    /// Tells whether something answers at a public name.
    pub fn answers_at(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.routes.keys().any(|(known, _)| *known == name)
    }

    /// Returns a port of a Service; the only one where the route names none.
    pub fn port<'a>(service: &'a Service, wanted: PortRef<'_>) -> Option<&'a ServicePort> {
        match wanted {
            PortRef::Number(number) => service.ports.iter().find(|port| port.port == number),
            PortRef::Name(name) => service.ports.iter().find(|port| port.name.as_deref() == Some(name)),
            PortRef::Only => service.ports.first().filter(|_| service.ports.len() == 1),
        }
    }
}

/// Returns what a port of a Service leads to; an error says what is missing.
pub fn backend(cx: &Cx<'_, '_>, namespace: &str, name: &str, wanted: PortRef<'_>) -> Result<Backend, String> {
    let Some(service) = cx.reach.services.get(&(namespace.to_owned(), name.to_owned())) else {
        return Err(format!("the Service `{name}` of the namespace `{namespace}` is not among the input"));
    };
    let port = Reach::port(service, wanted);
    match &service.leads {
        Leads::To(services) => {
            let [only] = services.as_slice() else {
                return Err(match services.first() {
                    None => format!("no workload of the input answers for the Service `{name}`"),
                    Some(_) => format!("{} answer for the Service `{name}`: which one should it be?", listed(services)),
                });
            };
            let Some(port) = port else { return Err(format!("the Service `{name}` has no port that this names")) };
            Ok(Backend::Here { service: only.clone(), port: port.target })
        }
        Leads::Addresses(addresses) => match (addresses.as_slice(), port) {
            ([address], Some(port)) => {
                Ok(Backend::Elsewhere(std::net::SocketAddr::new(*address, port.target).to_string()))
            }
            (_, None) => Err(format!("the Service `{name}` has no port that this names")),
            _ => Err(format!("the Service `{name}` leads to {} addresses: which one should it be?", addresses.len())),
        },
        Leads::Name(other) => Err(format!(
            "the Service `{name}` is another word for `{other}`, which is elsewhere: at which address is it?"
        )),
        Leads::Nowhere => Err(format!("no workload of the input answers for the Service `{name}`")),
    }
}

/// A way from a public name to a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// What says so: `apps/Ingress/web`.
    pub by: String,
    /// The public name.
    pub name: String,
    /// The path below which the service answers.
    pub path: String,
    /// How the virtual host behaves.
    pub manners: Manners,
}

/// How a virtual host behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether plain HTTP is redirected.
    pub redirect: Option<bool>,
    /// The largest request, as a size.
    pub max_body: Option<String>,
    /// Seconds that an answer may take.
    pub timeout: Option<u64>,
    /// The secret with the accounts that may look.
    pub auth: Option<String>,
    /// Networks that may look; everybody where there are none.
    pub allow: Vec<String>,
    /// Headers of each answer.
    pub headers: Vec<(String, String)>,
}

/// Tells whether a name can only be known in a network of one's own, so that no ACME provider proves it.
pub fn is_private_name(name: &str) -> bool {
    const OWN: &[&str] = &["arpa", "home", "internal", "lan", "local", "localdomain", "localhost", "test", "intranet"];
    name.trim_end_matches('.')
        .rsplit_once('.')
        .is_none_or(|(_, last)| OWN.contains(&last.to_ascii_lowercase().as_str()))
}

/// Returns why a text is no public name that a virtual host can have.
pub fn no_public_name(text: &str) -> Option<String> {
    if text.contains("${") {
        return Some("the name is filled in from elsewhere: which name is it?".to_owned());
    }
    if let Some(domain) = text.strip_prefix("*.") {
        return Some(format!("it stands for every name below `{domain}`: which names should lead here?"));
    }
    text.parse::<DnsName>().is_err().then(|| "this is no DNS name: which name should lead here?".to_owned())
}

/// Returns a path as virtual hosts have it: the path below which a service answers, element by element.
pub fn path_below(text: &str) -> Option<String> {
    let trimmed = text.trim_end_matches('/');
    let path = if trimmed.is_empty() { "/" } else { trimmed };
    path.parse::<AbsPath>().is_ok().then(|| path.to_owned())
}

/// Lets a public name lead to a service, and returns the key of the definition that says so.
///
/// An error is a question: two routes want one path of one name, or the service cannot have the virtual host.
pub fn connect(cx: &mut Cx<'_, '_>, route: Route, backend: &Backend) -> Result<String, String> {
    let name = route.name.trim_end_matches('.').to_ascii_lowercase();
    let (service, to) = match backend {
        Backend::Here { service, port } => {
            let service = network_owner(cx, service);
            let to = publish(cx, &service, *port, Protocol::Tcp, None, false)?;
            (service, to.map(|port| port.to_string()))
        }
        Backend::Elsewhere(address) => return elsewhere(cx, &route, &name, address),
    };
    if cx.host.services.get(&service).is_none() {
        return Err(format!("`{service}` is not translated"));
    }
    let taken = Taken { by: route.by, to: to.clone(), service: service.clone() };
    if !claim(cx, &name, &route.path, taken)? {
        return Ok(format!("services.{service}.vhost"));
    }
    let own = is_own_vhost(cx, &service);
    let manners = route.manners;
    if manners.tls && !is_private_name(&name) {
        cx.reach.proved.insert(name.clone());
    }
    let tls = match manners.tls {
        false => Some("none"),
        true if is_private_name(&name) => Some("self"),
        true => None,
    };
    let Some(draft) = cx.host.services.get_mut(&service) else { return Err(String::new()) };
    if own && route.path != "/" {
        return Err(format!("the NixOS module of `{service}` makes its virtual host, all of it: is that right?"));
    }
    if own && let Some(first) = draft.vhosts.first_mut() {
        if first.name != name && !first.aliases.contains(&name) {
            first.aliases.push(name);
        }
        return Ok(format!("services.{service}.vhost"));
    }
    draft.vhosts.push(VhostDraft {
        name,
        aliases: Vec::new(),
        path: route.path,
        to: if own { None } else { to },
        tls,
        redirect: manners.redirect.filter(|redirect| manners.tls && !redirect),
        max_body: manners.max_body,
        timeout: manners.timeout.filter(|_| !own),
        auth: manners.auth,
        allow: manners.allow,
        headers: manners.headers.into_iter().collect(),
    });
    Ok(format!("services.{service}.vhost"))
}

/// Gives a path of a public name to what leads there; false where it leads there already. An error says what else has it.
fn claim(cx: &mut Cx<'_, '_>, name: &str, path: &str, taken: Taken) -> Result<bool, String> {
    let key = (name.to_owned(), path.to_owned());
    match cx.reach.routes.get(&key) {
        Some(other) if other.service == taken.service && other.to == taken.to => Ok(false),
        Some(other) => Err(format!(
            "`{name}{path}` leads to {} already, by {}: which one should answer there?",
            other.shown(),
            other.by
        )),
        None => {
            if let Some(other) = cx.vhost_of_other(&taken.service, name, path) {
                return Err(format!(
                    "`{name}{path}` leads to the host's service `{other}` already: which one should answer there?"
                ));
            }
            cx.reach.routes.insert(key, taken);
            Ok(true)
        }
    }
}

impl Taken {
    fn shown(&self) -> String {
        match (&self.to, self.service.is_empty()) {
            (Some(address), true) => address.clone(),
            _ => format!("the service `{}`", self.service),
        }
    }
}

/// Returns the service whose network a service has: its own, or that of the container whose network it shares.
pub fn network_owner(cx: &Cx<'_, '_>, service: &str) -> String {
    let shared = cx.host.services.get(service).and_then(|draft| draft.as_container()?.network_of.as_deref());
    shared.unwrap_or(service).to_owned()
}

/// Tells whether a service has the network of the host itself: a NixOS module, or a container without a network of its own.
pub fn is_on_host(cx: &Cx<'_, '_>, service: &str) -> bool {
    match cx.host.services.get(service).map(|draft| &draft.work) {
        Some(WorkDraft::Container(container)) => container.host_network,
        Some(WorkDraft::Native(_)) => true,
        None => false,
    }
}

fn is_own_vhost(cx: &Cx<'_, '_>, service: &str) -> bool {
    let Some(WorkDraft::Native(native)) = cx.host.services.get(service).map(|draft| &draft.work) else { return false };
    cx.target.modules.get(&native.module).is_some_and(|module| module.file.vhost.is_some())
}

/// Returns the port that a service listens on where the program in the cluster listened on `inside`: the same, or the module's.
pub fn real_port(cx: &Cx<'_, '_>, service: &str, inside: u16, protocol: Protocol) -> u16 {
    let Some(WorkDraft::Native(native)) = cx.host.services.get(service).map(|draft| &draft.work) else { return inside };
    let Some(module) = cx.target.modules.get(&native.module) else { return inside };
    let ports: Vec<&ModulePort> = module.file.ports.iter().filter(|port| protocol_of(port) == protocol).collect();
    let known = ports.iter().find(|port| number_of(port, &native.options) == inside || port.port.value == inside);
    known.or(ports.first()).map_or(inside, |port| number_of(port, &native.options))
}

/// Returns the number of a module's port under options: as they say, else as the module does.
pub fn number_of(port: &ModulePort, options: &indexmap::IndexMap<String, serde_json::Value>) -> u16 {
    let said = port.option.as_ref().and_then(|option| options.get(option.value.as_str()));
    let number = said.and_then(|value| match value {
        serde_json::Value::String(text) => text.rsplit(':').next()?.parse().ok(),
        value => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    });
    number.unwrap_or(port.port.value)
}

/// Returns the protocol of a module's port.
pub fn protocol_of(port: &ModulePort) -> Protocol {
    match port.proto.value {
        crate::fleet::schema::service_parts::Protocol::Udp => Protocol::Udp,
        crate::fleet::schema::service_parts::Protocol::Tcp => Protocol::Tcp,
    }
}

/// Lets a module's service be reached at other addresses than that of the host itself, where it listens on that alone.
pub fn listen_everywhere(cx: &mut Cx<'_, '_>, service: &str, real: u16) {
    let (modules, release) = (cx.target.modules, cx.release_of(service));
    let index = release.and_then(|release| cx.target.facts.options(release));
    let Some(WorkDraft::Native(native)) = cx.host.services.get_mut(service).map(|draft| &mut draft.work) else {
        return;
    };
    let Some(module) = modules.get(&native.module) else { return };
    let port = module.file.ports.iter().find(|port| number_of(port, &native.options) == real);
    let Some(port) = port.filter(|port| port.listen.as_ref().is_some_and(|listen| listen.value.is_loopback())) else {
        return;
    };
    let (Some(option), Some(prefix)) = (&port.listen_option, &module.file.prefix) else { return };
    let option = option.value.as_str();
    let is_both = port.option.as_ref().is_some_and(|other| other.value.as_str() == option);
    let loc = split_name(&format!("{}.{option}", prefix.as_str()));
    let loc: Vec<&str> = loc.iter().map(String::as_str).collect();
    let shape = index.and_then(|index| index.type_of(&loc)).map(Type::shape);
    let value = match shape {
        Some(Shape::Bool) => serde_json::Value::Bool(true),
        Some(Shape::ListOf { .. }) => serde_json::json!(["0.0.0.0"]),
        _ if is_both => format!("0.0.0.0:{real}").into(),
        _ => "0.0.0.0".into(),
    };
    native.options.entry(option.to_owned()).or_insert(value);
}

/// Lets a port of a service be reached on the host, and returns which port of the host that is; none where the service's own first
/// port is meant.
///
/// A port that is there already is used again. `wanted` is what others call it now; an error says who has that port.
pub fn publish(
    cx: &mut Cx<'_, '_>,
    service: &str,
    inside: u16,
    protocol: Protocol,
    wanted: Option<u16>,
    public: bool,
) -> Result<Option<u16>, String> {
    let on_host = is_on_host(cx, service);
    let real = real_port(cx, service, inside, protocol);
    let Some(draft) = cx.host.services.get_mut(service) else { return Err(format!("`{service}` is not translated")) };
    if let WorkDraft::Native(_) = draft.work {
        if public && !is_for_everybody(cx, service, real) {
            return Err(format!("`{service}` is not for everybody, and this would open it to the world"));
        }
        if public {
            listen_everywhere(cx, service, real);
            cx.open_port(service, real, protocol);
        }
        return Ok(public.then_some(real));
    }
    let same = |port: &&mut PortDraft| {
        port.protocol == protocol
            && port.to.unwrap_or(port.port) == inside
            && wanted.is_none_or(|wanted| port.port == wanted)
    };
    if let Some(known) = draft.ports.iter_mut().find(same) {
        known.public |= public;
        return Ok(Some(known.port));
    }
    let port = if on_host {
        inside
    } else if let Some(wanted) = wanted {
        if let Some(owner) = cx.owner_of_port(service, protocol, wanted) {
            return Err(format!("port {wanted} of the host belongs to {owner} already"));
        }
        wanted
    } else if cx.owner_of_port(service, protocol, inside).is_some() {
        cx.free_port(service, protocol, ..).unwrap_or(inside)
    } else {
        inside
    };
    let to = (port != inside).then_some(inside);
    cx.add_port(service, PortDraft { port, to, protocol, name: None, public, listen: Vec::new() });
    Ok(Some(port))
}

/// Tells whether a port of a native service may be open to the world, as its module says; unknown ones may not.
fn is_for_everybody(cx: &Cx<'_, '_>, service: &str, real: u16) -> bool {
    let draft = cx.host.services.get(service);
    let Some(WorkDraft::Native(native)) = draft.map(|draft| &draft.work) else { return false };
    let module = cx.target.modules.get(&native.module);
    let mut ports = module.into_iter().flat_map(|module| &module.file.ports);
    ports.any(|port| number_of(port, &native.options) == real && port.exposure.value == Exposure::Public)
}

/// Returns names in a sentence: `a`, `b` and `c`.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    joined(&names, usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::sample::{reached, vhosts, workload};

    /// Another machine, and an Ingress of two paths that lead there.
    const NAS: &str = "apiVersion: v1\nkind: Service\nmetadata: { name: nas }\nspec: { ports: [{ name: web, port: 80 }] }\n---\napiVersion: v1\nkind: Endpoints\nmetadata: { name: nas }\nsubsets: [{ addresses: [{ ip: 192.0.2.7 }], ports: [{ name: web, port: 5000 }] }]\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: nas }\nspec:\n  tls: [{ secretName: x }]\n  rules:\n    - host: nas.example.org\n      http:\n        paths:\n          - { path: /, backend: { service: { name: nas, port: { number: 80 } } } }\n          - { path: /dav/, backend: { service: { name: nas, port: { name: web } } } }\n";

    #[test]
    fn a_name_may_lead_to_another_machine() {
        let inventory = reached(NAS, &[]);
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
        let lines: Vec<String> = inventory.host.nixos.iter().map(|(path, value)| format!("{path} = {value}")).collect();
        let nas = "services.nginx.virtualHosts.\"nas.example.org\"";
        for line in [
            format!("{nas}.locations.\"/\".proxyPass = \"http://192.0.2.7:5000\""),
            format!("{nas}.locations.\"= /dav\".proxyPass = \"http://192.0.2.7:5000\""),
            format!("{nas}.locations.\"/dav/\".proxyPass = \"http://192.0.2.7:5000\""),
            format!("{nas}.enableACME = true"),
            format!("{nas}.forceSSL = true"),
            "services.nginx.enable = true".to_owned(),
        ] {
            assert!(lines.contains(&line), "{line}: {lines:?}");
        }
    }

    #[test]
    fn a_port_of_the_host_has_one_owner() {
        let mut all = String::new();
        for name in ["a", "b", "c"] {
            all.push_str(
                &workload(name)
                    .replace("port: 80,", "port: 8080,")
                    .replace("spec:\n  selector", "spec:\n  type: LoadBalancer\n  selector"),
            );
        }
        let inventory = reached(&all, &[]);
        let public: Vec<&str> = inventory
            .host
            .services
            .iter()
            .filter(|(_, draft)| !draft.ports.is_empty())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(public, ["a"]);
        let ids: Vec<(&str, bool)> =
            inventory.questions.iter().map(|question| (question.id.as_str(), question.blocks)).collect();
        assert_eq!(ids, [("default/Service/b#port-8080", true), ("default/Service/c#port-8080", true)]);
        let question = &inventory.questions.first().unwrap().question;
        assert_eq!(
            question,
            "clients reach `b` at port 8080, but port 8080 of the host belongs to `a` already: which port should it have?"
        );
    }

    #[test]
    fn names_of_ones_own_network_have_no_acme_provider() {
        for (name, private) in [
            ("a.lan", true),
            ("a.home.arpa", true),
            ("nas", true),
            ("a.LOCAL.", true),
            ("a.example.org", false),
            ("lan.example.org", false),
        ] {
            assert_eq!(is_private_name(name), private, "{name}");
        }
        assert_eq!(path_below("/a/"), Some("/a".to_owned()));
        assert_eq!(vhosts(&reached(&workload("a"), &[])), Vec::<String>::new());
    }
}
