//! A deployer that cannot reach the host while it reboots.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::scalar::Target;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "deployer-unreachable",
    group: Group::Deploy,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the deployer cannot watch the host's reboot",
    doc: include_str!("deployer_unreachable.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(target) = cx.host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref()) else { return };
    if target.value != Target::Local {
        return;
    }
    found.report(
        Finding::at(target.place, format!("`{}` would have to watch its own reboot", cx.host.name))
            .label("the deployer is this machine")
            .why(
                "a trial boot is confirmed from outside: nobody would confirm it, and the machine would go back to the \
                 generation it came from",
            )
            .help("another machine as deployer, and how it reaches this one: `target = \"root@192.0.2.10\"`"),
    );
}
