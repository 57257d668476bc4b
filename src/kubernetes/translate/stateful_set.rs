//! StatefulSet: a workload that always runs, with claims of its own.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

pub(super) static STATEFUL_SET: Translator =
    Translator { kind: "StatefulSet", groups: &["apps"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(workload) = Workload::of_template(cx, object, &["spec", "template"], Running::Always) else { return };
    pod::replicas(cx, &workload);
    pod::translate(cx, &workload);
}
