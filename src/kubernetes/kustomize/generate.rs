//! ConfigMaps and Secrets that a kustomization makes of files and words.

use super::listed::join;
use super::{Item, Run};
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::{Node, Pair, Value};

impl<'n, 's> Run<'n, 's> {
    /// Adds what the generators of a kustomization make.
    pub(super) fn generate(&mut self, folder: &str, object: &'n Object<'s>, items: &mut Vec<Item<'s>>) {
        for (list, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            for entry in object.tree().list(list) {
                let Some(name) = entry.get("name").filter(|name| name.text().is_some()) else {
                    self.ask(folder, object, entry, "it makes an object without a name");
                    continue;
                };
                let data = self.data(folder, object, entry);
                for key in ["behavior", "options", "type"] {
                    if let Some(node) = entry.get(key) {
                        self.notes.dropped(
                            node,
                            "a service starts again when one of its files changes, whatever the object is called",
                        );
                    }
                }
                let behavior = entry.str_at("behavior").unwrap_or("create");
                self.put(object, kind, name, entry, data, behavior, items);
            }
        }
    }

    /// Returns the values of a generator, each with the leaf that says where it comes from.
    fn data(&mut self, folder: &str, object: &'n Object<'s>, entry: &'n Node<'s>) -> Vec<Pair<'s>> {
        let mut data: Vec<Pair<'s>> = Vec::new();
        let mut put = |key: String, node: Node<'s>| {
            data.retain(|pair| pair.key != key);
            data.push(Pair { key: key.into(), at: node.span, node });
        };
        for literal in entry.list("literals") {
            match literal.text().and_then(|text| text.split_once('=')) {
                Some((key, value)) => {
                    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                    let bare = bare.or_else(|| value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')));
                    put(key.to_owned(), literal.with(Value::Text(bare.unwrap_or(value).to_owned().into())));
                }
                None => self.ask(folder, object, literal, "one of its literals is not of the form `NAME=value`"),
            }
        }
        let envs = entry.list("envs").iter().chain(entry.get("env"));
        for file in envs {
            match self.text_of(folder, file.text().unwrap_or_default()) {
                Some(text) => {
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
                        put(key.to_owned(), file.with(Value::Text(value.to_owned().into())));
                    }
                }
                None => self.ask(folder, object, file, "a file of it was not read"),
            }
        }
        for file in entry.list("files") {
            let text = file.text().unwrap_or_default();
            let (key, path) = match text.split_once('=') {
                Some((key, path)) => (key, path),
                None => (text.rsplit('/').next().unwrap_or(text), text),
            };
            match self.text_of(folder, path) {
                Some(text) => put(key.to_owned(), file.with(Value::Text(text.into()))),
                None => self.ask(folder, object, file, "a file of it was not read"),
            }
        }
        data
    }

    fn text_of(&self, folder: &str, path: &str) -> Option<&'s str> {
        let id = self.files.get(join(folder, path).as_str())?;
        let sources: &'s crate::source::Sources = self.world.sources;
        Some(sources.file(*id).text())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one entry of a kustomization")]
    fn put(
        &mut self,
        object: &'n Object<'s>,
        kind: &'static str,
        name: &'n Node<'s>,
        entry: &'n Node<'s>,
        data: Vec<Pair<'s>>,
        behavior: &str,
        items: &mut Vec<Item<'s>>,
    ) {
        let field = if kind == "Secret" { "stringData" } else { "data" };
        let known = items.iter_mut().find(|item| item.kind == kind && Some(item.name()) == name.text());
        if behavior != "create"
            && let Some(known) = known
            && let Value::Mapping(pairs) = &mut known.tree.value
        {
            self.notes.replaced(name, "the object whose values it adds to");
            let own = pairs.iter_mut().find(|pair| pair.key == field);
            match own.map(|pair| &mut pair.node.value) {
                Some(Value::Mapping(own)) => {
                    let gone = if behavior == "replace" {
                        std::mem::take(own)
                    } else {
                        let (gone, kept) = std::mem::take(own)
                            .into_iter()
                            .partition(|pair| data.iter().any(|new| new.key == pair.key));
                        *own = kept;
                        gone
                    };
                    own.extend(data);
                    let by = format!("overridden by the kustomization at {}", self.world.at(name));
                    for pair in &gone {
                        self.lose(&pair.node, &by);
                    }
                }
                _ => pairs.push(Pair {
                    key: field.into(),
                    at: entry.span,
                    node: Node::made(Value::Mapping(data), entry),
                }),
            }
            return;
        }
        let made = |value: Value<'s>| Node::made(value, entry);
        let pair = |key: &'static str, node: Node<'s>| Pair { key: key.into(), at: node.span, node };
        let word = |text: &'static str| made(Value::Text(text.into()));
        let mut metadata = vec![pair("name", name.clone())];
        metadata.extend(entry.get("namespace").map(|node| pair("namespace", node.clone())));
        let tree = made(Value::Mapping(vec![
            pair("apiVersion", word("v1")),
            pair("kind", word(kind)),
            pair("metadata", made(Value::Mapping(metadata))),
            pair(field, made(Value::Mapping(data))),
        ]));
        self.notes.replaced(name, "the object that it makes of the values beside it");
        items.push(Item {
            from: object.id,
            version: "v1".into(),
            kind: kind.into(),
            tree,
            moved_to: None,
            is_made: true,
        });
    }
}
