//! Kustomizations of Flux: a folder that the cluster keeps as it stands there, in a namespace and with `${NAME}` filled in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::listed::{folder_of, join};
use super::{Item, Run, transform};
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::{Node, Pair, Value};

/// Tells whether an object is a kustomization of Flux.
pub(super) fn is_one(object: &Object<'_>) -> bool {
    object.kind == "Kustomization" && object.group() == "kustomize.toolkit.fluxcd.io"
}

impl<'n, 's> Run<'n, 's> {
    /// Returns the folder that a kustomization of Flux delivers, and what comes of it; none where it is not among the input.
    pub(super) fn flux(&mut self, object: &'n Object<'s>) -> Option<(String, Vec<Item<'s>>)> {
        let spec = object.tree().get("spec")?;
        let path = spec.get("path").and_then(Node::text).unwrap_or("./");
        let wanted = join("", path.trim_start_matches('/'));
        if wanted.is_empty() {
            return None;
        }
        let ends = |folder: &str| {
            folder == wanted || folder.strip_suffix(wanted.as_str()).is_some_and(|before| before.ends_with('/'))
        };
        let found =
            self.folders.iter().find(|(folder, _)| ends(folder)).map(|(folder, object)| (folder.clone(), *object));
        let (folder, mut items) = match found {
            Some((folder, listed)) => {
                let items = self.build(&folder, listed);
                (folder, items)
            }
            None => {
                let mut found: Option<String> = None;
                let mut items = Vec::new();
                for (file, objects) in &self.objects {
                    let below = folders_of(file).find(|folder| ends(folder));
                    let Some(below) = below else { continue };
                    found.get_or_insert_with(|| below.to_owned());
                    let own = objects.iter().filter(|known| known.id != object.id && !self.patches.contains(&known.id));
                    items.extend(own.map(|object| Item::of(object)));
                }
                (found?, items)
            }
        };
        for entry in spec.list("components") {
            self.component(&folder, object, entry, &mut items);
        }
        self.patch(&folder, object, spec, &mut items);
        if let Some(node) = spec.get("targetNamespace") {
            self.notes.replaced(node, "the namespace of the objects that it delivers");
            transform::move_to(&mut items, node.text().unwrap_or_default());
        }
        let word = |key: &str| spec.get(key).and_then(Node::text).unwrap_or_default();
        transform::rename(&mut items, word("namePrefix"), word("nameSuffix"));
        if let Some(build) = spec.get("postBuild") {
            self.substitute(object, build, &mut items);
        }
        Some((folder, items))
    }

    /// Fills in `${NAME}`.
    fn substitute(&mut self, object: &'n Object<'s>, build: &'n Node<'s>, items: &mut [Item<'s>]) {
        let mut values: BTreeMap<&'n str, &'n str> = BTreeMap::new();
        for source in build.list("substituteFrom") {
            let (kind, name) = (source.str_at("kind").unwrap_or_default(), source.get("name").and_then(Node::text));
            if kind != "ConfigMap" {
                let text = "values of a Secret are not filled in: fields that still show a `${NAME}` are asked about one by one";
                self.notes.ask(object.id, source, "substitutes", text, false);
                continue;
            }
            let mut known =
                self.world.objects().iter().filter(|known| known.kind == "ConfigMap" && Some(known.name()) == name);
            match known.next() {
                Some(known) => {
                    let data = known.tree().map("data").iter();
                    values.extend(data.filter_map(|pair| Some((pair.key.as_ref(), pair.node.text()?))));
                    self.notes.replaced(source, "the values that stand where its names do");
                }
                None => {
                    let text = "this ConfigMap is not among the input: give it to `migrate` too, else its values are asked about one by one";
                    self.notes.ask(object.id, source, "substitutes", text, false);
                }
            }
        }
        for pair in build.map("substitute") {
            values.extend(pair.node.text().map(|text| (pair.key.as_ref(), text)));
            self.notes.replaced(&pair.node, "the values that stand where its name does");
        }
        let is_off = |item: &Item<'_>| {
            ["labels", "annotations"].iter().any(|key| {
                let off = item.tree.at(&["metadata", key, "kustomize.toolkit.fluxcd.io/substitute"]);
                off.and_then(Node::text) == Some("disabled")
            })
        };
        for item in items.iter_mut().filter(|item| !is_off(item)) {
            fill(&mut item.tree, &values);
        }
    }
}

/// Returns the folders that a file is below, the innermost first.
fn folders_of(file: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder_of(file)), |folder| (!folder.is_empty()).then(|| folder_of(folder)))
}

fn fill<'s>(node: &mut Node<'s>, values: &BTreeMap<&str, &str>) {
    let changed = |text: &Cow<'s, str>| match filled(text, values) {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    };
    match &mut node.value {
        Value::Plain(text) | Value::Text(text) => {
            if let Some(changed) = changed(text) {
                *text = changed.into();
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Value::Mapping(pairs) => {
            for Pair { node, .. } in pairs {
                fill(node, values);
            }
        }
    }
}

/// Returns a text with `${NAME}`, `${NAME:=default}` and `${NAME:-default}` filled in; what has neither value nor default stays.
/// `$${NAME}` is `${NAME}`.
fn filled<'t>(text: &'t str, values: &BTreeMap<&str, &str>) -> Cow<'t, str> {
    if !text.contains("${") {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("${") {
        let (before, behind) = (rest.get(..at).unwrap_or(""), rest.get(at + 2..).unwrap_or(""));
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = behind;
            continue;
        }
        out.push_str(before);
        let Some((inside, after)) = behind.split_once('}') else {
            out.push_str("${");
            rest = behind;
            continue;
        };
        let (name, default) = match inside.split_once([':', '=', '-']) {
            Some((name, default)) => (name, Some(default.trim_start_matches(['=', '-']))),
            None => (inside, None),
        };
        match values.get(name).copied().or(default) {
            Some(value) => out.push_str(value),
            None => {
                out.push_str("${");
                out.push_str(inside);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_as_flux_does() {
        let values = BTreeMap::from([("APP", "web"), ("EMPTY", "")]);
        for (text, expected) in [
            ("${APP}-data", "web-data"),
            ("${APP:=other}", "web"),
            ("${SIZE:=5Gi}", "5Gi"),
            ("${SIZE:-5Gi}x", "5Gix"),
            ("${NONE}", "${NONE}"),
            ("$${APP}", "${APP}"),
            ("a${EMPTY}b", "ab"),
            ("$APP ${", "$APP ${"),
        ] {
            assert_eq!(filled(text, &values), expected, "{text}");
        }
    }
}
