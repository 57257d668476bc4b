//! Strategic merges: a patch looks like a part of the object that it changes.

use crate::kubernetes::tree::{Node, Pair, Value};

/// What a merge did, beside the merged tree.
#[derive(Debug, Default)]
pub(super) struct Did<'s> {
    /// What is gone from the object, with what took its place, or took it away.
    pub(super) gone: Vec<(Node<'s>, Node<'s>)>,
    /// What of the patch only names what it changes.
    pub(super) names: Vec<Node<'s>>,
    /// What of the patch takes something away.
    pub(super) removes: Vec<Node<'s>>,
}

/// Returns an object with a patch applied. `lists` says whether lists are merged by their keys, as those of Kubernetes' own kinds
/// are; those of other kinds are replaced. None where the patch takes the whole object away.
pub(super) fn merge<'s>(base: Node<'s>, patch: &Node<'s>, lists: bool, did: &mut Did<'s>) -> Option<Node<'s>> {
    if directive(patch) == Some("delete") {
        did.removes.push(patch.clone());
        did.gone.push((base, patch.clone()));
        return None;
    }
    Some(merge_value(base, patch, &mut Vec::new(), lists, did))
}

/// Returns what `$patch` says.
fn directive<'a>(node: &'a Node<'_>) -> Option<&'a str> {
    node.get("$patch").and_then(Node::text)
}

fn merge_value<'s>(
    base: Node<'s>,
    patch: &Node<'s>,
    route: &mut Vec<String>,
    lists: bool,
    did: &mut Did<'s>,
) -> Node<'s> {
    match (&base.value, &patch.value) {
        (Value::Mapping(_), Value::Mapping(_)) if directive(patch) != Some("replace") => {
            merge_mapping(base, patch, route, lists, did)
        }
        (Value::Sequence(_), Value::Sequence(items)) if lists && !items.is_empty() => match key_of(route, items) {
            Some(key) => merge_list(base, items, key, route, did),
            None => replaced(base, patch, did),
        },
        _ => replaced(base, patch, did),
    }
}

fn replaced<'s>(base: Node<'s>, patch: &Node<'s>, did: &mut Did<'s>) -> Node<'s> {
    did.gone.push((base, patch.clone()));
    without_directives(patch, did)
}

/// Returns a value of a patch as it stands in the object.
fn without_directives<'s>(patch: &Node<'s>, did: &mut Did<'s>) -> Node<'s> {
    match &patch.value {
        Value::Mapping(pairs) => {
            let (words, rest): (Vec<&Pair<'s>>, Vec<&Pair<'s>>) =
                pairs.iter().partition(|pair| pair.key.starts_with('$'));
            did.names.extend(words.into_iter().map(|pair| pair.node.clone()));
            let rest = rest.into_iter().filter(|pair| {
                if pair.node.is_null() {
                    did.removes.push(pair.node.clone());
                }
                !pair.node.is_null()
            });
            let rest: Vec<&Pair<'s>> = rest.collect();
            let rest = rest.into_iter().map(|pair| Pair { node: without_directives(&pair.node, did), ..pair.clone() });
            patch.with(Value::Mapping(rest.collect()))
        }
        Value::Sequence(items) => {
            let kept =
                items.iter().filter(|item| directive(item) != Some("delete")).map(|item| without_directives(item, did));
            patch.with(Value::Sequence(kept.collect()))
        }
        _ => patch.clone(),
    }
}

fn merge_mapping<'s>(
    base: Node<'s>,
    patch: &Node<'s>,
    route: &mut Vec<String>,
    lists: bool,
    did: &mut Did<'s>,
) -> Node<'s> {
    let like = base.with(Value::Plain("".into()));
    let Value::Mapping(mut pairs) = base.value else { return base };
    for change in patch.pairs() {
        let at = pairs.iter().position(|pair| pair.key == change.key);
        let names_it = match route.as_slice() {
            [] => matches!(change.key.as_ref(), "apiVersion" | "kind"),
            [only] => only == "metadata" && matches!(change.key.as_ref(), "name" | "namespace"),
            _ => false,
        };
        if change.key.starts_with('$') || names_it {
            did.names.push(change.node.clone());
            continue;
        }
        let Some(at) = at else {
            if change.node.is_null() {
                did.removes.push(change.node.clone());
            } else if directive(&change.node) != Some("delete") {
                pairs.push(Pair { node: without_directives(&change.node, did), ..change.clone() });
            }
            continue;
        };
        if change.node.is_null() || directive(&change.node) == Some("delete") {
            did.removes.push(change.node.clone());
            did.gone.push((pairs.remove(at).node, change.node.clone()));
            continue;
        }
        route.push(change.key.to_string());
        if let Some(pair) = pairs.get_mut(at) {
            let own = std::mem::replace(&mut pair.node, like.clone());
            pair.node = merge_value(own, &change.node, route, lists, did);
        }
        route.pop();
    }
    like.with(Value::Mapping(pairs))
}

fn merge_list<'s>(
    base: Node<'s>,
    patch: &[Node<'s>],
    key: &'static str,
    route: &mut Vec<String>,
    did: &mut Did<'s>,
) -> Node<'s> {
    let like = base.with(Value::Plain("".into()));
    let Value::Sequence(mut items) = base.value else { return base };
    let mut added: Vec<Node<'s>> = Vec::new();
    for change in patch {
        let wanted = change.get(key).and_then(Node::text);
        let at = items.iter().position(|item| wanted.is_some() && item.get(key).and_then(Node::text) == wanted);
        match (at, directive(change)) {
            (Some(at), Some("delete")) => {
                did.removes.push(change.clone());
                did.gone.push((items.remove(at), change.clone()));
            }
            (None, Some("delete")) => did.removes.push(change.clone()),
            (Some(at), _) => {
                did.names.extend(change.get(key).cloned());
                let own = items.remove(at);
                // The key is the same on both sides: the object's own stays.
                let bare: Vec<Pair<'s>> = change.pairs().iter().filter(|pair| pair.key != key).cloned().collect();
                let bare = change.with(Value::Mapping(bare));
                added.push(if bare.pairs().is_empty() { own } else { merge_value(own, &bare, route, true, did) });
            }
            (None, _) => added.push(without_directives(change, did)),
        }
    }
    // What the patch names stands first, in its order, as kustomize has it.
    added.append(&mut items);
    like.with(Value::Sequence(added))
}

/// Returns the key by which elements of a list are told apart: `x-kubernetes-patch-merge-key` of the API.
fn key_of(route: &[String], patch: &[Node<'_>]) -> Option<&'static str> {
    let keys: &[&'static str] = match route.last()?.as_str() {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "volumes" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "ports" => &["containerPort", "port"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        "ownerReferences" => &["uid"],
        "conditions" => &["type"],
        _ => return None,
    };
    keys.iter().find(|key| patch.iter().all(|item| item.get(key).is_some())).copied()
}
