//! A type's description, as the manual and the official options.json print it, read back as a type.
//!
//! Here belongs: the reverse of [`crate::facts::Type::describe`]. The words are no grammar, modules may describe a type as
//! they like: what is not understood keeps its words and is not checked.

use serde_json::{Value, json};

/// How deep types are read; what is deeper is not checked.
const DEEPEST: usize = 12;

/// Returns the type that a description describes, in the form of `types-REL.json`.
pub(super) fn read(text: &str) -> Value {
    ty(text.trim(), 0)
}

fn ty(text: &str, depth: usize) -> Value {
    let other = || json!({ "t": "other", "d": text });
    if depth > DEEPEST {
        return other();
    }
    let inner = |text: &str| ty(text, depth + 1);
    if let Some(simple) = simple(text) {
        return simple;
    }
    if let Some(pattern) = text.strip_prefix("string matching the pattern ") {
        return json!({ "t": "strMatching", "re": pattern });
    }
    if let Some(within) = unwrapped(text) {
        return inner(within);
    }
    if let Some((to, from)) = text.strip_suffix(" convertible to it").and_then(|text| split_or(text)) {
        return json!({ "t": "coercedTo", "e": inner(to), "from": inner(from) });
    }
    for (first, name) in [
        ("list or attribute set of ", "loaOf"),
        ("list of ", "listOf"),
        ("lazy attribute set of ", "lazyAttrsOf"),
        ("attribute set of ", "attrsOf"),
        ("function that evaluates to a(n) ", "functionTo"),
    ] {
        if let Some(rest) = text.strip_prefix(first).filter(|rest| split_or(rest).is_none()) {
            return json!({ "t": name, "e": inner(rest) });
        }
    }
    if let Some(rest) =
        text.strip_prefix("non-empty ").and_then(unwrapped).and_then(|text| text.strip_prefix("list of "))
    {
        return json!({ "t": "listOf", "ne": true, "e": inner(rest) });
    }
    if let Some(rest) = text.strip_prefix("open submodule of ") {
        return json!({ "t": "submodule", "free": inner(rest) });
    }
    if let Some(members) = text.strip_prefix("one of ").and_then(members) {
        return json!({ "t": "enum", "v": members });
    }
    if let Some(member) = text.strip_prefix("value ").and_then(|text| text.strip_suffix(" (singular enum)")) {
        return members(member).map_or_else(other, |members| json!({ "t": "enum", "v": members }));
    }
    if let Some(separator) = text.strip_prefix("strings concatenated with ") {
        return serde_json::from_str::<String>(separator)
            .map_or_else(|_| other(), |sep| json!({ "t": "separatedString", "sep": sep }));
    }
    if let Some(range) = range(text) {
        return range;
    }
    if let Some((first, rest)) = split_or(text) {
        if first == "null" {
            return json!({ "t": "nullOr", "e": inner(rest) });
        }
        let mut alternatives = vec![inner(first)];
        let mut rest = rest;
        while let Some((next, more)) = split_or(rest) {
            alternatives.push(inner(next));
            rest = more;
        }
        alternatives.push(inner(rest));
        return json!({ "t": "either", "e": alternatives });
    }
    other()
}

fn simple(text: &str) -> Option<Value> {
    let path = |absolute: Option<bool>, store: Option<bool>| json!({ "t": "path", "abs": absolute, "store": store });
    let name = match text {
        "boolean" => "bool",
        "signed integer" | "integer" => "int",
        "unsigned integer, meaning >=0" => "unsignedInt",
        "positive integer, meaning >0" => "positiveInt",
        "floating point number" => "float",
        "signed integer or floating point number" => "number",
        "nonnegative integer or floating point number, meaning >=0" => "numberNonnegative",
        "positive integer or floating point number, meaning >0" => "numberPositive",
        "string" => "str",
        "non-empty string" => "nonEmptyStr",
        "(optionally newline-terminated) single-line string" => "singleLineStr",
        "package" => "package",
        "attribute set" => "attrs",
        "anything" => "anything",
        "raw value" => "raw",
        "unspecified value" => "unspecified",
        "submodule" => "submodule",
        "path" => return Some(json!({ "t": "path" })),
        "absolute path" => return Some(path(Some(true), None)),
        "relative path" => return Some(path(Some(false), None)),
        "path in the Nix store" => return Some(path(None, Some(true))),
        "path not in the Nix store" => return Some(path(None, Some(false))),
        "absolute path not in the Nix store" => return Some(path(Some(true), Some(false))),
        text if text.ends_with(" value") && !text.contains(" or ") && !text.contains("secret") => {
            return Some(json!({ "t": "value", "d": text }));
        }
        _ => return None,
    };
    Some(json!({ "t": name }))
}

/// Reads `16 bit unsigned integer; between 0 and 65535 (both inclusive)` and its kin.
fn range(text: &str) -> Option<Value> {
    let (kind, bounds) = text.strip_suffix(" (both inclusive)")?.split_once(" between ")?;
    let (low, high) = bounds.split_once(" and ")?;
    if kind == "integer or floating point number" {
        return Some(
            json!({ "t": "numberBetween", "min": low.parse::<f64>().ok()?, "max": high.parse::<f64>().ok()? }),
        );
    }
    let (low, high) = (low.parse::<i64>().ok()?, high.parse::<i64>().ok()?);
    let named = |sign: &str| {
        let bits = kind.strip_suffix(&format!(" bit {sign} integer;"))?;
        matches!(bits, "8" | "16" | "32").then(|| json!({ "t": format!("{sign}Int{bits}") }))
    };
    if kind == "integer" {
        return Some(json!({ "t": "intBetween", "min": low, "max": high }));
    }
    named("unsigned").or_else(|| named("signed"))
}

/// Returns what stands in parentheses that hold the whole text.
fn unwrapped(text: &str) -> Option<&str> {
    let within = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut closed_early = false;
    let mut depth = 0_i32;
    outside_quotes(within, |byte, _| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        closed_early |= depth < 0;
        true
    });
    (!closed_early && depth == 0).then_some(within)
}

/// Splits at the first ` or ` that stands neither in quotes nor in parentheses.
fn split_or(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    let mut found = None;
    outside_quotes(text, |byte, at| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        // A pattern is no phrase: it takes the rest of the text.
        let rest = text.get(at..).unwrap_or_default();
        if depth == 0 && rest.starts_with("string matching the pattern ") {
            return false;
        }
        if depth == 0 && rest.starts_with(" or ") && !rest.starts_with(" or floating point number") {
            found = Some(at);
            return false;
        }
        true
    });
    let at = found?;
    let first = text.get(..at)?;
    Some((first.strip_suffix(',').unwrap_or(first), text.get(at + 4..)?))
}

/// Visits the bytes outside of quotes until the visitor has seen enough.
fn outside_quotes(text: &str, mut visit: impl FnMut(u8, usize) -> bool) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            byte => {
                if !visit(byte, at) {
                    return;
                }
            }
        }
    }
}

/// Reads the members of an enum; none when there is one that is no literal.
fn members(text: &str) -> Option<Vec<Value>> {
    let mut members = Vec::new();
    let mut start = 0;
    let mut ends = Vec::new();
    outside_quotes(text, |byte, at| {
        if byte == b',' {
            ends.push(at);
        }
        true
    });
    ends.push(text.len());
    for end in ends {
        let member = match text.get(start..end)?.trim() {
            "<null>" | "null" => Value::Null,
            literal => {
                serde_json::from_str(literal).ok().filter(|value: &Value| !value.is_object() && !value.is_array())?
            }
        };
        members.push(member);
        start = end + 1;
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::facts::pack::{TableKind, pack};

    #[test]
    fn a_description_of_a_type_that_is_known_reads_as_that_type() {
        let facts = Facts::embedded();
        for index in facts.option_indexes() {
            let (mut all, mut same) = (0, 0);
            let mut differ = std::collections::BTreeSet::new();
            let mut options = serde_json::Map::new();
            let mut described = Vec::new();
            index.each(&mut |name, option| {
                let text = option.ty().describe();
                options.insert(crate::facts::join_name(name), json!({ "type": read(&text) }));
                described.push((name.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>(), text));
            });
            let source = json!({ "release": index.release.to_string(), "options": options }).to_string();
            let table = pack(TableKind::Options, &[("types-x.json", source.into_bytes())]).unwrap();
            let read_back = crate::facts::options::OptionIndex::open(&table).unwrap();
            for (name, text) in described {
                let loc: Vec<&str> = name.iter().map(String::as_str).collect();
                all += 1;
                match read_back.type_of(&loc).map(crate::facts::Type::describe) {
                    Some(again) if again == text => same += 1,
                    again => drop(differ.insert((text, again))),
                }
            }
            assert!(same * 1000 >= all * 995, "{}: {same} of {all}, {differ:#?}", index.release);
        }
    }

    #[test]
    fn words_that_are_no_known_type_are_kept_and_any_text_is_read() {
        for text in ["goDuration (see there)", "((((", "one of a, b", "\"", "list of", "null or ", "", "é or "] {
            assert!(read(text)["t"].is_string(), "{text}");
        }
        assert_eq!(read("one of \"a or b\", 3, <null>"), json!({ "t": "enum", "v": ["a or b", 3, null] }));
        assert_eq!(
            read("null or (list of (string or signed integer))"),
            json!({ "t": "nullOr", "e": { "t": "listOf", "e": { "t": "either", "e": [{ "t": "str" }, { "t": "int" }] } } })
        );
        assert_eq!(read("string matching the pattern a( or b")["re"], "a( or b");
    }
}
