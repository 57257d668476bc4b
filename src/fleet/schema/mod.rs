//! What the keys of a fleet's files are: one module a part of a host, one a further file.
//!
//! These tables are the reference: `hostwright schema` and docs/schema.md are printed from them.

pub mod access;
pub mod backup;
pub mod deploy;
pub mod disks;
pub mod documents;
pub mod external;
pub mod facts_file;
pub mod fleet_file;
pub mod host;
pub mod interfaces;
pub mod literal;
pub mod machine;
pub mod migration;
pub mod module_file;
pub mod monitoring;
pub mod network;
pub mod probes;
mod reference;
pub mod routes;
pub mod secrets;
mod service_decode;
pub mod service_parts;
pub mod services;
pub mod storage;
pub mod web;
pub mod wireguard;
pub mod workloads;
pub mod zfs;

pub use reference::reference;
