//! Trees that are put together of parts of others.

use std::borrow::Cow;

use crate::kubernetes::scalar::Plain;
use crate::kubernetes::tree::{Node, Pair, Value};

/// A mapping in the making.
pub(super) struct Map<'n, 's> {
    like: &'n Node<'s>,
    pairs: Vec<Pair<'s>>,
}

impl<'n, 's> Map<'n, 's> {
    /// Begins a mapping that stands for what `like` says.
    pub(super) fn new(like: &'n Node<'s>) -> Self {
        Self { like, pairs: Vec::new() }
    }

    /// Adds a value; one that is there stays.
    pub(super) fn node(mut self, key: impl Into<Cow<'s, str>>, node: Node<'s>) -> Self {
        let key = key.into();
        if !self.pairs.iter().any(|pair| pair.key == key) {
            self.pairs.push(Pair { key, at: node.span, node });
        }
        self
    }

    /// Adds a value, where there is one.
    pub(super) fn some(self, key: impl Into<Cow<'s, str>>, node: Option<Node<'s>>) -> Self {
        match node {
            Some(node) => self.node(key, node),
            None => self,
        }
    }

    /// Adds a text that nobody wrote.
    pub(super) fn text(self, key: impl Into<Cow<'s, str>>, text: &str) -> Self {
        let node = text_like(self.like, text);
        self.node(key, node)
    }

    /// Adds a list, unless it is empty.
    pub(super) fn list(self, key: impl Into<Cow<'s, str>>, items: Vec<Node<'s>>) -> Self {
        if items.is_empty() {
            return self;
        }
        let node = Node::made(Value::Sequence(items), self.like);
        self.node(key, node)
    }

    /// Adds a mapping, unless it is empty.
    pub(super) fn map(self, key: impl Into<Cow<'s, str>>, map: Self) -> Self {
        if map.pairs.is_empty() { self } else { self.node(key, map.end()) }
    }

    /// Tells whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Ends the mapping.
    pub(super) fn end(self) -> Node<'s> {
        Node::made(Value::Mapping(self.pairs), self.like)
    }
}

/// Returns a text that nobody wrote.
pub(super) fn text_like<'s>(like: &Node<'s>, text: &str) -> Node<'s> {
    Node::made(Value::Text(text.to_owned().into()), like)
}

/// Returns a text in place of a value, whose leaf is accounted for by it.
pub(super) fn instead<'s>(node: &Node<'s>, text: String) -> Node<'s> {
    node.with(Value::Text(text.into()))
}

/// Returns a scalar as helm's `quote` writes it: numbers and truth values as Go prints them.
pub(super) fn quoted<'s>(node: &Node<'s>) -> Node<'s> {
    let text = match (&node.value, node.plain()) {
        (Value::Plain(_), Some(Plain::Bool(value))) => value.to_string(),
        (Value::Plain(_), Some(Plain::Int(value))) => value.to_string(),
        (Value::Plain(text), Some(Plain::Float(_) | Plain::Text(_))) => return node.with(Value::Text(text.clone())),
        (Value::Plain(_), Some(Plain::Null)) => String::new(),
        _ => return node.clone(),
    };
    instead(node, text)
}

/// Returns a list of what is one, or of one word.
pub(super) fn list_of<'s>(node: &Node<'s>) -> Node<'s> {
    match &node.value {
        Value::Sequence(_) => node.clone(),
        _ => Node::made(Value::Sequence(vec![node.clone()]), node),
    }
}

/// Replaces each `{{ expression }}` that `value` knows; others stay.
pub(super) fn fill<'t>(text: &'t str, value: &dyn Fn(&str) -> Option<String>) -> Cow<'t, str> {
    if !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let (mut filled, mut rest, mut changed) = (String::with_capacity(text.len()), text, false);
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((inside, after)) = behind.split_once("}}") else {
            filled.push_str("{{");
            rest = behind;
            continue;
        };
        let expression = inside.trim_start_matches('-').trim_end_matches('-').trim();
        match value(expression) {
            Some(value) => {
                filled.push_str(&value);
                changed = true;
            }
            None => {
                filled.push_str("{{");
                filled.push_str(inside);
                filled.push_str("}}");
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    if changed { Cow::Owned(filled) } else { Cow::Borrowed(text) }
}
