//! What becomes of leaves that no translator settled: the table of fields, and in the end a question.

use super::context::Cx;
use super::object::Object;

/// Settles every leaf of an object that is not settled yet.
pub(super) fn settle_rest<'s>(cx: &mut Cx<'_, 's>, object: &Object<'s>) {
    let unknown = format!("no translation is known for this field of a {}: what does it do for you?", object.kind);
    cx.books.needs_you(&object.root, unknown);
}
