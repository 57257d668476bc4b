//! Services: what they wait for, where their state lies, whether it comes back, what they take of the machine.
//!
//! These rules know what a definition and the modules of its services say; what options under `[nixos]` start beside them is not
//! known here.

mod backup_never_restored;
mod dependency_cycle;
mod dependency_missing;
mod device_unstable_name;
mod memory_overcommitted;
mod state_not_on_dataset;
mod state_unbacked;
mod static_uid_collision;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &backup_never_restored::RULE,
    &dependency_cycle::RULE,
    &dependency_missing::RULE,
    &device_unstable_name::RULE,
    &memory_overcommitted::RULE,
    &state_not_on_dataset::RULE,
    &state_unbacked::RULE,
    &static_uid_collision::RULE,
];
