//! The stable JSON form, indented, with a final line break.

use crate::plan::Plan;
use crate::source::pretty_json;

pub(super) fn write(plan: &Plan) -> String {
    pretty_json(plan)
}
