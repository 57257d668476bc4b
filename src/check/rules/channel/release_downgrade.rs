//! A channel that is older than what runs on the machine.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "release-downgrade",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &["running release"],
    summary: "the channel is older than what runs on the host",
    doc: include_str!("release_downgrade.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(running) = probed::running_release(cx, found) else { return };
    let release = &cx.host.channel.channel.release;
    if release.value.base() >= running.value.base() {
        return;
    }
    let host = cx.host.name;
    found.report(
        Finding::at(cx.host.channel.at, format!("`{host}` runs {}, its channel is {}", running.value, release.value))
            .label("an older release")
            .related(running.place, "what runs there")
            .related(release.place, "what it would boot")
            .why(
                "what runs has moved data, pools and file systems to formats of its own release: an older one finds them and \
                 cannot read them",
            )
            .help(format!("a channel of {} or later", running.value.base()))
            .help("an older generation of the boot menu, if the newer one is to be left"),
    );
}
