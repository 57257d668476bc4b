//! Services: what they wait for, where their state lies, whether it comes back, what they take of the machine.
//!
//! These rules know what a definition and the modules of its services say; what options under `[nixos]` start beside them is not
//! known here.

mod api_version_removed;
mod backup_never_restored;
mod claim_unaccounted;
mod dependency_cycle;
mod dependency_missing;
mod device_unstable_name;
mod gitops_will_restore;
mod host_path_owned_by_root;
mod image_not_replaceable;
mod limit_lost;
mod memory_overcommitted;
mod owner_mismatch;
mod probe_lost;
mod reclaim_policy_destroys_data;
mod replicas_collapsed;
mod single_writer;
mod state_not_on_dataset;
mod state_unbacked;
mod static_uid_collision;
mod template_not_rendered;
mod volume_shared;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &api_version_removed::RULE,
    &backup_never_restored::RULE,
    &claim_unaccounted::RULE,
    &dependency_cycle::RULE,
    &dependency_missing::RULE,
    &device_unstable_name::RULE,
    &gitops_will_restore::RULE,
    &host_path_owned_by_root::RULE,
    &image_not_replaceable::RULE,
    &limit_lost::RULE,
    &memory_overcommitted::RULE,
    &owner_mismatch::RULE,
    &probe_lost::RULE,
    &reclaim_policy_destroys_data::RULE,
    &replicas_collapsed::RULE,
    &single_writer::RULE,
    &state_not_on_dataset::RULE,
    &state_unbacked::RULE,
    &static_uid_collision::RULE,
    &template_not_rendered::RULE,
    &volume_shared::RULE,
];
