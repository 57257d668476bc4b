//! What a machine says of itself: the script that asks it, and its answer as facts.
//!
//! Here belong: the read-only script, the reading of what it prints, what that makes of disks, interfaces, pools and the running
//! system, and whether two sets of facts are of one machine. Not here: running the script or writing files (`cli`), what the facts
//! mean for a definition (`check`).
//!
//! Invariant: the same output and the same time give the same facts, byte for byte; what a machine did not say is absent from
//! them, never a guess.

mod blocks;
mod compare;
mod interfaces;
mod machine;
mod nixos;
mod pci;
mod pools;
mod sections;
mod seen;

pub use compare::other_machine;
pub use sections::{Sections, read};
pub use seen::{Seen, see};

/// The read-only script that a machine is asked with, for any POSIX shell.
pub const SCRIPT: &str = include_str!("script.sh");
