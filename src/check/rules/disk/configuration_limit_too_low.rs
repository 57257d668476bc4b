//! A boot menu that keeps no generation to fall back to.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Kind, Level, Place};

pub(super) static RULE: Rule = Rule {
    id: "configuration-limit-too-low",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "fewer than two generations stay in the boot menu",
    doc: include_str!("configuration_limit_too_low.md"),
    check: Check::Host(check),
};

/// The new generation, and one to fall back to.
const FEWEST: i64 = 2;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let generations = &cx.host.def.boot.generations;
    if i64::from(generations.value) < FEWEST {
        report(i64::from(generations.value), generations.place, found);
    }
    for loader in ["grub", "systemd-boot"] {
        let limit = nixos::setting(cx.host, &["boot", "loader", loader, "configurationLimit"]);
        if let Some((Kind::Int(limit), place)) = limit.map(|node| (&node.kind, node.place))
            && *limit < FEWEST
        {
            report(*limit, place, found);
        }
    }
}

fn report(kept: i64, place: Place, found: &mut Findings) {
    let message = match kept {
        1 => "the boot menu keeps one generation".to_owned(),
        kept => format!("the boot menu keeps {kept} generations"),
    };
    found.report(
        Finding::at(place, message)
            .label("nothing to fall back to")
            .why("a failed boot falls back to the generation before it, which must still be in the menu with its kernel and initrd")
            .help("2 or more; 10 is the default"),
    );
}
