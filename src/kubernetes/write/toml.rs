//! Small pieces of TOML.

use toml_edit::{Array, InlineTable, Item, Table, Value};

/// Returns a string.
pub(super) fn string(text: &str) -> Value {
    text.into()
}

/// Returns a list of strings.
pub(super) fn strings(texts: &[String]) -> Value {
    list(texts.iter().map(|text| string(text)))
}

/// Returns a list, on several lines where it is long.
pub(super) fn list(values: impl IntoIterator<Item = Value>) -> Value {
    let mut array: Array = values.into_iter().collect();
    if array.to_string().len() > 90 && array.len() > 1 {
        array.iter_mut().for_each(|value| value.decor_mut().set_prefix("\n  "));
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    Value::Array(array)
}

/// Returns a table on one line, of the keys that have a value.
pub(super) fn inline<'k>(keys: impl IntoIterator<Item = (&'k str, Option<Value>)>) -> Value {
    let mut table = InlineTable::new();
    for (key, value) in keys {
        if let Some(value) = value {
            table.insert(key, value);
        }
    }
    Value::InlineTable(table)
}

/// Returns a value of JSON in TOML; null is the Nix expression, since TOML has none.
pub(super) fn value_of(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => inline([("literalExpression", Some(string("null")))]),
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(int) => int.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Json::String(text) => string(text),
        Json::Array(items) => list(items.iter().map(value_of)),
        Json::Object(map) => {
            let mut table = InlineTable::new();
            for (key, value) in map {
                table.insert(key, value_of(value));
            }
            Value::InlineTable(table)
        }
    }
}

/// Returns a value with a comment behind it.
pub(super) fn item_of(mut value: Value, comment: &str) -> Item {
    if !comment.is_empty() {
        value.decor_mut().set_suffix(format!("  # {}", on_one_line(comment)));
    }
    Item::Value(value)
}

/// Returns a table with lines of comment above it.
pub(super) fn commented(mut table: Table, comments: &[String]) -> Table {
    let lines: String = comments.iter().map(|line| format!("# {}\n", on_one_line(line))).collect();
    table.decor_mut().set_prefix(format!("\n{lines}"));
    table
}

/// A comment of TOML ends with its line and holds no control characters.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
