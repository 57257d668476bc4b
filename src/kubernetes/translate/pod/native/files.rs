//! Configuration files as settings: what they say, as pairs of a route and a value.

use serde_json::Value;

use crate::fleet::schema::module_file::FileFormat;
use crate::kubernetes::read::inline as documents;
use crate::kubernetes::scalar::Plain;
use crate::kubernetes::tree::{self, Node};

/// A setting: its route of keys, and its value. A text that has no type of its own may become any.
pub(super) type Setting = (Vec<String>, Held);

/// What a setting is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Held {
    /// As the format says.
    Value(Value),
    /// Text, of a format that knows nothing else.
    Text(String),
}

/// Reads a configuration file; none where it is not of its format.
pub(super) fn read(format: FileFormat, text: &str) -> Option<Vec<Setting>> {
    match format {
        FileFormat::Ini => ini(text),
        FileFormat::Env => env(text),
        FileFormat::Json => Some(flat(serde_json::from_str(text).ok()?)),
        FileFormat::Toml => Some(flat(of_toml(text.parse::<toml_edit::DocumentMut>().ok()?.as_item()))),
        FileFormat::Yaml if says_nothing(text) => Some(Vec::new()),
        FileFormat::Yaml => match documents(text)?.as_slice() {
            [only] => Some(flat(json(only)?)),
            _ => None,
        },
        FileFormat::Text => Some(vec![(Vec::new(), Held::Value(text.into()))]),
    }
}

/// Tells whether a text is empty but for comments.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Returns the leaves of a value. An empty mapping is one.
fn flat(value: Value) -> Vec<Setting> {
    fn walk(route: &[String], value: Value, all: &mut Vec<Setting>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let mut below = route.to_vec();
                    below.push(key);
                    walk(&below, value, all);
                }
            }
            Value::Null if route.is_empty() => {}
            value => all.push((route.to_vec(), Held::Value(value))),
        }
    }
    let mut all = Vec::new();
    walk(&[], value, &mut all);
    all
}

/// Returns a value of TOML as JSON; dates as they are written.
fn of_toml(item: &toml_edit::Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return Value::Object(table.iter().map(|(key, item)| (key.to_owned(), of_toml(item))).collect());
    }
    if let Some(tables) = item.as_array_of_tables() {
        return Value::Array(tables.iter().map(|table| of_toml(&toml_edit::Item::Table(table.clone()))).collect());
    }
    match item.as_value() {
        Some(toml_edit::Value::String(text)) => text.value().as_str().into(),
        Some(toml_edit::Value::Integer(number)) => (*number.value()).into(),
        Some(toml_edit::Value::Float(number)) => (*number.value()).into(),
        Some(toml_edit::Value::Boolean(truth)) => (*truth.value()).into(),
        Some(toml_edit::Value::Datetime(date)) => date.value().to_string().into(),
        Some(toml_edit::Value::Array(items)) => {
            Value::Array(items.iter().map(|item| of_toml(&toml_edit::Item::Value(item.clone()))).collect())
        }
        _ => Value::Null,
    }
}

/// Returns a value of YAML as JSON; none for numbers that JSON does not have.
fn json(node: &Node<'_>) -> Option<Value> {
    Some(match &node.value {
        tree::Value::Text(text) => text.as_ref().into(),
        tree::Value::Plain(_) => match node.plain()? {
            Plain::Null => Value::Null,
            Plain::Bool(value) => value.into(),
            Plain::Int(value) => i64::try_from(value).ok()?.into(),
            Plain::Float(value) => serde_json::Number::from_f64(value)?.into(),
            Plain::Text(text) => text.into(),
        },
        tree::Value::Sequence(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        tree::Value::Mapping(pairs) => Value::Object(
            pairs.iter().map(|pair| Some((pair.key.to_string(), json(&pair.node)?))).collect::<Option<_>>()?,
        ),
    })
}

/// Reads `[section]` and `KEY = value`; `;` and `#` begin comments. Keys before the first section have none.
fn ini(text: &str) -> Option<Vec<Setting>> {
    let mut all: Vec<Setting> = Vec::new();
    let mut section: Option<String> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with([';', '#'])) {
        if let Some(name) = line.strip_prefix('[') {
            section = Some(name.strip_suffix(']')?.trim().to_owned());
            continue;
        }
        let (key, value) = line.split_once('=')?;
        let route = section.iter().cloned().chain([key.trim().to_owned()]).collect();
        put(&mut all, route, unquoted(value));
    }
    Some(all)
}

/// Reads lines `NAME=value`.
fn env(text: &str) -> Option<Vec<Setting>> {
    let mut all: Vec<Setting> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        put(&mut all, vec![name.trim().to_owned()], unquoted(value));
    }
    Some(all)
}

/// Adds a setting; a later one of the same route takes the place of an earlier.
fn put(all: &mut Vec<Setting>, route: Vec<String>, text: &str) {
    let held = Held::Text(text.to_owned());
    match all.iter_mut().find(|(known, _)| *known == route) {
        Some((_, known)) => *known = held,
        None => all.push((route, held)),
    }
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).or_else(|| within('`')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: FileFormat, text: &str) -> Option<String> {
        let all = read(format, text)?;
        let lines = all.into_iter().map(|(route, held)| match held {
            Held::Value(value) => format!("{}={value}", route.join("/")),
            Held::Text(text) => format!("{}:{text}", route.join("/")),
        });
        Some(lines.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn files_are_read_by_their_formats() {
        for (format, text, wanted) in [
            (
                FileFormat::Ini,
                "; c\nAPP_NAME = a b\n[server]\nPORT=1\n\n[cron.x]\nON = `y`\n[server]\nPORT = 2\n",
                "APP_NAME:a b server/PORT:2 cron.x/ON:y",
            ),
            (FileFormat::Env, "# c\nexport A=\"1 2\"\nB=\n", "A:1 2 B:"),
            (FileFormat::Json, "{\"a\": {\"b\": [1, true]}, \"c\": {}}", "a/b=[1,true] c={}"),
            (FileFormat::Toml, "a = 1\n[b]\nc = 'x'", "a=1 b/c=\"x\""),
            (FileFormat::Yaml, "a: yes\nb: {c: [x, 0644]}\nd: \"1\"", "a=true b/c=[\"x\",420] d=\"1\""),
            (FileFormat::Text, "any", "=\"any\""),
            (FileFormat::Yaml, "", ""),
        ] {
            assert_eq!(shown(format, text).as_deref(), Some(wanted), "{format:?}");
        }
        for (format, text) in [
            (FileFormat::Ini, "no pair"),
            (FileFormat::Json, "{"),
            (FileFormat::Toml, "a ="),
            (FileFormat::Yaml, "a: ["),
        ] {
            assert_eq!(shown(format, text), None, "{format:?}");
        }
    }
}
