//! Manifests that are still to be filled in.

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "template-not-rendered",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a manifest is still to be filled in",
    doc: include_str!("template_not_rendered.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for template in cx.clusters.iter().flat_map(|(_, cluster)| &cluster.templates) {
        let path = printable(cx.sources.file(template.place.file).path());
        found.report(
            Finding::at(template.place, format!("`{path}` is still to be filled in"))
                .label(template.reason.clone())
                .why("what it describes is not known: no claim, probe or port of it is accounted for")
                .help(template.help.clone())
                .help("take it out of the folder of manifests, where it describes nothing that moves"),
        );
    }
    for one in migrations::of_fleet(cx).into_iter().filter(|one| cx.scope.has(one.host.name)) {
        for field in &one.workload.unfilled {
            let path = printable(&field.path);
            found.report(
                Finding::at(field.place, format!("`{path}` of `{}` is still to be filled in", one.identity()))
                    .related(one.place(), "the service that takes its place")
                    .of_host(one.host.name)
                    .about(format!("{} {path}", one.identity()))
                    .why("what the cluster got there is not known")
                    .help("render it first, where Flux fills it in: `flux build kustomization NAME --path DIR >rendered.yaml`")
                    .help("render it first, where a script fills it in: `envsubst <FILE >rendered.yaml`")
                    .help("name what the cluster has, not what is in git: `kubectl get -o yaml`"),
            );
        }
    }
}
