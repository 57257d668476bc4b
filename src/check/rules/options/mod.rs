//! Settings against the channel's option index. These rules know options and their types, and nothing of what they are for.

mod option_conflict;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[&option_conflict::RULE];
