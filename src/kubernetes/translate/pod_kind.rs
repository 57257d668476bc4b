//! Pod: one that nothing made.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

pub(super) static POD: Translator = Translator { kind: "Pod", groups: &[""], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    // What is not started again when it ended well runs to its end.
    let policy = object.tree().at(&["spec", "restartPolicy"]).and_then(|policy| policy.str());
    let running = if matches!(policy, Some("Never" | "OnFailure")) { Running::Once } else { Running::Always };
    let Some(workload) = Workload::of_template(cx, object, &[], running) else { return };
    pod::translate(cx, &workload);
    if policy == Some("Never")
        && let Some(work) = cx.host.services.get_mut(&workload.service).and_then(|draft| draft.as_container_mut())
    {
        work.restart = Some("no");
    }
}
