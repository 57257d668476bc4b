//! How a host is deployed, tested and brought back, and the `allow` entries of a fleet.

mod allow_expired;
mod allow_unused;
mod build_impossible;
mod deployer_unreachable;
mod live_switch_unsafe;
mod reboot_test_disabled;
mod reboot_test_times;
mod recovery_impossible;
mod watch_missing;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &allow_expired::RULE,
    &allow_unused::RULE,
    &build_impossible::RULE,
    &deployer_unreachable::RULE,
    &live_switch_unsafe::RULE,
    &reboot_test_disabled::RULE,
    &reboot_test_times::RULE,
    &recovery_impossible::RULE,
    &watch_missing::RULE,
];
