//! A rehearsal of a host's recovery: the throw-away machine on which it is carried out, and the definition of the host for that machine.
//!
//! The definition is the host's own but for what ties it to its hardware and its place: disks, cards, the way to it, the hooks. The
//! machine reaches nothing but the repositories of its backups, so that nothing that starts on it can act as the host does.
//!
//! Here belongs what follows from a definition; `cli` writes the files and runs the machine.

mod definition;
mod machine;
mod network;
mod repository;

pub use definition::{definition, verify};
pub use machine::{Accelerator, Card, DISKS_FIRST, Drive, Files, MONITOR, Machine, Ports, machine};
pub use network::{Net, Way};

/// Why a host cannot be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What stands in the way.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Refused {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}
