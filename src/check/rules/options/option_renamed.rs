//! A setting under a name that NixOS has replaced by another.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::{Fate, Settings, held_against, option_name, why};
use crate::facts::OptionIndex;
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
    if let Some((settings, index)) = held_against(cx, found) {
        report(settings, index, found);
    }
}

/// Reports what settings, wherever they stand, have of this fault.
pub(in crate::check) fn report(settings: &Settings<'_>, index: OptionIndex<'_>, found: &mut Findings) {
    for setting in &settings.faults {
        let Fate::Renamed { to, dropped } = setting.fate(index) else { continue };
        let certain = setting.certain && setting.is_plain_rename();
        let target = to;
        let to = option_name(&target);
        let name = option_name(&setting.fault.route);
        let (level, finding) = match dropped {
            Some(release) => (
                if index.exact { Level::Error } else { Level::Warning },
                Finding::at(setting.fault.place, format!("{name} was renamed to {to}, and the old name is gone"))
                    .label(format!("an old name in {release}, none since"))
                    .why(why(index, "an unknown option fails the evaluation")),
            ),
            None => (
                Level::Warning,
                Finding::at(setting.fault.place, &setting.fault.message)
                    .label("the old name")
                    .why(why(index, "the old name warns at every evaluation and goes away with a later release")),
            ),
        };
        let finding = finding.help(format!("write {to}"));
        found.report_as(level, if certain { finding.rename(&setting.fault.route, &target) } else { finding });
    }
}
