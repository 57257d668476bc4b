//! Volumes of a container.

use super::Workload;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// Settles `volumes`, `volumeMounts` and `volumeDevices` of a container, and adds what it keeps and reads to its service.
pub(super) fn volumes<'w, 's>(
    _cx: &mut Cx<'w, 's>,
    _workload: &Workload<'w, 's>,
    _container: &'w Node<'s>,
    _service: &str,
    _draft: &mut Draft,
) {
}
