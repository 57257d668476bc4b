//! A setting of an option that NixOS sets itself.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::answered_by;
use crate::facts::Fault;
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
    let settings = cx.settings();
    let Some(index) = settings.index else {
        found.unchecked("there is no option index");
        return;
    };
    for setting in settings.faults.iter().filter(|setting| setting.fault.fault == Fault::ReadOnly) {
        let answered = answered_by(index).map_or_else(String::new, |answered| format!("{answered}; "));
        let finding = Finding::at(setting.fault.place, &setting.fault.message)
            .why(format!("{answered}a second definition of a read-only option fails the evaluation"))
            .help("remove the setting, and set the options that this one follows from");
        found.report_as(if setting.certain { Level::Error } else { Level::Warning }, finding);
    }
}
