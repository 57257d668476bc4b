//! Variables of a container: `envFrom`, `env`, and where their values come from.
//!
//! The kubelet takes `envFrom` first, in order, then `env`; a later one of the same name wins. `$(NAME)` in a `value` stands for
//! what came before it (makeEnvironmentVariables in kubelet_pods.go; "Define Dependent Environment Variables"). [`resolve`] only
//! reads; [`translate`] settles. Invariant: what may be a secret does not become text of a definition.

use super::expansion::expand;
use super::{Container, Workload, resources, secrets};
use crate::fleet::scalar::EnvName;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, SecretDraft, SecretTo};
use crate::kubernetes::tree::{Leaf, Node};

/// A variable of a container.
#[derive(Debug, Clone)]
pub struct Variable<'w, 's> {
    /// Its name; empty for all keys of a Secret that is not among the input.
    pub name: String,
    /// Where its value comes from.
    pub origin: Origin,
    /// What a person answered, where only a person knows.
    pub answer: Option<String>,
    /// The values of the manifests that say so.
    pub nodes: Vec<&'w Node<'s>>,
}

impl Variable<'_, '_> {
    /// Returns its value, where that is known and no secret of the cluster.
    pub fn text(&self) -> Option<&str> {
        match &self.origin {
            Origin::Text { value, .. } => Some(value),
            Origin::Unknown(_) => self.answer.as_deref(),
            _ => None,
        }
    }
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is known.
    Text {
        /// The value.
        value: String,
        /// What is different from the cluster.
        how: Option<String>,
        /// The ConfigMap that holds it.
        config: Option<String>,
    },
    /// A key of a Secret.
    Secret {
        /// The Secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// Every key of a Secret that is not among the input.
    Secrets {
        /// The Secret.
        secret: String,
        /// What goes before each key.
        prefix: String,
    },
    /// Text in which secrets stand: these variables.
    Composed(Vec<String>),
    /// It is not there, and does not have to be.
    Absent(&'static str),
    /// Only a person knows.
    Unknown(String),
}

impl Origin {
    fn text(value: impl Into<String>) -> Self {
        Self::Text { value: value.into(), how: None, config: None }
    }

    fn text_as(value: impl Into<String>, how: &str) -> Self {
        Self::Text { value: value.into(), how: Some(how.to_owned()), config: None }
    }
}

/// The longest text that a variable or an argument may be (execve(2), `MAX_ARG_STRLEN`).
const LONGEST: usize = 128 * 1024;

/// Returns the variables of a container, each name once, in the order in which the kubelet sets them. `prefix` goes before the keys of
/// questions.
pub(super) fn resolve<'w, 's>(
    cx: &Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &'w Node<'s>,
    prefix: &str,
) -> Vec<Variable<'w, 's>> {
    let mut all: Vec<Variable<'w, 's>> = Vec::new();
    for from in container.list("envFrom") {
        for variable in of_source(cx, workload, from) {
            put(&mut all, variable);
        }
    }
    for entry in container.list("env") {
        let Some(name) = named(entry) else { continue };
        // An empty `value` beside `valueFrom` counts as none.
        let value = entry.get("value").and_then(Node::text).filter(|value| !value.is_empty());
        let from = entry.get("valueFrom").filter(|from| !from.is_null());
        let origin = match (value, from) {
            (Some(value), _) => expanded(value, &all),
            (None, Some(from)) => of_value(cx, workload, container, from),
            (None, None) => Origin::text(""),
        };
        let mut nodes: Vec<&Node<'_>> = vec![entry];
        nodes.extend(from.and_then(|from| config_leaf(cx, workload, from)));
        let question = format!("{}#{prefix}env.{name}", workload.object.identity());
        let is_unknown = matches!(origin, Origin::Unknown(_));
        let answer = cx.target.answers.get(&question).filter(|_| is_unknown).cloned();
        put(&mut all, Variable { name: name.to_owned(), origin, answer, nodes });
    }
    all
}

/// Puts a variable in the place of an earlier one of its name, or at the end.
fn put<'w, 's>(all: &mut Vec<Variable<'w, 's>>, variable: Variable<'w, 's>) {
    let known = all.iter_mut().find(|known| known.name == variable.name && !variable.name.is_empty());
    match known {
        Some(known) => *known = variable,
        None => all.push(variable),
    }
}

fn expanded(value: &str, before: &[Variable<'_, '_>]) -> Origin {
    let (text, held) = lookup(value, before);
    match held {
        Held { secrets, .. } if !secrets.is_empty() => Origin::Composed(secrets),
        Held { unknown: Some(unknown), .. } => {
            Origin::Unknown(format!("it holds `$({unknown})`, which is not known: which value should it have?"))
        }
        Held { .. } => Origin::text(text),
    }
}

/// What a text refers to whose value is no text.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Variables that are secrets.
    pub(super) secrets: Vec<String>,
    /// The first variable whose value only a person knows.
    pub(super) unknown: Option<String>,
}

/// Returns a text with its variables expanded, and those that have no text, which stay as they are.
pub(super) fn lookup(text: &str, variables: &[Variable<'_, '_>]) -> (String, Held) {
    let mut held = Held::default();
    let mut length = text.len();
    let text = expand(text, &mut |name| {
        let variable = variables.iter().find(|variable| variable.name == name)?;
        length = length.saturating_add(variable.text().map_or(0, str::len));
        if length > LONGEST {
            held.unknown = Some(name.to_owned());
            return None;
        }
        match &variable.origin {
            Origin::Text { value, .. } if secrets::is_secret(name, value) => held.secrets.push(name.to_owned()),
            Origin::Text { value, .. } => return Some(value.clone()),
            Origin::Secret { .. } | Origin::Secrets { .. } | Origin::Composed(_) => held.secrets.push(name.to_owned()),
            Origin::Unknown(_) if variable.answer.is_some() => return variable.answer.clone(),
            Origin::Unknown(_) => held.unknown = held.unknown.take().or_else(|| Some(name.to_owned())),
            Origin::Absent(_) => {}
        }
        None
    });
    (text, held)
}

/// Returns the variables of an element of `envFrom`.
fn of_source<'w, 's>(cx: &Cx<'w, 's>, workload: &Workload<'w, 's>, from: &'w Node<'s>) -> Vec<Variable<'w, 's>> {
    let prefix = from.str_at("prefix").unwrap_or("");
    let namespace = workload.object.namespace();
    let one = |origin| vec![Variable { name: String::new(), origin, answer: None, nodes: vec![from] }];
    if let Some(reference) = from.get("configMapRef") {
        let name = reference.get("name").and_then(Node::text).unwrap_or("");
        let Some(map) = cx.world.find("ConfigMap", namespace, name) else {
            return one(absent(
                reference,
                format!("the ConfigMap {name} is not among the input: which variables does it hold?"),
            ));
        };
        let kept = map.tree().map("data").iter().filter(|pair| is_variable(&format!("{prefix}{}", pair.key)));
        return kept
            .map(|pair| {
                let value = pair.node.text().unwrap_or("").to_owned();
                let origin = Origin::Text { value, how: None, config: Some(name.to_owned()) };
                Variable { name: format!("{prefix}{}", pair.key), origin, answer: None, nodes: vec![from, &pair.node] }
            })
            .collect();
    }
    let Some(reference) = from.get("secretRef") else { return Vec::new() };
    let secret = reference.get("name").and_then(Node::text).unwrap_or("");
    if secret.is_empty() {
        return one(Origin::Unknown("it names no Secret: which one is it?".to_owned()));
    }
    match secrets::keys(cx, namespace, secret) {
        Some(keys) => {
            let kept = keys.into_iter().filter(|key| is_variable(&format!("{prefix}{key}")));
            kept.map(|key| Variable {
                name: format!("{prefix}{key}"),
                origin: Origin::Secret { secret: secret.to_owned(), key },
                answer: None,
                nodes: vec![from],
            })
            .collect()
        }
        None => one(Origin::Secrets { secret: secret.to_owned(), prefix: prefix.to_owned() }),
    }
}

/// The kubelet leaves out what cannot be the name of a variable; here that is also a name with dots or hyphens.
fn is_variable(name: &str) -> bool {
    name.parse::<EnvName>().is_ok()
}

fn absent(reference: &Node<'_>, question: String) -> Origin {
    if reference.bool_at("optional") == Some(true) {
        Origin::Absent("it is optional, and what it refers to is not among the input")
    } else {
        Origin::Unknown(question)
    }
}

/// Returns the leaf of a ConfigMap that a `valueFrom` refers to.
fn config_leaf<'w, 's>(cx: &Cx<'w, 's>, workload: &Workload<'w, 's>, from: &'w Node<'s>) -> Option<&'w Node<'s>> {
    let reference = from.get("configMapKeyRef")?;
    let (name, key) = (reference.get("name")?.text()?, reference.get("key")?.text()?);
    cx.world.find("ConfigMap", workload.object.namespace(), name)?.tree().at(&["data", key])
}

/// Returns where a value comes from that a `valueFrom` names.
fn of_value<'w, 's>(
    cx: &Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &'w Node<'s>,
    from: &'w Node<'s>,
) -> Origin {
    let named = |reference: &'w Node<'s>| {
        (
            reference.get("name").and_then(Node::text).unwrap_or(""),
            reference.get("key").and_then(Node::text).unwrap_or(""),
        )
    };
    if let Some(reference) = from.get("configMapKeyRef") {
        let (name, key) = named(reference);
        return match config_leaf(cx, workload, from).and_then(Node::text) {
            Some(value) => Origin::Text { value: value.to_owned(), how: None, config: Some(name.to_owned()) },
            None => absent(
                reference,
                format!("key {key} of the ConfigMap {name} is not among the input: what does it hold?"),
            ),
        };
    }
    if let Some(reference) = from.get("secretKeyRef") {
        let (secret, key) = named(reference);
        if secret.is_empty() || key.is_empty() {
            return Origin::Unknown("it names no key of a Secret: which one is it?".to_owned());
        }
        let is_absent = secrets::keys(cx, workload.object.namespace(), secret)
            .is_some_and(|keys| !keys.iter().any(|known| known == key));
        if is_absent && reference.bool_at("optional") == Some(true) {
            return Origin::Absent("it is optional, and the Secret has no such key");
        }
        return Origin::Secret { secret: secret.to_owned(), key: key.to_owned() };
    }
    if let Some(path) = from.at(&["fieldRef", "fieldPath"]).and_then(Node::text) {
        return of_field(cx, workload, path);
    }
    if let Some(reference) = from.get("resourceFieldRef") {
        let other = reference.str_at("containerName");
        let mut all = workload.spec.list("containers").iter().chain(workload.spec.list("initContainers"));
        let of = other.and_then(|other| all.find(|node| node.str_at("name") == Some(other))).unwrap_or(container);
        return match resources::field(of, reference) {
            Some(value) => Origin::text_as(value, "computed from what the container may use"),
            None => Origin::Unknown(
                "it asks for what the container may use, which is not limited: which value should it have?".to_owned(),
            ),
        };
    }
    Origin::Unknown("where its value comes from is not known: which value should it have?".to_owned())
}

/// Returns a field of the pod ("Downward API").
fn of_field(cx: &Cx<'_, '_>, workload: &Workload<'_, '_>, path: &str) -> Origin {
    let quoted = |map: &str| {
        let key = path.strip_prefix("metadata.")?.strip_prefix(map)?.strip_prefix("['")?.strip_suffix("']")?;
        Some(
            workload
                .metadata
                .and_then(|metadata| metadata.at(&[map, key]))
                .and_then(Node::text)
                .unwrap_or("")
                .to_owned(),
        )
    };
    match path {
        "metadata.name" if workload.object.kind == "StatefulSet" => {
            Origin::text_as(workload.object.first_pod(), "the name of the first pod")
        }
        "metadata.name" if workload.object.kind == "Pod" => Origin::text(workload.object.name()),
        "metadata.name" => Origin::text_as(
            workload.object.name(),
            "a pod's name is made up by the cluster: that of the workload stands for it",
        ),
        "metadata.namespace" => Origin::text(workload.object.namespace()),
        "spec.nodeName" => {
            let host = cx.host_of(&workload.service).or(cx.target.host).unwrap_or("host");
            Origin::text_as(host, "the host that it runs on takes the place of the node")
        }
        "spec.serviceAccountName" => {
            Origin::text(workload.spec.str_at("serviceAccountName").filter(|name| !name.is_empty()).unwrap_or("default"))
        }
        "status.podIP" | "status.podIPs" => Origin::Unknown(
            "it asks for the pod's address: at which address is it found by others, or is `0.0.0.0` or its name enough?".to_owned(),
        ),
        "status.hostIP" | "status.hostIPs" => {
            Origin::Unknown("it asks for the node's address: which address of the host should it use?".to_owned())
        }
        _ => match quoted("labels").or_else(|| quoted("annotations")) {
            Some(value) => Origin::text(value),
            None => Origin::Unknown(format!("it asks for `{path}` of the pod: which value should it have?")),
        },
    }
}

/// Settles `env` and `envFrom`, and adds the variables to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    for variable in &container.environment {
        one(cx, workload, container, variable, draft);
    }
    for entry in unused(container) {
        cx.books.dropped(entry, "a later variable of the same name takes its place");
    }
    for from in container.node.list("envFrom") {
        source(cx, workload, container, from);
    }
}

/// Returns the elements of `env` whose place a later one takes.
pub(super) fn unused<'w, 's>(container: &Container<'w, 's>) -> Vec<&'w Node<'s>> {
    let used: Vec<Leaf> =
        container.environment.iter().flat_map(|variable| &variable.nodes).map(|node| node.leaf()).collect();
    let all = container.node.list("env").iter();
    all.filter(|entry| named(entry).is_some() && !used.contains(&entry.leaf())).collect()
}

/// Returns the name of an element of `env`; none of what Kubernetes would refuse.
fn named<'n>(entry: &'n Node<'_>) -> Option<&'n str> {
    entry.get("name").and_then(Node::text).filter(|name| !name.is_empty())
}

/// Settles an element of `envFrom`.
fn source<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>, from: &'w Node<'s>) {
    let namespace = workload.object.namespace();
    if let Some(name) = from.at(&["configMapRef", "name"]).and_then(Node::text)
        && cx.take("ConfigMap", namespace, name, &container.service, "environment").is_some()
    {
        cx.books.translated(from, container.key("environment"));
    }
    if let Some(name) = from.at(&["secretRef", "name"]).and_then(Node::text) {
        cx.take("Secret", namespace, name, &container.service, "secrets");
        cx.books.translated(from, container.key("secrets"));
    }
}

/// Settles a variable.
fn one<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    variable: &Variable<'w, 's>,
    draft: &mut Draft,
) {
    let (object, name) = (workload.object, variable.name.as_str());
    let namespace = object.namespace();
    let question = container.question(&format!("env.{name}"));
    let secret_key = container.key("secrets");
    let first = variable.nodes.first().copied();
    let is_named = name.is_empty() || is_variable(name);
    if let (false, Some(node)) = (is_named, first) {
        let text =
            "a variable's name is letters, digits and `_` here: does the program take this setting in another way?";
        cx.ask(object, node, &question, text, false);
        return;
    }
    match &variable.origin {
        Origin::Text { value, how, config } => {
            if let Some(config) = config {
                cx.take("ConfigMap", namespace, config, &container.service, "environment");
            }
            let value_node = variable.nodes.last().copied().map(|node| node.get("value").unwrap_or(node));
            if secrets::is_secret(name, value)
                && let Some(node) = value_node
                && !is_no_secret(cx, container, workload, name, value, node, draft)
            {
                variable.nodes.iter().for_each(|node| settle_own(cx, node, &secret_key, None));
                return;
            }
            let to = container.key(&format!("environment.{name}"));
            variable.nodes.iter().for_each(|node| settle_own(cx, node, &to, how.as_deref()));
            environment(draft, name, value);
        }
        Origin::Secret { secret, key } => {
            cx.take("Secret", namespace, secret, &container.service, "secrets");
            let item = secrets::of_key(cx, namespace, secret, key);
            draft.secrets.push(SecretDraft { name: item, to: SecretTo::Env(name.to_owned()) });
            variable.nodes.iter().for_each(|node| settle_own(cx, node, &secret_key, None));
        }
        Origin::Secrets { secret, prefix } => {
            let item = secrets::of_all(cx, namespace, secret, prefix);
            draft.secrets.push(SecretDraft { name: item, to: SecretTo::EnvFile });
            let how = "the keys of the Secret are not among the input: a person fills in its variables";
            variable.nodes.iter().for_each(|node| cx.books.translated_as(node, secret_key.clone(), how));
        }
        Origin::Composed(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| format!("$({part})")).collect();
            let what = format!(
                "the variable {name} of {}, in whose manifest {} stand for secrets",
                container.service,
                parts.join(" and ")
            );
            let item = secrets::item(cx, &[namespace, &container.service, name], what);
            draft.secrets.push(SecretDraft { name: item, to: SecretTo::Env(name.to_owned()) });
            let how = "it is made of secrets, so it is one itself: a person puts it together";
            variable.nodes.iter().for_each(|node| cx.books.translated_as(node, secret_key.clone(), how));
        }
        Origin::Absent(reason) => variable.nodes.iter().for_each(|node| cx.books.dropped(node, *reason)),
        Origin::Unknown(text) => {
            let Some(node) = first else { return };
            if let Some(answer) = cx.ask(object, node, &question, text.clone(), false)
                && !name.is_empty()
            {
                environment(draft, name, answer);
            }
        }
    }
}

/// Makes a value that looks like a secret one, and asks about it. Tells whether a person said that it is none: `plain`.
fn is_no_secret<'w, 's>(
    cx: &mut Cx<'w, 's>,
    container: &Container<'w, 's>,
    workload: &Workload<'w, 's>,
    name: &str,
    value: &str,
    node: &'w Node<'s>,
    draft: &mut Draft,
) -> bool {
    let (object, namespace) = (workload.object, workload.object.namespace());
    // A reference that a later step of the delivery fills in holds no secret itself.
    let is_reference = value.starts_with("${") && value.ends_with('}') && value.matches('{').count() == 1;
    let question = container.question(&format!("env.{name}"));
    if !is_reference {
        let text = format!(
            "{name} looks like a secret, and it stands in the manifest for everybody to read: put a new one into the secret of \
             this name (the answer `plain` says that it is none)"
        );
        if cx.ask(object, node, &question, text, false) == Some("plain") {
            return true;
        }
    }
    let what = format!("the variable {name} of {}", container.service);
    let item = secrets::item(cx, &[namespace, &container.service, name], what);
    draft.secrets.push(SecretDraft { name: item, to: SecretTo::Env(name.to_owned()) });
    false
}

/// Settles the values that say what a variable holds.
fn settle_own(cx: &mut Cx<'_, '_>, node: &Node<'_>, to: &str, how: Option<&str>) {
    // The element of `envFrom` stands for many variables and is settled for all of them at once.
    if node.get("configMapRef").is_some() || node.get("secretRef").is_some() {
        return;
    }
    match how {
        Some(how) => cx.books.translated_as(node, to.to_owned(), how.to_owned()),
        None => cx.books.translated(node, to.to_owned()),
    }
}

fn environment(draft: &mut Draft, name: &str, value: &str) {
    if let Some(work) = draft.as_container_mut() {
        work.environment.insert(name.to_owned(), value.to_owned());
    }
}
