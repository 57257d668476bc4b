//! An attempt to leave the reboot test out.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::deploy::RebootTest;
use crate::source::{Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "reboot-test-disabled",
    group: Group::Deploy,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a definition tries to leave the reboot test out",
    doc: include_str!("reboot_test_disabled.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let test = cx.host.def.deploy.as_ref().and_then(|deploy| deploy.reboot_test.as_ref());
    match test {
        Some(RebootTest::Switch(switch)) if !switch.value => {
            found.report(finding(cx, switch.place, "`reboot-test = false`"));
        }
        Some(RebootTest::Tuned(table)) => {
            if table.times.value == 0 {
                found.report(finding(cx, table.times.place, "`times = 0`"));
            }
            if let Some(enable) = table.enable.as_ref().filter(|enable| !enable.value) {
                found.report(finding(cx, enable.place, "`enable = false`"));
            }
        }
        _ => {}
    }
}

fn finding(cx: &HostCx<'_>, place: Place, what: &str) -> Finding {
    Finding::at(place, format!("{what} would leave the reboot test of `{}` out", cx.host.name))
        .label("cannot be switched off")
        .why("a host that was never rebooted is a host that may not come back, and nobody knows before the power fails")
        .help("remove it: without a word the test is one trial and one boot through the default entry")
}
