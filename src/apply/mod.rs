//! Carrying a plan out: the journal, the locks, the way to the machines, and the loop over the steps.
//!
//! Here belongs everything that acts: processes are started, files of state/HOST are written, clocks are read. What is decided is
//! decided by pure functions (`replay`, `settle`, `bounds`), so that it can be tested without a machine. Not here: what a plan
//! holds (`plan`), how progress and results are shown (`report::apply`), what a person types and sees (`cli`).
//!
//! Invariant: nothing runs that the journal does not announce first, each record is on the disk before what it announces happens,
//! and a line of a destructive step is never started twice.
#![cfg_attr(not(unix), allow(dead_code, reason = "apply works from Unix"))]

mod aftermath;
mod bounds;
mod complaint;
mod executor;
mod frames;
mod front;
mod journal;
mod lines;
mod local;
mod lock;
mod logs;
mod outcome;
mod output;
mod questions;
mod record;
mod replay;
mod run;
mod secrets;
mod settle;
mod soak;
mod sockets;
mod ssh;
mod state;
mod status;
mod target_lock;
#[cfg(test)]
mod tests;
mod transport;
mod verdict;

pub use front::{Ask, Front, Said};
pub(crate) use journal::private_folder;
pub use outcome::{Awaited, Ending, Failed, Refused};
pub use run::{Options, Stop, run};
pub use status::{Row, Standing, Status, log, standing, status, unknown_step};
pub use verdict::{Asked, Away, Boot, Judged, Outcome, Summary, Verdict};
