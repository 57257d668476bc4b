//! Pod: one that nothing made.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator, job};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static POD: Translator = Translator { kind: "Pod", groups: &[""], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    // What is not started again when it ended well runs to its end.
    let policy = object.tree().at(&["spec", "restartPolicy"]).and_then(|policy| policy.str());
    let running = if matches!(policy, Some("Never" | "OnFailure")) { Running::Once } else { Running::Always };
    let is_once = running == Running::Once;
    let Some(mut workload) = Workload::of_template(cx, object, &[], running) else { return };
    let phase = object.tree().at(&["status", "phase"]).and_then(Node::text);
    let is_over = is_once && phase == Some("Succeeded");
    workload.enabled &= !is_over;
    pod::translate(cx, &workload);
    if is_over {
        job::over(cx, &workload);
    } else if is_once && let Some(node) = object.tree().get("kind") {
        job::again(cx, object, node, "a cluster runs it once");
    }
    if policy == Some("Never")
        && let Some(work) = cx.host.services.get_mut(&workload.service).and_then(|draft| draft.as_container_mut())
    {
        work.restart = Some("no");
    }
}
