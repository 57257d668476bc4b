//! A setting whose name is no option of the host's release.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Settings, held_against, listed, why};
use crate::facts::{Fault, OptionIndex};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-unknown",
    group: Group::Options,
    level: Level::Error,
    allowable: true,
    needs: &["options of the release"],
    summary: "a setting that is no option of the release",
    doc: include_str!("option_unknown.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if let Some((settings, index)) = held_against(cx, found) {
        report(settings, index, found);
    }
}

/// Reports what settings, wherever they stand, have of this fault.
pub(in crate::check) fn report(settings: &Settings<'_>, index: OptionIndex<'_>, found: &mut Findings) {
    for setting in &settings.faults {
        if setting.fault.fault != Fault::Unknown || setting.dropped.is_some() {
            continue;
        }
        let mut finding = Finding::at(setting.fault.place, &setting.fault.message);
        if let Some(release) = setting.elsewhere {
            let when = if release.base() < index.release.base() { "gone since" } else { "it came later" };
            finding = finding.label(format!("an option of {release}, {when}"));
        }
        finding = finding.why(why(index, "an unknown option fails the evaluation"));
        finding = match setting.fault.nearest.as_slice() {
            [] => finding.help("remove the setting"),
            near => finding.help(format!("nearest: {}", listed(near))),
        };
        if let Some(meant) = setting.certainly_meant(index) {
            finding = finding.rename(&setting.fault.route, &meant);
        }
        found.report_as(if index.exact && setting.certain { Level::Error } else { Level::Warning }, finding);
    }
    if !settings.of_inputs.is_empty() {
        let names = listed(&settings.of_inputs);
        found.unchecked(format!(
            "a module of `[inputs]`, or one with Nix of its own, may have {names}; `check --eval` tells"
        ));
    }
    if !settings.unsure.is_empty() {
        let names = listed(&settings.unsure);
        found.unchecked(format!(
            "there are no options of {}, and those of the releases around it differ in {names}",
            index.asked
        ));
    }
}
