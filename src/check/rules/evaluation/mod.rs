//! What Nix itself says, with `check --eval`. These rules run no code of ours: `evaluate` leads Nix's words back to the
//! definitions, and `check::evaluated` joins them with what the other rules say.

mod eval_assertion;
mod eval_error;
mod eval_warning;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[&eval_assertion::RULE, &eval_error::RULE, &eval_warning::RULE];
