//! A first host.toml for a machine, from its facts.
//!
//! Here belong: which disks may be used, the layout that suits them and the firmware, and the text. Not here: reading and writing
//! files (`cli`), what a definition may hold (`fleet`), whether it is sound (`check`).
//!
//! Invariant: a disk is used only where the facts say that it is blank; what the facts do not say is left to a line with EDIT.

mod layout;
mod machine;
#[cfg(test)]
mod tests;
mod text;

pub use layout::{Filesystem, Unusable};
pub use machine::Machine;
pub use text::{Wishes, host_toml};
