//! A container as a native service: what was planned is settled and becomes a draft.

use super::values::typed;
use super::{Act, Plan, SecretOf};
use crate::fleet::schema::module_file::When;
use crate::kubernetes::claims::Rights;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{
    AskDraft, Draft, MigrationDraft, MovedClaim, NativeDraft, ProbeDraft, Protocol, SecretDraft, SecretTo, WorkDraft,
};
use crate::kubernetes::ports::port_number;
use crate::kubernetes::reach;
use crate::kubernetes::translate::persistent_volume_claim;
use crate::kubernetes::translate::pod::{env, resources, secrets, volumes};
use crate::kubernetes::tree::Node;
use crate::source::Kind;
use crate::units::Size;

/// Returns how the database of a module is dumped.
pub(super) fn dump_of(module: &str) -> Option<&'static str> {
    match module {
        "postgresql" => Some("postgresql"),
        "mysql" | "mysql84" => Some("mysql"),
        "mongodb" => Some("mongodb"),
        "redis" => Some("redis"),
        _ => None,
    }
}

/// Returns the folder of a claim that goes to a place, that place, and what of the folder goes there: a file, told by the dot in its
/// name, goes with the folder that it lies in.
fn folder_of(below: &str, to: &str) -> (Option<String>, String, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (folder, name) = below.rsplit_once('/').unwrap_or(("", below));
    match to.rsplit_once('/') {
        Some((parent, same)) if same == name && name.trim_start_matches('.').contains('.') => {
            (some(folder), parent.to_owned(), some(name))
        }
        _ => (some(below), to.to_owned(), None),
    }
}

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Returns options that move ports which others have; an error names one that cannot be moved.
    pub(super) fn free_ports(&self, cx: &Cx<'w, 's>) -> Result<Vec<(String, serde_json::Value)>, String> {
        let mut moved = Vec::new();
        for port in &self.file.ports {
            let (number, protocol) = (reach::number_of(port, &self.options), reach::protocol_of(port));
            let service = self.workload.service.as_str();
            let Some(owner) = cx.owner_of_port(service, protocol, number) else { continue };
            let address = port.listen_option.as_ref().map(|option| option.value.as_str());
            let option =
                port.option.as_ref().map(|option| option.value.as_str()).filter(|option| Some(*option) != address);
            let free = cx.free_port(service, protocol, ..30_000);
            let free = option
                .zip(free)
                .map(|(option, free)| (option, typed(self.index, &self.full(option), &free.to_string())));
            match free {
                Some((option, Ok(free))) => moved.push((option.to_owned(), free)),
                _ => return Err(format!("port {number} of the host belongs to {owner}")),
            }
        }
        Ok(moved)
    }

    /// Settles the container and adds its service.
    pub(super) fn carry_out(mut self, cx: &mut Cx<'w, 's>, is_answered: bool) {
        let (workload, container) = (self.workload, self.container);
        let image = container.node.get("image");
        let mut given: Vec<SecretDraft> = Vec::new();
        if let Some(node) = image.filter(|_| is_answered) {
            cx.ask(workload.object, node, "native", "which module takes its place?", false);
        }
        let acts = std::mem::take(&mut self.acts);
        for act in acts {
            self.act(cx, act, &mut given);
        }
        self.file_of_lines(cx, &mut given);
        self.required(cx, &mut given);
        self.readers(cx, &given);
        let native = NativeDraft {
            module: self.name.to_owned(),
            package: self.package.clone(),
            options: std::mem::take(&mut self.options),
        };
        let mut draft = Draft::new(workload.object.id, workload.object.identity(), WorkDraft::Native(native));
        draft.enable = workload.enabled;
        draft.secrets = given;
        let mut migration =
            MigrationDraft { image: image.and_then(Node::text).map(str::to_owned), ..MigrationDraft::default() };
        resources::translate(cx, workload, container, &mut draft);
        self.state(cx, &mut draft, &mut migration);
        self.add_binds(cx, &mut draft);
        draft.migration = Some(migration);
        let taken = env::unused(container);
        for node in taken {
            cx.books.dropped(node, "a later variable of the same name takes its place");
        }
        for from in container.node.list("envFrom") {
            cx.books.translated(from, container.key("options"));
        }
        cx.add(&container.service, draft);
        self.ports(cx);
        self.probes(cx);
        self.settle(cx);
    }

    fn act(&self, cx: &mut Cx<'w, 's>, act: Act<'w, 's>, given: &mut Vec<SecretDraft>) {
        let object = self.workload.object;
        match act {
            Act::Translated(node, to, _) if is_source(node) => drop(to),
            Act::Translated(node, to, None) => cx.books.translated(node, to),
            Act::Translated(node, to, Some(how)) => cx.books.translated_as(node, to, how),
            Act::Dropped(node, _) if is_source(node) => {}
            Act::Dropped(node, reason) => cx.books.dropped(node, reason),
            Act::Ask { nodes, key, text, blocks } => {
                cx.ask_once(object, &nodes, &key, text, blocks);
            }
            Act::Uses { kind, name, key } => {
                cx.take(kind, object.namespace(), &name, &self.container.service, key);
            }
            Act::Secret { nodes, key, of } => self.secret_item(cx, &nodes, &key, of, given),
        }
    }

    /// Adds a secret of its own.
    fn secret_item(
        &self,
        cx: &mut Cx<'w, 's>,
        nodes: &[&'w Node<'s>],
        key: &str,
        of: SecretOf,
        given: &mut Vec<SecretDraft>,
    ) {
        let (object, service) = (self.workload.object, self.container.service.as_str());
        let namespace = object.namespace();
        let to = self.key("secrets");
        let mut how = None;
        let item = match of {
            SecretOf::Key { secret, key } => secrets::of_key(cx, namespace, &secret, &key),
            SecretOf::Manifest { name, is_reference } => {
                if !is_reference && let Some(node) = nodes.last() {
                    let text = format!(
                        "{name} looks like a secret, and it stands in the manifest for everybody to read: put a new one into the \
                         secret of this name"
                    );
                    let node = node.get("value").unwrap_or(node);
                    cx.ask(object, node, &self.container.question(&format!("env.{name}")), text, false);
                }
                secrets::item(cx, &[namespace, service, &name], format!("the variable {name} of {service}"))
            }
            SecretOf::Composed { name } => {
                how = Some("it is made of secrets, so it is one itself: a person puts it together");
                let what = format!("the variable {name} of {service}, which the manifest puts together of secrets");
                secrets::item(cx, &[namespace, service, &name], what)
            }
        };
        for node in nodes.iter().filter(|node| !is_source(node)) {
            match how {
                Some(how) => cx.books.translated_as(node, to.clone(), how),
                None => cx.books.translated(node, to.clone()),
            }
        }
        if !given.iter().any(|known| known.to == SecretTo::Option(key.to_owned())) {
            given.push(SecretDraft { name: item, to: SecretTo::Option(key.to_owned()) });
        }
    }

    /// Adds the secrets that hold lines.
    fn file_of_lines(&self, cx: &mut Cx<'w, 's>, given: &mut Vec<SecretDraft>) {
        let (namespace, service) = (self.workload.object.namespace(), self.container.service.as_str());
        for (key, lines) in &self.lines {
            let what = format!("for {service}, a line each: {}", lines.join(", "));
            let name = secrets::item(cx, &[namespace, service, key], what);
            given.push(SecretDraft { name, to: SecretTo::Option(key.clone()) });
        }
    }

    /// Adds the secrets without which the module does not start.
    fn required(&self, cx: &mut Cx<'w, 's>, given: &mut Vec<SecretDraft>) {
        let (namespace, service) = (self.workload.object.namespace(), self.container.service.as_str());
        for secret in self.file.secrets.iter().filter(|secret| secret.required.value) {
            let key = secret.key.value.as_str();
            let is_given = given.iter().any(|known| known.to == SecretTo::Option(key.to_owned()));
            if is_given || !secret.when.as_ref().is_none_or(|when| self.holds(when)) {
                continue;
            }
            let what = format!("for {service}: {}", secret.about.value);
            let name = secrets::item(cx, &[namespace, service, key], what);
            given.push(SecretDraft { name, to: SecretTo::Option(key.to_owned()) });
        }
    }

    /// Notes which accounts read the secrets while the service runs.
    fn readers(&self, cx: &mut Cx<'w, 's>, given: &[SecretDraft]) {
        for secret in &self.file.secrets {
            let Some(reader) = &secret.read_by else { continue };
            let is_it = |draft: &&SecretDraft| draft.to == SecretTo::Option(secret.key.value.as_str().to_owned());
            for draft in given.iter().filter(is_it) {
                cx.host.secret_readers.insert(draft.name.clone(), reader.value.as_str().to_owned());
            }
        }
    }

    fn holds(&self, when: &When) -> bool {
        match self.options.get(when.option.value.as_str()) {
            Some(value) => match &when.is.value.0.kind {
                Kind::Str(text) => value.as_str() == Some(text),
                Kind::Int(number) => value.as_i64() == Some(*number),
                Kind::Bool(truth) => value.as_bool() == Some(*truth),
                _ => false,
            },
            None => when.default.value,
        }
    }

    /// Gives claims their places below the module's.
    fn state(&mut self, cx: &mut Cx<'w, 's>, draft: &mut Draft, migration: &mut MigrationDraft) {
        let object = self.workload.object;
        let owner = self.file.user.as_ref().map(|user| user.value.as_str().to_owned());
        for moving in std::mem::take(&mut self.claims) {
            let (namespace, name) = &moving.key;
            let group = self.file.group.as_ref().map(|group| group.value.as_str().to_owned());
            let rights = Rights { owner: owner.clone(), group, mode: None };
            cx.claim_used(&moving.key, object.id, &self.container.service, true, rights);
            cx.claim_mount(namespace, name);
            cx.redirect_claim(namespace, name, &moving.root);
            let to = cx.claim_goes_to(&moving.key);
            if let Some(template) = moving.template {
                persistent_volume_claim::settle(cx, object, template, &moving.key);
                cx.books.translated(template, to.clone());
            }
            moving.nodes.iter().for_each(|node| cx.books.translated(node, to.clone()));
            if moving.parts.iter().any(|(below, _)| !below.is_empty()) {
                draft.comments.push(format!(
                    "The image lays its data out in another way: only these parts of the claim {name} move."
                ));
            }
            let dump = dump_of(self.name).filter(|_| moving.is_database);
            let used = cx.target.used.get(&format!("{namespace}/{name}")).map(Size::to_string);
            let parts = match moving.parts.is_empty() {
                true => vec![(String::new(), moving.root)],
                false => moving.parts,
            };
            let first = migration.volumes.len();
            for (below, to) in parts {
                let (sub_path, to, file) = folder_of(&below, &to);
                let mut known = migration.volumes.iter_mut().skip(first);
                let known = known.find(|known| known.to == to && known.sub_path == sub_path && !known.paths.is_empty());
                if let (Some(known), Some(file)) = (known, &file) {
                    known.paths.push(file.clone());
                    continue;
                }
                migration.volumes.push(MovedClaim {
                    // What is used is known of the claim alone; it counts once.
                    used: used.clone().filter(|_| migration.volumes.len() == first),
                    claim: name.clone(),
                    sub_path,
                    to,
                    paths: file.into_iter().collect(),
                    dump,
                    owner: owner.clone(),
                });
            }
        }
        volumes::unmounted(cx, self.workload);
    }

    /// Opens what everybody could reach at the node.
    fn ports(&self, cx: &mut Cx<'w, 's>) {
        let service = &self.container.service;
        for node in self.container.node.list("ports") {
            if let Some(name) = node.get("name") {
                cx.books.replaced(name, "the port's number stands wherever its name is used");
            }
            let Some(inside) = node.get("containerPort").and_then(port_number) else { continue };
            let outside = node.get("hostPort").filter(|port| !port.is_null() && port.int() != Some(0));
            if outside.is_none() && !self.workload.has_host_network() {
                cx.books.replaced(node, format!("the ports of the module {}", self.name));
                continue;
            }
            let protocol = if node.str_at("protocol") == Some("UDP") { Protocol::Udp } else { Protocol::Tcp };
            let real = reach::real_port(cx, service, inside, protocol);
            if reach::publish(cx, service, inside, protocol, None, true).is_ok() {
                let to = format!("services.{service}.options");
                match outside.and_then(port_number).unwrap_or(inside) == real {
                    true => cx.books.translated_as(node, to, "the firewall opens it"),
                    false => cx.books.translated_as(node, to, format!("the module listens on {real}, which is opened")),
                }
            }
        }
    }

    /// Settles probes: the module has its own, else liveness becomes one.
    fn probes(&self, cx: &mut Cx<'w, 's>) {
        let node = self.container.node;
        let service = &self.container.service;
        let port_of = |cx: &Cx<'w, 's>, probe: &Node<'_>| {
            let port = probe.get("port")?;
            let named = || {
                let ports = node.list("ports").iter();
                ports
                    .filter(|known| known.str_at("name") == port.text())
                    .find_map(|known| port_number(known.get("containerPort")?))
            };
            let inside = port_number(port).or_else(named)?;
            Some(reach::real_port(cx, service, inside, Protocol::Tcp))
        };
        if let Some(probe) = node.get("livenessProbe").filter(|probe| !probe.is_leaf() && self.file.health.is_none()) {
            let ask = if let Some(http) = probe.get("httpGet") {
                let scheme = if http.str_at("scheme") == Some("HTTPS") { "https" } else { "http" };
                let path = http.str_at("path").unwrap_or("/").trim_start_matches('/');
                port_of(cx, http).map(|port| AskDraft::Http(format!("{scheme}://127.0.0.1:{port}/{path}")))
            } else {
                probe.get("tcpSocket").and_then(|tcp| port_of(cx, tcp)).map(AskDraft::Tcp)
            };
            let plain = |text: &AskDraft| match text {
                AskDraft::Http(url) => url.parse::<crate::fleet::scalar::HttpUrl>().is_ok(),
                _ => true,
            };
            if let Some(ask) = ask.filter(plain) {
                let seconds = |key: &str, default: u64| {
                    probe
                        .get(key)
                        .and_then(Node::int)
                        .and_then(|number| u64::try_from(number).ok())
                        .filter(|number| *number > 0)
                        .unwrap_or(default)
                };
                let health = ProbeDraft {
                    ask,
                    timeout: seconds("initialDelaySeconds", 60).max(60),
                    interval: seconds("periodSeconds", 10),
                    retries: Some(seconds("failureThreshold", 3)),
                };
                if let Some(draft) = cx.host.services.get_mut(service) {
                    draft.health = Some(health);
                }
                cx.books.translated(probe, self.key("health"));
            }
        }
        for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if let Some(probe) = node.get(key) {
                let own = if key == "livenessProbe" { self.file.health.is_some() } else { self.file.ready.is_some() };
                match own {
                    true => cx.books.replaced(probe, format!("what the module {} asks itself", self.name)),
                    false => cx.books.replaced(probe, "systemd, which knows whether the service runs"),
                }
            }
        }
    }

    /// Settles what a module's service has no need of.
    fn settle(&self, cx: &mut Cx<'w, 's>) {
        let (workload, node) = (self.workload, self.container.node);
        let key = format!("services.{}", self.container.service);
        if let Some(image) = node.get("image") {
            let how = format!("the module {} takes the place of the image", self.name);
            cx.books.translated_as(image, self.key("module"), how);
        }
        let mut drop = |at: Option<&'w Node<'s>>, reason: &'static str| {
            if let Some(node) = at {
                cx.books.dropped(node, reason);
            }
        };
        let account = "the module has an account of its own, and NixOS confines its service";
        drop(node.get("securityContext"), account);
        drop(workload.spec.get("securityContext"), account);
        drop(node.get("imagePullPolicy"), "nothing is pulled: NixOS builds the program in");
        drop(workload.spec.get("imagePullSecrets"), "nothing is pulled: NixOS builds the program in");
        drop(node.get("workingDir"), "the module decides where it starts");
        drop(node.get("lifecycle"), "the module starts and stops its program as it has to");
        let network = "a module's service has the network and the name of the host";
        drop(workload.spec.get("hostname"), network);
        drop(workload.spec.get("subdomain"), network);
        drop(
            workload.spec.get("terminationGracePeriodSeconds"),
            "the module gives its program the time that it needs to stop",
        );
        for word in ["command", "args"] {
            drop(node.get(word).filter(|list| list.is_leaf()), "it is empty, as if it were not there");
        }
        if let Some(node) = workload.spec.get("restartPolicy") {
            cx.books.replaced(node, "systemd starts it again");
        }
        if let Some(node) = workload.spec.get("hostNetwork") {
            cx.books.translated_as(node, key.clone(), network);
        }
        if let Some(name) = node.get("name") {
            cx.books.translated(name, key);
        }
    }
}

/// Tells whether a value is an element of `envFrom`, which stands for many variables and is settled for all of them at once.
fn is_source(node: &Node<'_>) -> bool {
    node.get("configMapRef").is_some() || node.get("secretRef").is_some()
}
