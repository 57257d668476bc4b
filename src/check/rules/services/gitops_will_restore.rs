//! What would bring a workload back.

use crate::check::migrations::{self, MANIFESTS, shown};
use crate::check::phrase::listed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "gitops-will-restore",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "something would bring back a workload that is stopped",
    doc: include_str!("gitops_will_restore.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let identity = one.identity();
        let restorers = one.cluster.restorers.iter().filter(|restorer| restorer.by_itself);
        for restorer in restorers {
            let Some(shown_by) = restorer.restores.get(&identity) else { continue };
            let by = shown(&restorer.by);
            let mut finding = Finding::at(
                restorer.place.unwrap_or(one.workload.place),
                format!("{} {by} would bring `{identity}` back", restorer.what),
            )
            .related(one.place(), "the service that takes its place")
            .about(format!("{} {identity}", restorer.by))
            .why(restorer.behaviour)
            .help(format!("{}, and say so in the manifests", restorer.suspend));
            finding = match restorer.place {
                Some(_) => {
                    finding.related(one.workload.place, format!("this is what it restores, by {}", printable(shown_by)))
                }
                None => finding.label(format!("it is restored, by {}", printable(shown_by))),
            };
            if !restorer.under.is_empty() {
                let above = listed(&restorer.under);
                finding = finding.help(format!("suspend {above} first, which would undo that"));
            }
            if restorer.place.is_none() {
                finding = finding.help(format!("put {by} among the manifests: whether it is suspended is not known"));
            }
            found.report(finding);
        }
    }
}
