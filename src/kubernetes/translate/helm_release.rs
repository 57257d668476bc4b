//! HelmRelease of Flux: a chart with values, whose objects only helm knows.

use super::chart::{Chart, is_rendered};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static HELM_RELEASE: Translator =
    Translator { kind: "HelmRelease", groups: &["helm.toolkit.fluxcd.io"], stage: Stage::Sources, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec").filter(|_| !cx.world.is_source(object)) else { return };
    let own = spec.at(&["chart", "spec"]);
    let of_chart = ["chart", "version", "sourceRef", "valuesFile", "valuesFiles", "verify"];
    let of_release = ["chartRef", "values", "valuesFrom", "postRenderers", "releaseName", "targetNamespace"];
    let nodes: Vec<&'w Node<'s>> = of_chart
        .iter()
        .filter_map(|key| own?.get(key))
        .chain(of_release.iter().filter_map(|key| spec.get(key)))
        .collect();
    let namespace = spec.str_at("targetNamespace").unwrap_or(object.namespace()).to_owned();
    let release = release(spec, object);
    if is_rendered(cx.world, &release, &namespace) {
        for node in nodes {
            cx.books.replaced(node, "the definitions: what the chart made is among the input, and is translated");
        }
        return;
    }
    let values = ["values", "valuesFrom"].into_iter().filter(|key| spec.get(key).is_some());
    let values: Vec<String> = values.map(|key| format!("spec.{key}")).collect();
    let question = match chart(cx, object, spec, release, namespace) {
        Ok(chart) => {
            let mut question = chart.question(&values);
            if spec.get("postRenderers").is_some() {
                question.push_str(", changed as `spec.postRenderers` says");
            }
            question
        }
        Err(source) => format!(
            "what the chart makes is only known when it is rendered, and {source}, which says where the chart is, is not among the input: give it to `migrate` too, or the objects themselves (`kubectl get -o yaml`)"
        ),
    };
    cx.ask_once(object, &nodes, "chart", question, false);
}

/// Returns the name of the release, as Flux makes it up.
fn release(spec: &Node<'_>, object: &Object<'_>) -> String {
    match (spec.str_at("releaseName"), spec.str_at("targetNamespace")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(namespace)) => format!("{namespace}-{}", object.name()),
        (None, None) => object.name().to_owned(),
    }
}

/// Returns the chart; fails with its source where that is not among the input.
fn chart(
    cx: &Cx<'_, '_>,
    object: &Object<'_>,
    spec: &Node<'_>,
    release: String,
    namespace: String,
) -> Result<Chart, String> {
    let has_values = spec.get("values").is_some() || !spec.list("valuesFrom").is_empty();
    let own = spec.at(&["chart", "spec"]);
    let reference = own.and_then(|own| own.get("sourceRef")).or_else(|| spec.get("chartRef"));
    let word = |key: &str| reference.and_then(|reference| reference.str_at(key)).map(str::to_owned);
    let (kind, name) = (word("kind").unwrap_or_default(), word("name").unwrap_or_default());
    let place = word("namespace").unwrap_or_else(|| object.namespace().to_owned());
    let source = format!("{} `{place}/{name}`", if kind.is_empty() { "the source" } else { &kind });
    let found = cx.world.find(&kind, &place, &name).ok_or_else(|| source.clone())?.tree();
    let url = found.at(&["spec", "url"]).and_then(Node::text).ok_or(source)?.trim_end_matches('/').to_owned();
    let text = |key: &str| own.and_then(|own| own.get(key)).and_then(Node::text).map(str::to_owned);
    let version =
        ["tag", "semver", "digest"].iter().find_map(|key| found.at(&["spec", "ref", key]).and_then(Node::text));
    let chart = text("chart").unwrap_or_default();
    let mut checkout = None;
    let (chart, repository, version) = match kind.as_str() {
        "OCIRepository" => (url, None, version.map(str::to_owned)),
        "HelmRepository" if url.starts_with("oci://") => (format!("{url}/{chart}"), None, text("version")),
        "HelmRepository" => (chart, Some(url), text("version")),
        // The chart lies in a folder of a repository, which has to be fetched first.
        _ => {
            checkout = Some(url);
            (format!("./{}", chart.trim_start_matches("./")), None, None)
        }
    };
    Ok(Chart { release, namespace, chart, repository, version, has_values, checkout })
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, translated};

    const REPOSITORY: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: { name: charts, namespace: flux-system }\nspec: { interval: 1h, url: https://charts.example.org }\n---\n";
    const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: apps }\nspec:\n  interval: 1h\n  chart: { spec: { interval: 5m, chart: nginx, version: 1.2.3, sourceRef: { kind: HelmRepository, name: charts, namespace: flux-system } } }\n  install: { remediation: { retries: 3 } }\n  values: { image: { tag: x }, password: hunter2 }\n";

    #[test]
    fn a_release_is_one_question_with_the_command_that_renders_it() {
        let inventory = translated(&format!("{REPOSITORY}{RELEASE}"));
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        let question = inventory.questions.first().unwrap();
        insta::assert_snapshot!(question.question, @"what the chart makes is only known when it is rendered: run `helm template web nginx --repo https://charts.example.org --version 1.2.3 --namespace apps -f values.yaml`, where values.yaml holds `spec.values`, and give the output to `migrate` together with the rest");
        assert_eq!(question.leaves, 7);
        assert!(leaf(&inventory, "HelmRelease", "spec.chart.spec.interval").starts_with("dropped "));
        assert!(leaf(&inventory, "HelmRelease", "spec.install.remediation.retries").starts_with("dropped "));
        assert!(!format!("{inventory:?}").contains("hunter2"));
    }

    #[test]
    fn a_release_whose_source_is_missing_says_so() {
        let inventory = translated(RELEASE);
        assert!(inventory.questions.first().unwrap().question.contains("HelmRepository `flux-system/charts`"));
    }

    #[test]
    fn a_release_that_the_dump_holds_rendered_asks_nothing() {
        let made = "---\napiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: apps, labels: { helm.toolkit.fluxcd.io/name: web } }\n";
        let inventory = translated(&format!("{REPOSITORY}{RELEASE}{made}"));
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    }
}
