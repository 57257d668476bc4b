//! A setting of an option that NixOS sets itself.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Settings, held_against, why};
use crate::facts::{Fault, OptionIndex};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-read-only",
    group: Group::Options,
    level: Level::Error,
    allowable: true,
    needs: &["options of the release"],
    summary: "a setting of an option that NixOS sets itself",
    doc: include_str!("option_read_only.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if let Some((settings, index)) = held_against(cx, found) {
        report(settings, index, found);
    }
}

/// Reports what settings, wherever they stand, have of this fault.
pub(in crate::check) fn report(settings: &Settings<'_>, index: OptionIndex<'_>, found: &mut Findings) {
    for setting in settings.faults.iter().filter(|setting| setting.fault.fault == Fault::ReadOnly) {
        let finding = Finding::at(setting.fault.place, &setting.fault.message)
            .why(why(index, "a second definition of a read-only option fails the evaluation"))
            .help("remove the setting, and set the options that this one follows from");
        found.report_as(if setting.certain { Level::Error } else { Level::Warning }, finding);
    }
}
