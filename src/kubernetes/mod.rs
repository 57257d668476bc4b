//! Kubernetes manifests: what they say, where each of their fields goes on a host, and what only a person can decide.
//!
//! Here belong: reading YAML and JSON into trees ([`tree`]), objects and how they refer to each other, the ledger that accounts
//! for every leaf, and one translator a kind. The results are definitions of services as a fleet writes them, so that all that
//! follows sees one kind of input. Not here: loading files, running kubectl or helm (`cli`), how the inventory is shown (`report`).
//!
//! Invariant: every leaf of every object has exactly one disposition.

pub mod read;
pub mod scalar;
pub mod tree;
