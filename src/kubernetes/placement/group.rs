//! Workloads that must be on one host.

use std::collections::BTreeMap;

use super::{Demand, Load, Tie};

/// Workloads that must be on one host.
#[derive(Debug)]
pub(super) struct Group<'d> {
    /// The workloads, by their ids.
    pub(super) members: Vec<&'d Load>,
    /// Why they must.
    pub(super) ties: Vec<&'d Tie>,
}

impl Group<'_> {
    /// Returns the first of its ids.
    pub(super) fn first(&self) -> String {
        self.members.first().map_or_else(String::new, |load| load.id.clone())
    }

    /// Returns how much of all memory or storage it takes, in millionths, whichever is more; then the bytes.
    pub(super) fn share(&self, memory: u64, storage: u64) -> (u128, u64, u64) {
        let need = Need::of(&self.members);
        let share = |part: u64, all: u64| (u128::from(part) * 1_000_000).checked_div(u128::from(all)).unwrap_or(0);
        let (own_memory, own_storage) = (need.memory.unwrap_or(0), need.storage);
        (share(own_memory, memory).max(share(own_storage, storage)), own_memory, own_storage)
    }
}

/// What several workloads take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Bytes of memory; none where nothing is said of any of them.
    pub(super) memory: Option<u64>,
    /// Bytes of storage.
    pub(super) storage: u64,
    /// Thousandths of a processor.
    pub(super) cpu: u64,
}

impl Need {
    /// Returns what workloads take together.
    pub(super) fn of(loads: &[&Load]) -> Self {
        let sum = |of: &dyn Fn(&Load) -> u64| loads.iter().fold(0u64, |sum, load| sum.saturating_add(of(load)));
        Self {
            memory: loads
                .iter()
                .any(|load| load.memory.is_some())
                .then(|| sum(&|load: &Load| load.memory.unwrap_or(0))),
            storage: sum(&|load: &Load| load.storage),
            cpu: sum(&|load: &Load| load.cpu),
        }
    }
}

/// Returns the groups, by their first ids.
pub(super) fn groups(demand: &Demand) -> Vec<Group<'_>> {
    let mut heads: BTreeMap<&str, &str> =
        demand.loads.iter().map(|load| (load.id.as_str(), load.id.as_str())).collect();
    for tie in &demand.ties {
        let (Some(a), Some(b)) = (head(&heads, &tie.a), head(&heads, &tie.b)) else { continue };
        let (first, other) = if a < b { (a, b) } else { (b, a) };
        heads.insert(other, first);
    }
    let mut all: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for load in &demand.loads {
        let Some(first) = head(&heads, &load.id) else { continue };
        all.entry(first).or_insert_with(|| Group { members: Vec::new(), ties: Vec::new() }).members.push(load);
    }
    for tie in &demand.ties {
        let (Some(first), Some(_)) = (head(&heads, &tie.a), head(&heads, &tie.b)) else { continue };
        if let Some(group) = all.get_mut(first) {
            group.ties.push(tie);
        }
    }
    let mut all: Vec<Group<'_>> = all.into_values().collect();
    for group in &mut all {
        group.members.sort_by(|a, b| a.id.cmp(&b.id));
        group.ties.sort();
        group.ties.dedup();
    }
    all
}

/// Returns the workload that stands for a group.
fn head<'d>(heads: &BTreeMap<&'d str, &'d str>, id: &str) -> Option<&'d str> {
    let mut at = *heads.get(id)?;
    while let Some(next) = heads.get(at).filter(|next| **next != at) {
        at = next;
    }
    Some(at)
}
