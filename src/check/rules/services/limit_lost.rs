//! Limits that nothing takes the place of.

use crate::check::migrations::{self, MANIFESTS, shown};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::ResolvedService;
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "limit-lost",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a limit of a workload that moves has no translation",
    doc: include_str!("limit_lost.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        for limit in &one.workload.limits {
            let has = |service: &ResolvedService<'_>| {
                let limits = service.def.limits.as_ref();
                limits.is_some_and(|limits| match limit.field.as_str() {
                    "limits.memory" => limits.memory.is_some(),
                    "limits.cpu" => limits.cpu.is_some(),
                    _ => false,
                })
            };
            let is_kept = match migrations::gone_to(cx.host, limit) {
                Some((service, _)) => has(service),
                None => limit.to.is_some() || has(one.service),
            };
            if is_kept {
                continue;
            }
            let why = if limit.to.is_none() && !limit.why.is_empty() {
                limit.why.clone()
            } else {
                "the definition of the service has no such limit".to_owned()
            };
            found.report(
                Finding::at(
                    one.service.def.key,
                    format!("`{}` lost the limit `{}`", one.service.name, printable(&limit.field)),
                )
                .related(limit.place, format!("of the container {}: {why}", shown(&limit.container)))
                .about(format!("{} {}", limit.container, limit.field))
                .why("what had a bound in the cluster can take all that the host has")
                .help(format!("`limits = {{ memory = …, cpu = … }}` in `services.{}`", one.service.name))
                .help("a quota on the dataset of its state, where the limit is one of storage"),
            );
        }
    }
}
