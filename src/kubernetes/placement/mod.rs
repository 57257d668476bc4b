//! Which of several hosts each workload goes to, and why.
//!
//! What must be together is a group: workloads that share a claim or a folder of a node, and a database of the host with its clients.
//! What the definitions or an answer say stays as it is; the groups that are left are taken one by one, first those that are
//! bound to hardware, then the largest, each to a host that may
//! have it and has room for it, where most of those are that it speaks with, and of those to the one that it fills best. Not here: what
//! workloads ask for ([`demand`]), what hosts have (`cli`), and how services find each other across hosts (`graph`).
//!
//! Invariant: what is placed depends neither on the order of the workloads nor on that of the hosts, and what was placed before never
//! moves.

mod choose;
mod demand;
mod entry;
mod group;
mod phrase;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(in crate::kubernetes) use demand::{demand, pod_of};
pub use entry::{HostEntry, PlacedEntry, PlacementEntry};

use self::choose::Rooms;
use self::group::groups;

/// What workloads ask for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The workloads, in the order in which they were read.
    pub loads: Vec<Load>,
    /// What must be on one host.
    pub ties: Vec<Tie>,
    /// What had better be on one host.
    pub talks: Vec<Talk>,
}

/// What a workload asks for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Load {
    /// The workload: `apps/Deployment/gitea`.
    pub id: String,
    /// Bytes of memory that it takes; none where nothing says so.
    pub memory: Option<u64>,
    /// Bytes that its claims may come to hold.
    pub storage: u64,
    /// Thousandths of a processor that it asks for.
    pub cpu: u64,
    /// The host that a person chose.
    pub chosen: Option<Chosen>,
    /// What it needs of a machine.
    pub pins: Vec<Pin>,
    /// Nodes that hold its data.
    pub near: BTreeSet<String>,
    /// What the network gets from it.
    pub gives: BTreeSet<Gift>,
}

/// The host that a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The host.
    pub host: String,
    /// Whether its definitions have the service already; else an answer says so.
    pub defined: bool,
}

/// What a workload needs of a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pin {
    /// It runs on one of these nodes alone.
    Nodes(Vec<String>),
    /// It runs on machines of these kinds alone: `amd64`, `arm64`.
    Machines(Vec<String>),
    /// It needs a device or a property that nothing of the input describes, as a noun: "the device `/dev/ttyUSB0`".
    Hardware(String),
}

/// What machines of a network get from one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gift {
    /// Addresses.
    Dhcp,
    /// Names.
    Dns,
}

/// Two workloads that must be on one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tie {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// Why, as a sentence without its beginning: "they share the claim `apps/data`".
    pub why: String,
}

/// Two workloads of which one speaks with the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Talk {
    /// Who speaks.
    pub from: String,
    /// With whom.
    pub to: String,
    /// How much it counts: more than one of what is known, one of what may be.
    pub weight: u32,
}

/// What a host has left for workloads.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Room {
    /// The host.
    pub name: String,
    /// Bytes of memory; none where nobody says how much it has.
    pub memory: Option<u64>,
    /// Bytes of its pool; none where its size is not known.
    pub storage: Option<u64>,
    /// What Kubernetes calls its kind: `amd64`.
    pub machine: Option<String>,
    /// The nodes whose place it takes.
    pub nodes: BTreeSet<String>,
    /// What it waits for when it starts.
    pub needs: BTreeSet<Gift>,
    /// The hosts with which it has a network of their own.
    pub reaches: BTreeSet<String>,
}

/// Where a workload goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The workload.
    pub id: String,
    /// The host; none where a person has to decide.
    pub host: Option<String>,
    /// Why, as a sentence without its full stop.
    pub reason: String,
    /// What a person is asked, where nothing can be said.
    pub ask: Option<Ask>,
}

/// What a person is asked about a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// The node that the question is about; none of a question about the workload alone.
    pub node: Option<String>,
    /// The question.
    pub text: String,
}

/// Places workloads; the result has the order of the loads.
pub fn place(demand: &Demand, rooms: &[Room]) -> Vec<Placed> {
    let mut all = groups(demand);
    let mut rooms = Rooms::of(rooms, demand);
    let mut placed: BTreeMap<&str, Placed> = BTreeMap::new();
    for load in &demand.loads {
        if let Some(chosen) = &load.chosen {
            placed.insert(&load.id, rooms.chosen(load, chosen));
        }
    }
    for load in &demand.loads {
        if let Some(host) = placed.get(load.id.as_str()).and_then(|placed| placed.host.as_deref()) {
            rooms.stands(&load.id, host);
        }
    }
    let (memory, storage) = rooms.sums();
    all.sort_by_cached_key(|group| {
        let is_fresh = group.members.iter().all(|load| load.chosen.is_none());
        // Where a group can go to one host alone, others that speak with it follow.
        let is_free = group.members.iter().all(|load| load.pins.is_empty());
        (is_fresh, is_free, std::cmp::Reverse(group.share(memory, storage)), group.first())
    });
    for group in &all {
        let open: Vec<&Load> = group.members.iter().copied().filter(|load| load.chosen.is_none()).collect();
        if open.is_empty() {
            continue;
        }
        match rooms.choose(group, &open) {
            Ok((host, reason)) => {
                for load in &open {
                    rooms.stands(&load.id, &host);
                    let reason = phrase::with_group(&reason, load, group);
                    placed
                        .insert(&load.id, Placed { id: load.id.clone(), host: Some(host.clone()), reason, ask: None });
                }
                rooms.take(&host, &open);
            }
            Err(refusal) => {
                for load in &open {
                    let (reason, ask) = (refusal.reason.clone(), Some(refusal.ask.clone()));
                    placed.insert(&load.id, Placed { id: load.id.clone(), host: None, reason, ask });
                }
            }
        }
    }
    demand.loads.iter().filter_map(|load| placed.get(load.id.as_str()).cloned()).collect()
}

/// Why nothing can be said.
#[derive(Debug)]
struct Refusal {
    reason: String,
    ask: Ask,
}
