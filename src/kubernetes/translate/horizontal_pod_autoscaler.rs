//! HorizontalPodAutoscaler: more processes when there is more to do, which one host has no use for.

use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static HORIZONTAL_POD_AUTOSCALER: Translator =
    Translator { kind: "HorizontalPodAutoscaler", groups: &["autoscaling"], stage: Stage::Guards, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let target = spec.get("scaleTargetRef");
    let number = |key: &str| spec.get(key).and_then(Node::int).filter(|number| *number > 1);
    let (least, most) = (number("minReplicas"), number("maxReplicas"));
    if let (Some(node), Some(least)) = (spec.get("minReplicas"), least) {
        let reason = format!(
            "one process takes the place of all replicas, of which there were never fewer than {least}: it needs their processors and memory together, or fewer requests"
        );
        cx.books.dropped(node, reason);
    }
    if let (Some(node), Some(most)) = (spec.get("maxReplicas"), most) {
        let reason = format!("one process takes the place of all replicas, of which there were {most} at most");
        cx.books.dropped(node, reason);
    }
    let workload = target.and_then(|target| {
        cx.world.find(target.str_at("kind")?, object.namespace(), target.str_at("name")?).map(|object| object.id)
    });
    let draft = workload.and_then(|id| cx.services.get(&id).cloned()).and_then(|name| cx.host.services.get_mut(&name));
    if let (Some(draft), Some(most)) = (draft, most) {
        let least = least.unwrap_or(1);
        draft.comments.push(format!("In the cluster {least} to {most} replicas shared the work ({}).", object.name()));
    }
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, translated};

    #[test]
    fn an_autoscaler_says_how_many_processes_shared_the_work() {
        let inventory = translated(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\nspec:\n  minReplicas: 2\n  maxReplicas: 8\n  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }\n  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 80 } } }]\n",
        );
        assert_eq!(inventory.totals.needs_you, 0, "{:?}", inventory.questions);
        insta::assert_snapshot!(leaf(&inventory, "HorizontalPodAutoscaler", "spec.minReplicas"), @"dropped one process takes the place of all replicas, of which there were never fewer than 2: it needs their processors and memory together, or fewer requests");
        insta::assert_snapshot!(leaf(&inventory, "HorizontalPodAutoscaler", "spec.maxReplicas"), @"dropped one process takes the place of all replicas, of which there were 8 at most");
    }
}
