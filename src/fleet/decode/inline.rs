//! Secrets that stand in a definition: what has the form of a private key or of a password's hash is never taken in.
//!
//! No message repeats any part of one.

use super::Cx;
use crate::source::{Diagnostic, Kind, Node, Place, secret};

/// Reports a text that is a secret; tells whether it is one.
pub(crate) fn report(text: &str, place: Place, cx: &mut Cx<'_>) -> bool {
    let Some(what) = secret::find(text) else { return false };
    cx.found.push(finding(&cx.route(), what.as_str(), place));
    true
}

/// Returns the finding about a secret at a place.
pub(crate) fn finding(route: &str, what: &str, place: Place) -> Diagnostic {
    Diagnostic::error("secret-inline", place, format!("{route} holds {what}"))
        .label("a secret in a definition")
        .why("it would land in the store of every machine that builds or runs the host, where every account and program reads it; it is in the version control by now")
        .help("make a new one: this one is known to everybody who has the definition")
        .help("`[secrets.items.NAME]` in the definition, NAME where the key wants a secret, and the value in a file on the host only")
}

/// Reports every secret at or below a value; tells whether there were any.
pub(crate) fn below(node: &Node, cx: &mut Cx<'_>) -> bool {
    let mut any = false;
    match &node.kind {
        Kind::Str(text) | Kind::Nix(text) => any = report(text, node.place, cx),
        Kind::List(items) => {
            for item in items {
                any |= below(&item.node, cx);
            }
        }
        Kind::Table(table) => {
            for (name, entry) in table {
                any |= report(name, entry.key, cx);
                any |= cx.within(name, |cx| below(&entry.node, cx));
            }
        }
        Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) | Kind::Date(_) | Kind::Null => {}
    }
    any
}
