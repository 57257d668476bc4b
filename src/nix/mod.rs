//! Typed Nix: values, the one printer, modules as files; and reading Nix that others wrote.
//!
//! Here belong: everything that turns data into Nix text ([`Value`], [`Attrs`], [`Expr`], [`Module`]), the formatting of
//! every Nix file ([`format()`]), and what is told from the syntax of Nix alone ([`syntax_errors`]). Not here: which options
//! a host needs (`compile`), what options exist (`facts`), what a setting means (`check`). How a string is quoted lies in
//! `text`.
//!
//! Invariants: what is printed parses, evaluates to the value that was given, and is formatted as RFC 166 asks; no value
//! can end its position in the file; no text, however deeply nested, overflows the stack.

mod around;
mod attrs;
mod expr;
mod foreign;
mod module;
mod nesting;
mod print;
mod read;
#[cfg(test)]
mod round_trip;
mod value;

pub use crate::text::{NixFloat, NixFloatError, NixString, NulInNix};
pub use around::{Around, Enclosing, around, bindings_of, element_of, token_within};
pub use attrs::Attrs;
pub use expr::Expr;
pub use foreign::{COMPUTED, Form, Mention, ModuleText, read_module};
pub use module::Module;
pub use print::format;
pub use read::{MAX_NESTING, NixSyntaxError, cast, node, parse, syntax_errors};
pub use value::{NixPath, NixPathError, Value};
