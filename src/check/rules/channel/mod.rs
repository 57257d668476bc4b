//! What version meets what version. These rules know releases and versions and nothing of single settings.

mod zfs_pool_newer_than_channel;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[&zfs_pool_newer_than_channel::RULE];
