//! DaemonSet: a pod on every node, so one on the host.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

pub(super) static DAEMON_SET: Translator =
    Translator { kind: "DaemonSet", groups: &["apps", "extensions"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(workload) = Workload::of_template(cx, object, &["spec", "template"], Running::Always) else { return };
    pod::translate(cx, &workload);
}
