//! HelmChart and HelmChartConfig of k3s: a chart that the cluster itself installs.

use super::chart::{Chart, is_rendered};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static HELM_CHART: Translator =
    Translator { kind: "HelmChart", groups: &["helm.cattle.io"], stage: Stage::Sources, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let about =
        ["chart", "chartContent", "repo", "set", "targetNamespace", "valuesContent", "version", "valuesSecrets"];
    let nodes: Vec<&'w Node<'s>> = about.iter().filter_map(|key| spec.get(key)).collect();
    let namespace = spec.str_at("targetNamespace").unwrap_or(object.namespace());
    if is_rendered(cx.world, object.name(), namespace) {
        for node in nodes {
            cx.books.replaced(node, "the definitions: what the chart made is among the input, and is translated");
        }
        return;
    }
    let text = |key: &str| spec.get(key).and_then(Node::text).map(str::to_owned);
    let values = ["valuesContent", "set", "valuesSecrets"].into_iter().filter(|key| spec.get(key).is_some());
    let values: Vec<String> = values.map(|key| format!("spec.{key}")).collect();
    let chart = Chart {
        release: object.name().to_owned(),
        namespace: namespace.to_owned(),
        chart: text("chart").unwrap_or_else(|| "chart.tgz".to_owned()),
        repository: text("repo"),
        version: text("version"),
        has_values: !values.is_empty(),
        checkout: None,
    };
    let mut question = chart.question(&values);
    if spec.get("chartContent").is_some() {
        question.push_str("; `chart.tgz` is what `spec.chartContent` holds in base64");
    }
    cx.ask_once(object, &nodes, "chart", question, false);
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::translated;

    #[test]
    fn a_chart_of_k3s_is_one_question_with_the_command_that_renders_it() {
        let inventory = translated(
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: { name: traefik, namespace: kube-system }\nspec: { chart: traefik, repo: https://charts.example.org, version: '27', targetNamespace: web, createNamespace: true, valuesContent: 'a: 1' }\n",
        );
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        insta::assert_snapshot!(inventory.questions.first().unwrap().question, @"what the chart makes is only known when it is rendered: run `helm template traefik traefik --repo https://charts.example.org --version 27 --namespace web -f values.yaml`, where values.yaml holds `spec.valuesContent`, and give the output to `migrate` together with the rest");
    }
}
