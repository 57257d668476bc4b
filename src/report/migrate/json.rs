//! The stable document; `hostwright schema migrate` describes it.

use crate::kubernetes::ledger::Ledger;

pub(super) fn write(ledger: &Ledger) -> String {
    // The ledger has no keys that are not strings and no numbers that JSON lacks.
    let mut out = serde_json::to_string_pretty(ledger).unwrap_or_default();
    out.push('\n');
    out
}
