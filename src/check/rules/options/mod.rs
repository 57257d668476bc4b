//! Settings against the channel's option index. These rules know options and their types, and nothing of what they are for.

mod assertion_known;
mod option_conflict;
mod option_read_only;
mod option_removed;
mod option_renamed;
mod option_required;
mod option_shadowed;
mod option_type;
mod option_unknown;

use crate::check::rule::{Findings, Rule};
use crate::check::settings::Settings;
use crate::facts::OptionIndex;

pub(super) static RULES: &[&Rule] = &[
    &assertion_known::RULE,
    &option_conflict::RULE,
    &option_read_only::RULE,
    &option_removed::RULE,
    &option_renamed::RULE,
    &option_required::RULE,
    &option_shadowed::RULE,
    &option_type::RULE,
    &option_unknown::RULE,
];

/// Reports what settings have of one fault.
type Report = fn(&Settings<'_>, OptionIndex<'_>, &mut Findings);

/// The rules that judge settings wherever they stand.
pub(in crate::check) static OF_SETTINGS: &[(&Rule, Report)] = &[
    (&assertion_known::RULE, |settings, _, found| assertion_known::report(&settings.broken, found)),
    (&option_read_only::RULE, option_read_only::report),
    (&option_removed::RULE, option_removed::report),
    (&option_renamed::RULE, option_renamed::report),
    (&option_type::RULE, option_type::report),
    (&option_unknown::RULE, option_unknown::report),
];
