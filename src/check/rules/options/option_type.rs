//! A value that cannot have the type of its option.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Settings, answered_by, held_against, listed, why};
use crate::facts::{Fault, OptionIndex};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-type",
    group: Group::Options,
    level: Level::Error,
    allowable: true,
    needs: &["options of the release"],
    summary: "a value that cannot have its option's type",
    doc: include_str!("option_type.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if let Some((settings, index)) = held_against(cx, found) {
        report(settings, index, found);
    }
}

/// Reports what settings, wherever they stand, have of this fault.
pub(in crate::check) fn report(settings: &Settings<'_>, index: OptionIndex<'_>, found: &mut Findings) {
    for setting in
        settings.faults.iter().filter(|setting| matches!(setting.fault.fault, Fault::Type | Fault::NoPackage))
    {
        let fault = &setting.fault;
        let mut finding = Finding::at(fault.place, &fault.message);
        let is_package = fault.fault == Fault::NoPackage;
        finding = match answered_by(index) {
            _ if is_package && index.exact && !setting.certain => {
                finding.why("an overlay may add it; a package that none adds fails the evaluation")
            }
            Some(answered) if is_package && !setting.certain => {
                finding.why(format!("{answered}, which may lack a package; one that is not there fails the evaluation"))
            }
            _ if is_package => finding.why(why(index, "a package that is not there fails the evaluation")),
            Some(answered) if !setting.certain => {
                finding.why(format!("{answered}, whose type may be another; a wrong type fails the evaluation"))
            }
            _ => finding.why(why(index, "a wrong type fails the evaluation")),
        };
        finding = match fault.nearest.as_slice() {
            [] => finding,
            near => finding.help(format!("nearest: {}", listed(near))),
        };
        finding = finding.help(format!("write what its type takes: {}", fault.wanted));
        found.report_as(if setting.certain { Level::Error } else { Level::Warning }, finding);
    }
}
