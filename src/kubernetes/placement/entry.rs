//! Where workloads go, as it leaves the program.

use super::{Placed, Room};
use crate::kubernetes::claims::CapacityEntry;
use crate::kubernetes::ledger::Definitions;

/// The workloads on several hosts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlacementEntry {
    /// The hosts, by name.
    pub hosts: Vec<HostEntry>,
    /// The workloads, in the order in which they were read.
    pub workloads: Vec<PlacedEntry>,
}

/// A host of several.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HostEntry {
    /// Its name.
    pub host: String,
    /// Bytes of memory that nobody was promised before; none where nobody says how much it has.
    pub memory: Option<u64>,
    /// Bytes of its pool that nobody was promised before; none where its size is not known.
    pub storage: Option<u64>,
    /// The workloads that go there, by their ids.
    pub workloads: Vec<String>,
    /// What its pool has room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityEntry>,
    /// What is added to it.
    pub definitions: Definitions,
}

impl HostEntry {
    /// Returns a host with what goes there.
    pub fn of(room: &Room, workloads: Vec<String>, capacity: Option<CapacityEntry>, definitions: Definitions) -> Self {
        Self { host: room.name.clone(), memory: room.memory, storage: room.storage, workloads, capacity, definitions }
    }
}

/// Where a workload goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlacedEntry {
    /// The workload: `apps/Deployment/gitea`.
    pub object: String,
    /// The host; none where a question asks for it.
    pub host: Option<String>,
    /// Why, as a sentence without its full stop.
    pub reason: String,
}

impl PlacedEntry {
    /// Returns where a workload goes, as it leaves the program.
    pub fn of(placed: &Placed) -> Self {
        Self { object: placed.id.clone(), host: placed.host.clone(), reason: placed.reason.clone() }
    }
}
