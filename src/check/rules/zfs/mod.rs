//! access

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[];
