//! Settings against the channel's option index. These rules know options and their types, and nothing of what they are for.

mod option_conflict;
mod option_read_only;
mod option_removed;
mod option_renamed;
mod option_required;
mod option_type;
mod option_unknown;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &option_conflict::RULE,
    &option_read_only::RULE,
    &option_removed::RULE,
    &option_renamed::RULE,
    &option_required::RULE,
    &option_type::RULE,
    &option_unknown::RULE,
];
