//! A definition held against the machine as it runs.
//!
//! Here belong: what is compared, group by group, and what each difference means. Not here: asking the machine (`probe`, `cli`), how a
//! comparison is written (`report`).
//!
//! Invariant: what the machine did not tell is listed as not compared, with the reason, and never counts as equal or as different.

mod access;
mod datasets;
mod disks;
mod hardware;
mod machine;
mod mounts;
mod network;
mod outcome;
mod pools;
mod services;
mod system;

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::resolve::ResolvedHost;

pub use machine::Machine;
pub use outcome::{Comparison, Defined, Difference, Group, NotCompared};

/// What a pool may have: the set that it was limited to, and its features by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract {
    /// The value of `compatibility`; none: no limit.
    pub set: Option<String>,
    /// The features.
    pub features: Vec<String>,
}

/// What a machine is compared with beyond its definition.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// ssh host keys that the deployer knows the machine by, as `TYPE BASE64`.
    pub host_keys: Vec<String>,
    /// What the definition limits each pool to.
    pub contracts: BTreeMap<String, Contract>,
}

/// What every group compares.
struct Cx<'a> {
    host: &'a ResolvedHost<'a>,
    machine: &'a Machine,
    facts: &'a Facts,
    recorded: &'a Recorded,
}

impl Cx<'_> {
    /// Tells whether the definition says what the host is made of: it does not where its configuration is elsewhere.
    fn is_compiled(&self) -> bool {
        self.host.def.external.is_none()
    }
}

/// What stands in the way of comparing what only the longer script asks.
const NOT_ASKED: &str = "the facts hold only what `probe` asks; without `--facts` the machine is asked for more";

/// Compares a host with its machine.
pub fn compare(host: &ResolvedHost<'_>, machine: &Machine, facts: &Facts, recorded: &Recorded) -> Comparison {
    let cx = Cx { host, machine, facts, recorded };
    let mut out = Comparison::default();
    if let Some(other) = system::another_system(&cx) {
        out.differ(other);
        return out;
    }
    hardware::compare(&cx, &mut out);
    disks::compare(&cx, &mut out);
    pools::compare(&cx, &mut out);
    datasets::compare(&cx, &mut out);
    mounts::compare(&cx, &mut out);
    network::compare(&cx, &mut out);
    access::compare(&cx, &mut out);
    system::compare(&cx, &mut out);
    services::compare(&cx, &mut out);
    out
}
