//! Definitions: what the keys of a fleet's files are, how they are read with their places, and how they merge.
//!
//! [`schema`] holds the types, declared in tables that decoding, the JSON Schema and merging share; [`read()`] makes a [`Fleet`] of
//! files. Not here: what a definition refers to (`resolve`), whether it is wise (`check`).
//!
//! Invariant: a [`Host`] that exists has no input error; every value in it knows where it was written.

pub mod cluster;
pub mod decode;
mod lock;
mod merge;
pub mod pin;
mod read;
pub mod scalar;
pub mod schema;
pub mod shape;
pub mod words;

pub use merge::{IsPrefix, Merged, Shadowed, merge};
pub use read::{Fleet, Host, Module, Reading, read, service_modules};
