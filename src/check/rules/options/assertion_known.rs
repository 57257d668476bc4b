//! Settings that an assertion or a warning of NixOS is about.

use crate::check::assertions::{Broken, Effect};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "assertion-known",
    group: Group::Options,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "settings that a known assertion of NixOS rejects",
    doc: include_str!("assertion_known.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    report(&cx.settings().broken, found);
}

/// Reports assertions that fail, wherever their settings stand.
pub(in crate::check) fn report(broken: &[Broken], found: &mut Findings) {
    for broken in broken {
        let assertion = broken.assertion;
        let name = broken.instance.as_deref().map(printable).unwrap_or_default();
        let (level, why) = match assertion.effect {
            Effect::Fails => (Level::Error, "an assertion of NixOS fails"),
            Effect::Warns => (Level::Warning, "NixOS warns"),
        };
        let mut finding = Finding::at(broken.place, assertion.message.replace("NAME", &name))
            .about(format!("{} {name}", assertion.subject()))
            .why(format!("{why} (nixos/modules/{})", assertion.file))
            .help(assertion.cure.replace("NAME", &name));
        if let Some(other) = broken.other {
            finding = finding.related(other, "together with this");
        }
        found.report_as(level, finding);
    }
}
