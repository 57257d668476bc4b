//! Several processes that become one.

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "replicas-collapsed",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "more than one replica, or autoscaling, becomes one process",
    doc: include_str!("replicas_collapsed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let several = one.workload.replicas.as_ref().filter(|count| count.value > 1);
        let scaled = one.workload.scaler.as_ref().filter(|scaler| scaler.most > 1);
        let (place, message) = match (several, scaled) {
            (Some(count), _) => (
                count.place,
                format!("`{}` runs {} times, and `{}` once", one.identity(), count.value, one.service.name),
            ),
            (None, Some(scaler)) => (
                scaler.place,
                format!("`{}` runs up to {} times, and `{}` once", one.identity(), scaler.most, one.service.name),
            ),
            (None, None) => continue,
        };
        let mut finding = Finding::at(place, message).related(one.place(), "the service that takes its place");
        if let (Some(_), Some(scaler)) = (several, scaled) {
            finding = finding.related(scaler.place, "and is scaled beyond that");
        }
        found.report(
            finding
                .about(one.identity())
                .why("one process carries what several did, and while it starts again nobody answers")
                .help("run it with `replicas: 1` in the cluster, and without an autoscaler, to see that one is enough")
                .help("allow `replicas-collapsed` for the host, with the reason why one is enough"),
        );
    }
}
