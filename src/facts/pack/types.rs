//! The types of an options table. The layout stands in [`crate::facts::types`].

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::writer::{Put as _, Writer, to_u32};
use crate::facts::bytes::NONE;
use crate::facts::section::WORDS;
use crate::facts::types::{Literal, Shape, Type, tag};

/// Encodes types, each different one once; an element is written before the type that holds it.
#[derive(Debug, Default)]
pub(super) struct Types {
    bytes: Vec<u8>,
    known: BTreeMap<Vec<u8>, u32>,
}

impl Types {
    /// Returns the section.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns the offset of a type.
    pub(super) fn add(&mut self, writer: &mut Writer, source: &Value) -> u32 {
        let name = source["t"].as_str().unwrap_or("unknown");
        let note = source["d"].as_str();
        let mut record = Vec::new();
        let simple = match name {
            "bool" => Some(tag::BOOL),
            "float" => Some(tag::FLOAT),
            "nonEmptyStr" => Some(tag::NON_EMPTY_STR),
            "singleLineStr" => Some(tag::SINGLE_LINE_STR),
            "package" => Some(tag::PACKAGE),
            "attrs" => Some(tag::ATTRS),
            "any" | "anything" => Some(tag::ANYTHING),
            "raw" => Some(tag::RAW),
            "unspecified" => Some(tag::UNSPECIFIED),
            _ => None,
        };
        if let Some(simple) = simple {
            record.push(simple);
        } else if let Some((low, high)) = int_range(name, source) {
            record.push(tag::INT);
            record.extend(low.to_le_bytes());
            record.extend(high.to_le_bytes());
            record.u32(writer.text(name));
        } else if let Some((low, high)) = number_range(name, source) {
            record.push(tag::NUMBER);
            record.extend(low.to_le_bytes());
            record.extend(high.to_le_bytes());
            record.u32(writer.text(name));
        } else {
            self.compound(writer, source, name, note, &mut record);
        }
        self.written(record)
    }

    fn compound(&mut self, writer: &mut Writer, source: &Value, name: &str, note: Option<&str>, record: &mut Vec<u8>) {
        let element = &source["e"];
        let wrapper = match name {
            "nullOr" => Some(tag::NULL_OR),
            "listOf" | "nonEmptyListOf" => Some(tag::LIST_OF),
            "attrsOf" => Some(tag::ATTRS_OF),
            "lazyAttrsOf" => Some(tag::LAZY_ATTRS_OF),
            "loaOf" => Some(tag::LOA_OF),
            "unique" | "uniq" => Some(tag::UNIQUE),
            "functionTo" => Some(tag::FUNCTION_TO),
            _ => None,
        };
        match (name, wrapper) {
            (_, Some(wrapper)) if element.is_object() => {
                let element = self.add(writer, element);
                record.push(wrapper);
                if wrapper == tag::LIST_OF {
                    record.push(u8::from(source["ne"] == true || name == "nonEmptyListOf"));
                }
                record.u32(element);
            }
            ("str", _) => {
                record.push(tag::STR);
                record.u32(writer.maybe(note));
            }
            ("enum", _) => {
                record.push(tag::ENUM);
                let values = source["v"].as_array().map(Vec::as_slice).unwrap_or_default();
                record.u32(to_u32(values.len()));
                for value in values {
                    literal(writer, value, record);
                }
            }
            ("strMatching", _) => {
                record.push(tag::PATTERN);
                record.u32(writer.text(source["re"].as_str().unwrap_or(".*")));
            }
            ("separatedString", _) => {
                record.push(tag::SEPARATED);
                record.u32(writer.text(source["sep"].as_str().unwrap_or_default()));
            }
            ("path", _) => {
                let state = |value: &Value| match value.as_bool() {
                    None => 0,
                    Some(true) => 1,
                    Some(false) => 2,
                };
                // Before 24.11 there was one type `path`, and it was absolute.
                let old = source.get("abs").is_none() && source.get("store").is_none();
                let absolute = if old { 3 } else { state(&source["abs"]) };
                record.extend([tag::PATH, absolute, state(&source["store"])]);
            }
            ("either", _) if element.is_array() => {
                let alternatives: Vec<u32> =
                    element.as_array().into_iter().flatten().map(|alternative| self.add(writer, alternative)).collect();
                record.push(tag::EITHER);
                record.u32(to_u32(alternatives.len()));
                for alternative in alternatives {
                    record.u32(alternative);
                }
            }
            ("coercedTo", _) if element.is_object() => {
                let to = self.add(writer, element);
                let from = source.get("from").map_or(NONE, |from| self.add(writer, from));
                record.push(tag::COERCED);
                record.u32(to).u32(from);
            }
            ("submodule", _) => {
                let free = source.get("free").map_or(NONE, |free| self.add(writer, free));
                record.push(tag::SUBMODULE);
                record.u32(free);
            }
            ("value", _) => {
                record.extend([tag::VALUE, u8::from(source["null"] != false)]);
                record.u32(writer.text(note.unwrap_or("value")));
            }
            ("attrTag", _) if source["tags"].is_object() => {
                let mut tags = Vec::new();
                for (name, member) in source["tags"].as_object().into_iter().flatten() {
                    let member = self.add(writer, member);
                    tags.push((writer.text(name), member));
                }
                record.push(tag::ATTR_TAG);
                record.u32(to_u32(tags.len()));
                for (name, member) in tags {
                    record.u32(name).u32(member);
                }
            }
            _ => {
                record.push(tag::OTHER);
                record.u32(writer.text(note.unwrap_or(name)));
            }
        }
    }
}

impl Types {
    /// Returns the offset of a section's type, made from `attrsOf` and what `sections-REL.json` says of the section.
    pub(super) fn add_section(&mut self, writer: &mut Writer, ty: &Value, section: &Value) -> Result<u32, String> {
        if ty["t"] != "attrsOf" {
            return Err("a section is an attribute set".to_owned());
        }
        let element = self.add(writer, &ty["e"]);
        let mut record = vec![tag::SECTION];
        let checks = section["checks"].as_array().ok_or("a section has `checks`")?;
        record.u32(element).u32(writer.text(section["group"].as_str().ok_or("a section has a `group`")?));
        record.u32(writer.maybe(section["legacy"].as_str())).u32(to_u32(checks.len()));
        for check in checks {
            let word = check["check"].as_str().unwrap_or_default();
            let number =
                WORDS.iter().position(|known| *known == word).ok_or_else(|| format!("no such check: {word}"))?;
            record.push(u8::try_from(number).unwrap_or(u8::MAX));
            record.u32(writer.maybe(check["field"].as_str()));
            record.extend(check["min"].as_f64().unwrap_or(f64::NEG_INFINITY).to_le_bytes());
            record.extend(check["max"].as_f64().unwrap_or(f64::INFINITY).to_le_bytes());
            record.u32(writer.maybe(check["other"].as_str()));
            let values = check["values"].as_array().map(Vec::as_slice).unwrap_or_default();
            record.u32(to_u32(values.len()));
            for value in values {
                literal(writer, value, &mut record);
            }
        }
        Ok(self.written(record))
    }

    /// Returns the offset of an encoded type, which is written once.
    fn written(&mut self, record: Vec<u8>) -> u32 {
        if let Some(at) = self.known.get(&record) {
            return *at;
        }
        let at = to_u32(self.bytes.len());
        self.bytes.extend(&record);
        self.known.insert(record, at);
        at
    }
}

fn literal(writer: &mut Writer, value: &Value, record: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            record.push(tag::STR);
            record.u32(writer.text(text));
        }
        Value::Bool(value) => record.extend([tag::BOOL, u8::from(*value)]),
        Value::Null => record.push(tag::NULL_OR),
        Value::Number(number) => {
            if let Some(int) = number.as_i64() {
                record.push(tag::INT);
                record.extend(int.to_le_bytes());
            } else {
                record.push(tag::FLOAT);
                record.extend(number.as_f64().unwrap_or(f64::NAN).to_le_bytes());
            }
        }
        // A member that is a function, a package or the like: nothing can be told from it.
        Value::Array(_) | Value::Object(_) => record.push(tag::OTHER),
    }
}

fn int_range(name: &str, source: &Value) -> Option<(i64, i64)> {
    Some(match name {
        "int" => (i64::MIN, i64::MAX),
        "unsignedInt" => (0, i64::MAX),
        "positiveInt" => (1, i64::MAX),
        "unsignedInt8" => (0, 255),
        "unsignedInt16" => (0, 65_535),
        "unsignedInt32" => (0, 4_294_967_295),
        "signedInt8" => (-128, 127),
        "signedInt16" => (-32_768, 32_767),
        "signedInt32" => (-2_147_483_648, 2_147_483_647),
        "intBetween" => (source["min"].as_i64()?, source["max"].as_i64()?),
        _ => return None,
    })
}

fn number_range(name: &str, source: &Value) -> Option<(f64, f64)> {
    Some(match name {
        "number" => (f64::NEG_INFINITY, f64::INFINITY),
        "numberNonnegative" => (0.0, f64::INFINITY),
        // Above zero is at least the smallest positive number.
        "numberPositive" => (f64::from_bits(1), f64::INFINITY),
        "numberBetween" => (source["min"].as_f64()?, source["max"].as_f64()?),
        _ => return None,
    })
}

impl Type<'_> {
    /// Returns the type in the form of `types-REL.json`, to be packed into another table.
    pub(super) fn to_json(self) -> Value {
        let element = |name: &str, element: Type<'_>| json!({ "t": name, "e": element.to_json() });
        match self.shape() {
            Shape::Bool => json!({ "t": "bool" }),
            Shape::Int { min, max, name } => json!({ "t": name, "min": min, "max": max }),
            Shape::Number { min, max, name } => json!({ "t": name, "min": min, "max": max }),
            Shape::Float => json!({ "t": "float" }),
            Shape::Str { check: None } => json!({ "t": "str" }),
            Shape::Str { check: Some(check) } => json!({ "t": "str", "d": check }),
            Shape::NonEmptyStr => json!({ "t": "nonEmptyStr" }),
            Shape::SingleLineStr => json!({ "t": "singleLineStr" }),
            Shape::Pattern(pattern) => json!({ "t": "strMatching", "re": pattern }),
            Shape::Separated(separator) => json!({ "t": "separatedString", "sep": separator }),
            Shape::Path { plain: true, .. } => json!({ "t": "path" }),
            Shape::Path { absolute, in_store, .. } => json!({ "t": "path", "abs": absolute, "store": in_store }),
            Shape::Package => json!({ "t": "package" }),
            Shape::Attrs => json!({ "t": "attrs" }),
            Shape::Anything => json!({ "t": "anything" }),
            Shape::Raw => json!({ "t": "raw" }),
            Shape::Unspecified => json!({ "t": "unspecified" }),
            Shape::NullOr(inner) => element("nullOr", inner),
            Shape::ListOf { element, non_empty } => json!({ "t": "listOf", "ne": non_empty, "e": element.to_json() }),
            Shape::AttrsOf { element: inner, lazy: false } | Shape::Section { element: inner, .. } => {
                element("attrsOf", inner)
            }
            Shape::AttrsOf { element: inner, lazy: true } => element("lazyAttrsOf", inner),
            Shape::LoaOf(inner) => element("loaOf", inner),
            Shape::Unique(inner) => element("unique", inner),
            Shape::FunctionTo(inner) => element("functionTo", inner),
            Shape::Either(alternatives) => {
                json!({ "t": "either", "e": alternatives.into_iter().map(Type::to_json).collect::<Vec<_>>() })
            }
            Shape::Coerced { to, from: Some(from) } => {
                json!({ "t": "coercedTo", "e": to.to_json(), "from": from.to_json() })
            }
            Shape::Coerced { to, from: None } => element("coercedTo", to),
            Shape::Submodule { free: Some(free) } => json!({ "t": "submodule", "free": free.to_json() }),
            Shape::Submodule { free: None } => json!({ "t": "submodule" }),
            Shape::Value { text, null } => json!({ "t": "value", "d": text, "null": Value::Bool(null) }),
            Shape::AttrTag(tags) => {
                let tags: Map<String, Value> =
                    tags.into_iter().map(|(name, ty)| (name.to_owned(), ty.to_json())).collect();
                json!({ "t": "attrTag", "tags": tags })
            }
            Shape::Enum(members) => {
                let member = |member: Literal<'_>| match member {
                    Literal::Str(text) => json!(text),
                    Literal::Int(int) => json!(int),
                    Literal::Float(float) => json!(float),
                    Literal::Bool(value) => json!(value),
                    Literal::Null => Value::Null,
                    Literal::Other => json!({}),
                };
                json!({ "t": "enum", "v": members.into_iter().map(member).collect::<Vec<_>>() })
            }
            Shape::Other(text) => json!({ "t": "other", "d": text }),
        }
    }
}
