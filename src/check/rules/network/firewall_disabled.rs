//! A host without a firewall.

use crate::check::ports::Firewall;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "firewall-disabled",
    group: Group::Network,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "the firewall is off",
    doc: include_str!("firewall_disabled.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(place) = Firewall::of(cx.host).off else { return };
    found.report(
        Finding::at(place, format!("the firewall of `{}` is off", cx.host.name))
            .label("everything is let in")
            .why("every program that listens is open to everybody: databases, metrics, and what somebody starts for a test")
            .help("remove the setting, and open the ports that are meant: `[network.firewall] tcp = [22, …]`")
            .help("`[network.firewall.interfaces.NAME] trusted = true`, for one network that may reach everything"),
    );
}
