//! What a cluster is about to take away: objects that are being deleted, and everything in a namespace that is.
//!
//! Such a workload may be gone before its data has moved, and a claim goes as soon as its pods do. Only a cluster itself says so; it is
//! a question, and one that blocks.

use super::claims::PODS;
use super::context::Cx;
use super::object::Object;
use super::tree::Node;

/// Asks about workloads and claims that are being deleted.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    let kinds = PODS.iter().map(|(kind, _)| *kind).chain(["PersistentVolumeClaim"]);
    for object in kinds.flat_map(|kind| world.of_kind(kind)) {
        if cx.is_attributed(object) {
            continue;
        }
        if let Some(node) = object.tree().at(&["metadata", "deletionTimestamp"]) {
            let what = if object.kind == "PersistentVolumeClaim" {
                "the claim is being deleted, and goes with its data as soon as no pod holds it"
            } else {
                "it is being deleted, and what its pods hold may go with it"
            };
            cx.ask(object, node, "deletion", format!("{what}: is it to move at all, and is its volume kept?"), true);
        } else if let Some(node) = object.tree().at(&["metadata", "namespace"])
            && world.find("Namespace", "", object.namespace()).is_some_and(is_ending)
        {
            let text = format!(
                "the namespace `{}` is being deleted with everything in it, claims included: is it to move at all, and are its volumes kept?",
                object.namespace()
            );
            cx.ask(object, node, "namespace-deletion", text, true);
        }
    }
}

fn is_ending(namespace: &Object<'_>) -> bool {
    let phase = namespace.tree().at(&["status", "phase"]).and_then(Node::text);
    phase == Some("Terminating") || namespace.tree().at(&["metadata", "deletionTimestamp"]).is_some()
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{translated, with};

    const NAMESPACE: &str =
        "apiVersion: v1\nkind: Namespace\nmetadata: { name: apps }\nstatus: { phase: Terminating }\n---\n";
    const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data, namespace: apps }\nspec: { resources: { requests: { storage: 1Gi } } }\n";

    #[test]
    fn what_stands_in_a_namespace_that_ends_is_a_question_that_blocks() {
        let inventory = translated(&format!("{NAMESPACE}{CLAIM}"));
        let asked: Vec<&str> = inventory.questions.iter().filter(|one| one.blocks).map(|one| one.id.as_str()).collect();
        assert!(asked.contains(&"apps/PersistentVolumeClaim/data#namespace-deletion"), "{asked:?}");
        let phase = NAMESPACE.replace("Terminating", "Active");
        let inventory = translated(&format!("{phase}{CLAIM}"));
        assert!(!inventory.questions.iter().any(|one| one.id.ends_with("-deletion")));
    }

    #[test]
    fn a_claim_that_is_being_deleted_is_a_question_until_it_is_answered() {
        let claim = CLAIM.replace("namespace: apps }", "namespace: apps, deletionTimestamp: '2026-11-22T00:00:00Z' }");
        let id = "apps/PersistentVolumeClaim/data#deletion";
        assert!(translated(&claim).questions.iter().any(|one| one.id == id && one.blocks));
        let answered = with(&claim, |target| {
            target.answers.insert(id.to_owned(), "kept".to_owned());
        });
        assert!(!answered.questions.iter().any(|one| one.id == id));
    }
}
