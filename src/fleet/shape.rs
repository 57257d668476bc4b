//! The shape of a file as data: what the JSON Schema, the reference page and merging are made from.

use serde_json::{Map, Value, json};

use super::decode::Word;

/// What is accepted at one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// One string, number or truth value.
    Scalar(Scalar),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A list.
    List(Box<Shape>),
    /// A table of free names.
    Map {
        /// Regular expression of the names.
        pattern: &'static str,
        /// What each name holds.
        of: Box<Shape>,
    },
    /// A table of fixed keys.
    Table(Table),
    /// One of several.
    OneOf(Vec<Shape>),
    /// Anything; somebody else knows its type.
    Any,
}

/// What a value of a file may be beyond its own type, for the JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing else.
    Plain,
    /// Written in NixOS's terms too (`{ mkDefault = … }`).
    Definition,
    /// Null, where it is not required.
    Facts,
}

/// The form of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its short name in the reference ("size").
    pub form: &'static str,
    /// Its JSON type.
    pub json: &'static str,
    /// A regular expression that it matches.
    pub pattern: Option<&'static str>,
    /// What to write, for messages.
    pub wanted: &'static str,
}

/// A table of fixed keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The name of its type.
    pub name: &'static str,
    /// Whether unknown keys are ignored.
    pub open: bool,
    /// The keys, in the order of the reference.
    pub keys: Vec<Key>,
}

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it is when it is not there.
    pub default: Option<Value>,
}

impl Shape {
    /// Returns what to write, in words.
    pub fn wanted(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.wanted.to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or "),
            Self::List(_) => "a list".to_owned(),
            Self::Map { .. } | Self::Table(_) => "a table".to_owned(),
            Self::OneOf(shapes) => shapes.iter().map(Self::wanted).collect::<Vec<_>>().join(", or "),
            Self::Any => "a value".to_owned(),
        }
    }

    /// Returns what stands at a route below this shape; `Any` and scalars hold nothing.
    pub fn at(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(table) => table.keys.iter().find(|known| known.name == key).map(|known| &known.shape),
            Self::Map { of, .. } => Some(of),
            Self::OneOf(shapes) => shapes.iter().find_map(|shape| shape.at(key)),
            Self::Any => Some(self),
            Self::Scalar(_) | Self::Choice(_) | Self::List(_) => None,
        }
    }

    /// Returns a JSON Schema (draft 2020-12) for a whole file.
    ///
    /// `form` says what a value may be beyond its own type.
    pub fn json_schema(&self, title: &str, form: Form) -> Value {
        let mut defs = Map::new();
        let root = self.schema(&mut defs, form);
        if form == Form::Definition {
            defs.insert("nixos-terms".to_owned(), nixos_terms());
        }
        let mut document = Map::new();
        document.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        document.insert("title".to_owned(), json!(title));
        document.insert("$ref".to_owned(), root.get("$ref").cloned().unwrap_or(Value::Null));
        document.insert("$defs".to_owned(), Value::Object(defs));
        Value::Object(document)
    }

    fn schema(&self, defs: &mut Map<String, Value>, form: Form) -> Value {
        let own = match self {
            Self::Scalar(scalar) => match scalar.pattern {
                Some(pattern) => json!({ "type": scalar.json, "pattern": pattern }),
                None => json!({ "type": scalar.json }),
            },
            Self::Choice(words) => json!({ "enum": words }),
            Self::List(of) => json!({ "type": "array", "items": of.schema(defs, form) }),
            Self::Map { pattern, of } => {
                let of = of.schema(defs, form);
                json!({ "type": "object", "patternProperties": { *pattern: of }, "additionalProperties": false })
            }
            Self::OneOf(shapes) => {
                json!({ "anyOf": shapes.iter().map(|shape| shape.schema(defs, form)).collect::<Vec<_>>() })
            }
            Self::Any => return json!(true),
            Self::Table(table) => return table.schema(defs, form),
        };
        if form == Form::Definition { json!({ "anyOf": [own, { "$ref": "#/$defs/nixos-terms" }] }) } else { own }
    }
}

impl Table {
    fn schema(&self, defs: &mut Map<String, Value>, form: Form) -> Value {
        let reference = json!({ "$ref": format!("#/$defs/{}", self.name) });
        if defs.contains_key(self.name) {
            return reference;
        }
        defs.insert(self.name.to_owned(), Value::Null);
        let mut properties = Map::new();
        for key in &self.keys {
            let own = key.shape.schema(defs, form);
            let own =
                if form == Form::Facts && !key.required { json!({ "anyOf": [own, { "type": "null" }] }) } else { own };
            let mut schema = match own {
                Value::Object(schema) => schema,
                _ => Map::new(),
            };
            schema.insert("description".to_owned(), json!(key.about));
            if let Some(default) = &key.default {
                schema.insert("default".to_owned(), default.clone());
            }
            properties.insert(key.name.to_owned(), Value::Object(schema));
        }
        let required: Vec<&str> = self.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": self.open,
        });
        defs.insert(self.name.to_owned(), schema);
        reference
    }
}

fn nixos_terms() -> Value {
    let one = |name: &str, of: Value| json!({ "type": "object", "properties": { name: of }, "required": [name], "additionalProperties": false });
    let overriding = json!({
        "type": "object",
        "properties": { "priority": { "type": "integer" }, "value": true },
        "required": ["priority", "value"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [
        one("mkDefault", json!(true)),
        one("mkForce", json!(true)),
        one("mkOverride", overriding),
        one("mkBefore", json!({ "type": "array" })),
        one("mkAfter", json!({ "type": "array" })),
    ] })
}

/// A default value that can be shown in a schema.
pub trait Shown {
    /// Returns the value as JSON.
    fn shown(self) -> Value;
}

impl Shown for bool {
    fn shown(self) -> Value {
        json!(self)
    }
}

impl Shown for u16 {
    fn shown(self) -> Value {
        json!(self)
    }
}

impl Shown for u32 {
    fn shown(self) -> Value {
        json!(self)
    }
}

impl<T: Word> Shown for T {
    fn shown(self) -> Value {
        json!(self.word())
    }
}

impl Shown for String {
    fn shown(self) -> Value {
        json!(self)
    }
}

impl Shown for crate::units::TimeSpan {
    fn shown(self) -> Value {
        json!(self.to_string())
    }
}

impl Shown for super::scalar::AbsPath {
    fn shown(self) -> Value {
        json!(self.to_string())
    }
}

impl Shown for super::schema::web::Tls {
    fn shown(self) -> Value {
        json!(self.to_string())
    }
}

impl Shown for super::schema::monitoring::Exporter {
    fn shown(self) -> Value {
        json!(self != Self::Off)
    }
}

/// Returns a default value as JSON.
pub fn default_of(value: impl Shown) -> Value {
    value.shown()
}
