//! Patches of a kustomization: which objects they are about, and what they do to them.

use super::listed::{is_local, join};
use super::merge::{Did, merge};
use super::{Item, Run, json_patch};
use crate::kubernetes::object::Object;
use crate::kubernetes::read::inline;
use crate::kubernetes::tree::{Node, Value};

/// Groups of kinds whose lists are merged by their keys.
const OWN_GROUPS: &[&str] = &[
    "",
    "apps",
    "autoscaling",
    "batch",
    "extensions",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
];

impl<'n, 's> Run<'n, 's> {
    /// Applies the patches below a value: a kustomization, or what Flux has of one.
    pub(super) fn patch(&mut self, folder: &str, object: &'n Object<'s>, at: &'n Node<'s>, items: &mut Vec<Item<'s>>) {
        for entry in at.list("patchesStrategicMerge") {
            let Some(text) = entry.text() else { continue };
            let (patches, in_file) = match is_local(text) && !text.contains(": ") {
                true => (self.in_file(&join(folder, text)), true),
                false => (written(text, entry), false),
            };
            self.patch_with(folder, object, None, entry, patches, in_file, items);
        }
        for entry in ["patches", "patchesJson6902"].iter().flat_map(|key| at.list(key)) {
            let target = entry.get("target");
            let (says, patches, in_file) = match (entry.get("path"), entry.get("patch")) {
                (Some(path), _) => (path, self.in_file(&join(folder, path.text().unwrap_or_default())), true),
                (None, Some(patch)) => (patch, written(patch.text().unwrap_or_default(), patch), false),
                (None, None) => continue,
            };
            if let Some(options) = entry.get("options") {
                self.notes.replaced(options, "the objects that it lists, as it changes them");
            }
            self.patch_with(folder, object, target, says, patches, in_file, items);
        }
    }

    /// Returns the patches in a file: those of a list are objects, and so is a list of changes.
    fn in_file(&self, path: &str) -> Option<Vec<Node<'s>>> {
        let objects = self.objects.get(path)?;
        Some(objects.iter().map(|object| object.root.clone()).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one entry of a kustomization")]
    fn patch_with(
        &mut self,
        folder: &str,
        object: &'n Object<'s>,
        target: Option<&'n Node<'s>>,
        says: &'n Node<'s>,
        patches: Option<Vec<Node<'s>>>,
        in_file: bool,
        items: &mut Vec<Item<'s>>,
    ) {
        let Some(patches) = patches.filter(|patches| !patches.is_empty()) else {
            return self.ask(folder, object, says, "a patch of it was not read");
        };
        let before = items.len();
        let mut fits = true;
        for patch in &patches {
            let by = format!("overridden by the patch at {}", self.world.at(if in_file { patch } else { says }));
            fits &= match &patch.value {
                Value::Sequence(changes) => self.changes(object, target, says, changes, &by, items),
                Value::Mapping(_) => self.strategic(target, says, patch, in_file, &by, items),
                _ => false,
            };
        }
        if !fits {
            self.ask(folder, object, says, "a patch of it fits no object of the input");
            if in_file {
                for patch in &patches {
                    self.ask(folder, object, patch, "a patch of it fits no object of the input");
                }
            }
            return;
        }
        if let Some(target) = target {
            self.notes.replaced(target, "the objects that it lists, as it changes them");
        }
        if in_file {
            self.notes.replaced(says, "the objects that it lists, as the patch changes them");
        } else if items.len() < before {
            self.notes.replaced(says, "the objects that it lists, without the one that the patch takes away");
        }
    }

    /// Applies a list of changes; false where it fits nothing.
    fn changes(
        &mut self,
        object: &'n Object<'s>,
        target: Option<&'n Node<'s>>,
        says: &Node<'s>,
        changes: &[Node<'s>],
        by: &str,
        items: &mut [Item<'s>],
    ) -> bool {
        let Some(target) = target else { return false };
        let mut fits = false;
        for item in items.iter_mut().filter(|item| is_target(item, target)) {
            fits = true;
            for change in changes {
                match json_patch::apply(item.tree.clone(), change) {
                    Ok((tree, gone)) => {
                        item.tree = tree;
                        if let Some(gone) = gone {
                            self.lose(&gone, by);
                        }
                        for pair in change.pairs().iter().filter(|pair| pair.key != "value") {
                            if pair.node.leaf() != says.leaf() {
                                self.notes.replaced(&pair.node, "the object that it changes, as it is afterwards");
                            }
                        }
                        if change.get("value").is_none() && change.leaf() == says.leaf() {
                            self.notes.replaced(says, "the object that it changes, as it is afterwards");
                        }
                    }
                    Err(why) => {
                        let text = format!("a patch does not fit {} `{}`: {why}", item.kind, item.name());
                        self.notes.ask(object.id, change, "patch", text, false);
                    }
                }
            }
        }
        fits
    }

    /// Applies a patch that looks like a part of an object; false where it fits nothing.
    fn strategic(
        &mut self,
        target: Option<&'n Node<'s>>,
        says: &Node<'s>,
        patch: &Node<'s>,
        in_file: bool,
        by: &str,
        items: &mut Vec<Item<'s>>,
    ) -> bool {
        let mut fits = false;
        let mut kept = Vec::with_capacity(items.len());
        for mut item in items.drain(..) {
            let is_meant = match target {
                Some(target) => is_target(&item, target),
                None => is_named(&item, patch),
            };
            if !is_meant {
                kept.push(item);
                continue;
            }
            fits = true;
            let mut did = Did::default();
            let merged = merge(
                item.tree,
                patch,
                OWN_GROUPS.contains(&item.version.split_once('/').map_or("", |(group, _)| group)),
                &mut did,
            );
            for (gone, _) in &did.gone {
                gone.each_leaf(&mut |_, leaf| self.lost.push(super::Lost { leaf: leaf.leaf(), by: by.to_owned() }));
            }
            if in_file {
                for name in &did.names {
                    self.notes.replaced(name, "the object that the patch names and changes");
                }
                for removed in &did.removes {
                    self.notes.replaced(removed, "the object that the patch changes, without what this takes away");
                }
            } else if !did.removes.is_empty()
                && merged.as_ref().is_some_and(|tree| tree.find_leaf(says.leaf()).is_none())
            {
                self.notes.replaced(says, "the object that the patch changes, without what it takes away");
            }
            match merged {
                Some(tree) => {
                    item.tree = tree;
                    kept.push(item);
                }
                None if item.is_made => {}
                None => {
                    self.removed.insert(item.from);
                }
            }
        }
        *items = kept;
        fits
    }
}

/// Returns patches that stand in a kustomization themselves; their leaves are that of the text.
fn written<'s>(text: &str, node: &Node<'s>) -> Option<Vec<Node<'s>>> {
    Some(inline(text)?.into_iter().map(|root| root.carried_by(node)).collect())
}

/// Tells whether a patch names an object.
fn is_named(item: &Item<'_>, patch: &Node<'_>) -> bool {
    let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
    let namespace = patch.at(&["metadata", "namespace"]).and_then(Node::text);
    patch.get("kind").and_then(Node::text) == Some(&item.kind)
        && patch.get("apiVersion").and_then(Node::text).is_none_or(|version| group(version) == item.group())
        && patch.at(&["metadata", "name"]).and_then(Node::text) == Some(item.name())
        && namespace.is_none_or(|namespace| item.namespace().is_none_or(|own| own == namespace))
}

/// Tells whether a target means an object: group, version and kind exactly, names as patterns from end to end, labels by selectors.
fn is_target(item: &Item<'_>, target: &Node<'_>) -> bool {
    let word = |key: &str| target.get(key).and_then(Node::text).filter(|word| !word.is_empty());
    let version = item.version.rsplit('/').next().unwrap_or("");
    word("group").is_none_or(|group| fits(group, item.group()))
        && word("version").is_none_or(|wanted| fits(wanted, version))
        && word("kind").is_none_or(|kind| fits(kind, &item.kind))
        && word("name").is_none_or(|name| fits(name, item.name()))
        && word("namespace").is_none_or(|name| fits(name, item.namespace().unwrap_or("default")))
        && word("labelSelector").is_none_or(|selector| selects(selector, item.tree.at(&["metadata", "labels"])))
        && word("annotationSelector")
            .is_none_or(|selector| selects(selector, item.tree.at(&["metadata", "annotations"])))
}

/// Tells whether a pattern fits a whole word: alternatives, and `.*` for anything. Other patterns fit nothing.
pub(super) fn fits(pattern: &str, word: &str) -> bool {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let pattern = pattern.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(pattern);
    pattern.split('|').any(|one| {
        let mut parts = one.split(".*");
        let Some(mut rest) = parts.next().and_then(|first| word.strip_prefix(&first.replace("\\.", "."))) else {
            return false;
        };
        let mut ends = one.ends_with(".*") || !one.contains(".*") && rest.is_empty();
        let parts: Vec<&str> = parts.collect();
        for (index, part) in parts.iter().enumerate() {
            let part = part.replace("\\.", ".");
            if index + 1 == parts.len() && !part.is_empty() {
                ends = rest.ends_with(&part);
                break;
            }
            let Some(at) = rest.find(&part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or("");
        }
        ends
    })
}

/// Tells whether a selector (`a=b,c!=d,e,!f`) selects labels.
fn selects(selector: &str, labels: Option<&Node<'_>>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key.trim())).and_then(Node::text);
    selector.split(',').all(|part| {
        let part = part.trim();
        if let Some((key, value)) = part.split_once("!=") {
            label(key) != Some(value.trim())
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            label(key) == Some(value.trim())
        } else if let Some(key) = part.strip_prefix('!') {
            label(key).is_none()
        } else {
            label(part).is_some()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_words() {
        for (pattern, word, expected) in [
            ("web", "web", true),
            ("web", "website", false),
            ("web.*", "website", true),
            (".*", "anything", true),
            (".*-db", "web-db", true),
            (".*-db", "web-dbs", false),
            ("a|b", "b", true),
            ("(a|b)", "a", true),
            ("^web$", "web", true),
            ("w.*b.*e", "website", true),
        ] {
            assert_eq!(fits(pattern, word), expected, "{pattern} {word}");
        }
    }
}
