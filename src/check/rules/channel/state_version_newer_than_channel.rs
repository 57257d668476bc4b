//! A state version that the host's channel does not know yet.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "state-version-newer-than-channel",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the state version is newer than the host's channel",
    doc: include_str!("state_version_newer_than_channel.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(version) = &cx.host.def.state_version else { return };
    let release = &cx.host.channel.channel.release;
    // The unstable channel before a release has that release's defaults already, and calls itself by its number.
    if version.value.base() <= release.value.base() {
        return;
    }
    let host = cx.host.name;
    let message = format!("the state version of `{host}` is {}, its channel is {}", version.value, release.value);
    found.report(
        Finding::at(version.place, message)
            .label(format!("{} knows no such defaults", release.value))
            .related(release.place, format!("{host} boots this"))
            .why(
                "services would be set up as this release does it and be taken for set up as a later one does: after the upgrade \
                 they look for data of another format in another place",
            )
            .help("for a host that is there: what `system.stateVersion` says on it, for ever")
            .help(format!("for a host that is to be installed: `\"{}\"`, the release it is installed with", release.value.base())),
    );
}
