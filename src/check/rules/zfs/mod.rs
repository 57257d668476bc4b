//! Pools. These rules know vdevs, properties and the figures of OpenZFS, and nothing of which version meets which
//! (`channel`).
//!
//! What they guarantee: sizes are shown with their arithmetic, in IEC units; what depends on a disk of unknown size, or
//! on a pool that nobody has probed, is unchecked.

mod ashift_wrong;
mod capacity_exceeded;
mod compatibility_absent;
mod dataset_mount_conflict;
mod dedup_on;
mod encryption_unlock;
mod feature_not_compatible;
mod host_id_changed;
mod host_id_duplicate;
mod host_id_missing;
mod host_id_placeholder;
mod log_not_mirrored;
mod log_too_large;
mod members_on_one_disk;
mod pool_force_import;
mod pool_imported_elsewhere;
mod pool_member_not_in_dev_nodes;
mod pool_nearly_full;
mod raidz_too_few_members;
mod raidz_unequal_members;
mod raidz_wide;
mod special_vdev_not_redundant;
mod upgrade_breaks_rollback;
mod vdev_redundancy_mixed;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &ashift_wrong::RULE,
    &capacity_exceeded::RULE,
    &compatibility_absent::RULE,
    &dataset_mount_conflict::RULE,
    &dedup_on::RULE,
    &encryption_unlock::RULE,
    &feature_not_compatible::RULE,
    &host_id_changed::RULE,
    &host_id_duplicate::RULE,
    &host_id_missing::RULE,
    &host_id_placeholder::RULE,
    &log_not_mirrored::RULE,
    &log_too_large::RULE,
    &members_on_one_disk::RULE,
    &pool_force_import::RULE,
    &pool_imported_elsewhere::RULE,
    &pool_member_not_in_dev_nodes::RULE,
    &pool_nearly_full::RULE,
    &raidz_too_few_members::RULE,
    &raidz_unequal_members::RULE,
    &raidz_wide::RULE,
    &special_vdev_not_redundant::RULE,
    &upgrade_breaks_rollback::RULE,
    &vdev_redundancy_mixed::RULE,
];
