//! Application of Argo CD: a chart, or a folder of a repository, that the cluster keeps as it stands there.

use super::chart::{Chart, is_given, is_rendered};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static APPLICATION: Translator =
    Translator { kind: "Application", groups: &["argoproj.io"], stage: Stage::Sources, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let sources: Vec<&'w Node<'s>> = spec.get("source").into_iter().chain(spec.list("sources")).collect();
    let namespace = spec.at(&["destination", "namespace"]).and_then(Node::text).unwrap_or("default");
    let several = sources.len() > 1;
    for (index, source) in sources.into_iter().enumerate() {
        let key = if several { format!("source-{}", index + 1) } else { "source".to_owned() };
        one(cx, object, (source, index), namespace, &key);
    }
}

fn one<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    (source, index): (&'w Node<'s>, usize),
    namespace: &str,
    key: &str,
) {
    let text = |key: &str| source.get(key).and_then(Node::text);
    let url = text("repoURL").unwrap_or("");
    let release = source.at(&["helm", "releaseName"]).and_then(Node::text).unwrap_or(object.name());
    if is_rendered(cx.world, release, namespace) {
        return cx.books.replaced(source, "the definitions: what it delivers is among the input, and is translated");
    }
    if let Some(chart) = text("chart") {
        let in_registry = !url.contains("://") || url.starts_with("oci://");
        let has = |key: &str| source.at(&["helm", key]).is_some();
        let chart = Chart {
            release: release.to_owned(),
            namespace: namespace.to_owned(),
            chart: match in_registry {
                true => format!("oci://{}/{chart}", url.trim_start_matches("oci://").trim_end_matches('/')),
                false => chart.to_owned(),
            },
            repository: (!in_registry).then(|| url.to_owned()),
            version: text("targetRevision").map(str::to_owned),
            has_values: ["values", "valuesObject", "valueFiles", "parameters"].into_iter().any(has),
            checkout: None,
        };
        let values = match key {
            "source" => "source.helm".to_owned(),
            _ => format!("sources[{index}].helm"),
        };
        cx.ask(object, source, key, chart.question(&[values]), false);
        return;
    }
    let Some(path) = text("path") else {
        return cx
            .books
            .replaced(source, "files of values for another source of this Application, which asks for them");
    };
    if is_given(cx.world, path, object.file) {
        return cx
            .books
            .replaced(source, "the definitions: the folder that it delivers is among the input, and is translated");
    }
    let render = match source.get("helm") {
        Some(_) => "rendered by `helm template`",
        None => "rendered by `kustomize build` where it holds a kustomization",
    };
    let question = format!(
        "it delivers the folder `{path}` of a repository, which is not among the input: give that to `migrate` too, {render}"
    );
    cx.ask(object, source, key, question, false);
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, translated};

    fn application(source: &str) -> String {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{ name: web, namespace: argocd }}\nspec:\n  project: default\n  destination: {{ server: https://kubernetes.default.svc, namespace: apps }}\n  syncPolicy: {{ automated: {{ prune: true, selfHeal: true }} }}\n  {source}\n"
        )
    }

    #[test]
    fn a_chart_is_one_question_with_the_command_that_renders_it() {
        let inventory = translated(&application(
            "source: { chart: nginx, repoURL: registry.example.org/charts, targetRevision: 1.2.3, helm: { values: 'a: 1' } }",
        ));
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        insta::assert_snapshot!(inventory.questions.first().unwrap().question, @"what the chart makes is only known when it is rendered: run `helm template web oci://registry.example.org/charts/nginx --version 1.2.3 --namespace apps -f values.yaml`, where values.yaml holds `source.helm`, and give the output to `migrate` together with the rest");
        assert!(leaf(&inventory, "Application", "spec.syncPolicy.automated.selfHeal").starts_with("dropped "));
    }

    #[test]
    fn a_folder_is_asked_for_unless_it_is_given() {
        let folder =
            |path: &str| application(&format!("source: {{ repoURL: https://git.example.org/a, path: {path} }}"));
        let inventory = translated(&folder("apps/web"));
        assert!(inventory.questions.first().unwrap().question.contains("folder `apps/web`"));
    }
}
