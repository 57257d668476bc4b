//! A validator for JSON Schema: the keywords that our own schemas and that of SARIF 2.1.0 have. A keyword or a pattern that it does
//! not know is a panic, so that nothing counts as checked that is not.

use serde_json::Value;

/// Returns what of a document breaks a schema, as `PATH: WHY`.
pub(crate) fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, document, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    let mut wrong = |why: String| faults.push(format!("{path}: {why}"));
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            // Of these nothing follows, or it follows below.
            "$schema"
            | "$id"
            | "id"
            | "title"
            | "description"
            | "default"
            | "definitions"
            | "$defs"
            | "$ref"
            | "properties"
            | "additionalProperties"
            | "items" => {}
            "type" => {
                let types = wanted.as_array().map_or_else(|| vec![wanted], |types| types.iter().collect());
                if !types.iter().any(|one| is_a(value, one.as_str().unwrap())) {
                    wrong(format!("{value} is no {wanted}"));
                }
            }
            "enum" => {
                if !wanted.as_array().unwrap().contains(value) {
                    wrong(format!("{value} is none of {wanted}"));
                }
            }
            "const" => {
                if wanted != value {
                    wrong(format!("{value} is not {wanted}"));
                }
            }
            "minimum" | "maximum" => {
                let (limit, number) = (wanted.as_f64().unwrap(), value.as_f64());
                let beyond = |number: f64| if keyword == "minimum" { number < limit } else { number > limit };
                if number.is_some_and(beyond) {
                    wrong(format!("{value} is beyond the {keyword} {wanted}"));
                }
            }
            "minItems" | "maxItems" => {
                let (limit, length) = (wanted.as_u64().unwrap(), value.as_array().map_or(0, Vec::len) as u64);
                if if keyword == "minItems" { length < limit } else { length > limit } {
                    wrong(format!("{length} elements, {keyword} {wanted}"));
                }
            }
            "uniqueItems" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                if *wanted == true && items.iter().enumerate().any(|(at, item)| items[..at].contains(item)) {
                    wrong("an element is there twice".to_owned());
                }
            }
            "pattern" => {
                if value.as_str().is_some_and(|text| !matches(wanted.as_str().unwrap(), text)) {
                    wrong(format!("{value} does not match {wanted}"));
                }
            }
            "format" => {
                if value.as_str().is_some_and(|text| !has_format(wanted.as_str().unwrap(), text)) {
                    wrong(format!("{value} is no {wanted}"));
                }
            }
            "required" => {
                for key in wanted.as_array().unwrap() {
                    if value.is_object() && value.get(key.as_str().unwrap()).is_none() {
                        wrong(format!("{key} is missing"));
                    }
                }
            }
            "anyOf" | "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut faults = Vec::new();
                    check(root, schema, value, path, &mut faults);
                    faults.is_empty()
                };
                let count = wanted.as_array().unwrap().iter().filter(fits).count();
                if count == 0 || (keyword == "oneOf" && count > 1) {
                    wrong(format!("it fits {count} of {keyword}"));
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
    if let Some(reference) = schema.get("$ref") {
        let pointer = reference.as_str().unwrap().strip_prefix('#').expect("a reference within the schema");
        check(root, root.pointer(pointer).expect("what a reference names"), value, path, faults);
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (at, value) in values.iter().enumerate() {
            check(root, items, value, &format!("{path}/{at}"), faults);
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        match (schema.get("properties").and_then(|known| known.get(key)), schema.get("additionalProperties")) {
            (None, None | Some(Value::Bool(true))) => {}
            (None, Some(Value::Bool(false))) => faults.push(format!("{path}: the schema has no such key")),
            (Some(schema), _) | (None, Some(schema)) => check(root, schema, value, &path, faults),
        }
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let forms = |form: &str| {
        text.len() == form.len()
            && text.chars().zip(form.chars()).all(|(c, form)| if form == '0' { c.is_ascii_digit() } else { c == form })
    };
    match pattern {
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => forms("0000-00-00"),
        other => panic!("the pattern {other} is not known here: no value of ours is expected to meet it"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    // RFC 3986: what may stand in a reference at all, and what stands before a colon.
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let escaped = |text: &str| {
        let digits = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        text.split('%').skip(1).all(digits)
    };
    match format {
        "uri" => text.starts_with("https://") && text.chars().all(legal) && escaped(text),
        "uri-reference" => {
            let first = text.split('/').next().unwrap();
            !text.is_empty() && text.chars().all(legal) && escaped(text) && !first.contains(':')
        }
        other => panic!("the format {other} is not known here: no value of ours is expected to have it"),
    }
}

#[test]
fn what_breaks_a_schema_is_told() {
    let schema: Value = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": { "type": ["integer", "null"], "minimum": 1 },
            "b": { "type": "array", "uniqueItems": true, "minItems": 1, "items": { "enum": ["x", "y"] } },
            "c": { "oneOf": [{ "const": 1 }, { "$ref": "#/$defs/text" }] },
            "u": { "format": "uri-reference" }
        },
        "$defs": { "text": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" } }
    });
    let of = |document: Value| faults(&schema, &document);
    let sound = serde_json::json!({ "a": 1, "b": ["x", "y"], "c": "2027-01-01", "u": "a%20b/c" });
    assert_eq!(of(sound.clone()), Vec::<String>::new());
    for (key, value) in [
        ("a", serde_json::json!(0)),
        ("a", serde_json::json!("1")),
        ("b", serde_json::json!([])),
        ("b", serde_json::json!(["x", "x"])),
        ("b", serde_json::json!(["z"])),
        ("c", serde_json::json!("2027")),
        ("c", serde_json::json!(2)),
        ("u", serde_json::json!("a:b")),
        ("u", serde_json::json!("a b")),
        ("u", serde_json::json!("a%2")),
        ("z", serde_json::json!(1)),
    ] {
        let mut document = sound.clone();
        document[key] = value;
        assert_eq!(of(document.clone()).len(), 1, "{document}: {:?}", of(document.clone()));
    }
    assert_eq!(of(serde_json::json!({})), [": \"a\" is missing"]);
}
