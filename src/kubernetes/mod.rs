//! Kubernetes manifests: what they say, where each of their fields goes on a host, and what only a person can decide.
//!
//! Here belong: reading YAML and JSON into trees ([`tree`]), objects and how they refer to each other, the ledger that accounts
//! for every leaf, and one translator a kind. The results are definitions of services as a fleet writes them, so that all that
//! follows sees one kind of input. Not here: loading files, running kubectl or helm (`cli`), how the inventory is shown (`report`).
//!
//! Invariant: every leaf of every object has exactly one disposition.

mod app_template;
mod attribution;
pub mod claims;
mod cluster;
pub mod context;
pub mod differences;
pub mod draft;
mod ending;
mod fields;
pub mod graph;
mod inventory;
pub mod kustomize;
pub mod ledger;
pub mod live;
pub mod load;
pub mod lost;
pub mod metrics;
mod notes;
pub mod object;
pub mod placement;
mod ports;
pub mod reach;
pub mod read;
pub mod restorers;
#[cfg(test)]
pub(crate) mod sample;
pub mod scalar;
pub mod spread;
pub mod timeline;
pub mod translate;
pub mod tree;
pub mod world;
pub mod write;

pub use cluster::cluster_facts;
pub use read::may_hold_secret;
pub use world::World;

pub use inventory::{Inventory, demand, inventory};
