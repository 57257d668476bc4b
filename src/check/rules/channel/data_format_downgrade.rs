//! A service that gets data which a newer version of it wrote.

use crate::check::data_formats::{takeovers, with_docs};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "data-format-downgrade",
    group: Group::Channel,
    level: Level::Error,
    allowable: false,
    needs: &["running release"],
    summary: "a service's package is older than the version that wrote its data",
    doc: include_str!("data_format_downgrade.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for takeover in takeovers(cx, found).iter().filter(|takeover| takeover.goes_back()) {
        let (name, attribute, release) = (takeover.service.name, takeover.attribute, &cx.host.channel.channel.release);
        let (from, to) = (takeover.from.0, takeover.to.0);
        let finding = Finding::at(
            takeover.service.def.key,
            format!("`{name}` would go from {from} back to {to}, which cannot read its data"),
        )
        .label(format!("{to} in NixOS {}", release.value))
        .related(takeover.running.place, format!("runs with {from} of `{attribute}`"))
        .related(release.place, "the older release")
        .why(
            "the newer version converted the data when it first started; the older one refuses it, or reads it wrongly",
        )
        .help(format!("a channel of {} or later", takeover.running.value.base()))
        .help("a backup from before the newer version, restored before the older one starts");
        found.report(with_docs(finding, "what its project says", Some(takeover.data)));
    }
}
