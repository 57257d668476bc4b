//! A setting under a name that NixOS has replaced by another.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Fate, answered_by, option_name};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "option-renamed",
    group: Group::Options,
    level: Level::Warning,
    allowable: true,
    needs: &["options of the release"],
    summary: "a setting under an old name",
    doc: include_str!("option_renamed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let settings = cx.settings();
    let Some(index) = settings.index else {
        found.unchecked("there is no option index");
        return;
    };
    for setting in &settings.faults {
        let Fate::Renamed { to, dropped } = setting.fate(index) else { continue };
        let to = option_name(&to);
        let name = option_name(&setting.fault.route);
        let answered = answered_by(index).map_or_else(String::new, |answered| format!("{answered}; "));
        let (level, finding) = match dropped {
            Some(release) => (
                if index.exact { Level::Error } else { Level::Warning },
                Finding::at(setting.fault.place, format!("{name} was renamed to {to}, and the old name is gone"))
                    .label(format!("an old name in {release}, none since"))
                    .why(format!("{answered}an unknown option fails the evaluation")),
            ),
            None => (
                Level::Warning,
                Finding::at(setting.fault.place, &setting.fault.message).label("the old name").why(format!(
                    "{answered}the old name warns at every evaluation and goes away with a later release"
                )),
            ),
        };
        found.report_as(level, finding.help(format!("write {to}")));
    }
}
