//! A submodule's instance without a member that has no default.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{held_against, why};
use crate::facts::Fault;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-required",
    group: Group::Options,
    level: Level::Warning,
    allowable: true,
    needs: &["options of the release"],
    summary: "a set of options that lacks one without a default",
    doc: include_str!("option_required.md"),
    check: Check::Host(check),
};

/// What hostwright writes sets of itself, which the user's own setting may only add to. An element of a list is whole.
const OWN: &[&str] = &["boot", "disko", "fileSystems", "networking", "systemd", "users"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some((settings, index)) = held_against(cx, found) else { return };
    // A module of the user's own may define the member.
    let elsewhere = cx.host.source.nix.first();
    for setting in settings.faults.iter().filter(|setting| setting.fault.fault == Fault::Missing) {
        let fault = &setting.fault;
        let is_element = fault.route.last().is_some_and(|last| last.starts_with('['));
        if !is_element && fault.route.first().is_some_and(|first| OWN.contains(&first.as_str())) {
            continue;
        }
        if let Some((file, _)) = elsewhere {
            found.unchecked(format!("{}, unless {file} sets it", fault.message));
            continue;
        }
        let finding = Finding::at(fault.place, &fault.message)
            .why(why(index, "the evaluation fails when something asks for an option that has no value"))
            .help(format!("set it: {}", fault.wanted));
        found.report(finding);
    }
}
