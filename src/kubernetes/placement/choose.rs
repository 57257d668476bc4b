//! What hosts have left, and which of them a group goes to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Need};
use super::{Ask, Chosen, Demand, Gift, Load, Pin, Placed, Refusal, Room, phrase};

/// A host with what it has left.
#[derive(Debug, Clone)]
pub(super) struct Left<'r> {
    /// What it had.
    pub(super) room: &'r Room,
    /// Bytes of memory.
    pub(super) memory: Option<u64>,
    /// Bytes of its pool.
    pub(super) storage: Option<u64>,
    /// Thousandths of a processor that were asked for here.
    cpu: u64,
}

impl Left<'_> {
    /// Tells whether something has room; what is not known has.
    fn fits(&self, need: &Need) -> bool {
        self.memory.is_none_or(|left| need.memory.unwrap_or(0) <= left)
            && self.storage.is_none_or(|left| need.storage <= left)
    }
}

/// All hosts, with what goes where.
#[derive(Debug)]
pub(super) struct Rooms<'r> {
    /// By name.
    left: Vec<Left<'r>>,
    /// The host of each workload that has one.
    at: BTreeMap<String, String>,
    /// Who speaks with whom, both ways.
    talks: BTreeMap<&'r str, BTreeMap<&'r str, u32>>,
}

impl<'r> Rooms<'r> {
    /// Begins with what hosts have.
    pub(super) fn of(rooms: &'r [Room], demand: &'r Demand) -> Self {
        let mut left: Vec<Left<'r>> =
            rooms.iter().map(|room| Left { room, memory: room.memory, storage: room.storage, cpu: 0 }).collect();
        left.sort_by(|a, b| a.room.name.cmp(&b.room.name));
        left.dedup_by(|a, b| a.room.name == b.room.name);
        let mut talks: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
        for talk in demand.talks.iter().filter(|talk| talk.from != talk.to) {
            for (a, b) in [(&talk.from, &talk.to), (&talk.to, &talk.from)] {
                let weight = talks.entry(a).or_default().entry(b).or_default();
                *weight = weight.saturating_add(talk.weight);
            }
        }
        Self { left, at: BTreeMap::new(), talks }
    }

    /// Returns the sums of memory and storage, as far as they are known.
    pub(super) fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Room) -> Option<u64>| {
            self.left.iter().filter_map(|left| of(left.room)).fold(0u64, u64::saturating_add)
        };
        (sum(|room| room.memory), sum(|room| room.storage))
    }

    /// Remembers where a workload is.
    pub(super) fn stands(&mut self, id: &str, host: &str) {
        self.at.insert(id.to_owned(), host.to_owned());
    }

    /// Takes from a host what workloads need.
    pub(super) fn take(&mut self, host: &str, loads: &[&Load]) {
        let need = Need::of(loads);
        if let Some(left) = self.left.iter_mut().find(|left| left.room.name == host) {
            left.memory = left.memory.map(|memory| memory.saturating_sub(need.memory.unwrap_or(0)));
            left.storage = left.storage.map(|storage| storage.saturating_sub(need.storage));
            left.cpu = left.cpu.saturating_add(need.cpu);
        }
    }

    /// Returns the place of a workload that a person chose. What definitions have is part of what the host promises already.
    pub(super) fn chosen(&mut self, load: &Load, chosen: &Chosen) -> Placed {
        let known = self.left.iter().any(|left| left.room.name == chosen.host);
        let id = load.id.clone();
        if chosen.defined {
            let reason = format!("the definitions of `{}` have it", chosen.host);
            return Placed { id, host: Some(chosen.host.clone()), reason, ask: None };
        }
        if !known {
            let reason = format!("the answer names `{}`, which is none of {}", chosen.host, self.names());
            let ask = Ask { node: None, text: format!("{reason}: which of them should it be?") };
            return Placed { id, host: None, reason, ask: Some(ask) };
        }
        self.take(&chosen.host, &[load]);
        Placed { id, host: Some(chosen.host.clone()), reason: "an answer says so".to_owned(), ask: None }
    }

    /// Returns the host of a group, and why.
    pub(super) fn choose(&self, group: &Group<'_>, open: &[&Load]) -> Result<(String, String), Refusal> {
        let begun: BTreeMap<&str, &str> =
            group.members.iter().filter_map(|load| Some((self.at.get(&load.id)?.as_str(), load.id.as_str()))).collect();
        let mut among: Vec<&Left<'_>> = self.left.iter().collect();
        let mut because = Vec::new();
        match begun.iter().collect::<Vec<_>>().as_slice() {
            [] => {}
            [(host, other)] => {
                among.retain(|left| left.room.name == **host);
                if among.is_empty() {
                    let reason = format!(
                        "it must be beside {}, which is on `{host}`, and that is none of {}",
                        phrase::name(other),
                        self.names()
                    );
                    return Err(refused(reason, "name it among the hosts, or where should both be?"));
                }
                because.push(format!("{} is there", phrase::name(other)));
            }
            several => {
                let there: Vec<String> =
                    several.iter().map(|(host, other)| format!("{} is on `{host}`", phrase::name(other))).collect();
                let reason = format!("it must be beside each of them, and {}", phrase::joined(&there));
                return Err(refused(reason, "on which host should all of them be?"));
            }
        }
        self.pinned(open, &mut among, &mut because)?;
        let gives: BTreeSet<Gift> = open.iter().flat_map(|load| load.gives.iter().copied()).collect();
        let waits = |left: &Left<'_>| left.room.needs.intersection(&gives).next().is_some();
        if begun.is_empty() && among.iter().any(|left| waits(left)) && among.iter().any(|left| !waits(left)) {
            let others: Vec<&str> =
                among.iter().filter(|left| waits(left)).map(|left| left.room.name.as_str()).collect();
            because.push(phrase::would_wait(&others, &gives));
            among.retain(|left| !waits(left));
        }
        let need = Need::of(open);
        let fitting: Vec<&Left<'_>> = among.iter().copied().filter(|left| left.fits(&need)).collect();
        if fitting.is_empty() {
            let reason = phrase::no_room(&need, &among, group.members.len());
            return Err(refused(reason, "where should it go, or what makes room there?"));
        }
        let affinity = |left: &Left<'_>| self.affinity(open, &left.room.name, &left.room.nodes);
        let key = |left: &Left<'_>| {
            // What says nothing of its memory goes where most is left, all else where the least is left after it.
            let spare = match (need.memory, left.memory, left.storage) {
                (Some(need), Some(left), _) => (0, i128::from(left) - i128::from(need)),
                (None, memory, Some(left)) if need.storage > 0 => {
                    (u8::from(memory.is_none()), i128::from(left) - i128::from(need.storage))
                }
                (None, Some(left), _) => (0, -i128::from(left)),
                _ => (1, 0),
            };
            (self.unreached(open, left.room), Reverse(affinity(left)), spare, left.cpu)
        };
        let best = fitting.iter().min_by_key(|left| key(left));
        let Some(best) = best else {
            return Err(refused("there is no host".to_owned(), "which host should it go to?"));
        };
        if because.is_empty() {
            because.push(self.preferred(open, best, &fitting, &among, &need));
        } else if among.len() > fitting.len() && fitting.len() == 1 {
            because.push(phrase::only_room(&best.room.name, &need));
        }
        Ok((best.room.name.clone(), phrase::joined(&because)))
    }

    /// Leaves the hosts that have what workloads need of a machine.
    fn pinned(&self, open: &[&Load], among: &mut Vec<&Left<'_>>, because: &mut Vec<String>) -> Result<(), Refusal> {
        let pins: BTreeSet<&Pin> = open.iter().flat_map(|load| &load.pins).collect();
        for pin in pins {
            let before: Vec<&str> = among.iter().map(|left| left.room.name.as_str()).collect();
            match pin {
                Pin::Nodes(nodes) => {
                    let is_node = |left: &Left<'_>| nodes.iter().any(|node| left.room.nodes.contains(node));
                    if !self.left.iter().any(is_node) {
                        let (shown, node) = (phrase::ticked(nodes), nodes.first().cloned());
                        let reason =
                            format!("in the cluster it runs on the node {shown} alone, and no host stands for that");
                        let text = format!(
                            "workloads run on the node {shown} alone: which of {} takes its place?",
                            self.names()
                        );
                        return Err(Refusal { reason, ask: Ask { node, text } });
                    }
                    among.retain(|left| is_node(left));
                    because.push(format!("in the cluster it runs on the node {} alone", phrase::ticked(nodes)));
                }
                Pin::Machines(kinds) => {
                    let is_one = |left: &Left<'_>| left.room.machine.as_ref().is_none_or(|kind| kinds.contains(kind));
                    among.retain(|left| is_one(left));
                    if among.len() < before.len() {
                        because.push(format!("it runs on machines of the kind {} alone", phrase::ticked(kinds)));
                    }
                }
                Pin::Hardware(what) => {
                    let reason = format!("it needs {what}, and nothing says which host has that");
                    let text = format!("it needs {what}: which of {} has that?", self.names());
                    return Err(Refusal { reason, ask: Ask { node: None, text } });
                }
            }
            if among.is_empty() {
                let reason = format!("{}, and of {} none does", phrase::joined(because), phrase::ticked(&before));
                return Err(refused(reason, "which host should it go to?"));
            }
        }
        Ok(())
    }

    /// Returns how much workloads speak with what is on hosts that a host has no network with.
    fn unreached(&self, open: &[&Load], room: &Room) -> u32 {
        let spoken = open.iter().filter_map(|load| self.talks.get(load.id.as_str())).flatten();
        let far = spoken
            .filter(|(other, _)| self.at.get(**other).is_some_and(|at| *at != room.name && !room.reaches.contains(at)));
        far.fold(0u32, |sum, (_, weight)| sum.saturating_add(*weight))
    }

    /// Returns how much workloads speak with what is on a host, or have data there.
    fn affinity(&self, open: &[&Load], host: &str, nodes: &BTreeSet<String>) -> u32 {
        let spoken = self.partners(open, host).values().fold(0u32, |sum, weight| sum.saturating_add(*weight));
        let near = open.iter().flat_map(|load| &load.near).filter(|node| nodes.contains(*node)).count();
        spoken.saturating_add(u32::try_from(near).unwrap_or(u32::MAX).saturating_mul(NEAR))
    }

    /// Returns whom workloads speak with on a host, with how much that counts.
    fn partners(&self, open: &[&Load], host: &str) -> BTreeMap<&'r str, u32> {
        let mut all: BTreeMap<&str, u32> = BTreeMap::new();
        for (other, weight) in open.iter().filter_map(|load| self.talks.get(load.id.as_str())).flatten() {
            if self.at.get(*other).is_some_and(|at| at == host) {
                let sum = all.entry(other).or_default();
                *sum = sum.saturating_add(*weight);
            }
        }
        all
    }

    /// Returns why one of several hosts is the best.
    fn preferred(
        &self,
        open: &[&Load],
        best: &Left<'_>,
        fitting: &[&Left<'_>],
        among: &[&Left<'_>],
        need: &Need,
    ) -> String {
        let host = &best.room.name;
        if fitting.len() == 1 && among.len() > 1 {
            return phrase::only_room(host, need);
        }
        let partners: Vec<&str> = self.partners(open, host).into_keys().collect();
        if !partners.is_empty() {
            let shown: Vec<String> = partners.iter().map(|id| phrase::name(id)).collect();
            let are = if shown.len() == 1 { "is" } else { "are" };
            return format!("it speaks with {}, which {are} there", phrase::joined(&shown));
        }
        if self.affinity(open, host, &best.room.nodes) > 0 {
            return "its data lies there".to_owned();
        }
        let of_best = self.unreached(open, best.room);
        if fitting.iter().any(|left| self.unreached(open, left.room) > of_best) {
            return "from there it reaches what it speaks with in a network of the hosts' own".to_owned();
        }
        let alone = open.len() == 1;
        match (need.memory, best.memory) {
            (Some(memory), Some(left)) => phrase::best_fit(alone, memory, left, fitting.len()),
            (None, Some(left)) if need.storage == 0 => phrase::most_left(left),
            _ if need.storage > 0 && best.storage.is_some() => {
                phrase::best_storage(need.storage, best.storage.unwrap_or(0), fitting.len())
            }
            _ => format!("nothing tells the hosts apart, and `{host}` is the first by name"),
        }
    }

    /// Returns the names of the hosts.
    fn names(&self) -> String {
        let names: Vec<&str> = self.left.iter().map(|left| left.room.name.as_str()).collect();
        phrase::ticked(&names)
    }
}

/// What data on a node counts, measured as talking is.
const NEAR: u32 = 3;

fn refused(reason: String, question: &str) -> Refusal {
    let text = format!("{reason}: {question}");
    Refusal { reason, ask: Ask { node: None, text } }
}
