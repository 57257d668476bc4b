//! A release that does not exist.

use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::facts::Releases;
use crate::source::{Level, Place};
use crate::units::{Date, Release};

/// How many months before its own a release has an unstable channel: from the day its predecessor was branched off.
const PRE_MONTHS: i32 = 7;

pub(super) static RULE: Rule = Rule {
    id: "release-unknown",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &["releases"],
    summary: "a channel or state version names a release that does not exist",
    doc: include_str!("release_unknown.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for (name, channel) in cx.fleet.fleet.channels() {
        let release = channel.release.value;
        match known(cx.facts.releases(), release, cx.today) {
            Known::Exists => {}
            Known::TooOld => {
                found.unchecked(format!(
                    "whether there was a release {release} (channel `{name}`): the facts begin later"
                ));
            }
            Known::TooNew => {
                found.unchecked(format!(
                    "whether there is a release {release} (channel `{name}`): the facts end before it"
                ));
            }
            Known::Missing(why) => {
                let message = format!("`{name}` names {release}, and there is no such release");
                found.report(finding(cx, channel.release.place, release, message, why));
            }
        }
    }
    for host in cx.subjects() {
        let Some(version) = &host.def.state_version else { continue };
        // A state version may be older than everything the facts know, and newer than the channel is another rule's matter.
        if let Known::Missing(why) = known(cx.facts.releases(), version.value, cx.today) {
            let message =
                format!("the state version of `{}` names {}, and there is no such release", host.name, version.value);
            found.report(finding(cx, version.place, version.value, message, why).of_host(host.name));
        }
    }
}

fn finding(cx: &FleetCx<'_>, place: Place, release: Release, message: String, why: String) -> Finding {
    let finding = Finding::at(place, message).why(why);
    let near = cx.facts.releases().nearest_names(&release.to_string());
    match near.as_slice() {
        [] => finding.help(format!(
            "write a release that there is{}",
            cx.facts.releases().newest().map_or_else(String::new, |newest| format!("; the newest is {newest}"))
        )),
        near => {
            let names = near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            finding.help(format!("nearest: {names}"))
        }
    }
}

/// What is known of a name.
enum Known {
    /// There is such a release.
    Exists,
    /// There is none, and why.
    Missing(String),
    /// It would be older than everything the facts know.
    TooOld,
    /// It would be newer, and may have come by now.
    TooNew,
}

fn known(releases: Releases<'_>, release: Release, today: Date) -> Known {
    if releases.find(release).is_some() {
        return Known::Exists;
    }
    let oldest = releases.all().map(|facts| facts.release).next();
    if oldest.is_none_or(|oldest| release < oldest) {
        return Known::TooOld;
    }
    if releases.newest().is_some_and(|newest| release.base() < newest.base()) {
        return Known::Missing("NixOS had no release of that month".to_owned());
    }
    // Since 2021 there is a release each May and November.
    if !matches!(release.month(), 5 | 11) {
        return Known::Missing("NixOS is released each May and November".to_owned());
    }
    let months = |year: i16, month: i8| i32::from(year) * 12 + i32::from(month);
    let begins = months(release.year(), release.month()) - if release.is_pre() { PRE_MONTHS } else { 0 };
    if begins > months(today.year(), today.month()) {
        return Known::Missing(format!("on {today} it is still to come"));
    }
    Known::TooNew
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported_on;

    #[test]
    fn a_release_is_unknown_only_where_the_facts_can_tell() {
        let said = |release: &str, today: &str| {
            let fleet = format!("fleet.name = 'x'\nchannels.it.release = '{release}'\n");
            let lines = reported_on(today, &[("fleet.toml", &fleet)], &[]);
            let line = lines.into_iter().find(|line| line.contains("release-unknown")).unwrap_or_default();
            line.split_whitespace().next().unwrap_or("nothing").to_owned()
        };
        for (release, today, expected) in [
            ("26.05", "2026-11-21", "nothing"),
            ("26.11", "2026-11-21", "nothing"),
            ("20.09pre", "2026-11-21", "nothing"),
            ("26.06", "2026-11-21", "error"),
            ("26.09", "2026-11-21", "error"),
            ("16.09", "2026-11-21", "unchecked"),
            ("27.05pre", "2026-11-21", "unchecked"),
            ("27.05", "2026-11-21", "error"),
            ("27.05", "2027-05-20", "unchecked"),
            ("27.09", "2027-12-01", "error"),
            ("99.05pre", "2026-11-21", "error"),
        ] {
            assert_eq!(said(release, today), expected, "{release} on {today}");
        }
    }
}
