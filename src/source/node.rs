//! Trees of values that know their place: what TOML and JSON files are read into, and what definitions are merged as.

use indexmap::IndexMap;

use super::Place;

/// NixOS's priority of a plain definition (`lib.modules.defaultOverridePriority`).
pub const NORMAL: u32 = 100;

/// NixOS's order of a plain list definition (`lib.modules.defaultOrderPriority`).
pub const ORDER: u32 = 1000;

/// A value with its place and, once merged, its NixOS priority.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; of a merged table the first place.
    pub place: Place,
    /// NixOS priority: 1500 default, 1000 `mkDefault`, 100 plain, 50 `mkForce`.
    pub priority: u32,
}

/// The kinds of value.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A string.
    Str(String),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A date of TOML, as written.
    Date(String),
    /// JSON's null; TOML has none.
    Null,
    /// Nix source text, from `{ literalExpression = "…" }`.
    Nix(String),
    /// A list.
    List(Vec<Item>),
    /// A table, in the order of the file.
    Table(Table),
}

/// An element of a list, with NixOS's order of its definition (500 `mkBefore`, 1000 plain, 1500 `mkAfter`).
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The element.
    pub node: Node,
    /// The order; elements are kept sorted by it.
    pub order: u32,
}

/// A table, in the order of the file.
pub type Table = IndexMap<String, Entry>;

/// A key's place and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// Returns a plain value.
    pub fn new(kind: Kind, place: Place) -> Self {
        Self { kind, place, priority: NORMAL }
    }

    /// Returns the string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Returns the list, if it is one.
    pub fn as_list(&self) -> Option<&[Item]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the value below a route of keys.
    pub fn at(&self, route: &[&str]) -> Option<&Node> {
        route.iter().try_fold(self, |node, key| Some(&node.as_table()?.get(*key)?.node))
    }

    /// Tells whether it is the same value as another, wherever the two stand. The order of a table's keys does not matter.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Table(a), Kind::Table(b)) => {
                let same = |(key, entry): (&String, &Entry)| {
                    b.get(key).is_some_and(|other| entry.node.says_the_same(&other.node))
                };
                a.len() == b.len() && a.iter().all(same)
            }
            (Kind::List(a), Kind::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.order == b.order && a.node.says_the_same(&b.node))
            }
            (a, b) => a == b,
        }
    }

    /// Returns what it is, in words, with its article ("a list").
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Str(_) => "a string",
            Kind::Int(_) => "an integer",
            Kind::Float(_) => "a number",
            Kind::Bool(_) => "a boolean",
            Kind::Date(_) => "a date",
            Kind::Null => "null",
            Kind::Nix(_) => "a Nix expression",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }
}
