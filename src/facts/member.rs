//! Single values against what a type asks of them: members of enums, names of packages, and types known by their description only.
//!
//! Not here: the walk over a value and its type (`value`).

use super::types::Literal;
use crate::source::{Kind, Node};

/// Tells whether a value is a member of an enum, by Nix's `==`.
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "Nix's == compares numbers the same way")]
pub(super) fn is_member(member: Literal<'_>, value: &Kind) -> bool {
    match (member, value) {
        (Literal::Str(name), Kind::Str(text)) => name == text,
        (Literal::Int(a), Kind::Int(b)) => a == *b,
        (Literal::Int(a), Kind::Float(b)) => a as f64 == *b,
        (Literal::Float(a), Kind::Int(b)) => a == *b as f64,
        (Literal::Float(a), Kind::Float(b)) => a == *b,
        (Literal::Bool(a), Kind::Bool(b)) => a == *b,
        (Literal::Null, Kind::Null) | (Literal::Other, _) => true,
        _ => false,
    }
}

/// Tells whether a string may name a package: an attribute, with dots below another, or a store path.
pub(super) fn may_be_attribute(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-'+.\"/@".contains(&byte))
}

/// Judges a string by the checks of `str` types that nixpkgs writes itself, as far as their descriptions say them.
pub(super) fn passes(check: &str, text: &str) -> bool {
    let blank = || text.chars().all(|c| matches!(c, ' ' | '\t' | '\n'));
    match check {
        "string (with check: non-empty)" => !blank(),
        "string (with check: non-empty without trailing slash)" => !blank() && (text == "/" || !text.ends_with('/')),
        "string (with check: hexadecimal string)" => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "string starting with / or ~/" => text.starts_with('/') || text.starts_with("~/"),
        _ => true,
    }
}

/// Judges a value by the description of a type that nixpkgs defines outside of `lib.types`.
pub(super) fn by_description(description: &str, node: &Node) -> bool {
    match description {
        "string, not containing newlines or colons" => node.as_str().is_some_and(|text| !text.contains([':', '\n'])),
        "absolute path, not containing newlines or colons" => {
            node.as_str().is_some_and(|text| text.starts_with('/') && !text.contains([':', '\n']))
        }
        "sysctl option value" => !matches!(node.kind, Kind::List(_) | Kind::Table(_) | Kind::Float(_)),
        "nonzero signed integer, meaning !=0" => matches!(node.kind, Kind::Int(int) if int != 0),
        "Go duration (https://golang.org/pkg/time/#ParseDuration)" | "string, with spaces inside double quotes" => {
            node.as_str().is_some()
        }
        _ => true,
    }
}
