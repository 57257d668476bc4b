//! A host without a state version.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "state-version-missing",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a host has no state version",
    doc: include_str!("state_version_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.def.state_version.is_some() {
        return;
    }
    let host = cx.host.name;
    let running = cx.host.source.facts.as_ref().and_then(|facts| facts.system.as_ref()?.state_version.as_ref());
    let release = cx.host.channel.channel.release.value.base();
    let finding = Finding::at(cx.host.place, format!("`{host}` has no state version")).why(
        "without it every upgrade also changes the defaults of stateful services: another database version, another place of \
         their data",
    );
    found.report(match running {
        Some(running) => finding
            .related(running.place, "what runs there has this")
            .help(format!("add `state-version = {:?}`, as the facts say", crate::source::printable(running))),
        None => finding
            .help("for a host that is there: add `state-version` with what `system.stateVersion` says on it")
            .help(format!(
                "for a host that is to be installed: add `state-version = \"{release}\"`, its channel's release"
            )),
    });
}
