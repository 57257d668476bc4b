//! What version meets what version. These rules know releases and versions and nothing of single settings.

mod channel_unpinned;
mod data_format_downgrade;
mod data_format_jump;
mod default_changed_by_release;
mod deployer_channel_mismatch;
mod facts_stale;
mod fleet_release_skew;
mod image_tag_floating;
mod input_unpinned;
mod installer_newer_than_channel;
mod kernel_below_hardware;
mod kernel_unsupported_by_zfs;
mod release_downgrade;
mod release_end_of_life;
mod release_skipped;
mod release_unknown;
mod state_version_changed;
mod state_version_missing;
mod state_version_newer_than_channel;
mod zfs_pool_newer_than_channel;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &channel_unpinned::RULE,
    &data_format_downgrade::RULE,
    &data_format_jump::RULE,
    &default_changed_by_release::RULE,
    &deployer_channel_mismatch::RULE,
    &facts_stale::RULE,
    &fleet_release_skew::RULE,
    &image_tag_floating::RULE,
    &input_unpinned::RULE,
    &installer_newer_than_channel::RULE,
    &kernel_below_hardware::RULE,
    &kernel_unsupported_by_zfs::RULE,
    &release_downgrade::RULE,
    &release_end_of_life::RULE,
    &release_skipped::RULE,
    &release_unknown::RULE,
    &state_version_changed::RULE,
    &state_version_missing::RULE,
    &state_version_newer_than_channel::RULE,
    &zfs_pool_newer_than_channel::RULE,
];
