//! What the host has that a module's program finds where the image had it: paths and devices of the node, exports of file servers,
//! and claims with files of people, which programs know by their paths.
//!
//! A module that says `keeps-paths` finds them at those paths: what lies elsewhere on the host is bound there. Not here: claims that
//! become the state of a module (`volumes`).

use super::{Act, Plan};
use crate::kubernetes::claims::{Export, Key, Rights};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, FilesystemDraft};
use crate::kubernetes::translate::persistent_volume_claim;
use crate::kubernetes::translate::pod::volumes::{OfNode, is_file, is_path, of_node};
use crate::kubernetes::tree::Node;
use crate::units::lies_in;

/// Something of the host that is bound to a path.
pub(super) struct Bind<'w, 's> {
    pub source: Source,
    /// The part of it that is.
    pub sub: Option<String>,
    /// The path.
    pub target: String,
    /// Whether nothing is written there.
    pub read_only: bool,
    pub nodes: Vec<&'w Node<'s>>,
    /// The template that a StatefulSet makes the claim of.
    pub template: Option<&'w Node<'s>>,
}

/// What is bound.
pub(super) enum Source {
    /// A claim; whether this workload alone has it.
    Claim(Key, bool),
    /// An export of a file server, with a name for its place.
    Export(Export, String),
    /// A path of the node.
    Path(String),
}

/// Parts of the root that belong to the system or to the image, where nobody keeps files of people.
const NO_CHOICE: &[&str] = &[
    "app", "bin", "boot", "config", "dev", "etc", "home", "lib", "lib64", "nix", "opt", "proc", "root", "run", "sbin",
    "sys", "tmp", "usr", "var",
];

/// Paths of the node that every host has, or no module needs.
pub(super) const OF_THE_HOST: &[&str] = &[
    "/etc/localtime",
    "/etc/timezone",
    "/usr/share/zoneinfo",
    "/etc/machine-id",
    "/run/dbus",
    "/var/run/dbus",
    "/run/udev",
];

pub(super) const SEES_THE_HOST: &str = "a module's service sees the files of the host";

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Returns where the program finds what the image has at a path; none where it does not.
    pub(super) fn target_of(&self, path: &str) -> Option<String> {
        match self.goes_to(path).as_slice() {
            [(below, to, _)] if below.is_empty() => Some(to.clone()),
            [] if self.keeps(path) => Some(path.to_owned()),
            _ => None,
        }
    }

    /// Tells whether a path is one that people choose, which the program keeps.
    pub(super) fn keeps(&self, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
        self.file.keeps_paths.value && !first.is_empty() && is_path(path) && !NO_CHOICE.contains(&first)
    }

    /// Plans a path of the node.
    pub(super) fn host_path(
        &mut self,
        cx: &Cx<'w, 's>,
        (volume, node): (&'w Node<'s>, &'w Node<'s>),
        source: &Node<'_>,
        path: &str,
        sub: Option<&str>,
    ) {
        let written = source.str_at("path").unwrap_or("");
        let held = written.trim_end_matches('/');
        if OF_THE_HOST.iter().any(|known| lies_in(held, known)) {
            for node in [node, volume] {
                self.acts.push(Act::Dropped(node, SEES_THE_HOST.into()));
            }
            return;
        }
        match of_node(held, source.str_at("type").unwrap_or("")) {
            OfNode::Device => {
                let name: String = held
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
                    .collect();
                let text = format!(
                    "`{held}` of the node is a device that the program uses: is it plugged into the host, does it have the same path \
                     there, and is the module's account in the group that may use it?"
                );
                let key = self.container.question(&format!("device.{}", name.trim_start_matches('-')));
                self.acts.push(Act::Ask { nodes: vec![node, volume], key, text, blocks: false });
            }
            OfNode::Data => {
                let bind = Bind {
                    source: Source::Path(held.to_owned()),
                    sub: sub.map(str::to_owned),
                    target: path.to_owned(),
                    read_only: is_read_only(node),
                    nodes: vec![node, volume],
                    template: None,
                };
                self.bind(cx, bind);
            }
            OfNode::Else => self.lack(format!("what it mounts at {path}"), &[node, volume]),
        }
    }

    /// Plans an export of a file server.
    pub(super) fn export(
        &mut self,
        cx: &Cx<'w, 's>,
        (volume, node): (&'w Node<'s>, &'w Node<'s>),
        source: &'w Node<'s>,
        path: &str,
        sub: Option<&str>,
    ) {
        let Some(export) = Export::of(source.get("server"), source.get("path"), Vec::new()) else {
            self.lack(format!("what it mounts at {path}"), &[node, volume]);
            return;
        };
        let name = format!("{}-{}", self.workload.service, volume.str_at("name").unwrap_or("files"));
        let bind = Bind {
            source: Source::Export(export, name),
            sub: sub.map(str::to_owned),
            target: path.to_owned(),
            read_only: is_read_only(node) || source.bool_at("readOnly") == Some(true),
            nodes: vec![node, volume],
            template: None,
        };
        self.bind(cx, bind);
    }

    /// Plans what is bound to a path of the image; where the module has no use for it, it has no counterpart.
    pub(super) fn bind(&mut self, cx: &Cx<'w, 's>, mut bind: Bind<'w, 's>) {
        let what = format!("what it mounts at {}", bind.target);
        let is_one_file = bind.sub.as_deref().is_some_and(|sub| is_file(sub, &bind.target));
        let target = self.target_of(&bind.target).filter(|_| !is_one_file && bind.sub.as_deref().is_none_or(is_plain));
        let Some(target) = target else {
            self.lack(what, &bind.nodes);
            return;
        };
        for (_, _, volume) in self.goes_to(&bind.target) {
            if let Some(ask) = &volume.ask {
                let name = volume.target.value.as_str().trim_start_matches('/').replace('/', "-");
                let key = self.container.question(&format!("data.{name}"));
                self.acts.push(Act::Ask { nodes: bind.nodes.clone(), key, text: ask.value.clone(), blocks: true });
            }
        }
        bind.target = target;
        let has = cx.host.filesystems.get(&bind.target);
        let is_taken = has.is_some_and(|known| Some(&known.device) != device(cx, &bind).as_ref())
            || self.binds.iter().any(|other| other.target == bind.target);
        if is_taken {
            self.lack(format!("what it mounts at {}, where the host has something else", bind.target), &bind.nodes);
            return;
        }
        self.binds.push(bind);
    }

    /// Adds what is bound.
    pub(super) fn add_binds(&mut self, cx: &mut Cx<'w, 's>, draft: &mut Draft) {
        let object = self.workload.object;
        let service = self.container.service.as_str();
        let mut shared: Vec<String> = Vec::new();
        let mut asked: Vec<&'w Node<'s>> = Vec::new();
        for bind in std::mem::take(&mut self.binds) {
            let (path, to, is_remote) = match &bind.source {
                Source::Claim(key, is_own) => {
                    let owner = self.file.user.as_ref().map(|user| user.value.as_str().to_owned());
                    let group = self.file.group.as_ref().map(|group| group.value.as_str().to_owned());
                    let is_export = cx.claim(key).is_some_and(|claim| claim.bound.export.is_some());
                    let rights = match *is_own && !is_export {
                        true => Rights { owner, group, mode: None },
                        false => Rights::default(),
                    };
                    cx.claim_used(key, object.id, service, true, rights);
                    let path = cx.claim_mount(&key.0, &key.1).unwrap_or_default();
                    let to = cx.claim_goes_to(key);
                    if let Some(template) = bind.template {
                        persistent_volume_claim::settle(cx, object, template, key);
                        cx.books.translated(template, to.clone());
                    }
                    (path, to, is_export)
                }
                Source::Export(export, name) => {
                    let path = cx.export_mount(export, name);
                    let to = format!("filesystems.{path}");
                    (path, to, true)
                }
                Source::Path(path) => {
                    let comment = format!("{path} lay on a node of the cluster: what it holds has to come along");
                    if !draft.comments.contains(&comment) {
                        draft.comments.push(comment);
                    }
                    (path.clone(), format!("filesystems.{}", bind.target), false)
                }
            };
            let device = bind.below(&path);
            let how = match device == bind.target {
                true => "the program finds it at the same path of the host".to_owned(),
                false => format!("bound to {}, where the program finds it", bind.target),
            };
            if !matches!(&bind.source, Source::Claim(_, true)) || is_remote {
                shared.push(bind.target.clone());
                asked.extend(bind.nodes.first());
            }
            if device != bind.target {
                let mut options: Vec<String> = Vec::new();
                options.extend(bind.read_only.then(|| "ro".to_owned()));
                // Else it would be wanted before there is a network.
                options.extend(is_remote.then(|| "_netdev".to_owned()));
                let mounted = FilesystemDraft { kind: "bind".to_owned(), device, options };
                cx.host.filesystems.insert(bind.target.clone(), mounted);
            }
            let skip = usize::from(asked.last().is_some_and(|last| bind.nodes.first() == Some(last)));
            bind.nodes.iter().skip(skip).for_each(|node| cx.books.translated_as(node, to.clone(), how.clone()));
        }
        if !shared.is_empty() {
            let account = self.file.user.as_ref().map_or("an account of its own", |user| user.value.as_str());
            let text = format!(
                "{}: who may read and write there? In the cluster it was the account of the pod, and here the program runs as {account}: \
                 what lies there has to belong to it, or to a group that it is in",
                shared.join(", ")
            );
            cx.ask_once(object, &asked, &self.container.question("files"), text, true);
        }
    }
}

impl Bind<'_, '_> {
    /// Returns the part of a path of the host that is bound.
    fn below(&self, path: &str) -> String {
        match &self.sub {
            Some(sub) => format!("{}/{sub}", path.trim_end_matches('/')),
            None => path.to_owned(),
        }
    }
}

/// Returns what would be bound, where that is known already.
fn device(cx: &Cx<'_, '_>, bind: &Bind<'_, '_>) -> Option<String> {
    let path = match &bind.source {
        Source::Path(path) => path.clone(),
        Source::Claim(key, _) => cx.claim(key)?.place.as_ref()?.mount()?.to_owned(),
        Source::Export(export, _) => {
            let device = export.device();
            cx.host.filesystems.iter().find(|(_, known)| known.device == device)?.0.clone()
        }
    };
    Some(bind.below(&path))
}

fn is_read_only(mount: &Node<'_>) -> bool {
    mount.bool_at("readOnly") == Some(true)
}

/// Tells whether a part of a volume lies in it and is a path of plain words.
fn is_plain(sub: &str) -> bool {
    is_path(&format!("/{sub}")) && sub.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
