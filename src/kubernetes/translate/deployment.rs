//! Deployment: a workload that always runs.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};

pub(super) static DEPLOYMENT: Translator =
    Translator { kind: "Deployment", groups: &["apps", "extensions"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut crate::kubernetes::context::Cx<'w, 's>, object: &'w crate::kubernetes::object::Object<'s>) {
    let Some(workload) = Workload::of_template(cx, object, &["spec", "template"], Running::Always) else { return };
    pod::replicas(cx, &workload);
    pod::translate(cx, &workload);
}
