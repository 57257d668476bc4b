//! From trees of values to types: every error of a file in one run, each at its place.
//!
//! A type says once, in a [`table!`] or [`choice!`], what its keys are; decoding, the JSON Schema, the reference page and the
//! merging of definitions all come from that. Not here: what the keys are (the modules beside this one).

pub(crate) mod inline;
mod kinds;
mod table;

use std::net::IpAddr;

use indexmap::IndexMap;

pub(crate) use kinds::{OfKinds, foreign_keys, lacks};
pub use table::{Fields, missing};
pub(crate) use table::{default_text, field, is_open, is_required, table};

use super::shape::{Scalar, Shape};
use crate::source::{Diagnostic, Diagnostics, Kind, Node, Place, Spanned, nearest, quoted};
use crate::units::{Cidr, Mac, OnCalendar, Release, Size, SocketAddress, TimeSpan, Version};

/// What decoding carries along: the findings and the route of keys to the value at hand.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Where findings go.
    pub found: &'a mut Diagnostics,
    route: Vec<String>,
}

impl<'a> Cx<'a> {
    /// Returns a context at the root of a file.
    pub fn new(found: &'a mut Diagnostics) -> Self {
        Self { found, route: Vec::new() }
    }

    /// Decodes something below a key.
    pub fn within<T>(&mut self, key: &str, decode: impl FnOnce(&mut Self) -> T) -> T {
        self.route.push(key.to_owned());
        let value = decode(self);
        self.route.pop();
        value
    }

    /// Returns the route to the value at hand, for messages.
    pub fn route(&self) -> String {
        if self.route.is_empty() { "the file".to_owned() } else { quoted(&self.route.join(".")) }
    }

    /// Reports a value that has not the wanted form, and returns nothing.
    pub fn invalid<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        let message = format!("{} is {}, which cannot stand here", self.route(), node.describe());
        self.found.push(Diagnostic::error("value-invalid", node.place, message).help(wanted));
        None
    }

    /// Reports a value of the right kind that is not right, and returns nothing.
    pub fn refused<T>(&mut self, place: Place, value: &str, wanted: &str) -> Option<T> {
        let message = format!("{} cannot be {}", self.route(), quoted(value));
        self.found.push(Diagnostic::error("value-invalid", place, message).help(wanted));
        None
    }
}

/// A type that can be read from a tree of values.
pub trait Decode: Sized {
    /// Returns the shape of what is accepted.
    fn shape() -> Shape;

    /// Reads a value; on an error reports it and returns nothing.
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self>;

    /// Returns the value of a key that is not there; nothing where the key is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value with a default: knows whether somebody wrote it, since derived values compile at a lower priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it stands; of a default the place of the table that lacks the key.
    pub place: Place,
    /// Whether it stands in a file.
    pub written: bool,
}

impl<T> std::ops::Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Decode> Decode for Setting<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        Some(Self { value: T::decode(node, cx)?, place: node.place, written: true })
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        Some(Self::new(T::decode(node, cx)?, node.place))
    }
}

impl<T: Decode> Decode for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        T::decode(node, cx).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Kind::List(items) = &node.kind else { return cx.invalid(node, "a list is wanted: `[ … ]`") };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            // No number in the route: after merging it would be none that stands in a file.
            values.push(T::decode(&item.node, cx));
        }
        values.into_iter().collect()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// A table of free names, in the order of the file.
pub type Map<T> = IndexMap<String, Keyed<T>>;

/// A value and the place of its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed<T> {
    /// Where the name stands.
    pub key: Place,
    /// The value.
    pub value: T,
}

impl<T> std::ops::Deref for Keyed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What the names of a [`Map`] may be, by the type of its values.
pub trait MapKey {
    /// Checks a name; the error says what form is wanted.
    fn check(name: &str) -> Result<(), String>;
    /// Returns the regular expression of the names, for the JSON Schema.
    fn pattern() -> &'static str;
}

/// Reads a table of free names whose form `K` fixes.
pub fn decode_map<K: MapKey, T: Decode>(node: &Node, cx: &mut Cx<'_>) -> Option<Map<T>> {
    let Kind::Table(table) = &node.kind else { return cx.invalid(node, "a table of names is wanted") };
    let mut complete = true;
    let mut map = Map::with_capacity(table.len());
    for (name, entry) in table {
        if let Err(wanted) = K::check(name) {
            let message = format!("{} has the name {}", cx.route(), quoted(name));
            cx.found.push(Diagnostic::error("name-invalid", entry.key, message).help(wanted));
            complete = false;
        }
        match cx.within(name, |cx| T::decode(&entry.node, cx)) {
            Some(value) => {
                map.insert(name.clone(), Keyed { key: entry.key, value });
            }
            None => complete = false,
        }
    }
    complete.then_some(map)
}

/// A [`Map`] with a stated form of names.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<K, T> {
    /// The entries.
    pub map: Map<T>,
    key: std::marker::PhantomData<K>,
}

impl<K, T> std::ops::Deref for Named<K, T> {
    type Target = Map<T>;

    fn deref(&self) -> &Map<T> {
        &self.map
    }
}

impl<K, T> std::ops::DerefMut for Named<K, T> {
    fn deref_mut(&mut self) -> &mut Map<T> {
        &mut self.map
    }
}

impl<K, T> Default for Named<K, T> {
    fn default() -> Self {
        Self { map: Map::new(), key: std::marker::PhantomData }
    }
}

impl<K: MapKey, T: Decode> Decode for Named<K, T> {
    fn shape() -> Shape {
        Shape::Map { pattern: K::pattern(), of: Box::new(T::shape()) }
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        Some(Self { map: decode_map::<K, T>(node, cx)?, key: std::marker::PhantomData })
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// Any value, kept as it is: NixOS options, whose types the option index knows.
impl Decode for Node {
    fn shape() -> Shape {
        Shape::Any
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if inline::below(node, cx) { None } else { Some(node.clone()) }
    }
}

impl Decode for bool {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "bool", json: "boolean", pattern: None, wanted: "`true` or `false`" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => cx.invalid(node, "`true` or `false` is wanted, without quotes"),
        }
    }
}

/// Reads a whole number between two bounds.
pub fn decode_integer(node: &Node, cx: &mut Cx<'_>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let wanted = format!("a whole number from {} to {} is wanted", range.start(), range.end());
    match node.kind {
        Kind::Int(value) if range.contains(&value) => Some(value),
        Kind::Int(value) => cx.refused(node.place, &value.to_string(), &wanted),
        _ => cx.invalid(node, &wanted),
    }
}

macro_rules! integer {
    ($($type:ty, $form:literal, $range:expr;)*) => {$(
        impl Decode for $type {
            fn shape() -> Shape {
                Shape::Scalar(Scalar { form: $form, json: "integer", pattern: None, wanted: "a whole number" })
            }

            fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
                decode_integer(node, cx, $range).and_then(|value| value.try_into().ok())
            }
        }
    )*};
}

integer! {
    u16, "port", 1..=65_535;
    u32, "int", 0..=2_147_483_647;
    u64, "int", 0..=i64::MAX;
    i64, "int", i64::MIN..=i64::MAX;
}

impl Decode for String {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "str", json: "string", pattern: None, wanted: "text" })
    }

    /// Reads one line of text. Control characters are refused: none of the places a definition's text goes to needs them.
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Kind::Str(text) = &node.kind else { return cx.invalid(node, "a string is wanted, in quotes") };
        if inline::report(text, node.place, cx) {
            return None;
        }
        match text.chars().find(|c| c.is_control()) {
            Some(_) => cx.refused(node.place, text, "one line of text without control characters is wanted"),
            None => Some(text.clone()),
        }
    }
}

/// Implements [`Decode`] for types that are read from one string by `FromStr`.
macro_rules! from_string {
    ($($type:ty, $form:literal, $pattern:expr, $wanted:literal;)*) => {$(
        impl $crate::fleet::decode::Decode for $type {
            fn shape() -> $crate::fleet::shape::Shape {
                $crate::fleet::shape::Shape::Scalar($crate::fleet::shape::Scalar {
                    form: $form,
                    json: "string",
                    pattern: $pattern,
                    wanted: $wanted,
                })
            }

            fn decode(
                node: &$crate::source::Node,
                cx: &mut $crate::fleet::decode::Cx<'_>,
            ) -> Option<Self> {
                let Some(text) = node.as_str() else { return cx.invalid(node, $wanted) };
                if $crate::fleet::decode::inline::report(text, node.place, cx) {
                    return None;
                }
                match text.parse::<$type>() {
                    Ok(value) => Some(value),
                    Err(wanted) => cx.refused(node.place, text, &wanted.to_string()),
                }
            }
        }
    )*};
}
pub(crate) use from_string;

from_string! {
    Size, "size", Some("^[0-9]+(\\.[0-9]+)? ?(B|kB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|PiB)$"), "a size with its unit, in quotes: `\"16GiB\"`, `\"2TB\"`";
    TimeSpan, "dur", Some("^([0-9]+ ?(s|sec|m|min|h|hr|d|day|days|w|week|weeks) ?)+$"), "a time span, in quotes: `\"90s\"`, `\"10min\"`, `\"7d\"`";
    Release, "release", Some("^[0-9]{2}\\.[0-9]{2}(pre)?$"), "a release, in quotes: `\"26.05\"` or `\"26.11pre\"`";
    Version, "version", Some("^[0-9]+(\\.[0-9]+){0,3}"), "a version, in quotes: `\"2.3\"`";
    Cidr, "cidr", None, "an address with its prefix length, in quotes: `\"192.0.2.10/24\"`";
    Mac, "mac", Some("^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"), "a hardware address, in quotes: `\"a8:a1:59:0f:2d:69\"`";
    OnCalendar, "OnCalendar", None, "a calendar event, in quotes: `\"daily\"`, `\"Sun 03:00\"`";
    SocketAddress, "host:port", None, "a host and a port, in quotes: `\"192.0.2.1:443\"`";
}

impl Decode for IpAddr {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "ip", json: "string", pattern: None, wanted: "an IP address" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "an IP address without prefix length, in quotes: `\"192.0.2.1\"`, `\"2001:db8::1\"`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        text.parse().ok().or_else(|| cx.refused(node.place, text, wanted))
    }
}

/// What a value of a closed list of words prints as.
pub trait Word: Copy {
    /// Returns the word in definitions.
    fn word(self) -> &'static str;
}

/// Declares an enum that is written as one of a few words.
macro_rules! choice {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$vmeta])* $variant),* }

        impl $crate::fleet::decode::Word for $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::fleet::decode::Word::word(*self))
            }
        }

        impl $crate::fleet::decode::Decode for $name {
            fn shape() -> $crate::fleet::shape::Shape {
                $crate::fleet::shape::Shape::Choice(&[$($word),*])
            }

            fn decode(node: &$crate::source::Node, cx: &mut $crate::fleet::decode::Cx<'_>) -> Option<Self> {
                match node.as_str() {
                    $(Some($word) => Some(Self::$variant),)*
                    _ => $crate::fleet::decode::not_a_choice(node, cx, &[$($word),*]),
                }
            }
        }
    };
}
pub(crate) use choice;

/// Reports a word that is none of the allowed ones.
pub fn not_a_choice<T>(node: &Node, cx: &mut Cx<'_>, words: &[&str]) -> Option<T> {
    let all = words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
    let Some(text) = node.as_str() else { return cx.invalid(node, &format!("one of {all} is wanted")) };
    match nearest(text, words.iter().copied()).first() {
        Some(near) => cx.refused(node.place, text, &format!("one of {all} is wanted; nearest: `\"{near}\"`")),
        None => cx.refused(node.place, text, &format!("one of {all} is wanted")),
    }
}
