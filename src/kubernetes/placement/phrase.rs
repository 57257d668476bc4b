//! Why a workload goes where it goes, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::choose::Left;
use super::group::{Group, Need};
use super::{Gift, Load};
use crate::source;
use crate::units::Size;

/// How many names a sentence lists.
const MOST: usize = 4;

/// Returns the short name of a workload: `gitea` of `apps/Deployment/gitea`.
pub(super) fn name(id: &str) -> String {
    format!("`{}`", id.rsplit('/').next().unwrap_or(id))
}

/// Returns names in backticks.
pub(super) fn ticked<T: AsRef<str>>(names: &[T]) -> String {
    joined(&names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>())
}

/// Returns phrases with "and" before the last; of many the first few.
pub(super) fn joined(all: &[String]) -> String {
    source::joined(all, MOST)
}

/// Returns what is needed: "3 GiB of memory and 20 GiB of storage".
fn needed(need: &Need) -> String {
    let memory = need.memory.map(|bytes| format!("{} of memory", Size::human(bytes)));
    let storage = (need.storage > 0).then(|| format!("{} of storage", Size::human(need.storage)));
    let all: Vec<String> = memory.into_iter().chain(storage).collect();
    if all.is_empty() { "nothing that is known".to_owned() } else { joined(&all) }
}

/// Says that no host has room.
pub(super) fn no_room(need: &Need, among: &[&Left<'_>], members: usize) -> String {
    let left: Vec<String> = among
        .iter()
        .map(|left| {
            let memory = left.memory.map(|bytes| format!("{} of memory", Size::human(bytes)));
            let storage = left.storage.map(|bytes| format!("{} of storage", Size::human(bytes)));
            let all: Vec<String> = memory.into_iter().chain(storage).collect();
            format!("`{}` has {} left", left.room.name, joined(&all))
        })
        .collect();
    let what = if members > 1 { "it takes, with what must be beside it," } else { "it takes" };
    format!("{what} {}, and {}", needed(need), joined(&left))
}

/// Says that one host alone has room.
pub(super) fn only_room(host: &str, need: &Need) -> String {
    format!("`{host}` alone has room for {}", needed(need))
}

/// Says that a host is filled best.
pub(super) fn best_fit(alone: bool, memory: u64, left: u64, hosts: usize) -> String {
    let takes = if alone { "it takes" } else { "together they take" };
    let of = if hosts > 1 { "the least that is enough" } else { "which is enough" };
    format!("{takes} {} of memory, and {} are left there, {of}", Size::human(memory), Size::human(left))
}

/// Says that a host's pool is filled best.
pub(super) fn best_storage(storage: u64, left: u64, hosts: usize) -> String {
    let of = if hosts > 1 { "the least that is enough" } else { "which is enough" };
    format!("its claims take {}, and {} are left there, {of}", Size::human(storage), Size::human(left))
}

/// Says that a host has the most to spare.
pub(super) fn most_left(left: u64) -> String {
    format!("nothing says how much memory it takes, and most is left there, {}", Size::human(left))
}

/// Says that other hosts would wait for the workload when they start.
pub(super) fn would_wait(hosts: &[&str], gives: &BTreeSet<Gift>) -> String {
    let what: Vec<String> = gives
        .iter()
        .map(|gift| match gift {
            Gift::Dhcp => "an address".to_owned(),
            Gift::Dns => "names".to_owned(),
        })
        .collect();
    let would = if hosts.len() == 1 { "would wait for itself" } else { "would wait for themselves" };
    format!("{} {would} when starting, which takes {} from it", ticked(hosts), joined(&what))
}

/// Adds to a reason what a workload must be beside.
pub(super) fn with_group(reason: &str, load: &Load, group: &Group<'_>) -> String {
    let mut beside: BTreeMap<&str, &str> = BTreeMap::new();
    for tie in &group.ties {
        if tie.a == load.id {
            beside.entry(&tie.b).or_insert(&tie.why);
        } else if tie.b == load.id {
            beside.entry(&tie.a).or_insert(&tie.why);
        }
    }
    let beside: Vec<String> = beside.iter().map(|(other, why)| format!("beside {}: {why}", name(other))).collect();
    if beside.is_empty() { reason.to_owned() } else { format!("{reason}; {}", beside.join("; ")) }
}
