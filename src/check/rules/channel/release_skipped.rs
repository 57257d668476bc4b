//! An upgrade over more than one release at once.

use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "release-skipped",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &["running release"],
    summary: "an upgrade over more than one release at once",
    doc: include_str!("release_skipped.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(running) = probed::running_release(cx, found) else { return };
    let release = &cx.host.channel.channel.release;
    let steps = running.value.half_years_to(release.value);
    if steps <= 1 {
        return;
    }
    let host = cx.host.name;
    let message = format!("`{host}` would go from {} to {} at once, {steps} releases on", running.value, release.value);
    let next = |from: &Release| cx.facts.releases().next(*from);
    let between =
        std::iter::successors(next(&running.value.base()), next).take_while(|step| *step < release.value.base());
    let between: Vec<String> = between.map(|step| step.to_string()).collect();
    let finding = Finding::at(cx.host.channel.at, message)
        .label(release.value.to_string())
        .related(running.place, "what runs there")
        .why(
            "old names of options and conversions of data are kept for a release or two: over more of them nothing warns, and \
             services find data that they no longer convert",
        );
    found.report(match between.as_slice() {
        [] => finding.help("go by way of the releases between"),
        names => finding.help(format!("go by way of {}, with a reboot test at each", names.join(", "))),
    });
}
