//! Tables of fixed keys: the macro that declares them, and how they are taken apart.

use super::Cx;
use crate::fleet::shape::Shape;
use crate::source::{Diagnostic, Kind, Node, Place, nearest, quoted};

/// Declares a struct that is read from a table with fixed keys.
///
/// `"key" => field: Type` is required unless the type has an absent value (`Option`, `Vec`, maps); `= default` makes the
/// field a [`Setting`]. `later { … }` lists keys of the schema that this version does not compile: they are errors that say so.
/// Every struct also gets `place`, where its table stands.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $([$style:ident])? {
            $(
                $(#[doc = $doc:literal])+
                $key:literal => $field:ident : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
        $(later { $($later:literal),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            /// Where the table stands.
            pub place: $crate::source::Place,
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $crate::fleet::decode::Decode for $name {
            fn shape() -> $crate::fleet::shape::Shape {
                $crate::fleet::shape::Shape::Table($crate::fleet::shape::Table {
                    name: stringify!($name),
                    open: $crate::fleet::decode::is_open!($($style)?),
                    keys: vec![$(
                        $crate::fleet::shape::Key {
                            name: $key,
                            about: concat!($($doc),+).trim(),
                            shape: <$type as $crate::fleet::decode::Decode>::shape(),
                            required: $crate::fleet::decode::is_required!(<$type>, $($default)?),
                            default: $crate::fleet::decode::default_text!($($default)?),
                        }
                    ),*],
                })
            }

            fn decode(node: &$crate::source::Node, cx: &mut $crate::fleet::decode::Cx<'_>) -> Option<Self> {
                let table = $crate::fleet::decode::Fields::open(
                    node, cx, &[$($key),*], &[$($($later),*)?], $crate::fleet::decode::is_open!($($style)?),
                )?;
                let place = node.place;
                $(let $field = $crate::fleet::decode::field!(table, cx, $key, place, $type $(, $default)?);)*
                if !table.complete {
                    return None;
                }
                Some(Self { place, $($field: $field?),* })
            }
        }
    };
}
pub(crate) use table;

macro_rules! is_open {
    () => {
        false
    };
    (open) => {
        true
    };
}
pub(crate) use is_open;

macro_rules! is_required {
    (<$type:ty>, $default:expr) => {
        false
    };
    (<$type:ty>,) => {
        <$type as $crate::fleet::decode::Decode>::absent().is_none()
    };
}
pub(crate) use is_required;

macro_rules! default_text {
    ($default:expr) => {
        Some($crate::fleet::shape::default_of($default))
    };
    () => {
        None
    };
}
pub(crate) use default_text;

macro_rules! field {
    ($table:ident, $cx:ident, $key:literal, $place:ident, $type:ty, $default:expr) => {
        match $table.node($key) {
            Some(node) => $cx.within($key, |cx| <$type as $crate::fleet::decode::Decode>::decode(node, cx)),
            None => Some($crate::fleet::decode::Setting { value: $default, place: $place, written: false }),
        }
    };
    ($table:ident, $cx:ident, $key:literal, $place:ident, $type:ty) => {
        match $table.node($key) {
            Some(node) => $cx.within($key, |cx| <$type as $crate::fleet::decode::Decode>::decode(node, cx)),
            None => {
                let absent = <$type as $crate::fleet::decode::Decode>::absent();
                if absent.is_none() {
                    $crate::fleet::decode::missing(
                        $place,
                        $cx,
                        $key,
                        &<$type as $crate::fleet::decode::Decode>::shape(),
                    );
                }
                absent
            }
        }
    };
}
pub(crate) use field;

/// A table being taken apart by its keys.
#[derive(Debug)]
pub struct Fields<'a> {
    node: &'a Node,
    /// Whether every key was known.
    pub complete: bool,
}

impl<'a> Fields<'a> {
    /// Opens a table and reports the keys that nothing knows.
    pub fn open(node: &'a Node, cx: &mut Cx<'_>, known: &[&str], later: &[&str], open: bool) -> Option<Self> {
        let Kind::Table(table) = &node.kind else {
            let keys = known.iter().take(4).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            return cx.invalid(node, &format!("a table is wanted, with keys such as {keys}"));
        };
        let mut complete = true;
        for (key, entry) in table {
            if open || known.contains(&key.as_str()) {
                continue;
            }
            complete = false;
            let message = format!("{} has no key {}", cx.route(), quoted(key));
            let finding = Diagnostic::error("key-unknown", entry.key, message);
            let finding = if later.contains(&key.as_str()) {
                finding.label("not compiled by this version").help(
                    "the schema has this key, this version cannot compile it: leave it out, or write what it stands for \
                     under `[nixos]`",
                )
            } else {
                match nearest(key, known.iter().copied()).as_slice() {
                    [] => finding.help(format!("the keys are {}", listed(known))),
                    near => finding.help(format!("nearest: {}", listed(near))),
                }
            };
            cx.found.push(finding);
        }
        Some(Self { node, complete })
    }

    /// Returns the value of a key. JSON's null counts as absent.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        let node = &self.node.as_table()?.get(key)?.node;
        (node.kind != Kind::Null).then_some(node)
    }
}

/// Reports a required key that is not there.
pub fn missing(place: Place, cx: &mut Cx<'_>, key: &str, shape: &Shape) {
    let message = format!("{} lacks the key `{key}`", cx.route());
    cx.found.push(Diagnostic::error("key-missing", place, message).help(format!("add `{key}`: {}", shape.wanted())));
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
