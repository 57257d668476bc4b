//! Random trees and random edits.

use proptest::prelude::*;

use super::*;

fn tree() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        "[a-z]{0,6}",
        "\\PC{0,8}",
        Just("yes".to_owned()),
        Just("0644".to_owned()),
        Just("a: b #c".to_owned())
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        text.clone().prop_map(Into::into),
        "[a-z \\n\\t\"\\\\]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Returns the value that a tree stands for, read as JSON is.
fn value_of(node: &Node<'_>) -> serde_json::Value {
    match &node.value {
        Value::Plain(text) if text.is_empty() => serde_json::Value::Null,
        Value::Plain(text) => serde_json::from_str(text).unwrap(),
        Value::Text(text) => text.to_string().into(),
        Value::Sequence(items) => items.iter().map(value_of).collect(),
        Value::Mapping(pairs) => {
            serde_json::Value::Object(pairs.iter().map(|pair| (pair.key.to_string(), value_of(&pair.node))).collect())
        }
    }
}

/// Writes a tree as YAML in lines, every string in quotes.
fn yaml(value: &serde_json::Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        serde_json::Value::Object(pairs) if !pairs.is_empty() => {
            for (key, value) in pairs {
                out.push_str(&format!("\n{pad}{}:", serde_json::Value::from(key.as_str())));
                yaml(value, indent + 2, out);
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                yaml(item, indent + 1, out);
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

proptest! {
    #[test]
    fn json_gives_back_the_tree_and_yaml_the_same(tree in tree(), pretty: bool) {
        let tree = serde_json::json!({ "a": tree });
        let text = if pretty { serde_json::to_string_pretty(&tree).unwrap() } else { tree.to_string() };
        let range = 0..text.len();
        let read = json::stream(&text, range.clone(), &mut Vec::new()).unwrap();
        prop_assert_eq!(value_of(&read[0]), tree.clone());
        // The parser of all YAML reads it too; it allows a tab, a break or a long key in fewer places.
        if let Ok(as_yaml) = events::documents(&text, &range, &mut Vec::new()) {
            prop_assert_eq!(form(&as_yaml[0]), form(&read[0]));
        }
        let mut lines = String::new();
        yaml(&tree, 0, &mut lines);
        lines.push('\n');
        both_agree(&lines);
        let as_lines = value(&lines, &(0..lines.len()), &mut Vec::new());
        prop_assert_eq!(form(&as_lines.unwrap()[0]), form(&read[0]), "{}", lines);
    }

    #[test]
    fn no_text_makes_it_panic_and_both_readers_agree(text in "[a-c:\\-#'\"\\[\\]{}|>&*!%@,?~<. \\n\\t\\r0é\\\\]{0,60}") {
        let _ = read_as("a.yaml", &text);
        both_agree(&text);
    }

    #[test]
    fn lines_of_pieces_give_one_tree(lines in prop::collection::vec((0_usize..5, prop::sample::select(PIECES)), 0..10)) {
        let text: String = lines.iter().map(|(indent, piece)| format!("{}{piece}\n", " ".repeat(*indent))).collect();
        let _ = read_as("a.yaml", &text);
        both_agree(&text);
        both_agree(text.trim_end());
        both_agree(&text.replace('\n', "\r\n"));
    }
}

/// What lines are made of: forms that the fast reader takes, and those near to them.
const PIECES: &[&str] = &[
    "a:",
    "b: 1",
    "- c",
    "- d: 2",
    "-",
    "- - e",
    "f: |",
    "g: |-",
    "- |",
    "text",
    "# c",
    "",
    "h: 'x'",
    "i: \"y\" # z",
    "j: [1, {k: 2}]",
    "'q': x",
    "k: >-",
    "l: &m n",
    "x # y",
    "- \"z\"",
    "\"w\": v",
    "---",
    "...",
    "o: p: q",
    "- [a]",
    "{}",
    "é: ü",
    "- ",
    "a: ",
    "  ",
    "on: off",
    "- -1",
    "- 'a': b",
    "- a:",
    "c: a#b #",
    "- {a: b}",
    "n: {a: , b: c}",
    "m: [a, ]",
    "m: [a b, c:d]",
    "\"\": ''",
    "- ? a",
    "? b",
    ": c",
    "d: |+",
    "e: |2",
    "x: - y",
    "- |-  # c",
    "<<: {a: 1}",
    "~: 1",
    "a : b",
    "\"a\" : b",
    "f: 'a' b",
    "g: [a] b",
];
