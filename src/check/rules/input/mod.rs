//! What cannot be read. These findings are made where files are read and references followed (`source`, `fleet`, `resolve`);
//! the statics here give them their place in the catalogue. They mean exit status 2, and none can be allowed.

mod file_unreadable;
mod import_cycle;
mod import_unknown;
mod key_missing;
mod key_unknown;
mod manifest_duplicate_key;
mod name_invalid;
mod nix_invalid;
mod reference_unknown;
mod toml_invalid;
mod too_large;
mod value_invalid;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &file_unreadable::RULE,
    &import_cycle::RULE,
    &import_unknown::RULE,
    &key_missing::RULE,
    &key_unknown::RULE,
    &manifest_duplicate_key::RULE,
    &name_invalid::RULE,
    &nix_invalid::RULE,
    &reference_unknown::RULE,
    &toml_invalid::RULE,
    &too_large::RULE,
    &value_invalid::RULE,
];
