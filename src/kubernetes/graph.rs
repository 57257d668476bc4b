//! Who talks to whom: what the definitions say of Services, by their names.
//!
//! Runs after all routes. Where a definition speaks of a Service, the word stays when it leads to the right place, and is rewritten
//! where the port or the name differs on this host; who speaks with a service starts after it. Secrets are never looked into, so that a
//! port that differs is a question where somebody may speak of it in one.
//!
//! Invariant: a word that only looks like a Service's name is left alone, and what starts after what has no cycle.

mod loopback;
mod order;
mod remote;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::order::is_store;
use super::context::Cx;
use super::draft::{Draft, Protocol, SecretTo, WorkDraft};
use super::object::Object;
use super::ports::port_number;
use super::reach::{Leads, Service, is_on_host, listed, listen_everywhere, network_owner, real_port};
use super::translate::service;
use super::tree::Node;
use words::{Speech, Word};

/// That one service speaks with another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Edge {
    /// Who speaks.
    pub from: String,
    /// With which service.
    pub to: String,
    /// The key of the definition that says so: `environment.DATABASE_URL`; `env.DB_HOST` of a variable that only the manifest has.
    pub key: String,
    /// The port that it speaks of, as it is on the host.
    pub port: Option<u16>,
    /// The file of the manifest.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A way by which a service is reached from outside of its containers' network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Way {
    /// The public name with its path; none of a port.
    pub name: Option<String>,
    /// The port of the host; none where the web server leads to it.
    pub port: Option<u16>,
    /// Whether everybody may reach it; else only this host.
    pub public: bool,
}

/// Finds out who talks to whom, rewrites what differs, and settles the ports of Services.
pub(super) fn run(cx: &mut Cx<'_, '_>) -> (Vec<Edge>, BTreeMap<String, Vec<Way>>) {
    let mut spoken = Spoken::default();
    let names: Vec<String> = cx.host.services.keys().cloned().collect();
    for name in &names {
        of_service(cx, name, &mut spoken);
    }
    spoken.edges.sort();
    spoken.edges.dedup();
    spoken.in_secret = in_secret(cx);
    order::order(cx, &spoken.edges);
    remote::ask_secrets(cx, &spoken.edges);
    settle_ports(cx, &spoken);
    (spoken.edges, ways(cx))
}

/// What was found.
#[derive(Debug, Default)]
struct Spoken {
    edges: Vec<Edge>,
    /// Services that are spoken of without a port which could be found, by who speaks of them.
    unknown: BTreeMap<(String, String), BTreeSet<String>>,
    /// Services of which a port was found, and rewritten where it differs.
    known: BTreeSet<(String, String)>,
    /// Services that get secrets as variables, in which another service may be spoken of, by namespace.
    in_secret: BTreeMap<String, Vec<String>>,
}

/// A text of a definition.
struct Text {
    key: String,
    /// What introduces it: the variable, or the flag before it.
    hint: String,
    text: String,
}

/// Reads everything that a definition says, and writes back what differs.
fn of_service(cx: &mut Cx<'_, '_>, name: &str, spoken: &mut Spoken) {
    let Some(draft) = cx.host.services.get(name) else { return };
    let Some(object) = cx.world.object(draft.object) else { return };
    let namespace = object.namespace().to_owned();
    let on_host = is_on_host(cx, &network_owner(cx, name));
    let mut texts = texts(draft, object);
    let mut changed = false;
    let mut talks: Vec<(String, String, Option<u16>, String)> = Vec::new();
    let mut hosts: BTreeMap<String, String> = BTreeMap::new();
    // A port that stands in a variable of its own: `DB_HOST` and `DB_PORT`.
    let mut beside: Vec<(String, u16, u16)> = Vec::new();
    for at in 0..texts.len() {
        let Some(text) = texts.get(at) else { continue };
        let is_file = text.key.starts_with("files.");
        let has_port = !is_file && has_port(&texts, &text.hint);
        let speech = Speech { namespace: &namespace, hint: &text.hint, is_file, has_port };
        let found = words::find(&text.text, &speech, &cx.reach.services);
        let mut out = text.text.clone();
        // From the end, so that places before stay where they are.
        for word in found.into_iter().rev() {
            let before = text.text.clone();
            let Some(done) = rewritten(cx, &word, &texts, &text.hint, name, on_host) else { continue };
            if let (true, Some(to), Some(port)) = (done.is_on_host && !on_host, done.to.first(), done.port) {
                listen_everywhere(cx, to, port);
            }
            talks.extend(done.to.iter().map(|to| (to.clone(), text.key.clone(), done.port, before.clone())));
            hosts.extend(done.host.clone());
            beside.extend(done.beside.clone());
            let id = (word.namespace.clone(), word.name.clone());
            if done.port.is_some() {
                spoken.known.insert(id);
            } else {
                spoken.unknown.entry(id).or_default().insert(format!("{name}: {}", text.key));
            }
            if done.text.as_deref() != out.get(word.start..word.end)
                && let Some(new) = &done.text
                && out.get(word.start..word.end).is_some()
            {
                out.replace_range(word.start..word.end, new);
                changed = true;
            }
        }
        if let Some(text) = texts.get_mut(at) {
            text.text = out;
        }
    }
    for (key, from, to) in beside {
        let port = texts.iter_mut().find(|text| text.hint == key && text.text.trim() == from.to_string());
        if let Some(port) = port {
            port.text = to.to_string();
            changed = true;
        }
    }
    for (to, key, port, text) in talks {
        let to = network_owner(cx, &to);
        if to == network_owner(cx, name) {
            continue;
        }
        let (file, line) = place(cx, object, &text);
        spoken.edges.push(Edge { from: name.to_owned(), to, key, port, file, line });
    }
    let owner = network_owner(cx, name);
    if !is_on_host(cx, &owner)
        && let Some(container) = cx.host.services.get_mut(&owner).and_then(Draft::as_container_mut)
    {
        for (host, address) in hosts {
            container.hosts.entry(host).or_insert(address);
        }
    }
    if changed && let Some(draft) = cx.host.services.get_mut(name) {
        write_back(draft, texts);
    }
}

/// Returns all texts of a definition in which names of Services may stand. Of a module that lacks an option for it (the address of a
/// database that is put together by the image) the variable of the manifest tells with whom the program speaks.
fn texts(draft: &Draft, object: &Object<'_>) -> Vec<Text> {
    let mut all = Vec::new();
    if let WorkDraft::Container(container) = &draft.work {
        for (key, value) in &container.environment {
            all.push(Text { key: format!("environment.{key}"), hint: key.clone(), text: value.clone() });
        }
        for (key, words) in [("command", &container.command), ("args", &container.args)] {
            let mut before = String::new();
            for (at, word) in words.iter().enumerate() {
                let hint = if before.starts_with('-') { before.clone() } else { String::new() };
                all.push(Text { key: format!("{key}.{at}"), hint, text: word.clone() });
                before.clone_from(word);
            }
        }
    }
    if let WorkDraft::Native(native) = &draft.work {
        for (option, value) in &native.options {
            if let Some(text) = value.as_str() {
                all.push(Text { key: format!("options.{option}"), hint: option.clone(), text: text.to_owned() });
            }
        }
        let variables = service::containers(object).flat_map(|container| container.list("env"));
        for (name, value) in variables.filter_map(|one| Some((one.str_at("name")?, one.str_at("value")?))) {
            if !all.iter().any(|known| known.text == value) {
                all.push(Text { key: format!("env.{name}"), hint: name.to_owned(), text: value.to_owned() });
            }
        }
    }
    for (at, file) in draft.files.iter().enumerate() {
        if let Ok(text) = std::str::from_utf8(&file.content) {
            all.push(Text { key: format!("files.{at}"), hint: file.path.clone(), text: text.to_owned() });
        }
    }
    all
}

/// Writes texts back to where [`texts`] read them.
fn write_back(draft: &mut Draft, texts: Vec<Text>) {
    for text in texts {
        let Some((of, key)) = text.key.split_once('.') else { continue };
        let at = key.parse::<usize>().unwrap_or(usize::MAX);
        match (of, &mut draft.work) {
            ("files", _) => {
                if let Some(file) = draft.files.get_mut(at) {
                    file.content = text.text.into_bytes();
                }
            }
            ("options", WorkDraft::Native(native)) => {
                if let Some(value) = native.options.get_mut(key) {
                    *value = text.text.into();
                }
            }
            ("environment", WorkDraft::Container(container)) => {
                container.environment.insert(key.to_owned(), text.text);
            }
            ("command", WorkDraft::Container(container)) => {
                container.command.get_mut(at).into_iter().for_each(|word| word.clone_from(&text.text));
            }
            ("args", WorkDraft::Container(container)) => {
                container.args.get_mut(at).into_iter().for_each(|word| word.clone_from(&text.text));
            }
            _ => {}
        }
    }
}

/// What becomes of a word.
#[derive(Debug, Default)]
struct Done {
    /// With which services somebody speaks by it.
    to: Vec<String>,
    /// The port on the host; none where it could not be found.
    port: Option<u16>,
    /// What stands there instead.
    text: Option<String>,
    /// What the container has to know: a name and its address.
    host: Vec<(String, String)>,
    /// Whether the other one is a service of the host itself.
    is_on_host: bool,
    /// A variable that holds the port, with the port as it is and as it should be.
    beside: Option<(String, u16, u16)>,
}

/// Returns what becomes of a word by which `from` names a Service. `from_host` says that it is said on the network of the host.
fn rewritten(
    cx: &mut Cx<'_, '_>,
    word: &Word,
    texts: &[Text],
    hint: &str,
    from: &str,
    from_host: bool,
) -> Option<Done> {
    let id = (word.namespace.clone(), word.name.clone());
    let service = cx.reach.services.get(&id)?.clone();
    let said = word.port.or(word.default_port).map(|number| (number, word.port.is_some()));
    match &service.leads {
        Leads::Nowhere => None,
        Leads::Name(other) => Some(Done {
            port: said.map(|(port, _)| port).or(Some(0)),
            text: Some(with_port(other, word.port)),
            ..Done::default()
        }),
        Leads::Addresses(addresses) => {
            let address = addresses.first()?;
            let target = said.and_then(|(number, _)| service.ports.iter().find(|port| port.port == number));
            let port = target.map_or(said.map(|(number, _)| number), |port| Some(port.target));
            Some(Done {
                port: port.or(Some(0)),
                text: Some(joined(&word.spelled, word.port, word.default_port, port)),
                host: vec![(word.spelled.trim_end_matches('.').to_owned(), address.to_string())],
                ..Done::default()
            })
        }
        Leads::To(services) => {
            let first = services.first()?;
            let owner = network_owner(cx, first);
            let mut done = Done { to: vec![owner.clone()], ..Done::default() };
            let speaker = network_owner(cx, from);
            if !cx.is_beside(&speaker, &owner) {
                return Some(remote::at(cx, word, &service, (&speaker, &owner), port_beside(texts, hint, &service)));
            }
            let on_host = is_on_host(cx, &owner);
            if from_host && !on_host {
                return Some(loopback::at(cx, word, &service, &owner, port_beside(texts, hint, &service)));
            }
            let mut spelled = word.spelled.clone();
            let short = spelled == word.name;
            if short && !service::is_only(cx, &word.namespace, &word.name, Some(&owner)) {
                spelled = format!("{}.{}", word.name, word.namespace);
            }
            if on_host {
                let known = spelled.trim_end_matches('.').to_owned();
                done.host.push((known, "host-gateway".to_owned()));
                done.is_on_host = true;
            } else if let Some(pod) = &word.pod {
                // A pod of a StatefulSet has a name of its own; the first one is the container.
                let object = cx.host.services.get(&owner).and_then(|draft| cx.world.object(draft.object));
                let is_first = object.is_some_and(|object| object.first_pod() == *pod);
                let container = cx.host.services.get_mut(&owner).and_then(Draft::as_container_mut);
                if let Some(container) = container.filter(|_| is_first) {
                    let alias = spelled.trim_end_matches('.').to_owned();
                    if !container.aliases.contains(&alias) {
                        container.aliases.push(alias);
                    }
                }
            }
            let target = said.and_then(|(number, _)| service.ports.iter().find(|port| port.port == number));
            let real = |port: &super::reach::ServicePort| real_port(cx, &owner, port.target, port.protocol);
            match (target, said) {
                (Some(target), _) => done.port = Some(real(target)),
                // A headless Service passes every port through, and a port that the Service lacks was one of the program's own.
                (None, Some((number, true))) => done.port = Some(number),
                (None, _) => {
                    let same = service.ports.iter().all(|port| real(port) == port.port);
                    if let Some((key, number)) = port_beside(texts, hint, &service) {
                        let target = service.ports.iter().find(|port| port.port == number).map_or(number, real);
                        done.port = Some(target);
                        done.beside = (target != number).then_some((key, number, target));
                    } else if same {
                        done.port = service.ports.first().map(|port| port.port).or(Some(0));
                    }
                }
            }
            let port =
                if word.port.is_some() || word.default_port.is_some() && target.is_some() { done.port } else { None };
            done.text = Some(joined(&spelled, word.port, word.default_port, port));
            Some(done)
        }
    }
}

/// Returns a host with its port where one was said, or where the one that goes without saying is another.
fn joined(host: &str, said: Option<u16>, default: Option<u16>, port: Option<u16>) -> String {
    match (said, default, port) {
        (Some(said), _, port) => format!("{host}:{}", port.unwrap_or(said)),
        (None, Some(default), Some(port)) if port != default => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

fn with_port(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Tells whether a variable holds a port and is called like another one: `MASTER_PORT` beside `MASTER`.
fn has_port(texts: &[Text], hint: &str) -> bool {
    let own = |text: &Text| text.hint.strip_suffix("_PORT") == Some(hint) && text.text.trim().parse::<u16>().is_ok();
    !hint.is_empty() && texts.iter().any(own)
}

/// Returns the variable beside another that holds the port of the Service: `DB_PORT` beside `DB_HOST` or `DB`.
fn port_beside(texts: &[Text], hint: &str, service: &Service) -> Option<(String, u16)> {
    const HOST_WORDS: &[&str] =
        &["HOSTNAME", "HOST", "SERVER", "ADDRESS", "ADDR", "ENDPOINT", "host", "hostname", "server", "address"];
    let stem = HOST_WORDS.iter().find_map(|word| hint.strip_suffix(word));
    let is_of_stem = |text: &Text| {
        stem.is_some_and(|stem| text.hint == format!("{stem}PORT") || text.hint == format!("{stem}port"))
            || text.hint.strip_suffix("_PORT") == Some(hint)
    };
    let text = texts.iter().find(|text| is_of_stem(text))?;
    let number: u16 = text.text.trim().parse().ok()?;
    service.ports.iter().any(|port| port.port == number).then(|| (text.hint.clone(), number))
}

/// Returns where a text stands in the manifest; the object's own place where it was put together.
fn place(cx: &Cx<'_, '_>, object: &Object<'_>, text: &str) -> (String, u32) {
    let mut found: Option<(usize, super::object::ObjectId)> = None;
    object.tree().each_leaf(&mut |_, leaf| {
        if found.is_none() && leaf.text() == Some(text) {
            found = Some((leaf.span.start as usize, super::object::ObjectId(leaf.leaf().owner)));
        }
    });
    let (start, owner) = found.unwrap_or((object.root.span.start as usize, object.id));
    let file = cx.world.object(owner).map_or(object.file, |owner| owner.file);
    let place = cx.world.sources.place(file, start, start);
    (cx.world.sources.file(file).path().to_owned(), cx.world.sources.position(place).line)
}

/// Settles the ports of all Services that are not settled by what they open.
fn settle_ports(cx: &mut Cx<'_, '_>, spoken: &Spoken) {
    let services: Vec<((String, String), Service)> =
        cx.reach.services.iter().map(|(id, service)| (id.clone(), service.clone())).collect();
    let world = cx.world;
    for (id, known) in services {
        let Some(object) = world.object(known.object) else { continue };
        let Some(nodes) = object.tree().at(&["spec", "ports"]) else { continue };
        for node in nodes.items() {
            one_port(cx, object, node, &id, &known, spoken);
        }
    }
}

fn one_port<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    node: &'w Node<'s>,
    id: &(String, String),
    known: &Service,
    spoken: &Spoken,
) {
    for (key, reason) in
        [("name", "what the port is called among the ports of the Service"), ("appProtocol", "a hint for a mesh")]
    {
        if let Some(node) = node.get(key) {
            cx.books.dropped(node, reason);
        }
    }
    let number = node.get("port").and_then(port_number);
    let is_udp = node.str_at("protocol") == Some("UDP");
    let port = known.ports.iter().find(|port| Some(port.port) == number && (port.protocol == Protocol::Udp) == is_udp);
    let (Some(port), Leads::To(services)) = (port, &known.leads) else {
        match &known.leads {
            Leads::Name(_) => cx.books.replaced(node, "the name that the Service stands for"),
            Leads::Addresses(_) => cx.books.replaced(node, "the addresses that the Service stands for"),
            _ => cx.books.needs_you(node, "nothing answers at this port yet: see the question about the Service"),
        }
        return;
    };
    let Some(owner) = services.first().map(|first| network_owner(cx, first)) else { return };
    let real = real_port(cx, &owner, port.target, port.protocol);
    let published = cx.host.services.get(&owner).is_some_and(|draft| {
        draft.ports.iter().any(|known| known.to.unwrap_or(known.port) == port.target && known.protocol == port.protocol)
    });
    if real != port.port {
        let unknown = spoken.unknown.get(id);
        let all = spoken.in_secret.get(&id.0).into_iter().flatten();
        let secret: Vec<&String> = all.filter(|name| **name != owner).collect();
        let whom = match (unknown, secret.as_slice()) {
            (Some(places), _) => Some(listed(places)),
            (None, []) => None,
            (None, secret) => Some(format!("the secrets of {}", listed(secret.iter().copied()))),
        };
        if let (Some(whom), Some(at)) = (whom, node.get("port")) {
            let question = format!(
                "`{}` answered at port {} in the cluster and answers at {real} here, and it may be spoken of in {whom}: is the port right there?",
                id.1, port.port
            );
            cx.ask(object, at, &format!("port-{}", port.port), question, false);
        }
    }
    let to = if published { format!("services.{owner}.ports") } else { format!("services.{owner}") };
    if published {
        cx.books.translated(node, to);
    } else {
        let how = if real == port.port {
            "the name leads to the container itself, at the same port"
        } else {
            "the name leads to the container itself; where its port is spoken of it was rewritten"
        };
        for pair in node.pairs() {
            cx.books.translated_as(&pair.node, to.clone(), how);
        }
    }
}

/// Returns the services that get secrets as variables in which another service may be spoken of, by namespace.
pub(super) fn in_secret(cx: &Cx<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let speaks = |draft: &Draft| {
        draft.secrets.iter().any(|secret| {
            matches!(&secret.to, SecretTo::Env(key) if words::is_address_key(key)) || secret.to == SecretTo::EnvFile
        })
    };
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, draft) in cx.host.services.iter().filter(|(_, draft)| speaks(draft)) {
        if let Some(object) = cx.world.object(draft.object) {
            all.entry(object.namespace().to_owned()).or_default().push(name.clone());
        }
    }
    all
}

/// Returns how each service is reached from outside of its containers' network.
fn ways(cx: &Cx<'_, '_>) -> BTreeMap<String, Vec<Way>> {
    let mut all = BTreeMap::new();
    for (name, draft) in &cx.host.services {
        let mut ways: Vec<Way> = Vec::new();
        for vhost in &draft.vhosts {
            let path = if vhost.path == "/" { "" } else { &vhost.path };
            let names = std::iter::once(&vhost.name).chain(&vhost.aliases);
            let public = vhost.allow.is_empty();
            ways.extend(names.map(|name| Way { name: Some(format!("{name}{path}")), port: None, public }));
        }
        ways.extend(draft.ports.iter().map(|port| Way { name: None, port: Some(port.port), public: port.public }));
        if !ways.is_empty() {
            all.insert(name.clone(), ways);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::Inventory;
    use crate::kubernetes::draft::Draft;
    use crate::kubernetes::sample::{reached, workload};

    /// A workload `app` with variables, beside `db` that listens on 8080 behind port 80.
    fn app(env: &str) -> Inventory {
        reached(&manifests(env, ""), &[])
    }

    fn manifests(env: &str, more: &str) -> String {
        format!(
            "{}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: app{more} }}\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: docker.io/a/app:1\n{env}\n",
            workload("db")
        )
    }

    #[test]
    fn who_has_the_network_of_the_host_finds_a_container_at_the_loopback_address() {
        let of = |env: &str| {
            let yaml = manifests(&format!("          env: [{env}]"), "");
            let yaml = yaml.replace(
                "    spec:\n      containers:\n        - name: app",
                "    spec:\n      hostNetwork: true\n      containers:\n        - name: app",
            );
            let inventory = reached(&yaml, &[]);
            let app = inventory.host.services.get("app").and_then(Draft::as_container).unwrap();
            let ports = &inventory.host.services.get("db").unwrap().ports;
            let ports: Vec<(u16, Option<u16>, bool)> =
                ports.iter().map(|port| (port.port, port.to, port.public)).collect();
            (app.environment.values().cloned().collect::<Vec<_>>().join(" "), ports)
        };
        let at_8080 = || vec![(8080, None, false)];
        assert_eq!(of("{ name: URL, value: 'http://db/x' }"), ("http://127.0.0.1:8080/x".to_owned(), at_8080()));
        assert_eq!(of("{ name: DB, value: 'db.default.svc:80' }"), ("127.0.0.1:8080".to_owned(), at_8080()));
        let beside = of("{ name: DB_HOST, value: db }, { name: DB_PORT, value: '80' }");
        assert_eq!(beside, ("127.0.0.1 8080".to_owned(), at_8080()));
        // The host's web server has the port 80, which goes without saying.
        assert_eq!(of("{ name: DB_HOST, value: db }"), ("db".to_owned(), Vec::new()));
        assert_eq!(of("{ name: GREETING, value: db }"), ("db".to_owned(), Vec::new()));
    }

    fn value(inventory: &Inventory) -> String {
        let container = inventory.host.services.get("app").and_then(Draft::as_container).unwrap();
        container.environment.values().next().cloned().unwrap_or_default()
    }

    /// Returns what becomes of a variable.
    fn variable(key: &str, text: &str) -> (String, usize) {
        let inventory = app(&format!("          env: [{{ name: {key}, value: {} }}]", serde_json::Value::from(text)));
        (value(&inventory), inventory.talks.len())
    }

    #[test]
    fn a_port_that_differs_is_rewritten_where_it_is_spoken_of() {
        for (key, text, becomes) in [
            ("URL", "http://db", "http://db:8080"),
            ("URL", "http://db/", "http://db:8080/"),
            ("URL", "http://db:80/x?y=db", "http://db:8080/x?y=db"),
            ("URL", "http://user:word@db:80/db", "http://user:word@db:8080/db"),
            ("URL", "http://db.default.svc.cluster.local/x", "http://db.default.svc.cluster.local:8080/x"),
            ("URL", "http://db.default.svc.cluster.local.:80", "http://db.default.svc.cluster.local.:8080"),
            ("URL", "http://db.default/x", "http://db.default:8080/x"),
            ("ANY", "db:80", "db:8080"),
            ("ANY", "db.default.svc:80", "db.default.svc:8080"),
            ("HOSTS", "db:80,other:80", "db:8080,other:80"),
            ("ANY", "a db:80 b", "a db:8080 b"),
            ("URL", "jdbc:postgresql://db:80/db", "jdbc:postgresql://db:8080/db"),
            // The program's own port was never behind the Service: it stays.
            ("URL", "http://db:8080/", "http://db:8080/"),
            ("URL", "http://db:9999/", "http://db:9999/"),
        ] {
            assert_eq!(variable(key, text), (becomes.to_owned(), 1), "{text}");
        }
    }

    #[test]
    fn a_word_that_only_looks_like_a_service_is_left_alone() {
        for (key, text) in [
            ("POSTGRES_USER", "db"),
            ("DB_NAME", "db"),
            ("PATH_OF", "/var/lib/db"),
            ("URL", "http://example.org/db"),
            ("URL", "http://example.org:80/db:80"),
            ("URL", "http://mydb:80"),
            ("URL", "http://db-2:80"),
            ("URL", "http://db.example.org:80"),
            ("URL", "http://db.other.svc.cluster.local:80"),
            ("ANY", "db:801"),
            ("ANY", "db:80a"),
            ("ANY", "x.db:80"),
            ("WORD", "use the db for it"),
            ("FILE", "db.default.yaml"),
        ] {
            assert_eq!(variable(key, text), (text.to_owned(), 0), "{text}");
        }
    }

    #[test]
    fn a_port_in_a_variable_of_its_own_is_rewritten_too() {
        let inventory = app(
            "          env: [{ name: DB_HOST, value: db }, { name: DB_PORT, value: '80' }, { name: WEB_PORT, value: '80' }]",
        );
        let container = inventory.host.services.get("app").and_then(Draft::as_container).unwrap();
        let all: Vec<(&str, &str)> =
            container.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(all, [("DB_HOST", "db"), ("DB_PORT", "8080"), ("WEB_PORT", "80")]);
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    }

    #[test]
    fn a_name_beside_a_port_of_its_own_is_a_name() {
        let inventory = app("          env: [{ name: MAIN, value: db }, { name: MAIN_PORT, value: '80' }]");
        let container = inventory.host.services.get("app").and_then(Draft::as_container).unwrap();
        let all: Vec<&str> = container.environment.values().map(String::as_str).collect();
        assert_eq!(all, ["db", "8080"]);
        assert_eq!(inventory.host.services.get("app").unwrap().after, ["db"]);
        for other in ["{ name: MAIN, value: db }, { name: MAIN_PORT, value: many }", "{ name: MAIN, value: db }"] {
            assert!(app(&format!("          env: [{other}]")).talks.is_empty(), "{other}");
        }
    }

    #[test]
    fn a_module_starts_after_whom_only_a_variable_of_the_manifest_names() {
        let env = "          env: [{ name: DB_HOST, value: db }, { name: DB_NAME, value: db }]";
        let inventory = reached(&manifests(env, ", labels: { native: gitea }"), &[]);
        let app = inventory.host.services.get("app").unwrap();
        assert!(app.as_container().is_none());
        assert_eq!(app.after, ["db"]);
        let keys: Vec<&str> = inventory.talks.iter().map(|edge| edge.key.as_str()).collect();
        assert_eq!(keys, ["env.DB_HOST"]);
    }

    #[test]
    fn a_port_that_may_stand_in_a_secret_is_a_question() {
        let secret = app("          env: [{ name: DATABASE_URL, valueFrom: { secretKeyRef: { name: x, key: y } } }]");
        assert_eq!(
            secret.questions.first().unwrap().question,
            "`db` answered at port 80 in the cluster and answers at 8080 here, and it may be spoken of in the secrets of `app`: is the port right there?"
        );
        let unknown = app("          env: [{ name: DB_HOST, value: db }]");
        assert!(unknown.questions.first().unwrap().question.contains("may be spoken of in `app: environment.DB_HOST`"));
    }

    #[test]
    fn arguments_and_files_are_read_too() {
        let more = ", annotations: { 'file:/etc/app.yaml': \"database:\\n  host: db\\n  url: http://db:80/\\n  user: db\\n\" }";
        let yaml = manifests("          args: [--name, db, --db-host, db, '--db-url=http://db/x', '--host=db']", more);
        let inventory = reached(&yaml, &[]);
        let draft = inventory.host.services.get("app").unwrap();
        let args = &draft.as_container().unwrap().args;
        assert_eq!(args, &["--name", "db", "--db-host", "db", "--db-url=http://db:8080/x", "--host=db"]);
        let file = draft.files.first().unwrap();
        assert_eq!(
            std::str::from_utf8(&file.content).unwrap(),
            "database:\n  host: db\n  url: http://db:8080/\n  user: db\n"
        );
        let keys: Vec<&str> = inventory.talks.iter().map(|edge| edge.key.as_str()).collect();
        assert_eq!(keys, ["args.3", "args.4", "args.5", "files.0", "files.0"]);
    }

    #[test]
    fn who_speaks_starts_after_whom_it_speaks_with_and_a_cycle_is_broken() {
        let inventory = app("          env: [{ name: URL, value: 'http://db' }]");
        assert_eq!(inventory.host.services.get("app").unwrap().after, ["db"]);
        assert_eq!(inventory.talks.first().map(|edge| (edge.to.as_str(), edge.port)), Some(("db", Some(8080))));
        let speak = |name: &str, other: &str| {
            workload(name).replace(
                "ports: [{ name: http",
                &format!("env: [{{ name: URL, value: 'http://{other}' }}], ports: [{{ name: http"),
            )
        };
        let both = reached(&(speak("a", "b") + &speak("b", "a")), &[]);
        assert_eq!(both.host.services.get("a").unwrap().after, ["b"]);
        let b = both.host.services.get("b").unwrap();
        assert_eq!((b.after.len(), b.comments.len()), (0, 1));
    }

    #[test]
    fn a_module_of_the_host_is_spoken_with_by_its_own_port() {
        let yaml = manifests("          env: [{ name: URL, value: 'http://db/x' }]", "");
        let native = yaml.replace("metadata: { name: db }", "metadata: { name: db, labels: { native: gitea } }");
        let inventory = reached(&native, &[]);
        assert_eq!(value(&inventory), "http://db:3000/x");
        let hosts = &inventory.host.services.get("app").and_then(Draft::as_container).unwrap().hosts;
        assert_eq!(hosts.get("db").map(String::as_str), Some("host-gateway"));
    }

    #[test]
    fn another_name_takes_the_place_of_an_external_one() {
        let yaml = manifests("          env: [{ name: URL, value: 'http://mail:25/x' }]", "")
            + "---\napiVersion: v1\nkind: Service\nmetadata: { name: mail }\nspec: { type: ExternalName, externalName: mx.example.org }\n";
        assert_eq!(value(&reached(&yaml, &[])), "http://mx.example.org:25/x");
    }

    #[test]
    fn a_short_name_that_two_namespaces_have_is_written_with_its_namespace() {
        let yaml = manifests("          env: [{ name: URL, value: 'http://db/x' }]", "")
            + &workload("db").replace("name: db }", "name: db, namespace: other }");
        assert_eq!(value(&reached(&yaml, &[])), "http://db.default:8080/x");
    }

    #[test]
    fn values_never_stand_in_what_is_said_of_them() {
        let inventory = app("          env: [{ name: URL, value: 'http://user:planted-word@db/x' }]");
        let said = format!("{:?}{:?}{:?}", inventory.talks, inventory.questions, inventory.objects);
        assert_eq!(inventory.talks.len(), 1);
        assert!(!said.contains("planted-word"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "[a-z:/@.,=\" ö0-9-]{0,40}", before in "(http://|db|db:80|://|@)?") {
            let text = format!("{before}{text}db");
            let (out, talks) = variable("URL", &text);
            if talks == 0 {
                proptest::prop_assert_eq!(out, text);
            }
        }
    }
}
