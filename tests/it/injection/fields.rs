//! Which strings there can be: those of the schemas of definitions, facts and modules, and where files of ours have each of them. A key
//! that a schema gets and no file here has makes a test fail.

use std::collections::BTreeSet;

use hostwright::source::{Kind, Node, Place};
use serde_json::Value;

/// What a value may be wrapped in, at any place and read at one.
const WRAPPERS: &[&str] = &["mkDefault", "mkForce", "mkOverride", "literalExpression"];

/// Returns all that a schema says of one value: what it refers to, and each of what it offers.
fn offers<'v>(root: &'v Value, schema: &'v Value) -> Vec<&'v Value> {
    let mut all = Vec::new();
    let mut open = vec![schema];
    while let Some(one) = open.pop() {
        if let Some(to) = one["$ref"].as_str() {
            open.push(root.pointer(to.trim_start_matches('#')).expect("a schema refers to itself"));
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            open.extend(one[word].as_array().into_iter().flatten());
        }
        all.push(one);
    }
    all
}

/// Tells whether a schema takes whatever there is.
fn takes_all(schema: &Value) -> bool {
    let says = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"];
    *schema == Value::Bool(true)
        || schema.as_object().is_some_and(|schema| says.iter().all(|word| !schema.contains_key(*word)))
}

/// Returns what a schema says of the values whose names are free.
fn of_any_name(schema: &Value) -> impl Iterator<Item = &Value> {
    let patterns = schema["patternProperties"].as_object().into_iter().flatten().map(|(_, value)| value);
    patterns.chain(Some(&schema["additionalProperties"])).filter(|value| value.is_object())
}

/// Returns the path of every string that a schema takes and that is not one of a few words: `.disks.*.id`, `.disks.<name>`.
pub(crate) fn of_schema(root: &Value) -> BTreeSet<String> {
    fn walk<'v>(root: &'v Value, schema: &'v Value, path: &str, above: &[&'v Value], all: &mut BTreeSet<String>) {
        if above.iter().any(|one| std::ptr::eq(*one, schema)) {
            return;
        }
        let above = [above, &[schema]].concat();
        for one in offers(root, schema) {
            let is_few = one.get("enum").or(one.get("const")).is_some();
            let types = one["type"].as_array().map_or_else(|| vec![&one["type"]], |types| types.iter().collect());
            if takes_all(one) || !is_few && types.iter().any(|one| *one == "string") {
                all.insert(path.to_owned());
            }
            for (key, value) in one["properties"].as_object().into_iter().flatten() {
                if !WRAPPERS.contains(&key.as_str()) {
                    walk(root, value, &format!("{path}.{key}"), &above, all);
                }
            }
            for value in of_any_name(one) {
                all.insert(format!("{path}.<name>"));
                walk(root, value, &format!("{path}.*"), &above, all);
            }
            if one["items"].is_object() {
                walk(root, &one["items"], &format!("{path}[]"), &above, all);
            }
        }
    }
    let mut all = BTreeSet::new();
    walk(root, root, "", &[], &mut all);
    all
}

/// Returns every string and every name of a file, with its path as [`of_schema`] has it.
pub(crate) fn of_file(root: &Value, node: &Node) -> Vec<(String, Place)> {
    fn walk(root: &Value, schemas: &[&Value], node: &Node, path: &str, all: &mut Vec<(String, Place)>) {
        let schemas: Vec<&Value> = schemas.iter().flat_map(|schema| offers(root, schema)).collect();
        let is_any = schemas.iter().any(|one| takes_all(one));
        let below = |path: &str, found: Vec<&Value>, node: &Node, all: &mut Vec<(String, Place)>| {
            // Below what takes anything all is one field.
            if found.is_empty() && is_any {
                walk(root, &[&Value::Bool(true)], node, path, all);
            } else {
                walk(root, &found, node, path, all);
            }
        };
        match &node.kind {
            Kind::Str(_) | Kind::Date(_) => all.push((path.to_owned(), node.place)),
            Kind::List(items) => {
                let found: Vec<&Value> =
                    schemas.iter().map(|one| &one["items"]).filter(|one| one.is_object()).collect();
                let at = if found.is_empty() { path.to_owned() } else { format!("{path}[]") };
                for item in items {
                    below(&at, found.clone(), &item.node, all);
                }
            }
            Kind::Table(table) => {
                for (name, entry) in table.iter().filter(|(name, _)| !WRAPPERS.contains(&name.as_str())) {
                    let of = |one: &'_ &Value| one["properties"].get(name).is_some();
                    let named: Vec<&Value> =
                        schemas.iter().copied().filter(of).map(|one| &one["properties"][name]).collect();
                    let more: Vec<&Value> = schemas.iter().copied().flat_map(of_any_name).collect();
                    if !named.is_empty() {
                        below(&format!("{path}.{name}"), named, &entry.node, all);
                    } else if !more.is_empty() {
                        all.push((format!("{path}.<name>"), entry.key));
                        below(&format!("{path}.*"), more, &entry.node, all);
                    } else if is_any {
                        all.push((path.to_owned(), entry.key));
                        below(path, Vec::new(), &entry.node, all);
                    }
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(root, &[root], node, "", &mut all);
    all
}

#[test]
fn the_strings_of_a_schema_and_those_of_a_file_have_the_same_names() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "kind": { "type": "string", "enum": ["a"] },
            "free": true,
            "disks": { "type": "object", "additionalProperties": { "$ref": "#/$defs/disk" } },
        },
        "$defs": { "disk": { "anyOf": [{ "type": "string" }, { "type": "object", "properties": { "ids": { "type": "array", "items": { "type": "string" } } } }] } },
    });
    let wanted: BTreeSet<String> =
        [".name", ".free", ".disks.<name>", ".disks.*", ".disks.*.ids[]"].map(str::to_owned).into();
    assert_eq!(of_schema(&schema), wanted);
    let text = "name = 'a'\nfree.x = ['y']\ndisks = { one = 'a', two = { ids = ['b'] } }\n";
    let found: BTreeSet<String> =
        of_file(&schema, &super::tree("a.toml", text)).into_iter().map(|(path, _)| path).collect();
    assert_eq!(found, wanted);
}
