//! Tables whose keys depend on their kind: keys of other kinds, and keys that a kind wants.

use std::fmt::Display;

use super::{Cx, Decode, missing};
use crate::source::{Diagnostic, Node, Place};

/// The keys that not every kind has, with the kinds that do.
pub(crate) type OfKinds<K> = [(&'static str, &'static [K])];

/// Reports the keys that `what` of this kind does not have; tells whether there were any.
pub(crate) fn foreign_keys<K: Copy + PartialEq + Display>(
    node: &Node,
    kind: K,
    of_kinds: &OfKinds<K>,
    what: &str,
    cx: &mut Cx<'_>,
) -> bool {
    let mut any = false;
    for (key, kinds) in of_kinds.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        let Some(entry) = node.as_table().and_then(|table| table.get(*key)) else { continue };
        any = true;
        let kinds = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
        let message = format!("{} has no key `{key}`: its kind is `{kind}`", cx.route());
        cx.found.push(
            Diagnostic::error("key-unknown", entry.key, message)
                .label(format!("a key of {kinds}"))
                .help(format!("leave it out, or give the {what} the kind that you mean with `kind`")),
        );
    }
    any
}

/// Reports that a table lacks a key which its kind wants.
pub(crate) fn lacks<T: Decode>(key: &str, place: Place, cx: &mut Cx<'_>) {
    if let Some(shape) = T::shape().at(key) {
        missing(place, cx, key, shape);
    }
}
