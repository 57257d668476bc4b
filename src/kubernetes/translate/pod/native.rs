//! Containers that a NixOS module takes the place of.

use super::{Container, Workload};
use crate::kubernetes::context::Cx;

/// Makes a container a native service where a module does all that it does; tells whether it did.
pub(super) fn native<'w, 's>(
    _cx: &mut Cx<'w, 's>,
    _workload: &Workload<'w, 's>,
    _container: &Container<'w, 's>,
) -> bool {
    false
}
