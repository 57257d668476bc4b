//! Trees of values that know their place: what a manifest is read into, whether it is YAML or JSON.
//!
//! Unlike [`crate::source::Node`] these borrow from the text, keep a scalar as it was written (Kubernetes and YAML 1.2 disagree on
//! what `0644` is), and number their leaves, because every leaf has to be accounted for.

use std::borrow::Cow;

use super::scalar::{Plain, resolve};

/// A range of bytes in the file of the object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'s> {
    /// What it is.
    pub value: Value<'s>,
    /// Where it stands; of what came through an alias, where the anchor is.
    pub span: Span,
    /// The object that has to account for it, and the number of the leaf among that object's leaves. A tree that was put together
    /// from several objects, by patches, keeps for each leaf whose it is.
    leaf: Leaf,
}

/// Whose leaf, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaf {
    /// The number of the object.
    pub owner: u32,
    /// The number of the leaf among the object's leaves, from 0; of a list or mapping that of its first leaf.
    pub number: u32,
}

/// The kinds of value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'s> {
    /// A scalar without quotes: what it means depends on how it is written.
    Plain(Cow<'s, str>),
    /// A scalar that is a string whatever it looks like: quoted, a block, or tagged as one.
    Text(Cow<'s, str>),
    /// A list.
    Sequence(Vec<Node<'s>>),
    /// A mapping, in the order of the file; each key once.
    Mapping(Vec<Pair<'s>>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair<'s> {
    /// The key, as Kubernetes understands it.
    pub key: Cow<'s, str>,
    /// Where the key stands.
    pub at: Span,
    /// The value.
    pub node: Node<'s>,
}

impl Leaf {
    /// The number of what no object wrote.
    pub const MADE: u32 = u32::MAX;
}

impl<'s> Node<'s> {
    /// Returns a value whose leaves are not numbered yet.
    pub fn new(value: Value<'s>, span: Span) -> Self {
        Self { value, span, leaf: Leaf::default() }
    }

    /// Returns a value that nobody has to account for: it stands for what `like` says, and is shown where that stands.
    pub fn made(value: Value<'s>, like: &Self) -> Self {
        Self { value, span: like.span, leaf: Leaf { owner: like.leaf.owner, number: Leaf::MADE } }
    }

    /// Returns it with another value, for which the same leaf is accounted.
    #[must_use]
    pub fn with(&self, value: Value<'s>) -> Self {
        Self { value, span: self.span, leaf: self.leaf }
    }

    /// Returns it as what another value stands for: whatever is said below is accounted for by the leaf of that one.
    pub fn carried_by<'o>(self, carrier: &Node<'_>) -> Node<'o> {
        let owned = |text: Cow<'s, str>| Cow::Owned(text.into_owned());
        let value = match self.value {
            Value::Plain(text) => Value::Plain(owned(text)),
            Value::Text(text) => Value::Text(owned(text)),
            Value::Sequence(items) => Value::Sequence(items.into_iter().map(|item| item.carried_by(carrier)).collect()),
            Value::Mapping(pairs) => {
                let pairs = pairs.into_iter();
                let pair = |pair: Pair<'s>| Pair {
                    key: owned(pair.key),
                    at: carrier.span,
                    node: pair.node.carried_by(carrier),
                };
                Value::Mapping(pairs.map(pair).collect())
            }
        };
        Node { value, span: carrier.span, leaf: carrier.leaf }
    }

    /// Returns the leaf with a number of an object, looked for from the object's root.
    pub fn find_leaf(&self, wanted: Leaf) -> Option<&Self> {
        if self.is_leaf() {
            return (self.leaf == wanted).then_some(self);
        }
        let below = self.items().iter().chain(self.pairs().iter().map(|pair| &pair.node));
        below.into_iter().find_map(|node| node.find_leaf(wanted))
    }

    /// Numbers all leaves below, from 0, as those of an object, and returns how many there are. A leaf is a scalar, or an empty
    /// mapping or list.
    pub fn number(&mut self, owner: u32) -> u32 {
        self.number_from(Leaf { owner, number: 0 })
    }

    fn number_from(&mut self, first: Leaf) -> u32 {
        self.leaf = first;
        let next = |number: u32| Leaf { number, ..first };
        match &mut self.value {
            Value::Sequence(items) if !items.is_empty() => {
                items.iter_mut().fold(first.number, |number, item| item.number_from(next(number)))
            }
            Value::Mapping(pairs) if !pairs.is_empty() => {
                pairs.iter_mut().fold(first.number, |number, pair| pair.node.number_from(next(number)))
            }
            _ => first.number + 1,
        }
    }

    /// Returns whose leaf it is and which; of a list or mapping its first one.
    pub fn leaf(&self) -> Leaf {
        self.leaf
    }

    /// Tells whether it is a leaf: a scalar, or an empty mapping or list.
    pub fn is_leaf(&self) -> bool {
        match &self.value {
            Value::Plain(_) | Value::Text(_) => true,
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(pairs) => pairs.is_empty(),
        }
    }

    /// Returns the value of a key; none where it is no mapping or lacks the key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.pairs().iter().find(|pair| pair.key == key).map(|pair| &pair.node)
    }

    /// Returns the value below a route of keys.
    pub fn at(&self, route: &[&str]) -> Option<&Self> {
        route.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Returns the elements of a list; nothing for what is none.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Returns the pairs of a mapping; nothing for what is none.
    pub fn pairs(&self) -> &[Pair<'s>] {
        match &self.value {
            Value::Mapping(pairs) => pairs,
            _ => &[],
        }
    }

    /// Returns the elements of a list below a key; nothing where there is none.
    pub fn list(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// Returns the pairs of a mapping below a key; nothing where there is none.
    pub fn map(&self, key: &str) -> &[Pair<'s>] {
        self.get(key).map_or(&[], Self::pairs)
    }

    /// Returns the text of a scalar as it is written, without its quotes.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns what a scalar means to Kubernetes.
    pub fn plain(&self) -> Option<Plain<'_>> {
        match &self.value {
            Value::Plain(text) => Some(resolve(text)),
            Value::Text(text) => Some(Plain::Text(text)),
            _ => None,
        }
    }

    /// Returns the string, where Kubernetes reads one.
    pub fn str(&self) -> Option<&str> {
        match self.plain()? {
            Plain::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the integer, where Kubernetes reads one.
    pub fn int(&self) -> Option<i64> {
        match self.plain()? {
            Plain::Int(int) => i64::try_from(int).ok(),
            _ => None,
        }
    }

    /// Returns the truth value, where Kubernetes reads one.
    pub fn bool(&self) -> Option<bool> {
        match self.plain()? {
            Plain::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Tells whether it is null: Kubernetes treats such a field as if it were not there.
    pub fn is_null(&self) -> bool {
        matches!(self.plain(), Some(Plain::Null))
    }

    /// Returns the string below a key.
    pub fn str_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.str()
    }

    /// Returns the integer below a key.
    pub fn int_at(&self, key: &str) -> Option<i64> {
        self.get(key)?.int()
    }

    /// Returns the truth value below a key.
    pub fn bool_at(&self, key: &str) -> Option<bool> {
        self.get(key)?.bool()
    }

    /// Calls `visit` with the path and value of every leaf, in order.
    pub fn each_leaf(&self, visit: &mut impl FnMut(&str, &Self)) {
        self.each_leaf_below(&mut String::new(), visit);
    }

    fn each_leaf_below(&self, path: &mut String, visit: &mut impl FnMut(&str, &Self)) {
        if self.is_leaf() {
            return visit(path, self);
        }
        let end = path.len();
        for (index, item) in self.items().iter().enumerate() {
            path.push_str(&format!("[{index}]"));
            item.each_leaf_below(path, visit);
            path.truncate(end);
        }
        for pair in self.pairs() {
            push_key(path, &pair.key);
            pair.node.each_leaf_below(path, visit);
            path.truncate(end);
        }
    }

    /// Returns the path of a value below this one; none where it is not below.
    pub fn path_to(&self, wanted: &Self) -> Option<String> {
        let mut path = String::new();
        self.find(wanted, &mut path).then_some(path)
    }

    fn find(&self, wanted: &Self, path: &mut String) -> bool {
        if std::ptr::eq(self, wanted) || self.is_leaf() && wanted.is_leaf() && self.leaf == wanted.leaf {
            return true;
        }
        let end = path.len();
        for (index, item) in self.items().iter().enumerate() {
            path.push_str(&format!("[{index}]"));
            if item.find(wanted, path) {
                return true;
            }
            path.truncate(end);
        }
        for pair in self.pairs() {
            push_key(path, &pair.key);
            if pair.node.find(wanted, path) {
                return true;
            }
            path.truncate(end);
        }
        false
    }
}

/// Adds a key to a path: `spec.replicas`, and `["a.b/c"]` where the key would be read as something else.
pub(super) fn push_key(path: &mut String, key: &str) {
    let plain =
        !key.is_empty() && !key.contains(|c: char| ".[]\"'\\".contains(c) || c.is_whitespace() || c.is_control());
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push_str(&format!("[{}]", serde_json::Value::from(key)));
    }
}
