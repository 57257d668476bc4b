//! What a container mounts as the state and the settings of a module.

use super::files::{self, Held};
use super::mounts::{Bind, OF_THE_HOST, SEES_THE_HOST, Source};
use super::{Act, Plan, SecretOf};
use crate::facts::join_name;
use crate::fleet::schema::module_file::{DataRule, FileFormat, MovedFile, MovedVolume, StateKind};
use crate::kubernetes::claims::{Key, claim_name, claim_of_template, templates};
use crate::kubernetes::context::Cx;
use crate::kubernetes::translate::pod::secrets;
use crate::kubernetes::tree::{Node, Pair};
use crate::source::secret;
use crate::units::lies_in;

/// A claim whose data a module takes over.
#[derive(Debug)]
pub(super) struct Moving<'w, 's> {
    /// The claim.
    pub key: Key,
    /// Where its data goes.
    pub root: String,
    /// The folders and files of it that move where not all of it does, each with its place on the host.
    pub parts: Vec<(String, String)>,
    /// Whether it is dumped.
    pub is_database: bool,
    /// Mounts and volumes that say so.
    pub nodes: Vec<&'w Node<'s>>,
    /// The template that a StatefulSet makes it of.
    pub template: Option<&'w Node<'s>>,
}

/// A mount of a claim.
struct Mounted<'w, 's> {
    path: String,
    sub: Option<String>,
    read_only: bool,
    nodes: Vec<&'w Node<'s>>,
    template: Option<&'w Node<'s>>,
}

/// Returns the files that a container gets of a ConfigMap with this data: path, and leaf where there is one.
pub(super) fn files_of<'w, 's>(
    data: &'w [Pair<'s>],
    source: &Node<'_>,
    mount: &Node<'_>,
) -> Vec<(String, Option<&'w Node<'s>>)> {
    let text = |key: &str| mount.get(key).and_then(Node::text).unwrap_or("").trim_matches('/');
    let (path, sub) = (text("mountPath"), Some(text("subPath")).filter(|sub| !sub.is_empty() && *sub != "."));
    let wanted: Vec<(&str, &str)> = match source.list("items") {
        [] => data.iter().map(|pair| (pair.key.as_ref(), pair.key.as_ref())).collect(),
        items => items.iter().filter_map(|item| Some((item.str_at("key")?, item.str_at("path")?))).collect(),
    };
    let file = |(key, below): (&str, &str)| {
        let at = match sub {
            Some(sub) if sub == below => format!("/{path}"),
            Some(_) => return None,
            None => format!("/{path}/{below}"),
        };
        Some((at, data.iter().find(|pair| pair.key == key).map(|pair| &pair.node)))
    };
    wanted.into_iter().filter_map(file).collect()
}

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Plans what the container mounts.
    pub(super) fn volumes(&mut self, cx: &Cx<'w, 's>) {
        let (workload, container) = (self.workload, self.container);
        for device in container.node.list("volumeDevices") {
            self.lack("a device without a file system", &[device]);
        }
        let broker = self.mosquitto_conf(cx);
        if let Some((conf, node)) = &broker {
            self.accounts.clone_from(&conf.accounts);
            self.mosquitto(conf, node);
        }
        let broker = broker.map(|(_, node)| node);
        let mut claims: indexmap::IndexMap<Key, Vec<Mounted<'w, 's>>> = indexmap::IndexMap::new();
        for node in container.mounts() {
            let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or("");
            let path = format!("/{}", text("mountPath").trim_matches('/'));
            let sub = Some(text("subPath").trim_matches('/').to_owned()).filter(|sub| !sub.is_empty() && sub != ".");
            if node.get("subPathExpr").is_some_and(|sub| !sub.is_null()) || path.contains("${") {
                self.lack(format!("what it mounts as `{}`", text("name")), &[node]);
                continue;
            }
            let read_only = node.bool_at("readOnly") == Some(true);
            let namespace = workload.object.namespace().to_owned();
            let template = (workload.object.kind == "StatefulSet")
                .then(|| templates(workload.object).find(|(_, name)| *name == text("name")))
                .flatten();
            if let Some((template, name)) = template {
                let key = (namespace, claim_of_template(workload.object, name));
                let mounted = Mounted { path, sub, read_only, nodes: vec![node], template: Some(template) };
                claims.entry(key).or_default().push(mounted);
                continue;
            }
            let volume =
                workload.spec.list("volumes").iter().find(|volume| volume.str_at("name") == Some(text("name")));
            let Some(volume) = volume else {
                // Kubernetes takes no such pod, so nothing was ever mounted there.
                let text = format!("the pod has no volume `{}`: what should be mounted at {path}?", text("name"));
                let key = container.question(&format!("mount.{}", path.trim_matches('/').replace('/', "-")));
                self.acts.push(Act::Ask { nodes: vec![node], key, text, blocks: false });
                continue;
            };
            if OF_THE_HOST.contains(&path.as_str()) {
                for node in [node, volume] {
                    self.acts.push(Act::Dropped(node, SEES_THE_HOST.into()));
                }
                continue;
            }
            let source = volume.pairs().iter().find(|pair| pair.key != "name" && !pair.node.is_null());
            match source.map(|pair| (pair.key.as_ref(), &pair.node)) {
                None | Some(("emptyDir", _)) => {
                    let reason = "what lies there is gone with the pod, and the module has directories of its own";
                    self.acts.push(Act::Dropped(node, reason.into()));
                    self.acts.push(Act::Dropped(volume, reason.into()));
                }
                Some(("persistentVolumeClaim", source)) => match source.get("claimName").and_then(claim_name) {
                    Some(claim) => {
                        let read_only = read_only || source.bool_at("readOnly") == Some(true);
                        let mounted = Mounted { path, sub, read_only, nodes: vec![node, volume], template: None };
                        claims.entry((namespace, claim.to_owned())).or_default().push(mounted);
                    }
                    None => self.lack(format!("the claim at {path}, which has no name"), &[node, volume]),
                },
                Some(("hostPath", source)) => self.host_path(cx, (volume, node), source, &path, sub.as_deref()),
                Some(("nfs", source)) => self.export(cx, (volume, node), source, &path, sub.as_deref()),
                Some(("configMap", source)) => self.config(cx, (volume, node), source, broker),
                Some(("secret", source)) if self.mosquitto_accounts(&path, &[node, volume]) => {
                    let name = source.str_at("secretName").unwrap_or("").to_owned();
                    self.acts.push(Act::Uses { kind: "Secret", name, key: "options" });
                }
                Some((kind, _)) => {
                    let what = match kind {
                        "secret" | "projected" => format!("the files that it gets at {path}"),
                        _ => format!("what it mounts at {path}"),
                    };
                    self.lack(what, &[node, volume]);
                }
            }
        }
        for (key, mounts) in claims {
            self.claim(cx, key, &mounts);
        }
    }

    /// Plans where a claim goes.
    fn claim(&mut self, cx: &Cx<'w, 's>, key: Key, mounts: &[Mounted<'w, 's>]) {
        let nodes: Vec<&'w Node<'s>> = mounts.iter().flat_map(|mount| mount.nodes.iter().copied()).collect();
        let is_own = cx.claim(&key).is_none_or(|claim| claim.users.len() <= 1);
        let is_block = cx.claim(&key).is_some_and(|claim| claim.is_block);
        if !is_block && mounts.iter().any(|mount| self.goes_to(&mount.path).is_empty() && self.keeps(&mount.path)) {
            for mount in mounts {
                let bind = Bind {
                    source: Source::Claim(key.clone(), is_own),
                    sub: mount.sub.clone(),
                    target: mount.path.clone(),
                    read_only: mount.read_only,
                    nodes: mount.nodes.clone(),
                    template: mount.template,
                };
                self.bind(cx, bind);
            }
            return;
        }
        if let Some(claim) = cx.claim(&key) {
            let problem = if claim.users.len() > 1 {
                Some(format!("the claim {}, which other workloads mount, too", key.1))
            } else if claim.is_block {
                Some(format!("the claim {}, which is a device without a file system", key.1))
            } else if claim.bound.export.is_some() {
                Some(format!("the claim {}, which stays on a file server", key.1))
            } else {
                None
            };
            if let Some(problem) = problem {
                self.lacks.push(problem);
                return;
            }
        }
        let replicas = self.workload.object.tree().at(&["spec", "replicas"]).and_then(Node::int).unwrap_or(1);
        if replicas > 1 {
            self.lacks.push(format!("{replicas} replicas that each keep data"));
            return;
        }
        let mut goes: Vec<(String, String)> = Vec::new();
        let mut asks = Vec::new();
        let mut is_database = false;
        for mount in mounts {
            let sub = mount.sub.clone().unwrap_or_default();
            let parts = self.goes_to(&mount.path);
            if parts.is_empty() {
                self.lack(format!("what it keeps at {}", mount.path), &nodes);
                return;
            }
            for (below, to, volume) in parts {
                is_database |= volume.kind.value == StateKind::Database;
                let both: Vec<&str> =
                    [sub.as_str(), below.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
                goes.push((both.join("/"), to));
                if let Some(ask) = &volume.ask {
                    let name = volume.target.value.as_str().trim_start_matches('/').replace('/', "-");
                    let key = self.container.question(&format!("data.{name}"));
                    asks.push(Act::Ask { nodes: mount.nodes.clone(), key, text: ask.value.clone(), blocks: true });
                }
            }
        }
        let mut moving = Moving {
            key,
            root: String::new(),
            parts: Vec::new(),
            is_database: is_database && self.is_dumped(),
            nodes,
            template: mounts.iter().find_map(|mount| mount.template),
        };
        // Parts of a claim lie where their root is when all of them agree on one.
        let root = |(below, to): &(String, String)| match below.as_str() {
            "" => Some(to.clone()),
            below => to.strip_suffix(below)?.strip_suffix('/').filter(|root| !root.is_empty()).map(str::to_owned),
        };
        let roots: Vec<Option<String>> = goes.iter().map(root).collect();
        let state = self.file.state.first().map(|state| state.path.value.as_str().to_owned());
        match (goes.as_slice(), roots.first().cloned().flatten()) {
            ([(_, to), ..], _) if moving.is_database => moving.root.clone_from(to),
            (_, Some(root)) if roots.iter().all(|other| other.as_ref() == Some(&root)) && root != "/var/lib" => {
                moving.root = root;
            }
            ([(_, to)], _) => {
                moving.root.clone_from(to);
                moving.parts = goes;
            }
            _ => {
                moving.root = state.unwrap_or_default();
                moving.parts = goes;
            }
        }
        let is_taken = self.claims.iter().any(|other| other.root == moving.root);
        if is_taken || moving.root.is_empty() {
            self.lacks.push(format!("a second claim, {}, in one directory", moving.key.1));
            return;
        }
        self.claims.push(moving);
        self.acts.extend(asks);
    }

    /// Tells whether the module's database is dumped rather than copied.
    fn is_dumped(&self) -> bool {
        super::settle::dump_of(self.name).is_some()
            || self.file.data.as_ref().is_some_and(|data| data.rule.value == DataRule::DumpAndRestore)
    }

    /// Returns where what lies at a path of the image goes: each part with its path below that one, its path on the host, and what
    /// the module says of it; nothing where the module knows no such path.
    pub(super) fn goes_to(&self, path: &str) -> Vec<(String, String, &'w MovedVolume)> {
        let all = &self.file.volumes;
        let within = all.iter().filter(|volume| lies_in(path, volume.target.value.as_str()));
        if let Some(volume) = within.max_by_key(|volume| volume.target.value.as_str().len()) {
            let rest = path.strip_prefix(volume.target.value.as_str()).unwrap_or("");
            return vec![(String::new(), format!("{}{rest}", volume.to.value.as_str()), volume)];
        }
        let below = all.iter().filter(|volume| lies_in(volume.target.value.as_str(), path) && path != "/");
        below
            .map(|volume| {
                let rest = volume.target.value.as_str().strip_prefix(path).unwrap_or("").trim_matches('/');
                (rest.to_owned(), volume.to.value.as_str().to_owned(), volume)
            })
            .collect()
    }

    /// Plans the files of a ConfigMap; `read` is one that is planned already.
    fn config(
        &mut self,
        cx: &Cx<'w, 's>,
        (volume, mount): (&'w Node<'s>, &'w Node<'s>),
        source: &'w Node<'s>,
        read: Option<&'w Node<'s>>,
    ) {
        let name = source.str_at("name").unwrap_or("");
        let Some(map) = cx.world.find("ConfigMap", self.workload.object.namespace(), name) else {
            let path = mount.str_at("mountPath").unwrap_or("");
            if !self.mosquitto_accounts(path, &[mount, volume]) {
                self.lack(format!("the files of the ConfigMap {name}, which is not among the input"), &[mount, volume]);
            }
            return;
        };
        let mut lacks = Vec::new();
        for (at, node) in files_of(map.tree().map("data"), source, mount) {
            if node.is_some_and(|node| read.is_some_and(|read| std::ptr::eq(read, node))) {
                continue;
            }
            let rule = self.file.files.iter().find(|(known, _)| known.as_str() == at).map(|(_, entry)| &entry.value);
            match (rule, node.and_then(|node| Some((node, node.text()?)))) {
                (Some(rule), Some((node, text))) => self.file(rule, &at, node, text),
                _ if node.is_some_and(|node| self.mosquitto_accounts(&at, &[node])) => {}
                _ => lacks.push(format!("the file {at}")),
            }
        }
        for what in lacks {
            self.lack(what, &[mount, volume]);
        }
        self.acts.push(Act::Uses { kind: "ConfigMap", name: name.to_owned(), key: "options" });
        let to = self.key("options");
        self.acts.push(Act::Translated(mount, to.clone(), None));
        self.acts.push(Act::Translated(volume, to, None));
    }

    /// Plans the settings of one file.
    fn file(&mut self, rule: &'w MovedFile, path: &str, node: &'w Node<'s>, text: &str) {
        let Some(settings) = files::read(rule.format.value, text) else {
            self.lack(format!("the file {path}, which is not of its format"), &[node]);
            return;
        };
        let option = rule.option.value.as_str();
        if rule.format.value == FileFormat::Text && secret::find(text).is_some() {
            self.lack(format!("the file {path}, which holds what looks like a secret"), &[node]);
            return;
        }
        for (route, held) in settings {
            let parts = option.split('.').chain(route.iter().map(String::as_str));
            let full = join_name(&parts.collect::<Vec<_>>());
            let name = route.last().map_or("", String::as_str);
            if held.texts().any(|text| secrets::is_secret(name, text)) {
                self.secret_setting(&full, name, path, node);
            } else if !self.set(&full, &held) {
                self.lack(format!("the setting {} of the file {path}", join_name(&route)), &[node]);
            }
        }
        let to = self.key(&format!("options.{option}"));
        self.acts.push(Act::Translated(node, to, None));
    }

    /// Plans a setting that looks like a secret: as one of the module, else as a question.
    fn secret_setting(&mut self, option: &str, name: &str, path: &str, node: &'w Node<'s>) {
        let known = self.file.secrets.iter().find(|secret| secret.option.value.as_str() == option);
        if let Some(known) = known {
            let of = SecretOf::Manifest { name: name.to_owned(), is_reference: false };
            let key = known.key.value.as_str().to_owned();
            self.acts.push(Act::Secret { nodes: vec![node], key, of });
            return;
        }
        let text = format!(
            "`{option}` of the file {path} looks like a secret, which an option would show to everybody, and is left out: which file \
             of the host does the program read it from?"
        );
        let key = self.container.question(&format!("setting.{option}"));
        self.acts.push(Act::Ask { nodes: vec![node], key, text, blocks: true });
    }
}

impl Held {
    /// Returns every text within.
    fn texts(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        fn of(value: &serde_json::Value) -> Box<dyn Iterator<Item = &str> + '_> {
            match value {
                serde_json::Value::String(text) => Box::new(std::iter::once(text.as_str())),
                serde_json::Value::Array(items) => Box::new(items.iter().flat_map(of)),
                serde_json::Value::Object(map) => Box::new(map.values().flat_map(of)),
                _ => Box::new(std::iter::empty()),
            }
        }
        match self {
            Self::Text(text) => Box::new(std::iter::once(text.as_str())),
            Self::Value(value) => of(value),
        }
    }
}
