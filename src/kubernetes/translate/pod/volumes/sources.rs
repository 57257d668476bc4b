//! Volumes whose files come from objects: ConfigMaps, Secrets, the pod's own fields, and several of them in one.

use base64::Engine as _;

use super::files::{Entry, Holds, WAITS, put};
use super::mount::Mount;
use super::{Site, ask, is_path, slug};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::translate::pod::secrets;
use crate::kubernetes::translate::secret;
use crate::kubernetes::tree::Node;

/// Mounts the files of a volume.
pub(super) fn mount<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    volume: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    draft: &mut Draft,
) {
    let mut all: Vec<Entry<'w, 's>> = Vec::new();
    let mut missing: Option<String> = None;
    let mut is_absent = false;
    let sources: Vec<(&str, &'w Node<'s>)> = match volume.get("projected") {
        Some(projected) => {
            let parts = projected.list("sources").iter().flat_map(Node::pairs);
            parts.map(|pair| (pair.key.as_ref(), &pair.node)).collect()
        }
        None => volume.pairs().iter().map(|pair| (pair.key.as_ref(), &pair.node)).collect(),
    };
    let default = volume.get("projected").and_then(|projected| mode_of(projected, "defaultMode"));
    for (kind, source) in sources {
        let mode = mode_of(source, "defaultMode").or_else(|| default.clone());
        let found = match kind {
            "configMap" => config_map(cx, site, source, mode.as_ref()),
            "secret" => secret_files(cx, site, source, mount, mode.as_ref()),
            "downwardAPI" => downward(cx, site, source, mode.as_ref()),
            "serviceAccountToken" | "clusterTrustBundle" => {
                let reason = "it leads to the API of the cluster, which the host does not have";
                cx.books.dropped(source, reason);
                Found::Nothing
            }
            _ => continue,
        };
        match found {
            Found::Files(files) => all.extend(files),
            Found::Nothing => is_absent = true,
            Found::Unknown(question) => missing = Some(question),
        }
    }
    let waits = !all.is_empty() && all.iter().all(|entry| matches!(entry.holds, Holds::Later));
    if let Some(question) = missing {
        put(cx, site, mount, all, draft);
        ask(cx, site, volume, mount, question, draft);
    } else if all.is_empty() {
        let reason = match is_absent {
            true => "there is nothing to mount: what it would show is not on the host",
            false => "there is nothing to mount: the source has no keys",
        };
        cx.books.dropped(volume, reason);
        cx.books.dropped(mount.node, reason);
    } else {
        put(cx, site, mount, all, draft);
    }
    if waits {
        cx.books.needs_you(volume, WAITS);
    }
    if mode_of(volume.get("projected").unwrap_or(volume), "defaultMode").is_some() {
        cx.books.translated(volume, site.key("files"));
    }
}

/// What a source comes to.
enum Found<'w, 's> {
    Files(Vec<Entry<'w, 's>>),
    /// Nothing, and rightly so.
    Nothing,
    /// A question.
    Unknown(String),
}

/// Returns permissions in octal digits, where they are said and are not what files have anyway.
fn mode_of(node: &Node<'_>, key: &str) -> Option<String> {
    let mode = node.get(key)?.int().filter(|mode| (0..=0o7777).contains(mode))?;
    (mode != 0o644).then(|| format!("{mode:04o}"))
}

/// Returns the permissions of one file: its own, else those of all.
fn mode_of_item(item: &Node<'_>, default: Option<&String>) -> Option<String> {
    if item.get("mode").is_some() { mode_of(item, "mode") } else { default.cloned() }
}

/// Returns the keys that a source asks for, as (key, path in the volume, permissions); all of the object's where it asks for none.
fn wanted<'a>(source: &'a Node<'_>, mode: Option<&String>) -> Option<Vec<(&'a str, &'a str, Option<String>)>> {
    let items = source.list("items");
    if items.is_empty() {
        return None;
    }
    let read = |item: &'a Node<'_>| {
        let key = item.get("key")?.text()?;
        let path = item.get("path").and_then(Node::text).unwrap_or(key);
        Some((key, path, mode_of_item(item, mode)))
    };
    Some(items.iter().filter_map(read).collect())
}

/// Settles the words of a source that is not there.
fn absent<'w, 's>(cx: &mut Cx<'w, 's>, source: &'w Node<'s>, what: &str, name: &str) -> Found<'w, 's> {
    if source.bool_at("optional") == Some(true) {
        cx.books.dropped(source, format!("the {what} `{name}` is not among the input, and may be absent"));
        return Found::Nothing;
    }
    Found::Unknown(format!(
        "the {what} `{name}` is not among the input: what does it hold? Add it to the input, or name a directory of the host with \
         its files"
    ))
}

fn config_map<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    source: &'w Node<'s>,
    mode: Option<&String>,
) -> Found<'w, 's> {
    let namespace = site.workload.object.namespace();
    let name = source.get("name").and_then(Node::text).unwrap_or("");
    if name == "kube-root-ca.crt" {
        cx.books.dropped(source, "the certificate of the cluster's API, which the host does not have");
        return Found::Nothing;
    }
    let Some(object) = cx.take("ConfigMap", namespace, name, site.service, "files") else {
        return absent(cx, source, "ConfigMap", name);
    };
    let tree = object.tree();
    let node_of = |key: &str| {
        let text = tree.get("data").and_then(|data| data.get(key)).map(|node| (node, false));
        text.or_else(|| tree.get("binaryData")?.get(key).map(|node| (node, true)))
    };
    let keys = || tree.map("data").iter().chain(tree.map("binaryData")).map(|pair| pair.key.as_ref());
    let wanted = wanted(source, mode).unwrap_or_else(|| keys().map(|key| (key, key, mode.cloned())).collect());
    let mut files = Vec::with_capacity(wanted.len());
    let later = || Entry { path: String::new(), holds: Holds::Later, mode: None };
    for (key, path, mode) in wanted {
        let Some((node, is_binary)) = node_of(key) else {
            if source.bool_at("optional") != Some(true) {
                cx.books.needs_you(
                    source,
                    format!("the ConfigMap `{name}` has no key `{key}`: what should the file hold?"),
                );
            }
            continue;
        };
        let Some(content) = content(node, is_binary) else {
            let text = format!("the key `{key}` is no text that base64 gives: what should the file hold?");
            cx.ask(object, node, &format!("key-{}", slug(key)), text, true);
            files.push(later());
            continue;
        };
        let secret = std::str::from_utf8(&content).ok().and_then(|text| secrets::in_file(key, text));
        let holds = match secret {
            None => Holds::Content { node, content },
            Some(what) => {
                let item = secrets::of_key_of(cx, "ConfigMap", namespace, name, key);
                let text = format!(
                    "it holds {what}, which would land in the store for everybody to read: put the file into the secret `{item}`"
                );
                cx.ask(object, node, &format!("key-{}", slug(key)), text, true);
                Holds::Secret { item }
            }
        };
        files.push(Entry { path: path.to_owned(), holds, mode });
    }
    cx.books.translated(source, site.key("files"));
    if files.is_empty() { Found::Nothing } else { Found::Files(files) }
}

/// Returns what a key of a ConfigMap holds.
fn content(node: &Node<'_>, is_binary: bool) -> Option<Vec<u8>> {
    let text = node.text()?;
    if !is_binary {
        return Some(text.as_bytes().to_vec());
    }
    let packed: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

fn secret_files<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    source: &'w Node<'s>,
    mount: &Mount<'w, 's>,
    mode: Option<&String>,
) -> Found<'w, 's> {
    let namespace = site.workload.object.namespace();
    // A volume says `secretName`, a part of a projected one `name`.
    let name = source.get("secretName").or_else(|| source.get("name")).and_then(Node::text).unwrap_or("");
    if let Some(certificate) = secret::certificate(cx.world, namespace, name) {
        return Found::Unknown(format!(
            "the Secret `{name}` holds the certificate `{}`, which is renewed: which directory of the host has it? That of ACME is \
             /var/lib/acme/NAME, and its files are called fullchain.pem and key.pem",
            certificate.name()
        ));
    }
    let object = cx.take("Secret", namespace, name, site.service, "secrets");
    let keys = secrets::keys(cx, namespace, name);
    let in_input = object.is_some() || keys.is_some();
    let id = format!("{}#secret-{}", site.workload.object.identity(), slug(name));
    let answered: Vec<String> = cx.target.answers.get(&id).map_or(Vec::new(), |answer| {
        answer.split([' ', ',']).filter(|key| !key.is_empty()).map(str::to_owned).collect()
    });
    let all: Vec<(String, String, Option<String>)> = match (wanted(source, mode), &keys, &mount.sub) {
        (Some(wanted), ..) => {
            wanted.into_iter().map(|(key, path, mode)| (key.to_owned(), path.to_owned(), mode)).collect()
        }
        (None, Some(keys), _) => keys.iter().map(|key| (key.clone(), key.clone(), mode.cloned())).collect(),
        (None, None, Some(sub)) => vec![(sub.clone(), sub.clone(), mode.cloned())],
        (None, None, None) if !answered.is_empty() => {
            answered.iter().map(|key| (key.clone(), key.clone(), mode.cloned())).collect()
        }
        (None, None, None) => {
            if source.bool_at("optional") == Some(true) && !in_input {
                return absent(cx, source, "Secret", name);
            }
            let text = format!(
                "the Secret `{name}` is not among the input: which keys has it? `kubectl describe secret -n {namespace} {name}` \
                 shows them without their values"
            );
            cx.ask(site.workload.object, source, &format!("secret-{}", slug(name)), text, true);
            return Found::Files(vec![Entry { path: String::new(), holds: Holds::Later, mode: None }]);
        }
    };
    let mut files = Vec::with_capacity(all.len());
    for (key, path, mode) in all {
        let item = secrets::of_key(cx, namespace, name, &key);
        files.push(Entry { path, holds: Holds::Secret { item }, mode });
    }
    cx.books.translated(source, site.key("secrets"));
    if files.is_empty() { Found::Nothing } else { Found::Files(files) }
}

/// Returns files with fields of the pod: those that do not change are written down.
fn downward<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    source: &'w Node<'s>,
    mode: Option<&String>,
) -> Found<'w, 's> {
    let mut files = Vec::new();
    for item in source.list("items") {
        let path = item.get("path").and_then(Node::text).unwrap_or("");
        let field = item.at(&["fieldRef", "fieldPath"]).and_then(Node::text).unwrap_or("");
        let Some(text) = field_of(site, field).filter(|_| is_path(&format!("/{path}"))) else {
            let question = format!(
                "`{path}` tells the program something that only the cluster knows: what should it hold on the host?"
            );
            let key = format!("field-{}-{}", site.service, slug(path));
            if let Some(answer) = cx.ask(site.workload.object, item, &key, question, false) {
                let holds = Holds::Constant(answer.to_owned());
                files.push(Entry { path: path.to_owned(), holds, mode: mode.cloned() });
            }
            continue;
        };
        cx.books.translated(item, site.key("files"));
        let mode = mode_of_item(item, mode);
        files.push(Entry { path: path.to_owned(), holds: Holds::Constant(text), mode });
    }
    if files.is_empty() { Found::Nothing } else { Found::Files(files) }
}

/// Returns the value of a field of the pod that is the same on the host.
fn field_of(site: &Site<'_, '_, '_>, field: &str) -> Option<String> {
    let metadata = site.workload.metadata;
    let pairs = |key: &str| metadata.map_or(&[][..], |metadata| metadata.map(key));
    // The form that Kubernetes writes: one line a label, the value quoted as Go does.
    let lines = |key: &str| -> String {
        let mut all: Vec<String> =
            pairs(key).iter().map(|pair| format!("{}={:?}", pair.key, pair.node.text().unwrap_or(""))).collect();
        all.sort();
        all.join("\n")
    };
    let of_map = |rest: &str| {
        let (map, key) = rest.split_once("['")?;
        let key = key.strip_suffix("']")?;
        pairs(map).iter().find(|pair| pair.key == key)?.node.text().map(str::to_owned)
    };
    match field {
        "metadata.name" => Some(site.workload.service.clone()),
        "metadata.namespace" => Some(site.workload.object.namespace().to_owned()),
        "metadata.labels" => Some(lines("labels")),
        "metadata.annotations" => Some(lines("annotations")),
        "spec.serviceAccountName" => {
            Some(site.workload.spec.get("serviceAccountName").and_then(Node::text).unwrap_or("default").to_owned())
        }
        _ => of_map(field.strip_prefix("metadata.")?),
    }
}
