//! What the pool of a host has room for.

use super::ClaimEntry;

/// The pool that claims go to, and what they want of it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CapacityEntry {
    /// The pool.
    pub pool: String,
    /// What its datasets can have; none while the size of a disk is not known.
    pub usable: Option<u64>,
    /// What quotas and reservations of the host's datasets promise already.
    pub promised: u64,
    /// What the claims that move ask for.
    pub requested: u64,
    /// What they use, as far as it is known.
    pub used: u64,
    /// Claims that move whose used bytes are not known.
    pub unknown: usize,
}

impl CapacityEntry {
    /// Returns what a pool has room for when these claims move to it.
    pub fn of<'c>(
        pool: &str,
        usable: Option<u64>,
        promised: u64,
        claims: impl Iterator<Item = &'c ClaimEntry>,
    ) -> Self {
        let all: Vec<&ClaimEntry> = claims.filter(|claim| claim.dataset.is_some()).collect();
        let moving = || all.iter().copied();
        let sum = |bytes: fn(&ClaimEntry) -> Option<u64>| moving().filter_map(bytes).fold(0, u64::saturating_add);
        Self {
            pool: pool.to_owned(),
            usable,
            promised,
            requested: sum(|claim| claim.requested),
            used: sum(|claim| claim.used),
            unknown: moving().filter(|claim| claim.used.is_none()).count(),
        }
    }
}
