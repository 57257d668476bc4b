//! What Nix says of compiled hosts, led back to the definitions.
//!
//! Here belong: the questions that Nix is asked ([`Subject`]), how its answers are read, where in a definition an error, a
//! failed assertion or a warning comes from, and how an evaluation goes on behind an error ([`Evaluation`]): the setting is
//! left out of the compiled files, by blanks that keep every line and column, and Nix is asked again. Not here: starting Nix, and
//! files (`cli`); which findings are one with those of the rules (`check`).
//!
//! Invariants: nothing here trusts what Nix prints, which a definition can make up: it is text for messages and names to look
//! up, and each finding stands at a place of the fleet's files.

mod blame;
mod evaluation;
mod expression;
mod limits;
mod origins;
mod phrase;
mod said;
#[cfg(test)]
mod tests;
mod words;

pub use evaluation::{End, Evaluation, Heard, Next};
pub use expression::{Question, Subject, fetch};
pub use limits::{Limits, jobs};
pub use origins::Cut;
