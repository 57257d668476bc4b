//! The stable document; `hostwright schema migrate` describes it.

use crate::kubernetes::ledger::Ledger;
use crate::source::pretty_json;

pub(super) fn write(ledger: &Ledger) -> String {
    pretty_json(ledger)
}
