//! How a cluster itself was read, in words that every form shares.

use super::super::words::count;
use crate::kubernetes::differences::Difference;
use crate::kubernetes::live::Reading;

/// Returns the cluster, its version, and how many kinds of objects it was asked for.
pub(super) fn about(reading: &Reading) -> String {
    let server = reading.server.as_ref().map(|version| format!(", {version}")).unwrap_or_default();
    let kinds = count(reading.resources, "kind", "kinds");
    format!("{}{server}: {kinds} asked for, {} left out", reading.context, reading.left_out.len())
}

/// Returns the object and the field in which the fleet's manifests and the cluster disagree.
pub(super) fn differs(one: &Difference) -> String {
    if one.path.is_empty() { one.object.clone() } else { format!("{} {}", one.object, one.path) }
}

/// Returns where the manifest stands.
pub(super) fn place(one: &Difference) -> String {
    format!("{}:{}", one.file, one.line)
}
