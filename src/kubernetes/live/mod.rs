//! What a cluster itself answers: which kinds there are, the objects of each, what could not be read, what changed meanwhile.
//!
//! Everything here is text in and values out; who asks, and how long that may take, is `cli`'s. An answer becomes a file of manifests
//! like any other, so that what is read live and what was saved of it are the same input.
//!
//! Invariant: no value of a Secret leaves [`answer`], and no name that Kubernetes would not take.

pub mod answer;
pub mod changes;
pub mod resources;
pub mod said;
pub mod unread;

use super::differences::Difference;
pub use answer::{Answer, answer};
pub use changes::Seen;
pub use resources::{LeftOut, Listed, resources};
pub use said::Said;
pub use unread::{Saved, Unread};

/// How a live read went, as it leaves the program beside the inventory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reading {
    /// The context of kubectl.
    pub context: String,
    /// The version that the server says it is.
    pub server: Option<String>,
    /// How many kinds of objects were asked for.
    pub resources: usize,
    /// The kinds that were not asked for, with why.
    pub left_out: Vec<LeftOut>,
    /// What else there is to say: warnings of the server, nodes that do not tell used bytes.
    pub notes: Vec<String>,
    /// Where the fleet's manifests and the cluster disagree.
    pub differences: Vec<Difference>,
}
