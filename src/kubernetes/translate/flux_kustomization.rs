//! Kustomization of Flux: a folder of a repository that the cluster keeps as it stands there.

use super::chart::is_given;
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static KUSTOMIZATION: Translator =
    Translator { kind: "Kustomization", groups: &["kustomize.toolkit.fluxcd.io"], stage: Stage::Sources, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let about = ["path", "sourceRef"];
    let nodes: Vec<&'w Node<'s>> = about.iter().filter_map(|key| spec.get(key)).collect();
    let path = spec.get("path").and_then(Node::text).unwrap_or("./");
    let is_made = |object: &&Object<'_>, name: &str| object.label("kustomize.toolkit.fluxcd.io/name") == Some(name);
    let is_dumped = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Service", "HelmRelease"]
        .into_iter()
        .any(|kind| cx.world.of_kind(kind).any(|made| is_made(&made, object.name())));
    if is_dumped || is_given(cx.world, path, object.file) {
        for node in nodes {
            cx.books
                .replaced(node, "the definitions: the folder that it delivers is among the input, and is translated");
        }
        return;
    }
    let question = format!(
        "it delivers the folder `{path}` of a repository, which is not among the input: give that to `migrate` too, rendered by `kustomize build` where it holds a kustomization"
    );
    cx.ask_once(object, &nodes, "path", question, false);
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, translated};

    #[test]
    fn a_folder_that_is_missing_is_asked_for_and_the_rest_is_settled() {
        let text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: web, namespace: flux-system }\nspec: { path: ./apps/web, prune: true, interval: 1h, sourceRef: { kind: GitRepository, name: home }, postBuild: { substitute: { APP: web } } }\n";
        let inventory = translated(text);
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        assert!(inventory.questions.first().unwrap().question.contains("`./apps/web`"));
        assert!(leaf(&inventory, "Kustomization", "spec.prune").starts_with("dropped "));
        let made = "---\napiVersion: v1\nkind: Service\nmetadata: { name: web, labels: { kustomize.toolkit.fluxcd.io/name: web } }\n";
        let inventory = translated(&format!("{text}{made}"));
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    }
}
