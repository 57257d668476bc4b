//! The stable JSON form, indented, with a final line break.

use crate::plan::Plan;

pub(super) fn write(plan: &Plan) -> String {
    // A plan is strings, lists and numbers: serialising it cannot fail.
    let mut text = serde_json::to_string_pretty(plan).unwrap_or_default();
    text.push('\n');
    text
}
