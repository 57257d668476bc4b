//! Probes that nothing takes the place of.

use crate::check::migrations::{self, MANIFESTS, shown};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::ResolvedService;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "probe-lost",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a probe of a workload that moves has no translation",
    doc: include_str!("probe_lost.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        for probe in &one.workload.probes {
            let asks = |service: &ResolvedService<'_>| {
                let of_module =
                    service.module.is_some_and(|module| module.file.health.is_some() || module.file.ready.is_some());
                service.def.health.is_some() || service.def.ready.is_some() || of_module
            };
            let is_kept = match migrations::gone_to(cx.host, probe) {
                Some((service, key)) => match key.split('.').next() {
                    Some("health") => service.def.health.is_some() || service.module.is_some() && asks(service),
                    _ => asks(service),
                },
                None => probe.to.is_some() || asks(one.service),
            };
            if is_kept {
                continue;
            }
            let why = if probe.to.is_none() && !probe.why.is_empty() {
                format!("it was not translated: {}", probe.why)
            } else {
                "the definition of the service does not ask".to_owned()
            };
            let key = if probe.field == "livenessProbe" { "health" } else { "ready" };
            found.report(
                Finding::at(
                    one.service.def.key,
                    format!("`{}` asks nothing of what `{}` asked", one.service.name, probe.field),
                )
                .related(probe.place, format!("the probe of the container {}: {why}", shown(&probe.container)))
                .about(format!("{} {}", probe.container, probe.field))
                .why("a program that hangs is not started again, and what needs it starts too early")
                .help(format!(
                    "`{key} = {{ http = \"/\" }}`, or `tcp` or `command`, in `services.{}`",
                    one.service.name
                )),
            );
        }
    }
}
