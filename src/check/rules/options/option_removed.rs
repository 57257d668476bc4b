//! A setting whose option NixOS has removed.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Fate, Settings, held_against, option_name, why};
use crate::facts::OptionIndex;
use crate::source::{Level, printable};

pub(super) static RULE: Rule = Rule {
    id: "option-removed",
    group: Group::Options,
    level: Level::Error,
    allowable: true,
    needs: &["options of the release"],
    summary: "a setting whose option was removed",
    doc: include_str!("option_removed.md"),
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
        let Fate::Removed { text } = setting.fate(index) else { continue };
        let name = option_name(&setting.fault.route);
        let finding = Finding::at(setting.fault.place, format!("{name} was removed"))
            .why(why(index, "setting a removed option fails the evaluation"));
        let finding = match text.trim() {
            "" => finding.help("remove the setting"),
            text => finding.help(format!("NixOS says: {}", printable(text))),
        };
        found.report_as(if index.exact { Level::Error } else { Level::Warning }, finding);
    }
}
