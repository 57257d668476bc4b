//! The rules and the engine that runs them.
//!
//! A rule is two neighbours with one stem below `rules/<group>/`: `x.rs` holds a static [`Rule`] and its function, `x.md` says why
//! it exists and how to mend what it reports, with a bad and a good example that the tests run. Both need their two lines in
//! the group's `mod.rs`; a test says so when one is forgotten.
//!
//! A rule sees one subject (a host, or the fleet), reports [`Finding`]s at places, and knows nothing of levels being allowed
//! away, of output or of other rules. A fact that it lacks makes it report *unchecked*, never a guess.
//!
//! What the findings guarantee: they stand at a place that exists, they come in the order of the files, and the same input
//! with the same date gives the same findings.

mod addresses;
mod allow;
mod assertions;
mod beside;
mod booting;
mod bootstrap;
mod capacity;
mod changes;
mod channels;
mod clusters;
mod data_formats;
mod engine;
mod evaluated;
mod example;
mod external;
mod fingerprint;
mod fix;
mod foreign;
mod kernel;
mod lint_nix;
mod memory;
mod migrations;
mod nixos;
mod phrase;
mod pool_features;
mod pools;
mod ports;
mod probed;
mod promises;
mod recipients;
mod rule;
pub mod rules;
#[cfg(test)]
pub(crate) mod sample;
mod scope;
mod services;
mod settings;
mod ssh_key;

pub use changes::Changes;
pub use clusters::Clusters;
pub use engine::{Checked, Outcome, check, check_files, check_scope};
pub use evaluated::{Evaluated, add_evaluated};
pub use example::{Example, Expected, SCAFFOLD, examples, page};
pub use fingerprint::mark_findings;
pub use fix::Rename;
pub use lint_nix::lint_nix;
pub use memory::promised_memory;
pub use rule::{Check, Finding, Findings, FleetCx, Group, HostCx, Rule, Unchecked};
pub use scope::Scope;
pub use settings::{Setting, Settings, options_set};

use crate::resolve::{ResolvedHost, ResolvedPool};

/// Returns how many bytes the datasets of a pool can have; none while the size of a disk is not known.
pub fn usable_bytes(pool: &ResolvedPool<'_>) -> Option<u64> {
    capacity::capacity(pool).map(capacity::Capacity::usable)
}

/// Returns how many bytes the datasets of a host's pool may come to hold together, by their quotas and by what they are promised.
pub fn planned_bytes(host: &ResolvedHost<'_>, pool: &ResolvedPool<'_>) -> u64 {
    u64::try_from(promises::planned(host, pool).bytes).unwrap_or(u64::MAX)
}
