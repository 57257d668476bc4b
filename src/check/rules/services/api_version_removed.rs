//! Manifests that current Kubernetes refuses.

use crate::check::migrations::{MANIFESTS, shown};
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::facts::removed_api;
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "api-version-removed",
    group: Group::Services,
    level: Level::Note,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "an object has a version of its API that current Kubernetes lacks",
    doc: include_str!("api_version_removed.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for object in cx.clusters.iter().flat_map(|(_, cluster)| &cluster.objects) {
        let Some(removed) = removed_api(&object.api_version, &object.kind) else { continue };
        let (name, kind) = (shown(&object.name), printable(&object.kind));
        found.report(
            Finding::at(
                object.place,
                format!("{name} ({kind}) has the version `{}`, which Kubernetes {} removed", object.api_version, removed.release),
            )
            .about(format!("{kind} {}", object.name))
            .why("the manifest is older than the cluster, or the cluster is that old: what really runs may differ from it")
            .help(match removed.instead.as_str() {
                "" => "nothing takes its place: the object has no effect any more".to_owned(),
                instead => format!("`apiVersion: {instead}`, as `kubectl get -o yaml` shows it"),
            }),
        );
    }
}
