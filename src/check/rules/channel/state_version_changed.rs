//! A state version that is not the running system's.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "state-version-changed",
    group: Group::Channel,
    level: Level::Error,
    allowable: false,
    needs: &["running state version"],
    summary: "the state version differs from that of the running system",
    doc: include_str!("state_version_changed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(version) = &cx.host.def.state_version else { return };
    let Some(system) = probed::installed(cx, found) else { return };
    let said = system.state_version.as_ref();
    let Some((running, place)) = said.and_then(|said| Some((said.parse::<Release>().ok()?, said.place))) else {
        found.unchecked("the facts of the machine do not say its state version");
        return;
    };
    if running == version.value {
        return;
    }
    let host = cx.host.name;
    found.report(
        Finding::at(
            version.place,
            format!("the state version of `{host}` is {running} there, and {} here", version.value),
        )
        .label("of another installation")
        .related(place, "what the running system says")
        .why(
            "it says which release made the data: with another one services look for data of another format in another \
                 place, and start empty",
        )
        .help(format!("write `\"{running}\"`: it stays what it was when the host was installed, for ever")),
    );
}
